"""Averages around spikes against snippets cut out of traces that were marked as a whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.judging import _triggered
from neurograft.copying.intracellular.judging._triggered import _snippet, averages
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
