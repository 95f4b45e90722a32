"""How near the copy is to the original, against nulls that know nothing of the synapses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from neurograft.comparing import Fidelity
from neurograft.report._blocks import Cell, Figure, Note, Table
from neurograft.report._theme import GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, axis, escaped, themed

_NULL_COLOURS = (GREY, SKY, ORANGE, PURPLE, GREEN)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NullDistances:
    """How far a null's draws are from the original, and whether the copy is nearer (None: cannot be told)."""

    mean: float
    sd: float
    beats: bool | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityRow:
    """One measure: values of both, and the copy's distance to the original (0 is equal, lower is better)."""

    name: str
    unit: str
    original: float
    copy: float
    distance: float
    ceiling: float  # the original's distance to itself
    nulls: Mapping[str, NullDistances] = field(default_factory=dict[str, NullDistances])
    is_headline: bool = True
    note: str = ""


def fidelity_rows(fidelity: Fidelity) -> tuple[FidelityRow, ...]:
    """Return what ``compare`` found as rows of this room."""
    return tuple(
        FidelityRow(
            name=row.name,
            unit=row.unit,
            original=row.original,
            copy=row.copy,
            distance=row.distance,
            ceiling=row.ceiling,
            nulls={
                name: NullDistances(mean=null.mean, sd=null.sd, beats=null.is_beaten)
                for name, null in row.nulls.items()
            },
            is_headline=row.is_headline,
            note=row.note,
        )
        for row in fidelity.rows
    )


def fidelity_table(rows: Sequence[FidelityRow]) -> Table | Note:
    """Return one line a measure: original, copy, distance, ceiling, and for each null whether it is beaten."""
    if not rows:
        return Note(text="Nothing was compared, so there is no fidelity to show.")
    nulls = list(dict.fromkeys(name for row in rows for name in row.nulls))
    heads = ["measure", "original", "copy", "distance", "original to itself"]
    for name in nulls:
        heads += [f"{name}: distance", f"nearer than {name}"]
    notes = " ".join(f"{row.name}: {row.note}" for row in rows if row.note)
    caption = (
        "Distances between original and copy: 0 is equal, lower is better; * marks headline measures. "
        "'Original to itself' is what a perfect copy could reach with this much data. A null must be farther away for "
        f"a distance to mean anything. {notes}"
    )
    return Table(columns=heads, rows=[_cells(row, nulls) for row in rows], caption=caption.strip())


def _cells(row: FidelityRow, nulls: Sequence[str]) -> list[Cell]:
    unit = f" ({row.unit})" if row.unit else ""
    cells: list[Cell] = [f"{row.name}{unit}{' *' if row.is_headline else ''}", row.original, row.copy]
    cells += [row.distance, row.ceiling]
    for name in nulls:
        null = row.nulls.get(name)
        cells.append(None if null is None or math.isnan(null.mean) else f"{null.mean:.3g} ± {null.sd:.2g}")
        cells.append(None if null is None else null.beats)
    return cells


def fidelity_figure(rows: Sequence[FidelityRow]) -> Figure | Note:
    """Return each measure's distances on a common scale: 0 is equal to the original, 1 the first null's mean."""
    drawn = [row for row in rows if _scale(row) > 0 and math.isfinite(row.distance)]
    if not drawn:
        return Note(text="No measure has both a distance and a null to read it on.")
    place = np.arange(len(drawn))[::-1]
    scale = np.array([_scale(row) for row in drawn])
    names = [f"{escaped(row.name)}{' *' if row.is_headline else ''}" for row in drawn]
    data: list[dict[str, Any]] = []
    nulls = list(dict.fromkeys(name for row in drawn for name in row.nulls))
    for k, name in enumerate(nulls):
        known = [(row.nulls[name], s, y) for row, s, y in zip(drawn, scale, place, strict=True) if name in row.nulls]
        mean, sd = (np.array([getattr(null, key) / s for null, s, _ in known]) for key in ("mean", "sd"))
        data.append(
            {
                **_dots([float(y) + 0.14 * (k + 1) for _, _, y in known], mean, f"null: {name}"),
                "error_x": {"type": "data", "array": 2 * sd, "thickness": 5, "width": 0},
                "marker": {"symbol": "line-ns-open", "size": 12, "color": _NULL_COLOURS[k % len(_NULL_COLOURS)]},
            }
        )
    ceiling = np.array([row.ceiling for row in drawn]) / scale
    distance = np.array([row.distance for row in drawn]) / scale
    marks = {"symbol": "diamond-open", "size": 11, "color": GREEN, "line": {"width": 2}}
    data.append({**_dots(place, ceiling, "original to itself"), "marker": marks})
    data.append({**_dots(place, distance, "copy"), "marker": {"size": 13, "color": VERMILLION}})
    layout = themed(
        {
            "xaxis": axis("distance to the original (first null's mean = 1)", rangemode="tozero"),
            "yaxis": axis("measure", tickvals=place.tolist(), ticktext=names, range=[-0.5, len(drawn) - 0.2]),
            "legend": {"y": 1.01},
        }
    )
    caption = (
        "Distance of the copy (dot), of the original to itself (diamond) and of the nulls (stroke, bar of two standard "
        "deviations) for every measure; * marks headline measures. Left is better. Look for dots left of every bar: "
        "there the copied synapses explain the activity; a dot inside a bar could be had without them."
    )
    return Figure(plot={"data": data, "layout": layout}, caption=caption, height_px=130 + 58 * max(len(drawn), 3))


def _scale(row: FidelityRow) -> float:
    means = [null.mean for null in row.nulls.values() if math.isfinite(null.mean) and null.mean > 0]
    return means[0] if means else 0.0


def _dots(y: Any, x: Any, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "name": escaped(name),
        "hovertemplate": f"{escaped(name)}: %{{x:.3g}}<extra></extra>",
    }
