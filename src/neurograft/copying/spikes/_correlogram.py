"""Exact cross-correlograms of all pairs: how often neuron j fires a lag after neuron i.

Lags are post minus pre in whole nanoseconds, so a lag falls into the same bin on every machine.  Bins are
centred on multiples of the bin width, so a recording on a 1 ms grid keeps its lags.  A bin is half-open,
[edge, next edge), for pre < post; the correlogram of (post, pre) is the same counts read backwards, which
halves the work and makes the acausal side of one direction the causal side of the other.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from dataclasses import dataclass
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt32
from numba import njit
from numpy import ndarray

from neurograft.errors import CopyError
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

TICKS_PER_S = 1_000_000_000
_LARGEST_COUNT = int(np.iinfo(np.uint32).max)
_BLOCK_BYTES = 96 << 20
_TILE_BYTES = 40 << 10  # counts of one neuron with a tile of others stay in the cache next to the core
BUCKET_SPIKES = 8  # of a tile, at the least, in a bucket of its index of times


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LagGrid:
    """Bins of width ``bin_s`` centred on multiples of it, out to ``half_window_s`` on both sides."""

    bin_s: float = 0.5 * MS
    half_window_s: float = 60 * MS

    def __post_init__(self) -> None:
        """Refuse grids without a bin."""
        if not 1e-6 <= self.bin_s <= 0.1:
            raise CopyError(f"bin_s is {self.bin_s} s. Give a bin between 1 us and 0.1 s, usually 0.5 ms.")
        if not self.bin_s <= self.half_window_s <= 10.0:
            raise CopyError(
                f"half_window_s is {self.half_window_s} s. Give at least one bin ({self.bin_s} s) and at most 10 s."
            )

    @property
    def n_half(self) -> int:
        """Bins on each side of the centre bin."""
        return round(self.half_window_s / self.bin_s)

    @property
    def n_bins(self) -> int:
        """All bins: an odd number."""
        return 2 * self.n_half + 1

    @property
    def bin_ticks(self) -> int:
        """The bin width in nanoseconds, even so that half a bin is a whole number too."""
        return 2 * round(self.bin_s * TICKS_PER_S / 2)

    @property
    def lag_s(self) -> Float64[ndarray, " bins"]:
        """Lag at the centre of each bin."""
        return np.arange(-self.n_half, self.n_half + 1) * (self.bin_ticks / TICKS_PER_S)


class Events(NamedTuple):
    """All spikes in time order, time in nanoseconds, epochs moved apart by more than the longest lag."""

    ticks: Int64[ndarray, " spikes"]
    neuron: Int32[ndarray, " spikes"]
    n_neurons: int
    own: Int64[ndarray, " spikes"]  # the same ticks, sorted by neuron, then time
    own_start: Int64[ndarray, " neurons+1"]  # where each neuron's begin in ``own``
    tile_ticks: Int64[ndarray, " spikes"]  # the same ticks, sorted by tile, then time; a tile is some neurons in a row
    tile_base: Int32[ndarray, " spikes"]  # where the spike's neuron begins in its tile's counts
    tile_start: Int64[ndarray, " tiles+1"]  # where each tile's begin in ``tile_ticks``
    tile_size: int
    n_bins: int  # that tiles are made for


def events(trains: SpikeTrains, grid: LagGrid, *, is_gap_real_time: bool = False) -> Events:
    """Return the spikes ready for counting.

    Two spikes of different epochs make no pair, because the time between sweeps is usually not known.
    With ``is_gap_real_time`` the clock ran on between the epochs and such pairs count.
    """
    ticks = np.rint(trains.time_s * TICKS_PER_S).astype(np.int64)
    if not is_gap_real_time:
        epoch = np.searchsorted(trains.epochs_s[:, 0], trains.time_s, side="right") - 1
        ticks += epoch * (2 * (grid.n_half + 1) * grid.bin_ticks)
    by_neuron = np.argsort(trains.neuron, kind="stable")
    n_spikes = trains.counts()
    densest = _densest(ticks[by_neuron], trains.neuron[by_neuron], grid.bin_ticks)
    most = int(n_spikes.max(initial=0))
    if most * densest > _LARGEST_COUNT:
        raise CopyError(
            f"A correlogram bin could hold {most} x {densest} coincidences, more than {_LARGEST_COUNT}. "
            "Cut the recording in time, or use shorter bins."
        )
    return arranged(ticks, trains.neuron, trains.n_neurons, grid.n_bins)


def arranged(
    ticks: Int64[ndarray, " spikes"], neuron: Int32[ndarray, " spikes"], n_neurons: int, n_bins: int
) -> Events:
    """Return spikes in time order also by neuron and by tile, for correlograms of so many bins."""
    by_neuron = np.argsort(neuron, kind="stable")
    size = max(_TILE_BYTES // (4 * n_bins), 8)
    tile = neuron // size
    by_tile = np.argsort(tile.astype(np.int16 if tile.max(initial=0) < 1 << 15 else np.int32), kind="stable")
    return Events(
        ticks=ticks,
        neuron=neuron,
        n_neurons=n_neurons,
        own=ticks[by_neuron],
        own_start=np.concatenate([[0], np.cumsum(np.bincount(neuron, minlength=n_neurons))]),
        tile_ticks=ticks[by_tile],
        tile_base=(neuron[by_tile] % size * n_bins).astype(np.int32),
        tile_start=np.concatenate([[0], np.cumsum(np.bincount(tile, minlength=-(-n_neurons // size)))]),
        tile_size=size,
        n_bins=n_bins,
    )


def exposure(trains: SpikeTrains, grid: LagGrid, *, is_gap_real_time: bool = False) -> Float64[ndarray, " bins"]:
    """Return how much time each lag could be seen in, of mean 1: long lags fit less often into short epochs.

    Right for neurons that know nothing of the epochs' borders.
    """
    if is_gap_real_time:
        length_s = np.array([trains.epochs_s[-1, 1] - trains.epochs_s[0, 0]])
    else:
        length_s = trains.epochs_s[:, 1] - trains.epochs_s[:, 0]
    seen_s = np.maximum(length_s[:, None] - np.abs(grid.lag_s)[None, :], 0.0).sum(axis=0)
    return seen_s / seen_s.mean()


def block_stops(n_neurons: int, n_bins: int, *, block_bytes: int = _BLOCK_BYTES) -> list[tuple[int, int]]:
    """Return (first, stop) of presynaptic blocks whose counts take at most ``block_bytes`` each.

    A block counts the pairs within it twice, so it also holds at most a sixteenth of the neurons.
    """
    blocks: list[tuple[int, int]] = []
    first = 0
    while first < n_neurons:
        size = max(1, min(block_bytes // (4 * n_bins * (n_neurons - first)), max(8, n_neurons // 16)))
        blocks.append((first, min(first + size, n_neurons)))
        first += size
    return blocks


def count_block(spikes: Events, grid: LagGrid, first: int, stop: int) -> UInt32[ndarray, "pre rest bins"]:
    """Return the correlograms of neurons ``first`` to ``stop - 1`` with all neurons from ``first`` on.

    Entry [i, j, k] belongs to the pair (first + i, first + j).  Entries with j < i are 0: the block holds these
    pairs the other way round.  j = i is the autocorrelogram without a spike's coincidence with itself.
    """
    assert grid.n_bins == spikes.n_bins, "the spikes were arranged for another grid"
    counts = np.zeros((stop - first, spikes.n_neurons - first, grid.n_bins), dtype=np.uint32)
    for tile in range(first // spikes.tile_size, len(spikes.tile_start) - 1):
        part = slice(spikes.tile_start[tile], spikes.tile_start[tile + 1])
        if part.start == part.stop:
            continue
        ticks, base = spikes.tile_ticks[part], spikes.tile_base[part]
        _count_tile(spikes.own, spikes.own_start, ticks, base, grid.bin_ticks, first, tile * spikes.tile_size, counts)
    for i in range(stop - first):
        counts[i, :i] = 0
        counts[i, i, grid.n_half] -= np.uint32(spikes.own_start[first + i + 1] - spikes.own_start[first + i])
    return counts


def count_pair(trains: SpikeTrains, grid: LagGrid, pre: int, post: int, *, is_gap_real_time: bool = False) -> ndarray:
    """Return the counts of one ordered pair, whichever is first, by the same rule as ``count_block``."""
    return count_listed(events(trains, grid, is_gap_real_time=is_gap_real_time), grid, pre, post)


def count_listed(spikes: Events, grid: LagGrid, pre: int, post: int) -> ndarray:
    """Return the counts of one ordered pair of spikes that are ready for counting."""
    low, high = min(pre, post), max(pre, post)
    a = spikes.own[spikes.own_start[low] : spikes.own_start[low + 1]]
    b = spikes.own[spikes.own_start[high] : spikes.own_start[high + 1]]
    counts = np.zeros((1, grid.n_bins), dtype=np.uint32)
    _count_lags(a, b, np.zeros(b.size, dtype=np.int32), grid.bin_ticks, counts)
    if pre == post:
        counts[0, grid.n_half] -= np.uint32(a.size)
    return counts[0] if pre == low else counts[0, ::-1]


@njit(cache=True, nogil=True)
@no_type_check
def _count_lags(pre_ticks, ticks, row, bin_ticks, counts):
    """Add to counts[row, bin] every spike whose lag after a presynaptic spike lies in [-half, half)."""
    n = ticks.size
    half_ticks = counts.shape[1] * bin_ticks // 2
    per_bin = 1.0 / bin_ticks
    start = 0
    for s in range(pre_ticks.size):
        low = pre_ticks[s] - half_ticks
        high = pre_ticks[s] + half_ticks
        while start < n and ticks[start] < low:
            start += 1
        i = start
        while i < n and ticks[i] < high:
            # Half a nanosecond keeps the product off the edges, so the rounding of 1 / bin cannot matter.
            counts[row[i], int((ticks[i] - low + 0.5) * per_bin)] += np.uint32(1)
            i += 1


@njit(cache=True, nogil=True)
@no_type_check
def _count_tile(own, own_start, ticks, base, bin_ticks, first, tile_first, counts):
    """Fill the counts of a block's neurons, up to the last of the tile, with the neurons of the tile.

    Where a window begins and ends is looked up in an index of times; the places of all its spikes are computed
    side by side, then counted one after the other in a buffer that stays in the cache.
    """
    n_bins = counts.shape[2]
    half_ticks = n_bins * bin_ticks // 2
    n_rows = min(counts.shape[1] - (tile_first - first), np.max(base) // n_bins + 1)
    buffer, place = np.zeros(n_rows * n_bins, np.uint32), np.empty(ticks.size, np.int32)
    origin, last = ticks[0], ticks[-1]
    per_width = max(ticks.size // BUCKET_SPIKES, 1) / (last - origin + 1)
    start_of = _starts(ticks, origin, per_width)
    for i in range(min(counts.shape[0], tile_first + n_rows - first)):
        buffer[:] = 0
        for s in range(own_start[first + i], own_start[first + i + 1]):
            low = own[s] - half_ticks
            if low > last or own[s] + half_ticks <= origin:
                continue
            begin = _lower_bound(ticks, low, start_of, origin, per_width)
            end = _lower_bound(ticks, own[s] + half_ticks, start_of, origin, per_width)
            _place(ticks[begin:end], base[begin:end], low, 1.0 / bin_ticks, place)
            for k in range(end - begin):
                buffer[place[k]] += np.uint32(1)
        for row in range(max(first - tile_first, 0), n_rows):
            for b in range(n_bins):
                counts[i, tile_first - first + row, b] = buffer[row * n_bins + b]


@njit(cache=True, nogil=True)
@no_type_check
def _place(ticks, base, low, per_bin, place):
    for k in range(ticks.size):
        # Half a nanosecond keeps the product off the edges, so the rounding of 1 / bin cannot matter.
        place[k] = base[k] + np.int32((ticks[k] - low + 0.5) * per_bin)


@njit(cache=True, nogil=True)
@no_type_check
def _starts(ticks, origin, per_width):
    """Return where each bucket of times begins in ``ticks``, and after the last one their number."""
    n_buckets = int((ticks[-1] - origin) * per_width) + 1
    start_of = np.full(n_buckets + 1, ticks.size, np.int64)
    for k in range(ticks.size - 1, -1, -1):
        start_of[int((ticks[k] - origin) * per_width)] = k
    for b in range(n_buckets - 1, -1, -1):
        start_of[b] = min(start_of[b], start_of[b + 1])
    return start_of


@njit(cache=True, nogil=True)
@no_type_check
def _lower_bound(ticks, wanted, start_of, origin, per_width):
    """Return the place of the first tick at or after ``wanted``; the bucket is that of ``wanted`` by the same rule."""
    if wanted <= origin:
        return 0
    k = start_of[min(int((wanted - origin) * per_width), start_of.size - 1)]
    while k < ticks.size and ticks[k] < wanted:
        k += 1
    return k


@njit(cache=True, nogil=True)
@no_type_check
def _densest(ticks, neuron, bin_ticks):
    """Return the most spikes that one neuron has within one bin width; sorted by (neuron, time)."""
    most = 0
    start = 0
    for i in range(ticks.size):
        while neuron[start] != neuron[i] or ticks[i] - ticks[start] >= bin_ticks:
            start += 1
        most = max(most, i - start + 1)
    return most
