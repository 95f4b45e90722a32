"""Averages around spikes against snippets cut out of traces that were marked as a whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.judging import _triggered
from neurograft.copying.intracellular.judging._triggered import RunningAverages, Span, _snippet, averages
from neurograft.copying.intracellular.reading import _chunks
from neurograft.copying.intracellular.reading._chunks import marked
from neurograft.recordings import Signal, array_recording

FLAT = 5


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), first=st.integers(0, 28))
def test_a_snippet_is_good_where_every_sample_of_the_whole_trace_is(seed, n, first):
    rng = np.random.default_rng(seed)
    trace = np.repeat(rng.standard_normal(14), rng.integers(1, 8, 14))[:40].astype(np.float32)
    trace[rng.integers(0, len(trace), 1)] = np.nan
    first = min(first, len(trace) - n)
    out = np.empty(n)
    found = _snippet(trace, first, FLAT, out)
    whole = marked(trace[:, None], FLAT)
    near = slice(max(first - FLAT, 0), first + n + FLAT)
    if np.isfinite(trace[near]).all():  # a value that is held over NaN may belong to a run of its own
        assert found == whole.is_ok[first : first + n, 0].all()
    elif found:
        assert np.isfinite(trace[first : first + n]).all()
    if found:
        assert np.array_equal(out, trace[first : first + n].astype(np.float64))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_averages_of_two_segments_do_not_depend_on_chunks_or_threads(monkeypatch, n_threads):
    rng = np.random.default_rng(1)
    samples = tuple(rng.standard_normal((n, 4)) for n in (6000, 3000))
    recording = array_recording(samples, rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    frames = {
        i: np.concatenate([
            np.column_stack([np.full(k, s), np.sort(rng.choice(len(samples[s]), k, replace=False))])
            for s, k in ((0, 60), (1, 30))
        ]) for i in range(4)
    }  # fmt: skip
    pairs, channel = np.array([[0, 1], [2, 3], [3, 3]]), np.array([3, 2, 1, 0])
    whole = averages(recording, frames, channel, pairs, before_s=5e-3, after_s=8e-3)
    monkeypatch.setattr(_triggered, "LARGEST", 4000)
    monkeypatch.setattr(_chunks, "LARGEST", 4000)
    cut = averages(recording, frames, channel, pairs, before_s=5e-3, after_s=8e-3, n_threads=n_threads)
    assert np.array_equal(cut.n_spikes, whole.n_spikes)
    assert np.array_equal(cut.mean_v, whole.mean_v)
    assert np.array_equal(cut.se_v, whole.se_v)
    assert whole.n_spikes.min() > 20
    good = [
        seen for s, f in frames[3] if 5 <= f < len(samples[s]) - 8
        for seen in [samples[s].astype(np.float32)[f - 5 : f + 9, 0]]
    ]  # fmt: skip
    mine = np.array(good, dtype=np.float64)
    assert whole.mean_v[2] == pytest.approx((mine - mine[:, 2:5].mean(axis=1, keepdims=True)).mean(axis=0))


def growing(seed):
    """Two segments with stretches that stand still, spikes of four neurons, and pairs of them."""
    rng = np.random.default_rng(seed)
    samples = [rng.standard_normal((n, 4)) for n in (5000, 2500)]
    for block in samples:
        for first in rng.integers(0, len(block) - 40, 60):
            block[first : first + rng.integers(3, 40), rng.integers(4)] = 0.1
    frames = {
        i: np.concatenate([np.column_stack([np.full(k, s), np.sort(rng.choice(len(samples[s]), k, replace=False))])
                           for s, k in ((0, 80), (1, 40))])
        for i in range(4)
    }  # fmt: skip
    return samples, frames, np.array([[0, 1], [2, 3], [3, 3], [1, 0]]), np.array([3, 2, 1, 0])


def recorded(samples):
    return array_recording(tuple(samples), rate_hz=1000.0, signal=Signal.MEMBRANE_V)


@pytest.mark.parametrize("seed", range(3))
def test_a_recording_added_as_it_grows_gives_what_it_gives_at_once_bit_for_bit(seed):
    samples, frames, pairs, channel = growing(seed)
    whole = averages(recorded(samples), frames, channel, pairs, before_s=5e-3, after_s=8e-3)
    running = RunningAverages(recorded(samples), channel, pairs, before_s=5e-3, after_s=8e-3)
    rng, reach = np.random.default_rng(seed), running.reach_frames
    for segment, block in enumerate(samples):
        stops = [*np.sort(rng.choice(np.arange(200, len(block) - reach), 6, replace=False)).tolist(), len(block)]
        for first, stop in zip([0, *stops[:-1]], stops, strict=True):
            seen = [*samples[:segment], block[: stop + reach]]  # as it was when that much was recorded
            known = {
                i: f[(f[:, 0] < segment) | ((f[:, 0] == segment) & (f[:, 1] < stop + reach))]
                for i, f in frames.items()
            }  # fmt: skip
            running.add(recorded(seen), known, [Span(segment, first, stop)], n_threads=1 + seed % 2)
    for found, expected in zip(running.averages(), whole, strict=True):
        assert np.array_equal(found, expected, equal_nan=True)
    assert whole.n_spikes.min() > 20
    assert whole.n_spikes.max() < 120  # some were spoilt


def test_pairs_that_come_later_take_their_place_beside_the_others():
    samples, frames, pairs, channel = growing(5)
    recording, edges = recorded(samples), {"before_s": 5e-3, "after_s": 8e-3}
    early, late = [Span(0, 0, 2000)], [Span(0, 2000, 5000), Span(1, 0, 2500)]
    first = RunningAverages(recording, channel, pairs[:2], **edges)
    first.add(recording, frames, early)
    again, fresh = (RunningAverages(recording, channel, pairs[2:], **edges) for _ in range(2))
    again.add(recording, frames, early)  # what was read is read once more for these alone
    whole = averages(recording, frames, channel, pairs, **edges)
    for later, same in ((again, True), (fresh, False)):
        both = first.beside(later)
        both.add(recording, frames, late)
        found = both.averages()
        assert np.array_equal(found.mean_v[:2], whole.mean_v[:2])
        assert np.array_equal(found.mean_v[2:], whole.mean_v[2:]) == same
        assert np.array_equal(found.n_spikes == whole.n_spikes, [True, True, same, same])
    assert np.array_equal(first.pairs, pairs[:2])


def test_places_of_pairs_are_told_and_new_ones_too():
    _, _, pairs, channel = growing(6)
    running = RunningAverages(recorded([np.zeros((50, 4))]), channel, pairs, before_s=5e-3, after_s=8e-3)
    asked = np.array([[3, 3], [0, 1], [1, 1], [0, 3], [1, 0]])
    assert running.places(asked).tolist() == [2, 0, -1, -1, 3]
    none = RunningAverages(recorded([np.zeros((50, 4))]), channel, pairs[:0], before_s=5e-3, after_s=8e-3)
    assert none.places(asked).tolist() == [-1] * 5


def test_stretches_all_over_a_recording_tell_of_what_is_asked_late():
    samples, frames, pairs, channel = growing(7)
    recording = recorded([np.concatenate([samples[0]] * 8)])  # four chunks of ten seconds
    frames = {
        i: np.concatenate([f[f[:, 0] == 0] + [0, 5000 * k] for k in range(8)])
        for i, f in frames.items()
    }  # fmt: skip
    whole = averages(recording, frames, channel, pairs, before_s=5e-3, after_s=8e-3)
    some = averages(recording, frames, channel, pairs, before_s=5e-3, after_s=8e-3, most_s=20.0)
    assert some.n_spikes == pytest.approx(whole.n_spikes / 2, rel=0.1)
    assert some.mean_v == pytest.approx(whole.mean_v, abs=4 * np.nanmax(some.se_v))
