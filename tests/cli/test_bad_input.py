"""Recordings that break in the middle: what was read is kept, the message says what to do, --resume goes on."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from cli.recorded import CHANNELS, RATE_HZ, SECONDS, content, same, samples, sidecar
from neurograft.maps import load_map

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"),
]
AT = 25  # s, of the damage: in the third piece of five
SIGNAL = ("--signal", "membrane_v")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with the recording as HDF5, Zarr and raw samples, and the map of the undamaged one."""
    from neurograft.cli import main

    folder = tmp_path_factory.mktemp("whole")
    write_nwb(folder / "seen.nwb", samples())
    write_raw(folder / "seen", samples())
    assert main(["copy", str(folder / "seen.nwb"), *SIGNAL, "-o", str(folder / "map.h5")]) == 0
    return folder


def write_nwb(path, volts, *, times_s=None):
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        series = file.create_group("acquisition/es")
        series.attrs["neurodata_type"] = "ElectricalSeries"
        data = series.create_dataset("data", data=volts, chunks=(RATE_HZ, CHANNELS), compression="gzip")
        data.attrs["unit"], data.attrs["conversion"] = "volts", 5e-6
        table = file.create_group("general/extracellular_ephys/electrodes")
        table["id"] = np.arange(CHANNELS)
        series["electrodes"] = np.arange(CHANNELS)
        series["electrodes"].attrs["table"] = table.ref
        if times_s is None:
            series["starting_time"] = 0.0
            series["starting_time"].attrs["rate"] = float(RATE_HZ)
        else:
            series["timestamps"] = times_s


def write_raw(stem, volts):
    volts.tofile(stem.with_suffix(".raw"))
    stem.with_suffix(".toml").write_text(sidecar(f"{stem.name}.raw"))


def write_zarr(path):
    si = pytest.importorskip("spikeinterface.core")
    made = si.NumpyRecording([samples()], float(RATE_HZ))
    made.set_channel_gains(5.0)
    made.set_channel_offsets(0.0)
    made.save(format="zarr", folder=path, verbose=False, progress_bar=False, chunk_duration="1s")


def stops_and_goes_on(neurograft, path, out, *, says, mend, kept=2):
    """The copy stops with exit code 2 and so many pieces; mended, --resume makes the map."""
    failed = neurograft("copy", path, *SIGNAL, "-o", out)
    assert failed.code == 2
    assert "Traceback" not in failed.err
    assert f"Reading failed after {kept} of 5 pieces" in failed.err
    assert says in failed.err
    assert "What was read is kept" in failed.err
    assert "--resume" in failed.err
    assert len(list(out.with_name(out.name + ".work").glob("*.npz"))) == kept
    mend()
    assert neurograft("copy", path, *SIGNAL, "-o", out, "--resume").code == 0


def left_out(neurograft, path, out):
    """Copy without what cannot be read; return the times left out."""
    done = neurograft("copy", path, *SIGNAL, "-o", out, "--skip-unreadable", "--json")
    assert done.code == 0, done.err
    told = load_map(out).provenance.parameters["unusable_s"]
    assert told == json.loads(done.out)["unusable_s"]
    return np.array(told)


def test_a_damaged_chunk_of_hdf5_stops_the_copy_or_is_left_out(neurograft, whole, tmp_path):
    path = tmp_path / "seen.nwb"
    shutil.copy(whole / "seen.nwb", path)
    with h5py.File(path) as file:
        chunk = file["acquisition/es/data"].id.get_chunk_info(AT)
    held = bytearray(path.read_bytes())
    for k in range(50, 90):
        held[chunk.byte_offset + k] ^= 0xFF
    path.write_bytes(bytes(held))
    ((begin_s, end_s),) = left_out(neurograft, path, tmp_path / "without.h5")
    assert begin_s == pytest.approx(AT, abs=0.02)
    assert end_s == pytest.approx(AT + 1, abs=0.02)
    assert load_map(tmp_path / "without.h5").n_synapses == load_map(whole / "map.h5").n_synapses
    stops_and_goes_on(
        neurograft, path, tmp_path / "map.h5", says="cannot be read", mend=lambda: shutil.copy(whole / "seen.nwb", path)
    )
    assert same(tmp_path / "map.h5", whole / "map.h5")


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_a_missing_or_corrupt_chunk_of_zarr_is_no_silence(neurograft, tmp_path, damage):
    path = tmp_path / "a.zarr"
    write_zarr(path)
    chunk = path / "traces_seg0" / f"{AT}.0"
    held = chunk.read_bytes()
    if damage == "missing":
        chunk.unlink()
    else:
        chunk.write_bytes(held[:200])
    ((begin_s, end_s),) = left_out(neurograft, path, tmp_path / "without.h5")
    assert begin_s == pytest.approx(AT, abs=0.02)
    assert end_s == pytest.approx(AT + 1, abs=0.02)
    says = "the object of the chunk of frames 50000 to 52000 is missing" if damage == "missing" else "cannot be read"
    stops_and_goes_on(neurograft, path, tmp_path / "map.h5", says=says, mend=lambda: chunk.write_bytes(held))


def test_raw_samples_cut_off_while_they_are_read(neurograft, whole, tmp_path):
    from neurograft.copying import WorkFolder

    write_raw(tmp_path / "seen", samples())
    put = WorkFolder.put
    kept = []

    def cutting(self, key, result):
        kept.append(key)
        if len(kept) == 2:
            os.truncate(tmp_path / "seen.raw", AT * RATE_HZ * CHANNELS * 2)
        return put(self, key, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkFolder, "put", cutting)
        failed = neurograft("copy", tmp_path / "seen.toml", "-o", tmp_path / "map.h5")
    assert failed.code == 2
    assert "cut off while it was read" in failed.err
    assert "--resume" in failed.err
    write_raw(tmp_path / "seen", samples())
    assert neurograft("copy", tmp_path / "seen.toml", "-o", tmp_path / "map.h5", "--resume").code == 0
    assert same(tmp_path / "map.h5", whole / "map.h5", but={"neurograft/provenance"})


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("jump_s", [3.7, -5.0])
def test_a_clock_that_jumps_parts_the_recording_and_says_so(neurograft, whole, tmp_path, jump_s):
    times_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    times_s[20 * RATE_HZ :] += jump_s
    write_nwb(tmp_path / "jump.nwb", samples(), times_s=times_s)
    done = neurograft("copy", tmp_path / "jump.nwb", *SIGNAL, "-o", tmp_path / "map.h5")
    assert done.code == 0
    assert "note: jump.nwb: the clock of acquisition/es jumps" in done.err
    made = load_map(tmp_path / "map.h5")
    (_, end_s), (begin_s, _) = made.provenance.parameters["segments_s"]
    assert end_s == pytest.approx(20)
    assert begin_s == pytest.approx(20 + (jump_s if jump_s > 0 else 1.0))  # a clock that went back: a second apart
    assert made.n_synapses == load_map(whole / "map.h5").n_synapses


@pytest.mark.parametrize("becomes", ["constant", "zero", "nan"])
def test_a_channel_that_vanishes_is_used_until_then(neurograft, whole, tmp_path, becomes):
    at = 16
    volts = samples().astype(np.float32)
    volts[at * RATE_HZ :, 2] = {"constant": volts[at * RATE_HZ, 2], "zero": 0, "nan": np.nan}[becomes]
    write_nwb(tmp_path / "seen.nwb", volts)
    done = neurograft("copy", tmp_path / "seen.nwb", *SIGNAL, "-o", tmp_path / "map.h5", "--json")
    flags = json.loads(done.out)["flags"]
    assert list(flags) == ["2"]
    assert flags["2"][0] == "vanishes after about 16 s: nothing later is used"
    pairs = {(p["pre"], p["post"]) for p in json.loads(done.out)["pairs"] if p["q_value"] < 0.05}
    assert pairs == {("0", "1"), ("1", "2")}  # that onto the channel too


def test_a_gap_of_zeros_is_left_out_and_told(neurograft, tmp_path):
    volts = samples()
    volts[AT * RATE_HZ : (AT + 2) * RATE_HZ] = 0
    write_raw(tmp_path / "seen", volts)
    done = neurograft("copy", tmp_path / "seen.toml", "-o", tmp_path / "map.h5")
    assert "left out: 2 s without a usable sample on any channel (25 to 27 s)" in done.out
    assert "of 5 channels" not in done.out  # it is the recording's, and not theirs
    np.testing.assert_allclose(load_map(tmp_path / "map.h5").provenance.parameters["unusable_s"], [[25, 27]], atol=0.01)


def test_segments_of_other_channels_are_refused(neurograft, tmp_path):
    write_raw(tmp_path / "seen", samples())
    fewer = samples()[: 3 * RATE_HZ + 1, :3]
    fewer.tofile(tmp_path / "fewer.raw")
    told = sidecar("seen.raw").replace("['seen.raw']", "['seen.raw', 'fewer.raw']")
    (tmp_path / "both.toml").write_text(told)
    failed = neurograft("copy", tmp_path / "both.toml", "-o", tmp_path / "map.h5")
    assert failed.code == 2
    assert "fewer.raw" in failed.err
    assert "n_channels, dtype or header_bytes is wrong" in failed.err


LIMITED = """
import resource, sys
from neurograft.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


def test_a_file_system_that_takes_no_more_is_told_and_the_rest_is_kept(neurograft, whole, tmp_path):
    """Files of 150 kB are allowed: those of whole pieces are larger, that of the last, of 3 s, is not."""
    command = [sys.executable, "-c", LIMITED, "150000", "copy", whole / "seen.toml", "-o", tmp_path / "map.h5"]
    failed = subprocess.run([*map(str, command), "--shard", "4/5"], check=False, capture_output=True, text=True)
    assert failed.returncode == 0
    failed = subprocess.run([*map(str, command), "--resume"], check=False, capture_output=True, text=True)
    assert failed.returncode == 2
    assert "Writing failed ([Errno 27] File too large)" in failed.stderr
    assert "holds 1 finished pieces, which are kept" in failed.stderr
    assert not list((tmp_path / "map.h5.work").glob(".*"))  # nothing half written
    assert neurograft("copy", whole / "seen.toml", "-o", tmp_path / "map.h5", "--resume").code == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_map_that_cannot_be_written_leaves_what_was_read(neurograft, whole, tmp_path):
    from neurograft.copying import WorkFolder

    (tmp_path / "map.h5").mkdir()  # in the way
    failed = neurograft("copy", whole / "seen.toml", "-o", tmp_path / "map.h5")
    assert failed.code == 2
    assert "cannot be written" in failed.err
    assert "--resume" in failed.err
    (tmp_path / "map.h5").rmdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkFolder, "put", lambda *_: pytest.fail("a piece was read again"))
        assert neurograft("copy", whole / "seen.toml", "-o", tmp_path / "map.h5", "--resume").code == 0


@pytest.fixture
def store():
    """An object store on this machine that can be stopped and started: (where, stop, start)."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: no object store to test")
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed: no object store to test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = []

    def start():
        running.append(server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False))
        running[-1].start()

    def stop():
        running.pop().stop()

    start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ):
            patch.setenv(name, value)
        yield start, stop
    if running:
        stop()


@pytest.mark.filterwarnings("ignore")
def test_an_object_store_that_goes_away_is_no_silence(neurograft, whole, tmp_path, store):
    import s3fs

    from neurograft.copying import WorkFolder

    start, stop = store
    write_zarr(tmp_path / "a.zarr")
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir("away")  # not the bucket of other tests: moto keeps them as long as the process
    files.put(str(tmp_path / "a.zarr"), "away/a.zarr", recursive=True)
    put, kept = WorkFolder.put, []

    def leaving(self, key, result):
        kept.append(key)
        if len(kept) == 2:
            stop()
        return put(self, key, result)

    out = tmp_path / "map.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkFolder, "put", leaving)
        failed = neurograft("copy", "s3://away/a.zarr", *SIGNAL, "-o", out)
    assert failed.code == 2
    assert "s3:/" in failed.err
    assert "does not answer" in failed.err
    assert "--resume" in failed.err
    assert len(list((tmp_path / "map.h5.work").glob("*.npz"))) == 2
    start()
    assert neurograft("copy", "s3://away/a.zarr", *SIGNAL, "-o", out, "--resume").code == 0
    assert same(out, whole / "map.h5", but={"neurograft/provenance"})


@pytest.fixture
def dask():
    """A scheduler and a worker in processes of their own: (address, kill the scheduler)."""
    pytest.importorskip("distributed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, quiet = f"tcp://127.0.0.1:{port}", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    python = (sys.executable, "-m")
    scheduler = subprocess.Popen(
        [*python, "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"], **quiet
    )
    worker = subprocess.Popen(
        [*python, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"], **quiet
    )
    yield address, scheduler.kill
    for process in (worker, scheduler):
        process.kill()
        process.wait()


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_killed_leaves_its_pieces(neurograft, whole, tmp_path, dask):
    from neurograft.copying import WorkFolder

    address, kill = dask
    from distributed import Client

    with Client(address, timeout=60) as client:
        client.wait_for_workers(1, timeout=60)
    put, kept, out = WorkFolder.put, [], tmp_path / "map.h5"

    def killing(self, key, result):
        kept.append(key)
        if len(kept) == 1:
            kill()
            time.sleep(0.5)
        return put(self, key, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkFolder, "put", killing)
        failed = neurograft("copy", whole / "seen.toml", "-o", out, "--scheduler", address)
    assert failed.code == 2
    assert f"The Dask scheduler {address} was lost" in failed.err
    assert "--resume" in failed.err
    assert 1 <= len(list((tmp_path / "map.h5.work").glob("*.npz"))) < 5
    assert neurograft("copy", whole / "seen.toml", "-o", out, "--resume").code == 0
    assert same(out, whole / "map.h5", but={"neurograft/provenance"})


def test_content_tells_maps_apart(whole):
    """What the tests above rest on."""
    assert content(whole / "map.h5")
    assert not np.array_equal(samples()[:, 0], samples()[:, 1])
