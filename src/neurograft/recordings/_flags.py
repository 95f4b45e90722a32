"""Which channels cannot be used as they are, judged from a few pieces of a recording or from all of it."""

from bisect import bisect_right
from collections.abc import Generator
from dataclasses import dataclass
from itertools import accumulate
from typing import final

import numpy as np
from jaxtyping import Bool, Float32, Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._lazy import LazyRecording
from neurograft.recordings._recording import Recording, n_channels

MAD_TO_SD = 1.4826  # of a Gaussian (Rousseeuw and Croux 1993)
_STUCK_S = 0.5e-3  # an extreme held this long, and at least
_STUCK_FRAMES = 5  # this many samples, is the amplifier's end and not a peak
_FAR_SD = 5.0
_CORE_SD = 4.0
_PIECE_SAMPLES = 1 << 22  # 16 MiB of float32 at a time


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelFlags:
    """What is wrong with each channel, and its noise, in the frames that were looked at.

    ``noise`` is the sd of the samples within 4 robust sd of the median, the median over the pieces, in V
    or A: spikes do not raise it, slow drift between pieces does not either, and the converter's step does
    not show in it as it does in a median deviation.
    """

    constant: Bool[ndarray, " channels"]
    saturated: Bool[ndarray, " channels"]
    has_nan: Bool[ndarray, " channels"]
    noise: Float64[ndarray, " channels"]
    checked_frames: int

    @property
    def usable(self) -> Bool[ndarray, " channels"]:
        """Channels that are neither constant nor saturated and hold no NaN or infinity."""
        return ~(self.constant | self.saturated | self.has_nan)


def check_channels(recording: Recording, *, n_pieces: int | None = 8, piece_s: float = 0.25) -> ChannelFlags:
    """Return what is wrong with each channel, seen in ``n_pieces`` pieces spread evenly, or, with None, in all.

    *constant*: one value throughout.  *saturated*: held for 0.5 ms or more at the end of the converter's
    range where that is known, else at its own lowest or highest value if that is 5 sd from the median.
    *has_nan*: a NaN or infinity.  Memory is bounded by one piece.
    """
    if (n_pieces is not None and n_pieces < 1) or not piece_s > 0:
        raise RecordingError(f"n_pieces is {n_pieces} and piece_s {piece_s}. Give at least one piece, above 0 s.")
    n = n_channels(recording)
    lowest, highest = np.full(n, np.inf), np.full(n, -np.inf)
    has_nan, medians, noises, frames = np.zeros(n, dtype=bool), [], [], 0
    for piece in _pieces(recording, n_pieces, piece_s):
        finite = np.isfinite(piece)
        has_nan |= ~finite.all(axis=0)
        values = np.where(finite, piece, np.float32(0)) if has_nan.any() else piece
        lowest = np.minimum(lowest, np.where(finite, piece, np.inf).min(axis=0))
        highest = np.maximum(highest, np.where(finite, piece, -np.inf).max(axis=0))
        medians.append(np.median(values, axis=0))
        noises.append(_noise(values - medians[-1]))
        frames += len(piece)
    constant = lowest >= highest
    median, noise = np.median(medians, axis=0), np.median(noises, axis=0)
    ends = _ends(recording, lowest, highest, median, noise)
    stuck = np.zeros(n, dtype=bool)
    run = max(_STUCK_FRAMES, int(np.ceil(_STUCK_S * recording.rate_hz)))
    if np.isfinite(ends).any():
        for piece in _pieces(recording, n_pieces, piece_s):
            stuck |= _holds(piece <= ends[:, 0], run) | _holds(piece >= ends[:, 1], run)
    return ChannelFlags(
        constant=constant,
        saturated=stuck & ~constant,
        has_nan=has_nan,
        noise=noise.astype(np.float64),
        checked_frames=frames,
    )


def _noise(deviation: Float32[ndarray, "frames channels"]) -> Float64[ndarray, " channels"]:
    """Return each channel's sd without the samples beyond 4 robust sd."""
    size = np.abs(deviation)
    core = size <= _CORE_SD * MAD_TO_SD * np.median(size, axis=0)
    return np.sqrt(np.mean(deviation**2, axis=0, where=core, dtype=np.float64))


def _ends(
    recording: Recording, lowest: ndarray, highest: ndarray, median: ndarray, noise: ndarray
) -> Float64[ndarray, "channels 2"]:
    """Return the values at or beyond which a channel is at its end; infinite where it never is."""
    far = _FAR_SD * noise
    low = np.where(median - lowest > far, lowest, -np.inf)
    high = np.where(highest - median > far, highest, np.inf)
    if isinstance(recording, LazyRecording):  # its file may tell the converter's ends
        known = np.isfinite(recording.limits).all(axis=1)
        slack = 1e-6 * np.abs(recording.limits[:, 1] - recording.limits[:, 0])  # float32 rounding
        low = np.where(known, recording.limits[:, 0] + slack, low)
        high = np.where(known, recording.limits[:, 1] - slack, high)
    return np.column_stack([low, high]).astype(np.float64)


def _holds(at_end: Bool[ndarray, "frames channels"], run: int) -> Bool[ndarray, " channels"]:
    """Tell which channels have at least ``run`` true frames in a row."""
    if len(at_end) < run or not at_end.any():
        return np.zeros(at_end.shape[1], dtype=bool)
    total = np.concatenate([np.zeros((1, at_end.shape[1]), np.int32), np.cumsum(at_end, axis=0, dtype=np.int32)])
    return np.asarray((total[run:] - total[:-run] == run).any(axis=0))


def _pieces(
    recording: Recording, n_pieces: int | None, piece_s: float
) -> Generator[Float32[ndarray, "frames channels"]]:
    """Yield the pieces that are looked at, each inside one segment."""
    most = max(1, _PIECE_SAMPLES // n_channels(recording))
    size = min(most, max(1, round(piece_s * recording.rate_hz)))
    frames = recording.segment_frames
    # a sample leaves out short last blocks, all of it does not
    n_blocks = [-(-n // size) if n_pieces is None else max(1, n // size) for n in frames]
    ends = list(accumulate(n_blocks))
    total = ends[-1]
    wanted = range(total)
    if n_pieces is not None and total > n_pieces:
        wanted = sorted({k * (total - 1) // max(1, n_pieces - 1) for k in range(n_pieces)})
    for block in wanted:
        segment = bisect_right(ends, block)
        start = (block - ends[segment] + n_blocks[segment]) * size
        yield recording.read(segment, start, min(start + size, frames[segment]))
