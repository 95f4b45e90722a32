"""Sample times and counters of frames that jump."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import Signal, Skipping, array_recording, open_recording
from neurograft.recordings._clock import clock_of, told_frames
from neurograft.recordings._lazy import lazy_recording

RATE_HZ, N = 1000.0, 20_000
EVEN_S = 7.0 + np.arange(N) / RATE_HZ
pytestmark = pytest.mark.filterwarnings("default")


def spans(clock):
    return [(first, stop, pytest.approx(start_s)) for first, stop, start_s in clock.stretches]


def test_even_times_are_one_stretch(tmp_path):
    clock = clock_of(tmp_path, EVEN_S, "a")
    assert clock.rate_hz == pytest.approx(RATE_HZ)
    assert spans(clock) == [(0, N, 7.0)]


def test_one_lost_sample_is_a_jump(tmp_path):
    times_s = EVEN_S + (np.arange(N) >= 9000) / RATE_HZ
    with pytest.warns(UserWarning, match=r"jumps by 0\.001 s at frame 9000.*2 segments"):
        clock = clock_of(tmp_path, times_s, "a")
    assert spans(clock) == [(0, 9000, 7.0), (9000, N, 16.001)]


def test_a_clock_that_goes_back_goes_on_a_second_later_and_so_does_all_after_it(tmp_path):
    times_s = EVEN_S - 5.0 * (np.arange(N) >= 9000) + 2.0 * (np.arange(N) >= 15_000)
    with pytest.warns(UserWarning, match=r"back by 5 s at frame 9000, by 2 s at frame 15000"):
        clock = clock_of(tmp_path, times_s, "a")
    assert spans(clock) == [(0, 9000, 7.0), (9000, 15_000, 17.0), (15_000, N, 25.0)]


@pytest.mark.parametrize("digits", [3, 4])
def test_rounded_and_shaking_stamps_are_no_jumps(tmp_path, digits):
    rng = np.random.default_rng(0)
    shaken_s = EVEN_S + rng.uniform(-2e-4, 2e-4, N) if digits == 3 else np.round(EVEN_S, digits)
    assert len(clock_of(tmp_path, shaken_s, "a").stretches) == 1


def test_a_drifting_clock_with_a_gap_keeps_its_own_rate(tmp_path):
    times_s = 1.0 + np.arange(N) / (RATE_HZ * (1 + 1e-5)) + 3.0 * (np.arange(N) >= 12_000)
    with pytest.warns(UserWarning, match="jumps"):
        clock = clock_of(tmp_path, times_s, "a")
    assert clock.rate_hz == pytest.approx(RATE_HZ * (1 + 1e-5), rel=1e-8)
    assert len(clock.stretches) == 2


@pytest.mark.parametrize(
    "times_s",
    [
        np.cumsum(np.random.default_rng(0).exponential(1e-3, 5000)),  # events
        np.concatenate([np.arange(5000) / 1000, 10 + np.arange(5000) / 500]),  # two rates
        np.zeros(100),
        np.where(np.arange(5000) == 77, np.nan, np.arange(5000) / 1000) * np.where(np.arange(5000) % 9, 1, 2),
    ],
)
def test_times_without_a_rate_are_refused_with_the_place(tmp_path, times_s):
    with pytest.raises(RecordingError, match=r"a is sampled unevenly: sample \d+ is at"):
        clock_of(tmp_path, times_s, "a")


def test_a_counter_of_frames_tells_lost_ones(tmp_path):
    number = np.arange(N, dtype=np.uint64) + 500 + 250 * (np.arange(N) >= 6000)
    with pytest.warns(UserWarning, match=r"by 0\.25 s at frame 6000"):
        clock = told_frames(tmp_path, number, RATE_HZ, "the counter")
    assert spans(clock) == [(0, 6000, 0.0), (6000, N, 6.25)]
    with pytest.raises(RecordingError, match="too many to be gaps"):
        told_frames(tmp_path, number * 2, RATE_HZ, "the counter")


def test_maxwell_frames_that_were_lost_part_the_recording(tmp_path):
    pytest.importorskip("spikeinterface")
    samples = np.random.default_rng(0).integers(400, 600, (4, 9000)).astype(np.uint16)
    with h5py.File(tmp_path / "a.raw.h5", "w") as file:
        file["version"] = np.array([b"20190530"])
        well = file.create_group("wells/well000/rec0000")
        mapping = np.zeros(4, [("channel", "i4"), ("electrode", "i4"), ("x", "f8"), ("y", "f8")])
        mapping["channel"], mapping["electrode"] = np.arange(4), np.arange(4) * 3
        mapping["x"] = np.arange(4) * 17.5
        well["settings/mapping"], well["settings/sampling"], well["settings/lsb"] = mapping, [20_000.0], [6e-6]
        well["groups/routed/raw"] = samples
        well["groups/routed/frame_nos"] = np.arange(9000) + 77 + 4000 * (np.arange(9000) >= 5000)
    with pytest.warns(
        UserWarning, match=r"a\.raw\.h5: the clock of the counter of frames jumps by 0\.2 s at frame 5000"
    ):
        recording = open_recording(tmp_path / "a.raw.h5")
    assert recording.segment_frames == (5000, 4000)
    assert recording.segment_start_s == (0.0, pytest.approx(0.45))
    np.testing.assert_allclose(recording.read(1, 10, 12), samples.T[5010:5012] * 6e-6, rtol=1e-5)


def failing(bad):
    """A recording of 1000 frames that cannot be read where ``bad`` is."""

    def fetch(segment, start, stop):
        if any(start < last and stop > first for first, last in bad):
            raise RuntimeError("checksum")
        return np.arange(start, stop, dtype=np.float64)[:, None]

    return lazy_recording(
        path=Path("a"),
        fetch=fetch,
        rate_hz=RATE_HZ,
        signal=Signal.MEMBRANE_V,
        segment_frames=[1000],
        channel_labels=["a"],
    )


def test_what_cannot_be_read_is_told_with_its_place():
    with pytest.raises(
        RecordingError, match=r"a: frames 100 to 400 of segment 0 \(0\.1 s on\) cannot be read: checksum"
    ):
        failing([(300, 301)]).read(0, 100, 400)


def test_skipping_leaves_out_a_hundredth_of_a_second_around_what_cannot_be_read():
    recording = Skipping(inner=failing([(300, 310), (640, 650)]))
    got = recording.read(0, 0, 1000)[:, 0]
    bad = np.isnan(got)
    assert bad[300:310].all()
    assert bad[640:650].all()
    assert bad.sum() <= 2 * (10 + 2 * 10)
    np.testing.assert_array_equal(got[~bad], np.arange(1000)[~bad])
    with pytest.raises(RecordingError, match="Ask for frames inside"):
        recording.read(0, 0, 1001)
    whole = array_recording(np.ones((50, 2)), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    np.testing.assert_array_equal(Skipping(inner=whole).read(0, 3, 9), whole.read(0, 3, 9))
