"""Spikes from outside: each neuron's own Poisson train, drawn as counts a step by inverting the distribution.

A count is found from one 32-bit number: a coarse table says where to begin, then the edges of the cumulative
distribution are compared.  Probabilities are exact to 2^-32.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray
from scipy.special import pdtr, pdtrc

from neurograft.errors import RunError
from neurograft.network._random import BLOCK, STREAM_POISSON, fill_block

MAX_PER_STEP = 100.0  # beyond, a train is noise to 1 part in 10, and its table long
_FEW_RATES = 64  # up to so many distinct rates each has a fine table of 4 kB


class PoissonInput(NamedTuple):
    """What the kernel needs, for the neurons of one group."""

    rate_class: ndarray  # int32, one a neuron: which distribution
    begin: ndarray  # uint8, (classes, cells): the count at the lower end of each cell of numbers
    edges: ndarray  # uint64, (classes, counts): the number from which on a count is larger than its place here
    shift: int  # bits of a number below its cell
    amplitude: ndarray  # float64, one a neuron: what each spike adds
    place: ndarray  # int32, one a neuron: where, in the flat inputs
    stretch_end: ndarray  # int32, one a neuron: up to where its successors have its rate and channel


def no_poisson() -> PoissonInput:
    """Return what stands for no input at all."""
    none = np.zeros(0, dtype=np.int32)
    return PoissonInput(
        none, np.zeros((1, 1), dtype=np.uint8), np.zeros((1, 1), dtype=np.uint64), 32, np.zeros(0), none, none
    )


def poisson_input(rate_hz: ndarray, step_s: float, *, amplitude: ndarray, place: ndarray) -> PoissonInput:
    """Return the tables for neurons with these rates; too many spikes a step are refused."""
    busiest = int(np.argmax(rate_hz)) if rate_hz.size else 0
    if rate_hz.size and rate_hz[busiest] * step_s > MAX_PER_STEP:
        raise RunError(
            f"A Poisson rate of {rate_hz[busiest]:g} Hz is {rate_hz[busiest] * step_s:.3g} spikes in a step of "
            f"{step_s:g} s; at most {MAX_PER_STEP:g} can be drawn. Use a shorter step_s, or white noise (noise_sd_v)."
        )
    rates, rate_class = np.unique(rate_hz, return_inverse=True)
    mean = rates * step_s
    most = 2
    while pdtrc(most - 2, mean.max(initial=0.0)) > 2.0**-33:
        most += 1
    cumulative = pdtr(np.arange(most), mean[:, None])
    edges = np.minimum(np.round(cumulative * 2.0**32), 2.0**32).astype(np.uint64)
    edges[:, -1] = 1 << 32  # no number reaches it
    bits = 12 if rates.size <= _FEW_RATES else 6
    lower = np.arange(1 << bits, dtype=np.uint64) << np.uint64(32 - bits)
    begin = np.array([np.searchsorted(row, lower, side="right") for row in edges], dtype=np.uint8)
    ends = np.append(np.flatnonzero((np.diff(rate_class) != 0) | (np.diff(place) != 1)) + 1, rate_class.size)
    stretch_end = np.repeat(ends, np.diff(ends, prepend=0)) if rate_class.size else ends[:0]
    return PoissonInput(
        rate_class.astype(np.int32), begin, edges, 32 - bits, amplitude.astype(np.float64), place.astype(np.int32),
        stretch_end.astype(np.int32),
    )  # fmt: skip


@njit(cache=True, inline="always")
@no_type_check
def count_of(word, begin, edges, shift):
    """Return the count that a number of 32 bits stands for."""
    n = np.int64(begin[np.int64(word >> np.uint64(shift))])
    while word >= edges[n]:
        n += 1
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _add_stretch(words, begin, edges, shift, amplitude, to):
    """Add the counts of neighbours of one rate and channel."""
    for i in range(words.size):
        to[i] += amplitude[i] * count_of(words[i], begin, edges, shift)


@njit(cache=True, nogil=True)
@no_type_check
def add_poisson(seed, step, first, poisson, inputs, scratch):
    """Add one step's Poisson spikes of the neurons from ``first`` on; ``scratch`` holds 4 LANES words."""
    rate_class, begin, edges, shift, amplitude, place, stretch_end = poisson
    n = rate_class.size
    for block in range(first // BLOCK, (first + n + BLOCK - 1) // BLOCK):
        low, high = fill_block(seed, STREAM_POISSON, step, block, first, first + n, scratch)
        begins = block * BLOCK - first
        while low < high:
            at = begins + low
            end, c, to = min(np.int64(stretch_end[at]) - begins, high), rate_class[at], np.int64(place[at])
            width = end - low
            _add_stretch(
                scratch[low:end], begin[c], edges[c], shift, amplitude[at : at + width], inputs[to : to + width]
            )
            low = end
