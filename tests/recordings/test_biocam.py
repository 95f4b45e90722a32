"""3Brain files: our values against neo's reader and h5py, positions, and what is refused."""

import json
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import FileKind, OpenOptions, Signal, check_channels, describe, kind_of, open_recording
from neurograft.units import UV

V3, V4 = "biocam_hw3.0_fw1.6.brw", "biocam_hw3.0_fw1.7.0.12_raw.brw"
PITCH = OpenOptions(pitch_um=42.0)


def neo_volts(path: Path, start: int, stop: int) -> np.ndarray:
    from neo.rawio import BiocamRawIO

    reader = BiocamRawIO(filename=str(path))
    reader.parse_header()
    raw = reader.get_analogsignal_chunk(
        block_index=0, seg_index=0, i_start=start, i_stop=stop, stream_index=0, channel_indexes=None
    )
    return reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=0) * UV


@pytest.mark.parametrize("name", [V3, V4])
def test_volts_are_those_of_neo(shared_data: Path, name: str) -> None:
    path = shared_data / "probeinterface" / name
    recording = open_recording(path, options=PITCH)
    # float32 of a sum that cancels: half a unit in the last place of the largest term, 8 mV
    for start, stop in ((0, 1000), (4321, 4999)):
        np.testing.assert_allclose(recording.read(0, start, stop), neo_volts(path, start, stop), rtol=0, atol=2e-9)
    assert recording.signal is Signal.EXTRACELLULAR_V


def test_version_3_has_the_channels_and_rate_its_source_tells(shared_data: Path) -> None:
    recording = open_recording(shared_data / "probeinterface" / V3, options=PITCH)
    assert recording.segment_frames == (19754,)
    assert recording.rate_hz == pytest.approx(19753.774, abs=1e-3)
    assert recording.channel_labels[:2] == ("r20c20", "r20c21")
    np.testing.assert_array_equal(recording.position_um[:2], [[19 * 42.0, 19 * 42.0], [20 * 42.0, 19 * 42.0]])
    assert np.ptp(recording.position_um, axis=0) == pytest.approx([5 * 42.0, 5 * 42.0])


def test_version_4_places_channels_by_index_on_the_grid_and_knows_its_models_pitch(shared_data: Path) -> None:
    recording = open_recording(shared_data / "probeinterface" / V4)
    np.testing.assert_array_equal(recording.position_um[[0, 1, 63, 64]], [[0, 0], [60, 0], [63 * 60, 0], [0, 60]])
    wider = open_recording(shared_data / "probeinterface" / V4, options=PITCH)
    assert wider.position_um[1, 0] == 42.0


def test_the_first_version_4_channel_is_found_constant_and_the_noise_is_the_sources(shared_data: Path) -> None:
    path = shared_data / "probeinterface" / V4
    flags = check_channels(open_recording(path), n_pieces=None)
    assert np.flatnonzero(flags.constant).tolist() == [0]
    assert flags.checked_frames == 5000
    assert 13e-6 < np.median(flags.noise[1:]) < 16e-6  # SOURCE.md: 13-16 uV
    assert any(line.startswith("constant: 1 of 100: 0") for line in describe(open_recording(path)))
    assert kind_of(path) is FileKind.RECORDING


def test_a_file_that_does_not_tell_the_pitch_says_so(shared_data: Path) -> None:
    with pytest.warns(UserWarning, match="does not tell the distance of its electrodes"):
        recording = open_recording(shared_data / "probeinterface" / V3)
    assert np.isnan(recording.position_um).all()
    assert "positions: not told by the file" in describe(recording)
    with pytest.raises(RecordingError, match=r"pitch_um is -1\.0"):
        open_recording(shared_data / "probeinterface" / V3, options=OpenOptions(pitch_um=-1.0))


def write_v4(
    path: Path, raw: np.ndarray, *, toc: list[list[int]], well: str = "Raw", digital: tuple[int, int] = (0, 4095)
) -> None:
    told = {
        "ValueConverter": {
            "MinAnalogValue": -4095.0,
            "MaxAnalogValue": 4095.0,
            "ScaleFactor": 1.0,
            "MinDigitalValue": digital[0],
            "MaxDigitalValue": digital[1],
        },
        "TimeConverter": {"FrameRate": 1000.0},
        "MeaPlate": {"Model": "Arena"},
    }
    with h5py.File(path, "w") as file:
        file["ExperimentSettings"] = [json.dumps(told).encode()]
        file["TOC"] = np.array(toc, dtype=np.int64)
        file[f"Well_A1/{well}"] = raw.ravel()
        file["Well_A1/StoredChIdxs"] = np.arange(raw.shape[1], dtype=np.int32)


def test_version_4_pauses_become_segments_and_any_number_of_channels_opens(tmp_path: Path) -> None:
    raw = np.arange(3 * 10, dtype=np.uint16).reshape(10, 3)  # 3 channels: no square
    write_v4(tmp_path / "a.brw", raw, toc=[[0, 2], [2, 6], [16, 20]])
    recording = open_recording(tmp_path / "a.brw")
    assert recording.segment_frames == (6, 4)
    assert recording.segment_start_s == (0.0, 0.016)
    np.testing.assert_allclose(recording.read(1, 1, 3), (raw[7:9] * 2.0 - 4095) * UV, rtol=1e-6)


def test_the_digital_minimum_shifts_the_volts(tmp_path: Path) -> None:
    raw = np.full((4, 2), 100, dtype=np.uint16)
    write_v4(tmp_path / "a.brw", raw, toc=[[0, 4]], digital=(100, 4195))
    assert open_recording(tmp_path / "a.brw").read(0, 0, 1)[0, 0] == pytest.approx(-4095 * UV, rel=1e-6)


def test_version_3_inversion_turns_the_sign(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "inverted.brw"
    shutil.copy(shared_data / "probeinterface" / V3, path)
    path.chmod(0o644)
    with h5py.File(path, "r+") as file:
        file["3BRecInfo/3BRecVars/SignalInversion"][0] = -1.0
    recording = open_recording(path, options=PITCH)
    np.testing.assert_allclose(recording.read(0, 5, 50), neo_volts(path, 5, 50), rtol=0, atol=2e-9)


def test_fewer_samples_than_told_are_refused_with_the_numbers(tmp_path: Path) -> None:
    write_v4(tmp_path / "a.brw", np.zeros((5, 2), dtype=np.uint16), toc=[[0, 9]])
    with pytest.raises(RecordingError, match="9 frames of 2 channels, 18 samples, but has 10"):
        open_recording(tmp_path / "a.brw")


def test_a_truncated_file_is_refused(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "probeinterface" / V3).read_bytes()
    (tmp_path / "cut.brw").write_bytes(whole[: len(whole) // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RecordingError, match=r"damaged HDF5|not a whole BRW"):
            open_recording(tmp_path / "cut.brw")
