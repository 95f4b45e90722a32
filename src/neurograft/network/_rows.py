"""Synapses laid out for delivery: one row a source neuron, within it one stretch a delay, for each partition."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt16, UInt32
from numba import njit
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap


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

    def rows(self, *, first: int, last: int, n_channels: int) -> "Rows":
        """Return the rows of the synapses onto neurons ``first`` to ``last - 1``."""
        return rows_of(self, n_neurons=self.n_neurons, first=first, last=last, n_channels=n_channels)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Synapses onto one partition of neurons.

    The synapses of source ``i`` with delay ``delays[d]`` are ``start[i * n_delays + d]`` up to the next
    start.  ``target`` is channel * n_local + (post - first).  6 bytes a synapse while that fits 16 bits.
    """

    start: Int64[ndarray, " rows_and_end"]
    target: UInt16[ndarray, " synapses"] | UInt32[ndarray, " synapses"]
    weight: Float32[ndarray, " synapses"]

    @property
    def n_bytes(self) -> int:
        """Memory held."""
        return self.start.nbytes + self.target.nbytes + self.weight.nbytes


def delay_steps(m: SynapseMap, used: ndarray, step_s: float) -> Int32[ndarray, " synapses"]:
    """Return the used synapses' delays in steps, to the nearest; a delay below the step is refused."""
    delay_s = m.delay_s[used]
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


def rows_of(synapses: Synapses, *, n_neurons: int, first: int, last: int, n_channels: int) -> Rows:
    """Return the rows of the synapses onto neurons ``first`` to ``last - 1``."""
    n_delays = max(1, synapses.delays.size)
    size = (last - first) * n_channels
    start = np.zeros(n_neurons * n_delays + 1, dtype=np.int64)
    _count(synapses.pre, synapses.post, synapses.delay_index, n_delays, first, last, start)
    np.cumsum(start, out=start)
    target = np.empty(int(start[-1]), dtype=np.uint16 if size <= 1 << 16 else np.uint32)
    weight = np.empty(int(start[-1]), dtype=np.float32)
    columns = (synapses.pre, synapses.post, synapses.delay_index, synapses.channel, synapses.amplitude)
    _fill(*columns, n_delays, first, last, start[:-1].copy(), target, weight)
    return Rows(start=start, target=target, weight=weight)


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
