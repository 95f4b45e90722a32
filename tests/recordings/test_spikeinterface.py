"""SpikeInterface: what it saved, vendors' files through its readers, and nothing unpickled."""

import gc
import json
import pickle
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import FileKind, Signal, Skipping, from_spikeinterface, kind_of, open_recording
from neurograft.units import UV

si = pytest.importorskip("spikeinterface.core")
RATE_HZ = 2000.0
V = Signal.EXTRACELLULAR_V


# SpikeInterface leaves the files that it writes and reads open until they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Generator[None]:
    """Collect what SpikeInterface left open inside the test that is excused for it."""
    yield
    gc.collect()


def made(*, gains: bool = True) -> tuple[Any, list[np.ndarray]]:
    """Return a recording of two segments and three channels on a probe, and its counts."""
    from probeinterface import Probe

    counts = [np.random.default_rng(k).integers(-500, 500, (n, 3)).astype(np.int16) for k, n in enumerate((300, 200))]
    recording = si.NumpyRecording(counts, sampling_frequency=RATE_HZ, channel_ids=["x", "y", "z"], t_starts=[0.0, 2.0])
    if gains:
        recording.set_channel_gains([0.5, 1.0, 2.0])
        recording.set_channel_offsets([0.0, 10.0, 0.0])
    probe = Probe(ndim=2, si_units="um")
    probe.set_contacts(positions=np.array([[0, 0], [0, 20], [20, 0]]), shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices([2, 0, 1])
    recording.set_probe(probe)
    return recording, counts


def save(recording: Any, folder: Path, form: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The extractor is not serializable")  # it lives in memory
        recording.save(format=form, folder=folder, verbose=False, progress_bar=False)


def check(recording: Any, counts: list[np.ndarray]) -> None:
    assert recording.segment_frames == (300, 200)
    assert recording.segment_start_s == (0.0, 2.0)
    assert recording.channel_labels == ("x", "y", "z")
    np.testing.assert_array_equal(recording.position_um, [[0, 20], [20, 0], [0, 0]])
    for k, segment in enumerate(counts):
        truth = (segment * np.array([0.5, 1.0, 2.0]) + np.array([0.0, 10.0, 0.0])) * UV
        np.testing.assert_allclose(recording.read(k, 10, 190), truth[10:190], rtol=1e-6)


@pytest.mark.parametrize(("form", "name"), [("binary", "folder"), ("zarr", "store.zarr")])
def test_a_saved_recording_comes_back_in_volts(tmp_path: Path, form: str, name: str) -> None:
    recording, counts = made()
    save(recording, tmp_path / name, form)
    assert kind_of(tmp_path / name) is FileKind.RECORDING
    check(open_recording(tmp_path / name, signal=V), counts)


def test_a_recording_in_memory_is_wrapped(tmp_path: Path) -> None:
    recording, counts = made()
    check(from_spikeinterface(recording, path=tmp_path, signal=V), counts)


@pytest.mark.parametrize("n_left", [1, 2])
def test_a_later_segment_of_fewer_channels_is_refused_where_it_is_read(n_left: int) -> None:
    """Such as neo's blocks are, whose segments need not have the same signals; one channel would pass for all."""
    recording, _ = made()
    later = recording.segments[1]
    whole = later.get_traces
    later.get_traces = lambda start_frame, end_frame, channel_indices: whole(start_frame, end_frame, slice(n_left))
    ours = from_spikeinterface(recording, path=Path("memory"), signal=V)
    assert ours.read(0, 0, 300).shape == (300, 3)
    with pytest.raises(
        RecordingError, match=rf"segment 1 .* {n_left} channels, the recording has 3.*--skip-unreadable"
    ):
        ours.read(1, 0, 10)
    left_out = Skipping(inner=ours)
    assert np.isnan(left_out.read(1, 0, 200)).all()


def test_a_recording_without_gains_or_signal_is_refused(tmp_path: Path) -> None:
    recording, _ = made(gains=False)
    save(recording, tmp_path / "a", "binary")
    with pytest.raises(RecordingError, match="does not tell what its numbers are"):
        open_recording(tmp_path / "a")
    with pytest.raises(RecordingError, match="does not tell the microvolts of a count"):
        open_recording(tmp_path / "a", signal=V)
    with pytest.raises(RecordingError, match="SpikeInterface gives volts only"):
        open_recording(tmp_path / "a", signal=Signal.MEMBRANE_A)


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "opened"))


def test_pickles_in_a_folder_are_refused_and_not_opened(tmp_path: Path) -> None:
    recording, _ = made()
    folder, trap = tmp_path / "a", tmp_path / "trap"
    save(recording, folder, "binary")
    np.save(folder / "properties" / "bad.npy", np.array([Trap(trap)] * 3, dtype=object), allow_pickle=True)
    with pytest.raises(RecordingError, match="would have to be unpickled"):
        open_recording(folder, signal=V)
    assert not trap.exists()


def test_a_folder_that_only_a_pickle_describes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_text("{}")
    (tmp_path / "cached.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(RecordingError, match="would have to be unpickled"):
        open_recording(tmp_path, signal=V)


def test_a_pickle_codec_in_a_store_is_refused(tmp_path: Path) -> None:
    recording, _ = made()
    save(recording, tmp_path / "s.zarr", "zarr")
    file = tmp_path / "s.zarr" / "channel_ids" / ".zarray"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "filters": [{"id": "pickle", "protocol": 5}]}))
    with pytest.raises(RecordingError, match="asks for unpickling"):
        open_recording(tmp_path / "s.zarr", signal=V)


def test_a_foreign_class_in_a_description_is_refused(tmp_path: Path) -> None:
    recording, _ = made()
    save(recording, tmp_path / "a", "binary")
    file = tmp_path / "a" / "si_folder.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "class": "subprocess.Popen"}))
    with pytest.raises(RecordingError, match=r"'subprocess\.Popen', which is not SpikeInterface's"):
        open_recording(tmp_path / "a", signal=V)


def test_a_vendors_file_is_found_by_its_extension(tmp_path: Path) -> None:
    neo_io = pytest.importorskip("neo.io")
    assert neo_io.list_candidate_ios  # the table this relies on
    from neurograft.recordings._spikeinterface import candidates

    for name, reader in {"a.rhd": "intan", "a.nev": "blackrock", "a.smr": "ced", "a.mcd": None}.items():
        (tmp_path / name).write_bytes(b"\0")
        names = candidates(tmp_path / name)
        assert (reader in names) if reader else (names == [])


def test_the_reader_of_a_vendors_format_is_used(shared_data: Path) -> None:
    # SpikeInterface's own BRW reader as the stand-in for a vendor's: its volts are ours
    from neurograft.recordings import OpenOptions
    from neurograft.recordings._spikeinterface import open_vendor

    path = shared_data / "probeinterface" / "biocam_hw3.0_fw1.6.brw"
    theirs = open_vendor(path)
    ours = open_recording(path, options=OpenOptions(pitch_um=42.0))
    assert theirs.signal is Signal.EXTRACELLULAR_V
    np.testing.assert_allclose(theirs.read(0, 0, 500), ours.read(0, 0, 500), rtol=0, atol=2e-9)


def test_a_reader_that_wants_a_folder_gets_the_folder_of_the_file(tmp_path: Path) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    from neurograft.recordings._spikeinterface import _asked

    (tmp_path / "x.ap.bin").write_bytes(b"\0")
    readers = extractors.recording_extractor_full_dict
    assert _asked(readers["spikeglx"], tmp_path / "x.ap.bin") == tmp_path
    assert _asked(readers["intan"], tmp_path / "x.ap.bin") == tmp_path / "x.ap.bin"
    assert _asked(readers["spikeglx"], tmp_path) == tmp_path


def test_an_unreadable_vendor_file_gives_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.rhd").write_bytes(b"\0" * 64)
    with pytest.raises(RecordingError, match=r"was opened by none of its readers(?s:.)*intan:"):
        open_recording(tmp_path / "a.rhd")
