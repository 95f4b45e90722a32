"""``neurograft copy --follow``: a recording that is still being written, copied anew every few seconds."""

import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.errors import CopyError, OptionError, WorkError

if TYPE_CHECKING:
    from neurograft.recordings import Recording

_POLL_S = 0.25

Follow = Annotated[
    bool, typer.Option("--follow", help="The recording still grows: publish a map again and again until it ends.")
]
EveryS = Annotated[float, typer.Option("--every", min=0.1, help="With --follow: seconds between maps, at least.")]
IdleS = Annotated[float, typer.Option("--idle", min=0.5, help="With --follow: seconds without growth that end it.")]


def growing(path: Path) -> Callable[[], "Recording"]:
    """Return what opens a growing recording as it is now: raw samples with a TOML file beside them."""
    from neurograft.recordings import open_binary, sidecar_of

    if path.suffix != ".toml" and sidecar_of(path) is None:
        raise OptionError(
            f"--follow reads raw samples that a TOML file beside them describes, and {path} has none. "
            "Let the recorder write raw samples, or copy the file when it is closed."
        )
    return lambda: open_binary(path, is_growing=True)


def follow(
    opened: Callable[[], "Recording"], publish: Callable[["Recording", bool], None], *, every_s: float, idle_s: float
) -> bool:
    """Publish whenever there is more, at most every ``every_s``, until nothing comes for ``idle_s``.

    Return whether the recording ended; False when Ctrl-C or SIGTERM ended it.  What was published stays.  A recording
    too short to be copied yet is waited for; what goes wrong at its end is raised.
    """
    seen, published = -1, -1
    changed_s = last_s = -1e9
    with _terminable():
        try:
            while True:
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
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            return False


def _opened(opened: Callable[[], "Recording"]) -> "Recording | None":
    """Return the recording as it is now; None while there is no whole frame."""
    from neurograft.errors import RecordingError

    try:
        return opened()
    except RecordingError as problem:
        if "is empty" in str(problem) or "which is not beside it" in str(problem):
            return None
        raise


@contextmanager
def _terminable() -> Generator[None]:
    """Let SIGTERM end the following as Ctrl-C does, and Ctrl-C where a shell had switched it off."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
