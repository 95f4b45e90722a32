"""The ramp of ``_ramp`` on ``LANES`` cells at a time; a lane that is done takes the next cell.

All counts are kept as 32-bit floats, exact up to 2^24, because one width of number is what turns into vector
code.  A cell draws one word a step: its first makes the two thresholds, each further one a read and the jitter
of the pulse that follows, the last of a pass the relaxation.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.cells._defects import HEALTHY, shown
from neurograft.cells._protocol import Flag
from neurograft.cells._stream import draw_words, stream
from neurograft.normals import LANES, N_DESK_ROWS, make_pairs

MOST_TERMS = 6  # of the spread's polynomial
_BAD, _OUT = Flag.DEFECTIVE.value, Flag.OUT_OF_BAND.value
_G, _TARGET, _FIXED, _V_SET, _V_RESET, _STEP, _DIRECTION = (LANES * k for k in range(7))
_AT_END, _REVERSALS, _IN_PASS, _PASSES, _PULSES, _PHASE, _FAILED = (LANES * k for k in range(7, 14))
_N_ROWS = 14
_F32, _I32 = np.float32, np.int32
_0, _1, _2, _3, _HALF = _F32(0), _F32(1), _F32(2), _F32(3), _F32(0.5)
_NEW, _RAMPS, _RELAXES, _DONE = _0, _1, _2, _3
_PER_16_BITS, _HALF_OF_16 = _F32(2.0**-16), _F32(2.0**-17)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def ramp_kernel(target, address, defect, g_out, pulses_out, flags_out, key, spread, law):
    """Fill the outcome of every cell; ``spread`` holds MOST_TERMS coefficients, lowest first."""
    row, seed = np.zeros(_N_ROWS * LANES, dtype=np.float32), np.zeros(LANES, dtype=np.uint64)
    bits, z = np.zeros(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    whole, real = bits.view(np.int32), bits.view(np.float32)
    cell = np.full(LANES, -1)
    n, n_lanes, following = target.size, min(LANES, target.size), 0
    for q in range(n_lanes):
        row[_PHASE + q] = _DONE
    n_done = 0
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
                row[_G + q] = law.g_min
                row[_TARGET + q] = target[i]
                row[_FIXED + q] = -_1 if defect[i] == HEALTHY else shown(0.0, defect[i], law.g_min, law.g_max)
                seed[q] = stream(key, address[i])
        draw_words(seed, n_lanes, bits)
        make_pairs(n_lanes, bits, whole, real, z)
        _step(row, bits, z, spread, law, n_lanes)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _step(row, bits, z, spread, law, n_lanes):
    start_v, step_v, top, g_max = _F32(law.start_v), _F32(law.step_v), _F32(law.top), _F32(law.g_max)
    n_steps = _F32(math.floor((law.end_v - law.start_v) / law.step_v + 0.5))
    set_v, set_sd, reset_v, reset_sd = _F32(law.set_v), _F32(law.set_sd_v), _F32(law.reset_v), _F32(law.reset_sd_v)
    gain, width, noise, band = _F32(law.gain), _F32(law.jitter * math.sqrt(12.0)), _F32(law.noise), _F32(law.band)
    most_turns, most_end = _F32(law.max_reversals), _F32(law.max_at_end)
    most_pulses, last_pass = _F32(law.max_pulses - 1), _F32(law.max_passes - 1)
    per_unit, per_top, scale = _F32(1.0 / law.spread_unit), _F32(1.0 / law.top), _F32(law.spread_scale)
    p0, p1, p2 = _F32(spread[0]), _F32(spread[1]), _F32(spread[2])
    p3, p4, p5 = _F32(spread[3]), _F32(spread[4]), _F32(spread[5])
    for q in range(n_lanes):
        phase, g, aim, fixed = row[_PHASE + q], row[_G + q], row[_TARGET + q], row[_FIXED + q]
        direction, step, at_end = row[_DIRECTION + q], row[_STEP + q], row[_AT_END + q]
        turns, in_pass, passes = row[_REVERSALS + q], row[_IN_PASS + q], row[_PASSES + q]
        v_set, v_reset, pulses, failed = row[_V_SET + q], row[_V_RESET + q], row[_PULSES + q], row[_FAILED + q]
        first, second = z[q], z[LANES + q]
        jitter = _1 + width * (_F32(_I32(bits[LANES + q] & 0xFFFF)) * _PER_16_BITS + _HALF_OF_16 - _HALF)

        error = (fixed if fixed >= _0 else g) - aim + noise * first
        wanted = _1 if error < _0 else -_1
        is_kept = _1 if wanted == direction else _0
        turns_now = turns + (_1 - is_kept) * abs(direction)
        at_end_now = is_kept * (at_end + (_1 if step >= n_steps else _0))
        step_now = is_kept * min(step + _1, n_steps)
        fails = _1 if max(turns_now - most_turns, at_end_now - most_end, in_pass - most_pulses) > _0 else _0
        is_in = _1 if abs(error) <= band else _0
        over = max(start_v + step_now * step_v - (v_set if error < _0 else v_reset), _0)
        room = max(_1 - g * per_top, _0) if error < _0 else -g * per_top
        pulsed = min(max(g + gain * over * jitter * room, _0), top)

        x = min(g, g_max) * per_unit
        sd = scale * max(p0 + x * (p1 + x * (p2 + x * (p3 + x * (p4 + x * p5)))), _0)
        relaxed = max(g + sd * first, _0)
        is_far = _1 if abs(relaxed - aim) > band else _0
        is_again = is_far * (_1 - failed) * (_1 if fixed < _0 else _0) * (_1 if passes < last_pass else _0)

        is_new = _1 if phase == _NEW else _0
        ramps = _1 if phase == _RAMPS else _0
        relaxes = _1 if phase == _RELAXES else _0
        ends = ramps * max(is_in, fails)
        is_pulse = ramps - ends
        fresh = _1 - relaxes  # a new pass counts from 0
        row[_V_SET + q] = set_v + set_sd * first if is_new > _0 else v_set
        row[_V_RESET + q] = reset_v + reset_sd * second if is_new > _0 else v_reset
        row[_G + q] = pulsed if is_pulse > _0 else (relaxed if relaxes > _0 else g)
        row[_DIRECTION + q] = fresh * (wanted if is_pulse > _0 else direction)
        row[_STEP + q] = fresh * (step_now if is_pulse > _0 else step)
        row[_AT_END + q] = fresh * (at_end_now if is_pulse > _0 else at_end)
        row[_REVERSALS + q] = fresh * (turns_now if is_pulse > _0 else turns)
        row[_IN_PASS + q] = fresh * (in_pass + is_pulse)
        row[_PULSES + q] = pulses + is_pulse
        row[_PASSES + q] = passes + relaxes * is_again
        row[_FAILED + q] = (_1 - is_in) * fails if ends > _0 else failed
        row[_PHASE + q] = phase + is_new + ends + relaxes * (_1 - _2 * is_again)
