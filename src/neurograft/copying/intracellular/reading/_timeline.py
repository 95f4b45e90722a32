"""One time line for all segments: rows of about a millisecond, with empty rows between segments."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from neurograft.recordings import Recording


class Timeline(NamedTuple):
    """Row = ``offset[segment] + frame // factor``; rows that no segment fills have weight 0 for all."""

    rate_hz: float  # rows a second
    factor: int  # frames a row
    offset: Int64[ndarray, " segments"]
    rows: Int64[ndarray, " segments"]
    n_rows: int

    def row_of(self, segment: Int64[ndarray, " events"], frame: Int64[ndarray, " events"]) -> Int64[ndarray, " events"]:
        """Return the row that holds each frame."""
        return self.offset[segment] + frame // self.factor


def timeline(recording: Recording, *, factor: int, gap_rows: int) -> Timeline:
    """Return the time line whose rows are ``factor`` frames each.

    Before, between and after the segments lie ``gap_rows`` empty rows, so that no lag reaches from one
    segment into the next.  Frames that fill no whole row at a segment's end are left out.
    """
    rows = np.array(recording.segment_frames, dtype=np.int64) // factor
    ends = np.cumsum(rows + gap_rows)
    return Timeline(recording.rate_hz / factor, factor, ends - rows, rows, int(ends[-1]) + gap_rows)
