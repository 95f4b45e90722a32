"""What a recording is to the rest of the project: voltages (or currents) of channels, read in pieces."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.arrays import frozen
from neurograft.errors import RecordingError


class Signal(Enum):
    """What the numbers of a recording are; decides which way of copying fits."""

    MEMBRANE_V = "membrane potential, V"  # patch or sharp electrode: true millivolts
    INTRACELLULAR_V = "intracellular electrode potential, V"  # attenuated by an unknown, drifting coupling
    EXTRACELLULAR_V = "extracellular potential, V"
    MEMBRANE_A = "membrane current (voltage clamp), A"


@runtime_checkable
class Recording(Protocol):
    """Channels sampled together.

    Sweeps are segments; nothing may be filtered or correlated across their edges.  A signal named in V
    is read in volts, one named in A in amperes.
    """

    @property
    def rate_hz(self) -> float:
        """Samples a second and channel."""
        ...

    @property
    def signal(self) -> Signal:
        """What the samples are."""
        ...

    @property
    def channel_labels(self) -> tuple[str, ...]:
        """One name a channel, all different."""
        ...

    @property
    def position_um(self) -> Float64[ndarray, "channels 2"]:
        """Where each channel's pad is; NaN where the file does not tell."""
        ...

    @property
    def segment_frames(self) -> tuple[int, ...]:
        """Number of frames of every segment."""
        ...

    @property
    def segment_start_s(self) -> tuple[float, ...]:
        """When each segment starts; segments do not overlap."""
        ...

    def read(self, segment: int, start: int, stop: int) -> Float32[ndarray, "frames channels"]:
        """Return frames ``start`` to ``stop - 1`` of a segment in SI units."""
        ...


def n_channels(recording: Recording) -> int:
    """Return the number of channels."""
    return len(recording.channel_labels)


def duration_s(recording: Recording) -> float:
    """Return the recorded time, all segments added."""
    return sum(recording.segment_frames) / recording.rate_hz


def epochs_s(recording: Recording) -> Float64[ndarray, "epochs 2"]:
    """Return start and stop of every segment, as ``SpikeTrains`` wants them."""
    start_s = np.array(recording.segment_start_s, dtype=np.float64)
    return np.column_stack([start_s, start_s + np.array(recording.segment_frames) / recording.rate_hz])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayRecording:
    """A recording whose segments are arrays, in memory or memory-mapped; build with ``array_recording``.

    ``samples[k]`` is frames by channels; the signal is ``samples * gain + offset``.
    """

    rate_hz: float
    signal: Signal
    samples: tuple[ndarray, ...]
    channel_labels: tuple[str, ...]
    position_um: Float64[ndarray, "channels 2"]
    segment_start_s: tuple[float, ...]
    gain: Float64[ndarray, " channels"]
    offset: Float64[ndarray, " channels"]

    @property
    def segment_frames(self) -> tuple[int, ...]:
        """Number of frames of every segment."""
        return tuple(len(segment) for segment in self.samples)

    def read(self, segment: int, start: int, stop: int) -> Float32[ndarray, "frames channels"]:
        """Return frames ``start`` to ``stop - 1`` of a segment in SI units."""
        if not 0 <= segment < len(self.samples) or not 0 <= start <= stop <= len(self.samples[segment]):
            raise RecordingError(
                f"Frames {start} to {stop} of segment {segment} were asked for, but the segments have "
                f"{self.segment_frames} frames. Ask for frames inside a segment."
            )
        return (self.samples[segment][start:stop] * self.gain + self.offset).astype(np.float32)


def array_recording(
    samples: ndarray | tuple[ndarray, ...],
    *,
    rate_hz: float,
    signal: Signal,
    channel_labels: tuple[str, ...] | None = None,
    position_um: Float64[ndarray, "channels 2"] | None = None,
    segment_start_s: tuple[float, ...] | None = None,
    gain: float | Float64[ndarray, " channels"] = 1.0,
    offset: float | Float64[ndarray, " channels"] = 0.0,
    gap_s: float = 1.0,
) -> ArrayRecording:
    """Return a recording of one array (frames by channels) or of a tuple of them, one a segment.

    ``gain`` and ``offset`` turn samples into volts or amperes.  Without start times, segments are laid
    one after the other with ``gap_s`` between them.
    """
    segments = samples if isinstance(samples, tuple) else (samples,)
    _require_segments(segments)
    n = segments[0].shape[1]
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise RecordingError(f"The sampling rate is {rate_hz} Hz. Give a positive number of samples a second.")
    labels = channel_labels if channel_labels is not None else tuple(str(i) for i in range(n))
    if len(labels) != n or len(set(labels)) != n:
        raise RecordingError(
            f"There are {n} channels and {len(labels)} labels, {len(set(labels))} of them different. "
            "Give every channel one label of its own."
        )
    if segment_start_s is None:
        lengths_s = [len(segment) / rate_hz + gap_s for segment in segments]
        segment_start_s = tuple(float(t) for t in np.cumsum([0.0, *lengths_s[:-1]]))
    return ArrayRecording(
        rate_hz=float(rate_hz),
        signal=signal,
        samples=tuple(frozen(segment) for segment in segments),
        channel_labels=labels,
        position_um=frozen(position_um if position_um is not None else np.full((n, 2), np.nan)),
        segment_start_s=segment_start_s,
        gain=frozen(np.broadcast_to(np.asarray(gain, dtype=np.float64), (n,))),
        offset=frozen(np.broadcast_to(np.asarray(offset, dtype=np.float64), (n,))),
    )


def _require_segments(segments: tuple[ndarray, ...]) -> None:
    if not segments:
        raise RecordingError("The recording has no segment. Give at least one array of frames by channels.")
    for k, segment in enumerate(segments):
        if segment.ndim != 2 or segment.shape[1] != segments[0].shape[1]:
            raise RecordingError(
                f"Segment {k} has shape {segment.shape}, segment 0 {segments[0].shape}. "
                "Give frames by channels, with the same channels in every segment."
            )
        if segment.size == 0:
            raise RecordingError(f"Segment {k} has shape {segment.shape}: it is empty. Leave empty segments out.")
