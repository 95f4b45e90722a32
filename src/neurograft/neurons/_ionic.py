"""The ionic neuron of Robin, Kavokine and Bocquet (Science 2021) in three variables, scaled to a network's units.

It lives at tens of volts and microseconds; a map, at millivolts and milliseconds.  ``volts`` slit volts stand for a
volt of the network (a synapse's amplifier, built with the chip) and ``slowed`` network seconds for one of the slit
(a larger capacitor and longer slits).  Its zero is 0 V across the slits: it has no rest, it paces by itself.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from dataclasses import dataclass, field
from typing import Final, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import OptionError, RunError
from neurograft.ionic import Circuit, PowerLaw, RateLaw, Reduced
from neurograft.ionic._reduced import REARM_V, SPIKE_V, step_reduced
from neurograft.neurons._model import Stepper, kicks
from neurograft.units import MV, NA, NS

_SUBSTEP_S: Final = 100 * NS  # of the slit's time; spikes move by under 1 % against 1 ns
_HEAD: Final = 5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IonicNeuron:
    """The authors' circuit, scaled; ``law`` says how pairs break and form.

    A drive of ``unit_drive_v`` is the authors' current of 0.1 nA; a drive of 0 leaves the circuit without current.
    """

    circuit: Circuit = field(default_factory=Circuit)
    law: RateLaw = field(default_factory=PowerLaw)
    volts: float = 1000.0
    slowed: float = 1000.0
    unit_drive_v: float = 20 * MV

    def __post_init__(self) -> None:
        """Refuse scales that are none."""
        if not (self.volts > 0 and self.slowed > 0 and self.unit_drive_v > 0):
            raise OptionError(
                f"volts {self.volts}, slowed {self.slowed}, unit_drive_v {self.unit_drive_v}: not above 0."
            )

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "ionic"

    @property
    def threshold_v(self) -> float:
        """Potential whose upward crossing counts as a spike."""
        return SPIKE_V / self.volts

    def stepper(self, step_s: float) -> Stepper:
        """Return substeps of at most 100 ns of the slit's time."""
        slit_step_s = step_s / self.slowed
        n = math.ceil(slit_step_s / _SUBSTEP_S - 1e-9)
        if n > 1000:
            raise RunError(
                f"The step of {step_s:g} s is {n} substeps of this model. Use at most {step_s * 1000 / n:g} s."
            )
        constants = Reduced(circuit=self.circuit, law=self.law).constants(slit_step_s / n)
        per_volt = slit_step_s / n / self.circuit.capacitance_f * (0.1 * NA) / self.unit_drive_v
        head = np.array([n, self.volts, per_volt, SPIKE_V, REARM_V])
        # The free potential's time constant: capacitance over the conductance that is typical between spikes, 10 pS.
        tau_s = self.circuit.capacitance_f / 10e-12
        return Stepper(
            advance=advance_ionic,
            constants=np.concatenate([head, constants]),
            n_states=4,
            n_channels=1,
            noise_kick=math.sqrt(-math.expm1(-2 * slit_step_s / tau_s)),
        )

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials up to 20 V of the slit and the free shares at a trough of the authors' spike train."""
        zero = np.zeros_like(fraction)
        return np.stack([fraction * REARM_V / self.volts, zero + 0.01, zero + 0.06, zero])

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return kicks of the weight."""
        return kicks(weight_v)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_ionic(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons; the fourth state is 1 from the crossing of 25 V until the potential is back below 20 V."""
    substeps, volts, per_volt, level, rearm = int(constants[0]), constants[1], constants[2], constants[3], constants[4]
    slit = constants[_HEAD:]
    n_spiked = 0
    for i in range(state.shape[1]):
        v, n_na, n_k = volts * (state[0, i] + inputs[0, i]), state[1, i], state[2, i]
        inputs[0, i] = 0.0
        extra_v = per_volt * drive_v[i]
        for _ in range(substeps):
            v, n_na, n_k = step_reduced(v, n_na, n_k, extra_v, slit)
        if v < rearm:
            state[3, i] = 0.0
        elif v >= level and state[3, i] == 0.0:
            state[3, i] = 1.0
            spiked[n_spiked] = i
            n_spiked += 1
        state[0, i], state[1, i], state[2, i] = v / volts, n_na, n_k
    return n_spiked
