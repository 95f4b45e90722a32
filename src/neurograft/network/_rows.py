"""Synapses laid out for delivery: one row a source neuron, within it one stretch a delay, for each partition."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from dataclasses import dataclass
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numba import njit
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import Kind, SynapseMap
from neurograft.network._levels import rounded_units, target_bits, units_of


class Units(NamedTuple):
    """The unit of each channel of one model, and how many bits of a word hold its targets."""

    volts: ndarray  # float32, one a channel
    bits: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """The synapses that a run uses, in the engine's order of neurons, still one list."""

    pre: Int32[ndarray, " synapses"]
    post: Int32[ndarray, " synapses"]
    amplitude: Float64[ndarray, " synapses"]
    channel: Int32[ndarray, " synapses"]
    delay_index: Int32[ndarray, " synapses"]
    delays: Int32[ndarray, " delays"]  # the distinct delays in steps, rising
    n_neurons: int

    def n_incoming(self) -> Int64[ndarray, " neurons"]:
        """Return how many synapses each neuron receives."""
        return np.bincount(self.post, minlength=self.n_neurons)

    def units(self, first: int, last: int, *, n_channels: int, is_rounded: bool) -> Units | None:
        """Return the units of the synapses onto neurons ``first`` to ``last - 1``, None where they have none."""
        here = slice(None) if last - first == self.n_neurons else (self.post >= first) & (self.post < last)
        amplitude, channel, post = self.amplitude[here], self.channel[here], self.post[here] - first
        n = last - first
        volts = units_of(amplitude, channel, post, n_neurons=n, n_channels=n_channels)
        if volts is None and is_rounded and amplitude.size:
            largest = np.zeros(n_channels)
            np.maximum.at(largest, channel, np.abs(amplitude))
            volts = rounded_units(largest, n_neurons=n, most_incoming=int(np.bincount(post).max()))
        return None if volts is None else Units(volts, target_bits(n * n_channels))

    def rows(self, *, first: int, last: int, n_channels: int, units: Units | None = None) -> "Rows":
        """Return the rows of the synapses onto neurons ``first`` to ``last - 1``, with units as words."""
        return rows_of(self, first=first, last=last, n_channels=n_channels, units=units)


class Rows(NamedTuple):
    """Synapses onto one partition of neurons, in one of two forms.

    The synapses of source ``i`` with delay ``delays[d]`` are ``start[i * n_delays + d]`` up to the next
    start.  A target is channel * n_local + (post - first).  Weights are 32-bit floats beside targets of 16 bits, or
    of 32 where there are more than 65,536: 6 or 8 bytes a synapse.  Or, see ``units_of``, ``word`` holds for each
    synapse its target in the lower ``bits``, and its weight in units of its channel in the others: 4 bytes.
    """

    start: ndarray  # int64, rows and end
    target: ndarray  # uint16 or uint32, one a synapse; empty with words
    weight: ndarray  # float32, one a synapse; empty with words
    word: ndarray  # int32, one a synapse; empty without units
    unit: ndarray  # float32, one a channel; empty without units
    bits: np.int32  # of a word that hold the target

    @property
    def n_bytes(self) -> int:
        """Memory held."""
        return sum(column.nbytes for column in self[:-1])


def float_rows(start: ndarray, target: ndarray, weight: ndarray) -> Rows:
    """Return rows whose weights are any numbers."""
    return Rows(start, target, weight, np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32), np.int32(0))


def word_rows(start: ndarray, word: ndarray, units: Units) -> Rows:
    """Return rows whose weights are whole numbers of units."""
    none = np.empty(0, dtype=np.uint16)
    return Rows(start, none, np.empty(0, dtype=np.float32), word, units.volts, np.int32(units.bits))


def delay_steps(m: SynapseMap, used: ndarray, step_s: float) -> Int32[ndarray, " synapses"]:
    """Return the used synapses' delays in steps, to the nearest; a delay below the step is refused.

    A gap junction has none: what it passes on comes in the next step.
    """
    delay_s = np.where(m.kind[used] == Kind.ELECTRICAL, np.maximum(m.delay_s[used], step_s), m.delay_s[used])
    short = np.flatnonzero(delay_s < step_s * (1.0 - 1e-9))
    if short.size:
        at = int(np.flatnonzero(used)[short[0]])
        pair = f"{m.labels[m.pre[at]]} -> {m.labels[m.post[at]]}"
        raise RunError(
            f"The synapse {pair} has a delay of {m.delay_s[at]:.3g} s, below the step of {step_s:.3g} s "
            f"({short.size} of {delay_s.size} are). Use a step_s of at most the shortest delay, or give longer delays."
        )
    return np.floor(delay_s / step_s + 0.5).astype(np.int32)


def used_synapses(m: SynapseMap) -> ndarray:
    """Return which synapses run: not polysynaptic paths, whose synapses are not in the map, nor undecided kinds."""
    return m.is_used


def rows_of(synapses: Synapses, *, first: int, last: int, n_channels: int, units: Units | None) -> Rows:
    """Return the rows of the synapses onto neurons ``first`` to ``last - 1``."""
    n_delays = max(1, synapses.delays.size)
    size = (last - first) * n_channels
    start = np.zeros(synapses.n_neurons * n_delays + 1, dtype=np.int64)
    _count(synapses.pre, synapses.post, synapses.delay_index, n_delays, first, last, start)
    np.cumsum(start, out=start)
    n = int(start[-1])
    where = (synapses.pre, synapses.post, synapses.delay_index, synapses.channel, synapses.amplitude)
    ahead = (n_delays, first, last, start[:-1].copy())
    if units is not None:
        word = np.empty(n, dtype=np.int32)
        _fill_words(*where, *ahead, units.volts.astype(np.float64), 1 << units.bits, word)
        return word_rows(start, word, units)
    target = np.empty(n, dtype=np.uint16 if size <= 1 << 16 else np.uint32)
    weight = np.empty(n, dtype=np.float32)
    _fill(*where, *ahead, target, weight)
    return float_rows(start, target, weight)


@njit(cache=True)
@no_type_check
def _count(pre, post, delay_index, n_delays, first, last, start):
    for s in range(pre.size):
        if first <= post[s] < last:
            start[np.int64(pre[s]) * n_delays + delay_index[s] + 1] += 1


@njit(cache=True)
@no_type_check
def _fill(pre, post, delay_index, channel, amplitude, n_delays, first, last, free, target, weight):
    for s in range(pre.size):
        if first <= post[s] < last:
            row = np.int64(pre[s]) * n_delays + delay_index[s]
            at = free[row]
            free[row] = at + 1
            target[at] = channel[s] * (last - first) + post[s] - first
            weight[at] = amplitude[s]


@njit(cache=True)
@no_type_check
def _fill_words(pre, post, delay_index, channel, amplitude, n_delays, first, last, free, unit, scale, word):
    for s in range(pre.size):
        if first <= post[s] < last:
            row = np.int64(pre[s]) * n_delays + delay_index[s]
            at = free[row]
            free[row] = at + 1
            level = np.int64(np.rint(amplitude[s] / unit[channel[s]]))
            word[at] = np.int32(level * scale + channel[s] * (last - first) + post[s] - first)
