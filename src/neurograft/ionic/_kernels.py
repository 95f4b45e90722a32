"""Compiled steps of ions in a plane.  Lengths in nanometres, energies in kT; the equations are in ``_brownian``.

Ions lie in the order of their cells, cut into chunks.  Within a sweep (the steps between two listings of
neighbours) only displacements since its start move, in 32-bit numbers; separations at its start are stored with
the list, nearest image already taken, so that a step knows neither the box nor where an ion is.  A chunk reads
the old displacements of all ions and writes the new ones of its own, so chunks may run at the same time; their
number, not that of the threads, fixes the result.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt32
from numba import njit, prange
from numpy import ndarray

from neurograft.ionic._listing import list_pairs, sort_by_cell
from neurograft.ionic._noise import BLOCK, fill_normals

_F32 = np.float32


class Law(NamedTuple):
    """What a step needs to know of physics; ``strength`` times the valences is Gamma."""

    strength: np.float32
    core_nm: np.float32
    reach_nm: np.float32
    cut_nm: np.float32
    wall_force_per_nm: np.float32
    table_step_nm: np.float32  # 0: the fitted form; else ``table`` holds force times distance (kT) for |z z| = 1


class Desk(NamedTuple):
    """Scratch space and what changes: noise streams of each chunk, ions in the order of their cells."""

    words: UInt32[ndarray, "chunks words"]
    bits: UInt32[ndarray, "chunks words"]
    noise: Float32[ndarray, "chunks numbers"]
    force: Float32[ndarray, "two ions"]
    farthest: Float32[ndarray, " chunks"]
    place: Float32[ndarray, "turns two ions"]  # displacements: a step reads one turn and writes the other
    ions: Float32[ndarray, "three ions"]  # mobility times step, noise a step, valence
    wall: Float32[ndarray, "two ions"]  # distance to the nearer wall at the sweep's start, and the side it is on
    position: Float64[ndarray, "two ions"]
    cell: Int64[ndarray, " ions"]
    order: Int64[ndarray, " ions"]
    begin: Int64[ndarray, " cells_and_end"]


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def _force_over_distance(r2, law, table):
    """Return the repulsion of two unit charges of one sign, over their distance; r2 above 0."""
    r = np.sqrt(r2)
    if law.table_step_nm > _F32(0.0):
        at = r / law.table_step_nm
        k = min(np.int64(at), table.size - 2)
        part = at - _F32(k)
        return (table[k] + part * (table[k + 1] - table[k])) / r2
    return law.strength * (law.reach_nm - law.core_nm) / ((r + law.core_nm) * (r + law.reach_nm) * r)


@njit(cache=True, error_model="numpy")
@no_type_check
def _add_forces(first, last, near, old, law, table, fx, fy):
    """Add to fx and fy the pair forces of owners ``first`` to ``last`` - 1."""
    cut2 = law.cut_nm * law.cut_nm
    tiny = _F32(1e-12)
    ox, oy = old[0], old[1]
    for w in range(first, last):
        i = near.owner[w]
        own_x, own_y = _F32(0.0), _F32(0.0)
        xi, yi = ox[i], oy[i]
        middle = near.middle[w]
        for p in range(near.start[w], near.start[w + 1]):
            j = near.other[p]
            dx = near.dx[p] + (xi - ox[j])
            dy = near.dy[p] + (yi - oy[j])
            r2 = dx * dx + dy * dy
            if r2 < cut2:
                f = near.pull[p] * _force_over_distance(max(r2, tiny), law, table)
                own_x += f * dx
                own_y += f * dy
                if p < middle:
                    fx[j] -= f * dx
                    fy[j] -= f * dy
        fx[i] += own_x
        fy[i] += own_y


@njit(cache=True, error_model="numpy")
@no_type_check
def _add_walls(first, last, gap, side, moved_y, wall_force, fy):
    """Push ions that are beyond a wall back in."""
    for i in range(first, last):
        is_beyond = gap[i] - side[i] * moved_y[i] < _F32(0.0)
        fy[i] -= side[i] * wall_force if is_beyond else _F32(0.0)


@njit(cache=True, error_model="numpy")
@no_type_check
def _move(n, at, old, new, force, mobility, sigma, noise):
    """Write the new displacement along one axis; few arrays at a time, or the compiler would not use vectors."""
    for k in range(n):
        i = at + k
        new[i] = old[i] + mobility[i] * force[i] + sigma[i] * noise[k]


@njit(cache=True, error_model="numpy", fastmath={"nsz", "nnan", "ninf", "reassoc"})
@no_type_check
def _farthest(x, y):
    far2 = _F32(0.0)
    for i in range(x.size):
        far2 = max(far2, x[i] * x[i] + y[i] * y[i])
    return far2


@njit(cache=True, error_model="numpy")
@no_type_check
def _start_forces(valence, field, fx, fy):
    for i in range(valence.size):
        fx[i] = valence[i] * field
        fy[i] = _F32(0.0)


@njit(cache=True, error_model="numpy")
@no_type_check
def _step_chunk(chunk, first, last, near, turn, field, law, table, desk):
    """Advance the ions of one chunk by one step."""
    old, new, ions = desk.place[turn], desk.place[1 - turn], desk.ions
    fx, fy = desk.force[0], desk.force[1]
    _start_forces(ions[2, first:last], field, fx[first:last], fy[first:last])
    _add_forces(near.owner_cuts[chunk], near.owner_cuts[chunk + 1], near, old, law, table, fx, fy)
    if law.wall_force_per_nm > _F32(0.0):
        _add_walls(first, last, desk.wall[0], desk.wall[1], old[1], law.wall_force_per_nm, fy)
    words, bits, noise = desk.words[chunk], desk.bits[chunk], desk.noise[chunk]
    whole, real = bits.view(np.int32), bits.view(np.float32)
    half = BLOCK // 2
    for at in range(first, last, half):
        fill_normals(words, bits, whole, real, noise)
        n = min(half, last - at)
        _move(n, at, old[0], new[0], fx, ions[0], ions[1], noise[:half])
        _move(n, at, old[1], new[1], fy, ions[0], ions[1], noise[half:])
    desk.farthest[chunk] = _farthest(new[0, first:last], new[1, first:last])


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def sweep(cuts, near, fields, law, table, desk, limit_nm):
    """Advance all ions until one has gone ``limit_nm`` or ``fields`` is used up; return how many steps were done."""
    limit2 = limit_nm * limit_nm
    for k in range(fields.size):
        for chunk in range(cuts.size - 1):
            _step_chunk(chunk, cuts[chunk], cuts[chunk + 1], near, k % 2, fields[k], law, table, desk)
        if not desk.farthest.max() < limit2:
            return k + 1
    return fields.size


@njit(cache=True, nogil=True, error_model="numpy", parallel=True)
@no_type_check
def sweep_in_threads(cuts, near, fields, law, table, desk, limit_nm):
    """Do what ``sweep`` does, chunks in threads; written out, as a cache tells functions by their names alone."""
    limit2 = limit_nm * limit_nm
    for k in range(fields.size):
        for chunk in prange(cuts.size - 1):
            _step_chunk(chunk, cuts[chunk], cuts[chunk + 1], near, k % 2, fields[k], law, table, desk)
        if not desk.farthest.max() < limit2:
            return k + 1
    return fields.size


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def prepare(x, y, ions, ground, cuts, near, desk):
    """Bring ions into the order of their cells and list pairs; return the number of pairs, some may lack room."""
    sort_by_cell(x, y, ground, desk.cell, desk.begin, desk.order)
    for k in range(x.size):
        i = desk.order[k]
        desk.position[0, k] = x[i] - ground.box_x * np.floor(x[i] / ground.box_x)
        desk.position[1, k] = y[i] - ground.box_y * np.floor(y[i] / ground.box_y)
        for row in range(3):
            desk.ions[row, k] = ions[row, i]
        is_upper = y[i] > 0.5 * ground.width_nm
        desk.wall[0, k] = ground.width_nm - y[i] if is_upper else y[i]
        desk.wall[1, k] = 1.0 if is_upper else -1.0
    desk.place[:] = _F32(0.0)
    return list_pairs(desk.position[0], desk.position[1], desk.ions[2], ground, desk.begin, cuts, near)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def finish(x, y, desk, turn):
    """Add the displacements of a sweep to the positions."""
    for k in range(x.size):
        x[desk.order[k]] += desk.place[turn, 0, k]
        y[desk.order[k]] += desk.place[turn, 1, k]
