"""Live streams written down: LSL and Open Ephys' ZMQ Interface, each from a sender in this process."""

import json
import socket
import threading
import time

import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import Signal, is_live, live_source, open_binary, open_recording, receiving
from neurograft.recordings import _live as live
from neurograft.recordings._live import LiveBlock, LiveTold

RATE_HZ, N = 1000.0, 3


def volts(n=4000):
    return np.random.default_rng(0).standard_normal((n, N)).astype(np.float32) * 1e-3


class Given:
    """A source that hands over blocks, and fails where one is an error."""

    def __init__(self, blocks, rate_hz=RATE_HZ, labels=("a", 'b "2"', "c\\d")):
        self.left, self.rate_hz, self.labels = list(blocks), rate_hz, labels
        self.is_closed, self.is_done = False, threading.Event()

    def told(self):
        return LiveTold(self.rate_hz, self.labels)

    def blocks(self, timeout_s):
        if not self.left:
            self.is_done.set()
            time.sleep(0.01)
            return
        block = self.left.pop(0)
        if isinstance(block, Exception):
            self.is_done.set()
            raise block
        yield block

    def close(self):
        self.is_closed = True


def written(source, stem, **how):
    with receiving(source, stem, signal=Signal.MEMBRANE_V, **{"is_continued": False, **how}) as recording:
        assert source.is_done.wait(20)
    recording.require_running()
    assert source.is_closed
    return open_recording(recording.sidecar)


def test_what_comes_is_written_and_what_was_lost_is_nan(tmp_path):
    x = volts(100)
    seen = written(Given([LiveBlock(0, x[:60]), LiveBlock(7, x[60:])]), tmp_path / "a")
    assert seen.channel_labels == ("a", 'b "2"', "c\\d")
    assert seen.rate_hz == RATE_HZ
    assert seen.segment_frames == (107,)
    np.testing.assert_array_equal(seen.read(0, 0, 60), x[:60])
    assert np.isnan(seen.read(0, 60, 67)).all()
    np.testing.assert_array_equal(seen.read(0, 67, 107), x[60:])


def test_an_endless_loss_is_written_as_a_minute(tmp_path):
    seen = written(Given([LiveBlock(0, volts(2)), LiveBlock(10**15, volts(2))], rate_hz=2.0), tmp_path / "a")
    assert seen.segment_frames == (2 + 120 + 2,)


def test_an_older_stream_is_never_overwritten_but_gone_on_with(tmp_path):
    written(Given([LiveBlock(0, volts(5))]), tmp_path / "a")
    with pytest.raises(RecordingError, match=r"holds what an earlier stream brought.*--resume"):
        written(Given([]), tmp_path / "a")
    with (tmp_path / "a.raw").open("ab") as stream:
        stream.write(b"half")  # of a frame
    seen = written(Given([LiveBlock(0, volts(5))]), tmp_path / "a", is_continued=True)
    assert seen.segment_frames == (5 + 1000 + 5,)
    np.testing.assert_array_equal(seen.read(0, 1005, 1010), volts(5))
    with pytest.raises(RecordingError, match="other channels or another rate"):
        written(Given([], labels=("a",)), tmp_path / "a", is_continued=True)


def test_what_breaks_receiving_is_told_and_what_came_is_kept(tmp_path):
    source = Given([LiveBlock(0, volts(5)), OSError(28, "No space left on device")])
    with receiving(source, tmp_path / "a", signal=Signal.MEMBRANE_V, is_continued=False) as recording:
        assert source.is_done.wait(20)
        recording.close()
        with pytest.raises(RecordingError, match=r"No space left on device.*kept in .*a\.raw.*--resume"):
            recording.require_running()
    assert open_binary(tmp_path / "a.toml").segment_frames == (5,)


@pytest.mark.parametrize(
    ("address", "unit", "says"),
    [
        ("lsl:", None, "names no stream"),
        ("zmq:5556", None, "zmq:tcp://HOST:PORT"),
        ("lsl:a", "pA", "V, mV, uV"),
        ("zmq:tcp://127.0.0.1:5556", "mV", "Open Ephys sends microvolts"),
    ],
)
def test_addresses_that_name_no_stream_are_refused(address, unit, says):
    assert is_live(address)
    with pytest.raises(RecordingError, match=says):
        live_source(address, unit=unit)


def outlet(name, *, unit="microvolts", labels=("E1", "E2", "E3"), kind="float32"):
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed: no LSL stream to test")
    info = pylsl.StreamInfo(name, "Ephys", N, RATE_HZ, kind, f"neurograft {name}")
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        if unit:
            channel.append_child_value("unit", unit)
    out = pylsl.StreamOutlet(info, max_buffered=360)
    if not pylsl.resolve_byprop("name", name, timeout=10.0):
        pytest.skip("LSL finds no stream on this machine's network, not even one of its own")
    return pylsl, out


def wait_for(what):
    for _ in range(400):
        if what():
            return
        time.sleep(0.05)
    pytest.fail("waited for 20 s")


@pytest.mark.parametrize(("kind", "unit", "gain"), [("float32", "microvolts", 1e-6), ("int16", "mV", 1e-3)])
def test_an_lsl_stream_comes_whole_and_its_jumps_are_gaps(tmp_path, kind, unit, gain):
    pylsl, out = outlet(f"neurograft {kind}", unit=unit, kind=kind)
    x = np.round(volts() / gain).astype({"float32": np.float32, "int16": np.int16}[kind])
    with receiving(
        live_source(f"lsl:neurograft {kind}"), tmp_path / "a", signal=Signal.INTRACELLULAR_V, is_continued=False
    ) as recording:
        wait_for(out.have_consumers)
        begin_s = pylsl.local_clock()
        for first in range(0, len(x), 500):
            late_s = 2.0 if first >= 2000 else 0.0
            out.push_chunk(np.ascontiguousarray(x[first : first + 500]), begin_s + (first + 499) / RATE_HZ + late_s)
        wait_for(lambda: (tmp_path / "a.raw").stat().st_size >= 4 * N * (len(x) + 1990))
    seen = open_recording(recording.sidecar)
    assert seen.channel_labels == ("E1", "E2", "E3")
    assert seen.signal is Signal.INTRACELLULAR_V
    n = seen.segment_frames[0]
    assert n == pytest.approx(len(x) + 2000, abs=2)  # stamps have rounding of their own
    np.testing.assert_allclose(seen.read(0, 0, 2000), x[:2000] * gain, rtol=1e-6)
    np.testing.assert_allclose(seen.read(0, n - 2000, n), x[2000:] * gain, rtol=1e-6)
    assert np.isnan(seen.read(0, 2000, n - 2000)).all()


def test_an_lsl_stream_without_unit_or_that_is_not_there_is_told(monkeypatch):
    _, _out = outlet("neurograft bare", unit=None)
    with pytest.raises(RecordingError, match=r"tells '' for the unit.*--unit"):
        live_source("lsl:neurograft bare").told()
    monkeypatch.setattr("neurograft.recordings._lsl._RESOLVE_S", 0.5)
    from neurograft.recordings._lsl import LslSource

    with pytest.raises(RecordingError, match=r"No LSL stream named 'none'.*neurograft bare"):
        LslSource("none", wait_s=0.5).told()


class OpenEphys:
    """What the GUI's ZMQ Interface sends: one message a channel and block; and its listening port."""

    def __init__(self):
        zmq = pytest.importorskip("zmq", reason="pyzmq is not installed: no ZeroMQ stream to test")
        with socket.socket() as a, socket.socket() as b:
            while True:
                a.bind(("127.0.0.1", 0))
                self.port = a.getsockname()[1]
                try:
                    b.bind(("127.0.0.1", self.port + 1))
                    break
                except OSError:
                    a.close()
        self.context = zmq.Context()
        self.out, self.listener = self.context.socket(zmq.PUB), self.context.socket(zmq.REP)
        self.out.bind(f"tcp://127.0.0.1:{self.port}")
        self.listener.bind(f"tcp://127.0.0.1:{self.port + 1}")
        self.count = 0

    def send(self, first, uv, *, channels=range(N), kind="data"):
        for k, channel in enumerate(channels):
            samples = np.ascontiguousarray(uv[:, k], dtype="<f4")
            content = {"stream": "Rhythm", "channel_num": channel, "num_samples": len(samples), "sample_num": first}
            content["sample_rate"] = RATE_HZ
            header = {"message_num": self.count, "type": kind, "content": content, "data_size": samples.nbytes}
            self.out.send_multipart([b"DATA", json.dumps({**header, "timestamp": 0}).encode(), samples.tobytes()])
            self.count += 1

    def close(self):
        for s in (self.out, self.listener):
            s.close(linger=0)
        self.context.term()


@pytest.fixture
def gui():
    made = OpenEphys()
    yield made
    made.close()


def test_open_ephys_messages_become_frames_and_lost_samples_gaps(tmp_path, gui):
    uv = (volts() * 1e6).astype(np.float32)
    heard, is_heard = [], threading.Event()

    def send():
        while not is_heard.wait(0.01):  # frames of before, until somebody listens
            gui.send(1000, uv[:50], channels=(4, 7, 9))
            gui.send(1050, uv[:50], channels=(4, 7, 9))
        heard.append(json.loads(gui.listener.recv()))
        gui.listener.send(b"heartbeat received")
        gui.send(2000, uv[:100], channels=(4, 7, 9))
        gui.send(2100, uv[100:200], channels=(4, 7, 9))
        gui.send(2200, uv[200:300], channels=(4, 7, 9), kind="event")
        gui.send(2300, uv[300:400], channels=(9, 4, 7))  # 100 were lost
        gui.send(2400, uv[400:500], channels=(4, 9))  # of a channel too
        gui.send(2500, uv[500:600], channels=(4, 7, 9))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with receiving(
            live_source(f"zmq:tcp://127.0.0.1:{gui.port}"), tmp_path / "a", signal=Signal.MEMBRANE_V, is_continued=False
        ) as recording:
            is_heard.set()
            sender.join()
            wait_for(lambda: np.array_equal(tail(recording.sidecar, 100), np.float32(1e-6) * uv[500:600]))
            recording.require_running()
    finally:
        is_heard.set()
    assert heard[0]["type"] == "heartbeat"
    assert heard[0]["application"] == "neurograft"
    seen = open_recording(recording.sidecar)
    assert seen.channel_labels == ("CH5", "CH8", "CH10")
    got = seen.read(0, seen.segment_frames[0] - 600, seen.segment_frames[0])
    scaled = np.float32(1e-6) * uv
    np.testing.assert_array_equal(got[:200], scaled[:200])
    assert np.isnan(got[200:300]).all()
    np.testing.assert_array_equal(got[300:400], scaled[300:400][:, [1, 2, 0]])
    np.testing.assert_array_equal(got[400:500, [0, 2]], scaled[400:500, :2])
    assert np.isnan(got[400:500, 1]).all()


def tail(sidecar, n):
    try:
        seen = open_binary(sidecar, is_growing=True)
    except RecordingError:
        return np.empty(0)
    last = seen.segment_frames[0]
    return seen.read(0, max(last - n, 0), last)


def refused(source):
    try:
        source.told()
    finally:
        source.close()


def test_other_messages_and_silence_are_told(gui):
    from neurograft.recordings._open_ephys_zmq import OpenEphysSource

    with pytest.raises(RecordingError, match=r"Nothing came from tcp.*ZMQ Interface in the signal chain"):
        refused(OpenEphysSource(f"tcp://127.0.0.1:{gui.port}", wait_s=0.3))
    stop = threading.Event()

    def send():
        while not stop.wait(0.02):
            gui.out.send_multipart([b"hello", b"{}"])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(RecordingError, match=r"does not send.*Check the address"):
            refused(OpenEphysSource(f"tcp://127.0.0.1:{gui.port}"))
    finally:
        stop.set()
        sender.join()
    with pytest.raises(RecordingError, match="cannot be connected to"):
        refused(OpenEphysSource("nothing://at.all"))


def test_a_minute_is_the_most_of_a_loss():
    assert live._MOST_LOST_S == 60.0
