"""Network bursts and their four numbers."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy import ndarray

from neurograft.comparing._align import binned
from neurograft.comparing._options import BurstRule
from neurograft.spikes import SpikeTrains


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """How often, how long, how many neurons and how many of the spikes; NaN for what no burst can tell."""

    per_minute: float
    mean_duration_s: float
    participation: float  # mean share of all neurons that fire in a burst
    spike_share: float  # share of all spikes that lie in bursts


def bursts_of(trains: SpikeTrains, rule: BurstRule) -> Bursts:
    """Return the burst numbers by the rule stated in ``BurstRule``."""
    bin_of, n_bins = binned(trains, rule.bin_s)
    keep = bin_of >= 0
    bin_of, neuron = bin_of[keep], trains.neuron[keep]
    count = np.bincount(bin_of, minlength=int(n_bins.sum()))
    if bin_of.size == 0:
        return Bursts(per_minute=0.0, mean_duration_s=np.nan, participation=np.nan, spike_share=0.0)
    burst = _label(count, n_bins, _threshold(float(count.mean()), rule), rule.bridge_bins)
    n_bursts = int(burst.max(initial=-1)) + 1
    per_minute = 60.0 * n_bursts / (count.size * rule.bin_s)
    if n_bursts == 0:
        return Bursts(per_minute=0.0, mean_duration_s=np.nan, participation=np.nan, spike_share=0.0)
    of_spike = burst[bin_of]
    inside = of_spike >= 0
    taking_part = np.unique(of_spike[inside].astype(np.int64) * trains.n_neurons + neuron[inside]).size
    return Bursts(
        per_minute=per_minute,
        mean_duration_s=float(np.count_nonzero(burst >= 0) * rule.bin_s / n_bursts),
        participation=taking_part / n_bursts / trains.n_neurons,
        spike_share=float(inside.mean()),
    )


def _threshold(mean: float, rule: BurstRule) -> float:
    """Return the least count that makes a bin part of a burst."""
    from scipy.stats import poisson

    return max(rule.min_spikes, float(poisson.isf(rule.chance, mean)) + 1)


def _label(count: ndarray, n_bins: ndarray, threshold: float, bridge_bins: int) -> ndarray:
    """Return each bin's burst, -1 outside; a burst ends at its epoch's end."""
    above = np.flatnonzero(count >= threshold)
    burst = np.full(count.size, -1, dtype=np.int64)
    if above.size == 0:
        return burst
    epoch = np.searchsorted(np.cumsum(n_bins), above, side="right")
    is_new = np.concatenate([[True], (np.diff(above) > bridge_bins + 1) | (np.diff(epoch) > 0)])
    number = np.cumsum(is_new) - 1
    first, last = above[is_new], above[np.concatenate([np.flatnonzero(is_new)[1:] - 1, [above.size - 1]])]
    for k in range(int(number[-1]) + 1):
        burst[first[k] : last[k] + 1] = k
    return burst


def relative_gap(a: float, b: float) -> float:
    """Return |a - b| over the mean of both: 0 equal, 2 where one is 0 or missing and the other not."""
    if np.isnan(a) and np.isnan(b):
        return np.nan
    if np.isnan(a) or np.isnan(b):
        return 2.0
    return 0.0 if a == b else 2 * abs(a - b) / (abs(a) + abs(b))
