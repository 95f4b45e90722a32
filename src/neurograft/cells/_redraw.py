"""Write-verify of cells whose response to a single pulse is not published: program, read, program anew.

An attempt is one published programming of the cell, which may be many pulses inside the chip; it is
counted as one pulse.  Reads have noise, so a cell may be accepted by luck; each further pass reads all
cells again and programs anew those that are outside.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._protocol import ProgramAndVerify, Written
from neurograft.cells._redraw_lanes import redraw_kernel
from neurograft.cells._threads import in_slices


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
    noise = noise_siemens / math.sqrt(verify.n_reads)
    low, high = window_siemens
    law = _Law(low, high, verify.tolerance * high, verify.max_passes, verify.max_pulses)

    def work(part: slice) -> None:
        cells = (target_siemens[part], spread_siemens[part], noise[part], address[part], defect[part])
        redraw_kernel(*cells, g[part], pulses[part], flags[part], np.uint64(key), law)

    in_slices(n, work)
    return Written(g, pulses, flags)


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
