"""Stepping that skips quiet neurons: a neuron is touched when something arrives, or while it might spike by itself.

Between touches a linear neuron follows its equation in closed form, so nothing is approximated; only rounding
differs from stepping.  A neuron sleeps when its potential cannot reach the threshold without further input:
max(V, drive) plus the peak of what its positive currents can still bring lies below.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

from neurograft.network._poisson import count_of
from neurograft.network._prefetch import prefetch
from neurograft.network._random import STREAM_NOISE, STREAM_POISSON, bell, word_of
from neurograft.neurons import DeltaSynapse, ExponentialSynapse, Lif
from neurograft.neurons._synapses import exponential_peak

LONGEST = 4096  # steps that one look-up bridges
_AHEAD = 8
_SAFE = 1e-9  # of the threshold: room for rounding


class Quiet(NamedTuple):
    """What the lazy kernel keeps beside a group's state."""

    since: ndarray  # int64, one a neuron: the next step that its state has not seen
    awake: ndarray  # int32, neurons that are stepped anyway, rising; the first ``n_awake[0]``
    n_awake: ndarray  # int64, one number
    is_awake: ndarray  # bool, one a neuron
    always: ndarray  # bool, one a neuron: noise, Poisson spikes or a recording keep it awake
    touched: ndarray  # int32, room for the neurons of one step
    table: ndarray  # (LONGEST + 1, 5): decays of potential and both currents, their ways into the potential
    peaks: ndarray  # two numbers: the largest potential that a current of 1 V can bring


def can_skip(model: object) -> bool:
    """Tell whether this model's neurons can be skipped: linear ones with kicks or exponential currents."""
    return isinstance(model, Lif) and isinstance(model.synapse, DeltaSynapse | ExponentialSynapse)


def quiet_of(model: Lif, constants: ndarray, always: ndarray, step: int) -> Quiet:
    """Return tables and lists with every neuron awake."""
    n = always.size
    table = np.empty((LONGEST + 1, 5))
    table[0] = 1.0, 1.0, 1.0, 0.0, 0.0
    decay = constants[0]
    decay_e, into_e, decay_i, into_i = constants[5:9] if constants.size > 5 else (0.0, 0.0, 0.0, 0.0)
    for k in range(LONGEST):
        v, e, i, from_e, from_i = table[k]
        table[k + 1] = v * decay, e * decay_e, i * decay_i, from_e * decay + into_e * e, from_i * decay + into_i * i
    peaks = np.zeros(2)
    if isinstance(model.synapse, ExponentialSynapse):
        both = (model.synapse.tau_excitatory_s, model.synapse.tau_inhibitory_s)
        peaks[:] = [exponential_peak(tau_m_s=model.tau_m_s, tau_syn_s=tau_s) for tau_s in both]
    return Quiet(
        since=np.full(n, step, dtype=np.int64),
        awake=np.arange(n, dtype=np.int32),
        n_awake=np.array([n]),
        is_awake=np.ones(n, dtype=np.bool_),
        always=always,
        touched=np.empty(n, dtype=np.int32),
        table=table,
        peaks=peaks,
    )


@njit(cache=True, nogil=True)
@no_type_check
def catch_up(i, until, state, drive_v, since, table):
    """Bring a neuron that received nothing to ``until``; it is not refractory and cannot have spiked."""
    left = until - since[i]
    since[i] = until
    while left > 0:
        n = min(left, LONGEST)
        left -= n
        keep = table[n, 0]
        v = keep * state[0, i] + (1.0 - keep) * drive_v[i]
        if state.shape[0] > 1:
            v += table[n, 3] * state[1, i] + table[n, 4] * state[2, i]
            state[1, i] *= table[n, 1]
            state[2, i] *= table[n, 2]
        state[0, i] = v


@njit(cache=True, nogil=True)
@no_type_check
def _deliver(step, origin, delays, past_neuron, past_start, start, target, weight, inputs, n_local, is_in, touched):
    """Add what arrives, as ``deliver`` does in the same order, and list the neurons that it reaches."""
    n_delays = delays.size
    n = 0
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        last = past_start[k + 1]
        for s in range(past_start[k], last):
            row = np.int64(past_neuron[s]) * n_delays + d
            end = start[row + 1]
            if s + 1 < last:
                prefetch(target, start[np.int64(past_neuron[s + 1]) * n_delays + d])
                prefetch(weight, start[np.int64(past_neuron[s + 1]) * n_delays + d])
            for j in range(start[row], end):
                if j + _AHEAD < end:
                    prefetch(inputs, target[j + _AHEAD])
                inputs[target[j]] += weight[j]
                i = np.int64(target[j]) % n_local
                if not is_in[i]:
                    is_in[i] = True
                    touched[n] = i
                    n += 1
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _outside(i, k, first, seed, noise_v, poisson, has_poisson, flat):
    """Add one neuron's noise and Poisson spikes: the numbers that it has without skipping."""
    if noise_v[i] > 0.0:
        flat[i] += noise_v[i] * bell(word_of(seed, STREAM_NOISE, k, first + i))
    if has_poisson:
        c = poisson.rate_class[i]
        count = count_of(
            word_of(seed, STREAM_POISSON, k, first + i), poisson.begin[c], poisson.edges[c], poisson.shift
        )  # fmt: skip
        flat[poisson.place[i]] += poisson.amplitude[i] * count


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _step_one(i, state, refractory, drive, inputs, constants):
    """Do one neuron's step with what arrived; return whether it spiked."""
    v = constants[1] * drive + constants[0] * state[0, i] + inputs[0, i]
    inputs[0, i] = 0.0
    if state.shape[0] > 1:
        v += constants[6] * state[1, i] + constants[8] * state[2, i]
        state[1, i] = constants[5] * state[1, i] + inputs[1, i]
        state[2, i] = constants[7] * state[2, i] + inputs[2, i]
        inputs[1, i] = 0.0
        inputs[2, i] = 0.0
    if refractory[i] > 0:
        refractory[i] -= 1
        v = constants[3]
    has_spiked = v >= constants[2]
    if has_spiked:
        v = constants[3]
        refractory[i] = np.int32(constants[4])
    state[0, i] = v
    return has_spiked


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def run_lazy(
    step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    start, target, weight, inputs, state, refractory, drive_v, noise_v, poisson, has_poisson, seed,
    constants, spiked, recorded, voltage_v, quiet,
):  # fmt: skip
    """Do up to ``n_steps`` steps as ``run_lif`` does, of the neurons alone that are awake or reached."""
    flat, values = inputs.reshape(inputs.size), state.reshape(state.size)
    n_local = state.shape[1]
    ceiling = constants[2] * (1.0 - _SAFE) if constants[2] > 0.0 else constants[2] * (1.0 + _SAFE)
    for k in range(step, step + n_steps):
        at = out_start[k - out_origin]
        if at + n_local > out_neuron.size:
            return k - step
        n_awake = quiet.n_awake[0]
        n_touched = _deliver(
            k, origin, delays, past_neuron, past_start, start, target, weight, flat, n_local, quiet.is_awake,
            quiet.touched,
        )  # fmt: skip
        for t in range(n_touched):
            quiet.awake[n_awake + t] = quiet.touched[t]
        n, kept = 0, 0
        for t in range(n_awake + n_touched):
            i = quiet.awake[t]
            if quiet.since[i] < k:
                catch_up(i, k, state, drive_v, quiet.since, quiet.table)
            if quiet.always[i]:
                _outside(i, k, first, seed, noise_v, poisson, has_poisson, flat)
            if _step_one(i, state, refractory, drive_v[i], inputs, constants):
                spiked[n] = i
                n += 1
            quiet.since[i] = k + 1
            reach = max(state[0, i], drive_v[i])
            if state.shape[0] > 1:
                reach += quiet.peaks[0] * max(state[1, i], 0.0) + quiet.peaks[1] * max(state[2, i], 0.0)
            if quiet.always[i] or refractory[i] > 0 or reach >= ceiling:
                quiet.is_awake[i] = True
                quiet.awake[kept] = i
                kept += 1
            else:
                quiet.is_awake[i] = False
        quiet.n_awake[0] = kept
        spiked[:n].sort()
        for i in range(n):
            out_neuron[at + i] = first + spiked[i]
        out_start[k - out_origin + 1] = at + n
        for r in range(recorded.size):
            voltage_v[k - step, r] = values[recorded[r]]
    return n_steps
