"""What a path is; and files that are nothing, damaged, renamed or hostile."""

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import FileKind, Signal, kind_of, open_recording
from neurograft.recordings._numpy_files import load_npy, load_npz


def hdf5(path: Path, groups: tuple[str, ...] = (), **attrs: Any) -> Path:
    with h5py.File(path, "w") as file:
        for group in groups:
            file.create_group(group)
        file.attrs.update(attrs)
    return path


def test_hdf5_files_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    assert kind_of(hdf5(tmp_path / "map.h5", ("nodes", "edges"))) is FileKind.MAP
    assert kind_of(hdf5(tmp_path / "spikes.h5", ("spikes/x",))) is FileKind.SPIKES
    assert kind_of(hdf5(tmp_path / "image.h5", ("tiles",), format="neurograft image")) is FileKind.IMAGE
    assert kind_of(hdf5(tmp_path / "units.nwb", ("units",), nwb_version="2.6")) is FileKind.SPIKES
    assert kind_of(hdf5(tmp_path / "maxwell.h5", ("mapping", "sig"))) is FileKind.RECORDING
    assert kind_of(hdf5(tmp_path / "other.h5", ("x",))) is FileKind.UNKNOWN
    assert kind_of(hdf5(tmp_path / "bare.nwb", (), nwb_version="2.6")) is FileKind.UNKNOWN


def test_tables_are_told_apart_by_their_header(tmp_path: Path) -> None:
    for name, text, kind in (
        ("a.csv", "neuron,time_s\n1,0.5\n", FileKind.SPIKES),
        ("b.csv", "pre,post,sections\n1,2,3\n", FileKind.TABLE),
        ("c.tsv", "pre\tpost\tn\n", FileKind.TABLE),
        ("d.csv", "a,b\n", FileKind.UNKNOWN),
    ):
        (tmp_path / name).write_text(text)
        assert kind_of(tmp_path / name) is kind


def test_archives_and_folders_are_told_apart(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", vm_mv=np.ones((1, 1, 1)), dt_s=1.0)
    np.savez(tmp_path / "b.npz", times=np.ones(1), ids=np.ones(1))
    np.savez(tmp_path / "c.npz", other=np.ones(1))
    np.savez(tmp_path / "d.npz", pre=np.ones(1), post=np.ones(1))
    kinds = [kind_of(tmp_path / f"{name}.npz") for name in "abcd"]
    assert kinds == [FileKind.RECORDING, FileKind.SPIKES, FileKind.UNKNOWN, FileKind.TABLE]
    (tmp_path / "phy").mkdir()
    assert kind_of(tmp_path / "phy") is FileKind.UNKNOWN
    np.save(tmp_path / "phy" / "spike_times.npy", np.zeros(1))
    assert kind_of(tmp_path / "phy") is FileKind.SPIKES


def test_looking_at_a_file_imports_no_reader(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "map.h5", ("edges",))
    code = (
        "import sys; from pathlib import Path; from neurograft.recordings import kind_of, open_recording; "
        f"kind_of(Path({str(path)!r})); "
        "print([m for m in ('spikeinterface', 'neo', 'pynwb', 'myokit', 'scipy', 'numba', 'zarr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["a.nwb", "a.brw", "a.h5"])
def test_a_text_named_like_hdf5_is_refused_before_any_reader_tries(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("This is no recording.\n" * 100)
    for look in (open_recording, kind_of):
        with pytest.raises(RecordingError, match="named like an HDF5 file but is none"):
            look(tmp_path / name)


@pytest.mark.parametrize("name", ["a.abf", "a.npz", "a.dat", "a.mat", "a.rhd", "a.xyz"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_renamed_text_is_refused_with_one_message(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("This is no recording.\n" * 100)
    with pytest.raises(RecordingError, match=r"of no kind|by none of its readers"):
        open_recording(tmp_path / name)
    assert kind_of(tmp_path / name) is FileKind.UNKNOWN


@pytest.mark.parametrize("name", ["a.abf", "a.nwb", "a.npz", "a.toml", "a.raw"])
def test_an_empty_or_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="There is no file or folder"):
        open_recording(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(RecordingError, match=r"is empty \(0 bytes\)"):
        open_recording(tmp_path / name)


def test_another_kind_of_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds synaptic map"):
        open_recording(hdf5(tmp_path / "map.h5", ("edges",)))
    (tmp_path / "a.toml").write_text("[other]\nx = 1\n")
    with pytest.raises(RecordingError, match="format_version is None"):
        open_recording(tmp_path / "a.toml")


def test_a_signal_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", vm_mv=np.ones((1, 1, 9)), dt_s=1.0)
    with pytest.raises(RecordingError, match="holds membrane_v, but signal is extracellular_v"):
        open_recording(tmp_path / "a.npz", signal=Signal.EXTRACELLULAR_V)


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "opened"))


def test_pickles_in_archives_are_refused_and_not_opened(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "trap")], dtype=object)
    np.savez(tmp_path / "a.npz", vm_mv=trap, dt_s=1.0)
    np.save(tmp_path / "a.npy", trap)
    with pytest.raises(RecordingError, match="would have to be unpickled"):
        open_recording(tmp_path / "a.npz")
    with pytest.raises(RecordingError, match="would have to be unpickled"):
        load_npy(tmp_path / "a.npy", error=RecordingError)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(Trap(tmp_path / "trap")))
    with pytest.raises(RecordingError, match="of no kind"):
        open_recording(tmp_path / "b.pkl")
    assert not (tmp_path / "trap").exists()


def claim(path: Path, shape: tuple[int, ...], data: bytes) -> Path:
    """Write an archive whose array header claims a shape that its bytes may not have."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", body)
    path.with_suffix(".npy").write_bytes(body)
    return path


def test_sizes_are_checked_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = claim(tmp_path / "a.npz", (1 << 50,), b"\0" * 80)
    with pytest.raises(RecordingError, match="it is cut off"):
        load_npz(path, ["x"], error=RecordingError)
    with pytest.raises(RecordingError, match="it is cut off"):
        load_npy(path.with_suffix(".npy"), error=RecordingError)
    good = claim(tmp_path / "b.npz", (10,), b"\0" * 80)
    assert load_npz(good, ["x", "y"], error=RecordingError)["x"].shape == (10,)
    assert load_npy(good.with_suffix(".npy"), error=RecordingError).shape == (10,)


def test_a_truncated_or_damaged_archive_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=1000))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-40])
    with pytest.raises(RecordingError, match="not a whole NPZ file"):
        load_npz(tmp_path / "cut.npz", ["x"], error=RecordingError)
    (tmp_path / "bad.npz").write_bytes(whole[:1000] + b"\xff" * 200 + whole[1200:])
    with pytest.raises(RecordingError, match="cannot be read"):
        load_npz(tmp_path / "bad.npz", ["x"], error=RecordingError)
