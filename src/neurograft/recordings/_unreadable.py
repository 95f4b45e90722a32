"""A recording whose unreadable frames count as not recorded: damage in one place need not cost all the rest."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._behind import Behind
from neurograft.recordings._recording import n_channels

_LEAST_S = 0.01  # what is given up at a time; blocks of files are longer


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skipping(Behind):
    """Another recording, NaN where it cannot be read (to 10 ms)."""

    skipped: set[tuple[int, int, int]] = field(default_factory=set[tuple[int, int, int]])  # segment, start, stop

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
