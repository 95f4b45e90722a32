"""Normal numbers for Brownian steps, a block of lanes a call, in the flat arrays that a checkpoint keeps."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import Final, no_type_check

import numpy as np
from jaxtyping import UInt32
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.normals import LANES, N_DESK_ROWS, draw_words, lane_words, make_pairs

N_LANES: Final = LANES
BLOCK: Final = 2 * LANES  # numbers a call
_DESK: Final = N_DESK_ROWS * LANES


def noise_state(n_streams: int, rng: Generator) -> UInt32[ndarray, "streams words"]:
    """Return the state of ``n_streams`` independent blocks of lanes."""
    words = lane_words(n_streams * LANES, rng).reshape(4, n_streams, LANES)
    return np.ascontiguousarray(words.transpose(1, 0, 2).reshape(n_streams, 4 * LANES))


def noise_desk(n_streams: int) -> UInt32[ndarray, "streams words"]:
    """Return scratch space for ``fill_normals``."""
    return np.zeros((n_streams, _DESK), dtype=np.uint32)


@njit(cache=True, error_model="numpy")
@no_type_check
def fill_normals(words, bits, whole, real, out):
    """Write ``BLOCK`` normal numbers to ``out``; bits, whole and real are one scratch space as the three types."""
    draw_words(words, LANES, bits)
    make_pairs(LANES, bits, whole, real, out)


@njit(cache=True, error_model="numpy")
@no_type_check
def fill_blocks(n_blocks, words, bits, whole, real, out):
    """Write what so many calls of ``fill_normals`` would, each in room of its own: the processor need not wait."""
    for k in range(n_blocks):
        a, b = k * _DESK, (k + 1) * _DESK
        draw_words(words, LANES, bits[a:b])
        make_pairs(LANES, bits[a:b], whole[a:b], real[a:b], out[k * BLOCK : (k + 1) * BLOCK])
