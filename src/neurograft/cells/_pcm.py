"""Phase-change memory: spread of programming, drift, and read noise that grows with log time.

Joshi et al., Nature Communications 11, 2473 (2020), Figure 3b; Nandakumar et al., ICECS 2019.  HERMES:
Le Gallo et al., Nature Electronics 6, 680 (2023).
"""

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
from neurograft.cells._spread import polynomial
from neurograft.units import MICROSIEMENS, NS, PJ, YEAR

_SMALLEST_X = 1e-6  # log x at a conductance of 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Exponents nu = |N(mean, sd)|, each a polynomial of x from ``x_from`` on, below it clip(a*ln x + b, low, high)."""

    t0_s: float
    mean_log: tuple[float, float, float, float]  # a, b, low, high
    sd_log: tuple[float, float, float, float]
    mean_polynomial: tuple[float, ...] = ()
    mean_x_from: float = math.inf
    sd_polynomial: tuple[float, ...] = ()
    sd_x_from: float = math.inf

    def mean(self, x: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the mean exponent of cells at x = G / Gmax."""
        return _piecewise(x, self.mean_log, self.mean_polynomial, self.mean_x_from)

    def sd(self, x: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the standard deviation of the exponent from cell to cell."""
        return _piecewise(x, self.sd_log, self.sd_polynomial, self.sd_x_from)


def _piecewise(
    x: Float64[ndarray, " cells"], log: tuple[float, float, float, float], terms: tuple[float, ...], x_from: float
) -> Float64[ndarray, " cells"]:
    a, b, low, high = log
    below = np.clip(a * np.log(np.maximum(x, _SMALLEST_X)) + b, low, high)
    return np.where(x >= x_from, polynomial(terms, x), below) if terms else below


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pcm:
    """A card; ``spread_us`` are polynomial coefficients of the programming sd in x = G / g_max.

    Read noise multiplies G by 1 + N(0, Q*sqrt(ln((t + t0 + 250 ns) / 500 ns))), Q = min(noise / x**0.65, 0.2),
    x as programmed; ``read_noise`` None where the source's terms are not at hand: then reads are exact.
    """

    name: str
    g_max_siemens: float
    spread_us: tuple[float, ...]
    drift: Drift
    read_noise: float | None
    defects: Defects
    cost: Cost
    header: Header
    g_min_siemens: float = 0.0
    levels: int | None = None
    longest_s: float = 10 * YEAR

    def spread_siemens(self, g_siemens: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the sd of programming at G."""
        require_window(g_siemens, low=0.0, high=self.g_max_siemens, name=self.name)
        return MICROSIEMENS * np.maximum(polynomial(self.spread_us, g_siemens / self.g_max_siemens), 0.0)

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances at the end of programming: target plus the published spread, not below 0."""
        return with_spread(target_siemens, self.spread_siemens, rng)

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return G after a crystallising (drive above 0) or amorphising pulse each; the response is guessed."""
        require_drive(drive)
        window = (self.g_min_siemens, self.g_max_siemens)
        return soft_pulse(g_siemens, drive, gain=0.2, jitter=0.3, window_siemens=window, rng=rng)

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
            noise_siemens=target_siemens * self._noise(target_siemens, age_s=0.0),
            address=address,
            defect=defect,
            verify=verify,
            key=key,
            window_siemens=(self.g_min_siemens, self.g_max_siemens),
        )

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return G * ((t + t0) / t0) ** -nu, an exponent for each cell."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        require_temperature(temperature_k, low=288.15, high=308.15, name=self.name)
        x = g_siemens / self.g_max_siemens
        nu = np.abs(self.drift.mean(x) + self.drift.sd(x) * normals(x.size, rng))
        return g_siemens * ((age_s + self.drift.t0_s) / self.drift.t0_s) ** -nu

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return one reading; the noise is that of the conductance as programmed, at this age."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        noise = self._noise(programmed_siemens, age_s=age_s)
        return g_siemens * (1.0 + noise * normals(g_siemens.size, rng))

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading: a share of G that grows with age."""
        return np.abs(g_siemens) * self._noise(programmed_siemens, age_s=age_s)

    def _noise(self, programmed_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        if self.read_noise is None:
            return np.zeros_like(programmed_siemens)
        x = np.maximum(programmed_siemens / self.g_max_siemens, _SMALLEST_X)
        q = np.minimum(self.read_noise / x**0.65, 0.2)
        return q * math.sqrt(math.log((age_s + self.drift.t0_s + 250 * NS) / (500 * NS)))


_COST = Cost(
    pulse_s=Figure(value=100 * NS, evidence="second-hand: NVMExplorer survey, SET median of 11; an attempt is more"),
    read_s=Figure(value=100 * NS, evidence="guessed: as long as the pulse"),
    pulse_j=Figure(value=3.5 * PJ, evidence="computed from NVSim cell defaults; an attempt is more"),
    read_j=Figure(value=2 * PJ, evidence="second-hand: NVSim default"),
    endurance=Figure(value=1e8, evidence="second-hand: NVMExplorer survey, median of 13 (1e5-2.8e11)"),
)
_DEFECTS = Defects(dead=0.0, stuck_low=0.0, leaky=0.0)
_DRIFT_JOSHI = Drift(t0_s=20.0, mean_log=(-0.0155, 0.0244, 0.049, 0.1), sd_log=(-0.0125, -0.0059, 0.008, 0.045))


def _header(source: str, table: str, noise: str, residual: str = "not stated by the source") -> Header:
    return Header(
        source=source,
        table=table,
        conditions="room temperature (assumed, not stated); drift measured for hours to days, longer is extrapolated",
        fitted="spread, drift and read noise: coefficients of aihwkit 1.2.0",
        guessed=f"response to one pulse; no defects (rate not found); {noise}",
        evidence="code",
        residual=residual,
    )


PCM_JOSHI = Pcm(
    name="pram",
    g_max_siemens=25 * MICROSIEMENS,
    spread_us=(0.26348, 1.9650, -1.1731),
    drift=_DRIFT_JOSHI,
    read_noise=0.0088,
    defects=_DEFECTS,
    cost=_COST,
    header=_header(
        "Joshi et al. 2020, Nat. Commun. 11:2473, doi 10.1038/s41467-020-16108-9",
        "Figure 3b",
        "reads of one verify are independent",
        "not stated; CrossSim's own fit of this figure agrees within 2 % from 5 uS and is 9 % higher at 0",
    ),
)
_HERMES = "Le Gallo et al. 2023, Nat. Electron. 6:680, doi 10.1038/s41928-023-01010-1"
_NO_NOISE = "read-noise terms are not at hand: reads are exact, which flatters this card"
_HERMES_MEAN = (0.0736, -0.0126, -0.0436)
_HERMES_SD = (0.0073, 0.0093, -0.0118)
PCM_HERMES_TWO = Pcm(
    name="pram_hermes_two",
    g_max_siemens=20.7 * MICROSIEMENS,
    spread_us=(0.16603, 4.71806, -8.48101, 4.68961),
    drift=Drift(
        t0_s=300.0,
        mean_log=(-0.0387, -0.0182, 0.072, 0.13),
        sd_log=(-0.0117, -0.0057, 0.0091, 0.04),
        mean_polynomial=_HERMES_MEAN,
        mean_x_from=0.0945,
        sd_polynomial=_HERMES_SD,
        sd_x_from=0.3055,
    ),
    read_noise=None,
    defects=_DEFECTS,
    cost=_COST,
    header=_header(_HERMES, "two devices a cell", _NO_NOISE),
)
PCM_HERMES_ONE = Pcm(
    name="pram_hermes_one",
    g_max_siemens=10.35 * MICROSIEMENS,
    spread_us=(0.15782, 2.32444, -2.16311, 0.68842),
    drift=Drift(
        t0_s=200.0,
        mean_log=(-0.0387, -0.0182, 0.072, 0.13),
        sd_log=(-0.0117, -0.0057, 0.0091, 0.04),
        mean_polynomial=_HERMES_MEAN,
        mean_x_from=0.0945,
        sd_polynomial=_HERMES_SD,
        sd_x_from=0.3055,
    ),
    read_noise=None,
    defects=_DEFECTS,
    cost=_COST,
    header=_header(_HERMES, "one device a cell; sd of nu is that of two devices (its own is not at hand)", _NO_NOISE),
)
