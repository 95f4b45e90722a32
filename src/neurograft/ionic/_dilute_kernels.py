"""Compiled sweeps of dilute ions: alone, in twos, in small groups.  Lengths in nanometres, energies in kT.

Groups do not meet within a sweep (``_crowd``).  An ion alone takes all its steps in one jump: the sum of normal
numbers is a normal number.  Of two ions alone the diffusion-weighted centre feels no force between them and jumps
too; their separation takes every step, 64 twos side by side.  Groups of three and more take every step of every
ion, 64 groups side by side.  All this is the stepwise law exactly, not near to it.  The largest groups, and ions near
a wall, are left to ``_kernels.sweep``.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float32, Float64, UInt32
from numba import njit
from numpy import ndarray

from neurograft.ionic._crowd import LARGEST, group_near
from neurograft.ionic._noise import BLOCK, fill_blocks, fill_normals, noise_desk

_HALF: Final = BLOCK // 2  # twos, or groups, side by side
_F32 = np.float32
_N_TWO_ROWS: Final = 5  # separation along and across, mobility times Gamma, drift, noise
_N_ROWS: Final = 7  # of an ion: place along and across, force along and across, valence, mobility times step, noise
_AWAY_NM: Final = _F32(1000.0)  # lanes without an ion hold one without charge, so far off


class Lanes(NamedTuple):
    """Scratch space of a sweep."""

    bits: UInt32[ndarray, " words"]
    noise: Float32[ndarray, " numbers"]
    twos: Float32[ndarray, " rows_of_lanes"]
    ions: Float32[ndarray, "members rows_of_lanes"]
    own: Float32[ndarray, " rows_of_lanes"]  # of the ion whose forces are summed
    start: Float64[ndarray, "members two lanes"]


def empty_lanes() -> Lanes:
    """Return scratch space."""
    return Lanes(
        bits=noise_desk(LARGEST).ravel(),
        noise=np.zeros(LARGEST * BLOCK, dtype=np.float32),
        twos=np.zeros(_N_TWO_ROWS * _HALF, dtype=np.float32),
        ions=np.zeros((LARGEST, _N_ROWS * _HALF), dtype=np.float32),
        own=np.zeros(5 * _HALF, dtype=np.float32),
        start=np.zeros((LARGEST, 2, _HALF)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def sweep_crowd(x, y, ions, n_near, range_nm, ground, fields, law, words, crowd, lanes):
    """Move all ions but the rest by a sweep; return where in ``crowd.places`` the rest begin."""
    n_in_groups = group_near(x, y, n_near, range_nm, ground, crowd)
    pull_sum = 0.0
    for k in range(fields.size):
        pull_sum += fields[k]
    n_alone, n_twos = crowd.n_groups[1], crowd.n_groups[2]
    twos_end = n_alone + 2 * n_twos
    jump_alone(x, y, ions, crowd.places[:n_alone], pull_sum, fields.size, words, lanes)
    step_twos(x, y, ions, crowd.places[n_alone:twos_end], ground, fields, pull_sum, law, words, lanes)
    step_groups(x, y, ions, crowd.places[twos_end:n_in_groups], crowd.n_groups, ground, fields, law, words, lanes)
    return n_in_groups


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def jump_alone(x, y, ions, places, pull_sum, n_steps, words, lanes):
    """Move ions that meet nobody by all steps at once; ``pull_sum`` is the sum of the steps' fields."""
    whole, real, noise = lanes.bits.view(np.int32), lanes.bits.view(np.float32), lanes.noise
    root_steps = np.sqrt(np.float64(n_steps))
    for at in range(0, places.size, _HALF):
        fill_normals(words, lanes.bits, whole, real, noise)
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
def step_twos(x, y, ions, places, ground, fields, pull_sum, law, words, lanes):
    """Move ions that meet one other: the centre in one jump, the separation step by step."""
    bits, noise, rows = lanes.bits, lanes.noise, lanes.twos
    whole, real = bits.view(np.int32), bits.view(np.float32)
    strength = law.strength * (law.reach_nm - law.core_nm)
    cut2 = law.cut_nm * law.cut_nm
    n_twos, n_steps = places.size // 2, fields.size
    start = lanes.start[0]
    for at in range(0, n_twos, _HALF):
        n = min(_HALF, n_twos - at)
        rows[:] = _F32(0.0)
        rows[:_HALF] = _F32(1.0)  # unused lanes: any separation but none
        for q in range(n):
            i, j = places[2 * (at + q)], places[2 * (at + q) + 1]
            dx, dy = x[i] - x[j], y[i] - y[j]
            dx -= ground.box_x * np.rint(dx / ground.box_x)
            dy -= ground.box_y * np.rint(dy / ground.box_y)
            start[0, q], start[1, q] = dx, dy
            rows[q], rows[_HALF + q] = dx, dy
            rows[2 * _HALF + q] = (ions[0, i] + ions[0, j]) * ions[2, i] * ions[2, j]
            rows[3 * _HALF + q] = ions[0, i] * ions[2, i] - ions[0, j] * ions[2, j]
            rows[4 * _HALF + q] = np.sqrt(ions[1, i] * ions[1, i] + ions[1, j] * ions[1, j])
        for first in range(0, n_steps, LARGEST):
            some = min(LARGEST, n_steps - first)
            fill_blocks(some, words, bits, whole, real, noise)
            for k in range(some):
                now = noise[k * BLOCK : (k + 1) * BLOCK]
                _step_lanes(rows, now, fields[first + k], strength, law.core_nm, law.reach_nm, cut2)
        fill_normals(words, bits, whole, real, noise)
        for q in range(n):
            i, j = places[2 * (at + q)], places[2 * (at + q) + 1]
            a, b = np.float64(ions[0, i]), np.float64(ions[0, j])
            share = a / (a + b)
            spread = np.sqrt(n_steps * ((b * ions[1, i]) ** 2 + (a * ions[1, j]) ** 2)) / (a + b)
            centre_x = share * b * (ions[2, i] + ions[2, j]) * pull_sum + spread * noise[q]
            centre_y = spread * noise[_HALF + q]
            more_x, more_y = rows[q] - start[0, q], rows[_HALF + q] - start[1, q]
            x[i] += centre_x + share * more_x
            y[i] += centre_y + share * more_y
            x[j] += centre_x - (1.0 - share) * more_x
            y[j] += centre_y - (1.0 - share) * more_y


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def step_groups(x, y, ions, places, n_groups, ground, fields, law, words, lanes):
    """Move groups of three and more step by step; groups side by side are of like size."""
    sizes, begins = np.empty(_HALF, dtype=np.int64), np.empty(_HALF, dtype=np.int64)
    n, begin = 0, 0
    for size in range(3, LARGEST + 1):
        for _ in range(n_groups[size]):
            sizes[n], begins[n] = size, begin
            begin += size
            n += 1
            if n == _HALF or begin == places.size:
                _load_groups(x, y, ions, places, sizes[:n], begins[:n], ground, lanes)
                _run_groups(size, fields, law, words, lanes)
                _store_groups(x, y, places, sizes[:n], begins[:n], lanes)
                n = 0


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _load_groups(x, y, ions, places, sizes, begins, ground, lanes):
    """Write places relative to the first of each group, nearest image, and what its ions are."""
    lanes.ions[:] = _F32(0.0)
    for m in range(LARGEST):
        lanes.ions[m, :_HALF] = _AWAY_NM * _F32(m + 1)
    for q in range(sizes.size):
        first = places[begins[q]]
        for m in range(sizes[q]):
            i, row = places[begins[q] + m], lanes.ions[m]
            dx, dy = x[i] - x[first], y[i] - y[first]
            row[q] = dx - ground.box_x * np.rint(dx / ground.box_x)
            row[_HALF + q] = dy - ground.box_y * np.rint(dy / ground.box_y)
            row[4 * _HALF + q], row[5 * _HALF + q], row[6 * _HALF + q] = ions[2, i], ions[0, i], ions[1, i]
            lanes.start[m, 0, q], lanes.start[m, 1, q] = row[q], row[_HALF + q]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _store_groups(x, y, places, sizes, begins, lanes):
    for q in range(sizes.size):
        for m in range(sizes[q]):
            i = places[begins[q] + m]
            x[i] += lanes.ions[m, q] - lanes.start[m, 0, q]
            y[i] += lanes.ions[m, _HALF + q] - lanes.start[m, 1, q]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _run_groups(size, fields, law, words, lanes):
    """Advance groups of up to ``size`` ions by a sweep.

    An ion moves as soon as its forces are summed: all pairs that it is of have then been counted.
    """
    bits, noise, own, rows = lanes.bits, lanes.noise, lanes.own, lanes.ions
    whole, real = bits.view(np.int32), bits.view(np.float32)
    strength = law.strength * (law.reach_nm - law.core_nm)
    cut2 = law.cut_nm * law.cut_nm
    for k in range(fields.size):
        fill_blocks(size, words, bits, whole, real, noise)
        for m in range(size):
            _take(own, rows[m])
            for other in range(m + 1, size):
                _push(own, rows[other], strength, law.core_nm, law.reach_nm, cut2)
            _move_lanes(own, rows[m], noise[m * BLOCK : (m + 1) * BLOCK], fields[k])


@njit(cache=True, error_model="numpy")
@no_type_check
def _take(own, row):
    for q in range(5 * _HALF):
        own[q] = row[q]


@njit(cache=True, error_model="numpy")
@no_type_check
def _push(own, other, strength, core, reach, cut2):
    """Add the forces between an ion and another of its group, lane by lane."""
    tiny, zero = _F32(1e-12), _F32(0.0)
    for q in range(_HALF):
        x, y = own[q] - other[q], own[_HALF + q] - other[_HALF + q]
        r2 = x * x + y * y
        r = np.sqrt(max(r2, tiny))
        f = own[4 * _HALF + q] * other[4 * _HALF + q] * (strength / ((r + core) * (r + reach) * r))
        f = f if r2 < cut2 else zero
        own[2 * _HALF + q] += f * x
        own[3 * _HALF + q] += f * y
        other[2 * _HALF + q] -= f * x
        other[3 * _HALF + q] -= f * y


@njit(cache=True, error_model="numpy")
@no_type_check
def _move_lanes(own, row, noise, field):
    """Move an ion of each lane by one step, and clear its forces for the next."""
    for q in range(_HALF):
        mobility, spread = row[5 * _HALF + q], row[6 * _HALF + q]
        row[q] = own[q] + mobility * (own[2 * _HALF + q] + own[4 * _HALF + q] * field) + spread * noise[q]
        row[_HALF + q] = own[_HALF + q] + mobility * own[3 * _HALF + q] + spread * noise[_HALF + q]
        row[2 * _HALF + q] = _F32(0.0)
        row[3 * _HALF + q] = _F32(0.0)
