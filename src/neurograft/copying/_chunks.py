"""A recording read piece by piece: memory is bounded by the piece, never by the recording's length."""

from collections.abc import Iterator
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Bool, Float64
from numba import njit
from numpy import ndarray

from neurograft.recordings import Recording, n_channels

LARGEST = 1 << 24  # samples in a chunk, 128 MB; more than 4096 channels of 10 kHz bring in 0.4 s
FLAT_S = 5e-3  # this long without any change is a dropped or saturated channel, not a membrane


class Chunk(NamedTuple):
    """Frames ``first - before`` to ``first - before + len(volts) - 1`` of one segment.

    The chunk's own frames are ``first`` to ``stop - 1``; the others are margin for filters.  ``volts`` is
    finite everywhere; ``is_ok`` is False where the sample was NaN or stood still for 5 ms.
    """

    segment: int
    first: int
    stop: int
    before: int
    volts: Float64[ndarray, "frames channels"]
    is_ok: Bool[ndarray, "frames channels"]


def chunks(recording: Recording, *, chunk_frames: int, margin_frames: int) -> Iterator[Chunk]:
    """Yield every frame of every segment once, in order, each chunk with margins where the segment has them."""
    for segment, n_frames in enumerate(recording.segment_frames):
        yield from _cut(recording, segment, (0, n_frames), chunk_frames=chunk_frames, margin_frames=margin_frames)


def _cut(
    recording: Recording, segment: int, span: tuple[int, int], *, chunk_frames: int, margin_frames: int
) -> Iterator[Chunk]:
    begin, end = span
    flat = max(round(FLAT_S * recording.rate_hz), 3)
    for first in range(begin, end, chunk_frames):
        stop = min(first + chunk_frames, end)
        start = max(first - margin_frames, 0)
        after = min(stop + margin_frames, recording.segment_frames[segment])
        volts = recording.read(segment, start, after).astype(np.float64)
        is_ok = np.ones(volts.shape, dtype=np.bool_)
        _mark_bad(volts, flat, is_ok)
        yield Chunk(segment, first, stop, first - start, volts, is_ok)


def affordable_frames(recording: Recording, seconds: float) -> int:
    """Return how many frames to read at a time: so many seconds, or what memory allows of many channels."""
    most = max(LARGEST // n_channels(recording), 1)
    return max(min(round(seconds * recording.rate_hz), most), 1)


def n_chunks(recording: Recording, *, chunk_frames: int) -> int:
    """Return how many chunks there will be."""
    return sum(-(-n // chunk_frames) for n in recording.segment_frames)


@final
class Stretch:
    """Some seconds of a segment, cut into chunks that memory can hold; it can be gone through more than once."""

    def __init__(self, recording: Recording, segment: int, first: int, stop: int, margin_frames: int) -> None:
        """Hold nothing yet: chunks are read when asked for."""
        self.n_frames = stop - first
        self._where = (recording, segment, (first, stop))
        self._margin_frames = margin_frames
        self._only: Chunk | None = None  # a lone chunk is read once

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks, in order."""
        if self._only is not None:
            yield self._only
            return
        recording, segment, span = self._where
        size = affordable_frames(recording, self.n_frames / recording.rate_hz)
        for chunk in _cut(recording, segment, span, chunk_frames=size, margin_frames=self._margin_frames):
            if size >= self.n_frames:
                self._only = chunk
            yield chunk


def stretches(recording: Recording, *, stretch_frames: int, margin_frames: int) -> Iterator[Stretch]:
    """Yield every frame of every segment once, in order; margins are those of each stretch's chunks."""
    for segment, n_frames in enumerate(recording.segment_frames):
        for first in range(0, n_frames, stretch_frames):
            yield Stretch(recording, segment, first, min(first + stretch_frames, n_frames), margin_frames)


class RowMeans(NamedTuple):
    """Means of ``factor`` frames each, and whether all of them were good."""

    volts: Float64[ndarray, "rows channels"]
    is_ok: Bool[ndarray, "rows channels"]


def row_means(recording: Recording, segment: int, *, first: int, stop: int, factor: int) -> RowMeans:
    """Return frames ``first`` to ``stop`` - 1 averaged to rows, read by chunks; what fills no row is left out."""
    n_rows = (stop - first) // factor
    volts, is_ok = np.empty((n_rows, n_channels(recording))), np.empty((n_rows, n_channels(recording)), dtype=np.bool_)
    size = max(affordable_frames(recording, (stop - first) / recording.rate_hz) // factor, 1) * factor
    flat = max(round(FLAT_S * recording.rate_hz), 3)
    for chunk in _cut(recording, segment, (first, first + n_rows * factor), chunk_frames=size, margin_frames=flat):
        own = slice(chunk.before, chunk.before + chunk.stop - chunk.first)
        rows = slice((chunk.first - first) // factor, (chunk.stop - first) // factor)
        volts[rows] = chunk.volts[own].reshape(-1, factor, volts.shape[1]).mean(axis=1)
        is_ok[rows] = chunk.is_ok[own].reshape(-1, factor, volts.shape[1]).all(axis=1)
    return RowMeans(volts, is_ok)


@njit(cache=True)
@no_type_check
def _mark_bad(volts, flat, is_ok):
    """Clear ``is_ok`` at NaN and in runs of at least ``flat`` equal samples; hold the last value over NaN."""
    n, n_channels = volts.shape
    held, run = np.zeros(n_channels), np.zeros(n_channels, dtype=np.int64)
    for c in range(n_channels):
        for k in range(n):
            if np.isfinite(volts[k, c]):
                held[c] = volts[k, c]
                break
    for k in range(n):  # row by row, as the samples lie in memory
        for c in range(n_channels):
            v = volts[k, c]
            if not np.isfinite(v):
                v = held[c]
                volts[k, c] = v
                is_ok[k, c] = False
            run[c] = run[c] + 1 if k > 0 and v == held[c] else 1
            held[c] = v
            if run[c] == flat:
                is_ok[k - flat + 1 : k + 1, c] = False
            elif run[c] > flat:
                is_ok[k, c] = False
