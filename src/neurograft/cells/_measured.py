"""A card fitted to a user's own measurements: a table of target and measured conductance, at one or more ages."""

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64
from numpy import ndarray
from numpy.polynomial import Polynomial

from neurograft.cells._checks import require_age, require_drive, require_temperature, require_window
from neurograft.cells._noise import normals, with_spread
from neurograft.cells._protocol import Cost, Defects, Figure, Header, ProgramAndVerify, Written
from neurograft.cells._redraw import soft_pulse, write_by_redraw
from neurograft.cells._spread import SpreadTable
from neurograft.errors import CellError
from neurograft.units import MICROSIEMENS

_UNKNOWN = Figure(value=None, evidence="not measured")
_NO_COST = Cost(pulse_s=_UNKNOWN, read_s=_UNKNOWN, pulse_j=_UNKNOWN, read_j=_UNKNOWN)
_FEWEST = 8  # cells at a level; the sd of fewer is known to worse than 27 %


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A card whose spread was measured and nothing else; reads are exact, as their noise is within the spread.

    ``residual_us`` is the rms difference of the fitted and the measured sd, an entry for each age.
    """

    name: str
    g_min_siemens: float
    g_max_siemens: float
    spread: SpreadTable
    residual_us: tuple[float, ...]
    defects: Defects
    cost: Cost
    header: Header
    levels: int | None = None

    def program(
        self, target_siemens: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return target plus the measured spread at the first age."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return with_spread(target_siemens, partial(self.spread.sd_siemens, age_s=0.0), rng)

    def pulse(
        self, g_siemens: Float64[ndarray, " cells"], drive: Float64[ndarray, " cells"], rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return G after a raising (drive above 0) or lowering pulse each; the response is guessed."""
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
        """Return the outcome of programming anew until a read lies in the band."""
        require_window(target_siemens, low=self.g_min_siemens, high=self.g_max_siemens, name=self.name)
        return write_by_redraw(
            target_siemens,
            spread_siemens=self.spread.sd_siemens(target_siemens, age_s=0.0),
            noise_siemens=np.zeros(target_siemens.size),
            address=address,
            defect=defect,
            verify=verify,
            key=key,
            window_siemens=(self.g_min_siemens, self.g_max_siemens),
        )

    def age(
        self, g_siemens: Float64[ndarray, " cells"], *, age_s: float, temperature_k: float, rng: np.random.Generator
    ) -> Float64[ndarray, " cells"]:
        """Return conductances to which the growth of the spread since the first age is added."""
        require_age(age_s, longest_s=self.spread.ages_s[-1], name=self.name)
        require_temperature(temperature_k, low=288.15, high=308.15, name=self.name)
        if age_s <= self.spread.ages_s[0]:
            return g_siemens.copy()
        g = np.clip(g_siemens, self.g_min_siemens, self.g_max_siemens)
        grown = self.spread.growth_siemens(g, age_s=age_s)
        return np.maximum(g_siemens + grown * normals(g.size, rng), 0.0)

    def read(
        self,
        g_siemens: Float64[ndarray, " cells"],
        *,
        programmed_siemens: Float64[ndarray, " cells"],
        age_s: float,
        temperature_k: float,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " cells"]:
        """Return the conductances unchanged."""
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


def fit_card(path: Path, *, name: str, degree: int = 3) -> Measured:
    """Return a card from a CSV file with the columns target_us, measured_us and age_s, a line a cell.

    At each age the sd of the cells of each target is fitted by a polynomial of the target.  Raises
    CellError for a missing column, an entry that is no number, or too few cells or levels.
    """
    table = _read(path)
    ages = np.unique(table[:, 2])
    fits: list[tuple[tuple[float, ...], float]] = []
    for age in ages:
        levels, sds, counts = _sds(table[table[:, 2] == age], path, float(age))
        if levels.size <= degree:
            raise CellError(
                f"{path} has {levels.size} levels at age {age:g} s, too few for degree {degree}. "
                "Measure more levels or ask for a lower degree."
            )
        fit = Polynomial.fit(levels, sds, degree, w=np.sqrt(counts)).convert()
        residual = float(np.sqrt(np.mean((fit(levels) - sds) ** 2)))
        fits.append((tuple(float(c) for c in fit.coef), residual))
    return Measured(
        name=name,
        g_min_siemens=float(table[:, 0].min()) * MICROSIEMENS,
        g_max_siemens=float(table[:, 0].max()) * MICROSIEMENS,
        spread=SpreadTable(
            unit_siemens=MICROSIEMENS,
            ages_s=tuple(float(a) for a in ages),
            polynomials_us=tuple(coefficients for coefficients, _ in fits),
        ),
        residual_us=tuple(residual for _, residual in fits),
        defects=Defects(),
        cost=_NO_COST,
        header=Header(
            source=f"own measurements: {path.name}",
            table=f"{len(table)} cells",
            conditions="as measured; room temperature assumed",
            fitted=f"sd by level, polynomial of degree {degree}",
            guessed="response to one pulse; no defects; spread between ages (linear in log time)",
            evidence="measured",
        ),
    )


def _read(path: Path) -> Float64[ndarray, "cells 3"]:
    names = ("target_us", "measured_us", "age_s")
    try:
        with path.open(newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [n for n in names if n not in (reader.fieldnames or [])]
            if missing:
                raise CellError(f"{path} lacks the column {missing[0]}. Give {', '.join(names)}.")
            rows = [[_number(row[n], path, reader.line_num, n) for n in names] for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise CellError(f"{path} cannot be read: {error}. Give a CSV file of measurements.") from error
    if not rows:
        raise CellError(f"{path} has no measurements. Give a line a cell.")
    return np.array(rows, dtype=np.float64)


def _number(text: str | None, path: Path, line: int, name: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise CellError(f"{path}, line {line}: {name} is {text!r}. Give a number from 0 on.")
    return value


def _sds(
    table: Float64[ndarray, "cells 3"], path: Path, age_s: float
) -> tuple[Float64[ndarray, " levels"], Float64[ndarray, " levels"], Float64[ndarray, " levels"]]:
    levels, place, counts = np.unique(table[:, 0], return_inverse=True, return_counts=True)
    if counts.min() < _FEWEST:
        level = levels[np.argmin(counts)]
        raise CellError(
            f"{path} has {counts.min()} cells at {level:g} uS and age {age_s:g} s; at least {_FEWEST} are needed "
            "for a standard deviation. Measure more cells of this level."
        )
    error = table[:, 1] - table[:, 0]
    mean_square = np.bincount(place, weights=error**2) / counts  # an offset of the level counts as error too
    return levels, np.sqrt(mean_square), counts.astype(np.float64)


RRAM_MILO = Measured(
    name="rram_milo",
    g_min_siemens=50 * MICROSIEMENS,
    g_max_siemens=225 * MICROSIEMENS,
    spread=SpreadTable(unit_siemens=MICROSIEMENS, ages_s=(1.0,), polynomials_us=((4.782, -0.009107),)),
    residual_us=(),
    defects=Defects(),
    cost=_NO_COST,
    header=Header(
        source="Milo et al., IRPS 2021",
        table="Figure 4, IGVVA-100, as digitised by CrossSim 3.2.0",
        conditions="50-225 uS; time and temperature not stated: given as 1 s and room temperature",
        fitted="coefficients of CrossSim; its residual is not known",
        guessed="response to one pulse; no defects (rate not found)",
        evidence="code",
    ),
)
