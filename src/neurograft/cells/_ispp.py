"""Incremental-step programming of NAND cells: each pulse raises the gate by a step until the verify read passes.

After n pulses a cell's threshold is at least c + n * step, c its own speed (guessed: sd s, mean -3 s).  The verify
level lies half a step under the level's mean, so that the mean is met.  What the published sd is wider
than the step's own is added afterwards, as charge that moves in the first day.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt16, UInt64
from numba import njit
from numpy import ndarray

from neurograft.cells._protocol import Flag
from neurograft.cells._ramp import HEALTHY
from neurograft.cells._stream import GOLDEN, normal, stream
from neurograft.cells._threads import in_slices

_BAD = Flag.DEFECTIVE.value
_OUT = Flag.OUT_OF_BAND.value


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

    def work(part: slice) -> None:
        cells = (level[part], address[part], defect[part], volts[part], pulses[part], flags[part])
        steps_kernel(*cells, mean, sd, np.uint64(key), law)

    in_slices(n, work)
    return volts, pulses, flags


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def steps_kernel(level, address, defect, volts_out, pulses_out, flags_out, mean, sd, key, law):  # noqa: PLR0917
    for i in range(level.size):
        s = stream(key, address[i])
        k = level[i]
        v = mean[0] + sd[0] * normal(s)
        pulses = 0
        is_out = defect[i] != HEALTHY
        if k > 0:
            s = s + GOLDEN
            speed = law.cell_sd * (normal(s) - 3.0)  # the first pulse is too weak for nearly all cells
            verify = mean[k] - 0.5 * law.step
            while v < verify:
                if pulses >= law.max_pulses:
                    is_out = True
                    break
                pulses += 1
                s = s + GOLDEN
                v = max(v, speed + pulses * law.step + law.noise * normal(s))
            s = s + GOLDEN
            rest = sd[k] * sd[k] - law.step * law.step / 12.0 - law.noise * law.noise
            v += math.sqrt(max(rest, 0.0)) * normal(s)
        volts_out[i] = v
        pulses_out[i] = min(pulses, 65535)
        flags_out[i] = (_OUT if is_out else 0) | (_BAD if defect[i] != HEALTHY else 0)
