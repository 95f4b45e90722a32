from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying import _chunks
from neurograft.copying._chunks import _mark_bad, chunks, n_chunks, row_means, stretches
from neurograft.recordings import Signal, array_recording

samples = st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=1, max_size=30)


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(frames=st.lists(st.integers(1, 40), min_size=1, max_size=3), size=st.integers(1, 15), margin=st.integers(0, 9))
def test_every_frame_comes_once_and_margins_hold_their_own_samples(frames, size, margin):
    arrays = tuple(np.arange(n, dtype=np.float64)[:, None] + 1000 * k for k, n in enumerate(frames))
    recording = array_recording(arrays, rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    parts = list(chunks(recording, chunk_frames=size, margin_frames=margin))
    assert len(parts) == n_chunks(recording, chunk_frames=size)
    own = [part.volts[part.before : part.before + part.stop - part.first, 0] for part in parts]
    assert np.array_equal(np.concatenate(own), np.concatenate([a[:, 0] for a in arrays]))
    for part in parts:
        assert part.before == min(margin, part.first)
        assert part.volts[0, 0] == arrays[part.segment][part.first - part.before, 0]


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(values=samples, flat=st.integers(2, 6))
def test_bad_samples_are_nan_and_runs_that_stand_still(values, flat):
    volts, is_ok = np.array(values)[:, None], np.ones((len(values), 1), dtype=bool)
    _mark_bad(volts, flat, is_ok)
    held, expected = [], [not np.isnan(v) for v in values]
    first = next((v for v in values if not np.isnan(v)), 0.0)
    for v in values:
        held.append((held[-1] if held else first) if np.isnan(v) else v)
    for start in range(len(values)):
        run = held[start : start + flat]
        if len(run) == flat and len(set(run)) == 1:
            expected[start : start + flat] = [False] * flat
    assert volts[:, 0].tolist() == held
    assert is_ok[:, 0].tolist() == expected


def shown(volts):
    return array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V)


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 90), size=st.integers(1, 40), largest=st.integers(1, 90), margin=st.integers(0, 9))
def test_a_stretch_gives_its_frames_each_time_whatever_a_chunk_may_hold(n, size, largest, margin):
    recording = shown(np.arange(2.0 * n).reshape(n, 2))
    with mock.patch.object(_chunks, "LARGEST", largest):
        seen = []
        for stretch in stretches(recording, stretch_frames=size, margin_frames=margin):
            twice = [[c.volts[c.before :][: c.stop - c.first, 0] for c in stretch] for _ in range(2)]
            assert max(len(own) for own in twice[0]) <= max(largest // 2, 1)
            assert np.array_equal(np.concatenate(twice[0]), np.concatenate(twice[1]))
            seen.append(np.concatenate(twice[0]))
    assert np.array_equal(np.concatenate(seen), np.arange(0.0, 2 * n, 2))


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 90), first=st.integers(0, 20), factor=st.integers(1, 7), largest=st.integers(1, 60))
def test_row_means_do_not_depend_on_what_a_chunk_may_hold(n, first, factor, largest):
    rng = np.random.default_rng(n)
    volts = rng.choice([0.0, 1.0, 2.0], (n, 1))
    volts[n // 3 : n // 3 + 8] = 1.0  # stands still for longer than 5 ms
    first = min(first, n)
    n_rows = (n - first) // factor
    is_ok = np.ones(volts.shape, dtype=bool)
    _mark_bad(volts.copy(), 5, is_ok)
    cut = slice(first, first + n_rows * factor)
    with mock.patch.object(_chunks, "LARGEST", largest):
        means = row_means(shown(volts), 0, first=first, stop=n, factor=factor)
    assert np.allclose(means.volts[:, 0], volts[cut, 0].reshape(-1, factor).mean(axis=1), rtol=0, atol=1e-6)
    assert means.is_ok[:, 0].tolist() == is_ok[cut, 0].reshape(-1, factor).all(axis=1).tolist()
