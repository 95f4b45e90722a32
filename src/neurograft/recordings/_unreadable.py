"""A recording whose unreadable frames count as not recorded: damage in one place need not cost all the rest."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._recording import Recording, Signal, n_channels

_LEAST_S = 0.01  # what is given up at a time; blocks of files are longer


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skipping:
    """Another recording, NaN where it cannot be read (to 10 ms)."""

    inner: Recording
    skipped: set[tuple[int, int, int]] = field(default_factory=set[tuple[int, int, int]])  # segment, start, stop

    @property
    def rate_hz(self) -> float:
        """Samples a second and channel."""
        return self.inner.rate_hz

    @property
    def signal(self) -> Signal:
        """What the samples are."""
        return self.inner.signal

    @property
    def channel_labels(self) -> tuple[str, ...]:
        """One name a channel."""
        return self.inner.channel_labels

    @property
    def position_um(self) -> Float64[ndarray, "channels 2"]:
        """Where each channel's pad is."""
        return self.inner.position_um

    @property
    def segment_frames(self) -> tuple[int, ...]:
        """Number of frames of every segment."""
        return self.inner.segment_frames

    @property
    def segment_start_s(self) -> tuple[float, ...]:
        """When each segment starts."""
        return self.inner.segment_start_s

    def read(self, segment: int, start: int, stop: int) -> Float32[ndarray, "frames channels"]:
        """Return frames in SI units; halves of what fails are tried until a hundredth of a second is left."""
        try:
            return self.inner.read(segment, start, stop)
        except RecordingError:
            if not 0 <= segment < len(self.segment_frames) or not 0 <= start <= stop <= self.segment_frames[segment]:
                raise
        if stop - start <= max(_LEAST_S * self.rate_hz, 1):
            self.skipped.add((segment, start, stop))
            return np.full((stop - start, n_channels(self)), np.nan, dtype=np.float32)
        middle = (start + stop) // 2
        return np.concatenate([self.read(segment, start, middle), self.read(segment, middle, stop)])
