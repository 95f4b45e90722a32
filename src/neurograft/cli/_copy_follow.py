"""``neurograft copy --follow``: a recording that is still being written, copied anew every few seconds."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.errors import CopyError, EmptyRecordingError, OptionError, WorkError

if TYPE_CHECKING:
    from neurograft.recordings import Recording

_POLL_S = 0.25

Follow = Annotated[
    bool,
    typer.Option("--follow", help="The recording grows, or is lsl:NAME or zmq:tcp://…: publish maps."),
]
Unit = Annotated[
    str | None, typer.Option("--unit", help="With --follow lsl:…: V, mV or uV, where the stream does not tell.")
]
EveryS = Annotated[float, typer.Option("--every", min=0.1, help="With --follow: seconds between maps, at least.")]
IdleS = Annotated[float, typer.Option("--idle", min=0.5, help="With --follow: seconds without growth that end it.")]


def require_followed(path: Path) -> None:
    """Refuse a live stream that is not followed."""
    from neurograft.recordings import is_live

    if is_live(path):
        raise OptionError(f"{path} is a live stream, which has no end to wait for. Give --follow.")


@contextmanager
def growing(
    path: Path, *, out: Path, signal_name: str | None, part: str | None, unit: str | None, is_resumed: bool
) -> Generator[tuple[Path, Callable[[], "Recording"]]]:
    """Yield a growing recording's path, and what opens it as it is now; a live stream is written beside ``out``."""
    from neurograft.recordings import is_live, live_source, open_binary, open_growing, receiving, signal_named

    named = None if signal_name is None else signal_named(signal_name)
    if not is_live(path):
        if unit is not None:
            raise OptionError("--unit is for live streams. Leave it out.")
        yield path, open_growing(path, signal=named, part=part)
        return
    if named is None:
        raise OptionError(f"{path} does not tell what its numbers are. Give --signal: membrane_v or intracellular_v.")
    stem = out.with_name(f"{out.stem}.live")
    with receiving(live_source(path, unit=unit), stem, signal=named, is_continued=is_resumed) as live:
        print(f"receiving {path}; what comes is kept in {live.sidecar.with_suffix('.raw')}", file=sys.stderr)

        def opened() -> "Recording":
            live.require_running()
            return open_binary(live.sidecar, is_growing=True)

        yield live.sidecar, opened


def follow(
    opened: Callable[[], "Recording"],
    publish: Callable[["Recording", bool], None],
    meanwhile: Callable[["Recording"], bool] = lambda _: False,
    *,
    every_s: float,
    idle_s: float,
) -> bool:
    """Publish whenever there is more, at most every ``every_s``, until nothing comes for ``idle_s``.

    Between maps ``meanwhile`` does a little of what the next one needs, and tells whether there was any to do.
    Return whether the recording ended; False when Ctrl-C or SIGTERM ended it.  What was published stays.  A recording
    too short to be copied yet is waited for; what goes wrong at its end is raised.
    """
    seen, published = -1, -1
    changed_s = last_s = -1e9
    with _terminable() as is_stopped:
        try:
            while not is_stopped.is_set():  # an interruption may be lost in a library's callback
                now_s, recording = time.monotonic(), _opened(opened)
                n_frames = -1 if recording is None else sum(recording.segment_frames)
                if n_frames != seen or changed_s < 0:
                    seen, changed_s = n_frames, now_s
                is_over = now_s - changed_s >= idle_s
                if recording is not None and (is_over or (seen != published and now_s - last_s >= every_s)):
                    try:
                        publish(recording, not is_over)
                    except CopyError as problem:
                        if is_over or isinstance(problem, WorkError):
                            raise
                    published, last_s = seen, time.monotonic()
                if is_over:
                    if recording is None:
                        raise CopyError(f"Nothing was recorded within {idle_s:g} s. Start the recorder first.")
                    return True
                if recording is None or not meanwhile(recording):
                    time.sleep(_POLL_S)
        except KeyboardInterrupt:
            return False
    return False


def _opened(opened: Callable[[], "Recording"]) -> "Recording | None":
    """Return the recording as it is now; None while there is no whole frame."""
    try:
        return opened()
    except EmptyRecordingError:
        return None


@contextmanager
def _terminable() -> Generator[threading.Event]:
    """Let SIGTERM end the following as Ctrl-C does, also where a shell switched that off; yield whether one came."""
    is_stopped = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        is_stopped.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield is_stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
