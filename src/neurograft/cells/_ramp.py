"""Write-verify of a filament cell by voltage ramps: raise the pulse voltage step by step, read after each pulse.

The protocol (voltages, 1-us pulses, limits) is that of the NeuRRAM chip's published code (Wan 2022).  The
response of a cell to one pulse is GUESSED: no open source gives it.  Above a threshold that differs from
cell to cell, a SET pulse raises G by gain*(V - V_set)*(1 - G/G_top) and a RESET pulse lowers it by
gain*(V - V_reset)*G/G_top, times a factor that is uniform around 1 with sd ``jitter``.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._protocol import ProgramAndVerify, Written
from neurograft.cells._ramp_lanes import MOST_TERMS, ramp_kernel
from neurograft.cells._spread import SpreadTable
from neurograft.cells._threads import in_slices
from neurograft.errors import CellError
from neurograft.units import MICROSIEMENS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Voltages of the programming ramp (published) and the response of a cell to a pulse (guessed)."""

    start_v: float
    step_v: float
    end_v: float
    max_at_end: int
    max_reversals: int
    set_v: float
    set_sd_v: float
    reset_v: float
    reset_sd_v: float
    gain_siemens_per_v: float
    top_siemens: float
    jitter: float
    read_noise_siemens: float

    def __post_init__(self) -> None:
        """Refuse a jitter that would turn a pulse around, and steps that lead nowhere."""
        if not 0 <= self.jitter < 0.577:
            raise CellError(f"jitter is {self.jitter}. Give the relative sd of a pulse's effect, 0 to below 0.577.")
        if not (self.step_v > 0 and self.end_v >= self.start_v):
            raise CellError(f"The ramp goes from {self.start_v} to {self.end_v} V by {self.step_v} V. Let it rise.")


class _Law(NamedTuple):
    start_v: float
    step_v: float
    end_v: float
    max_at_end: int
    max_reversals: int
    set_v: float
    set_sd_v: float
    reset_v: float
    reset_sd_v: float
    gain: float
    top: float
    jitter: float
    noise: float
    g_min: float
    g_max: float
    band: float
    max_passes: int
    max_pulses: int
    spread_unit: float  # G at which the polynomial's argument is 1
    spread_scale: float  # siemens of one unit of the polynomial's value


def write_by_ramp(
    target_siemens: Float64[ndarray, " cells"],
    *,
    address: UInt64[ndarray, " cells"],
    defect: UInt8[ndarray, " cells"],
    verify: ProgramAndVerify,
    key: int,
    ramp: Ramp,
    window_siemens: tuple[float, float],
    spread: SpreadTable,
) -> Written:
    """Return what the ramp leaves 1 s after its end; the relaxation is that of the spread's first age."""
    n = target_siemens.size
    law = _Law(
        start_v=ramp.start_v,
        step_v=ramp.step_v,
        end_v=ramp.end_v,
        max_at_end=ramp.max_at_end,
        max_reversals=ramp.max_reversals,
        set_v=ramp.set_v,
        set_sd_v=ramp.set_sd_v,
        reset_v=ramp.reset_v,
        reset_sd_v=ramp.reset_sd_v,
        gain=ramp.gain_siemens_per_v,
        top=ramp.top_siemens,
        jitter=ramp.jitter,
        noise=ramp.read_noise_siemens / math.sqrt(verify.n_reads),
        g_min=window_siemens[0],
        g_max=window_siemens[1],
        band=verify.tolerance * window_siemens[1],
        max_passes=verify.max_passes,
        max_pulses=verify.max_pulses,
        spread_unit=spread.unit_siemens,
        spread_scale=MICROSIEMENS,
    )
    g, pulses, flags = np.zeros(n), np.zeros(n, dtype=np.uint16), np.zeros(n, dtype=np.uint8)
    coefficients = np.zeros(MOST_TERMS)
    coefficients[: len(spread.polynomials_us[0])] = spread.polynomials_us[0]

    def work(part: slice) -> None:
        cells = (target_siemens[part], address[part], defect[part])
        ramp_kernel(*cells, g[part], pulses[part], flags[part], np.uint64(key), coefficients, law)

    in_slices(n, work)
    return Written(g, pulses, flags)


def one_pulse_by_ramp(
    g_siemens: Float64[ndarray, " cells"],
    drive: Float64[ndarray, " cells"],
    *,
    ramp: Ramp,
    rng: np.random.Generator,
) -> Float64[ndarray, " cells"]:
    """Return G after one pulse of voltage start + |drive| * (end - start), SET above 0, RESET below; 0 is no pulse."""
    v = ramp.start_v + np.abs(drive) * (ramp.end_v - ramp.start_v)
    factor = 1.0 + ramp.jitter * math.sqrt(12.0) * (rng.random(g_siemens.size) - 0.5)
    rise = np.maximum(v - ramp.set_v, 0.0) * np.maximum(1.0 - g_siemens / ramp.top_siemens, 0.0)
    fall = np.maximum(v - ramp.reset_v, 0.0) * (g_siemens / ramp.top_siemens)
    change = ramp.gain_siemens_per_v * factor * np.where(drive > 0, rise, np.where(drive < 0, -fall, 0.0))
    return np.clip(g_siemens + change, 0.0, ramp.top_siemens)
