"""From lag coefficients to amplitudes: every template fitted alone, by generalised least squares."""

# ruff: noqa: PLR0917  (a fit is told by its parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.copying._design import LagBoxes
from neurograft.copying._regression import Fit
from neurograft.copying._slow import MIN_SHARE, baseline
from neurograft.copying._templates import Family, Shape, TemplateOptions, Templates, templates
from neurograft.copying._whiten import Whitener

_STRONG_Z = 6.0
_TINY = 1e-9  # keeps pulses that the data do not show solvable
_NEVER_V2 = 1e-24
_SHAPE_NEURONS = 200  # as many presynaptic neurons decide the common shape


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
    under = kinds.is_under_talk
    talk = int(np.argmax(kinds.family == Family.CROSS_TALK))
    image = kinds.image.copy()
    out = _nothing(image, pre)
    for k, i in enumerate(pre):
        if fit.n_spikes[i] > 0:
            pulses = kinds.own.pulses(int(i))
            plain, cleared = _solved(fit, int(i), pulses[:0]), _solved(fit, int(i), pulses)
            image[talk] = pulses[0]
            out.z[~under, k], out.information[~under, k] = _scored(plain, image[~under])
            out.z[under, k], out.information[under, k] = _scored(cleared, image[under])
            excess = np.maximum(plain.misfit(out.z[~under, k]), 1.0)
            excess = np.minimum(excess, np.maximum(cleared.misfit(out.z[under, k]), 1.0))
            out.z[talk, k] = np.maximum(np.abs(out.z[talk, k]), _all_pulses(plain, cleared, fit.n_kept[i]))
            out.z[:, k] /= np.sqrt(excess)
            out.information[:, k] /= excess
            out.z[:, k, i] = out.information[:, k, i] = 0.0
    return out


def alone(fit: Fit, image: Float64[ndarray, "templates boxes neurons"], pre: Int64[ndarray, " pre"]) -> Scores:
    """Return the fit of each image with nothing else."""
    out = _nothing(image, pre)
    for k, i in enumerate(pre):
        if fit.n_spikes[i] > 0:
            out.z[:, k], out.information[:, k] = _scored(_solved(fit, int(i), image[:0]), image)
            out.z[:, k, i] = out.information[:, k, i] = 0.0
    return out


def _nothing(image: ndarray, pre: Int64[ndarray, " pre"]) -> Scores:
    shape = (len(image), len(pre), image.shape[2])
    return Scores(np.zeros(shape), np.zeros(shape))


class _Solved(NamedTuple):
    """What a pair's coefficients hold of slow changes and pulses, for one neuron's outputs."""

    seen: Float64[ndarray, "boxes neurons"]
    precision: Float64[ndarray, "boxes boxes"]
    noise2: Float64[ndarray, " neurons"]
    besides: Float64[ndarray, "besides boxes neurons"]
    theirs: Float64[ndarray, "neurons besides besides"]
    answer: Float64[ndarray, "boxes neurons"]
    power: Float64[ndarray, " neurons"]  # chi-squared of all coefficients

    def explained(self) -> Float64[ndarray, " neurons"]:
        """Return chi-squared of slow changes and pulses together."""
        score = np.einsum("pbj,bj->jp", self.besides, self.answer)
        return np.einsum("jp,jp->j", score, np.linalg.solve(self.theirs, score[..., None])[..., 0]) / self.noise2

    def misfit(self, z: Float64[ndarray, "templates neurons"]) -> Float64[ndarray, " neurons"]:
        """Return what the best template, with slow changes and pulses, leaves of chi-squared, a degree of freedom."""
        left = self.power - self.explained() - np.max(z**2, axis=0, initial=0.0)
        freedom = np.count_nonzero(self.seen, axis=0) - len(self.besides) - 1
        return left / np.maximum(freedom, 1)


def _solved(fit: Fit, i: int, pulses: ndarray) -> _Solved:
    seen = np.sqrt(np.where(fit.share[i] >= MIN_SHARE, fit.share[i], 0.0))
    precision = np.linalg.inv(fit.inverse_block[i])
    noise2 = np.where(fit.noise[i] > 0, fit.noise[i] ** 2, np.inf)
    slow = baseline(fit.boxes, pulses.shape[2])
    besides = np.concatenate([slow, pulses]) * seen
    theirs = np.einsum("pbj,qbj->jpq", besides, precision @ besides)
    theirs += (_TINY * np.maximum(np.einsum("jpp->j", theirs), 1.0))[:, None, None] * np.eye(len(besides))
    slow2 = np.maximum(fit.slow_v**2, _NEVER_V2)
    theirs[:, range(len(slow)), range(len(slow))] += (np.where(np.isfinite(noise2), noise2, 0.0) / slow2).T
    answer = precision @ (seen * fit.beta[i])
    power = np.sum(seen * fit.beta[i] * answer, axis=0) / noise2
    return _Solved(seen, precision, noise2, besides, theirs, answer, power)


def _scored(it: _Solved, image: ndarray) -> tuple[ndarray, ndarray]:
    """Return z and information of each image, cleared of pulses and of slow changes.

    Pulses have any size; slow changes are random, of the size learnt for each target (Robinson 1991, Stat. Sci. 6).
    """
    scaled = image * it.seen
    score = np.einsum("tbj,bj->tj", scaled, it.answer)
    own = np.sum(scaled * (it.precision @ scaled), axis=1)
    cross = np.einsum("tbj,pbj->jpt", scaled, it.precision @ it.besides)
    solved = np.linalg.solve(it.theirs, cross)
    score -= np.einsum("jpt,pj->tj", solved, np.einsum("pbj,bj->pj", it.besides, it.answer))
    information = np.maximum(own - np.einsum("jpt,jpt->tj", cross, solved), 0.0) / it.noise2
    return score / it.noise2 / np.sqrt(np.where(information > 0, information, np.inf)), information


def _all_pulses(plain: _Solved, cleared: _Solved, n_kept: ndarray) -> Float64[ndarray, " neurons"]:
    """Return z of all pulses together, as if they had one size between them: each further one costs ln(spikes).

    Schwarz 1978, Ann. Statist. 6, 461.
    """
    n_pulses = len(cleared.besides) - len(plain.besides)
    gained = cleared.explained() - plain.explained()
    return np.sqrt(np.maximum(gained - (n_pulses - 1) * np.log(np.maximum(n_kept, 2.0)), 0.0))


def choose_shape(
    fit: Fit, options: TemplateOptions, whitener: Whitener, boxes: LagBoxes, row_rate_hz: float, usable: ndarray
) -> Shape:
    """Return the time constants that explain most of the strong pairs; the middle ones when none is strong.

    A pair is strong when some shape at some latency makes it so.  Each has one vote, the share of its
    coefficients' power that a shape explains at its best latency: an amplifier's cross-talk has the largest z of
    all and no potential's shape.
    """
    pre = np.flatnonzero(usable & (fit.n_spikes > 0))[:_SHAPE_NEURONS]
    shapes = [Shape(rise_s, decay_s) for rise_s in options.rise_s for decay_s in options.decay_s if rise_s < decay_s]
    best: list[ndarray] = []
    for shape in shapes:
        image = templates(shape, options, whitener, boxes, row_rate_hz, with_rivals=False).image
        best.append(np.max(alone(fit, image, pre).z ** 2, axis=0)[:, usable])
    strong = np.max(best, axis=0) > _STRONG_Z**2
    if not strong.any():
        return shapes[len(shapes) // 2]
    power = _power(fit, pre)[:, usable][strong]
    return shapes[int(np.argmax([np.sum(z2[strong] / power) for z2 in best]))]


def _power(fit: Fit, pre: Int64[ndarray, " pre"]) -> Float64[ndarray, "pre post"]:
    """Return b' cov(b)^-1 b of each pair's coefficients: what a template that fits perfectly would explain."""
    power = np.empty((len(pre), fit.beta.shape[2]))
    for k, i in enumerate(pre):
        seen = np.sqrt(np.where(fit.share[i] >= MIN_SHARE, fit.share[i], 0.0)) * fit.beta[i]
        noise2 = np.where(fit.noise[i] > 0, fit.noise[i] ** 2, np.inf)
        power[k] = np.sum(seen * (np.linalg.inv(fit.inverse_block[i]) @ seen), axis=0) / noise2
    return np.maximum(power, np.finfo(np.float64).tiny)
