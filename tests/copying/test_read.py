"""The one pass over the samples: what a piece gives, and that nothing but its samples decides it."""

import os
from unittest import mock

import numpy as np
import pytest
from _pasted_spikes import RATE_HZ, recording, with_spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.reading import _chunks, _read
from neurograft.copying.intracellular.reading._chunks import mark_bad
from neurograft.copying.intracellular.reading._gather import Threads, Work, read_all
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import Piece, ReadOptions, piece_key, pieces_of, read_piece
from neurograft.copying.intracellular.reading._thin import thin_of
from neurograft.progress import silent
from neurograft.recordings import Signal, array_recording

needs_kernels = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"
)
FRAMES = np.array([700, 4_000, 9_990, 10_020, 15_000, 29_000])


def seen():
    return recording(with_spikes(FRAMES), with_spikes(FRAMES + 333, seed=1), with_spikes([], seed=2))


def equal(a, b):
    return all(np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f") for name in a) and set(a) == set(b)


@needs_kernels
@settings(deadline=None, max_examples=25)  # the first call compiles
@given(largest=st.integers(1, 120_000), factor=st.integers(1, 13))
def test_a_piece_gives_the_same_to_the_bit_whatever_a_chunk_may_hold(largest, factor):
    samples, options = seen(), ReadOptions(DetectionOptions(), factor)
    (piece,) = pieces_of(samples, factor)
    whole = read_piece(samples, piece, options)
    with mock.patch.object(_chunks, "LARGEST", max(largest, 3 * 600)):  # chunks of 600 frames: a margin and more
        assert equal(read_piece(samples, piece, options), whole)


@needs_kernels
@settings(deadline=None, max_examples=15)
@given(piece_s=st.floats(0.2, 4.0), n_threads=st.integers(1, 4))
def test_rows_and_spikes_do_not_depend_on_pieces_or_threads(piece_s, n_threads):
    samples, options = seen(), ReadOptions(DetectionOptions(), 10)
    whole = read_all(samples, options, Work(), silent)
    with mock.patch.object(_read, "PIECE_S", piece_s):
        cut = read_all(samples, options, Work(workers=Threads(n_threads)), silent)
    everyone = np.arange(3)
    a, b = (thin_of(samples, r, 10).read(0, 0, 3000, everyone) for r in (whole, cut))
    assert np.array_equal(a.volts, b.volts)
    assert np.array_equal(a.is_ok, b.is_ok)
    # pasted action potentials are far above any piece's threshold; the smallest noise peaks may differ with its noise
    high = [
        {
            (c, f)
            for r in x.results
            for c, f, v in zip(r["channel"], r["frame"], r["values"][0], strict=True)
            if v > 0.05
        }
        for x in (whole, cut)
    ]
    assert high[0] == high[1]
    assert len(high[0]) == 2 * len(FRAMES)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(30, 90), factor=st.integers(1, 7), seed=st.integers(0, 99))
def test_rows_are_plain_means_and_nan_where_a_sample_was_bad(n, factor, seed):
    volts = np.random.default_rng(seed).choice([0.0, 1.0, 2.0], (n, 1))
    volts[n // 3 : n // 3 + 8] = 1.0  # stands still for longer than 5 ms
    volts[-2] = np.nan
    samples = array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    n_rows = n // factor
    held, is_ok = volts[:, 0].copy(), np.ones(n, dtype=bool)
    mark_bad(held, 5, is_ok)
    expected = held[: n_rows * factor].reshape(-1, factor).mean(axis=1)
    good = is_ok[: n_rows * factor].reshape(-1, factor).all(axis=1)
    options = ReadOptions(DetectionOptions(), factor)
    rows = thin_of(samples, read_all(samples, options, Work(), silent), factor).read(0, 0, n_rows, np.array([0]))
    assert rows.is_ok[:, 0].tolist() == good.tolist()
    assert np.allclose(rows.volts[good, 0], expected[good], rtol=1e-6, atol=0)  # rows are kept in 32 bits
    assert not rows.volts[~good].any()


def test_a_piece_is_known_by_its_options_frames_and_samples():
    samples, options = seen(), ReadOptions(DetectionOptions(), 10)
    piece = Piece(0, 0, 20_000, 0, 20_500)
    other = [s.copy() for s in samples.samples]
    other[0][0, 1] += 1e-3
    changed = array_recording(tuple(other), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    keys = {
        piece_key(samples, piece, options),
        piece_key(samples, piece._replace(after=20_400), options),
        piece_key(samples, piece, options._replace(factor=5)),
        piece_key(samples, piece, options._replace(detection=DetectionOptions(noise_sds=6.0))),
        piece_key(changed, piece, options),
    }
    assert len(keys) == 5
    assert piece_key(samples, piece, options) in keys
