"""Bad channels found, good ones left alone; a recording described in ten lines."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurograft.errors import RecordingError
from neurograft.recordings import Signal, array_recording, check_channels, describe
from neurograft.recordings._flags import _holds
from neurograft.recordings._lazy import laid_out, lazy_recording
from neurograft.units import UV

RATE_HZ = 10_000.0


def noise(n: int = 20_000, channels: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 10 * UV, (n, channels))


def test_constant_saturated_and_nan_channels_are_told_apart() -> None:
    samples = noise()
    samples[:, 0] = 3 * UV
    samples[5000:5100, 1] = 800 * UV  # held at its highest for 10 ms
    samples[9000:9100, 2] = -800 * UV
    samples[7, 3] = np.nan
    samples[8, 4] = np.inf
    flags = check_channels(array_recording(samples, rate_hz=RATE_HZ, signal=Signal.EXTRACELLULAR_V), n_pieces=None)
    assert flags.constant.tolist() == [True, False, False, False, False, False]
    assert flags.saturated.tolist() == [False, True, True, False, False, False]
    assert flags.has_nan.tolist() == [False, False, False, True, True, False]
    assert flags.usable.tolist() == [False] * 5 + [True]
    assert flags.checked_frames == 20_000


def test_spikes_are_no_saturation_and_do_not_raise_the_noise() -> None:
    samples = noise(channels=2)
    for at in range(100, 20_000, 200):  # 50 Hz of 1 ms spikes, 100 times the noise
        samples[at : at + 10, 0] += 1000 * UV * np.sin(np.pi * np.arange(1, 11) / 11)
    flags = check_channels(array_recording(samples, rate_hz=RATE_HZ, signal=Signal.EXTRACELLULAR_V), n_pieces=None)
    assert not flags.saturated.any()
    # 2500 samples a piece: the sd's own error is 1.4 %, its median's less; spikes leave 5 % of the samples doubtful
    np.testing.assert_allclose(flags.noise, 10 * UV, rtol=0.05)


def test_the_noise_of_coarse_counts_is_not_that_of_their_step() -> None:
    counts = np.round(np.random.default_rng(0).normal(0, 1.4, (20_000, 1)))
    recording = array_recording(counts, rate_hz=RATE_HZ, signal=Signal.EXTRACELLULAR_V)
    # sd of the rounding adds 1/12; a median deviation could only be 1 count, 1.48
    assert check_channels(recording).noise[0] == pytest.approx(np.sqrt(1.4**2 + 1 / 12), rel=0.03)


def test_few_pieces_are_read_however_long_the_recording_is() -> None:
    frames = 10**12
    asked: list[int] = []

    def fetch(segment: int, start: int, stop: int) -> np.ndarray:
        assert segment == 0
        asked.append(stop - start)
        return np.random.default_rng(start).normal(size=(stop - start, 4))

    recording = lazy_recording(
        path=Path("huge"),
        fetch=fetch,
        rate_hz=RATE_HZ,
        signal=Signal.MEMBRANE_V,
        segment_frames=[frames],
        channel_labels=list("abcd"),
    )
    flags = check_channels(recording, n_pieces=3, piece_s=0.1)
    assert flags.checked_frames == 3000
    assert max(asked) == 1000
    assert check_channels(recording, n_pieces=2, piece_s=0.1).checked_frames == 2000
    assert check_channels(recording, n_pieces=3, piece_s=0.2).checked_frames == 6000


def test_unusable_questions_are_refused() -> None:
    recording = array_recording(noise(), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    with pytest.raises(RecordingError, match="n_pieces is 0"):
        check_channels(recording, n_pieces=0)
    with pytest.raises(RecordingError, match="at least one piece, above 0 s"):
        check_channels(recording, piece_s=0.0)


def longest_run(flags: list[bool]) -> int:
    best = now = 0
    for flag in flags:
        now = now + 1 if flag else 0
        best = max(best, now)
    return best


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 12))
def test_runs_are_found_as_counting_finds_them(flags: list[bool], run: int) -> None:
    assert _holds(np.array(flags)[:, None], run)[0] == (longest_run(flags) >= run)


def test_a_description_names_what_matters_in_ten_lines() -> None:
    samples = noise()
    samples[:, 1] = 0.0
    samples[5000:5100, 2] = 800 * UV
    samples[7, 3] = np.nan
    position_um = np.column_stack([np.arange(6) * 20.0, np.zeros(6)])
    recording = array_recording(
        (samples, samples[:500]),
        rate_hz=RATE_HZ,
        signal=Signal.INTRACELLULAR_V,
        position_um=position_um,
        channel_labels=("a", "b", "c", "d", "e", "f"),
    )
    lines = describe(recording)
    assert len(lines) <= 10
    text = "\n".join(lines)
    for expected in (
        "intracellular_v",
        "channels: 6",
        "rate: 10000 Hz",
        "duration: 2.05 s, 2 segments, 500 to 20000 frames",
        "100 by 0 µm",
        "constant: 1 of 6: b",
        "with NaN: 1 of 6: d",
    ):
        assert expected in text
    told = re.search(r"noise: (\S+) µV", text)
    assert told is not None
    assert float(told[1]) == pytest.approx(10.0, rel=0.02)


def test_a_recording_of_nothing_but_nan_is_described() -> None:
    recording = array_recording(np.full((500, 2), np.nan), rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    lines = describe(recording)
    assert "noise: no usable channel" in lines
    assert "with NaN: 2 of 2: 0, 1" in lines
    assert not check_channels(recording).usable.any()


@pytest.mark.parametrize(
    ("start_s", "expected"),
    [
        (None, (0.0, 1.5)),
        ((0.0, 0.0), (0.0, 1.5)),  # all at 0: one after the other, a second apart
        ((3.0, 3.5), (3.0, 3.5)),
        ((3.0, 3.49), (0.0, 1.5)),  # overlapping
        ((3.0, 3.4999999), (3.0, 3.5)),  # touching, but for rounding
        ((3.0, float("nan")), (0.0, 1.5)),
    ],
)
def test_segments_never_overlap(start_s: tuple[float, float] | None, expected: tuple[float, float]) -> None:
    assert laid_out([50, 20], rate_hz=100.0, start_s=start_s) == pytest.approx(expected)


def test_repeated_channel_names_are_numbered() -> None:
    recording = lazy_recording(
        path=Path("x"),
        fetch=lambda segment, start, stop: np.zeros((stop - start, 3)),
        rate_hz=1.0,
        signal=Signal.MEMBRANE_V,
        segment_frames=[9],
        channel_labels=["Vm", "Vm", "Vm (2)"],
    )
    assert recording.channel_labels == ("Vm", "Vm (2)", "Vm (2) (2)")
    with pytest.raises(RecordingError, match="Ask for frames inside a segment"):
        recording.read(0, 5, 10)
    with pytest.raises(RecordingError, match="Ask for frames inside a segment"):
        recording.read(1, 0, 1)
