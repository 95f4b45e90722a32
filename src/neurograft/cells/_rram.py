"""RRAM whose spread after write-verify is a polynomial of conductance, at one or more times.

Wan, Kubendran, Schaefer et al., Nature 608, 504 (2022), Extended Data Figure 3 (NeuRRAM), was digitised
twice and the two fits differ threefold at G = 0; both are here as cards of their own.  The spread holds
the error left by write-verify, relaxation and read noise together, as they were measured together.
"""

from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._checks import require_age, require_drive, require_temperature, require_window
from neurograft.cells._noise import normals, with_spread
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.cells._ramp import Ramp, one_pulse_by_ramp, write_by_ramp
from neurograft.cells._spread import SpreadTable
from neurograft.errors import CellError
from neurograft.units import DAY, MICROSIEMENS, PJ, US


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rram:
    """A card.  Temperature was not stated by the source, so only room temperature is accepted."""

    name: str
    g_min_siemens: float
    g_max_siemens: float
    spread: SpreadTable
    ramp: Ramp
    defects: Defects
    cost: Cost
    header: Header
    levels: int | None = None

    def spread_siemens(self, g_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        """Return the sd of conductance of cells at G, ``age_s`` after programming."""
        require_age(age_s, longest_s=self.spread.ages_s[-1], name=self.name)
        if g_siemens.size and not (g_siemens.min() >= 0 and g_siemens.max() <= self.g_max_siemens):
            raise CellError(f"The spread of {self.name} is known from 0 to {self.g_max_siemens / MICROSIEMENS:g} uS.")
        return self.spread.sd_siemens(g_siemens, age_s=age_s)

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances 1 s after programming: target plus the spread at the first age, not below 0."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return with_spread(target_siemens, partial(self.spread.sd_siemens, age_s=0.0), rng)

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances after one voltage pulse each: SET for drive above 0, RESET below."""
        require_drive(drive)
        return one_pulse_by_ramp(g_siemens, drive, ramp=self.ramp, rng=rng)

    def write(
        self,
        target_siemens: Float64[ndarray, " cells"],
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the outcome of the NeuRRAM ramp, 1 s after its end (relaxed by the spread at the first age)."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return write_by_ramp(
            target_siemens,
            address=address,
            defect=defect,
            verify=verify,
            key=key,
            ramp=self.ramp,
            window_siemens=(self.g_min_siemens, self.g_max_siemens),
            spread=self.spread,
        )

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances at an age: what the spread has grown by since the first age is added."""
        require_temperature(temperature_k, low=288.15, high=308.15, name=self.name)
        require_age(age_s, longest_s=self.spread.ages_s[-1], name=self.name)
        if age_s <= self.spread.ages_s[0]:
            return g_siemens.copy()
        grown = self.spread.growth_siemens(np.minimum(g_siemens, self.g_max_siemens), age_s=age_s)
        return np.maximum(g_siemens + grown * normals(g_siemens.size, rng), 0.0)

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return the conductances unchanged: the published spread already holds the read noise."""
        require_age(age_s, longest_s=self.spread.ages_s[-1], name=self.name)
        return g_siemens.copy()

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading: readings are exact."""
        return np.zeros(g_siemens.size)


# Voltages, pulse length and limits: NeuRRAM's published chip code.  Response to a pulse: guessed so that the
# mean is near the 8.5 pulses remembered of the paper ("memory").
_NEURRAM_RAMP = Ramp(
    start_v=1.2,
    step_v=0.1,
    end_v=3.3,
    max_at_end=30,
    max_reversals=20,
    set_v=1.25,
    set_sd_v=0.1,
    reset_v=1.25,
    reset_sd_v=0.1,
    gain_siemens_per_v=30 * MICROSIEMENS,
    top_siemens=50 * MICROSIEMENS,
    jitter=0.3,
    read_noise_siemens=0.2 * MICROSIEMENS,
)
# 45 failed cells of 5,328 in three of NeuRRAM's notebooks (code); the split into kinds is guessed.
_NEURRAM_DEFECTS = Defects(dead=0.0028, stuck_low=0.0028, leaky=0.0028)
_NEURRAM_COST = Cost(
    pulse_s=Figure(value=1 * US, evidence="code: NeuRRAM chip code"),
    read_s=Figure(value=1 * US, evidence="guessed: as long as the pulse"),
    pulse_j=Figure(value=0.6 * PJ, evidence="second-hand: NVSim default; one survey entry says 681 pJ"),
    read_j=Figure(value=1 * PJ, evidence="second-hand: NVMExplorer survey, n=1"),
    endurance=Figure(value=1e6, evidence="second-hand: NVMExplorer survey, median of 18 (1e3-1e8)"),
)


def _wan_header(fit: str) -> Header:
    return Header(
        source="Wan et al. 2022, Nature 608:504, doi 10.1038/s41586-022-04992-8",
        table=f"Extended Data Figure 3, as digitised by {fit}",
        conditions="NeuRRAM chip, 1-us pulses, window 1-40 uS, accept +-1 uS; temperature not stated",
        fitted=f"spread: coefficients of {fit}; ramp: pulses a cell",
        guessed="response to one pulse, verify noise, kinds of defects, spread between ages (linear in log time)",
        evidence="code",
        residual="not stated; two fits of the same figure: sd at 0 / 5 / 12 / 20 uS .35 / 1.75 / 2.30 / 2.02 and "
        "1.05 / 1.97 / 2.49 / 2.36 uS",
    )


RRAM_WAN_AIHWKIT = Rram(
    name="rram",
    g_min_siemens=1 * MICROSIEMENS,
    g_max_siemens=40 * MICROSIEMENS,
    spread=SpreadTable(
        unit_siemens=40 * MICROSIEMENS,
        ages_s=(1.0, 1 * DAY, 2 * DAY),
        polynomials_us=(
            (0.348, 16.030, -43.853, 45.393, -16.815),
            (0.701, 22.086, -50.773, 47.095, -16.458),
            (0.782, 20.274, -43.507, 37.062, -11.934),
        ),
    ),
    ramp=_NEURRAM_RAMP,
    defects=_NEURRAM_DEFECTS,
    cost=_NEURRAM_COST,
    header=_wan_header("aihwkit 1.2.0"),
)

RRAM_WAN_CROSSSIM = Rram(
    name="rram_crosssim",
    g_min_siemens=1 * MICROSIEMENS,
    g_max_siemens=39.26 * MICROSIEMENS,
    spread=SpreadTable(
        unit_siemens=1 * MICROSIEMENS, ages_s=(1.0,), polynomials_us=((1.053, 0.2374, -0.01167, 1.536e-4),)
    ),
    ramp=_NEURRAM_RAMP,
    defects=_NEURRAM_DEFECTS,
    cost=_NEURRAM_COST,
    header=_wan_header("CrossSim 3.2.0"),
)
