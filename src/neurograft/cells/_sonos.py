"""SONOS embedded flash, 40 nm: spread and mean shift of cell currents over five days.

Agrawal et al., IEDM 2022, 128 K devices, as transcribed in CrossSim 3.2.0.  The source gives currents; the
read voltage is not known, so a current in nA is written here as a conductance in nS (1 V); only ratios matter.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._checks import require_age, require_drive, require_temperature, require_window
from neurograft.cells._noise import normals, with_spread
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.cells._redraw import soft_pulse, write_by_redraw
from neurograft.units import DAY, NANOSIEMENS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sonos:
    """A card: sd = A*(1 - exp(-I/B)) with A, B in nA for days 0, 1, 2 ...; mean shifts at levels and days in nA."""

    name: str
    g_max_siemens: float
    spread_na: tuple[tuple[float, float], ...]
    read_noise_na: tuple[float, float]
    shift_at_na: tuple[float, ...]
    shift_days: tuple[float, ...]
    shifts_na: tuple[tuple[float, ...], ...]
    defects: Defects
    cost: Cost
    header: Header
    g_min_siemens: float = 0.0
    levels: int | None = None

    @property
    def longest_s(self) -> float:
        """Longest age that was measured."""
        return (len(self.spread_na) - 1) * DAY

    def spread_siemens(self, g_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        """Return the sd at G and an age; between days it is interpolated linearly (guessed)."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        require_window(g_siemens, low=0.0, high=self.g_max_siemens, name=self.name)
        day = age_s / DAY
        before = min(int(day), len(self.spread_na) - 2)
        part = day - before
        low = _saturating(g_siemens, self.spread_na[before])
        return low if part == 0 else (1 - part) * low + part * _saturating(g_siemens, self.spread_na[before + 1])

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances on day 0: target plus the published spread, not below 0."""
        return with_spread(target_siemens, partial(self.spread_siemens, age_s=0.0), rng)

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return G after an erasing (drive above 0, more current) or programming pulse each; guessed."""
        require_drive(drive)
        window = (self.g_min_siemens, self.g_max_siemens)
        return soft_pulse(g_siemens, drive, gain=0.1, jitter=0.1, window_siemens=window, rng=rng)

    def write(
        self,
        target_siemens: Float64[ndarray, " cells"],
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the outcome of programming anew until a noisy read lies in the band."""
        return write_by_redraw(
            target_siemens,
            spread_siemens=self.spread_siemens(target_siemens, age_s=0.0),
            noise_siemens=_saturating(target_siemens, self.read_noise_na),
            address=address,
            defect=defect,
            verify=verify,
            key=key,
            window_siemens=(self.g_min_siemens, self.g_max_siemens),
        )

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances with the mean shift and what the spread has grown by since day 0."""
        require_temperature(temperature_k, low=288.15, high=308.15, name=self.name)
        g = np.minimum(g_siemens, self.g_max_siemens)
        now, first = self.spread_siemens(g, age_s=age_s), self.spread_siemens(g, age_s=0.0)
        grown = np.sqrt(np.maximum(now**2 - first**2, 0.0))
        moved = self._shift(g, age_s=age_s) + grown * normals(g.size, rng)
        return np.maximum(g_siemens + moved, 0.0)

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return one reading with the published read noise."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        noise = _saturating(g_siemens, self.read_noise_na)
        return np.maximum(g_siemens + noise * normals(g_siemens.size, rng), 0.0)

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading."""
        return _saturating(g_siemens, self.read_noise_na)

    def _shift(self, g_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        """Return the mean shift; 0 at I = 0 and on day 0, linear in time to the first day, then in log time."""
        day = age_s / DAY
        levels = (0.0, *self.shift_at_na)
        first, last = (np.interp(g_siemens / NANOSIEMENS, levels, (0.0, *row)) for row in self.shifts_na)
        if day <= self.shift_days[0]:
            return NANOSIEMENS * first * (day / self.shift_days[0])
        part = math.log(day / self.shift_days[0]) / math.log(self.shift_days[1] / self.shift_days[0])
        return NANOSIEMENS * ((1 - part) * first + part * last)


def _saturating(g_siemens: Float64[ndarray, " cells"], law: tuple[float, float]) -> Float64[ndarray, " cells"]:
    height_na, scale_na = law
    return NANOSIEMENS * height_na * (1.0 - np.exp(-g_siemens / NANOSIEMENS / scale_na))


SONOS_AGRAWAL = Sonos(
    name="sonos",
    g_max_siemens=1600 * NANOSIEMENS,
    spread_na=(
        (19.887, 176.31),
        (25.591, 186.86),
        (28.728, 193.57),
        (31.043, 198.90),
        (33.762, 204.77),
        (34.579, 207.34),
    ),
    read_noise_na=(12.580, 215.37),
    shift_at_na=(100.0, 200.0, 400.0, 800.0, 1200.0, 1600.0),
    shift_days=(1.0, 5.0),
    shifts_na=((1.7, 1.0, 0.6, -3.8, -7.3, -11.5), (4.1, 2.6, -1.5, -15.2, -28.5, -40.7)),
    defects=Defects(),
    cost=Cost(
        pulse_s=Figure(value=None, evidence="not found"),
        read_s=Figure(value=None, evidence="not found"),
        pulse_j=Figure(value=None, evidence="not found"),
        read_j=Figure(value=None, evidence="not found"),
        endurance=Figure(value=1e6, evidence="second-hand"),
    ),
    header=Header(
        source="Agrawal et al., IEDM 2022",
        table="spread, read noise and mean shift of 128 K devices; shifts computed from CrossSim's polynomials",
        conditions="40 nm eFlash, I up to 1600 nA, days 0 to 5; temperature not stated; past 5 days unsupported",
        fitted="coefficients of CrossSim 3.2.0",
        guessed="response to one pulse; no defects (rate not found); values between days",
        evidence="code",
    ),
)
