"""Raw binary with a TOML file: round trips in every order and type, and near misses refused."""

from pathlib import Path

import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import FileKind, Signal, check_channels, kind_of, open_recording, write_template

TEXT = """
format_version = 1
[samples]
files = ["a.raw"]
dtype = "int16"
byte_order = "little"
order = "frames"
n_channels = 3
[time]
rate_hz = 1000.0
[signal]
kind = "intracellular_v"
gain_v = 2e-6
offset_v = 1e-3
saturation_v = [-0.05, 0.05]
[layout]
grid_rows = 2
grid_columns = 2
pitch_um = 20.0
"""
COUNTS = np.array([[1, -2, 3], [4, 5, -6], [7, 8, 9], [-10, 11, 12]], dtype=np.int16)


def write(tmp_path: Path, counts: np.ndarray = COUNTS, text: str = TEXT, *, head: bytes = b"") -> Path:
    (tmp_path / "a.raw").write_bytes(head + counts.tobytes())
    (tmp_path / "a.toml").write_text(text)
    return tmp_path / "a.toml"


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


def test_samples_come_back_in_volts_from_either_file(tmp_path: Path) -> None:
    write(tmp_path)
    for name in ("a.raw", "a.toml"):
        recording = open_recording(tmp_path / name)
        np.testing.assert_allclose(recording.read(0, 1, 4), COUNTS[1:4] * 2e-6 + 1e-3, rtol=1e-6)
        assert recording.signal is Signal.INTRACELLULAR_V
        assert recording.rate_hz == 1000.0
        assert kind_of(tmp_path / name) is FileKind.RECORDING
    np.testing.assert_array_equal(recording.position_um, [[0, 0], [20, 0], [0, 20]])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize("order", ["frames", "channels"])
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_every_type_and_order_reads_the_same(tmp_path: Path, dtype: str, order: str, byte_order: str) -> None:
    values = np.arange(12).reshape(4, 3)
    stored = (values if order == "frames" else values.T).astype(np.dtype(dtype).newbyteorder(byte_order[0]))
    text = (
        TEXT.replace('"int16"', f'"{dtype}"').replace('"frames"', f'"{order}"').replace('"little"', f'"{byte_order}"')
    )
    recording = open_recording(write(tmp_path, np.ascontiguousarray(stored), text))
    assert recording.segment_frames == (4,)
    np.testing.assert_allclose(recording.read(0, 1, 3), values[1:3] * 2e-6 + 1e-3, rtol=1e-6)


def test_a_header_is_skipped_and_several_files_are_segments(tmp_path: Path) -> None:
    text = changed('files = ["a.raw"]', 'files = ["a.raw", "b.raw"]\nheader_bytes = 5')
    text = text.replace("rate_hz = 1000.0", "rate_hz = 1000.0\nstart_s = [2.0, 9.0]")
    write(tmp_path, text=text, head=b"12345")
    (tmp_path / "b.raw").write_bytes(b"12345" + COUNTS[:2].tobytes())
    recording = open_recording(tmp_path / "a.toml")
    assert recording.segment_frames == (4, 2)
    assert recording.segment_start_s == (2.0, 9.0)
    np.testing.assert_allclose(recording.read(1, 0, 2), COUNTS[:2] * 2e-6 + 1e-3, rtol=1e-6)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path))
    flipped = COUNTS[::-1].copy()
    with (tmp_path / "a.raw").open("r+b") as file:  # the same file, changed after opening
        file.write(flipped.tobytes())
    np.testing.assert_allclose(recording.read(0, 0, 4), flipped * 2e-6 + 1e-3, rtol=1e-6)


def test_the_told_saturation_is_where_channels_are_flagged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(-500, 500, (2000, 3)).astype(np.int16)
    counts[100:200, 1] = 24_500  # 0.05 V
    counts[100:200, 2] = 24_400  # just inside
    flags = check_channels(open_recording(write(tmp_path, counts)), n_pieces=None)
    assert flags.saturated.tolist() == [False, True, False]
    higher = changed("saturation_v = [-0.05, 0.05]", "saturation_v = [-0.05, 0.06]")
    assert not check_channels(open_recording(write(tmp_path, counts, higher)), n_pieces=None).saturated.any()


def test_positions_and_labels_may_be_listed(tmp_path: Path) -> None:
    listed = 'positions_um = [[0, 1], [2, 3], [4, 5]]\nlabels = ["x", "y", "z"]'
    text = changed("grid_rows = 2\ngrid_columns = 2\npitch_um = 20.0", listed)
    recording = open_recording(write(tmp_path, text=text))
    assert recording.channel_labels == ("x", "y", "z")
    np.testing.assert_array_equal(recording.position_um, [[0, 1], [2, 3], [4, 5]])


def test_a_current_has_amperes_and_refuses_volts(tmp_path: Path) -> None:
    text = changed("gain_v = 2e-6\noffset_v = 1e-3\nsaturation_v = [-0.05, 0.05]", "gain_a = 1e-12").replace(
        "intracellular_v", "membrane_a"
    )
    recording = open_recording(write(tmp_path, text=text))
    np.testing.assert_allclose(recording.read(0, 0, 1), COUNTS[:1] * 1e-12, rtol=1e-6)
    with pytest.raises(RecordingError, match=r"gain_v does not fit membrane_a\. Name it gain_a"):
        open_recording(write(tmp_path, text=changed("intracellular_v", "membrane_a")))


def test_the_template_is_read_and_never_overwrites(tmp_path: Path) -> None:
    write_template(tmp_path / "culture1.toml")
    np.zeros((7, 4096), dtype=np.int16).tofile(tmp_path / "culture1.raw")
    recording = open_recording(tmp_path / "culture1.raw")
    assert recording.segment_frames == (7,)
    assert recording.position_um[65].tolist() == [20.0, 20.0]
    with pytest.raises(RecordingError, match="exists already"):
        write_template(tmp_path / "culture1.toml")


def test_a_file_that_is_no_whole_number_of_frames_is_refused_with_the_numbers(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "a.raw").write_bytes(COUNTS.tobytes()[:-1])
    with pytest.raises(
        RecordingError, match=r"23 bytes after a header of 0: 3 frames of 6 bytes .* and 5 bytes left over"
    ):
        open_recording(path)
    (tmp_path / "a.raw").write_bytes(b"")
    with pytest.raises(RecordingError, match="it is empty"):
        open_recording(path)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(RecordingError, match=r"names a\.raw, which is not beside it"):
        open_recording(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gain_v", "gian_v", r"signal\.gian_v is unknown\. Did you mean 'gain_v'"),
        ("[layout]", "[lay_out]", r"'lay_out' is unknown\. Did you mean 'layout'"),
        ('"int16"', '"int12"', r"samples\.dtype is 'int12'\. Did you mean 'int"),
        ('"frames"', '"frame"', r"samples\.order is 'frame'\. Did you mean 'frames'"),
        ('"intracellular_v"', '"intracelular_v"', "Did you mean 'intracellular_v'"),
        ("n_channels = 3", "n_channels = 0", r"samples\.n_channels is 0\. Give a number of at least 1"),
        ("n_channels = 3", "n_channels = true", r"samples\.n_channels is True"),
        ("rate_hz = 1000.0", "rate_hz = nan", r"time\.rate_hz is nan"),
        ("rate_hz = 1000.0", "rate_hz = 0.0", "the sampling rate is 0.0 Hz"),
        ("gain_v = 2e-6", "gain_v = 0.0", "has gain 0.0"),
        ("format_version = 1", "format_version = 2", "format_version is 2; this neurograft reads 1"),
        ("saturation_v = [-0.05, 0.05]", "saturation_v = [0.05, -0.05]", r"Give \[lowest, highest\]"),
        ("grid_rows = 2", "grid_rows = 1", "has no room for 3 channels"),
        ("pitch_um = 20.0", "positions_um = [[0, 0]]", "has positions_um and a grid"),
        ("pitch_um = 20.0", "", r"layout\.pitch_um is None"),
        ("pitch_um = 20.0", 'pitch_um = 20.0\nlabels = ["a", "a", "b"]', "3 names, 2 different, for 3 channels"),
        ('files = ["a.raw"]', 'files = "a.raw"', r"samples\.files is 'a\.raw'\. Give a list"),
        ("[time]", "[time", "is not valid TOML"),
    ],
)
def test_near_misses_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        open_recording(write(tmp_path, text=changed(old, new)))
