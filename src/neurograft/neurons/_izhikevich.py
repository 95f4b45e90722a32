"""The simple model of Izhikevich (2003): v' = 0.04 v^2 + 5 v + 140 - u + I, u' = a (b v - u), in mV and ms.

Outside the kernel potentials are volts above the model's rest, as everywhere.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import OptionError, RunError
from neurograft.neurons._model import Stepper, kicks
from neurograft.units import MS, MV

_SUBSTEP_MS = 0.05
_LONGEST_STEP_S = 1 * MS
_PEAK_MV = 30.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Izhikevich:
    """Izhikevich's neuron in his own symbols and units (mV, ms); defaults are regular spiking (2003, fig. 2)."""

    a: float = 0.02
    b: float = 0.2
    c: float = -65.0
    d: float = 8.0

    def __post_init__(self) -> None:
        """Refuse parameters without a stable rest, from which weights could not be measured."""
        if not (math.isfinite(self.c + self.d) and self.a > 0 and (5.0 - self.b) ** 2 > 22.4 and self.b < 5.0):
            raise OptionError(f"{self} has no rest: give a > 0 and b < {5.0 - math.sqrt(22.4):.3f}.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "izhikevich"

    @property
    def rest_mv(self) -> float:
        """The lower root of 0.04 v^2 + (5 - b) v + 140."""
        return (-(5.0 - self.b) - math.sqrt((5.0 - self.b) ** 2 - 22.4)) / 0.08

    @property
    def slope_per_ms(self) -> float:
        """How fast a small shift of the potential decays at rest."""
        return -(0.08 * self.rest_mv + 5.0)

    @property
    def threshold_v(self) -> float:
        """The spike's peak, above rest."""
        return (_PEAK_MV - self.rest_mv) * MV

    def stepper(self, step_s: float) -> Stepper:
        """Return Heun steps of at most 50 us; a drive of 1 V is the current that the slope at rest turns into 1 V."""
        if step_s > _LONGEST_STEP_S:
            raise RunError(f"The step of {step_s:g} s is too long for this model. Use at most {_LONGEST_STEP_S:g} s.")
        n = math.ceil(step_s / MS / _SUBSTEP_MS - 1e-9)
        constants = np.array(
            [n, step_s / MS / n, self.a, self.b, self.c, self.d, self.rest_mv, _PEAK_MV, self.slope_per_ms]
        )
        noise = math.sqrt(-math.expm1(-2.0 * step_s / MS * self.slope_per_ms))
        return Stepper(
            advance=advance_izhikevich,
            constants=constants,
            n_states=2,
            n_channels=1,
            noise_kick=noise,
            state_names=("v", "u"),
        )

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials up to 15 mV above rest (short of the spike's onset) and resting recovery."""
        return np.stack([fraction * 15 * MV, np.full(fraction.size, self.b * self.rest_mv)])

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return kicks of the weight: near rest the potential falls from there, so that is the peak."""
        return kicks(weight_v)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_izhikevich(state, refractory, drive_v, inputs, constants, spiked):
    """Step Izhikevich's neurons; what arrives is added after the substeps, then the peak is looked at."""
    substeps, h, a, b, c, d = int(constants[0]), constants[1], constants[2], constants[3], constants[4], constants[5]
    rest, peak, slope = constants[6], constants[7], constants[8]
    v_all, u_all, kick = state[0], state[1], inputs[0]
    n = 0
    for i in range(v_all.size):
        v, u = 1e3 * v_all[i] + rest, u_all[i]
        current = 1e3 * drive_v[i] * slope
        for _ in range(substeps):
            dv, du = (0.04 * v + 5.0) * v + 140.0 - u + current, a * (b * v - u)
            v1, u1 = v + h * dv, u + h * du
            v1 = min(v1, peak)
            dv1, du1 = (0.04 * v1 + 5.0) * v1 + 140.0 - u1 + current, a * (b * v1 - u1)
            v += 0.5 * h * (dv + dv1)
            u += 0.5 * h * (du + du1)
            if v >= peak:
                break
        v += 1e3 * kick[i]
        kick[i] = 0.0
        if v >= peak:
            v = c
            u += d
            spiked[n] = i
            n += 1
        v_all[i], u_all[i] = 1e-3 * (v - rest), u
    return n
