"""Units that are the same neuron twice: most spikes of the quieter one fall on spikes of the other."""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool
from numba import njit
from numpy import ndarray

from neurograft.copying._correlogram import TICKS_PER_S, Events
from neurograft.units import MS

_TOGETHER_S = 0.3 * MS
_DUPLICATE_SHARE = 0.5


def duplicates(spikes: Events) -> Bool[ndarray, " neurons"]:
    """Return the units that repeat another: the one with fewer spikes, of equals the later one.

    Left in, one synapse would be found twice, and each would hide the other in a regression.
    """
    n = spikes.n_neurons
    together = np.zeros((n, n), dtype=np.int32)
    _count_together(spikes.ticks, spikes.neuron, round(_TOGETHER_S * TICKS_PER_S), together)
    together += together.T
    n_spikes = np.diff(spikes.own_start)
    share = together / np.maximum(np.minimum(n_spikes[:, None], n_spikes[None, :]), 1)
    np.fill_diagonal(share, 0.0)
    rank = np.lexsort((-np.arange(n), n_spikes))  # first those to give up
    place = np.argsort(rank)
    return np.any((share > _DUPLICATE_SHARE) & (place[:, None] < place[None, :]), axis=1)


def without(spikes: Events, dropped: Bool[ndarray, " neurons"]) -> Events:
    """Return the spikes with those of the dropped neurons gone; all neurons stay."""
    keep = ~dropped[spikes.neuron]
    counts = np.where(dropped, 0, np.diff(spikes.own_start))
    return Events(
        ticks=spikes.ticks[keep],
        neuron=spikes.neuron[keep],
        n_neurons=spikes.n_neurons,
        own=spikes.own[np.repeat(~dropped, np.diff(spikes.own_start))],
        own_start=np.concatenate([[0], np.cumsum(counts)]),
    )


@njit(cache=True, nogil=True)
@no_type_check
def _count_together(ticks, neuron, width, together):
    """Add one to [earlier, later] for every two spikes at most ``width`` apart."""
    for i in range(ticks.size):
        j = i + 1
        while j < ticks.size and ticks[j] - ticks[i] <= width:
            together[neuron[i], neuron[j]] += 1
            j += 1
