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

_STRETCH = 512  # neurons worked on together: their numbers stay in the first cache


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


@njit(cache=True, nogil=True)
@no_type_check
def _fire(v, refractory, threshold, reset, steps, first, spiked, n):
    """Reset neurons at threshold; most stretches have none, which a loop without branches finds out."""
    has = 0
    for i in range(v.size):
        has |= np.int64(v[i] >= threshold)
    if has:
        for i in range(v.size):
            if v[i] >= threshold:
                v[i] = reset
                refractory[i] = steps
                spiked[n] = first + i
                n += 1
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _hold(v, refractory, reset):
    """Keep refractory neurons at reset for this step."""
    for i in range(v.size):
        left = refractory[i]
        v[i] = reset if left > 0 else v[i]
        refractory[i] = max(left - 1, 0)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_delta(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons whose synapses shift the potential."""
    decay, gain, threshold, reset = constants[0], constants[1], constants[2], constants[3]
    steps = np.int32(constants[4])
    n = 0
    for first in range(0, state.shape[1], _STRETCH):
        last = min(first + _STRETCH, state.shape[1])
        v, hold, drive = state[0, first:last], refractory[first:last], drive_v[first:last]
        kick = inputs[0, first:last]
        for i in range(v.size):
            v[i] = gain * drive[i] + decay * v[i] + kick[i]
            kick[i] = 0.0
        _hold(v, hold, reset)
        n = _fire(v, hold, threshold, reset, steps, first, spiked, n)
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _decay_and_add(current, decay, arrived):
    for i in range(current.size):
        current[i] = decay * current[i] + arrived[i]
        arrived[i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_exponential(state, refractory, drive_v, inputs, constants, spiked):
    """Step neurons with exponential currents; currents go on while the neuron is refractory."""
    decay, gain, threshold, reset = constants[0], constants[1], constants[2], constants[3]
    steps = np.int32(constants[4])
    decay_e, into_v_e, decay_i, into_v_i = constants[5], constants[6], constants[7], constants[8]
    n = 0
    for first in range(0, state.shape[1], _STRETCH):
        last = min(first + _STRETCH, state.shape[1])
        v, hold, drive = state[0, first:last], refractory[first:last], drive_v[first:last]
        current_e, current_i = state[1, first:last], state[2, first:last]
        kick = inputs[0, first:last]
        for i in range(v.size):
            synaptic = into_v_e * current_e[i] + into_v_i * current_i[i]
            v[i] = gain * drive[i] + decay * v[i] + synaptic + kick[i]
            kick[i] = 0.0
        _decay_and_add(current_e, decay_e, inputs[1, first:last])
        _decay_and_add(current_i, decay_i, inputs[2, first:last])
        _hold(v, hold, reset)
        n = _fire(v, hold, threshold, reset, steps, first, spiked, n)
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
    return _fire(v, refractory, threshold, reset, steps, 0, spiked, 0)
