"""From lag coefficients to amplitudes: every template fitted alone, by generalised least squares."""

# ruff: noqa: PLR0917  (a fit is told by its parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.judging._scores import NEVER_V2, score_pairs
from neurograft.copying.intracellular.judging._side_by_side import best_lanes, in_blocks, run, scores_lanes
from neurograft.copying.intracellular.judging._templates import (
    Family,
    OwnCourses,
    Shape,
    TemplateOptions,
    Templates,
    templates,
)
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._slow import MIN_SHARE, baseline

_STRONG_Z, _STRONG_CLEARED_Z = 6.0, 3.0
_SHAPE_NEURONS, _SHAPE_TARGETS = 200, 1024  # as many presynaptic and postsynaptic neurons decide the common shape
_TARGETS_AT_ONCE, _LONGER = 512, 24


class Scores(NamedTuple):
    """Amplitude over standard error, and one over the error squared, of each template at each pair; 0 = unseen."""

    z: Float64[ndarray, "templates pre post"]
    information: Float64[ndarray, "templates pre post"]  # V^-2


def scores(fit: Fit, kinds: Templates, pre: Int64[ndarray, " pre"]) -> Scores:
    """Return the fit of every template to these presynaptic neurons' coefficients.

    The first template of cross-talk is each neuron's own course, or all pulses together, whichever explains more.
    Templates of a synapse beneath cross-talk are
    fitted together with all pulses, whose sizes are free (Frisch and Waugh 1933: both cleared of the pulses).

    Where even the best template leaves more than chance would, the pair's errors are larger than they say, and all are
    widened until it fits (Birge 1932, Phys. Rev. 40, 207): neurons that fire at regular intervals in the same few
    bursts meet the other's membrane at the same phases again and again, which looks like nothing and like everything.
    """
    by_target = _by_target(kinds.image)
    talk, under = int(np.argmax(kinds.family == Family.CROSS_TALK)), run(kinds.is_under_talk)
    out = _nothing(len(kinds.image), pre, fit.beta.shape[2])
    for k, i in enumerate(pre):
        if fit.n_spikes[i] > 0:
            pulses = kinds.own.pulses(int(i))
            gained, excess = _score(fit, int(i), by_target, under, talk, pulses, out, k)
            gained -= (len(pulses) - 1) * np.log(np.maximum(fit.n_kept[i], 2.0))
            out.z[talk, k] = np.maximum(np.abs(out.z[talk, k]), np.sqrt(np.maximum(gained, 0.0)))
            out.z[:, k] /= np.sqrt(excess)
            out.information[:, k] /= excess
            out.z[:, k, i] = out.information[:, k, i] = 0.0
    return out


def alone(
    fit: Fit, image: Float64[ndarray, "templates boxes neurons"], pre: Int64[ndarray, " pre"], *, n_threads: int = 1
) -> Scores:
    """Return the fit of each image with nothing else."""
    z, information = np.zeros((2, len(image), len(pre), image.shape[2]))
    by_target = _by_target(image)

    def fill(some: Int64[ndarray, " some"]) -> None:
        found = scores_lanes(fit, by_target, pre[some])
        z[:, some], information[:, some] = (part.transpose(1, 2, 0) for part in found)

    for _ in in_order(n_threads, fill, in_blocks(np.flatnonzero(fit.n_spikes[pre] > 0))):
        pass
    z[:, np.arange(len(pre)), pre] = information[:, np.arange(len(pre)), pre] = 0.0
    return Scores(z, information)


def _nothing(n_templates: int, pre: Int64[ndarray, " pre"], n: int) -> Scores:
    """Return zeros; rows are a little longer in memory, because powers of two fall into few places of a cache."""
    z, information = (np.zeros((n_templates, len(pre), n + _LONGER))[:, :, :n] for _ in range(2))
    return Scores(z, information)


def _by_target(image: Float64[ndarray, "templates boxes neurons"]) -> Float64[ndarray, "neurons boxes templates"]:
    return np.ascontiguousarray(image.transpose(2, 1, 0))


def _score(
    fit: Fit,
    i: int,
    by_target: Float64[ndarray, "neurons boxes templates"],
    under: tuple[int, int],
    talk: int,
    pulses: Float64[ndarray, "pulses boxes neurons"],
    out: Scores,
    k: int,
) -> tuple[Float64[ndarray, " neurons"], Float64[ndarray, " neurons"]]:
    """Fill z and information of neuron i's outputs; return what pulses explain over slow changes, and the excess.

    Templates ``under`` are the run beneath cross-talk; number ``talk`` is the neuron's own course.

    Both are of chi-squared: the excess is what the best template leaves for each degree of freedom, at least 1.

    Templates are cleared of slow changes, those beneath cross-talk of the pulses as well.  Pulses have any size; slow
    changes are random, of the size learnt for each target (Robinson 1991, Stat. Sci. 6).
    """
    n = by_target.shape[0]
    noise2 = np.where(fit.noise[i] > 0, fit.noise[i] ** 2, 0.0)
    seen = np.sqrt(np.where(fit.share[i] >= MIN_SHARE, fit.share[i], 0.0)).astype(np.float64)
    gained, excess = np.zeros(n), np.ones(n)
    score_pairs(
        fit.beta[i].astype(np.float64), seen, np.linalg.inv(fit.inverse_block[i]), noise2,
        np.maximum(fit.slow_v**2, NEVER_V2), baseline(fit.boxes, 1)[:, :, 0],
        np.ascontiguousarray(pulses.transpose(2, 0, 1)), by_target, under, talk,
        out.z[:, k], out.information[:, k], gained, excess,
    )  # fmt: skip
    return gained, excess


def choose_shape(
    fit: Fit,
    options: TemplateOptions,
    own: OwnCourses,
    row_rate_hz: float,
    usable: Bool[ndarray, " post"],
    *,
    n_threads: int = 1,
) -> Shape:
    """Return the time constants that explain most of the strong pairs; the middle ones when none is strong.

    A pair is strong when some shape at some latency makes it so, and still stands out when cleared of all that an
    amplifier passes on: on quiet arrays most of the largest z are cross-talk, which starts more sharply than any
    potential.  Each has one vote, the share of its coefficients' power that a shape explains at its best latency.
    """
    pre = np.flatnonzero(usable & (fit.n_spikes > 0))[:_SHAPE_NEURONS]
    post = np.flatnonzero(usable)
    if len(post) > _SHAPE_TARGETS:
        post = np.sort(np.random.default_rng(0).choice(post, _SHAPE_TARGETS, replace=False))
    shapes = [Shape(rise_s, decay_s) for rise_s in options.rise_s for decay_s in options.decay_s if rise_s < decay_s]
    some = [k for k, shape in enumerate(shapes) if shape.decay_s == options.decay_s[-2]]  # will do for what stands out
    best, cleared = np.zeros((len(shapes), len(pre), len(post))), np.zeros((len(pre), len(post)))
    for first in range(0, len(post), _TARGETS_AT_ONCE):
        part = slice(first, min(first + _TARGETS_AT_ONCE, len(post)))
        near, talk = fit.to(post[part]), own._replace(whitener=own.whitener.of(post[part]))
        each = [
            templates(shape, options, talk.whitener, own.boxes, row_rate_hz, with_rivals=False).image
            for shape in shapes
        ]
        by_target = np.concatenate([_by_target(image) for image in each], axis=2)
        few = np.concatenate([_by_target(each[k]) for k in some], axis=2)

        def fill(
            mine: ndarray,
            near: Fit = near,
            talk: OwnCourses = talk,
            by_target: ndarray = by_target,
            few: ndarray = few,
            part: slice = part,
        ) -> None:
            best[:, mine, part] = best_lanes(near, by_target, pre[mine], None, len(shapes)).transpose(1, 2, 0)
            cleared[mine, part] = best_lanes(near, few, pre[mine], talk, 1)[:, 0].T

        for _ in in_order(n_threads, fill, in_blocks(np.arange(len(pre)))):
            pass
    best[:, pre[:, None] == post] = 0.0
    strong = (np.max(best, axis=0, initial=0.0) > _STRONG_Z**2) & (cleared > _STRONG_CLEARED_Z**2)
    if not strong.any():
        return shapes[len(shapes) // 2]
    power = _power(fit.to(post), pre)[strong]
    return shapes[int(np.argmax([np.sum(z2[strong] / power) for z2 in best]))]


def _power(fit: Fit, pre: Int64[ndarray, " pre"]) -> Float64[ndarray, "pre post"]:
    """Return b' cov(b)^-1 b of each pair's coefficients: what a template that fits perfectly would explain."""
    power = np.empty((len(pre), fit.beta.shape[2]))
    for k, i in enumerate(pre):
        seen = np.sqrt(np.where(fit.share[i] >= MIN_SHARE, fit.share[i], 0.0)) * fit.beta[i]
        noise2 = np.where(fit.noise[i] > 0, fit.noise[i] ** 2, np.inf)
        power[k] = np.sum(seen * (np.linalg.inv(fit.inverse_block[i]) @ seen), axis=0) / noise2
    return np.maximum(power, np.finfo(np.float64).tiny)
