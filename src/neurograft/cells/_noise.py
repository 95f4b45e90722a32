"""Adding independent Gaussian errors to millions of cells on all cores, the same on any number of them."""

from collections.abc import Callable
from typing import no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells._stream import normal, stream
from neurograft.cells._threads import in_slices


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
        noise_kernel(g, sd_siemens(g), key, np.uint64(part.start), out[part])

    in_slices(out.size, work)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def noise_kernel(g, sd, key, first, out):
    for i in range(g.size):
        out[i] = max(0.0, g[i] + sd[i] * normal(stream(key, first + np.uint64(i))))
