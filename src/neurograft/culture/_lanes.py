"""Many random streams side by side: normal numbers for ``LANES`` channels or neurons at a time.

Loops run over lanes, without branches, so that the compiler turns them into vector instructions; a recursive
filter of one channel cannot be, but those of eight channels can.  Buffers are flat, row r of lane q at
``r * LANES + q``: distances known at compile time are what spares the compiler its checks for overlap.

The generator is the one of ``_random``; each draw of two words makes two normal numbers (``neurograft.normals``).
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

from typing import no_type_check

import numpy as np
from jaxtyping import UInt32
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.normals import LANES, make_pairs
from neurograft.normals import N_DESK_ROWS as N_DESK_ROWS  # noqa: PLC0414 - kernels take both counts from here

_MASK = 0xFFFFFFFF
_WARM_UP = 15  # draws thrown away, so that similar seeds no longer look alike
_I64, _U32 = np.int64, np.uint32


def lane_words(n: int, rng: Generator) -> UInt32[ndarray, "four lanes"]:
    """Return the state of ``n`` independent streams, seeded with 96 bits each."""
    words = np.ones((4, n), dtype=np.uint32)
    words[:3] = rng.integers(0, _MASK, size=(3, n), dtype=np.uint32, endpoint=True)
    for _ in range(_WARM_UP):
        a, b, c, counter = words
        out = a + b + counter
        words = np.stack([b ^ (b >> 9), c + (c << 3), ((c << 21) | (c >> 11)) + out, counter + 1]).astype(np.uint32)
    return words


@njit(cache=True)
@no_type_check
def load_rows(source, start, n_lanes, target):
    """Copy columns ``start`` to ``start + n_lanes`` - 1 of each row into lanes."""
    for row in range(source.shape[0]):
        for q in range(n_lanes):
            target[row * LANES + q] = source[row, start + q]


@njit(cache=True)
@no_type_check
def store_rows(source, start, n_lanes, target):
    """Copy lanes back into the columns they came from."""
    for row in range(target.shape[0]):
        for q in range(n_lanes):
            target[row, start + q] = source[row * LANES + q]


@njit(cache=True)
@no_type_check
def draw_words(words, n_lanes, bits):
    """Fill rows 0 and 1 of ``bits`` with the next two words of each stream."""
    for q in range(n_lanes):
        a, b = _I64(words[q]), _I64(words[LANES + q])
        c, k = _I64(words[2 * LANES + q]), _I64(words[3 * LANES + q])
        out = _I64(_U32((a + b + k) & _MASK))
        bits[q] = out
        a = _I64(_U32(b ^ (b >> 9)))
        b = _I64(_U32((c + (c << 3)) & _MASK))
        c = _I64(_U32((((c << 21) | (c >> 11)) + out) & _MASK))
        k = _I64(_U32((k + 1) & _MASK))
        out = _I64(_U32((a + b + k) & _MASK))
        bits[LANES + q] = out
        words[q] = _U32(b ^ (b >> 9))
        words[LANES + q] = _U32((c + (c << 3)) & _MASK)
        words[2 * LANES + q] = _U32((((c << 21) | (c >> 11)) + out) & _MASK)
        words[3 * LANES + q] = _U32((k + 1) & _MASK)


@njit(cache=True, error_model="numpy")
@no_type_check
def draw_pairs(words, n_lanes, bits, whole, real, z):
    """Fill rows 0 and 1 of ``z`` with normal numbers; ``bits``, ``whole`` and ``real`` are one scratch space.

    They see it as uint32, int32 and float32: a logarithm takes a number apart by its bits.
    """
    draw_words(words, n_lanes, bits)
    make_pairs(n_lanes, bits, whole, real, z)
