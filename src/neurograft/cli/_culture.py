"""``neurograft culture OUT``: a ground-truth culture is grown and recorded."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.cli._seen_by import (
    Clamp,
    Format,
    Mode,
    array_of,
    outside_of,
    refuse_what_does_nothing,
    seen_by,
    sorting_of,
)
from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.culture import CultureOptions

CELLS: Final = "The culture"
SEEN: Final = "How it is recorded"
ARRAY: Final = "The array (intracellular mode)"
SORTER: Final = "The sorter (extracellular mode)"


def _list_kinds(is_asked: bool) -> None:
    if is_asked:
        from neurograft.culture import FAMILIES, describe_kinds

        print("\n".join([*describe_kinds(), "", f"families: {', '.join(family.name for family in FAMILIES)}"]))
        raise typer.Exit


def culture_command(
    out: Annotated[Path, typer.Argument(help="New folder for the recording, truth.h5 and spikes.h5.")],
    kind: Annotated[str, typer.Option(help="Kind of culture, see --list-kinds.", rich_help_panel=CELLS)] = "bursting",
    family: Annotated[
        str | None,
        typer.Option(help="Neurons: adex, izhikevich or hh; the default is the kind's.", rich_help_panel=CELLS),
    ] = None,
    neurons: Annotated[
        int, typer.Option(min=2, help="Neurons to grow, hidden ones included.", rich_help_panel=CELLS)
    ] = 100,
    inputs: Annotated[
        float | None,
        typer.Option(help="Chemical synapses on a neuron, mean; 12, fewer in small cultures.", rich_help_panel=CELLS),
    ] = None,
    excitatory_fraction: Annotated[
        float | None, typer.Option(help="Share of neurons that excite.", rich_help_panel=CELLS)
    ] = None,
    rate_hz: Annotated[
        float | None, typer.Option(help="Mean rate of the neurons; the kind's.", rich_help_panel=CELLS)
    ] = None,
    hidden: Annotated[
        float | None,
        typer.Option(min=0, max=0.99, help="Share of the neurons that no pad sees; the kind's.", rich_help_panel=CELLS),
    ] = None,
    list_kinds: Annotated[
        bool,
        typer.Option(
            "--list-kinds",
            callback=_list_kinds,
            is_eager=True,
            help="List kinds and families, and leave.",
            rich_help_panel=CELLS,
        ),
    ] = False,
    seconds: Annotated[float, typer.Option(help="How long is recorded.", rich_help_panel=SEEN)] = 60.0,
    mode: Annotated[
        Mode,
        typer.Option(help="An array inside cells, true membrane potentials, or sorted spikes.", rich_help_panel=SEEN),
    ] = Mode.INTRACELLULAR,
    form: Annotated[Format, typer.Option("--format", help="Format of the samples.", rich_help_panel=SEEN)] = Format.RAW,
    workers: Annotated[
        int, typer.Option(min=1, help="Threads; the samples do not depend on them.", rich_help_panel=SEEN)
    ] = 2,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows of pads; the smallest square.", rich_help_panel=ARRAY)
    ] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Columns of pads.", rich_help_panel=ARRAY)] = None,
    pitch_um: Annotated[float, typer.Option(help="Distance of pads.", rich_help_panel=ARRAY)] = 20.0,
    shared: Annotated[
        float, typer.Option(help="Share of recorded neurons that sit on another's pad.", rich_help_panel=ARRAY)
    ] = 0.0,
    clamp: Annotated[
        Clamp | None,
        typer.Option(help="Pseudo-current-clamp: voltage; pseudo-voltage-clamp: current.", rich_help_panel=ARRAY),
    ] = None,
    extracellular_pads: Annotated[
        float | None, typer.Option(help="Share of pads that stay outside cells.", rich_help_panel=ARRAY)
    ] = None,
    dead: Annotated[float | None, typer.Option(help="Share of pads that are dead.", rich_help_panel=ARRAY)] = None,
    saturated: Annotated[float | None, typer.Option(help="Share of pads at the rail.", rich_help_panel=ARRAY)] = None,
    crosstalk: Annotated[
        float | None, typer.Option(help="Share of each neighbour's signal.", rich_help_panel=ARRAY)
    ] = None,
    drops_per_minute: Annotated[
        float | None, typer.Option(help="Times a minute that frames are lost.", rich_help_panel=ARRAY)
    ] = None,
    unsorted: Annotated[
        bool,
        typer.Option(
            "--unsorted", help="Keep the voltages of pads outside all cells, to be sorted.", rich_help_panel=SORTER
        ),
    ] = False,
    perfect_sorting: Annotated[
        bool, typer.Option("--perfect-sorting", help="Units are the neurons, no spike missed.", rich_help_panel=SORTER)
    ] = False,
    missed: Annotated[float | None, typer.Option(help="Share of spikes missed.", rich_help_panel=SORTER)] = None,
    false_hz: Annotated[
        float | None, typer.Option(help="Rate of spikes that are nobody's.", rich_help_panel=SORTER)
    ] = None,
    merged: Annotated[
        float | None, typer.Option(help="Share of neurons in one unit with a neighbour.", rich_help_panel=SORTER)
    ] = None,
    split: Annotated[
        float | None, typer.Option(help="Share of units that come out as two.", rich_help_panel=SORTER)
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Grow a culture whose synapses are known, and record it through an array with flaws.

    Everything about it is decided by the options and the seed.  The folder appears whole or not at all; what
    cannot be grown, recorded or stored is refused before work starts.
    """
    from neurograft.culture import grow

    sorter = {"--missed": missed, "--false-hz": false_hz, "--merged": merged, "--split": split}
    flaws = {
        "--extracellular-pads": extracellular_pads,
        "--dead": dead,
        "--saturated": saturated,
        "--crosstalk": crosstalk,
        "--drops-per-minute": drops_per_minute,
    }
    given = {
        "--clamp": clamp,
        "--unsorted": unsorted or None,
        "--perfect-sorting": perfect_sorting or None,
        **sorter,
        **flaws,
    }
    refuse_what_does_nothing(mode, form, given)
    options = _options(kind, family, neurons, inputs, excitatory_fraction, rate_hz, hidden)
    options = _on_pads(options, rows, columns, pitch_um, shared)
    array = outside_of(flaws) if unsorted else array_of(clamp, flaws)
    seen = seen_by(mode, form, array, None if unsorted else sorting_of(perfect_sorting, sorter), workers)
    seen.require(options, out, seconds)
    with shown_progress() as progress:
        culture = grow(options, seed=seed, progress=progress)
        n_synapses, n_seen = seen.write(culture, out, seconds, seed, progress)
    lines = [
        f"{culture.n_recorded} of {neurons} neurons recorded for {seconds:g} s; {n_synapses} synapses in the truth",
        f"written: {out} ({', '.join(seen.files)})",
        f"next: neurograft copy {out / seen.files[0]} -o map.h5{seen.hint}; neurograft score map.h5 {out}/truth.h5",
    ]
    result = {
        "folder": str(out),
        "files": list(seen.files),
        "kind": kind,
        "family": options.family.name,
        "neurons": neurons,
        "recorded": culture.n_recorded,
        "seen": n_seen,
        "synapses": n_synapses,
        "seed": seed,
    }
    show(lines, result, as_json=as_json)


def _options(
    kind: str,
    family: str | None,
    neurons: int,
    inputs: float | None,
    excitatory_fraction: float | None,
    rate_hz: float | None,
    hidden: float | None,
) -> "CultureOptions":
    """Return the kind with what was asked for in its place."""
    from neurograft.culture import culture_named, family_named

    usual = culture_named(
        kind,
        n_neurons=neurons,
        inputs_per_neuron=min(12.0, 0.3 * (neurons - 1)) if inputs is None else inputs,
        family=None if family is None else family_named(family),
    )
    return replace(
        usual,
        excitatory_fraction=usual.excitatory_fraction if excitatory_fraction is None else excitatory_fraction,
        hidden_fraction=usual.hidden_fraction if hidden is None else hidden,
        activity=replace(usual.activity, rate_hz=usual.activity.rate_hz if rate_hz is None else rate_hz),
    )


def _on_pads(
    options: "CultureOptions", rows: int | None, columns: int | None, pitch_um: float, shared: float
) -> "CultureOptions":
    """Return the culture on the pads asked for, or on the smallest square of them."""
    from neurograft.culture import PadGrid

    if (rows is None) != (columns is None):
        raise OptionError("--rows and --columns belong together. Give both, or none for the smallest square.")
    side = options.grid
    grid = PadGrid(
        n_rows=side.n_rows if rows is None else rows,
        n_columns=side.n_columns if columns is None else columns,
        pitch_um=pitch_um,
        shared_fraction=shared,
    )
    return replace(options, pads=grid)
