"""Calls from spikes that other calls explain: paths over a third neuron, and one that drives both.

Where synapses are strong (a spike makes another in every second case), the regression of one neuron's spikes on all
others', which is linear and knows a spike's time to its box only, leaves enough of such detours to be significant.

What settles it is the third neuron's own spikes.  A detour i > j > k needs a spike of j shortly before that of k, and
so does what j does to both.  So every call whose gain detours over other calls could have made is measured again
where none of the target's other callers has just fired: spikes of the target there, over the time of the target
there, against the same at lags far away.  A synapse is left with most of its gain, a detour with next to nothing.

Two neurons of which one makes the other fire hide behind each other: the regression gives the one's synapses to the
other, and there is no call to ask.  So whoever makes much of what a neuron fires is asked about all its calls, and so
are those that it makes fire before a call's delay is over.  Of inhibition the target itself is asked: it has just
been reset where it fired, whoever fired with it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import TICKS_PER_S, Events
from neurograft.copying.spikes._followers import train
from neurograft.units import MS

_SLACK_S = 5 * MS  # a neuron on the way fires that much sooner or later than the delays say
_SUSPECT_SHARE = 0.05  # of a gain that detours could make: with less a call is believed
_MADE_SHARE = 0.3  # of a neuron's spikes: who makes so many is asked about its calls
_FIRED_GAIN = 0.2  # a neuron that fires after so many of another's spikes is asked about the other's calls
_SHORTEST_S = 1 * MS  # from one neuron to the next, for such a neuron to be on the way
_RESET_S = 15 * MS  # after a spike, in which the target fires less
_LEAST_LEFT = 0.4  # of the gain, where no other caller has fired; .15 to .5 do as well on seeds 1 and 2
_LEAST_Z = 2.0
_BEFORE_S = 1 * MS  # of the delay: its error
_AFTER_S = 9 * MS  # of the delay: the course of the effect
_SOONEST_S = 0.5 * MS
_RESET_FROM_S = 1e-6  # the spike itself is seen
_FAR_S = ((-45 * MS, -20 * MS), (35 * MS, 60 * MS))  # lags of the baseline


class Calls(NamedTuple):
    """Pairs called, with the extra spikes of the target for each spike and the delay."""

    pre: Int64[ndarray, " calls"]
    post: Int64[ndarray, " calls"]
    gain: Float64[ndarray, " calls"]
    delay_s: Float64[ndarray, " calls"]


class _Effect(NamedTuple):
    gain: float
    se: float


def explained_elsewhere(
    calls: Calls, spikes: Events, rates_hz: Float64[ndarray, " neurons"], *, is_thorough: bool
) -> Bool[ndarray, " calls"]:
    """Tell which calls are gone where no other caller of their target has just fired; the emptiest first.

    A call that is explained explains nothing itself.  ``is_thorough``: detours of either sign are looked for, and
    neurons without a call are asked too.  The trained judge has read of detours, and of its calls that would take
    true ones only.
    """
    is_explained = np.zeros(calls.pre.size, dtype=np.bool_)
    asked: list[list[_Asked]] = _without_calls(calls, rates_hz) if is_thorough else [[]] * calls.pre.size
    is_suspect = detour_shares(calls, rates_hz, is_signed=not is_thorough) > _SUSPECT_SHARE
    is_suspect |= np.array([bool(each) for each in asked], dtype=np.bool_)
    for target in np.unique(calls.post[is_suspect]):
        here = np.flatnonzero(calls.post == target)
        while True:
            left = here[~is_explained[here]]
            emptiest, least = -1, _LEAST_LEFT
            for call in left[is_suspect[left]]:
                share = _share_left(calls, spikes, int(call), left[left != call], asked[call])
                if share < least:
                    emptiest, least = int(call), share
            if emptiest < 0:
                break
            is_explained[emptiest] = True
    return is_explained


def detour_shares(
    calls: Calls, rates_hz: Float64[ndarray, " neurons"], *, is_signed: bool = False
) -> Float64[ndarray, " calls"]:
    """Return what share of each gain detours over other calls come to, at the call's own lags.

    In gains a detour i > j > k has about the product of its two steps, and a neuron j before both gives i the share
    rate_j / rate_i of the product of its own.  Unless ``is_signed``, detours of the other sign count as well: they
    bend the correlogram, and what a linear regression leaves of them is of either sign.
    """
    n = rates_hz.size
    gain = calls.gain if is_signed else np.abs(calls.gain)
    step, delay = np.zeros((n, n)), np.full((n, n), np.nan)
    step[calls.pre, calls.post], delay[calls.pre, calls.post] = gain, calls.delay_s
    answer = np.zeros(calls.pre.size)
    for c, (i, k) in enumerate(zip(calls.pre.tolist(), calls.post.tolist(), strict=True)):
        with np.errstate(invalid="ignore"):
            on_the_way = np.abs(delay[i] + delay[:, k] - delay[i, k]) <= _SLACK_S
            before_both = np.abs(delay[:, k] - delay[:, i] - delay[i, k]) <= _SLACK_S
        ways = np.sum((step[i] * step[:, k])[on_the_way])
        ways += np.sum((rates_hz * step[:, i] * step[:, k])[before_both]) / rates_hz[i]
        answer[c] = ways / step[i, k]
    return answer


class _Asked(NamedTuple):
    """A neuron, and from when to when after its spikes it may have done what a call says."""

    neuron: int
    from_s: float
    to_s: float


def _without_calls(calls: Calls, rates_hz: Float64[ndarray, " neurons"]) -> list[list[_Asked]]:
    """Return for each call the neurons that may do its effect without a call of their own to the target."""
    n = rates_hz.size
    gain, delay_s = np.zeros((n, n)), np.full((n, n), np.nan)
    gain[calls.pre, calls.post], delay_s[calls.pre, calls.post] = calls.gain, calls.delay_s
    is_maker = gain * rates_hz[:, None] > _MADE_SHARE * rates_hz
    answer: list[list[_Asked]] = []
    for i, k, size, lag_s in zip(*(column.tolist() for column in calls), strict=True):
        is_fired = (gain[i] > _FIRED_GAIN) & (delay_s[i] + _SHORTEST_S <= lag_s)
        asked = [
            _Asked(j, _SOONEST_S, delay_s[j, i] + lag_s + _AFTER_S) for j in np.flatnonzero(is_maker[:, i]).tolist()
        ]
        asked += [_Asked(j, _SOONEST_S, lag_s - delay_s[i, j] + _AFTER_S) for j in np.flatnonzero(is_fired).tolist()]
        asked = [each for each in asked if each.neuron != k]
        answer.append([*asked, _Asked(k, _RESET_FROM_S, _RESET_S)] if size < 0 else asked)
    return answer


def _share_left(
    calls: Calls, spikes: Events, call: int, others: Int64[ndarray, " others"], asked: list[_Asked]
) -> float:
    """Return what share of a call's gain is left where none of the others has just fired; 0 where it is not clear."""
    pre, post = train(spikes, int(calls.pre[call])), train(spikes, int(calls.post[call]))
    delay_s = float(calls.delay_s[call])
    parts = [_after(train(spikes, int(calls.pre[o])), float(calls.delay_s[o])) for o in others]
    parts += [_between(train(spikes, j), low_s, high_s) for j, low_s, high_s in asked]
    hidden = _joined(parts)
    alone = _effect(pre, post, delay_s, hidden)
    whole = _effect(pre, post, delay_s, _joined([]))
    if abs(alone.gain) < _LEAST_Z * alone.se or whole.gain == 0:
        return 0.0
    return alone.gain / whole.gain


def _after(ticks: Int64[ndarray, " spikes"], delay_s: float) -> Int64[ndarray, "spikes 2"]:
    """Return the times in which what these spikes do is done."""
    return _between(ticks, delay_s - _BEFORE_S, delay_s + _AFTER_S)


def _between(ticks: Int64[ndarray, " spikes"], low_s: float, high_s: float) -> Int64[ndarray, "spikes 2"]:
    return ticks[:, None] + np.rint([low_s * TICKS_PER_S, high_s * TICKS_PER_S]).astype(np.int64)


def _joined(parts: list[ndarray]) -> Int64[ndarray, "times 2"]:
    """Return the union of stretches of time as stretches that do not touch, in order."""
    if not parts:
        return np.zeros((0, 2), dtype=np.int64)
    every = np.concatenate(parts)
    every = every[np.argsort(every[:, 0], kind="stable")]
    reach = np.maximum.accumulate(every[:, 1])
    starts = np.flatnonzero(np.concatenate([[True], every[1:, 0] > reach[:-1]]))
    return np.stack([every[starts, 0], np.concatenate([reach[starts[1:] - 1], reach[-1:]])], axis=1)


def _effect(pre: ndarray, post: ndarray, delay_s: float, hidden: Int64[ndarray, "times 2"]) -> _Effect:
    """Return the extra spikes after one of ``pre`` in the course of its effect, and its error, in time not hidden."""
    low, high = max(delay_s - _BEFORE_S, _SOONEST_S), delay_s + _AFTER_S
    seen = post[~_is_inside(post, hidden)]
    near, far = _counted(pre, seen, hidden, low, high), [_counted(pre, seen, hidden, *lags) for lags in _FAR_S]
    n_far, far_s = (sum(column) for column in zip(*far, strict=True))
    if near[1] <= 0 or far_s <= 0:
        return _Effect(0.0, np.inf)
    expected = n_far * near[1] / far_s
    gain = (near[0] - expected) * (high - low) / near[1]
    variance = max(expected, near[0], 1.0) + max(n_far, 1.0) * (near[1] / far_s) ** 2
    return _Effect(gain, float(np.sqrt(variance)) * (high - low) / near[1])


def _counted(pre: ndarray, seen: ndarray, hidden: ndarray, low_s: float, high_s: float) -> tuple[float, float]:
    """Return how many spikes were seen at these lags after those of ``pre``, and for how long one could have been."""
    start, stop = pre + round(low_s * TICKS_PER_S), pre + round(high_s * TICKS_PER_S)
    n = np.searchsorted(seen, stop).sum() - np.searchsorted(seen, start).sum()
    hidden_ticks = (_hidden_before(stop, hidden) - _hidden_before(start, hidden)).sum()
    return float(n), float((stop - start).sum() - hidden_ticks) / TICKS_PER_S


def _is_inside(ticks: ndarray, times: Int64[ndarray, "times 2"]) -> Bool[ndarray, " ticks"]:
    return np.searchsorted(times[:, 0], ticks, side="right") > np.searchsorted(times[:, 1], ticks, side="right")


def _hidden_before(ticks: ndarray, times: Int64[ndarray, "times 2"]) -> Int64[ndarray, " ticks"]:
    """Return how much of the stretches lies before each time."""
    length = np.concatenate([[0], np.cumsum(times[:, 1] - times[:, 0])])
    begun = np.searchsorted(times[:, 0], ticks, side="right")
    if not len(times):
        return np.zeros_like(ticks)
    ahead = np.maximum(times[np.maximum(begun - 1, 0), 1] - ticks, 0) * (begun > 0)
    return length[begun] - ahead
