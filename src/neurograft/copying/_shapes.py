"""Every synapse's own course: latency, rise, decay and amplitude with what is not known about each.

The common course that calls synapses starts sharply and is one for all; receptors open over some tenths of a
millisecond, and excitation, inhibition and every membrane differ.  So each called pair is fitted again by a
grid of potentials that are three exponentials in a row (receptors open, receptors close, the membrane leaks).
How common each pair of time constants is, is learnt from all called synapses of one sign (empirical Bayes, as
in ``_mixture``), and every figure is a posterior mean with its standard deviation.
"""

# ruff: noqa: PLR0917  (a fit is told by its parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.copying._design import LagBoxes
from neurograft.copying._pooled import pooled
from neurograft.copying._regression import Fit
from neurograft.copying._slow import MIN_SHARE, baseline
from neurograft.copying._templates import OwnCourses, reach
from neurograft.copying._whiten import Whitener
from neurograft.units import MS, MV

# Receptors open in 0.2 to 0.6 ms (AMPA and GABA-A near 34 degrees, from memory); rows of a millisecond cannot tell.
_OPENING_S = np.array([0.15, 0.3, 0.45, 0.6]) * MS
_RISE_S = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 6.5]) * MS
_DECAY_S = np.array([4.0, 6.0, 9.0, 13.0, 20.0, 40.0]) * MS
_LATENCY_S = np.concatenate([np.arange(2, 33) * 0.25, np.arange(17, 41) * 0.5]) * MS
_SIZE_V = 1 * MV  # sd of the prior of amplitudes: hardly shrinks what was called
_SMOOTHING = 2.0  # synapses that equal shares of all time constants count for
_NEVER_V2, _TINY = 1e-24, 1e-9
_SURELY = 2.0  # of log odds, before pulses are believed
_EDGES = 0.1, 0.9  # of the peak: where a rise time is taken
_LOST = np.exp(-1)  # of the peak: where a decay time is taken


class ShapeGrid(NamedTuple):
    """All courses that are tried, of peak 1, in rows from ``first`` on."""

    course: Float64[ndarray, "grid rows"]
    first: int
    latency_s: Float64[ndarray, " grid"]
    rise_s: Float64[ndarray, " grid"]  # from 10 to 90 % of the peak
    decay_s: Float64[ndarray, " grid"]  # from the peak to 37 % of it
    group: Int64[ndarray, " grid"]  # courses of one pair of time constants


class Shaped(NamedTuple):
    """Posterior of each called pair, in the order of the pairs."""

    amplitude_v: Float64[ndarray, " pairs"]
    amplitude_sd_v: Float64[ndarray, " pairs"]
    latency_s: Float64[ndarray, " pairs"]
    latency_sd_s: Float64[ndarray, " pairs"]
    rise_s: Float64[ndarray, " pairs"]
    rise_sd_s: Float64[ndarray, " pairs"]
    decay_s: Float64[ndarray, " pairs"]
    decay_sd_s: Float64[ndarray, " pairs"]
    best: Int64[ndarray, " pairs"]  # in the grid


def shape_grid(whitener: Whitener, boxes: LagBoxes, row_rate_hz: float) -> ShapeGrid:
    """Return every combination of opening, rise, decay and latency."""
    first, last = reach(whitener, boxes)
    edge_s = np.arange(first - 1, last + 1) / row_rate_hz
    course: list[ndarray] = []
    rows: list[tuple[float, float, float, int]] = []
    group = 0
    for rise_s in _RISE_S:
        for decay_s in _DECAY_S[rise_s < _DECAY_S]:
            for opening_s in _OPENING_S:
                taus_s = (float(opening_s), float(rise_s), float(decay_s))
                times_s = rise_and_decay_s(taus_s)
                course.append(_in_rows(taus_s, edge_s[:, None] - _LATENCY_S, row_rate_hz))
                rows += [(float(latency_s), *times_s, group) for latency_s in _LATENCY_S]
            group += 1
    latency, rise, decay, groups = (np.array(column) for column in zip(*rows, strict=True))
    return ShapeGrid(np.concatenate(course, axis=1).T.copy(), first, latency, rise, decay, groups.astype(np.int64))


def cascade(t_s: Float64[ndarray, " times"], taus_s: tuple[float, float, float]) -> Float64[ndarray, " times"]:
    """Return three exponential filters in a row, struck at time 0, scaled to a peak of 1."""
    since_s = np.maximum(t_s, 0.0)
    wave = np.zeros_like(since_s)
    for k, tau_s in enumerate(taus_s):
        others = [tau_s - other for m, other in enumerate(taus_s) if m != k]
        wave += tau_s * np.exp(-since_s / tau_s) / float(np.prod(others))
    wave = np.where(t_s > 0, wave, 0.0)  # rounding leaves a little before
    return wave / max(float(wave.max()), 1e-300)


def _in_rows(
    taus_s: tuple[float, float, float], edge_s: Float64[ndarray, "edges latencies"], row_rate_hz: float
) -> Float64[ndarray, "rows latencies"]:
    """Return means over rows, the spike anywhere in its row: second differences of the course's second integral."""
    step_s = 0.02 * MS
    wave = cascade(np.arange(round((float(edge_s.max()) + step_s) / step_s) + 2) * step_s, taus_s)
    once = np.concatenate([[0.0], np.cumsum(0.5 * (wave[1:] + wave[:-1]))]) * step_s
    twice = np.concatenate([[0.0], np.cumsum(0.5 * (once[1:] + once[:-1]))]) * step_s
    return np.diff(np.interp(edge_s, np.arange(len(twice)) * step_s, twice), n=2, axis=0) * row_rate_hz**2


def rise_and_decay_s(taus_s: tuple[float, float, float]) -> tuple[float, float]:
    """Return the time from 10 to 90 % of the peak, and from the peak to 37 % of it."""
    step_s = 0.02 * MS
    wave = cascade(np.arange(round(8 * max(taus_s) / step_s)) * step_s, taus_s)
    peak = int(np.argmax(wave))
    low, high = (int(np.argmax(wave >= edge)) for edge in _EDGES)
    return (high - low) * step_s, int(np.argmax(wave[peak:] <= _LOST)) * step_s


def shaped(
    fit: Fit,
    whitener: Whitener,
    boxes: LagBoxes,
    grid: ShapeGrid,
    own: OwnCourses,
    pairs: Int64[ndarray, "pairs 2"],
    sign: Float64[ndarray, " pairs"],
) -> Shaped:
    """Return every pair's own course; where an amplifier's pulses are there as well, it is cleared of them first."""
    n, start = len(pairs), np.flatnonzero(np.diff(grid.group, prepend=-1))
    about = np.stack([*(x**power for x in (grid.latency_s, grid.rise_s, grid.decay_s) for power in (1, 2))])
    log_bayes, likeliest = np.zeros((n, len(start))), np.zeros((n, len(start)))
    best = np.zeros((n, len(start)), dtype=np.int64)
    means = np.zeros((n, len(start), 8))
    image, seen_post = np.zeros((0, 0)), -1
    for k in np.argsort(pairs[:, 1], kind="stable"):
        pre, post = (int(x) for x in pairs[k])
        if post != seen_post:
            image, seen_post = images(grid, whitener, boxes, post), post
        each, amplitude_v, variance_v2 = _with_or_without_pulses(fit, own, pre, post, image)
        # a group's courses are as likely a priori: its sums are all that the pooling and the means need
        top = np.maximum.reduceat(each, start)
        weight = np.exp(each - top[grid.group])
        total = np.add.reduceat(weight, start)
        weight /= total[grid.group]
        values = np.concatenate([[amplitude_v, variance_v2 + amplitude_v**2], about])
        log_bayes[k], means[k] = top + np.log(total), np.add.reduceat(values * weight, start, axis=1).T
        likeliest[k] = 1 / total
        best[k] = [first + np.argmax(part) for first, part in zip(start, np.split(each, start[1:]), strict=True)]
    prior = np.full(len(start), 1 / len(start))
    posterior = pooled(log_bayes, sign, group=np.arange(len(start)), prior=prior, weight=_SMOOTHING)
    mean = np.einsum("pg,pgk->kp", posterior, means)
    spread = np.sqrt(np.maximum(mean[1::2] - mean[::2] ** 2, 0.0))
    figures = [column for pair in zip(mean[::2], spread, strict=True) for column in pair]
    chosen = best[np.arange(n), np.argmax(posterior * likeliest, axis=1)]
    return Shaped(*figures, best=chosen)


def images(grid: ShapeGrid, whitener: Whitener, boxes: LagBoxes, post: int) -> Float64[ndarray, "grid boxes"]:
    """Return every course's mean in the boxes after the target's whitening filter."""
    white = whitened(grid, whitener, post, np.arange(len(grid.course)))
    spans = zip(boxes.low - grid.first, boxes.high - grid.first, strict=True)
    return np.stack([white[:, a:b].mean(axis=1) for a, b in spans], axis=1)


def whitened(
    grid: ShapeGrid, whitener: Whitener, post: int, which: Int64[ndarray, " some"]
) -> Float64[ndarray, "some rows"]:
    """Return courses after the target's whitening filter."""
    course = grid.course[which]
    white = course.copy()
    for lag, coefficient in enumerate(whitener.coefficient[:, post], start=1):
        white[:, lag:] -= coefficient * course[:, :-lag]
    return white


def _with_or_without_pulses(
    fit: Fit, own: OwnCourses, pre: int, post: int, image: ndarray
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the fit with the amplifier's pulses where they earn their number (Schwarz 1978), else without."""
    slow = baseline(fit.boxes, 1)[:, :, 0]
    plain = _fitted(fit, pre, post, image, slow)
    pulses = own.pulses_at(pre, post)
    under = _fitted(fit, pre, post, image, np.concatenate([slow, pulses]))
    gained = under.explained - plain.explained - len(pulses) * np.log(max(float(fit.n_kept[pre, post]), 2.0))
    chosen = under if 0.5 * gained + under.log_bayes.max() > plain.log_bayes.max() + _SURELY else plain
    return chosen.log_bayes, chosen.amplitude_v, chosen.variance_v2


class _Fitted(NamedTuple):
    log_bayes: Float64[ndarray, " grid"]
    amplitude_v: Float64[ndarray, " grid"]
    variance_v2: Float64[ndarray, " grid"]
    explained: float  # chi-squared of what is besides


def _fitted(fit: Fit, pre: int, post: int, image: ndarray, besides: ndarray) -> _Fitted:
    """Return log Bayes factor, amplitude and its variance for each course, cleared of what is besides.

    The first two of ``besides`` are slow changes, random of the size learnt for the target; others have any size.
    """
    seen = np.sqrt(np.where(fit.share[pre, :, post] >= MIN_SHARE, fit.share[pre, :, post], 0.0))
    precision = np.linalg.inv(fit.inverse_block[pre])
    noise2 = max(fit.noise[pre, post] ** 2, _NEVER_V2)
    scaled, beside = image * seen, besides * seen
    weighted = scaled @ precision
    answer = precision @ (seen * fit.beta[pre, :, post])
    theirs = beside @ precision @ beside.T
    theirs += _TINY * max(float(np.trace(theirs)), 1.0) * np.eye(len(beside))
    theirs[[0, 1], [0, 1]] += noise2 / np.maximum(fit.slow_v[:, post] ** 2, _NEVER_V2)
    cross = weighted @ beside.T
    solved = np.linalg.solve(theirs, cross.T).T
    score = scaled @ answer - solved @ (beside @ answer)
    own = np.einsum("gb,gb->g", weighted, scaled) - np.einsum("gp,gp->g", solved, cross)
    precise = np.maximum(own, 0.0) / noise2 + _SIZE_V**-2
    amplitude_v = score / noise2 / precise
    log_bayes = 0.5 * (amplitude_v**2 * precise - np.log(precise * _SIZE_V**2))
    explained = float((beside @ answer) @ np.linalg.solve(theirs, beside @ answer)) / noise2
    return _Fitted(log_bayes, amplitude_v, 1 / precise, explained)
