"""``neurograft forecast DATA``: models learn a series, are scored on held-out rows, and the best goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_activity, open_network
from neurograft.cli._options import AsJson, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError, SeriesError
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import MS

if TYPE_CHECKING:
    from neurograft.reservoirs import Forecast, HeldOut, Table

_TABLES = frozenset({".csv", ".tsv", ".txt", ".npz", ".parquet", ".pq"})


def forecast_command(
    data: Annotated[
        Path, typer.Argument(help="CSV, Parquet or NPZ with columns of numbers; or a recording or spikes.")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV of the rows to come.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Rows to forecast beyond the data.")] = 100,
    held_out: Annotated[
        int | None, typer.Option(min=1, help="Last rows kept for the score; a fifth if not given.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Column to use; give it several times. All if not given.")
    ] = None,
    bin_ms: Annotated[float, typer.Option(help="Bin of a recording's population activity.")] = 20.0,
    components: Annotated[int, typer.Option(min=1, help="Directions of a recording's population activity.")] = 3,
    network: Annotated[
        Path | None,
        typer.Option(help="Map or memory image whose wiring forecasts too, beside its shuffled twin; else the worm's."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report.")] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast a series: models are compared on held-out rows, and the best goes on beyond the data."""
    from neurograft.reservoirs import continued, default_models, forecast_held_out

    table = _opened(data, tuple(column or ()), bin_ms * MS, components)
    n_held_out = held_out if held_out is not None else max(table.values.shape[0] // 5, 1)
    wired = None if network is None else open_network(network, age_s=0.0, seed=0)
    with shown_progress() as progress:
        models = default_models(dt=table.dt, network=wired, progress=progress)
        scores = forecast_held_out(table.values, n_held_out=n_held_out, models=models, names=table.names)
        fitted = [s for s in scores if not s.refused and s.name != "persistence"]
        if not fitted:
            raise SeriesError(f"No model could be fitted to {data}; the first said: {scores[1].refused}")
        best = min(fitted, key=lambda s: s.nrmse)
        model = models[best.name]
        ahead = continued(model, table.values, steps)
    provenance = Provenance(
        command="forecast",
        parameters={"steps": steps, "held_out": n_held_out, "columns": list(table.names)},
        inputs={path.name: fingerprint(path) for path in (data, network) if path is not None},
    )
    written: list[Path] = []
    if out is not None:
        _write_csv(out, table, ahead)
        written.append(out)
    if report is not None:
        _write_report(report, data, table, scores, ahead, provenance)
        written.append(report)
    equations = _equations(model, table.names)
    lines, result = _told(table, scores, best, ahead, equations, n_held_out)
    result = {**result, "written": [str(p) for p in written]}
    show([*lines, *(f"written: {p}" for p in written)], result, as_json=as_json)


def _opened(data: Path, columns: tuple[str, ...], bin_s: float, n_components: int) -> "Table":
    from neurograft.recordings import FileKind, kind_of
    from neurograft.reservoirs import Table, population_series, read_series

    is_table = data.suffix.lower() in _TABLES and (not data.exists() or kind_of(data) is not FileKind.SPIKES)
    if is_table and (not data.exists() or kind_of(data) is not FileKind.RECORDING):
        return read_series(data, columns=columns)
    if columns:
        raise OptionError(f"--column names columns of a table, and {data} is none. Leave it out.")
    values = population_series(open_activity(data), bin_s=bin_s, n_components=n_components)
    names = tuple(f"component {i + 1}" for i in range(values.shape[1]))
    return Table(values=values, names=names, dt=bin_s, is_timed=True)


def _equations(model: object, names: tuple[str, ...]) -> list[str]:
    """Return what was learned where the model can say it."""
    inner = getattr(model, "model_", model)
    write = getattr(inner, "equations", None)
    return [] if write is None else list(write(names, smallest=1e-3))


def _told(
    table: "Table",
    scores: Sequence["HeldOut"],
    best: "HeldOut",
    ahead: "Forecast",
    equations: list[str],
    n_held_out: int,
) -> tuple[list[str], Mapping[str, object]]:
    import math

    lines = [
        f"{table.values.shape[0]} rows of {len(table.names)} columns, {table.dt:g} apart; {n_held_out} rows held out"
    ]
    for s in scores:
        text = s.refused or (
            f"error {s.nrmse:.3g} free-running, {s.nrmse_one_step:.3g} one row ahead; valid for {s.valid_steps} rows"
            + ("" if s.is_bounded else "; LEFT ITS BOUNDS")
        )
        lines.append(f"  {s.name}: {text}")
    lines.append(f"best: {best.name}")
    if not ahead.is_bounded:
        lines.append(
            f"note: beyond the data it left its bounds after {int(ahead.n_bounded)} rows; the rest is held still"
        )
    lines += equations
    result: dict[str, object] = {
        "rows": table.values.shape[0],
        "columns": list(table.names),
        "dt": table.dt,
        "best": best.name,
        "is_bounded": ahead.is_bounded,
        "bounded_rows": int(ahead.n_bounded),
        "equations": equations,
        "models": {
            s.name: {
                "nrmse": None if math.isnan(s.nrmse) else s.nrmse,
                "nrmse_one_step": None if math.isnan(s.nrmse_one_step) else s.nrmse_one_step,
                "valid_rows": s.valid_steps,
                "is_bounded": s.is_bounded,
                "refused": s.refused,
            }
            for s in scores
        },
    }
    return lines, result


def _write_csv(out: Path, table: "Table", ahead: "Forecast") -> None:
    import csv

    from neurograft.files import written_whole

    begin = table.values.shape[0]
    with written_whole(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time" if table.is_timed else "row", *table.names, "is_forecast"])
        for i, row in enumerate(ahead.values):
            at = (begin + i) * table.dt if table.is_timed else begin + i
            writer.writerow([repr(at), *(repr(float(v)) for v in row), int(i < int(ahead.n_bounded))])


def _write_report(
    report: Path, data: Path, table: "Table", scores: Sequence["HeldOut"], ahead: "Forecast", provenance: Provenance
) -> None:
    from neurograft.report import Report, Section, Table, series_figure, write_report

    n_held_out = scores[0].forecast.shape[0]
    shown = {s.name: s.forecast for s in sorted(scores, key=lambda s: s.nrmse) if not s.refused}
    first = dict(list(shown.items())[:3])
    begin = table.values.shape[0] - n_held_out
    held = series_figure(
        table.values, first, names=table.names, dt=table.dt, begin=begin,
        caption="The data (grey) and the best forecasts, which saw only the rows before the line.",
    )  # fmt: skip
    beyond = series_figure(
        table.values, {"forecast": ahead.values}, names=table.names, dt=table.dt, begin=table.values.shape[0],
        caption="What comes after the data, by the best model refitted to all of it.",
    )  # fmt: skip
    columns = ("model", "error, free-running", "error, one row ahead", "valid rows", "bounded", "refused")
    rows = [(s.name, s.nrmse, s.nrmse_one_step, s.valid_steps, s.is_bounded, s.refused) for s in scores]
    caption = (
        "Errors are root mean squares over standard deviations of the training rows: a forecast of the mean has "
        "about 1.  Valid rows: until the error first exceeds 0.4."
    )
    sections = [
        Section(title="Held-out rows", blocks=[held, Table(columns=columns, rows=rows, caption=caption)]),
        Section(title="Beyond the data", blocks=[beyond]),
    ]
    write_report(Report(title=f"Forecast of {data.name}", sections=sections, provenance=provenance), report)
