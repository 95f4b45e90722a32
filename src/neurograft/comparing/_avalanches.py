"""Neuronal avalanches: runs of bins in which somebody fires, between silent bins (Beggs and Plenz 2003)."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._align import binned
from neurograft.spikes import SpikeTrains


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Avalanches:
    """Sizes (spikes) and durations (bins) in order, and the branching ratio; NaN without any avalanche.

    The bin is the activity's own mean interval between spikes of the whole population, so that rates alone do not
    change the sizes.  The branching ratio is the mean of spikes in an active bin's follower over its own, all
    active bins together: 1 is critical, a Poisson population with this bin has 1 - 1/e of its bins active.
    """

    bin_s: float
    size: Float64[ndarray, " avalanches"]
    duration_bins: Float64[ndarray, " avalanches"]
    branching: float


def avalanches_of(trains: SpikeTrains, *, bin_s: float | None = None) -> Avalanches:
    """Return the avalanches; those that touch an epoch's end count as they are seen."""
    none = np.zeros(0)
    if trains.n_spikes < 2:
        return Avalanches(bin_s=np.nan, size=none, duration_bins=none, branching=np.nan)
    bin_s = trains.duration_s / trains.n_spikes if bin_s is None else bin_s
    bin_of, n_bins = binned(trains, bin_s)
    counts = np.bincount(bin_of[bin_of >= 0], minlength=int(n_bins.sum()))
    edges = np.concatenate([[0], np.cumsum(n_bins)])
    breaks = np.unique(edges[1:-1])
    padded = np.insert(counts, breaks, 0)  # a silent bin between epochs
    active = np.concatenate([[False], padded > 0, [False]])
    change = np.flatnonzero(np.diff(active.astype(np.int8)))
    start, stop = change[::2], change[1::2]
    if start.size == 0:
        return Avalanches(bin_s=bin_s, size=none, duration_bins=none, branching=np.nan)
    total = np.concatenate([[0], np.cumsum(padded)])
    size = (total[stop] - total[start]).astype(np.float64)
    first = padded[start].astype(np.float64)
    return Avalanches(
        bin_s=bin_s,
        size=size,
        duration_bins=(stop - start).astype(np.float64),
        branching=float((size - first).sum() / size.sum()),
    )


def size_distance(a: Avalanches, b: Avalanches) -> float:
    """Return the Kolmogorov-Smirnov distance of sizes; NaN where one has no avalanche."""
    if a.size.size == 0 or b.size.size == 0:
        return np.nan
    values = np.unique(np.concatenate([a.size, b.size]))
    below = [np.searchsorted(np.sort(x.size), values, side="right") / x.size.size for x in (a, b)]
    return float(np.abs(below[0] - below[1]).max())
