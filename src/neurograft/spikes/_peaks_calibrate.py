"""What detection has to know before it starts, from a few pieces spread over the recording."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings import Recording, n_channels
from neurograft.spikes._counts import UNREADABLE, Counts, padded
from neurograft.spikes._peaks_options import Frames, PeakOptions
from neurograft.spikes._whitening import (
    Neighbours,
    footprint_of,
    local_covariance,
    neighbours_of,
    whitening_weights,
)

MAD_TO_SD = 1.4826  # of a Gaussian
_PIECES, _PIECE_S, _EVERY = 16, 0.1, 10
_LARGE_SDS, _CORE_SDS = 6.0, 4.0


class Calibration(NamedTuple):
    """Slots and weights of every channel, its surroundings, its usual noise; all fixed for the whole recording."""

    near: Neighbours
    weight: Float32[ndarray, "slots channels"]
    around_start: Int64[ndarray, " channels+1"]
    around: Int64[ndarray, " _"]
    band_sd: Float64[ndarray, " channels"]  # of the band-passed counts times the filter's area; 0 where unusable
    unusable: Bool[ndarray, " channels"]


def calibrated(recording: Recording, counts: Counts, options: PeakOptions, frames: Frames) -> Calibration:
    """Return the whitening and the surroundings; reads at most 1.6 s of the recording."""
    n = n_channels(recording)
    near = neighbours_of(recording.position_um if options.is_whitened else np.full((n, 2), np.nan))
    raw = _readable(recording, counts, frames.margin)
    alone = neighbours_of(np.full((n, 2), np.nan))
    sign = np.where(counts.gain_v < 0, -1, 1).astype(np.float32)
    band_sd = _usual_noise(raw, frames, alone, sign[None, :])
    unusable = band_sd == 0  # still in half of the pieces: constant, saturated or NaN
    if unusable.all():
        raise SpikeError(
            f"All {n} channels are constant, saturated or NaN in most of the {len(raw)} pieces that were looked at. "
            "Check the file, its gain, and which channels were connected."
        )
    scale = np.divide(sign, band_sd, out=np.zeros(n), where=~unusable).astype(np.float32)
    weight = _weights(recording.position_um, raw, scale, near, frames)
    noise = _usual_noise(raw, frames, near, weight)
    weight = np.divide(weight, noise, out=np.zeros_like(weight), where=noise > 0)
    around_start, around = _around(recording.position_um, options.radius_um)
    return Calibration(near, weight, around_start, around, band_sd, unusable)


def _readable(recording: Recording, counts: Counts, margin: int) -> list[ndarray]:
    """Return the pieces with their margins; one that cannot be read is left out."""
    raw: list[ndarray] = []
    problem: Exception | None = None
    for segment, start, stop in _pieces(recording):
        try:
            raw.append(padded(counts, segment, start - margin, stop + margin, recording.segment_frames[segment]))
        except UNREADABLE as found:
            problem = found
    if not raw:
        raise SpikeError(f"No piece of the recording can be read: {problem}. Copy the file again, or export it anew.")
    return raw


def _usual_noise(
    raw: list[ndarray], frames: Frames, near: Neighbours, weight: ndarray
) -> Float32[ndarray, " channels"]:
    """Return the median over the pieces of each channel's robust sd."""
    from neurograft.spikes._peaks_kernels import absolute_median

    medians = np.empty((len(raw), weight.shape[1]), np.float32)
    for k, piece in enumerate(raw):
        absolute_median(_filtered(piece, frames, near, weight), 0, 4, medians[k])
    return np.float32(MAD_TO_SD) * np.median(medians, axis=0)


def _filtered(raw: ndarray, frames: Frames, near: Neighbours, weight: ndarray) -> Float32[ndarray, "frames channels"]:
    """Return the frames of a piece inside its margins, band-passed and weighted."""
    from neurograft.spikes._peaks_kernels import filter_and_whiten

    out = np.empty((len(raw) - 2 * frames.margin, weight.shape[1]), np.float32)
    filter_and_whiten(raw, frames.margin, frames.n_short, frames.n_half, near.shift, near.channel, weight, out)
    return out


def _pieces(recording: Recording) -> list[tuple[int, int, int]]:
    """Return (segment, start, stop) of pieces at even distances of recorded time."""
    size = max(round(_PIECE_S * recording.rate_hz), 64)
    ends = np.cumsum(recording.segment_frames)
    found: dict[tuple[int, int, int], None] = {}
    for at in np.linspace(0, int(ends[-1]) - 1, _PIECES).astype(np.int64).tolist():
        segment = int(np.searchsorted(ends, at, side="right"))
        n_frames = recording.segment_frames[segment]
        start = max(min(at - int(ends[segment]) + n_frames, n_frames - size), 0)
        found[segment, start, min(start + size, n_frames)] = None
    return list(found)


def _weights(
    position_um: ndarray, raw: list[ndarray], scale: ndarray, near: Neighbours, frames: Frames
) -> Float32[ndarray, "slots channels"]:
    """Return what each slot's counts are multiplied by; ``scale`` makes them noise sds, 0 where unusable."""
    from neurograft.spikes._peaks_kernels import deepest

    n = len(scale)
    alone = neighbours_of(np.full((n, 2), np.nan))
    reach = float(np.nanmax(_distances(position_um, near), initial=0.0))
    start, around = _around(position_um, 2 * reach)
    low = np.full(n, -_LARGE_SDS, np.float32)
    quiet: list[ndarray] = []
    peaks: list[ndarray] = []
    channels: list[ndarray] = []
    for piece in raw:
        z = _filtered(piece, frames, alone, scale[None, :])
        quiet.append(np.clip(z[::_EVERY], -_CORE_SDS, _CORE_SDS))
        most = z.size // 64 + 16
        frame, channel, depth = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.float32)
        k = deepest(z, frames.sweep, len(z) - frames.sweep, low, start, around, frames.sweep, frame, channel, depth)
        k = min(k, most)
        peaks.append(z[frame[:k], near.channel[:, channel[:k]]])
        channels.append(channel[:k])
    footprint = footprint_of(np.concatenate(peaks, axis=1), np.concatenate(channels), near, position_um)
    is_near = near.is_near & (scale != 0)[near.channel]
    is_near[0] = True
    covariance = local_covariance(np.concatenate(quiet), near.channel).astype(np.float64)
    weight = whitening_weights(covariance, footprint, np.ascontiguousarray(is_near.T))
    return (weight.T * scale[near.channel] * (scale != 0)).astype(np.float32)


def _distances(position_um: ndarray, near: Neighbours) -> ndarray:
    gap = position_um[near.channel] - position_um[None, :, :]
    return np.where(near.is_near, np.hypot(gap[..., 0], gap[..., 1]), np.nan)


def _around(
    position_um: Float64[ndarray, "channels 2"], radius_um: float
) -> tuple[Int64[ndarray, " channels+1"], Int64[ndarray, " _"]]:
    """Return the other channels within the radius of each, as starts and one list."""
    from scipy.spatial import KDTree

    n = len(position_um)
    known = np.flatnonzero(np.isfinite(position_um).all(axis=1))
    if known.size < 2 or radius_um <= 0:
        return np.zeros(n + 1, np.int64), np.zeros(0, np.int64)
    pairs = KDTree(position_um[known]).query_pairs(radius_um, output_type="ndarray")
    both = known[np.concatenate([pairs, pairs[:, ::-1]])].astype(np.int64).reshape(-1, 2)
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    start = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=n))]).astype(np.int64)
    return start, np.ascontiguousarray(both[:, 1])
