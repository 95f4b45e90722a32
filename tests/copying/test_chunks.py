import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.reading._chunks import chunks, mark_bad, marked, n_chunks
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
    volts, is_ok = np.array(values), np.ones(len(values), dtype=bool)
    mark_bad(volts, flat, is_ok)
    held, expected = [], [not np.isnan(v) for v in values]
    first = next((v for v in values if not np.isnan(v)), 0.0)
    for v in values:
        held.append((held[-1] if held else first) if np.isnan(v) else v)
    for start in range(len(values)):
        run = held[start : start + flat]
        if len(run) == flat and len(set(run)) == 1:
            expected[start : start + flat] = [False] * flat
    assert volts.tolist() == held
    assert is_ok.tolist() == expected
    both = marked(np.array([values, values], dtype=np.float32).T, flat)
    assert both.volts[:, 1].tolist() == held
    assert both.is_ok[:, 0].tolist() == expected
