"""Which stretches of a recording hold nothing on any channel, and which channels come late or go early."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying.intracellular.reading._read import Piece, Reading
from neurograft.recordings import Recording


class Presence(NamedTuple):
    """Of each channel: how much is good, and between which times of the recording it is there at all."""

    ok_share: Float64[ndarray, " channels"]  # of all samples, those that are neither NaN nor stuck
    present_share: Float64[ndarray, " channels"]  # the same, of the pieces from the first to the last with a good one
    noise_v: Float64[ndarray, " channels"]  # robust sd of the 2 ms rise, median over the pieces with a good sample
    since_s: Float64[ndarray, " channels"]  # NaN where it is there from the beginning
    until_s: Float64[ndarray, " channels"]  # NaN where it is there to the end
    unusable_s: Float64[ndarray, "stretches 2"]  # times in which no channel has a good sample


def presence(recording: Recording, reading: Reading) -> Presence:
    """Return it, from what pieces told of their samples."""
    pieces = reading.pieces
    n_ok = np.array([r["n_ok"] for r in reading.results])
    noise_v = np.array([r["noise_v"] for r in reading.results])
    length = np.array([p.stop - p.first for p in pieces])
    is_there = n_ok > 0
    n_pieces, n = n_ok.shape
    first, last = is_there.argmax(axis=0), n_pieces - 1 - is_there[::-1].argmax(axis=0)
    number = np.arange(n_pieces)[:, None]
    inside = (number >= first) & (number <= last)
    frames = np.sum(length[:, None] * inside, axis=0)
    noise_v[~is_there] = np.nan
    never = ~is_there.any(axis=0)
    noise_v[:, never] = 0.0
    edge, rate_hz = n_ok[first, np.arange(n)], recording.rate_hz
    begin_s = np.array([_time_s(recording, p, p.stop) for p in pieces])[first] - edge / rate_hz
    end_s = np.array([_time_s(recording, p, p.first) for p in pieces])[last] + n_ok[last, np.arange(n)] / rate_hz
    return Presence(
        ok_share=n_ok.sum(axis=0) / length.sum(),
        present_share=n_ok.sum(axis=0) / frames,
        noise_v=np.nanmedian(noise_v, axis=0),
        since_s=np.where((first > 0) & ~never, begin_s, np.nan),
        until_s=np.where((last < n_pieces - 1) & ~never, end_s, np.nan),
        unusable_s=unusable_s(recording, reading),
    )


def unusable_s(recording: Recording, reading: Reading) -> Float64[ndarray, "stretches 2"]:
    """Return the stretches of all pieces, joined where they touch."""
    out: list[list[float]] = []
    touches_s = 0.5 / recording.rate_hz
    for piece, result in zip(reading.pieces, reading.results, strict=True):
        for first, stop in result["nothing"].tolist():
            begin_s, end_s = _time_s(recording, piece, first), _time_s(recording, piece, stop)
            if out and begin_s - out[-1][1] < touches_s:
                out[-1][1] = end_s
            else:
                out.append([begin_s, end_s])
    return np.array(out, dtype=np.float64).reshape(-1, 2)


def _time_s(recording: Recording, piece: Piece, frame: int) -> float:
    return recording.segment_start_s[piece.segment] + frame / recording.rate_hz
