"""Compiled sweeps of dilute ions: alone, in twos, and the rest.  Lengths in nanometres, energies in kT.

Ions nearer than ``range_nm`` at the start of a sweep are of one group, and groups do not meet within it.  An ion
alone takes all its steps in one jump: the sum of normal numbers is a normal number.  Of two ions alone the
diffusion-weighted centre feels no force between them and jumps too; their separation takes every step, 64 twos
side by side.  Both are the stepwise law exactly, not near to it.  Larger groups, and ions near a wall, are left to
``_kernels.sweep``.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.ionic._listing import around_cell, sort_by_cell
from neurograft.ionic._noise import BLOCK, fill_normals

_HALF: Final = BLOCK // 2  # twos side by side
_F32 = np.float32
N_ROWS: Final = 5  # of the scratch space of ``step_twos``


class Crowd(NamedTuple):
    """Which ions are alone, in twos, or of the rest; ``places`` lists them in this order, by ``counts``."""

    root: Int64[ndarray, " ions"]
    size: Int64[ndarray, " ions"]
    places: Int64[ndarray, " ions"]
    cell: Int64[ndarray, " ions"]
    order: Int64[ndarray, " ions"]
    begin: Int64[ndarray, " cells_and_end"]
    position: Float64[ndarray, "two ions"]


def empty_crowd(n: int, n_cells: int) -> Crowd:
    """Return room for so many ions and cells."""
    return Crowd(
        root=np.zeros(n, dtype=np.int64),
        size=np.zeros(n, dtype=np.int64),
        places=np.zeros(n, dtype=np.int64),
        cell=np.zeros(n, dtype=np.int64),
        order=np.zeros(n, dtype=np.int64),
        begin=np.zeros(n_cells + 1, dtype=np.int64),
        position=np.zeros((2, n)),
    )


@njit(cache=True, inline="always")
@no_type_check
def _root_of(root, i):
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _join_near(ground, crowd):
    """Join ions of a cell and of those around it that are within range, by union-find over places in cell order."""
    x, y, begin, root = crowd.position[0], crowd.position[1], crowd.begin, crowd.root
    range2 = ground.range_nm * ground.range_nm
    half_x, half_y = 0.5 * ground.box_x, 0.5 * ground.box_y
    columns, rows = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for b in range(ground.n_y):
        n_rows = around_cell(b, ground.n_y, rows)
        for a in range(ground.n_x):
            first, last = begin[a + ground.n_x * b], begin[a + ground.n_x * b + 1]
            if first == last:
                continue
            n_columns = around_cell(a, ground.n_x, columns)
            for db in range(n_rows):
                for da in range(n_columns):
                    c = columns[da] + ground.n_x * rows[db]
                    for i in range(first, last):
                        for j in range(max(begin[c], i + 1), begin[c + 1]):
                            dx, dy = abs(x[i] - x[j]), abs(y[i] - y[j])
                            dx = ground.box_x - dx if dx > half_x else dx
                            dy = ground.box_y - dy if dy > half_y else dy
                            if dx * dx + dy * dy < range2:
                                one, other = _root_of(root, i), _root_of(root, j)
                                root[max(one, other)] = min(one, other)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def sort_crowd(x, y, ground, crowd):
    """Fill ``crowd`` from positions; return how many ions are alone, and how many are in twos."""
    n = x.size
    sort_by_cell(x, y, ground, crowd.cell, crowd.begin, crowd.order)
    for k in range(n):
        i = crowd.order[k]
        crowd.position[0, k] = x[i] - ground.box_x * np.floor(x[i] / ground.box_x)
        crowd.position[1, k] = y[i] - ground.box_y * np.floor(y[i] / ground.box_y)
        crowd.root[k], crowd.size[k] = k, 0
    _join_near(ground, crowd)
    for k in range(n):
        crowd.root[k] = _root_of(crowd.root, k)
        crowd.size[crowd.root[k]] += 1
    if ground.width_nm > 0.0:
        for k in range(n):
            if min(y[crowd.order[k]], ground.width_nm - y[crowd.order[k]]) < ground.range_nm:
                crowd.size[crowd.root[k]] = n + 1  # near a wall: of the rest
    return _place_by_size(crowd)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _place_by_size(crowd):
    """Write ``places``: ions alone, then twos one after the other, then the rest."""
    root, size, places, order = crowd.root, crowd.size, crowd.places, crowd.order
    n_alone, n_in_twos = 0, 0
    for k in range(root.size):
        n_alone += 1 if size[root[k]] == 1 else 0
        n_in_twos += 1 if size[root[k]] == 2 else 0
    alone, two, rest = 0, n_alone, n_alone + n_in_twos
    for k in range(root.size):
        of = size[root[k]]
        if of == 1:
            places[alone] = order[k]
            alone += 1
        elif of == 2:
            if root[k] == k:  # the first of both; the cell order has it before the other
                crowd.position[0, k] = two
                places[two] = order[k]
                two += 2
            else:
                places[np.int64(crowd.position[0, root[k]]) + 1] = order[k]
        elif of != 2:
            places[rest] = order[k]
            rest += 1
    return n_alone, n_in_twos


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def jump_alone(x, y, ions, places, pull_sum, n_steps, words, bits, noise):
    """Move ions that meet nobody by all steps at once; ``pull_sum`` is the sum of the steps' fields."""
    whole, real = bits.view(np.int32), bits.view(np.float32)
    root_steps = np.sqrt(np.float64(n_steps))
    for at in range(0, places.size, _HALF):
        fill_normals(words, bits, whole, real, noise)
        for q in range(min(_HALF, places.size - at)):
            i = places[at + q]
            x[i] += ions[0, i] * ions[2, i] * pull_sum + root_steps * ions[1, i] * noise[q]
            y[i] += root_steps * ions[1, i] * noise[_HALF + q]


@njit(cache=True, error_model="numpy")
@no_type_check
def _step_lanes(lanes, noise, field, strength, core, reach, cut2):
    """Advance the separations by one step; rows: x, y, mobility times Gamma, drift, noise."""
    tiny, zero = _F32(1e-12), _F32(0.0)
    for q in range(_HALF):
        x, y = lanes[q], lanes[_HALF + q]
        r2 = x * x + y * y
        r = np.sqrt(max(r2, tiny))
        f = lanes[2 * _HALF + q] * (strength / ((r + core) * (r + reach) * r))
        f = f if r2 < cut2 else zero
        lanes[q] = x + f * x + lanes[3 * _HALF + q] * field + lanes[4 * _HALF + q] * noise[q]
        lanes[_HALF + q] = y + f * y + lanes[4 * _HALF + q] * noise[_HALF + q]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def step_twos(x, y, ions, places, ground, fields, law, words, bits, noise, lanes):
    """Move ions that meet one other: the centre in one jump, the separation step by step."""
    whole, real = bits.view(np.int32), bits.view(np.float32)
    strength = law.strength * (law.reach_nm - law.core_nm)
    cut2 = law.cut_nm * law.cut_nm
    n_twos, n_steps = places.size // 2, fields.size
    pull_sum = 0.0
    for k in range(n_steps):
        pull_sum += fields[k]
    start = np.empty((2, _HALF))
    for at in range(0, n_twos, _HALF):
        n = min(_HALF, n_twos - at)
        lanes[:] = _F32(0.0)
        lanes[:_HALF] = _F32(1.0)  # unused lanes: any separation but none
        for q in range(n):
            i, j = places[2 * (at + q)], places[2 * (at + q) + 1]
            dx, dy = x[i] - x[j], y[i] - y[j]
            dx -= ground.box_x * np.rint(dx / ground.box_x)
            dy -= ground.box_y * np.rint(dy / ground.box_y)
            start[0, q], start[1, q] = dx, dy
            lanes[q], lanes[_HALF + q] = dx, dy
            lanes[2 * _HALF + q] = (ions[0, i] + ions[0, j]) * ions[2, i] * ions[2, j]
            lanes[3 * _HALF + q] = ions[0, i] * ions[2, i] - ions[0, j] * ions[2, j]
            lanes[4 * _HALF + q] = np.sqrt(ions[1, i] * ions[1, i] + ions[1, j] * ions[1, j])
        for k in range(n_steps):
            fill_normals(words, bits, whole, real, noise)
            _step_lanes(lanes, noise, fields[k], strength, law.core_nm, law.reach_nm, cut2)
        fill_normals(words, bits, whole, real, noise)
        for q in range(n):
            i, j = places[2 * (at + q)], places[2 * (at + q) + 1]
            a, b = np.float64(ions[0, i]), np.float64(ions[0, j])
            share = a / (a + b)
            spread = np.sqrt(n_steps * ((b * ions[1, i]) ** 2 + (a * ions[1, j]) ** 2)) / (a + b)
            centre_x = share * b * (ions[2, i] + ions[2, j]) * pull_sum + spread * noise[q]
            centre_y = spread * noise[_HALF + q]
            more_x, more_y = lanes[q] - start[0, q], lanes[_HALF + q] - start[1, q]
            x[i] += centre_x + share * more_x
            y[i] += centre_y + share * more_y
            x[j] += centre_x - (1.0 - share) * more_x
            y[j] += centre_y - (1.0 - share) * more_y
