"""Inter-spike intervals of every neuron and how far two sets of them are apart."""

from dataclasses import dataclass
from itertools import pairwise
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.comparing._align import epoch_of
from neurograft.spikes import SpikeTrains

MIN_SIDE = 2  # a side with fewer intervals has no distribution: the distance is then the largest


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """Intervals inside epochs, sorted by neuron and then by length; ``start`` says where each neuron's begin."""

    sorted_s: Float64[ndarray, " intervals"]
    pooled_log: Float64[ndarray, " positive"]  # log10 of all intervals above 0, sorted
    start: Int64[ndarray, " neurons_plus_one"]
    cv: Float64[ndarray, " neurons"]  # NaN below the least number of intervals
    lv: Float64[ndarray, " neurons"]

    @property
    def count(self) -> Int64[ndarray, " neurons"]:
        """Each neuron's number of intervals."""
        return np.diff(self.start)


def intervals_of(trains: SpikeTrains, *, min_intervals: int) -> Intervals:
    """Return the intervals between successive spikes of one neuron in one epoch.

    ``cv`` is their standard deviation over their mean; ``lv`` the local variation of Shinomoto, Shima and
    Tanji (2003, eq. 2.2): 3 times the mean of ((I_k - I_k+1) / (I_k + I_k+1))^2.  Both are 1 for Poisson.
    """
    small = trains.neuron.astype(np.uint16) if trains.n_neurons <= 1 << 16 else trains.neuron
    order = np.argsort(small, kind="stable")  # numpy sorts 16-bit integers by radix, ten times faster
    neuron, time_s, epoch = trains.neuron[order], trains.time_s[order], epoch_of(trains)[order]
    same = (np.diff(neuron) == 0) & (np.diff(epoch) == 0)
    interval_s, owner, run = np.diff(time_s)[same], neuron[1:][same], epoch[1:][same]
    n = trains.n_neurons
    count = np.bincount(owner, minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_s = np.bincount(owner, interval_s, minlength=n) / count
        variance = np.bincount(owner, (interval_s - mean_s[owner]) ** 2, minlength=n) / count
        cv = np.sqrt(variance) / mean_s
        pairs = (np.diff(owner) == 0) & (np.diff(run) == 0)
        total_s = interval_s[1:] + interval_s[:-1]
        ratio = np.where(total_s > 0, np.diff(interval_s) / total_s, 0.0)[pairs]
        lv = 3 * np.bincount(owner[1:][pairs], ratio**2, minlength=n) / np.bincount(owner[1:][pairs], minlength=n)
    few = count < min_intervals
    cv[few] = np.nan
    lv[few] = np.nan
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    pooled_log = np.sort(np.log10(interval_s[interval_s > 0]))
    for first, last in pairwise(start):
        interval_s[first:last].sort()
    return Intervals(sorted_s=interval_s, pooled_log=pooled_log, start=start, cv=cv, lv=lv)


def mean_ks(a: Intervals, b: Intervals, *, min_intervals: int) -> float:
    """Return the Kolmogorov-Smirnov distance of the two interval distributions, averaged over neurons.

    Neurons with ``min_intervals`` in either activity count; where the other has under two intervals the
    distance is 1.  NaN where no neuron counts.
    """
    counts = np.maximum(a.count, b.count) >= min_intervals
    if not counts.any():
        return np.nan
    distance = np.empty(a.count.size)
    _ks(a.sorted_s, a.start, b.sorted_s, b.start, distance)
    return float(distance[counts].mean())


def wasserstein_decades(a: Intervals, b: Intervals) -> float:
    """Return the Wasserstein-1 distance of log10 intervals, all neurons pooled; NaN where one has no interval."""
    if min(a.pooled_log.size, b.pooled_log.size) < MIN_SIDE:
        return np.nan
    distance = np.zeros(1)
    _wasserstein(a.pooled_log, b.pooled_log, distance)
    return float(distance[0])


def mean_gap(a: Float64[ndarray, " neurons"], b: Float64[ndarray, " neurons"]) -> float:
    """Return the mean absolute difference over neurons for which both are known; NaN where there is none."""
    both = ~(np.isnan(a) | np.isnan(b))
    return float(np.abs(a - b)[both].mean()) if both.any() else np.nan


def pooled_density(x: Intervals, edges_s: Float64[ndarray, " edges"]) -> Float64[ndarray, " bins"]:
    """Return the share of all intervals that falls in each bin, a share a decade."""
    counts = np.histogram(x.sorted_s, edges_s)[0]
    return counts / max(x.sorted_s.size, 1) / np.diff(np.log10(edges_s))


@njit(cache=True)
@no_type_check
def _wasserstein(a, b, distance):
    """Add the area between the two cumulative distributions to distance[0]."""
    i = j = 0
    x = min(a[0], b[0])
    while i < a.size or j < b.size:
        following = a[i] if j == b.size or (i < a.size and a[i] <= b[j]) else b[j]
        distance[0] += abs(i / a.size - j / b.size) * (following - x)
        x = following
        while i < a.size and a[i] <= x:
            i += 1
        while j < b.size and b[j] <= x:
            j += 1


@njit(cache=True)
@no_type_check
def _ks(a_s, a_start, b_s, b_start, distance):
    for k in range(distance.size):
        i, i_end = a_start[k], a_start[k + 1]
        j, j_end = b_start[k], b_start[k + 1]
        n_a, n_b = i_end - i, j_end - j
        if n_a < MIN_SIDE or n_b < MIN_SIDE:
            distance[k] = 1.0
            continue
        largest = 0.0
        i0, j0 = i, j
        while i < i_end and j < j_end:
            x = min(a_s[i], b_s[j])
            while i < i_end and a_s[i] <= x:
                i += 1
            while j < j_end and b_s[j] <= x:
                j += 1
            largest = max(largest, abs((i - i0) / n_a - (j - j0) / n_b))
        distance[k] = largest
