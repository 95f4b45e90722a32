"""Channels kept apart: the same samples, whole recordings read once, a bound that is kept, torn files made anew."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.errors import RecordingError
from neurograft.recordings import ChannelCache, OpenOptions, Signal, open_recording
from neurograft.recordings._channel_cache import BLOCK_CHANNELS, cached_channels
from neurograft.recordings._lazy import lazy_recording

N = 150


def recording(seed=0, frames=(700, 90), most=None):
    rng = np.random.default_rng(seed)
    samples = [rng.integers(0, 4096, (n, N)).astype(np.uint16) for n in frames]
    asked = []

    def fetch(segment, start, stop):
        asked.append(stop - start)
        if most is not None and stop - start > most:
            raise OSError("a damaged chunk")
        return samples[segment][start:stop]

    made = lazy_recording(
        path=Path("a.brw"),
        fetch=fetch,
        rate_hz=1e4,
        signal=Signal.EXTRACELLULAR_V,
        segment_frames=frames,
        channel_labels=[str(c) for c in range(N)],
        gain=np.linspace(1e-6, 2e-6, N),
    )
    return made, samples, asked


@settings(deadline=None, max_examples=15)
@given(chosen=st.lists(st.integers(0, N - 1), min_size=1, max_size=6, unique=True), start=st.integers(0, 89))
def test_what_is_read_is_what_was_recorded(chosen, start, tmp_path_factory):
    made, samples, _ = recording()
    cache = ChannelCache(folder=tmp_path_factory.mktemp("c"))
    few = cached_channels(made, [str(c) for c in chosen], cache=cache, path=Path("a.brw"))
    assert few.channel_labels == tuple(str(c) for c in chosen)
    for segment in (0, 1):
        want = samples[segment][start:90, chosen] * few.gain
        np.testing.assert_allclose(few.read(segment, start, 90), want, rtol=1e-6)


def test_the_recording_is_read_once_and_then_no_more(tmp_path):
    made, _, asked = recording()
    cache = ChannelCache(folder=tmp_path)
    cached_channels(made, ["3", "77", "149"], cache=cache, path=Path("a.brw"))
    assert sum(asked) < 2 * 790 + 10 * 500  # once, and the places that tell it from others
    del asked[:]
    few = cached_channels(made, ["149", "70"], cache=cache, path=Path("a.brw"))
    few.read(0, 0, 700)
    assert sum(n for n in asked if n == 700) == 0
    other, samples, _ = recording(seed=1)
    assert cached_channels(other, ["3"], cache=cache, path=Path("a.brw")).fetch(0, 0, 1)[0, 0] == samples[0][0, 3]


def test_the_folder_keeps_its_bound_and_the_longest_unused_goes(tmp_path):
    block = 790 * BLOCK_CHANNELS * 2
    cache = ChannelCache(folder=tmp_path, most_bytes=2 * block)
    made, _, _ = recording()
    cached_channels(made, ["0", "64"], cache=cache, path=Path("a.brw"))
    first = set(tmp_path.iterdir())
    for file in first:
        os.utime(file, (1, 1))
    other, _, _ = recording(seed=1)
    cached_channels(other, ["0"], cache=cache, path=Path("a.brw"))
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) <= 2 * block
    assert len(first & set(tmp_path.iterdir())) == 1
    with pytest.raises(RecordingError, match="lie in 3 blocks"):
        cached_channels(made, ["0", "64", "128"], cache=cache, path=Path("a.brw"))


def test_a_torn_block_is_made_anew_and_a_failed_one_leaves_nothing(tmp_path):
    made, samples, _ = recording()
    cache = ChannelCache(folder=tmp_path)
    cached_channels(made, ["0"], cache=cache, path=Path("a.brw"))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    few = cached_channels(made, ["0"], cache=cache, path=Path("a.brw"))
    np.testing.assert_array_equal(few.fetch(1, 0, 90)[:, 0], samples[1][:, 0])
    file.unlink()
    torn, _, _ = recording(most=500)
    with pytest.raises(OSError, match="a damaged chunk"):
        cached_channels(torn, ["0"], cache=cache, path=Path("a.brw"))
    assert not list(tmp_path.iterdir())


def test_a_file_opens_with_a_cache(tmp_path):
    samples = np.random.default_rng(0).normal(0, 1e-5, (5000, 4))
    np.savez(tmp_path / "a.npz", samples_v=samples, rate_hz=1e4)
    options = OpenOptions(channels=("2",), cache=ChannelCache(folder=tmp_path / "c"))
    few = open_recording(tmp_path / "a.npz", signal=Signal.EXTRACELLULAR_V, options=options)
    np.testing.assert_allclose(few.read(0, 10, 20)[:, 0], samples[10:20, 2], rtol=1e-5)
    assert len(list((tmp_path / "c").iterdir())) == 1
