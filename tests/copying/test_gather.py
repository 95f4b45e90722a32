"""Pieces that are kept: a chunk that cannot be read, and what is read when a copy goes on."""

import os
from dataclasses import dataclass

import numpy as np
import pytest

from neurograft.copying.intracellular.reading._gather import Threads, Work, read_all, read_share
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import ReadOptions
from neurograft.copying.intracellular.reading._work import WorkFolder, key_of
from neurograft.errors import WorkError
from neurograft.progress import silent
from neurograft.recordings import ArrayRecording, Signal, array_recording

needs_kernels = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"
)
OPTIONS = ReadOptions(DetectionOptions(), 1)


@dataclass
class Broken:
    """A recording of which some frames cannot be decoded."""

    whole: ArrayRecording
    bad: tuple[int, int]

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def read(self, segment, start, stop):
        if stop - start > 1 and start < self.bad[1] and stop > self.bad[0]:
            raise OSError("Can't read data (inflate() failed)")
        return self.whole.read(segment, start, stop)


def noise():
    volts = -0.06 + 1e-3 * np.random.default_rng(0).standard_normal((50_000, 2))
    return array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V)


@needs_kernels
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_chunk_that_cannot_be_decoded_ends_the_copy_and_what_was_read_is_not_read_again(tmp_path, n_threads):
    whole, work = noise(), Work(store=WorkFolder(tmp_path / "w"), workers=Threads(n_threads))
    with pytest.raises(WorkError, match=r"after 3 of 5 pieces of 10000 frames: Can't read data.*kept.*--resume"):
        read_all(Broken(whole, (34_000, 34_010)), OPTIONS, work, silent)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "w").glob("*.npz")}
    assert len(kept) == 3
    again = read_all(whole, OPTIONS, work, silent)
    assert all((tmp_path / "w" / name).stat().st_mtime_ns == time for name, time in kept.items())
    assert len(list((tmp_path / "w").glob("*.npz"))) == 5
    fresh = read_all(whole, OPTIONS, Work(), silent)
    for a, b in zip(again.results, fresh.results, strict=True):
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[name], b[name], equal_nan=name in {"rows", "values"}) for name in a)


@needs_kernels
def test_shares_are_read_by_whoever_is_asked_and_counted_together(tmp_path):
    store = WorkFolder(tmp_path / "w")
    assert read_share(noise(), OPTIONS, Work(store=store, share=(2, 3)), silent) == (1, 5)
    assert read_share(noise(), OPTIONS, Work(store=store, share=(0, 3)), silent) == (3, 5)
    assert read_share(noise(), OPTIONS, Work(store=store, share=(0, 1)), silent) == (5, 5)


def test_results_are_known_by_everything_that_they_depend_on():
    keys = {key_of("read", 1, "a"), key_of("read", 2, "a"), key_of("read", 1, "b"), key_of("other", 1, "a")}
    assert len(keys) == 4
    assert key_of("read", 1, "a") in keys


def test_a_piece_cut_off_on_disk_counts_as_absent(tmp_path):
    store, result = WorkFolder(tmp_path), {"a": np.arange(5), "rows": np.ones((3, 4), dtype=np.float32)}
    store.put("k", result)
    found = store.get("k")
    assert found is not None
    assert np.array_equal(found["a"], result["a"])
    assert np.array_equal(found["rows"], result["rows"])
    assert store.get("other") is None
    rows = tmp_path / "k.npy"
    rows.write_bytes(rows.read_bytes()[:-4])
    assert store.get("k") is None
