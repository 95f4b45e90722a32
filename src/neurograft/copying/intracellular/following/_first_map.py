"""The map of the rows so far, by one more correction of the coefficients and without another look at the rows.

What each synapse is like beyond its mean size and latency, and each membrane's noise, take a look at all rows: the map
that follows has them.
"""

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray

from neurograft.copying.intracellular._chart import chart
from neurograft.copying.intracellular._copied import IntracellularCopy, provenance_of
from neurograft.copying.intracellular._judgement import (
    Explained,
    Judgement,
    explanations,
    judged_as,
    judged_pairs,
    open_pairs,
)
from neurograft.copying.intracellular._null import null_evidence
from neurograft.copying.intracellular._traces_of import spikes_of, untestable
from neurograft.copying.intracellular.following._improving import equations, noise
from neurograft.copying.intracellular.following._state import Learnt, State
from neurograft.copying.intracellular.following._sums import OfTargets
from neurograft.copying.intracellular.following._watched import watched
from neurograft.copying.intracellular.judging._calls import call, suspects, with_own
from neurograft.copying.intracellular.judging._null_width import narrowed
from neurograft.copying.intracellular.properties._properties import mean_sizes
from neurograft.copying.intracellular.reading._presence import unusable_s
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._gram import one_thread_each
from neurograft.copying.intracellular.regression._iterated import in_standard_errors
from neurograft.copying.intracellular.regression._regression import Fit, Made
from neurograft.maps import MembraneNoise
from neurograft.progress import Progress, silent
from neurograft.provenance import JsonValue

_PATIENCE_S = 2.0  # for which coefficients are improved before a map
_MOST_LEFT = 0.9  # by a step
_NOT_YET = ("course", "plasticity and what it adds at rest", "vesicles", "membrane noise")


class Corrected(NamedTuple):
    """A fit, its last correction, and what that left; root mean square of each target's coefficients, standard errors.

    The correction tells how far coefficients were a tenth to a fifth too little, and over the root of 1 - what a step
    leaves to a tenth.
    """

    fit: Fit
    correction: Float64[ndarray, " targets"]
    left: Float64[ndarray, " targets"]


def fit_now(state: State) -> Corrected:
    """Return the fit of the rows so far: present coefficients, nearly corrected for what the sums say they lack."""
    design, near, n = state.design(), state.near(), len(state.has_columns)
    made, correction = Made.empty(design, n), np.zeros(n)

    def fill(mine: OfTargets) -> None:
        own = equations(mine, design, state.shared, near, 1)
        lacking = np.ascontiguousarray(mine.lacking.T)
        change = own.nearly_solved(lacking)
        correction[mine.targets] = in_standard_errors(own, change, near.blocks, noise(mine))
        explained = np.einsum("tc,tc->t", change, lacking, dtype=np.float64)  # nearly: A change is what they lack
        variance = np.maximum(mine.left[2] - explained, 0.0) / np.maximum(mine.left[0], 1.0)
        targets = slice(int(mine.targets[0]), int(mine.targets[-1]) + 1)
        made.put(targets, design, mine.moments(state.shared.total), mine.beta + change.T, variance)

    with one_thread_each():
        for _ in in_order(state.work.n_threads, fill, state.blocks):
            pass
    left = correction * state.leaves / np.sqrt(1.0 - min(state.leaves, _MOST_LEFT))
    return Corrected(made.fit(design, near.blocks, state.work.n_threads), correction, left)


def map_now(state: State, progress: Progress = silent) -> IntracellularCopy:
    """Return the map of the rows so far."""
    assert state.traces is not None
    assert state.seen is not None
    known, options, work = state.known, state.options, state.work
    recording, cells = state.seen, state.heard.cells()
    progress("correcting coefficients", 0, 1)
    begin = time.monotonic()
    while not state.is_begun or time.monotonic() - begin + state.visit_s < _PATIENCE_S:
        if not state.improve():
            break
    corrected = fit_now(state)
    fit, state.left_se = corrected.fit, float(np.sqrt(np.mean(corrected.left**2)))
    undecidable = untestable(cells, known.known.gains, fit)
    found, judgement = _judged(state, fit, undecidable, progress)
    asked = with_own(suspects(found.fit, judgement.judged, ~np.isnan(judgement.judged.direct)))
    state.averaged = watched(state.averaged, recording, cells, asked, state.spans, work.n_threads, progress)
    called = call(
        recording, cells, found.fit, judgement.judged, undecidable, averaged=state.averaged,
        fdr=options.fdr, plausible_v=options.plausible_v, n_threads=work.n_threads, progress=progress,
    )  # fmt: skip
    spikes, n = spikes_of(recording, cells), len(cells.channel)
    single = mean_sizes(state.traces, known.own.below_v, judgement.judged, called.is_synapse)
    if state.learnt is None:
        progress("testing the map on designs that are turned", 0, 1)
        null = null_evidence(found, judgement, called, undecidable, options, single, work.n_threads)
        state.learnt = Learnt(state.until_s, found.shape, found.kinds, judgement.mixture, judgement.sd, null)
    early = (
        f"made early of a recording that was followed, of {state.until_s:.0f} s; coefficients to {state.left_se:.1g} "
        f"standard errors; without {', '.join(_NOT_YET)}"
    )
    flags = (*known.flags, early)
    unusable = unusable_s(recording, state.reading)
    there = known.known.found.presence._replace(unusable_s=unusable)
    provenance = provenance_of(options, flags, recording, known.known.found._replace(presence=there))
    followed = {**provenance.parameters, "followed": _followed(state, corrected)}
    return IntracellularCopy(
        map=chart(
            spikes, found.fit, judgement.judged, called, single,
            position_um=np.column_stack([recording.position_um[cells.channel], np.full(n, np.nan)]),
            provenance=replace(provenance, parameters=followed),
            fdr=options.fdr,
            two_in_one=known.is_two,
            noise=MembraneNoise(np.full(n, np.nan), np.full(n, np.nan)),
        ),
        spikes=spikes,
        null=state.learnt.null,
        shape=found.shape,
        mixture=judgement.mixture,
        flags=flags,
        channels=known.reports,
        rejected=called.rejected,
        properties=single,
        unusable_s=unusable,
    )  # fmt: skip


def _judged(
    state: State, fit: Fit, undecidable: UInt8[ndarray, "pre post"], progress: Progress
) -> tuple[Explained, Judgement]:
    """Return the posteriors of all pairs, by what an earlier map learnt where it was of half of the rows at least."""
    known, options, n_threads, learnt = state.known, state.options, state.work.n_threads, state.learnt
    assert state.traces is not None
    if learnt is not None and not learnt.is_old(state.until_s):
        shape, kinds = learnt.shape, learnt.kinds
        found = Explained(known.whitener, fit, known.shifted, known.null, shape, kinds, known.own.below_v)
    else:
        learnt = state.learnt = None
        found = explanations(
            state.traces,
            known.known.boxes,
            known.whitener,
            fit,
            known.null,
            known.shifted,
            known.own,
            options,
            progress,
        )
    progress("judging pairs", 0, 1)
    found = found._replace(fit=narrowed(fit, found.kinds, open_pairs(undecidable), n_threads=n_threads))
    if learnt is None:
        return found, judged_pairs(found, undecidable, options, n_threads)
    return found, judged_as(found, undecidable, learnt.mixture, learnt.sd, options, n_threads)


def _followed(state: State, corrected: Corrected) -> dict[str, JsonValue]:
    """Return what tells this map from that of a recording that has ended."""
    assert state.traces is not None
    late = [len(rows) > 0 and not own for rows, own in zip(state.traces.spike_row, state.has_columns, strict=True)]
    return {
        "until_s": state.until_s,
        "calibrated_on_s": state.known.until_s,
        # of coefficients, root mean square in standard errors: what was corrected last, and what that leaves
        "corrected_se": float(np.sqrt(np.mean(corrected.correction**2))),
        "left_se": state.left_se,
        "most_left_se": float(corrected.left.max(initial=0.0)),
        "learnt_until_s": None if state.learnt is None else state.learnt.until_s,  # shape, shares of kinds, evidence
        "not_yet": list[JsonValue](_NOT_YET),
        "fired_late": list[JsonValue](np.flatnonzero(late).tolist()),  # neurons whose outputs are not in the map yet
    }
