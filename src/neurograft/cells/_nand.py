"""NAND flash cells that hold one of several threshold voltages, by age.

Cai et al., Proc. IEEE 105(9), 2017, arXiv 1706.08642, Appendix Table 5, 2,000 program/erase cycles:
second-hand, the primary was not read.  The chips are probably planar, floating gate, not 3D.

A level is written as a conductance so that all cards speak one language: level k of n is (k + 1) uS, and
voltages between the levels' one-day means lie in between in proportion.  Only ratios matter.
"""

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt64
from numpy import ndarray

from neurograft.cells._checks import require_age, require_drive, require_temperature, require_window
from neurograft.cells._ispp import write_by_steps
from neurograft.cells._lines import along_lines
from neurograft.cells._noise import noise_kernel, normals
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.cells._threads import in_slices
from neurograft.errors import CellError
from neurograft.units import BOLTZMANN_J_PER_K, DAY, ELEMENTARY_CHARGE_C, MICROSIEMENS, US, YEAR

_REFERENCE_K = 298.15


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NandFlash:
    """A card: mean and sd of the threshold voltage (512 = nominal maximum) of every level at each age.

    ``used`` names the levels of the table that hold data.  References are re-centred at each age
    (read-retry) or held where they were at the first age.  Older than the table, means and sds follow
    a straight line in log time fitted to it (extrapolated).  Temperature scales age by Arrhenius'
    law; the table's own temperature is not stated and taken as 25 C.
    """

    name: str
    used: tuple[int, ...]
    ages_s: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    sds: tuple[tuple[float, ...], ...]
    is_recentred: bool
    activation_ev: float
    cell_sd: float  # spread of the cells' programming speed (guessed)
    step_noise: float  # of one programming step (guessed)
    defects: Defects
    cost: Cost
    header: Header
    longest_s: float = 10 * YEAR

    @property
    def levels(self) -> int:
        """Number of levels in use."""
        return len(self.used)

    @property
    def g_min_siemens(self) -> float:
        """Conductance that stands for the lowest level."""
        return MICROSIEMENS

    @property
    def g_max_siemens(self) -> float:
        """Conductance that stands for the highest level."""
        return self.levels * MICROSIEMENS

    def voltages(self, *, age_s: float) -> tuple[Float64[ndarray, " levels"], Float64[ndarray, " levels"]]:
        """Return mean and sd of the levels in use at an age at 25 C."""
        mean, sd = self._table(age_s)
        return mean[list(self.used)], sd[list(self.used)]

    def references(self, *, age_s: float) -> Float64[ndarray, " references"]:
        """Return the voltages that part neighbouring levels: (m1*s2 + m2*s1) / (s1 + s2)."""
        m, s = self.voltages(age_s=age_s if self.is_recentred else 0.0)
        return (m[:-1] * s[1:] + m[1:] * s[:-1]) / (s[:-1] + s[1:])

    def age_at_reference_s(self, age_s: float, *, temperature_k: float) -> float:
        """Return the age at 25 C that wears data as much as ``age_s`` at a temperature (Arrhenius)."""
        require_temperature(temperature_k, low=253.15, high=398.15, name=self.name)
        ev_per_kt = self.activation_ev * ELEMENTARY_CHARGE_C / BOLTZMANN_J_PER_K
        return age_s * math.exp(ev_per_kt * (1.0 / _REFERENCE_K - 1.0 / temperature_k))

    def to_voltage(self, g_siemens: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the threshold voltage for which a conductance stands."""
        knots_g, knots_v = self._knots()
        return along_lines(g_siemens, knots_g, knots_v)

    def to_siemens(self, voltage: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the conductance that stands for a threshold voltage; not below 0."""
        knots_g, knots_v = self._knots()
        return along_lines(voltage, knots_v, knots_g)

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return cells on the level nearest to their target, spread as measured at the first age."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        m, s = self.voltages(age_s=0.0)
        key, out = rng.integers(2**64, dtype=np.uint64), np.empty(target_siemens.size)

        def work(part: slice) -> None:
            level = np.rint(target_siemens[part] / MICROSIEMENS).astype(np.int64) - 1
            volts = out[part]
            noise_kernel(m[level], s[level], -np.inf, key, np.uint64(part.start // 2), volts)
            volts[:] = self.to_siemens(volts)

        in_slices(out.size, work)
        return out

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return cells after a programming step of up to one level; a single cell cannot be erased."""
        require_drive(drive)
        if np.any(drive < 0):
            raise CellError("drive has entries below 0, but NAND cells are erased block by block. Give 0 to 1.")
        noise = self.step_noise * rng.standard_normal(g_siemens.size) * (drive > 0)
        m, _ = self.voltages(age_s=0.0)
        step = float(np.mean(np.diff(m)))
        return np.maximum(self.to_siemens(self.to_voltage(g_siemens) + drive * step + noise), g_siemens)

    def write(
        self,
        target_siemens: Float64[ndarray, " cells"],
        *,
        address: UInt64[ndarray, " cells"],
        defect: UInt8[ndarray, " cells"],
        verify: ProgramAndVerify,
        key: int,
    ) -> Written:
        """Return the outcome of incremental-step programming, spread as at the first age.

        The step is the whole accepted band, but no wider than the published spread leaves room for.  A cell
        cannot be lowered, so ``max_passes`` has no effect, and reads are exact, so neither has ``n_reads``.
        """
        level = self._level(target_siemens)
        m, s = self.voltages(age_s=0.0)
        room = float(np.min(s[1:])) ** 2 - self.step_noise**2  # a step w adds w^2 / 12 to the variance
        widest = math.sqrt(12 * room) if room > 0 else math.inf
        width = min(2 * verify.tolerance * self.levels * float(np.mean(np.diff(m))), widest)
        volts, pulses, flags = write_by_steps(
            level,
            mean=m,
            sd=s,
            step=width,
            cell_sd=self.cell_sd,
            noise=self.step_noise,
            max_pulses=verify.max_pulses,
            address=address,
            defect=defect,
            key=key,
        )
        g = self.to_siemens(volts)
        shown = np.array([0.0, 0.0, self.g_min_siemens, self.g_max_siemens])[defect]
        return Written(np.where(defect > 0, shown, g), pulses, flags)

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return cells that have lost or won charge; younger than the table they are as they were.

        The mean shift is a smooth function of a cell's voltage (straight between the levels' means), and
        each cell's own loss is random, with the variance by which the levels widen.
        """
        worn_s = self.age_at_reference_s(age_s, temperature_k=temperature_k)
        m0, s0 = self._table(0.0)
        m, s = self._table(worn_s)
        volts = self.to_voltage(g_siemens)
        slope = np.gradient(m - m0, m0)
        knots = np.concatenate(([m0[0] - 1e3], m0, [m0[-1] + 1e3]))
        shift = np.concatenate(([(m - m0)[0] - 1e3 * slope[0]], m - m0, [(m - m0)[-1] + 1e3 * slope[-1]]))
        widening = np.sqrt(np.maximum(s**2 - ((1.0 + slope) * s0) ** 2, 0.0))
        if worn_s <= self.ages_s[0]:
            return g_siemens.copy()
        lost = along_lines(volts, knots, shift) + along_lines(volts, m0, widening) * normals(volts.size, rng)
        return self.to_siemens(volts + lost)

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return the level that the references see, as the conductance that stands for it."""
        worn_s = self.age_at_reference_s(age_s, temperature_k=temperature_k)
        level = np.searchsorted(self.references(age_s=worn_s), self.to_voltage(g_siemens))
        return (level + 1.0) * MICROSIEMENS

    def _table(self, age_s: float) -> tuple[Float64[ndarray, " levels"], Float64[ndarray, " levels"]]:
        """Return mean and sd of all levels of the table at an age at 25 C."""
        require_age(age_s, longest_s=self.longest_s, name=self.name)
        log_t, at = math.log(max(age_s, self.ages_s[0])), np.log(self.ages_s)
        columns: list[ndarray] = []
        for table in (np.array(self.means), np.array(self.sds)):
            if log_t <= at[-1]:
                columns.append(np.array([np.interp(log_t, at, level) for level in table.T]))
            else:
                columns.append(np.array([np.polyval(np.polyfit(at, level, 1), log_t) for level in table.T]))
        return columns[0], columns[1]

    def read_noise_siemens(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
    ) -> Float64[ndarray, " cells"]:
        """Return the sd of a reading: readings are exact."""
        return np.zeros(g_siemens.size)

    def _level(self, target_siemens: Float64[ndarray, " cells"]) -> Int64[ndarray, " cells"]:
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return np.rint(target_siemens / MICROSIEMENS).astype(np.int64) - 1

    def _knots(self) -> tuple[Float64[ndarray, " knots"], Float64[ndarray, " knots"]]:
        """Return conductances and voltages that stand for each other: the levels and one step beyond both ends."""
        m, _ = self.voltages(age_s=0.0)
        volts = np.concatenate(([2 * m[0] - m[1]], m, [2 * m[-1] - m[-2]]))
        return np.arange(volts.size) * MICROSIEMENS, volts


_CAI_MEANS = (
    (-92.7, 66.6, 128.1, 191.9, 254.9, 318.3, 384.3, 448.1),
    (-86.7, 67.5, 128.1, 191.4, 253.8, 316.5, 381.8, 444.9),
    (-84.4, 68.6, 128.7, 191.6, 253.5, 315.8, 380.9, 443.6),
    (-75.6, 72.8, 131.6, 193.3, 254.3, 315.7, 380.2, 442.2),
    (-69.4, 76.6, 134.2, 195.2, 255.3, 316.0, 379.6, 440.8),
)
_CAI_SDS = (
    (48.2, 9.7, 9.7, 9.4, 9.3, 9.1, 9.5, 9.1),
    (46.4, 10.7, 10.8, 10.5, 10.6, 10.3, 10.6, 10.6),
    (46.8, 11.3, 11.2, 11.0, 10.9, 10.8, 11.2, 11.1),
    (45.9, 12.0, 11.8, 11.5, 11.4, 11.4, 11.7, 11.7),
    (45.9, 12.8, 12.4, 12.0, 12.0, 11.9, 12.3, 12.4),
)


def _cai(name: str, used: tuple[int, ...], *, is_recentred: bool, bits: str, endurance: float = 3e3) -> NandFlash:
    return NandFlash(
        name=name,
        used=used,
        ages_s=(1 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 1 * YEAR),
        means=_CAI_MEANS,
        sds=_CAI_SDS,
        is_recentred=is_recentred,
        activation_ev=1.1,
        cell_sd=30.0,
        step_noise=3.0,
        defects=Defects(),
        cost=Cost(
            pulse_s=Figure(
                value=40 * US, evidence="computed: page 0.8 ms (Micron 96L TLC, second-hand) / 20 pulses (guessed)"
            ),
            read_s=Figure(value=0.0, evidence="guessed: the verify read is within the page time"),
            pulse_j=Figure(value=None, evidence="not found"),
            read_j=Figure(value=None, evidence="not found"),
            cells_at_once=16 * 1024 * 8,
            endurance=Figure(value=endurance, evidence="second-hand: SLC 1e5, MLC 1e4, TLC 3e3-1e4"),
        ),
        header=Header(
            source="Cai et al. 2017, Proc. IEEE 105(9), arXiv 1706.08642",
            table=f"Appendix Table 5, levels used: {bits}",
            conditions="2,000 P/E cycles; temperature not stated, taken as 25 C; beyond 1 year extrapolated",
            fitted="nothing; retention clock 1.1 eV (HotStorage 2021, second-hand)",
            guessed="programming speed of cells, noise of a step; no defects (rate not found); month = 30 days",
            evidence="second-hand",
            residual="0 up to a year (the table itself); the line in log time misses its means by 0.3 to 1.9 units",
        ),
    )


_TLC = tuple(range(8))
NAND_TLC = _cai("flash", _TLC, is_recentred=True, bits="all 8 (three bits), read-retry")
NAND_TLC_HELD = _cai("flash_held", _TLC, is_recentred=False, bits="all 8 (three bits), references held at 1 day")
NAND_MLC = _cai("flash_mlc", (1, 3, 5, 7), is_recentred=True, bits="P1, P3, P5, P7 (two bits)", endurance=1e4)
NAND_SLC = _cai("flash_slc", (0, 4), is_recentred=True, bits="ER and P4 (one bit)", endurance=1e5)


def _quad() -> NandFlash:
    """Four bits: nobody's table was found.  Sixteen levels over the same voltages, half as wide: a guess."""
    means = np.array(_CAI_MEANS)
    sds = np.array(_CAI_SDS)
    at = np.linspace(1.0, 7.0, 15)  # 15 programmed levels between P1 and P7
    knots = np.arange(8.0)
    of_level = [[np.interp(at, knots, row) for row in table] for table in (means, sds)]
    three = NAND_TLC
    return replace(
        three,
        name="flash_qlc",
        used=tuple(range(16)),
        means=tuple((float(e[0]), *map(float, row)) for e, row in zip(means, of_level[0], strict=True)),
        sds=tuple((float(e[0]), *(float(v) / 2 for v in row)) for e, row in zip(sds, of_level[1], strict=True)),
        cost=replace(three.cost, endurance=Figure(value=300.0, evidence="second-hand: QLC 150-1,000")),
        header=replace(
            three.header,
            table="none for four bits: made from the three-bit table (Appendix Table 5)",
            guessed="all sixteen levels: spaced evenly between P1 and P7 and half as wide; " + three.header.guessed,
            evidence="guessed",
            residual="not known: no four-bit distribution was found",
        ),
    )


NAND_QLC = _quad()
