"""Streams of the Lab Streaming Layer (https://labstreaminglayer.org), received through ``pylsl``."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, final

import numpy as np

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.recordings._live import LiveBlock, LiveTold
from neurograft.units import MV, UV

_RESOLVE_S = 10.0
_BUFFER_S = 360
_MOST_FRAMES = 1 << 14  # taken at a time
_LOST_S = 1.0  # a jump of stamps by more is a loss; less may be the sender's scheduling
_MOST_CHANNELS: Final = 1 << 16
_VOLTS: Final = {
    **dict.fromkeys(("v", "volt", "volts"), 1.0),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), MV),
    **dict.fromkeys(("uv", "µv", "μv", "microvolt", "microvolts"), UV),
}
UNITS: Final = ("V", "mV", "uV")


@final
class LslSource:
    """A stream of the network by its name; ``unit`` is what its numbers are where it does not tell."""

    def __init__(self, name: str, *, unit: str | None = None, wait_s: float = _RESOLVE_S) -> None:
        """Look for nothing yet."""
        self._name, self._unit, self._wait_s = name, unit, wait_s
        self._inlet: Any = None
        self._last_s = np.nan

    def told(self) -> LiveTold:
        """Wait for the stream, and return what it tells."""
        try:
            import pylsl
        except (ImportError, RuntimeError, OSError) as problem:  # its library is loaded at once
            raise MissingExtraError(purpose=f"Following LSL streams ({problem})", extra="live") from problem
        found = pylsl.resolve_byprop("name", self._name, 1, self._wait_s)
        if not found:
            others = sorted({stream.name() for stream in pylsl.resolve_streams(1.0)})
            there = f"There are {', '.join(others)}." if others else "There is none at all."
            raise RecordingError(
                f"No LSL stream named {self._name!r} appeared within {self._wait_s:g} s. {there} Start the sender."
            )
        inlet = pylsl.StreamInlet(found[0], max_buflen=_BUFFER_S, recover=True)
        info = inlet.info(self._wait_s)
        n, rate_hz = info.channel_count(), info.nominal_srate()
        if not rate_hz > 0 or info.channel_format() == pylsl.cf_string or not 0 < n <= _MOST_CHANNELS:
            raise RecordingError(
                f"The LSL stream {self._name!r} has {n} channels at {rate_hz} Hz (0 is irregular) of type "
                f"{info.channel_format()}. Following needs numbers at a rate."
            )
        labels, units = _channels(info, n)
        unit = self._unit or units
        if unit is None or unit.lower() not in _VOLTS:
            raise RecordingError(
                f"The LSL stream {self._name!r} tells {unit!r} for the unit of its numbers. "
                f"Give --unit: one of {', '.join(UNITS)}."
            )
        inlet.open_stream(self._wait_s)
        self._inlet, self._volts, self._rate_hz = inlet, _VOLTS[unit.lower()], float(rate_hz)
        self._held = np.empty((_MOST_FRAMES, n), dtype=_dtype(pylsl, info.channel_format()))
        return LiveTold(float(rate_hz), labels)

    def blocks(self, timeout_s: float) -> Iterator[LiveBlock]:
        """Yield what has come; where stamps jump, frames are lost."""
        _, stamps = self._inlet.pull_chunk(timeout=timeout_s, max_samples=_MOST_FRAMES, dest_obj=self._held)
        if not stamps:
            return
        stamp_s = np.array(stamps)
        before_s = np.concatenate([[self._last_s], stamp_s[:-1]])
        jump_s = stamp_s - before_s
        cuts = np.flatnonzero(np.abs(jump_s) > _LOST_S)
        volts = self._held[: len(stamp_s)].astype(np.float32) * np.float32(self._volts)
        edges = [0, *cuts[cuts > 0].tolist(), len(stamp_s)]
        for first, stop in pairwise(edges):
            is_jump = first in cuts
            # a clock that went back was started anew: a second is left between
            away_s = jump_s[first] if jump_s[first] > 0 else _LOST_S
            lost = max(round(away_s * self._rate_hz) - 1, 0) if is_jump else 0
            yield LiveBlock(lost, volts[first:stop])
        self._last_s = float(stamp_s[-1])

    def close(self) -> None:
        """Let go of the stream."""
        if self._inlet is not None:
            self._inlet.close_stream()


def _dtype(pylsl: Any, kind: int) -> np.dtype[Any]:
    names = {
        pylsl.cf_float32: "f4",
        pylsl.cf_double64: "f8",
        pylsl.cf_int32: "i4",
        pylsl.cf_int16: "i2",
        pylsl.cf_int8: "i1",
        pylsl.cf_int64: "i8",
    }
    return np.dtype(names[kind])


def _channels(info: Any, n: int) -> tuple[tuple[str, ...], str | None]:
    """Return the channels' labels, numbers where there are none, and the unit that all have, None where not told."""
    labels, units = list[str](), set[str]()
    channel = info.desc().child("channels").child("channel")
    while len(labels) < n and not channel.empty():
        labels.append(channel.child_value("label"))
        units.add(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    if len(labels) < n or len(set(labels)) < n or not all(labels):
        labels = [str(k) for k in range(n)]
    return tuple(labels), units.pop() if len(units) == 1 else None
