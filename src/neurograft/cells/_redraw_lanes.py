"""The loop of ``_redraw`` on ``LANES`` cells at a time; a lane that is done takes the next cell.

A cell draws one word a step: the first normal number is the attempt (unused where the cell is only read again),
the second the noise of the read that follows.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.cells._defects import HEALTHY, shown
from neurograft.cells._protocol import Flag
from neurograft.cells._stream import draw_words, stream
from neurograft.normals import LANES, N_DESK_ROWS, make_pairs

_BAD, _OUT = Flag.DEFECTIVE.value, Flag.OUT_OF_BAND.value
_G, _TARGET, _SPREAD, _NOISE, _FIXED, _IN_PASS, _PASSES, _PULSES, _PHASE, _FAILED = (LANES * k for k in range(10))
_N_ROWS = 10
_F32 = np.float32
_0, _1, _2 = _F32(0), _F32(1), _F32(2)
_ATTEMPTS, _READS, _DONE = _0, _1, _2


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def redraw_kernel(target, spread, noise, address, defect, g_out, pulses_out, flags_out, key, law):
    """Fill the outcome of every cell."""
    row, seed = np.zeros(_N_ROWS * LANES, dtype=np.float32), np.zeros(LANES, dtype=np.uint64)
    bits, z = np.zeros(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    whole, real = bits.view(np.int32), bits.view(np.float32)
    cell = np.full(LANES, -1)
    n, n_lanes, following, n_done = target.size, min(LANES, target.size), 0, 0
    for q in range(n_lanes):
        row[_PHASE + q] = _DONE
    while n_done < n:
        for q in range(n_lanes):
            if row[_PHASE + q] != _DONE:
                continue
            i = cell[q]
            if i >= 0:
                g_out[i] = shown(row[_G + q], defect[i], law.g_min, law.g_max)
                pulses_out[i] = min(np.int64(row[_PULSES + q]), 65535)
                flags_out[i] = (_OUT if row[_FAILED + q] > _0 else 0) | (_BAD if defect[i] != HEALTHY else 0)
                cell[q] = -1
                n_done += 1
            if following < n:
                i = following
                following += 1
                cell[q] = i
                for k in range(_N_ROWS):
                    row[k * LANES + q] = _0
                row[_TARGET + q], row[_SPREAD + q], row[_NOISE + q] = target[i], spread[i], noise[i]
                row[_FIXED + q] = -_1 if defect[i] == HEALTHY else shown(0.0, defect[i], law.g_min, law.g_max)
                seed[q] = stream(key, address[i])
        draw_words(seed, n_lanes, bits)
        make_pairs(n_lanes, bits, whole, real, z)
        _step(row, z, law, n_lanes)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _step(row, z, law, n_lanes):
    band, most, last_pass = _F32(law.band), _F32(law.max_pulses), _F32(law.max_passes - 1)
    for q in range(n_lanes):
        phase, g, aim, fixed = row[_PHASE + q], row[_G + q], row[_TARGET + q], row[_FIXED + q]
        wide, noise, failed = row[_SPREAD + q], row[_NOISE + q], row[_FAILED + q]
        in_pass, passes, pulses = row[_IN_PASS + q], row[_PASSES + q], row[_PULSES + q]
        is_attempt = _1 if phase == _ATTEMPTS else _0
        is_live = _1 if phase < _DONE else _0
        drawn = max(aim + wide * z[q], _0)
        landed = fixed if fixed >= _0 else drawn
        now = landed if is_attempt > _0 else g
        is_in = is_live * (_1 if abs(now + noise * z[LANES + q] - aim) <= band else _0)
        is_again = is_in * (_1 if passes < last_pass else _0)
        fails = (is_live - is_in) * (_1 if in_pass >= most else _0)
        tries = is_live - is_in - fails
        row[_G + q] = now
        row[_PULSES + q] = pulses + is_attempt
        row[_IN_PASS + q] = (_1 - is_again) * (in_pass + tries)
        row[_PASSES + q] = passes + is_again
        row[_FAILED + q] = failed + fails
        row[_PHASE + q] = _DONE * (_1 - is_live) + is_again * _READS + (is_in - is_again + fails) * _DONE
