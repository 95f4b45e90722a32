"""A recording thinned to rows of about a millisecond: what every step after the reading works on."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._gather import Work, read_all
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import Reading, ReadOptions
from neurograft.copying.intracellular.reading._work import MAPPED
from neurograft.progress import silent
from neurograft.recordings import Recording, Signal


class RowMeans(NamedTuple):
    """Means of a few frames each, and whether all of them were good; where not, volts are 0."""

    volts: Float64[ndarray, "rows channels"]
    is_ok: Bool[ndarray, "rows channels"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thin:
    """Rows of all segments; ``parts[k]`` are segment k's pieces, channels by rows, all but the last of one length."""

    rate_hz: float  # rows a second
    signal: Signal
    segment_start_s: tuple[float, ...]
    segment_rows: tuple[int, ...]
    parts: tuple[tuple[ndarray, ...], ...]

    def read(self, segment: int, start: int, stop: int, channel: Int64[ndarray, " channels"]) -> RowMeans:
        """Return rows ``start`` to ``stop`` - 1 of some channels."""
        out = self.by_channel(segment, start, stop, channel)
        volts = out.T.astype(np.float64)
        is_ok = ~np.isnan(volts)
        volts[~is_ok] = 0.0
        return RowMeans(volts, is_ok)

    def by_channel(
        self, segment: int, start: int, stop: int, channel: Int64[ndarray, " channels"]
    ) -> Float32[ndarray, "channels rows"]:
        """Return the same rows channel by channel, NaN where a frame was bad."""
        parts = self.parts[segment]
        size = parts[0].shape[1]
        out = np.empty((len(channel), stop - start), dtype=np.float32)
        for k in range(start // size, -(-stop // size)):
            first = k * size
            low, high = max(start, first), min(stop, first + size)
            out[:, low - start : high - start] = _channels(parts[k], channel)[:, low - first : high - first]
        return out


def _channels(part: ndarray, channel: Int64[ndarray, " channels"]) -> ndarray:
    """Return some channels of a piece; of one that lies in a file by reading, because mapped pages count as memory."""
    if not isinstance(part, np.memmap):
        return part[channel]
    out = np.empty((len(channel), part.shape[1]), dtype=part.dtype)
    ends = np.append(np.flatnonzero(np.diff(channel) != 1) + 1, len(channel))
    first = 0
    for end in ends:  # channels that follow each other are read at once
        offset = part.offset + int(channel[first]) * part.strides[0]
        out[first:end] = np.fromfile(
            str(part.filename), dtype=part.dtype, count=(end - first) * part.shape[1], offset=offset
        ).reshape(end - first, part.shape[1])
        first = end
    return out


def thin_of(recording: Recording, reading: Reading, factor: int) -> Thin:
    """Return the rows that reading a recording gave."""
    n_segments = len(recording.segment_frames)
    parts: list[list[ndarray]] = [[] for _ in range(n_segments)]
    for piece, result in zip(reading.pieces, reading.results, strict=True):
        parts[piece.segment].append(result[MAPPED])
    return Thin(
        rate_hz=recording.rate_hz / factor,
        signal=recording.signal,
        segment_start_s=recording.segment_start_s,
        segment_rows=tuple(n // factor for n in recording.segment_frames),
        parts=tuple(tuple(mine) for mine in parts),
    )


def thinned(recording: Recording, factor: int) -> Thin:
    """Return a recording's rows, read now and kept in memory."""
    options = ReadOptions(DetectionOptions(), factor)
    return thin_of(recording, read_all(recording, options, Work(), silent), factor)
