"""Samples of BRW 4 files that BrainWave compressed by wavelets ('WaveletBasedEncodedRaw').

What is public of the format is 3Brain's example decoder, as several analysis repositories repeat it (and neo's issue
1156): a chunk of frames of a channel is kept as the approximation and the details of the coarsest of
``CompressionLevel`` levels of the orthogonal wavelet sym7 with periodic borders; finer details are dropped.  The
chunk's channels follow one another in the order of ``StoredChIdxs``.  No real file was at hand to check against.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._hdf5_files import read_whole

# The reconstruction filter of sym7 (Daubechies 1992), as PyWavelets tabulates it.
_LOW = np.array(
    [
        0.010268176708511255,
        0.004010244871533663,
        -0.10780823770381774,
        -0.14004724044296152,
        0.2886296317515146,
        0.767764317003164,
        0.5361019170917628,
        0.017441255086855827,
        -0.049552834937127255,
        0.0678926935013727,
        0.03051551316596357,
        -0.01263630340325193,
        -0.0010473848886829163,
        0.002681814568257878,
    ]
)
_HIGH = _LOW[::-1] * np.where(np.arange(_LOW.size) % 2, -1.0, 1.0)
_FIRST = -6  # where the filter's first weight falls, against twice the coefficient's place
_MOST_LEVELS = 12


def synthesised(low: ndarray, high: ndarray | None) -> Float32[ndarray, "chunks twice"]:
    """Return signals of which ``low`` and ``high`` are the coefficients along the last axis; periodic borders."""
    n = low.shape[-1]
    out = np.zeros((*low.shape[:-1], 2 * n), dtype=np.float32)
    for j in range(_LOW.size):
        at = (2 * np.arange(n) + j + _FIRST) % (2 * n)
        part = low * np.float32(_LOW[j])
        if high is not None:
            part = part + high * np.float32(_HIGH[j])
        out[..., at] += part  # the places of one weight are all different
    return out


def decoded(coefficients: ndarray, level: int) -> Float32[ndarray, "chunks frames"]:
    """Return the frames of chunks, one a row of ``coefficients``: half approximation, half details."""
    half = coefficients.shape[-1] // 2
    values = coefficients.astype(np.float32)
    frames = synthesised(values[..., :half], values[..., half:])
    for _ in range(1, level):
        frames = synthesised(frames, None)
    return frames


def wavelet_reader(
    path: Path, well: Any, toc: Int64[ndarray, "rows 2"], n_channels: int
) -> Callable[[int, int], ndarray]:
    """Return a function that gives frames ``start`` to ``stop`` - 1 of the file, pauses left out, by channels.

    ``toc`` holds the first and the last frame of every stretch that was stored together.
    """
    data: Any = well["WaveletBasedEncodedRaw"]
    try:
        level, length = int(data.attrs["CompressionLevel"]), int(data.attrs["DataChunkLength"])
    except KeyError as problem:
        raise RecordingError(
            f"{path}: its wavelet-compressed samples do not tell {problem}. Export the file again."
        ) from problem
    if not 1 <= level <= _MOST_LEVELS or length < 1:
        raise RecordingError(
            f"{path}: CompressionLevel is {level} and DataChunkLength {length}; known are 1 to {_MOST_LEVELS} levels. "
            "Export it as 'Raw' in BrainWave."
        )
    half = -(-length // (1 << level))
    size, full = 2 * half * n_channels, half << level  # coefficients and frames of one chunk
    begin = read_whole(well["WaveletBasedEncodedRawTOC"], path=path, error=RecordingError).astype(np.int64).ravel()
    n_chunks = np.diff(np.append(begin, data.shape[0])) // size
    frames = toc[:, 1] - toc[:, 0]
    # A stretch is made of whole chunks.  Where these hold a few frames more than they stand for, those are cut off.
    is_made = len(begin) == len(toc)
    step = np.where(n_chunks * full == frames, full, length) if is_made else frames
    if not is_made or np.any(n_chunks * step < frames) or np.any((n_chunks - 1) * step >= frames):
        raise RecordingError(
            f"{path}: {data.shape[0]} wavelet coefficients in {len(begin)} stretches do not make the "
            f"{int(frames.sum())} frames of {n_channels} channels that its table of contents tells. It is cut off; "
            "export it again."
        )
    first = np.concatenate([[0], np.cumsum(frames)])

    def read(start: int, stop: int) -> ndarray:
        out = np.empty((stop - start, n_channels), dtype=np.float32)
        for row in range(int(np.searchsorted(first, start, side="right")) - 1, len(toc)):
            if first[row] >= stop:
                break
            a, b = max(start, first[row]) - first[row], min(stop, first[row + 1]) - first[row]
            for chunk in range(a // step[row], (b - 1) // step[row] + 1):
                at = int(begin[row]) + chunk * size
                part = decoded(np.asarray(data[at : at + size]).reshape(n_channels, 2 * half), level)
                origin = chunk * step[row]
                u, v = max(a, origin), min(b, origin + step[row])
                out[first[row] + u - start : first[row] + v - start] = part[:, u - origin : v - origin].T
        return out

    return read
