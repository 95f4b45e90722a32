"""Recordings that stay in their file: numbers are fetched when a piece is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.arrays import frozen
from neurograft.errors import EmptyRecordingError, NeurograftError, RecordingError, did_you_mean
from neurograft.recordings._recording import Signal

GAP_S = 1.0  # between sweeps of a file that does not tell when they began
_EXACT_IN_FLOAT32_BYTES = 2
_CACHED = 1 << 16  # samples


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LazyRecording:
    """A recording read through ``fetch(segment, start, stop)``; build with ``lazy_recording``.

    ``fetch`` returns frames by channels as they lie in the file; the signal is that times ``gain`` plus
    ``offset``.  ``limits`` are the lowest and the highest value a channel's converter can give, NaN
    where unknown.  Memory in use is bounded by the piece that is asked for.
    """

    path: Path  # names the recording in errors
    rate_hz: float
    signal: Signal
    channel_labels: tuple[str, ...]
    position_um: Float64[ndarray, "channels 2"]
    segment_frames: tuple[int, ...]
    segment_start_s: tuple[float, ...]
    fetch: Callable[[int, int, int], ndarray]
    gain: Float64[ndarray, " channels"]
    offset: Float64[ndarray, " channels"]
    limits: Float64[ndarray, "channels 2"]

    def read(self, segment: int, start: int, stop: int) -> Float32[ndarray, "frames channels"]:
        """Return frames ``start`` to ``stop - 1`` of a segment in SI units."""
        n = len(self.segment_frames)
        if not 0 <= segment < n or not 0 <= start <= stop <= self.segment_frames[segment]:
            raise RecordingError(
                f"Frames {start} to {stop} of segment {segment} were asked for, but the segments have "
                f"{self.segment_frames} frames. Ask for frames inside a segment."
            )
        raw = self._fetched(segment, start, stop)
        if raw.dtype.kind in "iu" and raw.dtype.itemsize <= _EXACT_IN_FLOAT32_BYTES:
            scaled = np.empty(raw.shape, dtype=np.float32)  # exact, and half the memory of float64
            gain, offset = self.gain.astype(np.float32), self.offset.astype(np.float32)
            height = max(_CACHED // len(gain), 1)
            for top in range(0, len(raw), height):  # a few frames at a time: they stay in the cache
                part = scaled[top : top + height]
                part[:] = raw[top : top + height]
                part *= gain
                part += offset
            return scaled
        return (raw * self.gain + self.offset).astype(np.float32)

    def _fetched(self, segment: int, start: int, stop: int) -> ndarray:
        """Return samples as they lie in the file; what cannot be read is told with where it lies."""
        where = f"{self.path}: frames {start} to {stop} of segment {segment} ({start / self.rate_hz:.6g} s on)"
        try:
            raw = self.fetch(segment, start, stop)
        except (NeurograftError, AssertionError, TypeError, MemoryError):
            raise
        except Exception as problem:  # every library fails in its own way on a damaged file or a lost connection
            raise RecordingError(
                f"{where} cannot be read: {str(problem) or type(problem).__name__}. "
                "The file is damaged, or what it lies on does not answer."
            ) from problem
        if len(raw) != stop - start:
            raise RecordingError(f"{where} are not all there: {len(raw)} came back. The file is cut off.")
        n = len(self.channel_labels)
        if raw.ndim != 2 or raw.shape[1] != n:  # one channel would pass for all
            raise RecordingError(
                f"{where} hold {raw.shape[-1]} channels, the recording has {n}. Channels came or went between "
                "segments: export the segments apart, or leave these out with --skip-unreadable."
            )
        return raw


def lazy_recording(
    *,
    path: Path,
    fetch: Callable[[int, int, int], ndarray],
    rate_hz: float,
    signal: Signal,
    segment_frames: Sequence[int],
    channel_labels: Sequence[str],
    segment_start_s: Sequence[float] | None = None,
    position_um: Float64[ndarray, "channels 2"] | None = None,
    gain: float | Float64[ndarray, " channels"] = 1.0,
    offset: float | Float64[ndarray, " channels"] = 0.0,
    limits: Float64[ndarray, "channels 2"] | None = None,
) -> LazyRecording:
    """Return a checked recording; repeated channel names get a number, so that labels are unique."""
    n = len(channel_labels)
    if n == 0:
        raise RecordingError(f"{path} has no channel. Check that it is the file you mean.")
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise RecordingError(f"{path}: the sampling rate is {rate_hz} Hz. Give samples a second, above zero.")
    empty = [k for k, frames in enumerate(segment_frames) if frames <= 0]
    if empty or not segment_frames:
        where = f"segment {empty[0]}" if empty else "it"
        raise EmptyRecordingError(f"{path}: {where} has no sample. The recording is empty or was stopped at once.")
    gains, offsets = (np.broadcast_to(np.asarray(x, dtype=np.float64), (n,)) for x in (gain, offset))
    if not (np.all(np.isfinite(gains)) and np.all(np.isfinite(offsets)) and np.all(gains != 0)):
        bad = int(np.flatnonzero(~np.isfinite(gains) | ~np.isfinite(offsets) | (gains == 0))[0])
        raise RecordingError(
            f"{path}: channel {channel_labels[bad]!r} has gain {gains[bad]} and offset {offsets[bad]}. "
            "Set a gain that is finite and not zero."
        )
    return LazyRecording(
        path=path,
        rate_hz=float(rate_hz),
        signal=signal,
        channel_labels=_unique(channel_labels),
        position_um=frozen(position_um if position_um is not None else np.full((n, 2), np.nan)),
        segment_frames=tuple(int(frames) for frames in segment_frames),
        segment_start_s=laid_out(segment_frames, rate_hz=rate_hz, start_s=segment_start_s),
        fetch=fetch,
        gain=frozen(gains),
        offset=frozen(offsets),
        limits=frozen(limits if limits is not None else np.full((n, 2), np.nan)),
    )


def laid_out(segment_frames: Sequence[int], *, rate_hz: float, start_s: Sequence[float] | None) -> tuple[float, ...]:
    """Return segment starts: those given, or, where these overlap or lack, one after the other.

    Sweeps of many files all start 'at 0'; a gap of one second then stands between them.
    """
    length_s = np.array(segment_frames) / rate_hz
    if start_s is not None:
        starts = np.array(start_s, dtype=np.float64)
        half_a_frame = 0.5 / rate_hz
        if np.all(np.isfinite(starts)) and np.all(starts[1:] >= starts[:-1] + length_s[:-1] - half_a_frame):
            ends = starts[:-1] + length_s[:-1]  # sweeps that touch must not overlap by a rounding error
            return (float(starts[0]), *(float(x) for x in np.maximum(starts[1:], ends)))
    return tuple(float(t) for t in np.cumsum([0.0, *(length_s[:-1] + GAP_S)]))


def with_channels(recording: LazyRecording, labels: Sequence[str], *, path: Path) -> LazyRecording:
    """Return the recording with only these channels, in this order."""
    index_of = {label: k for k, label in enumerate(recording.channel_labels)}
    for label in labels:
        if label not in index_of:
            raise RecordingError(f"{path} has no channel {label!r}. {did_you_mean(label, index_of)}")
    if len(set(labels)) != len(labels) or not labels:
        raise RecordingError(f"channels={tuple(labels)} is empty or names a channel twice. Name each channel once.")
    keep = np.array([index_of[label] for label in labels])

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        return recording.fetch(segment, start, stop)[:, keep]

    return replace(
        recording,
        channel_labels=tuple(labels),
        position_um=frozen(recording.position_um[keep]),
        fetch=fetch,
        gain=frozen(recording.gain[keep]),
        offset=frozen(recording.offset[keep]),
        limits=frozen(recording.limits[keep]),
    )


def _unique(labels: Sequence[str]) -> tuple[str, ...]:
    """Number the labels that occur twice: 'Vm', 'Vm' become 'Vm', 'Vm (2)'."""
    taken: set[str] = set()
    out: list[str] = []
    for label in labels:
        name, k = label, 1
        while name in taken:
            k += 1
            name = f"{label} ({k})"
        taken.add(name)
        out.append(name)
    return tuple(out)
