"""The integrate-and-fire neuron whose synapses open conductances, among them NMDA receptors.

tau V' = -V + drive + g_e (E_e - V) + g_i (E_i - V) + g_n B(V) (E_e - V), conductances in units of the leak.
A step's order is that of NEST's iaf_cond_exp and iaf_cond_alpha: integrate, look at the threshold, then what
arrived opens.  In a substep the potential moves exactly for conductances frozen at their mean (Simpson's rule),
an error of third order.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import OptionError, RunError
from neurograft.neurons._model import Stepper, steps_of
from neurograft.neurons._synapses import require_positive
from neurograft.units import MS, MV

_PER_TAU = 20.0  # substeps in the shortest time constant: potentials are then right to 0.1 uV (tested)
_LARGEST_G = 100.0  # leaks; beyond, a potential's peak hardly rises
_N_GRID = 161


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialConductance:
    """A conductance that jumps and decays, with one time constant for each sign of the weight."""

    tau_excitatory_s: float = 2e-3
    tau_inhibitory_s: float = 5e-3

    def __post_init__(self) -> None:
        """Refuse time constants that are not positive."""
        require_positive(self.tau_excitatory_s, self.tau_inhibitory_s)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaConductance:
    """A conductance that rises and falls as t exp(-t / tau), with one time constant for each sign."""

    tau_excitatory_s: float = 1e-3
    tau_inhibitory_s: float = 2.5e-3

    def __post_init__(self) -> None:
        """Refuse time constants that are not positive."""
        require_positive(self.tau_excitatory_s, self.tau_inhibitory_s)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Nmda:
    """NMDA receptors beside every excitatory synapse, blocked by magnesium at rest (Jahr and Stevens 1990, eq. 4).

    ``ratio`` is their peak conductance, without block, over that of the fast receptors (our choice, near the
    middle of what cortex shows).  B(V) = 1 / (1 + [Mg] / 3.57 mM exp(-0.062 V / mV)).  Rise and decay as in
    Wang (1999): 2 and 100 ms.
    """

    ratio: float = 0.5
    tau_rise_s: float = 2e-3
    tau_decay_s: float = 100e-3
    magnesium_mm: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a negative share and a rise that is not shorter than the decay."""
        require_positive(self.tau_rise_s, self.tau_decay_s)
        if not (self.ratio >= 0 and self.magnesium_mm >= 0 and self.tau_rise_s < self.tau_decay_s):
            raise OptionError(f"{self}: give a ratio and magnesium of 0 or more, and a rise shorter than the decay.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConductanceLif:
    """Leaky integrate-and-fire with conductance synapses; potentials are heights above rest.

    ``rest_v`` is where rest lies in absolute terms, which matters to magnesium alone.  A weight is the peak
    potential of one spike at rest, so it must lie between the reversal potentials.
    """

    tau_m_s: float = 20 * MS
    threshold_v: float = 15 * MV
    reset_v: float = 0.0
    refractory_s: float = 2 * MS
    excitatory_reversal_v: float = 70 * MV
    inhibitory_reversal_v: float = -10 * MV
    rest_v: float = -70 * MV
    synapse: ExponentialConductance | AlphaConductance = field(default_factory=ExponentialConductance)
    nmda: Nmda | None = None

    def __post_init__(self) -> None:
        """Refuse parameters with which nothing could excite, inhibit or fire."""
        require_positive(self.tau_m_s)
        if not self.reset_v < self.threshold_v < self.excitatory_reversal_v:
            raise OptionError(f"{self}: put reset_v below threshold_v and that below excitatory_reversal_v.")
        if not (self.inhibitory_reversal_v < 0.0 and self.refractory_s >= 0 and math.isfinite(self.rest_v)):
            raise OptionError(f"{self}: give an inhibitory_reversal_v below rest (0) and no negative refractory_s.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "lif-conductance"

    def stepper(self, step_s: float) -> Stepper:
        """Return substeps of at most a tenth of the shortest time constant."""
        both = (self.synapse.tau_excitatory_s, self.synapse.tau_inhibitory_s)
        nmda = self.nmda if self.nmda is not None else Nmda(ratio=0.0)
        shortest = min(self.tau_m_s, *both, *((nmda.tau_rise_s,) if nmda.ratio else ()))
        n = max(1, math.ceil(step_s * _PER_TAU / shortest - 1e-9))
        half = 0.5 * step_s / n
        constants = [n, 2.0 * half / self.tau_m_s, self.threshold_v, self.reset_v, steps_of(self.refractory_s, step_s)]
        constants += [self.excitatory_reversal_v, self.inhibitory_reversal_v]
        for tau_s in both:
            rise = math.e * half / tau_s if isinstance(self.synapse, AlphaConductance) else 0.0
            constants += [math.exp(-half / tau_s), rise]
        constants += [float(isinstance(self.synapse, AlphaConductance)), nmda.ratio * _unit_peak(nmda)]
        constants += [math.exp(-half / nmda.tau_rise_s), math.exp(-half / nmda.tau_decay_s)]
        constants += [nmda.magnesium_mm / 3.57 * math.exp(-62.0 * self.rest_v), 62.0]
        noise = math.sqrt(-math.expm1(-2.0 * step_s / self.tau_m_s))
        return Stepper(
            advance=advance_conductance, constants=np.array(constants), n_states=7, n_channels=3, noise_kick=noise,
            state_names=("v", "source_e", "g_e", "source_i", "g_i", "nmda_rise", "nmda_decay"),
        )  # fmt: skip

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials between reset and threshold, and closed synapses."""
        state = np.zeros((7, fraction.size))
        state[0] = self.reset_v + fraction * (self.threshold_v - self.reset_v)
        return state

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return the peak conductance in leaks, and the channel of the weight's sign."""
        is_inhibitory = weight_v < 0
        amplitude = np.zeros(weight_v.size)
        for mine, is_excitatory in ((~is_inhibitory, True), (is_inhibitory, False)):
            if not mine.any():
                continue
            curve, largest_v = _peak_curve(self, is_excitatory)
            size_v = np.abs(weight_v[mine])
            strongest = float(size_v.max())
            if strongest > largest_v:
                reversal_v = self.excitatory_reversal_v if is_excitatory else self.inhibitory_reversal_v
                raise RunError(
                    f"A weight of {strongest if is_excitatory else -strongest:.3g} V cannot be reached: this neuron's "
                    f"synapses pull towards {reversal_v:g} V and reach {largest_v:.3g} V with {_LARGEST_G:g} leaks. "
                    "Give smaller weights, a further reversal potential, or a neuron with currents (Lif)."
                )
            amplitude[mine] = size_v * np.exp(curve(np.log(np.maximum(size_v, 1e-12))))
        return amplitude, np.where(is_inhibitory, 2, 1).astype(np.int32)


def _unit_peak(nmda: Nmda) -> float:
    """Return what makes the difference of decay and rise peak at 1."""
    rise, decay = nmda.tau_rise_s, nmda.tau_decay_s
    at = math.log(decay / rise) * decay * rise / (decay - rise)
    return 1.0 / (math.exp(-at / decay) - math.exp(-at / rise))


@lru_cache
def _peak_curve(neuron: ConductanceLif, is_excitatory: bool) -> tuple[Callable[[ndarray], ndarray], float]:
    """Return ln(conductance over peak potential) by ln(peak), found by stepping lone neurons, and the largest peak."""
    from scipy.interpolate import PchipInterpolator  # slow to import, and seldom needed

    step_s = 0.025 * MS
    stepper = neuron.stepper(step_s)
    constants = stepper.constants.copy()
    constants[2] = np.inf  # no spikes
    g = np.geomspace(1e-6, _LARGEST_G, _N_GRID)
    state, hold = np.zeros((7, g.size)), np.zeros(g.size, dtype=np.int32)
    inputs = np.zeros((3, g.size), dtype=np.float32)
    inputs[1 if is_excitatory else 2] = g
    given, peak = inputs[1 if is_excitatory else 2].astype(np.float64), np.zeros(g.size)
    nothing, spiked = np.zeros(g.size), np.empty(g.size, dtype=np.int32)
    slowest = max(neuron.tau_m_s, neuron.synapse.tau_excitatory_s, neuron.synapse.tau_inhibitory_s, 25 * MS)
    for _ in range(math.ceil(4.0 * slowest / step_s)):
        stepper.advance(state, hold, nothing, inputs, constants, spiked)
        np.maximum(peak, np.abs(state[0]), out=peak)
    rising = np.concatenate([[True], np.diff(peak) > 1e-9 * peak[1:]])
    return PchipInterpolator(
        np.log(peak[rising]), np.log(given[rising] / peak[rising]), extrapolate=True
    ), float(peak[rising][-1])  # fmt: skip


@njit(cache=True, inline="always")
@no_type_check
def _toward(v, drive, e_e, e_i, g_e, g_i, g_n, block, slope, h):
    g_n /= 1.0 + block * math.exp(-slope * v)
    total = 1.0 + g_e + g_i + g_n
    return (drive + (g_e + g_n) * e_e + g_i * e_i) / total, math.exp(-h * total)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_conductance(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons with conductances; these go on while the neuron is refractory, kicks are then lost."""
    substeps, h, threshold, reset, hold = int(constants[0]), constants[1], constants[2], constants[3], constants[4]
    e_e, e_i, d_e, rise_e = constants[5], constants[6], constants[7], constants[8]
    d_i, rise_i, alpha, nmda = constants[9], constants[10], constants[11], constants[12]
    d_rise, d_decay, block, slope = constants[13], constants[14], constants[15], constants[16]
    n = 0
    for i in range(state.shape[1]):
        v, s_e, g_e, s_i, g_i = state[0, i], state[1, i], state[2, i], state[3, i], state[4, i]
        n_r, n_d = state[5, i], state[6, i]
        is_free = refractory[i] == 0
        for _ in range(substeps):
            mid_e, mid_i = d_e * (g_e + rise_e * s_e), d_i * (g_i + rise_i * s_i)
            mid_n = d_decay * n_d - d_rise * n_r
            s_e, s_i = d_e * s_e, d_i * s_i
            end_e, end_i = d_e * (mid_e + rise_e * s_e), d_i * (mid_i + rise_i * s_i)
            s_e, s_i = d_e * s_e, d_i * s_i
            end_r, end_d = d_rise * d_rise * n_r, d_decay * d_decay * n_d
            if is_free:
                mean_e, mean_i = (g_e + 4.0 * mid_e + end_e) / 6.0, (g_i + 4.0 * mid_i + end_i) / 6.0
                mean_n = (n_d - n_r + 4.0 * mid_n + end_d - end_r) / 6.0
                b = block if mean_n > 0.0 else 0.0
                goal, keep = _toward(v, drive_v[i], e_e, e_i, mean_e, mean_i, mean_n, b, slope, 0.5 * h)
                if mean_n > 0.0:  # the block follows the potential: its value in the middle of the substep counts
                    middle = goal + (v - goal) * keep
                    goal, keep = _toward(middle, drive_v[i], e_e, e_i, mean_e, mean_i, mean_n, b, slope, h)
                    v = goal + (v - goal) * keep
                else:
                    v = goal + (v - goal) * keep * keep
            g_e, g_i, n_r, n_d = end_e, end_i, end_r, end_d
        if is_free:
            v += inputs[0, i]
        else:
            v = reset
            refractory[i] -= 1
        if v >= threshold:
            v = reset
            refractory[i] = hold
            spiked[n] = i
            n += 1
        to_e, to_i = inputs[1, i], inputs[2, i]
        s_e, g_e = s_e + alpha * to_e, g_e + (1.0 - alpha) * to_e
        s_i, g_i = s_i + alpha * to_i, g_i + (1.0 - alpha) * to_i
        n_r, n_d = n_r + nmda * to_e, n_d + nmda * to_e
        state[0, i], state[1, i], state[2, i], state[3, i], state[4, i] = v, s_e, g_e, s_i, g_i
        state[5, i], state[6, i] = n_r, n_d
        inputs[0, i] = 0.0
        inputs[1, i] = 0.0
        inputs[2, i] = 0.0
    return n
