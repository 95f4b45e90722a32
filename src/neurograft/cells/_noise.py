"""Adding independent Gaussian errors to millions of cells on all cores, the same on any number of them.

The words are the SplitMix64 sequence of a key: word k makes the numbers of two cells, ``LANES`` apart, by Box
and Muller's rule (``neurograft.normals``).
"""

from collections.abc import Callable
from typing import no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._stream import GOLDEN, mix
from neurograft.cells._threads import in_slices
from neurograft.normals import LANES, N_DESK_ROWS, make_pairs

_U32 = np.uint32
_32 = np.uint64(32)


def with_spread(
    g_siemens: Float64[ndarray, " cells"],
    sd_siemens: Callable[[Float64[ndarray, " cells"]], Float64[ndarray, " cells"]],
    rng: Generator,
) -> Float64[ndarray, " cells"]:
    """Return g plus Gaussian errors of sd ``sd_siemens(g)``, not below 0; takes one number from ``rng``."""
    key = rng.integers(2**64, dtype=np.uint64)
    out = np.empty(g_siemens.size)

    def work(part: slice) -> None:
        g = g_siemens[part]
        noise_kernel(g, sd_siemens(g), 0.0, key, np.uint64(part.start // 2), out[part])

    in_slices(out.size, work)
    return out


def normals(n: int, rng: Generator) -> Float64[ndarray, " cells"]:
    """Return ``n`` standard normal numbers; takes one number from ``rng``."""
    key = rng.integers(2**64, dtype=np.uint64)
    out = np.empty(n)

    def work(part: slice) -> None:
        _normals_kernel(key, np.uint64(part.start // 2), out[part])

    in_slices(n, work)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def fill_pairs(key, first, bits, whole, real, z):  # noqa: PLR0917
    """Fill ``z`` with the numbers of words ``first`` to ``first + LANES - 1`` of a key's sequence."""
    for q in range(LANES):
        word = mix(key + (first + np.uint64(q + 1)) * GOLDEN)
        bits[q] = _U32(word >> _32)
        bits[LANES + q] = _U32(word)
    make_pairs(LANES, bits, whole, real, z)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def noise_kernel(g, sd, lowest, key, first, out):  # noqa: PLR0917
    bits, z = np.empty(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    whole, real = bits.view(np.int32), bits.view(np.float32)
    for start in range(0, g.size, 2 * LANES):
        fill_pairs(key, first + np.uint64(start // 2), bits, whole, real, z)
        n = min(2 * LANES, g.size - start)
        here, wide, to = g[start : start + n], sd[start : start + n], out[start : start + n]
        for q in range(n):
            to[q] = max(lowest, here[q] + wide[q] * z[q])


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _normals_kernel(key, first, out):
    bits, z = np.empty(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    whole, real = bits.view(np.int32), bits.view(np.float32)
    for start in range(0, out.size, 2 * LANES):
        fill_pairs(key, first + np.uint64(start // 2), bits, whole, real, z)
        n = min(2 * LANES, out.size - start)
        out[start : start + n] = z[:n]
