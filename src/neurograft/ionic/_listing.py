"""Which ions are near each other: a sort into cells, and a list of pairs with their separations."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float32, Int64, UInt32
from numba import njit
from numpy import ndarray


class Ground(NamedTuple):
    """The box (nm; wider than the plane where there are walls), its cells, and how far pairs are listed."""

    box_x: float
    box_y: float
    n_x: int
    n_y: int
    range_nm: float
    limit_nm: float  # an ion that has gone so far makes the list stale
    width_nm: float  # where the second wall stands; 0 for none


class Listing(NamedTuple):
    """Pairs by owner: those from start to middle are of one chunk and listed once, the rest are foreign.

    ``owner_cuts`` says which owners are of which chunk; ions without a neighbour are no owners.
    """

    owner: UInt32[ndarray, " ions"]
    owner_cuts: Int64[ndarray, " cuts"]
    start: Int64[ndarray, " ions_and_end"]
    middle: Int64[ndarray, " ions"]
    other: UInt32[ndarray, " room"]
    dx: Float32[ndarray, " room"]
    dy: Float32[ndarray, " room"]
    pull: Float32[ndarray, " room"]  # product of the valences


def empty_listing(n_ions: int, n_chunks: int, room: int) -> Listing:
    """Return a list with room for so many pairs."""
    return Listing(
        owner=np.zeros(n_ions, dtype=np.uint32),
        owner_cuts=np.zeros(n_chunks + 1, dtype=np.int64),
        start=np.zeros(n_ions + 1, dtype=np.int64),
        middle=np.zeros(n_ions, dtype=np.int64),
        other=np.zeros(room, dtype=np.uint32),
        dx=np.zeros(room, dtype=np.float32),
        dy=np.zeros(room, dtype=np.float32),
        pull=np.zeros(room, dtype=np.float32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def sort_by_cell(x, y, ground, cell, begin, order):
    """Write the order of ions by cell, and where each cell begins in it; positions may lie anywhere."""
    begin[:] = 0
    per_x, per_y = 1.0 / ground.box_x, 1.0 / ground.box_y
    for i in range(x.size):
        u, v = x[i] * per_x, y[i] * per_y
        a = min(int((u - np.floor(u)) * ground.n_x), ground.n_x - 1)
        b = min(int((v - np.floor(v)) * ground.n_y), ground.n_y - 1)
        cell[i] = a + ground.n_x * b
        begin[cell[i] + 1] += 1
    for c in range(1, begin.size):
        begin[c] += begin[c - 1]
    for i in range(x.size):
        order[begin[cell[i]]] = i
        begin[cell[i]] += 1
    for c in range(begin.size - 1, 0, -1):
        begin[c] = begin[c - 1]
    begin[0] = 0


@njit(cache=True, inline="always")
@no_type_check
def around_cell(a, n, near):
    """Write the distinct cells next to cell ``a`` of ``n`` around a ring, itself among them; return how many."""
    near[0] = a
    if n == 1:
        return 1
    near[1] = a + 1 if a + 1 < n else 0
    if n == 2:
        return 2
    near[2] = a - 1 if a > 0 else n - 1
    return 3


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def list_pairs(x, y, valence, ground, begin, cuts, near):
    """Fill ``near`` for ions in the order of their cells, positions within the box; return the number of pairs.

    Where that is beyond the room of ``near``, the list is not whole.
    """
    n_pairs, n_owners, chunk = 0, 0, 0
    near.owner_cuts[0] = 0
    columns, rows = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for b in range(ground.n_y):
        n_rows = around_cell(b, ground.n_y, rows)
        for a in range(ground.n_x):
            n_columns = around_cell(a, ground.n_x, columns)
            for i in range(begin[a + ground.n_x * b], begin[a + ground.n_x * b + 1]):
                while i >= cuts[chunk + 1]:
                    chunk += 1
                    near.owner_cuts[chunk] = n_owners
                low, high = cuts[chunk], cuts[chunk + 1]
                first = n_pairs
                for db in range(n_rows):
                    for da in range(n_columns):
                        c = columns[da] + ground.n_x * rows[db]
                        own_first, own_last = max(begin[c], i + 1), min(begin[c + 1], high)
                        n_pairs = _append(i, own_first, own_last, n_pairs, x, y, valence, ground, near)
                middle = n_pairs
                if cuts.size > 2:
                    for db in range(n_rows):
                        for da in range(n_columns):
                            c = columns[da] + ground.n_x * rows[db]
                            low_last, high_first = min(begin[c + 1], low), max(begin[c], high)
                            n_pairs = _append(i, begin[c], low_last, n_pairs, x, y, valence, ground, near)
                            n_pairs = _append(i, high_first, begin[c + 1], n_pairs, x, y, valence, ground, near)
                if n_pairs > first:
                    near.owner[n_owners], near.start[n_owners], near.middle[n_owners] = i, first, middle
                    n_owners += 1
    near.start[n_owners] = n_pairs
    near.owner_cuts[chunk + 1 :] = n_owners
    return n_pairs


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _append(i, first, last, n_pairs, x, y, valence, ground, near):
    """Append those of ions ``first`` to ``last`` - 1 that are near ion ``i``, by their nearest image."""
    range2, room = ground.range_nm * ground.range_nm, near.other.size
    half_x, half_y = 0.5 * ground.box_x, 0.5 * ground.box_y
    for j in range(first, last):
        dx, dy = x[i] - x[j], y[i] - y[j]
        if dx > half_x:
            dx -= ground.box_x
        elif dx < -half_x:
            dx += ground.box_x
        if dy > half_y:
            dy -= ground.box_y
        elif dy < -half_y:
            dy += ground.box_y
        if dx * dx + dy * dy < range2:
            if n_pairs < room:
                near.other[n_pairs] = j
                near.dx[n_pairs], near.dy[n_pairs] = dx, dy
                near.pull[n_pairs] = valence[i] * valence[j]
            n_pairs += 1
    return n_pairs
