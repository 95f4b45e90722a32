"""How live streams are named: ``lsl:NAME`` and ``zmq:tcp://HOST:PORT``."""

import re
from pathlib import Path

from neurograft.errors import RecordingError
from neurograft.recordings._live import LiveSource
from neurograft.recordings._lsl import UNITS, LslSource
from neurograft.recordings._open_ephys_zmq import OpenEphysSource


def is_live(path: Path | str) -> bool:
    """Tell whether a text names a live stream.

    >>> is_live("lsl:array"), is_live(Path("zmq:tcp://127.0.0.1:5556")), is_live("array.raw")
    (True, True, False)
    """
    return re.match(r"(lsl|zmq):", str(path)) is not None


def live_source(path: Path | str, *, unit: str | None = None) -> LiveSource:
    """Return the stream of a name; ``unit`` is that of its numbers, where an LSL stream does not tell it."""
    kind, _, name = str(path).partition(":")
    if unit is not None and unit not in UNITS:
        raise RecordingError(f"The unit is {unit!r}. Give one of {', '.join(UNITS)}.")
    if kind == "lsl":
        if not name:
            raise RecordingError("lsl: names no stream. Give its name, as in lsl:NAME.")
        return LslSource(name, unit=unit)
    found = re.fullmatch(r"([a-z]+):/{1,2}([^/].*)", name)  # a Path has joined the slashes
    if kind != "zmq" or found is None:
        raise RecordingError(f"{path} is no address of a stream. Give lsl:NAME or zmq:tcp://HOST:PORT.")
    if unit is not None:
        raise RecordingError(f"{path}: Open Ephys sends microvolts. Leave the unit out.")
    return OpenEphysSource(f"{found[1]}://{found[2]}")
