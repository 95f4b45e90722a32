"""Further comparisons as tables: copy of a copy, answers to a stimulus, prediction, and how fidelity falls."""

import math
from collections.abc import Mapping, Sequence

from neurograft.comparing import Degradation, Judged, Prediction
from neurograft.report._blocks import Cell, Table


def judged_table(rows: Sequence[Judged], *, caption: str) -> Table:
    """Return one line a similarity: the copy with its interval, the original itself, the nulls, p."""
    cells: list[list[Cell]] = [
        [
            f"{row.name}: {row.meaning}",
            _cell(row.value),
            f"{row.low:.3g} to {row.high:.3g}",
            _cell(row.itself),
            _cell(row.null_mean),
            _cell(row.p),
        ]
        for row in rows
    ]
    columns = ["measure", "copy", "95 %", "original itself", "shuffled maps", "p"]
    return Table(columns=columns, rows=cells, caption=caption)


def prediction_table(found: Prediction) -> Table:
    """Return bits a spike of the copy and of shuffled maps."""
    shuffled = found.shuffled
    row: list[Cell] = [
        f"{found.clamped_share:.0%}",
        found.n_spikes,
        found.bits_per_spike,
        f"{found.low:.3g} to {found.high:.3g}",
        float(shuffled.mean()) if shuffled.size else None,
        _cell(found.p),
    ]
    return Table(
        columns=["neurons clamped", "held-out spikes", "bits a spike", "95 %", "shuffled maps", "p"],
        rows=[row],
        caption="What the recorded spikes of clamped neurons tell, through the map, about each spike of the others, "
        "beyond rates. 0 is nothing.",
    )


def degradation_table(name: str, found: Degradation) -> Table:
    """Return distances at each level of one kind of spoiling, beside the map itself and shuffled maps.

    ``name`` is what was spoilt and its levels, as "age:1d,1y".
    """
    what, _, levels = name.partition(":")
    return Table(
        columns=[what, *found.measures],
        rows=found.to_rows(levels.split(",")),
        caption="Distance of the spoilt map's activity from the map's own under the same drive and noise: mean and "
        f"95 % of the mean over {found.n_draws} draws. 0 is equal; itself: the map with other noise.",
    )


def deeper_tables(
    judged: Mapping[str, Sequence[Judged]],
    prediction: Prediction | None,
    curves: Mapping[str, Degradation],
) -> list[Table]:
    """Return all of them in order; the keys say what each is."""
    tables = [judged_table(rows, caption=caption) for caption, rows in judged.items()]
    tables += [] if prediction is None else [prediction_table(prediction)]
    return tables + [degradation_table(name, found) for name, found in curves.items()]


def _cell(value: float) -> float | None:
    return None if math.isnan(value) else value
