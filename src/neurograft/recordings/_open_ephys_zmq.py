"""Continuous data that the Open Ephys GUI's ZMQ Interface publishes, received through ``pyzmq``.

Each message has three parts: an envelope, a header in JSON and float32 microvolts of one channel
(https://open-ephys.github.io/gui-docs/User-Manual/Plugins/ZMQ-Interface.html).  Channels of one ``sample_num`` are
put together into frames; the first block, of which channels may have been missed, is left out.
"""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, final

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.recordings._live import LiveBlock, LiveTold
from neurograft.units import UV

_WAIT_S = 10.0
_HEARTBEAT_S = 2.0  # as the plugin asks for
_MOST_SAMPLES: Final = 1 << 24  # of a message
_MOST_CHANNELS: Final = 1 << 16


class _Message(NamedTuple):
    """A channel's samples of one block."""

    stream: str
    channel: int
    first: int
    rate_hz: float
    uv: Float32[ndarray, " samples"]


@final
class OpenEphysSource:
    """The stream at an address such as ``tcp://127.0.0.1:5556``; heartbeats go to the port after."""

    def __init__(self, address: str, *, wait_s: float = _WAIT_S) -> None:
        """Connect to nothing yet."""
        self._address, self._wait_s = address, wait_s
        self._socket: Any = None
        self._beat: Any = None
        self._beaten_s = -np.inf
        self._place: dict[int, int] = {}
        self._block: dict[int, _Message] = {}
        self._next: int | None = None

    def told(self) -> LiveTold:
        """Wait for a whole block, and return what it tells."""
        self._connect()
        end_s = time.monotonic() + self._wait_s
        seen: list[dict[int, _Message]] = [{}]
        while len(seen) < 3:
            message = self._message(0.1)
            if message is not None:
                if seen[-1] and next(iter(seen[-1].values())).first != message.first:
                    seen.append({})
                seen[-1][message.channel] = message
            elif time.monotonic() > end_s:
                raise RecordingError(
                    f"Nothing came from {self._address} within {self._wait_s:g} s. Start acquisition with the "
                    "ZMQ Interface in the signal chain, and check its data port."
                )
        first = next(iter(seen[1].values()))
        if any(m.stream != first.stream for m in seen[1].values()):
            raise RecordingError(f"{self._address} sends several streams. Choose one in the ZMQ Interface.")
        if len(seen[1]) > _MOST_CHANNELS or not first.rate_hz > 0:
            raise RecordingError(f"{self._address} sends {len(seen[1])} channels at {first.rate_hz} Hz.")
        self._place = {channel: k for k, channel in enumerate(sorted(seen[1]))}
        self._ready = [seen[1]]  # it came while the stream was looked at
        self._block = seen[2]
        return LiveTold(first.rate_hz, tuple(f"CH{channel + 1}" for channel in self._place))

    def blocks(self, timeout_s: float) -> Iterator[LiveBlock]:
        """Yield blocks of which all channels have come, or of which the next has begun."""
        for block in self._ready:
            yield self._frames(block)
        self._ready = []
        while (message := self._message(timeout_s)) is not None:
            if message.channel not in self._place:
                raise RecordingError(
                    f"{self._address} now sends channel {message.channel} too. Stop, and go on with a new recording."
                )
            if self._block and next(iter(self._block.values())).first != message.first:
                yield self._frames(self._block)
                self._block = {}
            self._block[message.channel] = message
            if len(self._block) == len(self._place):
                yield self._frames(self._block)
                self._block = {}

    def close(self) -> None:
        """Let go of the stream."""
        for socket in (self._socket, self._beat):
            if socket is not None:
                socket.close(linger=0)

    def _frames(self, block: dict[int, _Message]) -> LiveBlock:
        """Return a block's frames, NaN for a channel that did not come."""
        some = next(iter(block.values()))
        volts = np.full((max(len(m.uv) for m in block.values()), len(self._place)), np.nan, dtype=np.float32)
        for channel, message in block.items():
            volts[: len(message.uv), self._place[channel]] = message.uv * np.float32(UV)
        # a counter that went back was started anew: a second is left between
        lost = 0 if self._next is None else some.first - self._next
        self._next = some.first + len(volts)
        return LiveBlock(lost if lost >= 0 else round(some.rate_hz), volts)

    def _connect(self) -> None:
        try:
            import zmq
        except ImportError as problem:
            raise MissingExtraError(purpose="Following ZeroMQ streams", extra="live") from problem
        try:
            context: Any = zmq.Context.instance()
            self._socket = context.socket(zmq.SUB)
            self._socket.setsockopt(zmq.RCVHWM, 0)  # what is not fetched yet waits in memory, and is not dropped
            self._socket.setsockopt(zmq.SUBSCRIBE, b"")
            self._socket.connect(self._address)
            self._name = str(uuid.uuid4())
            head, _, port = self._address.rpartition(":")
            if port.isdigit():
                self._beat = context.socket(zmq.DEALER)
                self._beat.connect(f"{head}:{int(port) + 1}")
        except zmq.ZMQError as problem:
            raise RecordingError(
                f"{self._address} cannot be connected to: {problem}. Give it as zmq:tcp://HOST:PORT."
            ) from problem

    def _message(self, timeout_s: float) -> _Message | None:
        """Return the next message of continuous data; None when none comes in time."""
        self._keep_alive()
        end_s = time.monotonic() + timeout_s
        while self._socket.poll(max(int(1e3 * (end_s - time.monotonic())), 0)):
            found = _parsed(self._socket.recv_multipart(), self._address)
            if found is not None:
                return found
        return None

    def _keep_alive(self) -> None:
        """Tell the plugin that somebody listens; it does not insist."""
        import zmq

        now_s = time.monotonic()
        if self._beat is None or now_s - self._beaten_s < _HEARTBEAT_S:
            return
        self._beaten_s = now_s
        beat = json.dumps({"application": "neurograft", "uuid": self._name, "type": "heartbeat"}).encode()
        try:
            self._beat.send_multipart([b"", beat], flags=zmq.NOBLOCK)
            while self._beat.poll(0):
                self._beat.recv_multipart()
        except zmq.ZMQError:
            return


def _parsed(parts: list[bytes], address: str) -> _Message | None:
    """Return continuous data; None for events and spikes."""
    try:
        header = json.loads(parts[1])
        if header["type"] != "data":
            return None
        content = header["content"]
        uv = np.frombuffer(parts[2], dtype="<f4")
        n, first, channel = int(content["num_samples"]), int(content["sample_num"]), int(content["channel_num"])
        rate_hz, stream = float(content["sample_rate"]), str(content["stream"])
    except (IndexError, KeyError, TypeError, ValueError) as problem:
        raise RecordingError(
            f"{address} sent what the Open Ephys GUI's ZMQ Interface does not send ({problem!r}). "
            "Check the address; of the plugin the version of 2022 or later is needed."
        ) from problem
    if n != len(uv) or n > _MOST_SAMPLES:
        raise RecordingError(f"{address} sent {len(uv)} samples and told {n}. The message is damaged.")
    return _Message(stream, channel, first, rate_hz, uv)
