"""Incremental-step programming of NAND cells: each pulse raises the gate by a step until the verify read passes.

After n pulses a cell's threshold is at least c + n * step, c its own speed (guessed: sd s, mean -3 s).  The verify
level lies half a step under the level's mean, so that the mean is met.  What the published sd is wider
than the step's own is added afterwards, as charge that moves in the first day.

``LANES`` cells are worked on at a time; a lane that is done takes the next cell.  A cell draws one word a step: its
first makes the erased threshold and the speed, each further one the noise of a pulse, the last the charge.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt16, UInt64
from numba import njit
from numpy import ndarray

from neurograft.cells._defects import HEALTHY
from neurograft.cells._protocol import Flag
from neurograft.cells._stream import draw_words, stream
from neurograft.cells._threads import in_slices
from neurograft.normals import LANES, N_DESK_ROWS, make_pairs

_BAD, _OUT = Flag.DEFECTIVE.value, Flag.OUT_OF_BAND.value
_V, _VERIFY, _REST, _IS_RAISED, _SPEED, _PULSES, _PHASE, _FAILED = (LANES * k for k in range(8))
_N_ROWS = 8
_F32 = np.float32
_0, _1, _2, _3 = _F32(0), _F32(1), _F32(2), _F32(3)
_ERASED, _STEPS, _SETTLES, _DONE = _0, _1, _2, _3


class _Law(NamedTuple):
    step: float
    cell_sd: float
    noise: float
    max_pulses: int


def write_by_steps(
    level: Int64[ndarray, " cells"],
    *,
    mean: Float64[ndarray, " levels"],
    sd: Float64[ndarray, " levels"],
    step: float,
    cell_sd: float,
    noise: float,
    max_pulses: int,
    address: UInt64[ndarray, " cells"],
    defect: UInt8[ndarray, " cells"],
    key: int,
) -> tuple[Float64[ndarray, " cells"], UInt16[ndarray, " cells"], UInt8[ndarray, " cells"]]:
    """Return threshold voltages, pulses and flags; level 0 is erased and takes no pulse."""
    n = level.size
    volts, pulses, flags = np.zeros(n), np.zeros(n, dtype=np.uint16), np.zeros(n, dtype=np.uint8)
    law = _Law(step, cell_sd, noise, max_pulses)
    rest = np.sqrt(np.maximum(sd**2 - step**2 / 12.0 - noise**2, 0.0))

    def work(part: slice) -> None:
        cells = (level[part], address[part], defect[part], volts[part], pulses[part], flags[part])
        steps_kernel(*cells, mean, sd, rest, np.uint64(key), law)

    in_slices(n, work)
    return volts, pulses, flags


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def steps_kernel(level, address, defect, volts_out, pulses_out, flags_out, mean, sd, rest, key, law):
    """Fill the outcome of every cell."""
    row, seed = np.zeros(_N_ROWS * LANES, dtype=np.float32), np.zeros(LANES, dtype=np.uint64)
    bits, z = np.zeros(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    whole, real = bits.view(np.int32), bits.view(np.float32)
    cell = np.full(LANES, -1)
    n, n_lanes, following, n_done = level.size, min(LANES, level.size), 0, 0
    for q in range(n_lanes):
        row[_PHASE + q] = _DONE
    while n_done < n:
        for q in range(n_lanes):
            if row[_PHASE + q] != _DONE:
                continue
            i = cell[q]
            if i >= 0:
                is_bad = defect[i] != HEALTHY
                volts_out[i] = row[_V + q]
                pulses_out[i] = min(np.int64(row[_PULSES + q]), 65535)
                flags_out[i] = (_OUT if is_bad or row[_FAILED + q] > _0 else 0) | (_BAD if is_bad else 0)
                cell[q] = -1
                n_done += 1
            if following < n:
                i = following
                following += 1
                cell[q] = i
                k = level[i]
                row[_VERIFY + q], row[_REST + q] = mean[k] - 0.5 * law.step, rest[k]
                row[_IS_RAISED + q] = _1 if k > 0 else _0
                row[_PULSES + q], row[_PHASE + q], row[_FAILED + q] = _0, _ERASED, _0
                seed[q] = stream(key, address[i])
        draw_words(seed, n_lanes, bits)
        make_pairs(n_lanes, bits, whole, real, z)
        _step(row, z, _F32(mean[0]), _F32(sd[0]), law, n_lanes)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _step(row, z, erased, erased_sd, law, n_lanes):
    step, cell_sd, noise, most = _F32(law.step), _F32(law.cell_sd), _F32(law.noise), _F32(law.max_pulses)
    for q in range(n_lanes):
        phase, v, verify, rest = row[_PHASE + q], row[_V + q], row[_VERIFY + q], row[_REST + q]
        speed, pulses, failed, is_raised = row[_SPEED + q], row[_PULSES + q], row[_FAILED + q], row[_IS_RAISED + q]
        starts = _1 if phase == _ERASED else _0
        climbs = _1 if phase == _STEPS else _0
        settles = _1 if phase == _SETTLES else _0
        passes = _1 if v >= verify else _0
        fails = climbs * (_1 - passes) * (_1 if pulses >= most else _0)
        is_pulse = climbs - climbs * passes - fails
        raised = max(v, speed + (pulses + _1) * step + noise * z[q])
        still = v + settles * rest * z[q]
        row[_V + q] = (erased + erased_sd * z[q]) if starts > _0 else (raised if is_pulse > _0 else still)
        # the first pulse is too weak for nearly all cells
        row[_SPEED + q] = cell_sd * (z[LANES + q] - _3) if starts > _0 else speed
        row[_PULSES + q] = pulses + is_pulse
        row[_FAILED + q] = failed + fails
        row[_PHASE + q] = phase + starts * (_1 if is_raised > _0 else _3) + (climbs - is_pulse) + settles
