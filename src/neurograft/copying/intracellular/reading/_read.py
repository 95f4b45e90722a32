"""The one pass over the samples: each piece of ten seconds gives candidate action potentials and thinned rows.

Pieces do not know each other, so they can be read in any order, by threads, processes or machines; what a piece
gives depends on its samples and options alone, to the bit.  All later steps use the rows (means of about a
millisecond), a tenth of the samples.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from collections.abc import Iterator
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._chunks import Chunk, affordable_frames, cut, flat_frames, mark_bad
from neurograft.copying.intracellular.reading._peaks import BLOCK, DetectionOptions, find_peaks_in
from neurograft.copying.intracellular.reading._work import MAPPED, Arrays, digest, key_of
from neurograft.recordings import Recording, n_channels

PIECE_S = 10.0
MARGIN_S = 0.05
_NOISE_RISES = 5000
_MAD_TO_SD = 1.4826
_KNOWN_BY_FRAMES = 8  # of a piece, which tell it from another recording's
_TOGETHER = 16  # channels that are turned into contiguous traces at a time: a memory line of samples
STEP = "read"


class Piece(NamedTuple):
    """Frames ``first`` to ``stop - 1`` of a segment, of which ``start`` to ``after - 1`` are looked at."""

    segment: int
    first: int
    stop: int
    start: int
    after: int


class ReadOptions(NamedTuple):
    """What is asked of every piece."""

    detection: DetectionOptions
    factor: int  # frames a row


class Reading(NamedTuple):
    """All pieces of a recording, in order, and what each gave."""

    pieces: list[Piece]
    results: list[Arrays]


def pieces_of(recording: Recording, factor: int) -> list[Piece]:
    """Return all pieces of all segments, in order; each holds whole rows, but for a segment's last."""
    size = max(round(PIECE_S * recording.rate_hz / factor), 1) * factor
    margin = round(MARGIN_S * recording.rate_hz)
    out: list[Piece] = []
    for segment, n in enumerate(recording.segment_frames):
        for first in range(0, n, size):
            stop = min(first + size, n)
            out.append(Piece(segment, first, stop, max(first - margin, 0), min(stop + margin, n)))
    return out


def piece_key(recording: Recording, piece: Piece, options: ReadOptions) -> str:
    """Return the name of a piece's result: by options, frames, and the samples of some frames of it."""
    frames = np.linspace(piece.start, piece.after - 1, _KNOWN_BY_FRAMES).astype(np.int64)
    some = np.concatenate([recording.read(piece.segment, int(f), int(f) + 1) for f in frames])
    about = (options, piece, recording.rate_hz, recording.signal, recording.channel_labels)
    return key_of(STEP, about, digest({"some": some}))


def read_piece(
    recording: Recording, piece: Piece, options: ReadOptions, most_samples: int | None = None, held_samples: int = 0
) -> Arrays:
    """Return a piece's candidates, each channel's noise and good samples, and its rows (NaN where a sample was bad).

    And the stretches of frames in which no channel has a good row.
    ``most_samples`` bounds what is read at a time, ``held_samples`` what is held from the first look to the second
    instead of being read twice; neither changes anything in the result.
    """
    detection, factor, rate_hz = options.detection, options.factor, recording.rate_hz
    lag = max(round(detection.rise_s * rate_hz), 1)
    widest = max(round(detection.width_s[1] * rate_hz), 1)
    size = max(affordable_frames(recording, PIECE_S, most_samples) // factor, 1) * factor
    margin = round(MARGIN_S * rate_hz)
    parts = _Parts(recording, piece, size, margin, max(held_samples, size * n_channels(recording)))
    noise_v = _noise_v(parts, piece, lag)
    n = n_channels(recording)
    rows = np.full((n, (piece.stop - piece.first) // factor), np.nan, dtype=np.float32)
    n_ok = np.zeros(n, dtype=np.int64)
    found: list[tuple[ndarray, ...]] = []
    for chunk in parts:
        own = chunk.before, chunk.before + chunk.stop - chunk.first
        row, threshold_v = (chunk.first - piece.first) // factor, detection.noise_sds * noise_v
        scanned = _scan(
            chunk.volts, *own, flat_frames(recording), factor, lag, widest, threshold_v, rows[:, row:], n_ok
        )
        found.append((scanned[0], scanned[1] + chunk.first - chunk.before, scanned[2]))
    channel, frame, values = (np.concatenate(column, axis=-1) for column in zip(*found, strict=True))
    order = np.lexsort((frame, channel))
    return {
        "channel": channel[order].astype(np.int32),
        "frame": frame[order],
        "values": values[:, order],
        "noise_v": noise_v,
        "n_ok": n_ok,
        "nothing": piece.first + factor * _nothing_in(rows),
        MAPPED: rows,
    }


def _nothing_in(rows: ndarray) -> Int64[ndarray, "stretches 2"]:
    """Return first and one past the last row of each stretch in which no channel, [channel, row], has a number."""
    is_empty = np.ones(rows.shape[1], dtype=np.bool_)
    for channel in rows:
        is_empty &= np.isnan(channel)
        if not is_empty.any():
            break
    step = np.diff(np.concatenate([[0], is_empty, [0]]).astype(np.int8))
    return np.column_stack([np.flatnonzero(step > 0), np.flatnonzero(step < 0)]).astype(np.int64)


@final
class _Parts:
    """A piece in chunks that memory can hold; one that may be held whole is read once, others once for each look."""

    def __init__(self, recording: Recording, piece: Piece, size: int, margin: int, held_samples: int) -> None:
        """Hold nothing yet."""
        self._where = recording, piece, size, margin
        self._may_hold = (piece.stop - piece.first) * n_channels(recording) <= held_samples
        self._held: list[Chunk] | None = None

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks, in order."""
        if self._held is not None:
            while self._held:  # the second look is the last
                yield self._held.pop(0)
            return
        recording, piece, size, margin = self._where
        held: list[Chunk] = []
        for chunk in cut(recording, piece.segment, (piece.first, piece.stop), chunk_frames=size, margin_frames=margin):
            if self._may_hold:
                held.append(chunk)
            yield chunk
        self._held = held if self._may_hold else None


def _noise_v(parts: _Parts, piece: Piece, lag: int) -> Float64[ndarray, " channels"]:
    """Return each channel's robust sd of the rise over ``lag`` frames, from about 5000 of them all over the piece."""
    n_frames = piece.stop - piece.first
    step = max(n_frames // _NOISE_RISES, 1)
    rises: list[ndarray] = []
    for chunk in parts:
        start = chunk.first - chunk.before
        begin = piece.start if chunk.first == piece.first else chunk.first
        end = piece.after if chunk.stop == piece.stop else chunk.stop + lag
        first = begin + (piece.start - begin) % step
        frames = np.arange(first, min(end - lag, start + len(chunk.volts) - lag), step) - start
        rises.append(chunk.volts[frames + lag].astype(np.float64) - chunk.volts[frames])
    rise = np.concatenate(rises)
    if rise.size == 0:
        return np.zeros(rise.shape[1])
    known = np.isfinite(rise)
    if known.all():
        return _MAD_TO_SD * _deviations(rise)
    rise[:, ~known.any(axis=0)] = 0.0
    return _MAD_TO_SD * np.nanmedian(np.abs(rise - np.nanmedian(rise, axis=0)), axis=0)


@njit(cache=True, nogil=True)
@no_type_check
def _deviations(rise):
    """Return each column's median distance from its median, some columns turned into contiguous ones at a time."""
    n_rises, n = rise.shape
    out, trace = np.empty(n), np.empty((_TOGETHER, n_rises))
    for left in range(0, n, _TOGETHER):
        width = min(_TOGETHER, n - left)
        for k in range(n_rises):
            for c in range(width):
                trace[c, k] = rise[k, left + c]
        for c in range(width):
            middle = np.median(trace[c])
            for k in range(n_rises):
                trace[c, k] = abs(trace[c, k] - middle)
            out[left + c] = np.median(trace[c])
    return out


@njit(cache=True, nogil=True)
@no_type_check
def _scan(volts, begin, end, flat, factor, lag, widest, threshold_v, rows, n_ok):
    """Fill the rows of frames ``begin`` to ``end``; return channel, frame and three values of their candidates."""
    n_frames, n = volts.shape
    trace, is_ok = np.empty((_TOGETHER, n_frames)), np.empty(n_frames, dtype=np.bool_)
    low, high = np.empty((2, _TOGETHER, n_frames // BLOCK))
    most = n_frames // (lag + 1) + 2
    frame, value = np.empty(most, dtype=np.int64), np.empty((3, most))
    found, room = 0, 1024
    channels, frames, values = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64), np.empty((3, room))
    for left in range(0, n, _TOGETHER):
        width = min(_TOGETHER, n - left)
        _turn(volts, left, width, trace)
        for c in range(width):
            v = trace[c]
            is_bad = _along(v, begin, end, factor, rows[left + c], low[c], high[c])
            calm = flat >= 2 * BLOCK and not is_bad
            for block in range(low.shape[1]):  # a run of twice a block holds a whole one
                calm = calm and low[c, block] < high[c, block]
            if calm:
                n_ok[left + c] += end - begin
            else:
                _with_bad(v, begin, end, flat, factor, is_ok, rows[left + c], low[c], high[c])
                n_ok[left + c] += is_ok[begin:end].sum()
            if threshold_v[left + c] <= 0.0:
                continue
            for p in range(find_peaks_in(v, low[c], high[c], lag, widest, threshold_v[left + c], frame, value)):
                if frame[p] < begin or frame[p] >= end or not (calm or is_ok[frame[p]]):
                    continue
                if found == room:
                    room *= 2
                    channels, frames = np.append(channels, channels), np.append(frames, frames)
                    values = np.concatenate((values, values), axis=1)
                channels[found], frames[found] = left + c, frame[p]
                values[:, found] = value[:, p]
                found += 1
    return channels[:found].copy(), frames[:found].copy(), values[:, :found].copy()


@njit(cache=True, nogil=True)
@no_type_check
def _turn(volts, left, width, trace):
    """Turn some channels into contiguous traces, as many as a memory line holds."""
    for k in range(len(volts)):
        line = volts[k, left : left + width]
        for c in range(width):
            trace[c, k] = line[c]


@njit(cache=True, nogil=True)
@no_type_check
def _along(v, begin, end, factor, rows, low, high):
    """Fill one trace's rows and each block's extremes, right where no sample is bad; tell if one is not a number."""
    for block in range(len(low)):
        part = v[block * BLOCK : (block + 1) * BLOCK]
        lowest, highest = part[0], part[0]
        for x in part:
            lowest = x if x < lowest else lowest
            highest = x if x > highest else highest
        low[block], high[block] = lowest, highest
    for r in range((end - begin) // factor):
        total = 0.0
        for x in v[begin + r * factor : begin + (r + 1) * factor]:
            total += x
        rows[r] = total / factor
    n_bad = 0
    for x in v:
        n_bad += x - x != 0.0  # not a number, and without end
    return n_bad > 0


@njit(cache=True, nogil=True)
@no_type_check
def _with_bad(v, begin, end, flat, factor, is_ok, rows, low, high):
    """Do the same for one trace that may have bad samples: its rows are NaN where one is."""
    is_ok[:] = True
    mark_bad(v, flat, is_ok)
    for r in range((end - begin) // factor):
        total, whole = 0.0, True
        for k in range(begin + r * factor, begin + (r + 1) * factor):
            total += v[k]
            whole = whole and is_ok[k]
        rows[r] = total / factor if whole else np.nan
    for block in range(len(low)):
        low[block], high[block] = v[block * BLOCK], v[block * BLOCK]
        for k in range(block * BLOCK, (block + 1) * BLOCK):
            low[block], high[block] = min(low[block], v[k]), max(high[block], v[k])
