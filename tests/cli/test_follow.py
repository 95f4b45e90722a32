"""Recordings followed in other ways than raw samples: NWB that is being written, Zarr that grows, LSL and ZeroMQ."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import h5py
import numpy as np
import pytest

from cli.recorded import CHANNELS, RATE_HZ, content, samples
from neurograft.maps import load_map

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"),
]
SIGNAL = ("--signal", "membrane_v")
FOLLOW = (*SIGNAL, "--follow", "--every", "0.1", "--idle", "4")
STEPS = (9 * RATE_HZ, 25 * RATE_HZ, None)


def grown(write):
    """Start a thread that writes all samples in three steps, a second apart."""

    def record():
        first, volts = 0, samples()
        for stop in STEPS:
            write(volts[first:stop])
            first = stop
            time.sleep(1.0)

    thread = threading.Thread(target=record)
    thread.start()
    return thread


def followed(neurograft, path, out, recorder):
    """Follow to the end; two maps at least were published, the last of everything."""
    done = neurograft("copy", path, "-o", out, *FOLLOW)
    recorder.join()
    assert done.code == 0, done.err
    told = [line for line in done.err.splitlines() if " synapses of " in line]
    assert len(told) >= 2
    assert told[-1].startswith("43 s: ")
    assert load_map(out).n_synapses >= 2
    return done


def same_pairs(a, b):
    """The same numbers of every pair, to float32: streams of floats are not the counts of a file."""
    mine, theirs = content(a), content(b)
    for name in (n for n in mine if "source_node_id" in n or "target_node_id" in n):
        assert np.array_equal(mine[name], theirs[name])
    np.testing.assert_allclose(load_map(a).weight_v, load_map(b).weight_v, rtol=1e-4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The map of the ordinary copy."""
    from neurograft.cli import main

    folder = tmp_path_factory.mktemp("whole")
    np.savez(folder / "seen.npz", samples_v=(samples() * 5e-6).astype("f4"), rate_hz=RATE_HZ, signal="membrane_v")
    assert main(["copy", str(folder / "seen.npz"), "-o", str(folder / "map.h5")]) == 0
    return folder / "map.h5"


def test_an_nwb_file_is_followed_while_it_is_written(neurograft, whole, tmp_path):
    path = tmp_path / "live.nwb"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["nwb_version"] = "2.6.0"
        series = file.create_group("acquisition/es")
        series.attrs["neurodata_type"] = "ElectricalSeries"
        data = series.create_dataset("data", (0, CHANNELS), "i2", maxshape=(None, CHANNELS), chunks=(500, CHANNELS))
        data.attrs["unit"], data.attrs["conversion"] = "volts", 5e-6
        series["electrodes"] = np.arange(CHANNELS)
        table = file.create_group("general/extracellular_ephys/electrodes")
        table["id"] = np.arange(CHANNELS)
        series["electrodes"].attrs["table"] = table.ref
        series["starting_time"] = 0.0
        series["starting_time"].attrs["rate"] = float(RATE_HZ)
        file.swmr_mode = True

        def write(volts):
            n = len(data)
            data.resize(n + len(volts), axis=0)
            data[n:] = volts
            data.flush()

        followed(neurograft, path, tmp_path / "map.h5", grown(write))
    same_pairs(tmp_path / "map.h5", whole)


WRITER = """
import sys, h5py
with h5py.File(sys.argv[1], "w") as file:
    file.attrs["nwb_version"] = "2.6.0"
    file.flush()
    print("open", flush=True)
    sys.stdin.read()
"""


def test_an_hdf5_file_whose_writer_lets_nobody_read_is_refused(neurograft, tmp_path):
    path = tmp_path / "live.nwb"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], **pipes) as writer:
        assert writer.stdout.readline() == b"open\n"
        failed = neurograft("copy", path, "-o", tmp_path / "map.h5", *FOLLOW)
        writer.stdin.close()
    assert failed.code == 2
    assert "swmr_mode" in failed.err


def test_a_zarr_store_is_followed_while_it_grows(neurograft, whole, tmp_path):
    si = pytest.importorskip("spikeinterface.core")
    import zarr

    path, first = tmp_path / "live.zarr", samples()[: 2 * RATE_HZ]
    made = si.NumpyRecording([first], float(RATE_HZ))
    made.set_channel_gains(5.0)
    made.set_channel_offsets(0.0)
    made.save(format="zarr", folder=path, verbose=False, progress_bar=False, chunk_duration="1s")
    (path / ".zmetadata").unlink(missing_ok=True)  # it would tell the shape of before
    traces, at = zarr.open(str(path), mode="a")["traces_seg0"], [0]

    def write(volts):
        at[0] += len(volts)
        if at[0] <= len(first):
            return
        traces.resize(at[0], CHANNELS)  # before its chunks are there
        time.sleep(0.3)
        traces[at[0] - len(volts) : at[0]] = volts

    followed(neurograft, path, tmp_path / "map.h5", grown(write))
    same_pairs(tmp_path / "map.h5", whole)


def test_an_lsl_stream_is_followed_and_kept(neurograft, whole, tmp_path):
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed: no LSL stream to test")
    info = pylsl.StreamInfo("neurograft culture", "Ephys", CHANNELS, RATE_HZ, "float32", "neurograft culture")
    out = pylsl.StreamOutlet(info, max_buffered=360)
    if not pylsl.resolve_byprop("name", "neurograft culture", timeout=10.0):
        pytest.skip("LSL finds no stream on this machine's network, not even one of its own")
    sent, begin_s = [0], pylsl.local_clock()

    def write(volts):
        for _ in range(600):
            if out.have_consumers():
                break
            time.sleep(0.05)
        sent[0] += len(volts)
        mv = np.ascontiguousarray(volts * np.float32(5e-3), dtype=np.float32)
        out.push_chunk(mv, begin_s + (sent[0] - 1) / RATE_HZ)

    recorder = grown(write)
    done = neurograft("copy", "lsl:neurograft culture", "-o", tmp_path / "map.h5", *FOLLOW, "--unit", "mV")
    recorder.join()
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if line.startswith("43 s: ")]
    same_pairs(tmp_path / "map.h5", whole)
    again = neurograft("copy", tmp_path / "map.live.toml", "-o", tmp_path / "again.h5")  # what came is a recording
    assert again.code == 0
    same_pairs(tmp_path / "again.h5", whole)


SENDER = """
import json, sys, time
import numpy as np, zmq
path, port, rate_hz = sys.argv[1], sys.argv[2], float(sys.argv[3])
volts = np.load(path)
out = zmq.Context().socket(zmq.PUB)
out.bind(f"tcp://127.0.0.1:{port}")
size, k = int(rate_hz), 0
while True:
    first = k * size
    for c in range(volts.shape[1]):
        x = volts[first % len(volts):][:size, c].astype("<f4")
        told = {"stream": "a", "channel_num": c, "num_samples": len(x), "sample_num": first, "sample_rate": rate_hz}
        header = {"message_num": 0, "type": "data", "content": told, "data_size": x.nbytes, "timestamp": 0}
        out.send_multipart([b"DATA", json.dumps(header).encode(), x.tobytes()])
    k += 1
    time.sleep(0.2)  # five times as fast as it was recorded
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_zeromq_stream_is_followed_until_it_is_stopped(tmp_path, how):
    pytest.importorskip("zmq", reason="pyzmq is not installed: no ZeroMQ stream to test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    np.save(tmp_path / "uv.npy", (samples() * 5.0)[: 40 * RATE_HZ])
    (tmp_path / "send.py").write_text(SENDER)
    sender = subprocess.Popen([sys.executable, tmp_path / "send.py", tmp_path / "uv.npy", str(port), str(RATE_HZ)])
    out = tmp_path / "map.h5"
    command = [sys.executable, "-m", "neurograft", "copy", f"zmq:tcp://127.0.0.1:{port}", "-o", str(out), *SIGNAL]
    running = subprocess.Popen([*command, "--follow", "--every", "1"], stderr=subprocess.PIPE, text=True)
    try:
        while not out.exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(how)
        _, said = running.communicate()
    finally:
        sender.kill()
        sender.wait()
        running.kill()
    assert running.returncode == 0
    assert "what comes is kept in" in said
    assert "holds the last map" in said
    assert load_map(out).n_neurons == CHANNELS


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("lsl:a", *SIGNAL), "Give --follow"),
        (("lsl:a", "--follow"), "Give --signal"),
        (("lsl:a", *SIGNAL, "--follow", "--unit", "pA"), "V, mV, uV"),
        (("zmq:here", *SIGNAL, "--follow"), "zmq:tcp://HOST:PORT"),
        (("lsl:a", *SIGNAL, "--follow", "--scheduler", "local"), "--scheduler is for recordings that have ended"),
        (("seen.npz", "--follow"), "cannot be followed"),
        (("seen.npz", "--follow", "--unit", "mV"), "--unit is for live streams"),
    ],
)
def test_what_cannot_be_followed_is_told(neurograft, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    np.savez("seen.npz", samples_v=np.zeros((9, 2)), rate_hz=1000.0, signal="membrane_v")
    failed = neurograft("copy", *words, "-o", "map.h5")
    assert failed.code == 2
    assert says in failed.err


def test_a_missing_library_is_told(neurograft, tmp_path, monkeypatch):
    for module in ("pylsl", "zmq"):
        monkeypatch.setitem(sys.modules, module, None)
    for address in ("lsl:a", "zmq:tcp://127.0.0.1:5556"):
        failed = neurograft("copy", address, *SIGNAL, "--follow", "-o", tmp_path / "map.h5")
        assert failed.code == 2
        assert "needs the extra 'live'" in failed.err


def test_the_words_of_a_followed_copy_are_json_too(neurograft, tmp_path):
    from cli.recorded import sidecar

    samples().tofile(tmp_path / "seen.raw")
    (tmp_path / "seen.toml").write_text(sidecar("seen.raw"))
    done = neurograft("copy", tmp_path / "seen.toml", "-o", tmp_path / "map.h5", "--follow", "--idle", "0.5", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["neurons"] == CHANNELS
