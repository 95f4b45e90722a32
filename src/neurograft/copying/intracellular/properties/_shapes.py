"""Every synapse's own course: latency, rise, decay and amplitude with what is not known about each.

The common course that calls synapses starts sharply and is one for all; receptors open over some tenths of a
millisecond, and excitation, inhibition and every membrane differ.  So each called pair is fitted again by a
grid of potentials that are three exponentials in a row (receptors open, receptors close, the membrane leaks).
How common each pair of time constants is, is learnt from all called synapses of one sign (empirical Bayes, as
in ``_mixture``), and every figure is a posterior mean with its standard deviation.
"""

# ruff: noqa: PLR0917  (a fit is told by its parts)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._bells import decay
from neurograft.copying.intracellular.judging._scores import NEVER_V2, score_pairs
from neurograft.copying.intracellular.judging._templates import OwnCourses, means_by_lag, reach
from neurograft.copying.intracellular.properties._pooled import pooled
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._design import LagBoxes
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._slow import MIN_SHARE, baseline
from neurograft.copying.intracellular.regression._whiten import Whitener
from neurograft.units import MS, MV

# Receptors open in 0.2 to 0.6 ms (AMPA and GABA-A near 34 degrees, from memory); rows of a millisecond cannot tell.
_OPENING_S = np.array([0.15, 0.3, 0.45, 0.6]) * MS
_RISE_S = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 6.5]) * MS
_DECAY_S = np.array([4.0, 6.0, 9.0, 13.0, 20.0, 40.0]) * MS
_LATENCY_S = np.concatenate([np.arange(2, 33) * 0.25, np.arange(17, 41) * 0.5]) * MS
_SIZE_V = 1 * MV  # sd of the prior of amplitudes: hardly shrinks what was called
_SMOOTHING = 2.0  # synapses that equal shares of all time constants count for
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
    *,
    n_threads: int = 1,
) -> Shaped:
    """Return every pair's own course; where an amplifier's pulses are there as well, it is cleared of them first."""
    n, start = len(pairs), np.flatnonzero(np.diff(grid.group, prepend=-1))
    about = np.stack([*(x**power for x in (grid.latency_s, grid.rise_s, grid.decay_s) for power in (1, 2))])
    log_bayes, likeliest = np.zeros((n, len(start))), np.zeros((n, len(start)))
    best = np.zeros((n, len(start)), dtype=np.int64)
    means = np.zeros((n, len(start), 8))
    by_post = np.argsort(pairs[:, 1], kind="stable")
    by_lag = means_by_lag(grid.course, grid.first, len(whitener.coefficient), boxes)

    def fill(mine: Int64[ndarray, " some"]) -> None:
        image = by_lag[0] - np.tensordot(whitener.coefficient[:, pairs[mine[0], 1]], by_lag[1:], axes=(0, 0))
        image = image.T.copy()[None]
        for k in mine:
            score, known = _with_or_without_pulses(fit, own, int(pairs[k, 0]), int(pairs[k, 1]), image)
            _sum_groups(score, known, about, start, log_bayes[k], likeliest[k], best[k], means[k])

    for _ in in_order(n_threads, fill, np.split(by_post, np.flatnonzero(np.diff(pairs[by_post, 1])) + 1) if n else []):
        pass
    prior = np.full(len(start), 1 / len(start))
    posterior = pooled(log_bayes, sign, group=np.arange(len(start)), prior=prior, weight=_SMOOTHING)
    mean = np.einsum("pg,pgk->kp", posterior, means)
    spread = np.sqrt(np.maximum(mean[1::2] - mean[::2] ** 2, 0.0))
    figures = [column for pair in zip(mean[::2], spread, strict=True) for column in pair]
    chosen = best[np.arange(n), np.argmax(posterior * likeliest, axis=1)]
    return Shaped(*figures, best=chosen)


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
    fit: Fit, own: OwnCourses, pre: int, post: int, image: Float64[ndarray, "one boxes grid"]
) -> tuple[Float64[ndarray, " grid"], Float64[ndarray, " grid"]]:
    """Return each course's score and information, V^-1 and V^-2, cleared of slow changes.

    And of the amplifier's pulses, where they earn their number (Schwarz 1978).  Pulses and a course together explain no
    more than all that is there: where that would not do, they are not tried.
    """
    share = fit.share[pre, :, post].astype(np.float64)
    seen = np.sqrt(np.where(share >= MIN_SHARE, share, 0.0))
    beta, noise2 = fit.beta[pre, :, post].astype(np.float64), max(float(fit.noise[pre, post]) ** 2, NEVER_V2)
    precision = np.linalg.inv(fit.inverse_block[pre])
    slow2 = np.maximum(fit.slow_v[:, post : post + 1] ** 2, NEVER_V2)

    def scored(pulses: Float64[ndarray, "pulses boxes"]) -> tuple[ndarray, ndarray, float]:
        n = image.shape[2]
        z, known, gained, excess = np.empty((n, 1)), np.empty((n, 1)), np.empty(1), np.empty(1)
        score_pairs(
            beta[:, None], seen[:, None], precision, np.array([noise2]), slow2, baseline(fit.boxes, 1)[:, :, 0],
            pulses[None], image, (0, n) if len(pulses) else (0, 0), -1, z, known, gained, excess,
        )  # fmt: skip
        return z[:, 0] * np.sqrt(known[:, 0]), known[:, 0], float(gained[0])

    score, known, _ = scored(np.zeros((0, len(beta))))
    plain = _log_bayes(score, known).max()
    penalty = np.log(max(float(fit.n_kept[pre, post]), 2.0))
    everything = (seen * beta) @ precision @ (seen * beta) / noise2
    if 0.5 * (everything - own.n_pulses * penalty) <= plain + _SURELY:
        return score, known
    beneath, known_beneath, gained = scored(own.pulses_at(pre, post))
    gain = gained - own.n_pulses * penalty
    if 0.5 * gain + _log_bayes(beneath, known_beneath).max() > plain + _SURELY:
        return beneath, known_beneath
    return score, known


def _log_bayes(score: Float64[ndarray, " grid"], known: Float64[ndarray, " grid"]) -> Float64[ndarray, " grid"]:
    """Return log Bayes factors of normal amplitudes (Wakefield 2009, eq. 2)."""
    precise = known + _SIZE_V**-2
    return 0.5 * (score**2 / precise - np.log(precise * _SIZE_V**2))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
@no_type_check
def _sum_groups(score, known, about, start, log_bayes, likeliest, best, means):
    """Sum up one pair's courses by groups of time constants: within one all are as likely a priori.

    ``means`` become those of amplitude, latency, rise and decay, each with that of its square.
    """
    n_values, prior = len(about), _SIZE_V**-2
    each = 0.5 * (score**2 / (known + prior) - np.log((known + prior) / prior))
    weight = np.empty(len(each))
    for g in range(len(start)):
        stop = start[g + 1] if g + 1 < len(start) else len(each)
        top = start[g]
        for k in range(start[g], stop):
            if each[k] > each[top]:
                top = k
        most, total, first, second = each[top], 0.0, 0.0, 0.0
        for k in range(start[g], stop):
            weight[k] = decay(each[k] - most)
        for k in range(start[g], stop):
            precise = known[k] + prior
            amplitude = score[k] / precise
            total += weight[k]
            first += weight[k] * amplitude
            second += weight[k] * (1.0 / precise + amplitude**2)
        means[g, 0], means[g, 1] = first / total, second / total
        for v in range(n_values):
            mean = 0.0
            for k in range(start[g], stop):
                mean += weight[k] * about[v, k]
            means[g, v + 2] = mean / total
        best[g], likeliest[g], log_bayes[g] = top, 1.0 / total, most + np.log(total)
