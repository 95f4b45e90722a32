"""Normal numbers for Brownian steps, a block of lanes a call, in the flat arrays that a checkpoint keeps."""

from typing import Final, no_type_check

import numpy as np
from jaxtyping import UInt32
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.normals import LANES, N_DESK_ROWS, draw_pairs, lane_words

N_LANES: Final = LANES
BLOCK: Final = 2 * LANES  # numbers a call


def noise_state(n_streams: int, rng: Generator) -> UInt32[ndarray, "streams words"]:
    """Return the state of ``n_streams`` independent blocks of lanes."""
    words = lane_words(n_streams * LANES, rng).reshape(4, n_streams, LANES)
    return np.ascontiguousarray(words.transpose(1, 0, 2).reshape(n_streams, 4 * LANES))


def noise_desk(n_streams: int) -> UInt32[ndarray, "streams words"]:
    """Return scratch space for ``fill_normals``."""
    return np.zeros((n_streams, N_DESK_ROWS * LANES), dtype=np.uint32)


@njit(cache=True, error_model="numpy")
@no_type_check
def fill_normals(words, bits, whole, real, out):
    """Write ``BLOCK`` normal numbers to ``out``; bits, whole and real are one scratch space as the three types."""
    draw_pairs(words, LANES, bits, whole, real, out)
