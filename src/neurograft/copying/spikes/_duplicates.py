"""Units that are the same neuron twice: spikes of the quieter one fall on spikes of the other.

Most of them within 0.3 ms; or at one lag to a tenth of a millisecond, as when each pad sees only some spikes of a
neuron whose action potential travels along them: a fifth of them at lags too short for a synapse, half at lags to
2.5 ms.  No synapse and no gap junction of living cells is so exact; those of models are, and such followers are told
from second units (``_followers``) and stay.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Int32
from numba import njit
from numpy import ndarray

from neurograft.copying.spikes._correlogram import TICKS_PER_S, Events, LagGrid, arranged, count_listed
from neurograft.copying.spikes._followers import are_led, follows
from neurograft.units import MS

_TOGETHER_S = 0.3 * MS
_DUPLICATE_SHARE = 0.5
_FINE = LagGrid(bin_s=0.1 * MS, half_window_s=2.5 * MS)
_NEAR_S = 0.6 * MS
_EXACT_BINS = 3
_NEAR_SHARE, _FAR_SHARE = 0.2, 0.5
_EXACT_PART = 0.6  # of what coincides within 0.6 ms of the lag
_FEWEST = 10
_COARSE_TICKS = TICKS_PER_S // 2000  # times in steps of 0.5 ms or 1 ms say nothing of exactness


class Repeats(NamedTuple):
    """Units whose spikes fall on those of another one, or so exactly after them."""

    is_twin: Bool[ndarray, " neurons"]  # left out: the unit with fewer spikes, of equals the later one
    is_late_twin: Bool[ndarray, " neurons"]  # of these, those at a lag that a synapse could have
    is_follower: Bool[ndarray, " neurons"]  # kept: driven so strongly by another unit, or with one by a third


class _Pair(NamedTuple):
    is_exact: bool
    is_follower: bool
    is_late: bool
    later: int


def repeats(spikes: Events) -> Repeats:
    """Return the units that repeat another.

    Twins left in, one synapse would be found twice, and each would hide the other in a regression.
    """
    from scipy.sparse.csgraph import connected_components

    n_spikes = np.diff(spikes.own_start)
    quieter = np.maximum(np.minimum(n_spikes[:, None], n_spikes[None, :]), 1)
    is_same = _together(spikes, _TOGETHER_S) / quieter > _DUPLICATE_SHARE
    is_late, is_follower = np.zeros(n_spikes.size, dtype=np.bool_), np.zeros(n_spikes.size, dtype=np.bool_)
    if np.any(spikes.ticks % _COARSE_TICKS):
        is_close = _together(spikes, _NEAR_S) / quieter > _NEAR_SHARE
        is_close |= _together(spikes, _FINE.half_window_s) / quieter > _FAR_SHARE
        for i, j in np.argwhere(np.triu(is_close | is_same, 1)).tolist():
            pair = _looked_at(spikes, i, j, int(quieter[i, j]), is_together=bool(is_same[i, j]))
            is_same[i, j] = is_same[j, i] = pair.is_exact and not pair.is_follower
            is_follower[pair.later] |= pair.is_exact and pair.is_follower
            is_late[pair.later] |= pair.is_late and is_same[i, j]
    _, cluster = connected_components(is_same, directed=False)
    # Of each cluster the unit with most spikes stays, of equals the first.
    order = np.lexsort((np.arange(n_spikes.size), -n_spikes))
    _, first = np.unique(cluster[order], return_index=True)
    dropped = np.ones(n_spikes.size, dtype=bool)
    dropped[order[first]] = False
    late_cluster = np.isin(cluster, cluster[is_late])
    return Repeats(dropped, dropped & late_cluster, is_follower & ~dropped)


def _together(spikes: Events, width_s: float) -> Int32[ndarray, "neurons neurons"]:
    together = np.zeros((spikes.n_neurons, spikes.n_neurons), dtype=np.int32)
    _count_together(spikes.ticks, spikes.neuron, round(width_s * TICKS_PER_S), together)
    together += together.T
    np.fill_diagonal(together, 0)
    return together


def _looked_at(spikes: Events, i: int, j: int, n_quieter: int, *, is_together: bool) -> _Pair:
    """Tell whether the peak of two units is as narrow as a detector's error, and whether a strong synapse made it."""
    counts = count_listed(spikes, _FINE, i, j)
    best, most = _peak(counts)
    lag_s = float(_FINE.lag_s[best])
    around = round(_NEAR_S / _FINE.bin_s)
    nearby = int(counts[max(0, best - around) : best + around + 1].sum())
    is_late = abs(lag_s) > _NEAR_S
    share = _FAR_SHARE if is_late else _NEAR_SHARE
    is_exact = is_together or most >= max(_FEWEST, share * n_quieter, _EXACT_PART * nearby)
    first, later = (i, j) if lag_s > 0 else (j, i)
    is_follower = is_exact and ((is_late and follows(spikes, first, later, abs(lag_s))) or are_led(spikes, i, j, lag_s))
    return _Pair(is_exact, is_follower, is_late, later)


def _peak(counts: ndarray) -> tuple[int, int]:
    """Return the middle of the fullest bins next to each other, and how many coincidences they have."""
    sums = np.convolve(counts.astype(np.int64), np.ones(_EXACT_BINS, dtype=np.int64), mode="same")
    return int(sums.argmax()), int(sums.max())


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
