"""Samples of BRW 4 files that keep pieces around events ('EventsBasedSparseRaw'), and noise between them.

Layout (3Brain's documentation of BRW 4.x, version 1.1.3, and neo's reader): in every stretch of the table of contents
one record a channel, of its number (4 bytes), its length in bytes (4), and ranges: first frame, last frame + 1 (8
bytes each), then 2 bytes a sample.  Between the ranges the file tells each channel's noise; that is what stands there
here too, drawn anew and the same at every reading.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._hdf5_files import read_whole

_BLOCK = 1000  # frames of noise that are drawn together


def sparse_reader(
    path: Path, well: Any, toc: Int64[ndarray, "rows 2"], index: Int64[ndarray, " channels"], zero: float
) -> Callable[[int, int], ndarray]:
    """Return a function that gives frames ``start`` to ``stop`` - 1 of the file, pauses left out, by channels.

    ``zero`` is the count of 0 V: what gaps hold where the file tells no noise.
    """
    data: Any = well["EventsBasedSparseRaw"]
    begin = read_whole(well["EventsBasedSparseRawTOC"], path=path, error=RecordingError).astype(np.int64).ravel()
    if len(begin) != len(toc) or np.any(np.diff(begin) < 0) or (len(begin) and begin[-1] > data.shape[0]):
        raise RecordingError(
            f"{path}: its events' table of contents ({len(begin)} rows) does not fit {len(toc)} stretches and "
            f"{data.shape[0]} bytes. It is cut off; export it again."
        )
    end = np.append(begin[1:], data.shape[0])
    column_of = np.full(int(index.max(initial=-1)) + 1, -1, np.int64)
    column_of[index] = np.arange(index.size)
    mean, sd = _noise(path, well, index, zero)
    warnings.warn(
        f"{path.name} holds only pieces around events; between them "
        + ("noise is drawn as the file tells it." if sd.any() else "there is nothing. Noise cannot be measured."),
        stacklevel=7,
    )
    first = np.concatenate([[0], np.cumsum(toc[:, 1] - toc[:, 0])])
    unbroken = np.concatenate([[0], np.cumsum(toc[1:, 0] != toc[:-1, 1])])  # number of the stretch without a pause

    def read(start: int, stop: int) -> ndarray:
        out = _drawn(start, stop, mean, sd)
        here = int(np.searchsorted(first, start, side="right")) - 1
        # An event may begin in the row before, unless a pause lies between.
        for row in range(here - (here > 0 and unbroken[here] == unbroken[here - 1]), len(toc)):
            if first[row] >= stop:
                break
            record = np.asarray(data[begin[row] : end[row]]).view(np.uint8)
            # File frames count pauses too: move them to frames without pauses, then to rows of ``out``.
            moved = int(first[row] - toc[row, 0]) - start
            inside = first[:-1][unbroken == unbroken[row]][0] - start, first[1:][unbroken == unbroken[row]][-1] - start
            window = max(int(inside[0]), 0), min(int(inside[1]), stop - start)
            failed_at = _decode(record, column_of, moved, window, out)
            if failed_at >= 0:
                raise RecordingError(
                    f"{path}: byte {begin[row] + failed_at} of EventsBasedSparseRaw does not begin a whole record of "
                    "one of the stored channels. The file is damaged or cut off; export it again."
                )
        return out

    return read


def _noise(
    path: Path, well: Any, index: Int64[ndarray, " channels"], zero: float
) -> tuple[Float64[ndarray, " channels"], Float64[ndarray, " channels"]]:
    """Return mean and sd of every channel's noise in counts: medians of what the file tells; sd 0 where it does not."""
    mean, sd = np.full(index.size, zero), np.zeros(index.size)
    if not all(name in well for name in ("NoiseChIdxs", "NoiseMean", "NoiseStdDev")):
        return mean, sd
    channel, means, sds = (
        read_whole(well[name], path=path, error=RecordingError) for name in ("NoiseChIdxs", "NoiseMean", "NoiseStdDev")
    )
    if not len(channel) == len(means) == len(sds) or not len(channel):
        return mean, sd
    usual = float(np.median(means)), float(np.median(sds))
    for k, number in enumerate(index):
        mine = channel == number
        mean[k] = np.median(means[mine]) if mine.any() else usual[0]
        sd[k] = np.median(sds[mine]) if mine.any() else usual[1]
    # Some versions of BrainWave store the mean around 0, others around the count of 0 V (neo's issue 1865).
    return (mean + zero if abs(usual[0]) < zero / 2 else mean), sd


def _drawn(start: int, stop: int, mean: ndarray, sd: ndarray) -> ndarray:
    """Return noise; that of a frame does not depend on what else is read."""
    out = np.empty((stop - start, mean.size), dtype=np.uint16)
    if not sd.any():
        out[:] = np.rint(mean)
        return out
    for block in range(start // _BLOCK, -(-stop // _BLOCK)):
        drawn = np.random.default_rng([0x3B, block]).standard_normal((_BLOCK, mean.size), dtype=np.float32)
        values = np.clip(np.rint(drawn * sd + mean), 0, 65_535).astype(np.uint16)
        a, b = max(start, block * _BLOCK), min(stop, (block + 1) * _BLOCK)
        out[a - start : b - start] = values[a - block * _BLOCK : b - block * _BLOCK]
    return out


@njit(cache=True, nogil=True)
@no_type_check
def _decode(record, column_of, moved, window, out):
    """Write the samples of a row's records into the window of ``out``; return where a record is wrong, or -1."""
    at, size = 0, record.size
    while at < size:
        record_at = at
        if at + 8 > size:
            return record_at
        channel, length = _number(record, at, 4), _number(record, at + 4, 4)
        at += 8
        end = at + length
        if channel >= column_of.size or column_of[channel] < 0 or end > size:
            return record_at
        while at < end:
            if at + 16 > end:
                return record_at
            first, stop = _number(record, at, 8), _number(record, at + 8, 8)
            at += 16
            if stop < first or stop - first > (end - at) // 2:
                return record_at
            for k in range(max(first + moved, window[0]), min(stop + moved, window[1])):
                place = at + 2 * (k - moved - first)
                out[k, column_of[channel]] = np.uint16(record[place]) | (np.uint16(record[place + 1]) << np.uint16(8))
            at += 2 * (stop - first)
    return -1


@njit(cache=True, nogil=True)
@no_type_check
def _number(record, at, n_bytes):
    value = np.int64(0)
    for k in range(n_bytes):
        value |= np.int64(record[at + k]) << np.int64(8 * k)
    return value
