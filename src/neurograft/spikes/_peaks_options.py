"""What a spike looks like outside a cell, and what was found."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64
from numpy import ndarray

from neurograft.arrays import frozen
from neurograft.errors import SpikeError
from neurograft.provenance import Provenance
from neurograft.recordings import Recording
from neurograft.spikes._trains import SpikeTrains, spike_trains
from neurograft.units import MS

_LARGEST_AREA = 32_767  # width times area of the filter: its sums of 16-bit numbers stay within 32 bits


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PeakOptions:
    """What counts as a spike: a negative peak, the deepest of its surroundings."""

    noise_sds: float = 5.0
    short_s: float = 0.2 * MS  # half width of the triangle that smooths: about the width of a trough
    long_s: float = 3.0 * MS  # length of the running mean that is taken off
    exclude_s: float = 0.5 * MS  # before and after; deeper peaks within it and the radius win
    radius_um: float = 100.0
    is_whitened: bool = True

    def __post_init__(self) -> None:
        """Refuse what finds nothing or everything."""
        if not 1.0 <= self.noise_sds <= 1000.0:
            raise SpikeError(f"noise_sds is {self.noise_sds}. Give 1 to 1000 noise sds; 5 is usual.")
        if not 0 < self.short_s < self.long_s <= 20 * MS:
            raise SpikeError(
                f"short_s is {self.short_s} s and long_s {self.long_s} s. Give 0 < short_s < long_s <= 20 ms."
            )
        if not 0 <= self.exclude_s <= 10 * MS or not self.radius_um >= 0:
            raise SpikeError(
                f"exclude_s is {self.exclude_s} s and radius_um {self.radius_um}. "
                "Give 0 to 10 ms, and a radius of 0 or more."
            )

    def frames(self, rate_hz: float) -> "Frames":
        """Return the filter's and the surroundings' lengths in frames of a sampling rate."""
        n_half = max(round(0.5 * self.long_s * rate_hz), 2)
        n_short = max(min(round(self.short_s * rate_hz), n_half, int((_LARGEST_AREA / (2 * n_half + 1)) ** 0.5)), 1)
        return Frames(n_short, n_half, max(round(self.exclude_s * rate_hz), 1))


class Frames(NamedTuple):
    """Half widths of the triangle and the box, and how far around a peak is looked, in frames."""

    n_short: int
    n_half: int
    sweep: int

    @property
    def margin(self) -> int:
        """Frames that have to be known before and after those that are searched."""
        return self.n_half + self.n_short + self.sweep + 1


class Course(NamedTuple):
    """Noise and spikes of every channel in windows of ten seconds, one segment after the other."""

    start_s: Float64[ndarray, " windows"]
    noise_v: Float32[ndarray, "windows channels"]  # band-passed; NaN where the channel was still
    amplitude_v: Float32[ndarray, "windows channels"]  # mean depth of its peaks; NaN without one
    n_peaks: Int32[ndarray, "windows channels"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peaks:
    """Extracellular spikes, sorted by segment, frame, channel, and what is known of the channels.

    ``amplitude_v`` is the depth of the band-passed trough, positive.  ``depth_sds`` is the depth that was
    compared with the threshold, in noise sds of its moment.  ``mean_v`` is each channel's mean spike as it
    was recorded, less its mean.  ``lost_s`` are stretches that could not be read: no spike is known there.
    """

    segment: Int32[ndarray, " peaks"]
    frame: Int64[ndarray, " peaks"]
    channel: Int32[ndarray, " peaks"]
    amplitude_v: Float32[ndarray, " peaks"]
    depth_sds: Float32[ndarray, " peaks"]
    noise_v: Float32[ndarray, " channels"]
    course: Course
    still_share: Float64[ndarray, " channels"]
    unusable: Bool[ndarray, " channels"]
    mean_v: Float32[ndarray, "channels frames"]
    lost_s: Float64[ndarray, "stretches 2"]
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        """Make the columns read-only."""
        for name in ("segment", "frame", "channel", "amplitude_v", "depth_sds", "noise_v", "mean_v"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def n_peaks(self) -> int:
        """Number of spikes of all channels."""
        return self.frame.size

    def as_trains(self, recording: Recording) -> SpikeTrains:
        """Return the spikes of each channel as if it were a neuron: multi-unit activity, not sorted units."""
        start_s = np.array(recording.segment_start_s)
        length_s = np.array(recording.segment_frames) / recording.rate_hz
        return spike_trains(
            time_s=start_s[self.segment] + self.frame / recording.rate_hz,
            neuron=self.channel,
            n_neurons=len(recording.channel_labels),
            epochs_s=_without(np.column_stack([start_s, start_s + length_s]), self.lost_s),
            labels=recording.channel_labels,
            provenance=Provenance(command="detect_peaks"),
        )


def _without(epochs_s: Float64[ndarray, "epochs 2"], lost_s: Float64[ndarray, "stretches 2"]) -> ndarray:
    """Return the epochs less the lost stretches, which are sorted and lie inside epochs."""
    kept: list[tuple[float, float]] = []
    for start, stop in epochs_s.tolist():
        for a, b in lost_s.tolist():
            if start <= a < stop:
                if a > start:
                    kept.append((start, a))
                start = b  # noqa: PLW2901  (what is left of the epoch)
        if stop > start:
            kept.append((start, stop))
    return np.array(kept, dtype=np.float64).reshape(-1, 2)
