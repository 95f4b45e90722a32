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
    """Return distances at each level of one kind of spoiling, beside the map itself and shuffled maps."""
    rows: list[list[Cell]] = [
        [f"{level:g}", *(f"{d:.3g} ({a:.3g} to {b:.3g})" for d, a, b in zip(mean, low, high, strict=True))]
        for level, mean, low, high in zip(found.levels, found.distance, found.low, found.high, strict=True)
    ]
    rows.append(["the map itself, other noise", *(_cell(float(x)) for x in found.ceiling)])
    nulls = zip(found.null, found.null_sd, strict=True)
    rows.append(["shuffled maps", *(f"{mean:.3g} ± {sd:.2g}" for mean, sd in nulls)])
    return Table(
        columns=[name, *found.measures],
        rows=rows,
        caption="Distance of the spoilt map's activity from the map's own under the same drive and noise: mean and "
        f"95 % of the mean over {found.n_draws} draws. 0 is equal.",
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
