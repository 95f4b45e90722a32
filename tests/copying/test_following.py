"""A recording that grows: the same sums however it grew, the batch's own solution, and a map soon after its end."""

from dataclasses import replace

import numpy as np
import pytest
from _synthetic_traces import Bench, grow
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular._intracellular import copy_intracellular
from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular._traces_of import sources
from neurograft.copying.intracellular.following._ahead import Ahead
from neurograft.copying.intracellular.following._first_map import fit_now, map_now
from neurograft.copying.intracellular.following._watched import frames_of
from neurograft.copying.intracellular.judging._calls import AFTER_S, BEFORE_S
from neurograft.copying.intracellular.judging._triggered import RunningAverages, Span
from neurograft.copying.intracellular.neurons._coupling import coupling
from neurograft.copying.intracellular.reading._gather import Work, read_all
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import ReadOptions
from neurograft.copying.intracellular.regression._factored import design
from neurograft.copying.intracellular.regression._moments import moments
from neurograft.copying.intracellular.regression._solve import solved
from neurograft.copying.intracellular.regression._whiten import prepared, unrest
from neurograft.maps import describe
from neurograft.progress import silent
from neurograft.recordings import array_recording

N, SECONDS, CALIBRATED_S = 8, 110, 40.0


def until(recording, n_frames):
    return array_recording(recording.samples[0][:n_frames], rate_hz=recording.rate_hz, signal=recording.signal)


def followed(recording, steps_s, *, is_improved=False):
    """The state after a recording was looked at at these times, and in the end."""
    ahead = Ahead(IntracellularOptions(), Work(), calibrated_on_s=CALIBRATED_S)
    for seconds in steps_s:
        now = until(recording, round(seconds * recording.rate_hz))
        while ahead.step(now) if is_improved else ahead.take(now):
            pass
    ahead.finish(recording)
    return ahead.state


@pytest.fixture(scope="module")
def membranes():
    return grow(Bench(n=N, seconds=SECONDS, seed=5)).recording


@pytest.fixture(scope="module")
def pads():
    return grow(Bench(n=N, seconds=SECONDS, seed=6, is_drifting=True)).recording


@pytest.fixture(scope="module")
def at_once(membranes, pads):
    """Both looked at as soon as they can be calibrated, and when they are over."""
    return {recording.signal: followed(recording, [CALIBRATED_S + 1]) for recording in (membranes, pads)}


def whole(state, recording):
    """Moments of a whole recording under the state's calibration, by the batch's own way."""
    known, options = state.known, state.options
    work, read_options = Work(), ReadOptions(DetectionOptions(), 1)
    found = sources(recording, read_all(recording, read_options, work, silent), options, work, silent)
    gains = coupling(
        recording, found.cells.events, action_potential_v=options.action_potential_v, window_s=options.coupling_window_s
    )
    scaled = tuple(gain / higher for gain, higher in zip(gains.gain, known.known.over_mean, strict=True))
    traces = replace(found.traces, coupling=gains._replace(gain=scaled))
    worth = unrest(traces, known.scale_v, silent).worth(traces, known.usual)
    own = design(traces.spike_row, known.known.boxes, worth)
    return own, moments(list(prepared(traces, np.arange(N))), known.whitener, [own])


@pytest.mark.parametrize(("kind", "exact"), [("membranes", 1e-9), ("pads", 1e-3)])
def test_sums_are_those_of_the_whole_recording_under_the_same_calibration(kind, exact, at_once, request):
    """Pads' gains follow events of a chunk ahead, not of the next events whenever they come: a difference of 1e-3."""
    recording = request.getfixturevalue(kind)
    state = at_once[recording.signal]
    own, seen = whole(state, recording)
    assert all(
        np.array_equal(a, b) for a, b in zip(state.traces.spike_row, np.split(own.rows, own.start[1:-1]), strict=True)
    )
    assert np.allclose(state.worth, own.row_weight, atol=exact)
    (block,), (plain,) = state.blocks, seen.moments
    assert np.allclose(state.shared.total, own.total, rtol=exact)
    assert np.allclose(block.kept(state.shared.total).T, plain.kept, rtol=exact, atol=exact)
    for mine, theirs in ((block.lacking, plain.sums), (block.plain[2], plain.sum_e2), (block.near_e2, plain.near_e2)):
        assert np.allclose(mine, theirs, atol=exact * np.abs(theirs).max())


@settings(deadline=None, max_examples=3)
@given(steps_s=st.lists(st.floats(CALIBRATED_S, SECONDS - 1), max_size=4).map(sorted))
def test_a_recording_that_grows_in_any_steps_has_the_same_sums(pads, at_once, steps_s):
    once, now = at_once[pads.signal], followed(pads, [CALIBRATED_S + 1, *steps_s])
    assert np.allclose(now.worth, once.worth, rtol=1e-12)
    assert np.allclose(np.triu(now.shared.gram), np.triu(once.shared.gram), rtol=1e-9, atol=1e-6)
    (mine,), (theirs,) = now.blocks, once.blocks
    assert np.allclose(mine.lacking, theirs.lacking, atol=1e-9 * np.abs(theirs.lacking).max())
    assert np.array_equal(mine.missing > 0, theirs.missing > 0)


def test_coefficients_that_followed_are_those_of_the_factor(membranes):
    state = followed(membranes, np.arange(CALIBRATED_S + 1, SECONDS, 7.0), is_improved=True)
    own, seen = whole(state, membranes)
    beta, variance = solved(own, seen.moments[0], seen.blanked, 40, 1)
    found = fit_now(state)
    share = np.where(found.fit.share > 0.1, found.fit.share, np.nan)
    se = found.fit.noise[:, None] * np.sqrt(np.einsum("iaa->ia", found.fit.inverse_block)[:, :, None] / share)
    off = np.abs(found.fit.beta - beta.T.reshape(found.fit.beta.shape)) / se
    before_s = np.sqrt(np.mean(found.correction**2))
    assert before_s > 0.2  # the last 40 s were added and not yet followed
    assert np.sqrt(np.nanmean(off**2)) < 0.5 * before_s
    assert np.sqrt(np.nanmean(off**2)) < 2 * np.sqrt(np.mean(found.left**2))
    while state.improve():
        pass
    found = fit_now(state)
    off = np.abs(found.fit.beta - beta.T.reshape(found.fit.beta.shape)) / se
    assert np.sqrt(np.nanmean(off**2)) < 0.02  # ENOUGH is told to within a step's own contraction
    assert np.allclose(np.sqrt(state.blocks[0].left[2] / state.blocks[0].left[0]), np.sqrt(variance), rtol=1e-3)
    exact = np.linalg.inv(
        state.shared.gram + np.triu(state.shared.gram, 1).T - np.triu(np.tril(state.shared.gram, -1), 1).T
    )
    del exact


def test_the_map_is_nearly_the_batch_s_and_says_what_it_lacks(membranes, at_once):
    batch = copy_intracellular(membranes).map
    made = map_now(at_once[membranes.signal])
    called = [set(zip(m.pre.tolist(), m.post.tolist(), strict=True)) for m in (batch, made.map)]
    assert len(called[0] ^ called[1]) <= 1
    z = [m.evidence.z[~np.eye(N, dtype=bool)] for m in (batch, made.map)]
    assert np.median(np.abs(z[0] - z[1])) < 0.05
    told = made.map.provenance.parameters["followed"]
    assert told["until_s"] == SECONDS
    assert any(f"flagged: made early of a recording that was followed, of {SECONDS} s" in x for x in describe(made.map))
    assert told["left_se"] < 0.01
    assert told["fired_late"] == []
    assert np.isnan(made.map.extra["release_probability"]).all()


def test_full_rate_averages_of_suspects_are_kept_up_from_a_minute_before_they_were_suspected():
    recording = grow(Bench(n=5, seconds=111, seed=2, rate_hz=5000.0, n_gap=1)).recording
    ahead = Ahead(IntracellularOptions(), Work(), calibrated_on_s=CALIBRATED_S)
    now = until(recording, 100 * 5000)
    while ahead.step(now):
        pass
    state = ahead.state
    assert len(state.averaged.pairs) == 0
    map_now(state)
    assert state.until_s < 60.0  # so that the last minute is all of it
    pairs, learnt = state.averaged.pairs, state.learnt
    assert len(pairs) > 0
    assert learnt.until_s == state.until_s
    while ahead.take(recording):
        pass
    whole = RunningAverages(recording, state.heard.cells().channel, pairs, before_s=BEFORE_S, after_s=AFTER_S)
    whole.add(recording, frames_of(state.heard.cells()), [Span(0, 0, round(state.until_s * 5000))])
    for mine, theirs in zip(state.averaged.averages(), whole.averages(), strict=True):
        assert np.array_equal(mine, theirs, equal_nan=True)
    told = map_now(state).map.provenance.parameters["followed"]
    assert told["until_s"] > told["learnt_until_s"] == learnt.until_s
    assert len(state.averaged.pairs) >= len(pairs)


def test_neurons_that_fire_late_are_named_and_blanked_all_the_same(membranes):
    volts = membranes.samples[0].copy()
    volts[: round(CALIBRATED_S * membranes.rate_hz) + 1000, 3] = np.minimum(
        volts[: round(CALIBRATED_S * membranes.rate_hz) + 1000, 3], -50e-3
    )
    state = followed(array_recording(volts, rate_hz=membranes.rate_hz, signal=membranes.signal), [CALIBRATED_S + 1])
    made = map_now(state)
    assert made.map.provenance.parameters["followed"]["fired_late"] == [3]
    assert not np.any(made.map.pre == 3)
    assert (state.blocks[0].missing[3] > 0).mean() > 0.5


def test_a_recording_in_which_nothing_fires_is_waited_for():
    flat = 1e-4 * np.random.default_rng(0).standard_normal((50_000, 3)).astype(np.float32)
    recording = array_recording(flat, rate_hz=1000.0, signal=grow(Bench(n=1, seconds=1.0)).recording.signal)
    ahead = Ahead(IntracellularOptions(), Work(), calibrated_on_s=CALIBRATED_S)
    while ahead.step(recording):
        pass
    assert ahead.state is None
