"""Write-verify of cells whose response to a single pulse is not published: program, read, program anew.

An attempt is one published programming of the cell, which may be many pulses inside the chip; it is
counted as one pulse.  Reads have noise, so a cell may be accepted by luck; each further pass reads all
cells again and programs anew those that are outside.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numba import njit
from numpy import ndarray

from neurograft.cells._protocol import Flag, ProgramAndVerify, Written
from neurograft.cells._ramp import HEALTHY, shown
from neurograft.cells._stream import GOLDEN, normal, stream
from neurograft.cells._threads import in_slices

_BAD = Flag.DEFECTIVE.value
_OUT = Flag.OUT_OF_BAND.value


class _Law(NamedTuple):
    g_min: float
    g_max: float
    band: float
    max_passes: int
    max_pulses: int


def write_by_redraw(
    target_siemens: Float64[ndarray, " cells"],
    *,
    spread_siemens: Float64[ndarray, " cells"],
    noise_siemens: Float64[ndarray, " cells"],
    address: UInt64[ndarray, " cells"],
    defect: UInt8[ndarray, " cells"],
    verify: ProgramAndVerify,
    key: int,
    window_siemens: tuple[float, float],
) -> Written:
    """Return the outcome for cells that land within ``spread_siemens`` (sd) and are read with ``noise_siemens``."""
    n = target_siemens.size
    g, pulses, flags = np.zeros(n), np.zeros(n, dtype=np.uint16), np.zeros(n, dtype=np.uint8)
    low, high = window_siemens
    law = _Law(low, high, verify.tolerance * high, verify.max_passes, verify.max_pulses)

    def work(part: slice) -> None:
        cells = (target_siemens[part], spread_siemens[part], noise_siemens[part], address[part], defect[part])
        redraw_kernel(*cells, g[part], pulses[part], flags[part], np.uint64(key), law)

    in_slices(n, work)
    return Written(g, pulses, flags)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def redraw_kernel(target, spread, noise, address, defect, g_out, pulses_out, flags_out, key, law):  # noqa: PLR0917
    for i in range(target.size):
        s = stream(key, address[i])
        g = shown(max(0.0, target[i] + spread[i] * normal(s)), defect[i], law.g_min, law.g_max)
        pulses = 1
        is_out = False
        for _pass in range(law.max_passes):
            in_pass = 0
            is_out = False
            while True:
                s = s + GOLDEN
                if abs(g + noise[i] * normal(s) - target[i]) <= law.band:
                    break
                if in_pass >= law.max_pulses:
                    is_out = True
                    break
                s = s + GOLDEN
                g = shown(max(0.0, target[i] + spread[i] * normal(s)), defect[i], law.g_min, law.g_max)
                in_pass += 1
            pulses += in_pass
            if is_out:
                break
        g_out[i] = g
        pulses_out[i] = min(pulses, 65535)
        flags_out[i] = (_OUT if is_out else 0) | (_BAD if defect[i] != HEALTHY else 0)


def soft_pulse(
    g_siemens: Float64[ndarray, " cells"],
    drive: Float64[ndarray, " cells"],
    *,
    gain: float,
    jitter: float,
    window_siemens: tuple[float, float],
    rng: np.random.Generator,
) -> Float64[ndarray, " cells"]:
    """Return G after one pulse each; it goes gain*|drive| of the way to the end of the window (guessed)."""
    low, high = window_siemens
    factor = np.exp(jitter * rng.standard_normal(g_siemens.size) - 0.5 * jitter**2)
    share = np.minimum(gain * np.abs(drive) * factor, 1.0)
    end = np.where(drive > 0, high, low)
    return np.maximum(g_siemens + share * (end - g_siemens), 0.0)
