"""What ``compare`` gives back: one row a measure, and the curves of the report."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._json import as_plain, plain_fields


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NullResult:
    """How far a null is from the original by one measure, and whether the copy is nearer.

    ``p`` is the probability that a draw of the null comes as near as the copy: by rank, (1 + nulls at most
    as far as the copy) / (1 + n), where n >= 19; with fewer from Student's prediction for one more draw,
    which takes distances as about normal; NaN with under three draws or where they are all equal.
    ``is_beaten`` is p <= alpha, None where p is unknown.  ``mean_at_ceiling`` is the null's distance
    measured with as much data as the ceiling's.
    """

    mean: float
    sd: float
    n: int
    p: float
    is_beaten: bool | None
    mean_at_ceiling: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row: a property of the activity, its value in both, and the distance that is judged.

    ``distance`` is always 0 for equal activities and grows; its unit is ``distance_unit``.  ``ceiling`` is
    the original's distance to itself (two halves, or another run), ``copy_at_ceiling`` the copy's
    distance with as much data.  ``note`` says why a row is not applicable or not headline.
    """

    name: str
    meaning: str
    unit: str
    distance_unit: str
    original: float
    copy: float
    distance: float
    ceiling: float
    copy_at_ceiling: float
    nulls: Mapping[str, NullResult]
    is_headline: bool
    note: str = ""

    @property
    def is_applicable(self) -> bool:
        """Whether there is a distance at all."""
        return not math.isnan(self.distance)

    @property
    def beats_all(self) -> bool:
        """Whether the copy is nearer than every null."""
        return bool(self.nulls) and all(null.is_beaten is True for null in self.nulls.values())

    def recovered(self, null: str) -> float:
        """Return the way from a null (0) to the ceiling (1) that the copy goes, all with the same amount of data.

        Above 1: nearer than the original is to itself.  NaN where the null is no farther than the ceiling.
        """
        span = self.nulls[null].mean_at_ceiling - self.ceiling
        return (self.nulls[null].mean_at_ceiling - self.copy_at_ceiling) / span if span > 0 else math.nan


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """Arrays for plots; every mapping's keys are ``original``, ``copy`` and the nulls' names (first draw)."""

    spectrum_hz: Float64[ndarray, " bands"]
    spectrum: Mapping[str, Float64[ndarray, " bands"]]  # 1 = Poisson
    interval_edges_s: Float64[ndarray, " edges"]
    interval_density: Mapping[str, Float64[ndarray, " bins"]]  # share of intervals a decade
    rate_hz: Mapping[str, Float64[ndarray, " neurons"]]
    pair_coupling_z: Mapping[str, Float64[ndarray, " ordered_pairs"]]  # the same pairs in each
    pair_correlation: Mapping[str, Float64[ndarray, " pairs"]]  # counts in the first bin size


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fidelity:
    """How near a copy's activity is to the original's, row by row, with the scale to read it on."""

    rows: tuple[Measure, ...]
    curves: Curves
    n_neurons: int
    n_pair_neurons: int
    duration_s: float
    ceiling_from: str
    alpha: float
    seed: int
    labels: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def row(self, name: str) -> Measure:
        """Return the row of that name."""
        return next(row for row in self.rows if row.name == name)

    @property
    def headline(self) -> tuple[Measure, ...]:
        """The rows that a copy can win in principle on this data."""
        return tuple(row for row in self.rows if row.is_headline)

    @property
    def beats_nulls(self) -> bool:
        """Whether the copy is nearer than every null in every headline row, and there is such a row."""
        return bool(self.headline) and all(row.beats_all for row in self.headline)

    def to_lines(self) -> list[str]:
        """Return the table as lines of text; lower distances are nearer, ``*`` marks headline rows."""
        names = list(self.rows[0].nulls) if self.rows else []
        head = ["measure", "original", "copy", "distance", "itself", *(f"{n} (p)" for n in names)]
        table = [head, *(_cells(row) for row in self.rows)]
        width = [max(len(line[k]) for line in table) for k in range(len(head))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, width, strict=True)).rstrip() for line in table]
        won = sum(row.beats_all for row in self.headline)
        lines.append(f"The copy beats every null in {won} of {len(self.headline)} headline measures (*).")
        return [*lines, *(f"{row.name}: {row.note}" for row in self.rows if row.note), *self.notes]

    def as_json(self) -> dict[str, object]:
        """Return rows and notes as plain values, NaN as None; the curves' arrays are left out."""
        rows = [
            {
                **plain_fields(row),
                "beats_all": row.beats_all,
                "recovered": as_plain({name: row.recovered(name) for name in row.nulls}),
            }
            for row in self.rows
        ]
        return {**plain_fields(self, skip=("rows", "curves")), "rows": rows, "beats_nulls": self.beats_nulls}


def _cells(row: Measure) -> list[str]:
    mark = "*" if row.is_headline else " "
    nulls = [f"{_short(null.mean)} ({_short(null.p)})" for null in row.nulls.values()]
    values = [f"{_short(v)} {row.unit if not math.isnan(v) else ''}".rstrip() for v in (row.original, row.copy)]
    return [f"{mark} {row.name}", *values, f"{_short(row.distance)} {row.distance_unit}", _short(row.ceiling), *nulls]


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"
