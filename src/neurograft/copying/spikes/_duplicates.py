"""Units that are the same neuron twice: spikes of the quieter one fall on spikes of the other.

Most of them within 0.3 ms; or at one lag to a tenth of a millisecond, as when each pad sees only some spikes of a
neuron whose action potential travels along them: a fifth of them at lags too short for a synapse, half at lags to
2.5 ms.  No synapse and no gap junction of living cells is so exact; those of models are.  There the second neuron
also fires just before its turn, where one neuron, seen twice, is refractory.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Int32
from numba import njit
from numpy import ndarray

from neurograft.copying.spikes._correlogram import TICKS_PER_S, Events, LagGrid, arranged, count_listed
from neurograft.units import MS

_TOGETHER_S = 0.3 * MS
_DUPLICATE_SHARE = 0.5
_FINE = LagGrid(bin_s=0.1 * MS, half_window_s=2.5 * MS)
_NEAR_S = 0.6 * MS
_EXACT_BINS = 3
_NEAR_SHARE, _FAR_SHARE = 0.2, 0.5
_EXACT_PART = 0.6  # of what coincides within 0.6 ms of the lag
_FEWEST = 10
_REFRACTORY_S = 1.5 * MS
_MOST_REFRACTORY = 0.5  # of the coincidences of two neurons that know nothing of each other
_COARSE_TICKS = TICKS_PER_S // 2000  # times in steps of 0.5 ms or 1 ms say nothing of exactness


def duplicates(spikes: Events) -> Bool[ndarray, " neurons"]:
    """Return the units that repeat another: the one with fewer spikes, of equals the later one.

    Left in, one synapse would be found twice, and each would hide the other in a regression.
    """
    from scipy.sparse.csgraph import connected_components

    n_spikes = np.diff(spikes.own_start)
    per_bin = _FINE.bin_s * TICKS_PER_S / max(float(np.ptp(spikes.ticks)) if spikes.ticks.size else 0.0, 1.0)
    quieter = np.maximum(np.minimum(n_spikes[:, None], n_spikes[None, :]), 1)
    is_same = _together(spikes, _TOGETHER_S) / quieter > _DUPLICATE_SHARE
    if np.any(spikes.ticks % _COARSE_TICKS):
        is_close = _together(spikes, _NEAR_S) / quieter > _NEAR_SHARE
        is_close |= _together(spikes, _FINE.half_window_s) / quieter > _FAR_SHARE
        for i, j in np.argwhere(np.triu(is_close & ~is_same, 1)):
            counts = count_listed(spikes, _FINE, int(i), int(j))
            by_chance = float(n_spikes[i]) * float(n_spikes[j]) * per_bin
            is_same[i, j] = is_same[j, i] = _is_exact(counts, int(quieter[i, j]), by_chance)
    _, cluster = connected_components(is_same, directed=False)
    # Of each cluster the unit with most spikes stays, of equals the first.
    order = np.lexsort((np.arange(n_spikes.size), -n_spikes))
    _, first = np.unique(cluster[order], return_index=True)
    dropped = np.ones(n_spikes.size, dtype=bool)
    dropped[order[first]] = False
    return dropped


def _together(spikes: Events, width_s: float) -> Int32[ndarray, "neurons neurons"]:
    together = np.zeros((spikes.n_neurons, spikes.n_neurons), dtype=np.int32)
    _count_together(spikes.ticks, spikes.neuron, round(width_s * TICKS_PER_S), together)
    together += together.T
    np.fill_diagonal(together, 0)
    return together


def _is_exact(counts: ndarray, n_quieter: int, by_chance: float) -> bool:
    """Tell whether the correlogram has a peak as narrow as a detector's error, and nothing else around it.

    ``by_chance`` are the counts of a bin of two neurons that know nothing of each other.
    """
    sums = np.convolve(counts.astype(np.int64), np.ones(_EXACT_BINS, dtype=np.int64), mode="same")
    best = int(sums.argmax())
    most = int(sums[best])
    lag_s = abs(float(_FINE.lag_s[best]))
    around = round(_NEAR_S / _FINE.bin_s)
    nearby = int(counts[max(0, best - around) : best + around + 1].sum())
    if lag_s <= _NEAR_S:
        return most >= max(_FEWEST, _NEAR_SHARE * n_quieter, _EXACT_PART * nearby)
    refractory = round(_REFRACTORY_S / _FINE.bin_s)
    is_later = best > _FINE.n_half
    ahead = counts if is_later else counts[::-1]  # the later unit's lags rise
    best = best if is_later else counts.size - 1 - best
    before = ahead[best - refractory : best - _EXACT_BINS]
    is_refractory = int(before.sum()) < max(_FEWEST, _MOST_REFRACTORY * by_chance * before.size)
    return is_refractory and most >= max(_FEWEST, _FAR_SHARE * n_quieter, _EXACT_PART * nearby)


def without(spikes: Events, dropped: Bool[ndarray, " neurons"]) -> Events:
    """Return the spikes with those of the dropped neurons gone; all neurons stay."""
    keep = ~dropped[spikes.neuron]
    return arranged(spikes.ticks[keep], spikes.neuron[keep], spikes.n_neurons, spikes.n_bins)


@njit(cache=True, nogil=True)
@no_type_check
def _count_together(ticks, neuron, width, together):
    """Add one to [earlier, later] for every two spikes at most ``width`` apart."""
    for i in range(ticks.size):
        j = i + 1
        while j < ticks.size and ticks[j] - ticks[i] <= width:
            together[neuron[i], neuron[j]] += 1
            j += 1
