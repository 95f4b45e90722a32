"""From the regression to what every pair is: potentials' common shape, and the posteriors of all explanations."""

# ruff: noqa: PLR0917  (a judgement is told by its parts)
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from numpy import ndarray

from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular.judging._amplitude import alone, choose_shape, scores
from neurograft.copying.intracellular.judging._mixture import Judged, Mixture, learn
from neurograft.copying.intracellular.judging._posterior import judge_all
from neurograft.copying.intracellular.judging._templates import Family, OwnCourses, Shape, Templates, reach, templates
from neurograft.copying.intracellular.regression._design import LagBoxes
from neurograft.copying.intracellular.regression._factored import Design, design
from neurograft.copying.intracellular.regression._regression import Fit, fits
from neurograft.copying.intracellular.regression._shifted import n_shifts, shifted_trains
from neurograft.copying.intracellular.regression._whiten import Own, Traces, Whitener, own_course
from neurograft.maps import Undecidable
from neurograft.progress import Progress

_NULL_NEURONS = 400  # as many, drawn at random, tell how statistics behave at shifted designs
_LEARNT_FROM = 50_000


class Explained(NamedTuple):
    """The regression at the true design and at its shifts, and what potentials look like in it."""

    whitener: Whitener
    fit: Fit
    shifted: list[Fit]
    null: Int64[ndarray, " some"]  # neurons that the shifted fits are of
    shape: Shape
    kinds: Templates
    below_v: Float64[ndarray, " neurons"]


class Judgement(NamedTuple):
    """Posteriors of all pairs."""

    judged: Judged
    mixture: Mixture
    sd: float


def explained(
    traces: Traces,
    worth: Float64[ndarray, " rows"],
    boxes: LagBoxes,
    options: IntracellularOptions,
    progress: Progress,
) -> Explained:
    """Return the regression of these traces, at the true design and at shifted ones, and its explanations."""
    whitener, (true,) = fits(traces, [weighted_design(traces, traces.spike_row, boxes, worth)], progress)
    null, shifted = turned(traces, worth, boxes, whitener, options, progress)
    first, last = reach(whitener, boxes)
    own = own_course(traces, first, last, progress)
    return explanations(traces, boxes, whitener, true, null, shifted, own, options, progress)


def turned(
    traces: Traces,
    worth: Float64[ndarray, " rows"],
    boxes: LagBoxes,
    whitener: Whitener,
    options: IntracellularOptions,
    progress: Progress,
) -> tuple[Int64[ndarray, " some"], list[Fit]]:
    """Return some neurons, and their fits under designs that are turned round the time line."""
    n = len(traces.channel)
    null = np.arange(n)
    if n > _NULL_NEURONS:
        null = np.sort(np.random.default_rng(options.seed).choice(n, _NULL_NEURONS, replace=False))
    some = traces.select(null)
    trains = shifted_trains(some.spike_row, traces.line, n_shifts(len(null)), np.random.default_rng(options.seed))
    designs = [weighted_design(traces, train, boxes, worth) for train in trains]
    _, shifted = fits(some, designs, progress, whitener=whitener.of(null))
    return null, shifted


def explanations(
    traces: Traces,
    boxes: LagBoxes,
    whitener: Whitener,
    true: Fit,
    null: Int64[ndarray, " some"],
    shifted: list[Fit],
    mine: Own,
    options: IntracellularOptions,
    progress: Progress,
) -> Explained:
    """Return what coefficients are explained by: potentials of this fit's own shape, and their rivals."""
    line, usable = traces.line, true.noise.max(axis=0) > 0
    own = OwnCourses(mine.course, reach(whitener, boxes)[0], whitener, boxes)
    progress("finding the potentials' common shape", 0, 1)
    shape = choose_shape(true, options.templates, own, line.rate_hz, usable, n_threads=traces.n_threads)
    kinds = templates(shape, options.templates, whitener, boxes, line.rate_hz, own=own)
    return Explained(whitener, true, shifted, null, shape, kinds, mine.below_v)


def weighted_design(
    traces: Traces, trains: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, worth: Float64[ndarray, " rows"]
) -> Design:
    """Return a design that is factorised as these traces ask for."""
    return design(trains, boxes, worth, n_threads=traces.n_threads, library=traces.library)


def judged_pairs(
    found: Explained, undecidable: UInt8[ndarray, "pre post"], options: IntracellularOptions, n_threads: int
) -> Judgement:
    """Learn how common each explanation is from up to 50,000 pairs, then judge all."""
    is_open = open_pairs(undecidable)
    n = len(is_open)
    sd = template_sd(found, is_open)
    some = np.sort(np.random.default_rng(options.seed).permutation(n)[: max(_LEARNT_FROM // n, 1)])
    sample = scores(found.fit, found.kinds, some)
    mixture = learn(sample, found.kinds, is_open[some], sd=sd, is_dale=options.is_dale)
    return judged_as(found, undecidable, mixture, sd, options, n_threads)


def judged_as(
    found: Explained,
    undecidable: UInt8[ndarray, "pre post"],
    mixture: Mixture,
    sd: float,
    options: IntracellularOptions,
    n_threads: int,
) -> Judgement:
    """Judge all pairs by how common explanations are known to be."""
    is_open = open_pairs(undecidable)
    can_rank = is_open | (undecidable == Undecidable.TOO_FEW_SPIKES)  # such a pair has evidence, if no call
    judged = judge_all(
        found.fit, found.kinds, can_rank, mixture, sd=sd, is_dale=options.is_dale, is_sure=is_open, n_threads=n_threads
    )
    return Judgement(judged, mixture, sd)


def open_pairs(undecidable: UInt8[ndarray, "pre post"]) -> Bool[ndarray, "pre post"]:
    """Tell which pairs can be tested."""
    is_open = undecidable == Undecidable.DECIDED
    np.fill_diagonal(is_open, False)
    return is_open


def template_sd(found: Explained, is_open: Bool[ndarray, "pre post"]) -> float:
    """Return the sd of direct templates' z at shifted designs, from their central half; never under 1."""
    is_open, everyone = is_open[np.ix_(found.null, found.null)], np.arange(len(found.null))
    image = found.kinds.of(Family.DIRECT).image[::4][:, :, found.null]
    z = np.concatenate([alone(f, image, everyone).z[:, is_open].ravel() for f in found.shifted])
    if z.size == 0:
        return 1.0
    low, high = np.quantile(z, [0.25, 0.75])
    return max(float(high - low) / 1.349, 1.0)
