"""Which cells cannot be programmed, and what a read finds in them."""

from typing import no_type_check

import numpy as np
from jaxtyping import UInt8, UInt64
from numba import njit
from numpy import ndarray

from neurograft.cells._protocol import Defects
from neurograft.cells._stream import stream, uniform
from neurograft.cells._threads import in_slices

HEALTHY, DEAD, STUCK_LOW, LEAKY = 0, 1, 2, 3


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def shown(g, defect, g_min, g_max):
    """Return what a read finds: of a defective cell what it is stuck at."""
    if defect == HEALTHY:
        return g
    if defect == DEAD:
        return 0.0
    return g_min if defect == STUCK_LOW else g_max


def defects_of(address: UInt64[ndarray, " cells"], *, defects: Defects, key: int) -> UInt8[ndarray, " cells"]:
    """Return 0 healthy, 1 dead, 2 stuck low, 3 leaky for each cell; the same address always gives the same."""
    out = np.zeros(address.size, dtype=np.uint8)
    edges = (defects.dead, defects.dead + defects.stuck_low, defects.dead + defects.stuck_low + defects.leaky)
    if edges[2] > 0:
        in_slices(address.size, lambda part: _defect_kernel(address[part], out[part], np.uint64(key), *edges))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _defect_kernel(address, out, key, dead, low, leaky):  # noqa: PLR0917
    for i in range(address.size):
        u = uniform(stream(key, address[i]))
        if u < dead:
            out[i] = DEAD
        elif u < low:
            out[i] = STUCK_LOW
        elif u < leaky:
            out[i] = LEAKY
