"""What synapses of one recording have in common, their delays and courses: what clear ones show counts for the others.

A judge that knows neither has to look everywhere, and so needs a stronger peak than one who knows where synapses of
this network act.  Pairs that are rather synapses than not are counted (of each sign, delay and shape apart, beside a
few pseudo-synapses of any delay and shape), and by Bayes' rule a pair's odds change by the likelihood of what is seen
of it under these counts over that under all alike.  Twice: with a quarter of the logarithm for the courses of its
correlogram, which are fine, and with half of it for the windows of the regression, which are coarse but know the other
neurons; not with all, as the judge has read the same peak.  No pair counts for itself.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._scan import usual_courses
from neurograft.units import MS

_TRUST_COURSE, _TRUST_WINDOW = 0.25, 0.5  # of the log odds; chosen among 0 to 1 on training families left out
_PSEUDO_SYNAPSES = 4.0  # any delay and shape is as likely as others with this weight; 2 to 10 do as well
_DELAY_SD_S = 1 * MS  # over which delays are alike; .5 to 2 ms do as well
_EFFECT_Z = 3.0  # sd of a synapse's z before its correlogram is seen; 2 to 5 do as well
_CLEAR_ODDS = 0.0  # from which on a pair counts
_ROWS_AT_ONCE = 50_000


class Seen(NamedTuple):
    """What there is to see of all correlograms, flat over pre and post."""

    even: Float32[ndarray, "correlograms bins"]  # excess without drives, of unit variance in every bin
    windows: Float[ndarray, "correlograms windows"]  # z of the regression's windows


class _Looks(NamedTuple):
    """Places where a synapse may show, shape by shape, and over which delays they are alike."""

    values: Float[ndarray, "correlograms values"]
    table: Float[ndarray, "values looks"]  # z = values @ table
    n_shapes: int
    blur: Float64[ndarray, "delays delays"]

    def z(self, place: Int64[ndarray, " pairs"]) -> Float[ndarray, "pairs looks"]:
        """Return what each look at these correlograms shows."""
        return self.values[place] @ self.table


class _Counts(NamedTuple):
    """Weighted counts of clear synapses, and what each of them added."""

    delay: Float64[ndarray, " delays"]
    shape: Float64[ndarray, " shapes"]
    own_delay: Float64[ndarray, "clear delays"]
    own_shape: Float64[ndarray, "clear shapes"]


def by_usual_course(
    odds: Float64[ndarray, " pairs"], seen: Seen, place: Int64[ndarray, " pairs"], grid: LagGrid, *, sign: float
) -> Float64[ndarray, " pairs"]:
    """Return the log odds of one sign's readings, given delays and courses of the clear ones among them.

    ``place`` says which of the correlograms is a pair's.
    """
    clear = np.flatnonzero(odds > _CLEAR_ODDS)
    if not clear.size:
        return odds
    table = usual_courses(grid)
    flat = table.reshape(grid.n_bins, -1) * np.float32(sign)
    step_s = max(grid.bin_s, 0.5 * MS)
    distance_s = np.subtract.outer(np.arange(table.shape[2]), np.arange(table.shape[2])) * step_s
    blur = np.exp(-0.5 * (distance_s / _DELAY_SD_S) ** 2)
    courses = _Looks(seen.even, flat, table.shape[1], blur / blur.sum(axis=0))
    each = np.eye(seen.windows.shape[1])
    windows = _Looks(seen.windows, sign * each, 1, each)
    by_course, by_window = (_change(odds, clear, place, looks) for looks in (courses, windows))
    return odds + _TRUST_COURSE * by_course + _TRUST_WINDOW * by_window


def _change(
    odds: Float64[ndarray, " pairs"], clear: Int64[ndarray, " clear"], place: Int64[ndarray, " pairs"], looks: _Looks
) -> Float64[ndarray, " pairs"]:
    """Return by how much the log odds of every pair change."""
    counts = _counted(_likely(looks.z(place[clear])), odds[clear], looks)
    weights = _weights(counts.delay, counts.shape)
    answer = np.empty_like(odds)
    for first in range(0, odds.size, _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        likely = _likely(looks.z(place[part]))
        answer[part] = np.log(likely @ weights) - np.log(likely.mean(axis=1))
    for k, own_delay, own_shape in zip(clear, counts.own_delay, counts.own_shape, strict=True):
        likely = _likely(looks.z(place[k : k + 1]))[0]
        others = _weights(np.maximum(counts.delay - own_delay, 0.0), np.maximum(counts.shape - own_shape, 0.0))
        answer[k] = np.log(likely @ others) - np.log(likely.mean())
    return answer


def _likely(z: Float[ndarray, "pairs looks"]) -> Float64[ndarray, "pairs looks"]:
    """Return the likelihood of a synapse at every look over that of none, the largest of a pair being 1.

    Of a normal deviate whose mean is 0 without a synapse and normal with sd ``_EFFECT_Z`` with one.
    """
    share = _EFFECT_Z**2 / (1 + _EFFECT_Z**2)
    half_square = 0.5 * share * np.maximum(z, 0.0).astype(np.float64) ** 2
    return np.exp(half_square - half_square.max(axis=1, keepdims=True))


def _counted(likely: Float64[ndarray, "clear looks"], odds: Float64[ndarray, " clear"], looks: _Looks) -> _Counts:
    """Return how often each delay and each shape occurs, every clear pair weighing its chance to be a synapse."""
    n_delays = len(looks.blur)
    chance = 1 / (1 + np.exp(-odds))

    def counts(weights: Float64[ndarray, " looks"]) -> _Counts:
        share = likely * weights
        share *= (chance / share.sum(axis=1))[:, None]
        share = share.reshape(-1, looks.n_shapes, n_delays)
        own_delay, own_shape = share.sum(axis=1) @ looks.blur, share.sum(axis=2)
        return _Counts(own_delay.sum(axis=0), own_shape.sum(axis=0), own_delay, own_shape)

    first = counts(_weights(np.zeros(n_delays), np.zeros(looks.n_shapes)))
    return counts(_weights(first.delay, first.shape))


def _weights(delay: Float64[ndarray, " delays"], shape: Float64[ndarray, " shapes"]) -> Float64[ndarray, " looks"]:
    """Return the chance of every look, shape by shape."""
    by_delay = delay + _PSEUDO_SYNAPSES / delay.size
    by_shape = shape + _PSEUDO_SYNAPSES / shape.size
    return (by_shape[:, None] * by_delay / (by_shape.sum() * by_delay.sum())).ravel()
