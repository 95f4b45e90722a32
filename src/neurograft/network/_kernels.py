"""The two inner loops: deliver what spikes send, and whole stretches of steps of integrate-and-fire neurons."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.network._poisson import add_poisson
from neurograft.network._prefetch import prefetch
from neurograft.network._random import add_noise
from neurograft.neurons._lif import advance_delta, advance_exponential

_STRIDE = 32  # targets of one cache line, weights of two
_AHEAD = 4  # rows further on whose place is fetched in advance
_LONG = 256  # synapses of a row that take longer to add than the next one to fetch


@njit(cache=True, nogil=True)
@no_type_check
def deliver(step, origin, delays, past_neuron, past_start, start, target, weight, inputs):
    """Add to ``inputs`` what arrives in a step: from spikes of ``step - d`` over the stretch of delay d.

    ``past_start[k - origin]`` is where the spikes of step k begin in ``past_neuron``.  The order of the
    sums is delay, then source, whatever the partition: so results do not depend on threads.  While a row
    is added a later one is fetched: the next, or the fourth where rows are short (many delays).
    """
    n_delays = delays.size
    further = 1 if target.size > _LONG * start.size else 4
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        last = past_start[k + 1]
        for s in range(past_start[k], last):
            row = np.int64(past_neuron[s]) * n_delays + d
            if s + further + _AHEAD < last:
                prefetch(start, np.int64(past_neuron[s + further + _AHEAD]) * n_delays + d)
            ahead, ahead_end = np.int64(0), np.int64(0)
            if s + further < last:
                later = np.int64(past_neuron[s + further]) * n_delays + d
                ahead, ahead_end = start[later], start[later + 1]
            end = start[row + 1]
            if further > 1:
                for line in range(ahead, ahead_end, _STRIDE):
                    prefetch(weight, line)
                    prefetch(weight, line + _STRIDE // 2)
                    prefetch(target, line)
                for j in range(start[row], end):
                    inputs[target[j]] += weight[j]
                continue
            for first in range(start[row], end, _STRIDE):
                if ahead < ahead_end:
                    prefetch(weight, ahead)
                    prefetch(weight, ahead + _STRIDE // 2)
                    prefetch(target, ahead)
                    ahead += _STRIDE
                for j in range(first, min(first + _STRIDE, end)):
                    inputs[target[j]] += weight[j]


@njit(cache=True, nogil=True)
@no_type_check
def run_lif(
    step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    start, target, weight, inputs, state, refractory, drive_v, noise_v, has_noise, poisson, has_poisson, seed,
    constants, spiked, words, recorded, voltage_v,
):  # fmt: skip
    """Do up to ``n_steps`` steps of one partition; return how many were done before the output was full.

    Spikes go to ``out_neuron`` and ``out_start``, which are ``past_neuron`` and ``past_start`` themselves when
    there is one partition; with more, ``n_steps`` must not exceed the shortest delay.
    """
    flat, values = inputs.reshape(inputs.size), state.reshape(state.size)
    for k in range(step, step + n_steps):
        at = out_start[k - out_origin]
        if at + state.shape[1] > out_neuron.size:
            return k - step
        deliver(k, origin, delays, past_neuron, past_start, start, target, weight, flat)
        if has_noise:
            add_noise(seed, k, first, noise_v, inputs[0], words)
        if has_poisson:
            add_poisson(seed, k, first, poisson, flat, words)
        if inputs.shape[0] == 1:
            n = advance_delta(state, refractory, drive_v, inputs, constants, spiked)
        else:
            n = advance_exponential(state, refractory, drive_v, inputs, constants, spiked)
        for i in range(n):
            out_neuron[at + i] = first + spiked[i]
        out_start[k - out_origin + 1] = at + n
        for r in range(recorded.size):
            voltage_v[k - step, r] = values[recorded[r]]
    return n_steps
