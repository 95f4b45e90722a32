"""The neuron of the whole-brain fly model (Shiu et al. 2024), step for step as Brian2 runs it.

t_m dv/dt = g - v and dg/dt = -g / tau, both held while refractory; above 7 mV the neuron spikes, and v and g go to 0.
A spike that arrives adds to g, a stimulus to v; what arrives while refractory is lost.  The order of a step is
Brian2's: equations, threshold, arrivals, resets.  (Equations and constants: the model's own code, MIT.)
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import OptionError
from neurograft.neurons._model import Stepper, steps_of
from neurograft.neurons._synapses import exponential_peak
from neurograft.units import MS, MV


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlyLif:
    """Shiu's neuron; rest and reset are 0 V, which is -52 mV there.  ``is_stimulated``: without refractory time."""

    tau_m_s: float = 20 * MS
    tau_g_s: float = 5 * MS
    threshold_v: float = 7 * MV
    refractory_s: float = 2.2 * MS
    is_stimulated: bool = False

    def __post_init__(self) -> None:
        """Refuse equal or negative time constants, for which the step has another formula."""
        if not (self.tau_m_s > 0 and self.tau_g_s > 0 and abs(self.tau_m_s / self.tau_g_s - 1.0) > 1e-6):
            raise OptionError(f"{self}: give two different positive time constants.")
        if not (self.threshold_v > 0 and self.refractory_s >= 0):
            raise OptionError(f"{self}: give a positive threshold_v and no negative refractory_s.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "lif-fly-stimulated" if self.is_stimulated else "lif-fly"

    @property
    def peak_per_jump(self) -> float:
        """Peak of the potential at rest after a jump of g by 1 V."""
        return exponential_peak(tau_m_s=self.tau_m_s, tau_syn_s=self.tau_g_s)

    def stepper(self, step_s: float) -> Stepper:
        """Return the exact propagators of one step."""
        decay_v, decay_g = math.exp(-step_s / self.tau_m_s), math.exp(-step_s / self.tau_g_s)
        into_v = self.tau_g_s / (self.tau_m_s - self.tau_g_s) * (decay_v - decay_g)
        hold = 0 if self.is_stimulated else steps_of(self.refractory_s, step_s)
        constants = np.array([decay_v, decay_g, into_v, self.threshold_v, -math.expm1(-step_s / self.tau_m_s), hold])
        noise = math.sqrt(-math.expm1(-2.0 * step_s / self.tau_m_s))
        return Stepper(advance=advance_fly, constants=constants, n_states=2, n_channels=2, noise_kick=noise)

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return rest, where the published model starts, whatever the fraction."""
        return np.zeros((2, fraction.size))

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return jumps of g (channel 1) whose potential peaks at the weight."""
        return weight_v / self.peak_per_jump, np.ones(weight_v.size, dtype=np.int32)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_fly(state, refractory, drive_v, inputs, constants, spiked):
    """Step Shiu's neurons; ``refractory`` counts the steps in which equations stand still."""
    decay_v, decay_g, into_v, threshold, gain = constants[0], constants[1], constants[2], constants[3], constants[4]
    hold = np.int32(constants[5])
    n = 0
    for i in range(state.shape[1]):
        is_free = refractory[i] == 0
        if is_free:
            v, g = state[0, i], state[1, i]
            v = decay_v * v + into_v * g + gain * drive_v[i]
            g = decay_g * g
            if v > threshold:
                v, g = 0.0, 0.0
                refractory[i] = max(hold - 1, 0)  # equations move again ``hold`` steps after the spike
                spiked[n] = i
                n += 1
            else:  # what arrives in the step of a spike is lost, or reset with it
                v += inputs[0, i]
                g += inputs[1, i]
            state[0, i], state[1, i] = v, g
        else:
            refractory[i] -= 1
        inputs[0, i] = 0.0
        inputs[1, i] = 0.0
    return n
