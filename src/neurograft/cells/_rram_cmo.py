"""CMO/HfOx RRAM (Falcone et al. 2025): small programming error, then a relaxation that is alike at all levels."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._checks import require_age, require_drive, require_temperature, require_window
from neurograft.cells._noise import normals, with_spread
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.cells._redraw import soft_pulse, write_by_redraw
from neurograft.units import MICROSIEMENS, NS, PJ, US, YEAR


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RramCmo:
    """A card: programming sd = slope*G + offset; relaxation N(drift*ln t, sd_slope*ln t + sd_offset), t in s from 1 s.

    Reads have sd noise*log10(G/uS)*sqrt(ln((t + 1 us) / 2 us)) uS.
    """

    name: str
    g_min_siemens: float
    g_max_siemens: float
    spread_slope: float
    spread_offset_siemens: float
    relaxation_siemens: float
    relaxation_sd_slope_siemens: float
    relaxation_sd_siemens: float
    noise_siemens: float
    defects: Defects
    cost: Cost
    header: Header
    levels: int | None = None
    longest_s: float = 10 * YEAR

    def spread_siemens(self, g_siemens: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the sd of programming at G."""
        require_window(g_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return self.spread_slope * g_siemens + self.spread_offset_siemens

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances at the end of programming: target plus the published spread."""
        return with_spread(target_siemens, self.spread_siemens, rng)

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return G after a SET (drive above 0) or RESET pulse each; the response is guessed."""
        require_drive(drive)
        window = (self.g_min_siemens, self.g_max_siemens)
        return soft_pulse(g_siemens, drive, gain=0.1, jitter=0.3, window_siemens=window, rng=rng)

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
            spread_siemens=self.spread_siemens(target_siemens),
            noise_siemens=self._noise(target_siemens, age_s=0.0),
            address=address,
            defect=defect,
            verify=verify,
            key=key,
            window_siemens=(self.g_min_siemens, self.g_max_siemens),
        )

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return relaxed conductances; the published law starts at 1 s, before it nothing is known to change."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        require_temperature(temperature_k, low=288.15, high=308.15, name=self.name)
        if age_s < 1.0:
            return g_siemens.copy()
        log_t = math.log(age_s)
        sd = self.relaxation_sd_slope_siemens * log_t + self.relaxation_sd_siemens
        moved = self.relaxation_siemens * log_t + sd * normals(g_siemens.size, rng)
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
        """Return one reading with the published noise."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        noise = self._noise(g_siemens, age_s=age_s)
        return np.maximum(g_siemens + noise * normals(g_siemens.size, rng), 0.0)

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading."""
        return self._noise(g_siemens, age_s=age_s)

    def _noise(self, g_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        growth = math.sqrt(max(math.log((age_s + 1 * US) / (2 * US)), 0.0))
        return self.noise_siemens * growth * np.log10(np.maximum(g_siemens / MICROSIEMENS, 1.0))


_COST = Cost(
    pulse_s=Figure(value=100 * NS, evidence="second-hand: NVMExplorer survey of RRAM, SET median of 14"),
    read_s=Figure(value=100 * NS, evidence="guessed: as long as the pulse"),
    pulse_j=Figure(value=0.6 * PJ, evidence="second-hand: NVSim default for RRAM; an attempt is more"),
    read_j=Figure(value=1 * PJ, evidence="second-hand: NVMExplorer survey of RRAM, n=1"),
    endurance=Figure(value=1e6, evidence="second-hand: NVMExplorer survey of RRAM, median of 18 (1e3-1e8)"),
)


def _falcone(name: str, window: str, slope: float, offset_us: float) -> RramCmo:
    return RramCmo(
        name=name,
        g_min_siemens=9 * MICROSIEMENS,
        g_max_siemens=88 * MICROSIEMENS,
        spread_slope=slope,
        spread_offset_siemens=offset_us * MICROSIEMENS,
        relaxation_siemens=-0.0890 * MICROSIEMENS,
        relaxation_sd_slope_siemens=0.0420 * MICROSIEMENS,
        relaxation_sd_siemens=0.4118 * MICROSIEMENS,
        noise_siemens=0.02773 * MICROSIEMENS,
        defects=Defects(),
        cost=_COST,
        header=Header(
            source="Falcone et al. 2025",
            table=f"programming with a window of {window} of the target, relaxation and read noise",
            conditions="9-88 uS; temperature and longest measured time not stated: long ages are extrapolated",
            fitted="coefficients of aihwkit 1.2.0",
            guessed="response to one pulse; no defects (rate not found); no change before 1 s",
            evidence="code",
        ),
    )


RRAM_CMO = _falcone("rram_cmo", "2 %", 0.0112903, 0.0112185)
RRAM_CMO_FINE = _falcone("rram_cmo_fine", "0.2 %", 0.00106879, 0.00081107)
