"""Folders with a recording and its truth: whole or not at all, and the same from any number of workers."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from neurograft.culture import (
    PSEUDO_VOLTAGE_CLAMP,
    ArrayOptions,
    Culture,
    CultureOptions,
    NwbFile,
    PadGrid,
    RawBinary,
    RecordingFormat,
    SpikeInterfaceZarr,
    record,
    require_writable,
    write_culture,
)
from neurograft.culture._play import n_frames
from neurograft.culture._recorder import _lose
from neurograft.culture._write import _sidecar
from neurograft.errors import CultureError
from neurograft.maps import load_layout, load_map
from neurograft.provenance import provenance_from_json
from neurograft.recordings import Signal, open_recording
from neurograft.spikes import open_spikes

ARRAY = ArrayOptions(drops_per_minute=600.0)


def test_a_folder_holds_what_memory_would(tiny: Culture, tmp_path: Path) -> None:
    write_culture(tiny, tmp_path / "grown", seconds=0.12, array=ARRAY, seed=2)
    wanted = record(tiny, ARRAY, seconds=0.12, seed=2)
    found = open_recording(tmp_path / "grown" / "recording.raw")
    assert found.signal is Signal.INTRACELLULAR_V
    assert found.rate_hz == wanted.recording.rate_hz
    assert found.channel_labels == wanted.recording.channel_labels
    assert np.array_equal(found.position_um, wanted.recording.position_um)
    assert found.read(0, 0, 1200) == pytest.approx(wanted.recording.read(0, 0, 1200), rel=1e-6, abs=1e-12)
    truth = load_map(tmp_path / "grown" / "truth.h5")
    assert np.array_equal(truth.weight_v, wanted.truth.weight_v)
    assert truth.labels == wanted.truth.labels
    spikes = open_spikes(tmp_path / "grown" / "spikes.h5")
    assert np.array_equal(spikes.time_s, wanted.spikes.time_s)
    assert np.array_equal(spikes.neuron, wanted.spikes.neuron)


@pytest.mark.compiled
def test_the_truth_tells_which_neuron_is_on_which_channel(tiny: Culture, tmp_path: Path) -> None:
    write_culture(tiny, tmp_path / "grown", seconds=0.1, array=ARRAY, seed=2)
    wanted = record(tiny, ARRAY, seconds=0.1, seed=2)
    layout = load_layout(tmp_path / "grown" / "truth.h5")
    assert layout is not None
    assert layout.channel_labels == wanted.layout.channel_labels == wanted.recording.channel_labels
    assert np.array_equal(layout.channel_neuron, wanted.channel_neuron)
    assert np.array_equal(layout.hidden_input_share, wanted.layout.hidden_input_share)
    assert layout.n_hidden == wanted.layout.n_hidden
    with h5py.File(tmp_path / "grown" / "truth.h5") as file:
        group = file["culture"]
        assert group.attrs["format_version"] == 1
        assert group.attrs["family"] == "adex"
        assert np.array_equal(group["channel_neuron"], wanted.channel_neuron)
        assert np.array_equal(group["channel_state"], wanted.channel_state)
        assert np.array_equal(group["coupling"], wanted.coupling)
        assert np.array_equal(group["lost_frames"], wanted.drops)
        assert np.array_equal(group["neuron_pad"], tiny.pad)
        told = provenance_from_json(group.attrs["provenance"])
    assert told.seed == tiny.seed
    assert told.parameters["recording_seed"] == 2
    assert told.parameters["n_neurons"] == 6


@pytest.mark.compiled
def test_the_samples_do_not_depend_on_the_number_of_workers(tiny: Culture, tmp_path: Path) -> None:
    for workers in (1, 2, 3):
        write_culture(tiny, tmp_path / str(workers), seconds=0.12, array=ARRAY, n_workers=workers)
    one, two, three = ((tmp_path / name / "recording.raw").read_bytes() for name in "123")
    assert one == two == three


@pytest.mark.compiled
@pytest.mark.parametrize(("form", "name"), [(SpikeInterfaceZarr(), "recording.zarr"), (NwbFile(), "recording.nwb")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries' own dependencies
def test_other_formats_hold_the_same_samples(tiny: Culture, tmp_path: Path, form: RecordingFormat, name: str) -> None:
    pytest.importorskip("spikeinterface")
    pytest.importorskip("pynwb")
    write_culture(tiny, tmp_path / "grown", seconds=0.2, form=form)
    wanted = record(tiny, seconds=0.2).recording
    found = open_recording(tmp_path / "grown" / name, signal=Signal.INTRACELLULAR_V)
    assert found.read(0, 0, 2000) == pytest.approx(wanted.read(0, 0, 2000), abs=1e-9)
    assert found.position_um == pytest.approx(wanted.position_um)
    assert not (tmp_path / "grown" / "recording.raw").exists()


@pytest.mark.compiled
def test_currents_are_written_as_currents(tiny: Culture, tmp_path: Path) -> None:
    write_culture(tiny, tmp_path / "grown", seconds=0.05, array=ArrayOptions(readout=PSEUDO_VOLTAGE_CLAMP))
    assert open_recording(tmp_path / "grown" / "recording.raw").signal is Signal.MEMBRANE_A


def test_a_failed_run_leaves_nothing(tiny: Culture, tmp_path: Path) -> None:
    def stop(what: str, done: float, total: float) -> None:
        if done >= 500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_culture(tiny, tmp_path / "grown", seconds=0.2, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.compiled
def test_a_killed_run_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from neurograft.culture import *\n"
        "quick = ActivityOptions(settle_s=0.1, settle_rounds=1)\n"
        "c = grow(CultureOptions(n_neurons=6, wiring=WiringOptions(inputs_per_neuron=2), activity=quick), seed=5)\n"
        "write_culture(c, Path(sys.argv[1]), seconds=1000.0, progress=lambda *said: print(*said, flush=True))\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "grown")], stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline().startswith(b"recording")
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    left = [path.name for path in tmp_path.iterdir()]
    assert "grown" not in left
    assert all(name.startswith(".") and name.endswith(".part") for name in left)


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(tiny: Culture, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    names = (".grown.killed.part", ".grown.writing.part", ".grown2.killed.part")
    killed, writing, other = (tmp_path / name for name in names)
    for folder in (killed, writing, other):
        folder.mkdir()
        (folder / "recording.raw").write_bytes(b"xx")
    handle = os.open(writing, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # as a run in another process does
    write_culture(tiny, tmp_path / "grown", seconds=0.02)
    os.close(handle)
    assert {path.name for path in tmp_path.iterdir()} == {"grown", ".grown.writing.part", ".grown2.killed.part"}


def test_a_run_holds_its_folder_while_it_writes(tiny: Culture, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    seen: list[str] = []

    def look(what: str, done: float, total: float) -> None:
        seen.extend(path.name for path in tmp_path.glob(".grown.*.part"))
        with pytest.raises(CultureError, match="exists already"):
            write_culture(tiny, tmp_path, seconds=0.02)
        write_culture(tiny, tmp_path / "grown2", seconds=0.02)
        shutil.rmtree(tmp_path / "grown2")
        assert [path.name for path in tmp_path.glob(".grown.*.part")] == seen[-1:]

    write_culture(tiny, tmp_path / "grown", seconds=0.02, progress=look)
    assert len(seen) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["grown"]


def test_nineteen_minutes_of_4096_pads_are_read_at_their_place(tiny: Culture, tmp_path: Path) -> None:
    fields = {name: getattr(tiny, name) for name in tiny.__dataclass_fields__}
    wide = Culture(**fields | {"options": replace(tiny.options, pads=PadGrid(n_rows=64, n_columns=64))})
    (tmp_path / "recording.toml").write_text(_sidecar(wide, ArrayOptions()))
    frames = n_frames(wide.options, 19 * 60.0)
    assert frames == 11_400_000
    last = np.arange(2 * 4096, dtype=np.int16).reshape(2, 4096)
    with (tmp_path / "recording.raw").open("wb") as file:
        file.seek((frames - 2) * 4096 * 2)  # 93.4 GB of nothing, which take no room on disk
        last.tofile(file)
    if (tmp_path / "recording.raw").stat().st_blocks * 512 > 1 << 30:
        pytest.skip("this file system stores what was never written")
    recording = open_recording(tmp_path / "recording.toml")
    assert recording.segment_frames == (frames,)
    found = recording.read(0, frames - 3, frames) / recording.gain[0]
    assert not found[0].any()
    assert np.array_equal(np.rint(found[1:]), last)


def test_lost_frames_are_found_late_in_a_long_recording() -> None:
    start = 1 << 33
    samples = np.arange(8, dtype=np.int16)[:, None].copy()
    _lose(samples, np.array([[start + 3, start + 6]]), start, samples[:1].copy())
    assert samples.ravel().tolist() == [0, 1, 2, 2, 2, 2, 6, 7]


def test_an_existing_folder_is_refused(tiny: Culture, tmp_path: Path) -> None:
    (tmp_path / "grown").mkdir()
    with pytest.raises(CultureError, match="exists already"):
        write_culture(tiny, tmp_path / "grown", seconds=0.1)


def test_a_full_disk_is_refused_before_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = CultureOptions(n_neurons=2000, pads=PadGrid(n_rows=64, n_columns=64))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=50_000_000_000))
    nineteen_minutes = 19 * 60.0
    with pytest.raises(CultureError, match=r"needs 93\.\d GB, but .* has 50\.0 GB free"):
        require_writable(options, ArrayOptions(), tmp_path / "grown", seconds=nineteen_minutes, form=RawBinary())
    with pytest.raises(CultureError, match=r"needs 18\d\.\d GB"):
        require_writable(options, ArrayOptions(), tmp_path / "grown", seconds=nineteen_minutes, form=NwbFile())
    (tmp_path / ".grown.killed.part").mkdir()
    if sys.platform != "win32":
        with pytest.raises(CultureError, match=r"A killed run left .*\.grown\.killed\.part: remove it"):
            require_writable(options, ArrayOptions(), tmp_path / "grown", seconds=nineteen_minutes, form=RawBinary())
    require_writable(options, ArrayOptions(), tmp_path / "grown", seconds=60.0, form=RawBinary())
    impossible = replace(options, n_neurons=6000)
    with pytest.raises(CultureError, match="Raise the pads"):
        require_writable(impossible, ArrayOptions(), tmp_path / "grown", seconds=60.0, form=RawBinary())


@pytest.mark.compiled
@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from neurograft.culture import *\n"
        "quick = ActivityOptions(settle_s=0.1, settle_rounds=1)\n"
        "c = grow(CultureOptions(n_neurons=400, activity=quick), seed=5)\n"
        "write_culture(c, Path(sys.argv[1]), seconds=float(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    used = [
        int(subprocess.check_output([sys.executable, "-c", script, str(tmp_path / seconds), seconds]))
        for seconds in ("2", "12")
    ]
    assert used[1] < used[0] + 20_000  # 10 s more are 80 MB of samples
