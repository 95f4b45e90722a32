"""Networks too large to list: populations wired at random, synapses made straight into the engine's rows.

A synapse's numbers are counted (Philox), so the network depends on its seed alone, not on threads.  8 bytes a
synapse, 6 below 65,536 neurons and channels, and 8 for each neuron and distinct delay.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Int32, Int64
from numba import njit
from numpy import ndarray
from scipy.special import ndtr, ndtri

from neurograft.errors import RunError
from neurograft.network._levels import rounded_units, target_bits
from neurograft.network._poisson import count_of
from neurograft.network._random import STREAM_WIRING, philox
from neurograft.network._rows import Rows, Units, float_rows, word_rows
from neurograft.neurons import Lif, NeuronModel

_BITS = 12  # of the coarse table of delays
_NORMALS = ndtri((np.arange(1 << 14) + 0.5) / (1 << 14)).astype(np.float32)  # weights take 16,384 values
_WIDEST_SD = 4.5  # of delays; 3 in a million lie beyond and are drawn again


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """``n_synapses`` between two populations, each between a random neuron of either (pairs may repeat).

    Weights are normal, those of the wrong sign are 0; delays are normal, drawn again below half a step.
    """

    pre: int
    post: int
    n_synapses: int
    weight_v: float
    weight_sd_v: float = 0.0
    delay_s: float = 1e-3
    delay_sd_s: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Populations:
    """Populations of neurons, one after the other, and the projections between them; all of one model."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    projections: tuple[Projection, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse projections between populations that are not there, and numbers that make no sense."""
        n = len(self.sizes)
        if len(self.names) != n or len(set(self.names)) != n or not all(size > 0 for size in self.sizes):
            raise RunError(f"There are {len(self.names)} names for populations of {self.sizes}. Give one each, unique.")
        for k, p in enumerate(self.projections):
            if not (0 <= p.pre < n and 0 <= p.post < n and p.n_synapses >= 0):
                raise RunError(f"Projection {k} is {p}, but populations are 0 to {n - 1}. Name two of them.")
            if not (np.isfinite(p.weight_v) and p.weight_sd_v >= 0 and p.delay_s > 0 and p.delay_sd_s >= 0):
                raise RunError(f"Projection {k} is {p}. Give a finite weight, a positive delay and no negative spread.")

    @property
    def n_neurons(self) -> int:
        """Number of neurons of all populations."""
        return sum(self.sizes)

    @property
    def n_synapses(self) -> int:
        """Number of synapses of all projections."""
        return sum(p.n_synapses for p in self.projections)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the neurons: population and number."""
        return tuple(f"{name}-{i}" for name, size in zip(self.names, self.sizes, strict=True) for i in range(size))

    def members(self, population: int) -> slice:
        """Return where a population's neurons are."""
        first = sum(self.sizes[:population])
        return slice(first, first + self.sizes[population])

    def synapses(self, neuron: NeuronModel, step_s: float) -> "DrawnSynapses":
        """Return the synapses ready to be drawn for a neuron model; only Lif, whose amplitudes are linear."""
        if not isinstance(neuron, Lif):
            raise RunError(f"Populations run with Lif neurons only, not {neuron.name!r}. Make a map for other models.")
        for p in self.projections:
            if p.delay_s < step_s * (1.0 - 1e-9):
                raise RunError(
                    f"The projection {self.names[p.pre]} -> {self.names[p.post]} has a mean delay of {p.delay_s:g} s, "
                    f"below the step of {step_s:g} s. Use a shorter step_s or a longer delay."
                )
        return DrawnSynapses(net=self, neuron=neuron, step_s=step_s)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSynapses:
    """The synapses of populations for one neuron model and step."""

    net: Populations
    neuron: Lif
    step_s: float

    @property
    def delays(self) -> Int32[ndarray, " delays"]:
        """Every delay that may occur, in steps."""
        return np.arange(1, self._laws()[0].shape[1] + 1, dtype=np.int32)

    def n_incoming(self) -> Int64[ndarray, " neurons"]:
        """Return about how many synapses each neuron receives."""
        total = np.zeros(len(self.net.sizes))
        for p in self.net.projections:
            total[p.post] += p.n_synapses / self.net.sizes[p.post]
        return np.repeat(np.rint(total).astype(np.int64), self.net.sizes)

    def units(self, first: int, last: int, *, n_channels: int, is_rounded: bool) -> Units | None:
        """Return units to which drawn weights, multiples of nothing, shall be rounded; None without rounding."""
        if not is_rounded:
            return None
        largest = np.zeros(n_channels)
        for _, _, amplitude, spread, channel, _ in self._table():
            largest[int(channel)] = max(largest[int(channel)], abs(amplitude) + spread * _NORMALS[-1])
        most_incoming = 2 * int(self.n_incoming().max())  # the mean is known, the largest a little above it
        volts = rounded_units(largest, n_neurons=last - first, most_incoming=most_incoming)
        return Units(volts, target_bits((last - first) * n_channels))

    def rows(self, *, first: int, last: int, n_channels: int, units: Units | None = None) -> Rows:
        """Draw the synapses onto neurons ``first`` to ``last - 1``, source by source."""
        edges, begin = self._laws()
        net = self.net
        start_of = np.concatenate([[0], np.cumsum(net.sizes)])
        rng = np.random.Generator(np.random.Philox(net.seed))
        n_of = [
            rng.multinomial(p.n_synapses, np.full(net.sizes[p.pre], 1.0 / net.sizes[p.pre])) for p in net.projections
        ]
        table = self._table()
        n_delays = edges.shape[1]
        start = np.zeros(net.n_neurons * n_delays + 1, dtype=np.int64)
        whole = first == 0 and last == net.n_neurons
        size = net.n_synapses if whole else self._count(n_of, table, first, last)
        is_small = (last - first) * n_channels <= 1 << 16
        n_floats, n_words = (size, 0) if units is None else (0, size)
        target = np.empty(n_floats, dtype=np.uint16 if is_small else np.uint32)
        weight, word = np.empty(n_floats, dtype=np.float32), np.empty(n_words, dtype=np.int32)
        volts, bits = (np.ones(n_channels, dtype=np.float32), 0) if units is None else units
        at = 0
        for population in range(len(net.sizes)):
            mine = [k for k, p in enumerate(net.projections) if p.pre == population]
            counts = np.array([n_of[k] for k in mine], dtype=np.int64).reshape(len(mine), net.sizes[population])
            at = _draw(
                net.seed, int(start_of[population]), np.array(mine, dtype=np.int64), counts, table, begin, edges,
                32 - _BITS, _NORMALS, first, last, n_delays, at, start, target, weight,
                word, volts, 1 << bits,
            )  # fmt: skip
        assert at == size
        return float_rows(start, target, weight) if units is None else word_rows(start, word, units)

    def _table(self) -> ndarray:
        """Return for each projection first and number of targets, amplitude, its spread, channel and sign."""
        start_of = np.concatenate([[0], np.cumsum(self.net.sizes)])
        table = np.zeros((len(self.net.projections), 6))
        for k, p in enumerate(self.net.projections):
            amplitude, channel = self.neuron.amplitude(np.array([p.weight_v]))
            scale = amplitude[0] / p.weight_v if p.weight_v else 0.0
            table[k] = (start_of[p.post], self.net.sizes[p.post], amplitude[0], abs(scale) * p.weight_sd_v, channel[0],
                        np.sign(amplitude[0]))  # fmt: skip
        return table

    def _count(self, n_of: list[ndarray], table: ndarray, first: int, last: int) -> int:
        """Return how many synapses end on these neurons."""
        total = 0
        for k, p in enumerate(self.net.projections):
            source = self.net.members(p.pre).start
            total += int(_count_onto(self.net.seed, source, k, n_of[k].astype(np.int64), table[k], first, last))
        return total

    def _laws(self) -> tuple[ndarray, ndarray]:
        """Return for each projection the edges of its distribution of delays, and the coarse table into them."""
        longest = max(
            (p.delay_s + _WIDEST_SD * p.delay_sd_s for p in self.net.projections if p.n_synapses), default=self.step_s
        )
        n = int(np.floor(longest / self.step_s + 0.5))
        upper = (np.arange(1, n + 1) + 0.5) * self.step_s
        edges = np.empty((len(self.net.projections), n), dtype=np.uint64)
        for k, p in enumerate(self.net.projections):
            if p.delay_sd_s > 0:
                low, high = (ndtr((x - p.delay_s) / p.delay_sd_s) for x in (0.5 * self.step_s, upper[-1]))
                share = (ndtr((upper - p.delay_s) / p.delay_sd_s) - low) / (high - low)
            else:
                share = (upper > p.delay_s - 1e-9 * self.step_s).astype(np.float64)
            edges[k] = np.minimum(np.rint(share * 2.0**32), 2.0**32).astype(np.uint64)
        lower = np.arange(1 << _BITS, dtype=np.uint64) << np.uint64(32 - _BITS)
        begin = np.array([np.searchsorted(row, lower, side="right") for row in edges], dtype=np.uint8)
        return edges, begin


_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _words(seed, projection, source, j):
    key = np.uint64(seed)
    return philox(
        np.uint64(j), np.uint64(source), np.uint64(projection), np.uint64(STREAM_WIRING), key & _LOW, key >> _32
    )  # fmt: skip


@njit(cache=True, nogil=True)
@no_type_check
def _count_onto(seed, first_source, projection, n_of, law, first, last):
    total = 0
    for source in range(n_of.size):
        for j in range(n_of[source]):
            word = _words(seed, projection, first_source + source, j)[0]
            post = np.int64(law[0]) + np.int64((word * np.uint64(law[1])) >> _32)
            total += np.int64(first <= post < last)
    return total


@njit(cache=True, nogil=True)
@no_type_check
def _draw(
    seed, first_source, projections, counts, table, begin, edges, shift, normals, first, last, n_delays, at, start,
    target, weight, word, unit, scale,
):  # fmt: skip
    """Fill the rows of one population's neurons; return where the next row begins."""
    most = 0
    for source in range(counts.shape[1]):
        most = max(most, counts[:, source].sum())
    posts, values = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.float32)
    delay, free = np.empty(most, dtype=np.int32), np.empty(n_delays + 1, dtype=np.int64)
    n_local = last - first
    for source in range(counts.shape[1]):
        n = 0
        free[:] = 0
        for index in range(projections.size):
            k = projections[index]
            for j in range(counts[index, source]):
                w = _words(seed, k, first_source + source, j)
                post = np.int64(table[k, 0]) + np.int64((w[0] * np.uint64(table[k, 1])) >> _32)
                if post < first or post >= last:
                    continue
                d = count_of(w[1], begin[k], edges[k], shift)
                value = table[k, 2] + table[k, 3] * normals[w[2] >> np.uint64(18)]
                posts[n] = np.int64(table[k, 4]) * n_local + post - first
                values[n] = value if value * table[k, 5] > 0.0 else 0.0
                delay[n] = d
                free[d + 1] += 1
                n += 1
        row = np.int64(first_source + source) * n_delays
        for d in range(n_delays):
            free[d + 1] += free[d]
            start[row + d + 1] = at + free[d + 1]
        for s in range(n):
            to = at + free[delay[s]]
            free[delay[s]] += 1
            if word.size:
                channel = np.int64(posts[s]) // n_local
                word[to] = np.int32(np.int64(np.rint(values[s] / unit[channel])) * scale + posts[s])
            else:
                target[to] = posts[s]
                weight[to] = values[s]
        at += n
    return at
