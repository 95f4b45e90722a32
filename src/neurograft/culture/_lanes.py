"""Channels or neurons side by side, ``LANES`` at a time, with the random streams of ``neurograft.normals``.

Loops run over lanes, without branches, so that the compiler turns them into vector instructions; a recursive
filter of one channel cannot be, but those of eight channels can.
"""

from typing import no_type_check

from numba import njit

from neurograft.normals import LANES
from neurograft.normals import N_DESK_ROWS as N_DESK_ROWS  # noqa: PLC0414 - kernels take all of these from here
from neurograft.normals import draw_pairs as draw_pairs  # noqa: PLC0414
from neurograft.normals import lane_words as lane_words  # noqa: PLC0414


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
