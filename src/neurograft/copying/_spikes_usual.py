"""What synapses of one recording have in common, their delays and courses: what clear ones show counts for the others.

A judge that knows neither has to look everywhere, and so needs a stronger peak than one who knows where synapses of
this network act.  The courses of pairs that are rather synapses than not are counted (of each sign, delay and shape
apart, beside a few pseudo-synapses of any delay and shape), and by Bayes' rule a pair's odds change by the likelihood
of its correlogram under these counts over that under all alike.  No pair counts for itself.  Half of the logarithm is
taken: the judge has read the same peak.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from neurograft.copying._correlogram import LagGrid
from neurograft.copying._spikes_scan import usual_courses
from neurograft.units import MS

_TRUST = 0.5  # of the log odds; chosen among 0, .5, .7 and 1 on training families
_PSEUDO_SYNAPSES = 4.0  # any delay and shape is as likely as others with this weight; 2 to 10 do as well
_DELAY_SD_S = 1 * MS  # over which delays are alike; .5 to 2 ms do as well
_EFFECT_Z = 3.0  # sd of a synapse's z before its correlogram is seen; 2 to 5 do as well
_CLEAR_ODDS = 0.0  # from which on a pair counts
_ROWS_AT_ONCE = 50_000


class _Counts(NamedTuple):
    """Weighted counts of clear synapses, and what each of them added."""

    delay: Float64[ndarray, " delays"]
    shape: Float64[ndarray, " shapes"]
    own_delay: Float64[ndarray, "clear delays"]
    own_shape: Float64[ndarray, "clear shapes"]


def by_usual_course(
    odds: Float64[ndarray, " pairs"],
    even: Float32[ndarray, "correlograms bins"],
    place: Int64[ndarray, " pairs"],
    grid: LagGrid,
    *,
    sign: float,
) -> Float64[ndarray, " pairs"]:
    """Return the log odds of one sign's readings, given delays and courses of the clear ones among them.

    ``even`` are the correlograms' excesses, of unit variance in every bin, a pair's at its ``place``.
    """
    clear = np.flatnonzero(odds > _CLEAR_ODDS)
    if not clear.size:
        return odds
    table = usual_courses(grid)
    flat = table.reshape(grid.n_bins, -1)
    counts = _counted(_likely(even[place[clear]] @ flat * sign), odds[clear], grid, n_shapes=table.shape[1])
    weights = _weights(counts.delay, counts.shape)
    answer = odds.copy()
    for first in range(0, odds.size, _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        likely = _likely(even[place[part]] @ flat * sign)
        answer[part] += _TRUST * (np.log(likely @ weights) - np.log(likely.mean(axis=1)))
    for k, own_delay, own_shape in zip(clear, counts.own_delay, counts.own_shape, strict=True):
        likely = _likely(even[place[k : k + 1]] @ flat * sign)[0]
        others = _weights(np.maximum(counts.delay - own_delay, 0.0), np.maximum(counts.shape - own_shape, 0.0))
        answer[k] = odds[k] + _TRUST * (np.log(likely @ others) - np.log(likely.mean()))
    return answer


def _likely(z: Float32[ndarray, "pairs courses"]) -> Float64[ndarray, "pairs courses"]:
    """Return the likelihood of every course over that of none, the largest of a pair being 1.

    Of a normal deviate whose mean is 0 without a synapse and normal with sd ``_EFFECT_Z`` with one.
    """
    share = _EFFECT_Z**2 / (1 + _EFFECT_Z**2)
    half_square = 0.5 * share * np.maximum(z, 0.0).astype(np.float64) ** 2
    return np.exp(half_square - half_square.max(axis=1, keepdims=True))


def _counted(
    likely: Float64[ndarray, "clear courses"], odds: Float64[ndarray, " clear"], grid: LagGrid, *, n_shapes: int
) -> _Counts:
    """Return how often each delay and each shape occurs, every clear pair weighing its chance to be a synapse."""
    n_delays = likely.shape[1] // n_shapes
    step_s = max(grid.bin_s, 0.5 * MS)
    distance_s = (np.arange(n_delays)[:, None] - np.arange(n_delays)[None, :]) * step_s
    blur = np.exp(-0.5 * (distance_s / _DELAY_SD_S) ** 2)
    blur /= blur.sum(axis=0)
    chance = 1 / (1 + np.exp(-odds))

    def counts(weights: Float64[ndarray, " courses"]) -> _Counts:
        share = likely * weights
        share *= (chance / share.sum(axis=1))[:, None]
        share = share.reshape(-1, n_shapes, n_delays)
        own_delay, own_shape = share.sum(axis=1) @ blur, share.sum(axis=2)
        return _Counts(own_delay.sum(axis=0), own_shape.sum(axis=0), own_delay, own_shape)

    first = counts(_weights(np.zeros(n_delays), np.zeros(n_shapes)))
    return counts(_weights(first.delay, first.shape))


def _weights(delay: Float64[ndarray, " delays"], shape: Float64[ndarray, " shapes"]) -> Float64[ndarray, " courses"]:
    """Return the chance of every course, shape by shape."""
    by_delay = delay + _PSEUDO_SYNAPSES / delay.size
    by_shape = shape + _PSEUDO_SYNAPSES / shape.size
    return (by_shape[:, None] * by_delay / (by_shape.sum() * by_delay.sum())).ravel()
