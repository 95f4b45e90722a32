"""The leaky integrate-and-fire neuron, integrated exactly between grid points.

tau dV/dt = -V + drive + I; at V >= threshold it spikes, goes to ``reset_v`` and stays there for the
refractory time, while what arrives is lost (NEST's iaf_psc_delta and iaf_psc_exp do the same; step order:
decay, then what arrived, then the threshold).
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from dataclasses import dataclass, field
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import OptionError
from neurograft.neurons._model import Stepper, kicks, steps_of
from neurograft.neurons._synapses import (
    AlphaSynapse,
    DeltaSynapse,
    ExponentialSynapse,
    Synapse,
    alpha_peak,
    exponential_peak,
)
from neurograft.units import MS, MV

_STRETCH = np.uint64(128)  # neurons worked on together: few, because one that spikes has all of them looked at again


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lif:
    """Leaky integrate-and-fire; rest is 0 V, so threshold and reset are heights above rest."""

    tau_m_s: float = 20 * MS
    threshold_v: float = 15 * MV
    reset_v: float = 0.0
    refractory_s: float = 2 * MS
    synapse: Synapse = field(default_factory=DeltaSynapse)

    def __post_init__(self) -> None:
        """Refuse parameters with which the neuron would never stop or never start to spike."""
        if not (math.isfinite(self.tau_m_s) and self.tau_m_s > 0):
            raise OptionError(f"tau_m_s is {self.tau_m_s}. Give a positive number of seconds, e.g. 0.02.")
        if not self.reset_v < self.threshold_v:
            raise OptionError(
                f"reset_v is {self.reset_v} V, threshold_v {self.threshold_v} V. Put the reset below the threshold."
            )
        if not (math.isfinite(self.refractory_s) and self.refractory_s >= 0):
            raise OptionError(f"refractory_s is {self.refractory_s}. Give 0 or more seconds.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "lif"

    def stepper(self, step_s: float) -> Stepper:
        """Return the exact propagators of one step (Rotter and Diesmann 1999)."""
        decay = math.exp(-step_s / self.tau_m_s)
        drive_gain = -math.expm1(-step_s / self.tau_m_s)
        refractory = float(steps_of(self.refractory_s, step_s))
        common = [decay, drive_gain, self.threshold_v, self.reset_v, refractory]
        noise = math.sqrt(-math.expm1(-2.0 * step_s / self.tau_m_s))
        match self.synapse:
            case DeltaSynapse():
                return Stepper(
                    advance=advance_delta, constants=np.array(common), n_states=1, n_channels=1, noise_kick=noise
                )
            case ExponentialSynapse():
                both = (self.synapse.tau_excitatory_s, self.synapse.tau_inhibitory_s)
                rows = [_exponential_step(self.tau_m_s, tau_s, step_s) for tau_s in both]
                constants = np.array([*common, *rows[0], *rows[1]])
                return Stepper(
                    advance=advance_exponential, constants=constants, n_states=3, n_channels=3, noise_kick=noise,
                    state_names=("v", "current_e", "current_i"),
                )  # fmt: skip
            case AlphaSynapse():
                both = (self.synapse.tau_excitatory_s, self.synapse.tau_inhibitory_s)
                rows = [_alpha_step(self.tau_m_s, tau_s, step_s) for tau_s in both]
                constants = np.array([*common, *rows[0], *rows[1]])
                return Stepper(
                    advance=advance_alpha, constants=constants, n_states=5, n_channels=3, noise_kick=noise,
                    state_names=("v", "source_e", "current_e", "source_i", "current_i"),
                )  # fmt: skip

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials between reset and threshold, and no synaptic current."""
        state = np.zeros((self.stepper(1e-4).n_states, fraction.size))
        state[0] = self.reset_v + fraction * (self.threshold_v - self.reset_v)
        return state

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return the kick (delta), or the current's jump and the channel of its sign."""
        if isinstance(self.synapse, DeltaSynapse):
            return kicks(weight_v)
        peak = exponential_peak if isinstance(self.synapse, ExponentialSynapse) else alpha_peak
        excitatory = peak(tau_m_s=self.tau_m_s, tau_syn_s=self.synapse.tau_excitatory_s)
        inhibitory = peak(tau_m_s=self.tau_m_s, tau_syn_s=self.synapse.tau_inhibitory_s)
        is_inhibitory = weight_v < 0
        channel = np.where(is_inhibitory, 2, 1).astype(np.int32)
        return weight_v / np.where(is_inhibitory, inhibitory, excitatory), channel

    def area_s(self, weight_v: Float64[ndarray, " synapses"]) -> Float64[ndarray, " synapses"]:
        """Return the area under each synapse's potential over its peak, which is seconds."""
        if isinstance(self.synapse, DeltaSynapse):
            return np.full(weight_v.size, self.tau_m_s)
        charge = 1.0 if isinstance(self.synapse, ExponentialSynapse) else math.e  # area of a current over peak and tau
        peak = exponential_peak if isinstance(self.synapse, ExponentialSynapse) else alpha_peak
        both = (self.synapse.tau_excitatory_s, self.synapse.tau_inhibitory_s)
        excitatory, inhibitory = (charge * t / peak(tau_m_s=self.tau_m_s, tau_syn_s=t) for t in both)
        return np.where(weight_v < 0, inhibitory, excitatory)


def _exponential_step(tau_m_s: float, tau_syn_s: float, step_s: float) -> tuple[float, float]:
    """Return (decay of the current, what a current of 1 V adds to the potential in a step)."""
    from scipy.linalg import expm  # slow to import

    matrix = np.array([[-1.0 / tau_syn_s, 0.0], [1.0 / tau_m_s, -1.0 / tau_m_s]])
    step = expm(matrix * step_s)
    return float(step[0, 0]), float(step[1, 0])


def _alpha_step(tau_m_s: float, tau_syn_s: float, step_s: float) -> tuple[float, float, float, float]:
    """Return (decay, rise of the current from its source, potential from source, potential from current)."""
    from scipy.linalg import expm  # slow to import

    rate = 1.0 / tau_syn_s
    matrix = np.array([[-rate, 0.0, 0.0], [math.e * rate, -rate, 0.0], [0.0, 1.0 / tau_m_s, -1.0 / tau_m_s]])
    step = expm(matrix * step_s)
    return float(step[0, 0]), float(step[1, 0]), float(step[2, 0]), float(step[2, 1])


@njit(cache=True, inline="always")
@no_type_check
def _fire(v, refractory, threshold, reset, steps, first, last, spiked, n):
    """Reset neurons at threshold, list them after the first ``n`` and return how many are listed then."""
    for i in range(first, last):
        if v[i] >= threshold:
            v[i] = reset
            refractory[i] = steps
            spiked[n] = i
            n += 1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _move_delta(v, refractory, drive, kick, decay, gain, threshold, reset, first, last):
    """Move a stretch of neurons, keep refractory ones at reset, and tell whether any is at threshold."""
    has = False
    for i in range(first, last):
        moved = gain * drive[i] + decay * v[i] + kick[i]
        kick[i] = 0.0
        left = refractory[i]
        moved = reset if left > 0 else moved
        refractory[i] = max(left - 1, 0)
        v[i] = moved
        has |= moved >= threshold
    return has


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_delta(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons whose synapses shift the potential."""
    decay, gain, threshold, reset = constants[0], constants[1], constants[2], constants[3]
    steps = np.int32(constants[4])
    v, kick = state[0], inputs[0]
    n, first, size = 0, np.uint64(0), np.uint64(v.size)
    while first < size:
        last = min(first + _STRETCH, size)
        if _move_delta(v, refractory, drive_v, kick, decay, gain, threshold, reset, first, last):
            n = _fire(v, refractory, threshold, reset, steps, first, last, spiked, n)
        first = last
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _decay_and_add(current, decay, arrived, first, last):
    for i in range(first, last):
        current[i] = decay * current[i] + arrived[i]
        arrived[i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _move_exponential(
    v, refractory, drive, kick, current_e, current_i, decay, gain, into_v_e, into_v_i, threshold, reset, first, last
):  # fmt: skip
    """Move potentials as ``_move_delta`` does, with what the currents of the step before bring."""
    has = False
    for i in range(first, last):
        synaptic = into_v_e * current_e[i] + into_v_i * current_i[i]
        moved = gain * drive[i] + decay * v[i] + synaptic + kick[i]
        kick[i] = 0.0
        left = refractory[i]
        moved = reset if left > 0 else moved
        refractory[i] = max(left - 1, 0)
        v[i] = moved
        has |= moved >= threshold
    return has


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_exponential(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons with exponential currents; currents go on while the neuron is refractory."""
    decay, gain, threshold, reset = constants[0], constants[1], constants[2], constants[3]
    steps = np.int32(constants[4])
    decay_e, into_v_e, decay_i, into_v_i = constants[5], constants[6], constants[7], constants[8]
    v, current_e, current_i = state[0], state[1], state[2]
    kick, arrived_e, arrived_i = inputs[0], inputs[1], inputs[2]
    n, first, size = 0, np.uint64(0), np.uint64(v.size)
    while first < size:
        last = min(first + _STRETCH, size)
        has = _move_exponential(
            v, refractory, drive_v, kick, current_e, current_i, decay, gain, into_v_e, into_v_i, threshold, reset,
            first, last,
        )  # fmt: skip
        _decay_and_add(current_e, decay_e, arrived_e, first, last)
        _decay_and_add(current_i, decay_i, arrived_i, first, last)
        if has:
            n = _fire(v, refractory, threshold, reset, steps, first, last, spiked, n)
        first = last
    return n


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_alpha(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons with alpha currents: states are potential, then source and current of each sign."""
    decay, gain, threshold, reset = constants[0], constants[1], constants[2], constants[3]
    steps = np.int32(constants[4])
    v = state[0]
    for i in range(v.size):
        synaptic = 0.0
        for sign in range(2):
            at = 5 + 4 * sign
            source, current = state[1 + 2 * sign], state[2 + 2 * sign]
            synaptic += constants[at + 2] * source[i] + constants[at + 3] * current[i]
            current[i] = constants[at + 1] * source[i] + constants[at] * current[i]
            source[i] = constants[at] * source[i] + inputs[1 + sign, i]
            inputs[1 + sign, i] = 0.0
        if refractory[i] > 0:
            refractory[i] -= 1
            v[i] = reset
        else:
            v[i] = gain * drive_v[i] + decay * v[i] + synaptic + inputs[0, i]
        inputs[0, i] = 0.0
    return _fire(v, refractory, threshold, reset, steps, 0, v.size, spiked, 0)
