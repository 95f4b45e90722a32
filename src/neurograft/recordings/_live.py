"""A live stream written down as it comes: raw samples that are copied while they grow, and stay.

A source hands over blocks of frames in volts, and tells how many frames it lost before each.  Lost frames are
written as NaN, so that the clock goes on and nothing is joined across them.
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.files import written_whole
from neurograft.recordings._recording import Signal

POLL_S = 0.2
_MOST_LOST_S = 60.0  # written out as NaN; a stream that was away for longer goes on after so much
_SLICE = 1 << 16  # frames of NaN written at a time


class LiveTold(NamedTuple):
    """What a stream tells of itself."""

    rate_hz: float
    labels: tuple[str, ...]


class LiveBlock(NamedTuple):
    """Frames as they came, in volts; ``lost`` frames are missing before them."""

    lost: int
    volts: Float32[ndarray, "frames channels"]


@runtime_checkable
class LiveSource(Protocol):
    """A stream that is being received."""

    def told(self) -> LiveTold:
        """Wait for the stream, and return what it tells; RecordingError where none comes."""
        ...

    def blocks(self, timeout_s: float) -> Iterator[LiveBlock]:
        """Yield what has come, waiting for at most ``timeout_s`` for more."""
        ...

    def close(self) -> None:
        """Let go of the stream."""
        ...


@final
class LiveRecording:
    """A source that a thread writes down in ``stem.raw``, described by ``stem.toml``; open that as any recording."""

    def __init__(self, source: LiveSource, stem: Path, *, signal: Signal, is_continued: bool = False) -> None:
        """Start to receive; ``is_continued`` goes on behind what the files hold, a second of NaN between."""
        self.sidecar, self._raw = (stem.with_name(stem.name + end) for end in (".toml", ".raw"))
        self._source, self._stop = source, threading.Event()
        self._problem: BaseException | None = None
        if self._raw.exists() and not is_continued:
            raise RecordingError(
                f"{self._raw} holds what an earlier stream brought. Move it away, or give --resume to go on behind it."
            )
        try:
            told = source.told()
            text = _sidecar(self._raw.name, told, signal)
            if is_continued and self.sidecar.exists() and self.sidecar.read_text(encoding="utf-8") != text:
                raise RecordingError(
                    f"{self.sidecar} describes a stream of other channels or another rate. "
                    "Move it and its samples away."
                )
        except BaseException:
            source.close()
            raise
        self._rate_hz, self._n = told.rate_hz, len(told.labels)
        with written_whole(self.sidecar) as part:
            part.write_text(text, encoding="utf-8")
        self._is_continued = is_continued and self._raw.exists() and self._raw.stat().st_size > 0
        self._raw.touch()
        self._thread = threading.Thread(target=self._receive, name="live stream", daemon=True)
        self._thread.start()

    def require_running(self) -> None:
        """Raise what went wrong with receiving, if anything did."""
        if self._problem is not None:
            raise RecordingError(
                f"Receiving stopped: {self._problem}. What had come is kept in {self._raw}; go on with --resume."
            ) from self._problem

    def close(self) -> None:
        """Stop receiving; everything that came is in the file."""
        self._stop.set()
        self._thread.join()

    def _receive(self) -> None:
        try:
            frame_bytes = 4 * self._n
            if self._is_continued:  # a frame cut in half by whatever ended it
                with self._raw.open("r+b") as stream:
                    stream.truncate(self._raw.stat().st_size // frame_bytes * frame_bytes)
            with self._raw.open("ab", buffering=0) as stream:
                first = round(self._rate_hz) if self._is_continued else 0
                while not self._stop.is_set():
                    for block in self._source.blocks(POLL_S):
                        for lost in _slices(min(block.lost + first, round(_MOST_LOST_S * self._rate_hz))):
                            stream.write(np.full((lost, self._n), np.nan, dtype="<f4").tobytes())
                        first = 0
                        stream.write(np.ascontiguousarray(block.volts, dtype="<f4").tobytes())
        except BaseException as problem:
            self._problem = problem
        finally:
            self._source.close()


@contextmanager
def receiving(source: LiveSource, stem: Path, *, signal: Signal, is_continued: bool) -> Generator[LiveRecording]:
    """Yield a stream that is written down, and stop receiving in the end."""
    recording = LiveRecording(source, stem, signal=signal, is_continued=is_continued)
    try:
        yield recording
    finally:
        recording.close()


def _slices(n: int) -> Iterator[int]:
    while n > 0:
        yield min(n, _SLICE)
        n -= _SLICE


def _sidecar(raw: str, told: LiveTold, signal: Signal) -> str:
    unit = "a" if signal is Signal.MEMBRANE_A else "v"
    labels = ", ".join(_quoted(label) for label in told.labels)
    return (
        f"format_version = 1\n\n[samples]\nfiles = [{_quoted(raw)}]\ndtype = 'float32'\nbyte_order = 'little'\n"
        f"order = 'frames'\nn_channels = {len(told.labels)}\n\n[time]\nrate_hz = {told.rate_hz!r}\n\n"
        f"[signal]\nkind = '{signal.name.lower()}'\ngain_{unit} = 1.0\n\n[layout]\nlabels = [{labels}]\n"
    )


def _quoted(text: str) -> str:
    """Return a TOML string."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
