"""A recording read piece by piece: memory is bounded by the piece, never by the recording's length."""

from collections.abc import Iterator
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Float64
from numba import njit
from numpy import ndarray

from neurograft.recordings import Recording, n_channels

LARGEST = 1 << 25  # samples in a chunk, 128 MB; more than 4096 channels of 10 kHz bring in 0.8 s
FLAT_S = 5e-3  # this long without any change is a dropped or saturated channel, not a membrane


class Chunk(NamedTuple):
    """Frames ``first - before`` to ``first - before + len(volts) - 1`` of one segment, as they were read.

    The chunk's own frames are ``first`` to ``stop - 1``; the others are margin for filters.
    """

    segment: int
    first: int
    stop: int
    before: int
    volts: Float32[ndarray, "frames channels"]


class Marked(NamedTuple):
    """Volts that are finite everywhere; ``is_ok`` is False where a sample was NaN or stood still for 5 ms."""

    volts: Float64[ndarray, "frames channels"]
    is_ok: Bool[ndarray, "frames channels"]


def chunks(recording: Recording, *, chunk_frames: int, margin_frames: int) -> Iterator[Chunk]:
    """Yield every frame of every segment once, in order, each chunk with margins where the segment has them."""
    for segment, n_frames in enumerate(recording.segment_frames):
        yield from cut(recording, segment, (0, n_frames), chunk_frames=chunk_frames, margin_frames=margin_frames)


def cut(
    recording: Recording, segment: int, span: tuple[int, int], *, chunk_frames: int, margin_frames: int
) -> Iterator[Chunk]:
    """Yield the frames of one span of a segment; margins may lie outside of the span."""
    begin, end = span
    for first in range(begin, end, chunk_frames):
        stop = min(first + chunk_frames, end)
        start = max(first - margin_frames, 0)
        after = min(stop + margin_frames, recording.segment_frames[segment])
        yield Chunk(segment, first, stop, first - start, recording.read(segment, start, after))


def affordable_frames(recording: Recording, seconds: float, most_samples: int | None = None) -> int:
    """Return how many frames to read at a time: so many seconds, or what memory allows of many channels."""
    most = max(min(most_samples or LARGEST, LARGEST) // n_channels(recording), 1)
    return max(min(round(seconds * recording.rate_hz), most), 1)


def n_chunks(recording: Recording, *, chunk_frames: int) -> int:
    """Return how many chunks there will be."""
    return sum(-(-n // chunk_frames) for n in recording.segment_frames)


def flat_frames(recording: Recording) -> int:
    """Return how many frames without any change are a dropped channel."""
    return max(round(FLAT_S * recording.rate_hz), 3)


def marked(volts: Float32[ndarray, "frames channels"], flat: int) -> Marked:
    """Return samples made finite, and which are good."""
    out, is_ok = volts.astype(np.float64), np.ones(volts.shape, dtype=np.bool_)
    for channel in range(out.shape[1]):
        mark_bad(out[:, channel], flat, is_ok[:, channel])
    return Marked(out, is_ok)


@njit(cache=True, nogil=True)
@no_type_check
def mark_bad(volts, flat, is_ok):
    """Clear ``is_ok`` at NaN and in runs of at least ``flat`` equal samples; hold the last value over NaN."""
    n, held, run = len(volts), 0.0, 0
    for k in range(n):
        if np.isfinite(volts[k]):
            held = volts[k]
            break
    for k in range(n):
        v = volts[k]
        if not np.isfinite(v):
            v = held
            volts[k] = v
            is_ok[k] = False
        run = run + 1 if k > 0 and v == held else 1
        held = v
        if run == flat:
            is_ok[k - flat + 1 : k + 1] = False
        elif run > flat:
            is_ok[k] = False
