"""A recording read piece by piece: memory is bounded by the piece, never by the recording's length."""

from collections.abc import Iterator
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float64
from numba import njit
from numpy import ndarray

from neurograft.recordings import Recording

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
    flat = max(round(FLAT_S * recording.rate_hz), 3)
    for segment, n_frames in enumerate(recording.segment_frames):
        for first in range(0, n_frames, chunk_frames):
            stop = min(first + chunk_frames, n_frames)
            start = max(first - margin_frames, 0)
            volts = recording.read(segment, start, min(stop + margin_frames, n_frames)).astype(np.float64)
            is_ok = np.ones(volts.shape, dtype=np.bool_)
            _mark_bad(volts, flat, is_ok)
            yield Chunk(segment, first, stop, first - start, volts, is_ok)


def n_chunks(recording: Recording, *, chunk_frames: int) -> int:
    """Return how many chunks there will be."""
    return sum(-(-n // chunk_frames) for n in recording.segment_frames)


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
