"""The two inner loops: deliver what spikes send, and whole stretches of steps of integrate-and-fire neurons."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.network._poisson import add_poisson
from neurograft.network._prefetch import prefetch
from neurograft.network._random import add_noise
from neurograft.neurons._lif import advance_delta, advance_exponential

_LINE = np.uint64(32)  # 16-bit numbers of one cache line
_HALF = np.uint64(16)  # 32-bit numbers of one cache line
_0, _1 = np.uint64(0), np.uint64(1)  # places without sign need no check for negative ones
_HALVES = np.int32(16)  # bits of a word's target and of its weight in all but huge networks
_AHEAD = 4  # rows further on whose place is fetched in advance
_LONG = 256  # synapses of a row that take longer to add than the next one to fetch


@njit(cache=True, nogil=True)
@no_type_check
def deliver(step, origin, delays, past_neuron, past_start, rows, inputs):
    """Add to ``inputs``, which are 0, what arrives in a step: from spikes of ``step - d`` over the stretch of delay d.

    ``past_start[k - origin]`` is where the spikes of step k begin in ``past_neuron``.  The order of the
    sums is delay, then source, whatever the partition: so results do not depend on threads.  While a row
    is added a later one is fetched, also of the next step: the second, or the fourth where rows are short (many
    delays).  Words are added as whole numbers, in the memory of ``inputs``, and then turned into volts.
    """
    n_delays, has_words = delays.size, rows.word.size > 0
    counts = inputs.view(np.int32)
    is_long = rows.target.size + rows.word.size > _LONG * rows.start.size
    further = 2 if is_long else 4
    n = 0
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        last = past_start[k + 1]
        known = past_start[k + 2] if k + 2 <= step - origin else last
        for s in range(past_start[k], last):
            row = np.int64(past_neuron[s]) * n_delays + d
            if s + further + _AHEAD < known:
                prefetch(rows.start, np.int64(past_neuron[s + further + _AHEAD]) * n_delays + d)
            ahead, ahead_end = _0, _0
            if s + further < known:
                later = np.int64(past_neuron[s + further]) * n_delays + d
                ahead, ahead_end = np.uint64(rows.start[later]), np.uint64(rows.start[later + 1])
            begin, end = np.uint64(rows.start[row]), np.uint64(rows.start[row + 1])
            n += 1
            if has_words and rows.bits == _HALVES:  # known to the compiler: a fifth faster
                _add_words(rows.word, _HALVES, begin, end, ahead, ahead_end, is_long, counts)
            elif has_words:
                _add_words(rows.word, rows.bits, begin, end, ahead, ahead_end, is_long, counts)
            else:
                _add_floats(rows.target, rows.weight, begin, end, ahead, ahead_end, is_long, inputs)
    if has_words and n:
        _to_volts(rows.unit, inputs)


@njit(cache=True, inline="always")
@no_type_check
def _add_floats(target, weight, begin, end, ahead, ahead_end, is_long, inputs):
    """Add one row, fetching another: all of it at once, or line by line where rows are long."""
    if not is_long:
        while ahead < ahead_end:
            prefetch(weight, ahead)
            prefetch(weight, ahead + _HALF)
            prefetch(target, ahead)
            ahead += _LINE
    at, whole = begin, begin + (end - begin) // _LINE * _LINE
    while at < whole:
        if ahead < ahead_end:
            prefetch(weight, ahead)
            prefetch(weight, ahead + _HALF)
            prefetch(target, ahead)
            ahead += _LINE
        for _ in range(32):
            inputs[target[at]] += weight[at]
            at += _1
    while at < end:
        inputs[target[at]] += weight[at]
        at += _1


@njit(cache=True, inline="always")
@no_type_check
def _add_words(word, bits, begin, end, ahead, ahead_end, is_long, counts):
    """Add one row of words, fetching another."""
    mask = (np.int32(1) << bits) - np.int32(1)
    if not is_long:
        while ahead < ahead_end:
            prefetch(word, ahead)
            ahead += _HALF
    at, whole = begin, begin + (end - begin) // _HALF * _HALF
    while at < whole:
        if ahead < ahead_end:
            prefetch(word, ahead)
            ahead += _HALF
        for _ in range(16):
            w = word[at]
            counts[w & mask] += w >> bits
            at += _1
    while at < end:
        w = word[at]
        counts[w & mask] += w >> bits
        at += _1


@njit(cache=True, nogil=True)
@no_type_check
def _to_volts(unit, inputs):
    """Replace whole numbers by that many units of their channel; both are 32 bits, in the same memory."""
    counts = inputs.view(np.int32)
    n_local = np.uint64(inputs.size // unit.size)
    for channel in range(unit.size):
        first, width = np.uint64(channel) * n_local, unit[channel]
        for i in range(first, first + n_local):
            inputs[i] = width * np.float32(counts[i])


@njit(cache=True, nogil=True)
@no_type_check
def run_lif(
    step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    rows, inputs, state, refractory, drive_v, noise_v, has_noise, poisson, has_poisson, seed,
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
        deliver(k, origin, delays, past_neuron, past_start, rows, flat)
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
