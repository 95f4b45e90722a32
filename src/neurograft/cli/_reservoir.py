"""``neurograft reservoir [NETWORK]``: what a map computes as a reservoir, beside its null models."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_network
from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError, did_you_mean
from neurograft.provenance import Provenance, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neurograft.reservoirs import Examination, Signs


def reservoir_command(
    network: Annotated[
        Path | None, typer.Argument(help="A map or a memory image; the bundled wiring of the worm if not given.")
    ] = None,
    signs: Annotated[str, typer.Option(help="Signs of the connections: as-is, random or dale.")] = "as-is",
    nulls: Annotated[int, typer.Option(min=0, help="Null models: same strengths, random pairs.")] = 5,
    radius: Annotated[float, typer.Option(help="Spectral radius that the matrix is scaled to.")] = 0.95,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure memory, information-processing capacity, kernel rank and NARMA-10 of a network as a reservoir."""
    import numpy as np

    from neurograft.reservoirs import examine, matrix_of
    from neurograft.samples import worm

    m = worm() if network is None else open_network(network, age_s=0.0, seed=seed)
    rule = _rule(signs)
    rng = np.random.default_rng(seed)
    with shown_progress() as progress:
        found = examine(matrix_of(m), rng, signs=rule, n_nulls=nulls, radius=radius, progress=progress)
    named = "the worm" if network is None else network.name
    lines = [f"{named}: {m.n_neurons} neurons, signs {signs}, spectral radius {radius:g}"]
    lines += [
        f"  {e.name}: memory {e.memory:.1f}, information {e.information:.1f}, rank {e.rank}, NARMA {e.narma_nrmse:.3f}"
        for e in found
    ]
    if report is not None:
        inputs = {} if network is None else {network.name: fingerprint(network)}
        provenance = Provenance(
            command="reservoir", parameters={"signs": signs, "nulls": nulls, "radius": radius}, seed=seed, inputs=inputs
        )
        _write(report, named, found, provenance)
        lines.append(f"written: {report}")
    show(lines, {"network": named, "signs": signs, "results": [asdict(e) for e in found]}, as_json=as_json)


def _rule(signs: str) -> "Signs":
    from neurograft.reservoirs import Dale, as_is, random_signs

    rules: dict[str, Signs] = {"as-is": as_is, "random": random_signs, "dale": Dale()}
    if signs not in rules:
        raise OptionError(f"--signs {signs!r} is unknown. {did_you_mean(signs, rules)}")
    return rules[signs]


def _write(report: Path, named: str, found: "Sequence[Examination]", provenance: Provenance) -> None:
    from neurograft.report import Report, Section, Table, bars_figure, write_report

    columns = ("reservoir", "memory", "information", "kernel rank", "NARMA-10 error")
    rows = [(e.name, e.memory, e.information, e.rank, e.narma_nrmse) for e in found]
    caption = "Memory, information and rank: more is better.  NARMA-10: less is better; 1 is the error of the mean."
    bars = bars_figure(
        {e.name: e.memory for e in found}, value_axis="memory capacity",
        caption="Linear memory of the network (orange) and of its null models.",
    )  # fmt: skip
    section = Section(title="Beside its null models", blocks=[bars, Table(columns=columns, rows=rows, caption=caption)])
    write_report(Report(title=f"{named} as a reservoir", sections=[section], provenance=provenance), report)
