"""Neurons that follow another's spike at one lag: strongly driven ones, and not one neuron seen twice.

In models a strong synapse fires its target at its delay to the sample, and two targets of one neuron together. What
tells them from one neuron that two units show is refractoriness.  A driven neuron also fires on its own just before
its turn, and then misses it; one neuron, seen twice, does not fire just before; a unit with spikes of another neuron
among its own has one there now and then, and takes its turn all the same.
"""

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import TICKS_PER_S, Events
from neurograft.units import MS

EXACT_S = 0.15 * MS  # on both sides of the lag
_BEFORE_S = (1.5 * MS, 0.3 * MS)  # a turn: less than a refractory time
_FEWEST = 10
_LEAST_FREE = 0.5  # of the spikes just before that a neuron without refractoriness would have on its own
_MOST_TURNS = 0.5  # taken after a spike of one's own just before, over those taken at all
_SLOWEST_S, _QUICKEST_S = 6 * MS, 0.6 * MS  # of a synapse
_LED_SHARE = 0.6  # of the spikes of two units together that a third one leads
_SPIKES_BACK = 3  # of a leader: it may have fired once more in between
_MOST_LOOKED_AT = 500  # spikes of two units together, for who fires before them


def follows(spikes: Events, leader: int, unit: int, lag_s: float) -> bool:
    """Tell whether ``unit``, so long after ``leader``, fires just before its turn too, and then misses it."""
    turn, own = train(spikes, leader) + round(lag_s * TICKS_PER_S), train(spikes, unit)
    is_taken = _has_within(own, turn, -EXACT_S, EXACT_S)
    is_before = _has_within(own, turn, -_BEFORE_S[0], -_BEFORE_S[1])
    n_before = np.count_nonzero(is_before)
    span = max(float(np.ptp(spikes.ticks)) if spikes.ticks.size else 0.0, 1.0)
    n_alone = max(own.size - np.count_nonzero(is_taken), 0)
    by_chance = n_alone * turn.size * (_BEFORE_S[0] - _BEFORE_S[1]) * TICKS_PER_S / span
    if n_before < max(_FEWEST, _LEAST_FREE * by_chance):
        return False
    return bool(is_taken[is_before].mean() < _MOST_TURNS * is_taken.mean())


def are_led(spikes: Events, first: int, second: int, lag_s: float) -> bool:
    """Tell whether most of what two units fire together follows a third unit that drives both.

    ``lag_s`` is that of the second after the first.
    """
    own = train(spikes, first)
    together = own[_has_within(train(spikes, second), own + round(lag_s * TICKS_PER_S), -EXACT_S, EXACT_S)]
    if together.size < _FEWEST:
        return False
    together = together[:: max(together.size // _MOST_LOOKED_AT, 1)]
    for leader in _often_before(spikes, together).tolist():
        if leader in {first, second}:
            continue
        delay_s, share = _one_lag(train(spikes, leader), together)
        if share < _LED_SHARE or delay_s + min(lag_s, 0.0) < _QUICKEST_S:
            continue
        if follows(spikes, leader, first, delay_s) and follows(spikes, leader, second, delay_s + lag_s):
            return True
    return False


def train(spikes: Events, neuron: int) -> Int64[ndarray, " spikes"]:
    """Return the times of one neuron, in ticks."""
    return spikes.own[spikes.own_start[neuron] : spikes.own_start[neuron + 1]]


def _has_within(times: ndarray, at: ndarray, low_s: float, high_s: float) -> Bool[ndarray, " at"]:
    """Tell of each of ``at`` whether one of the times lies in [at + low, at + high]."""
    low, high = round(low_s * TICKS_PER_S), round(high_s * TICKS_PER_S)
    return np.searchsorted(times, at + high, side="right") > np.searchsorted(times, at + low)


def _often_before(spikes: Events, at: ndarray) -> Int64[ndarray, " neurons"]:
    """Return the neurons that fire before enough of these moments to lead them."""
    start = np.searchsorted(spikes.ticks, at - round(_SLOWEST_S * TICKS_PER_S))
    length = np.searchsorted(spikes.ticks, at - round(_QUICKEST_S * TICKS_PER_S), side="right") - start
    moment = np.repeat(np.arange(at.size), length)
    place = np.repeat(start - np.concatenate([[0], np.cumsum(length)[:-1]]), length) + np.arange(moment.size)
    pairs = np.unique(moment * spikes.n_neurons + spikes.neuron[place])
    return np.flatnonzero(np.bincount(pairs % spikes.n_neurons, minlength=spikes.n_neurons) >= _LED_SHARE * at.size)


def _one_lag(leader: ndarray, at: ndarray) -> tuple[float, float]:
    """Return the lag at which most of these moments follow the leader, and what share of them."""
    step = round(EXACT_S * TICKS_PER_S)
    bins = np.arange(round(_SLOWEST_S / EXACT_S) + 2) * step
    last = np.searchsorted(leader, at, side="right") - 1
    lags = np.concatenate([at - leader[np.maximum(last - k, 0)] for k in range(_SPIKES_BACK)])
    lags = np.unique(np.stack([lags, np.tile(np.arange(at.size), _SPIKES_BACK)]), axis=1)[0]
    near = lags[(lags >= 0) & (lags < bins[-1])]
    if not near.size:
        return 0.0, 0.0
    counts = np.histogram(near, bins)[0]
    best = bins[int(np.argmax(counts[:-1] + counts[1:])) + 1]  # between the two fullest bins next to each other
    exact = near[np.abs(near - best) <= step]
    return float(np.median(exact)) / TICKS_PER_S, exact.size / at.size
