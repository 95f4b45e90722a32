"""Which dilute ions could meet within a sweep: those near each other, and the groups that they make.

Near ones are listed ``slack_nm`` beyond what a sweep needs, so that a list serves many sweeps; groups are made anew
for each sweep, from the list.  They depend on places alone, not on the list's age.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numba import njit
from numpy import ndarray

from neurograft.ionic._listing import around_cell, sort_by_cell
from neurograft.ionic._observables import root_of

LARGEST: Final = 8  # ions of a group that is stepped beside others


class Crowd(NamedTuple):
    """``places`` lists ions by the size of their group, ``n_groups`` counts groups of each size up to ``LARGEST``."""

    one: Int32[ndarray, " room"]  # near pairs
    other: Int32[ndarray, " room"]
    root: Int64[ndarray, " ions"]
    size: Int64[ndarray, " ions"]
    slot: Int64[ndarray, " ions"]
    places: Int64[ndarray, " ions"]
    n_groups: Int64[ndarray, " sizes"]
    cell: Int64[ndarray, " ions"]
    order: Int64[ndarray, " ions"]
    begin: Int64[ndarray, " cells_and_end"]
    position: Float64[ndarray, "two ions"]  # of the ions in the order of their cells, within the box
    listed: Float64[ndarray, "two ions"]  # where they were when near ones were listed


def empty_crowd(n: int, n_cells: int, room: int) -> Crowd:
    """Return room for so many ions, cells and near pairs."""
    counts = [np.zeros(n, dtype=np.int64) for _ in range(6)]
    return Crowd(
        one=np.zeros(room, dtype=np.int32),
        other=np.zeros(room, dtype=np.int32),
        root=counts[0],
        size=counts[1],
        slot=counts[2],
        places=counts[3],
        n_groups=np.zeros(LARGEST + 1, dtype=np.int64),
        cell=counts[4],
        order=counts[5],
        begin=np.zeros(n_cells + 1, dtype=np.int64),
        position=np.zeros((2, n)),
        listed=np.zeros((2, n)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def list_near(x, y, ground, crowd):
    """List pairs within range; return their number, which may be beyond the room: then the list is not whole."""
    sort_by_cell(x, y, ground, crowd.cell, crowd.begin, crowd.order)
    u, v, begin, order = crowd.position[0], crowd.position[1], crowd.begin, crowd.order
    for k in range(x.size):
        i = order[k]
        u[k] = x[i] - ground.box_x * np.floor(x[i] / ground.box_x)
        v[k] = y[i] - ground.box_y * np.floor(y[i] / ground.box_y)
        crowd.listed[0, i], crowd.listed[1, i] = x[i], y[i]
    range2, room, n_near = ground.range_nm * ground.range_nm, crowd.one.size, 0
    half_x, half_y = 0.5 * ground.box_x, 0.5 * ground.box_y
    columns, rows = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for b in range(ground.n_y):
        n_rows = around_cell(b, ground.n_y, rows)
        for a in range(ground.n_x):
            n_columns = around_cell(a, ground.n_x, columns)
            for k in range(begin[a + ground.n_x * b], begin[a + ground.n_x * b + 1]):
                for db in range(n_rows):
                    for da in range(n_columns):
                        c = columns[da] + ground.n_x * rows[db]
                        for m in range(max(begin[c], k + 1), begin[c + 1]):
                            dx, dy = abs(u[k] - u[m]), abs(v[k] - v[m])
                            dx = ground.box_x - dx if dx > half_x else dx
                            dy = ground.box_y - dy if dy > half_y else dy
                            if dx * dx + dy * dy < range2:
                                if n_near < room:
                                    crowd.one[n_near], crowd.other[n_near] = order[k], order[m]
                                n_near += 1
    return n_near


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def gone_nm(x, y, crowd):
    """Return how far an ion has gone at most since near ones were listed."""
    far2 = 0.0
    for i in range(x.size):
        dx, dy = x[i] - crowd.listed[0, i], y[i] - crowd.listed[1, i]
        far2 = max(far2, dx * dx + dy * dy)
    return np.sqrt(far2)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def group_near(x, y, n_near, range_nm, ground, crowd):
    """Fill ``places`` and ``n_groups`` from the list; return how many ions are of groups that step beside others.

    Groups so long that their nearest images could differ, and those near a wall, are of the rest, at the end.
    """
    n, root, size, range2 = x.size, crowd.root, crowd.size, range_nm * range_nm
    for i in range(n):
        root[i], size[i] = i, 0
    for p in range(n_near):
        i, j = np.int64(crowd.one[p]), np.int64(crowd.other[p])
        dx, dy = x[i] - x[j], y[i] - y[j]
        dx -= ground.box_x * np.rint(dx / ground.box_x)
        dy -= ground.box_y * np.rint(dy / ground.box_y)
        if dx * dx + dy * dy < range2:
            a, b = root_of(root, i), root_of(root, j)
            root[max(a, b)] = min(a, b)
    for i in range(n):
        root[i] = root_of(root, i)
        size[root[i]] += 1
    if ground.width_nm > 0.0:
        for i in range(n):
            if min(y[i], ground.width_nm - y[i]) < range_nm:
                size[root[i]] = n + 1
    largest = min(LARGEST, 1 + int(0.5 * min(ground.box_x, ground.box_y) / range_nm))
    return _place_by_size(largest, crowd)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _place_by_size(largest, crowd):
    """Write ``places``: ions alone, twos one after the other, threes and so on, then the rest."""
    root, size, slot, n_groups = crowd.root, crowd.size, crowd.slot, crowd.n_groups
    n_groups[:] = 0
    for i in range(root.size):
        if root[i] == i and size[i] <= largest:
            n_groups[size[i]] += 1
    at = np.zeros(LARGEST + 2, dtype=np.int64)
    for s in range(1, LARGEST + 1):
        at[s + 1] = at[s] + s * n_groups[s]
    n_in_groups = at[LARGEST + 1]
    rest = n_in_groups
    for i in range(root.size):
        r = root[i]
        if size[r] > largest:
            crowd.places[rest] = i
            rest += 1
            continue
        if r == i:  # the lowest of its group, and so the first
            slot[i] = at[size[i]]
            at[size[i]] += size[i]
        crowd.places[slot[r]] = i
        slot[r] += 1
    return n_in_groups
