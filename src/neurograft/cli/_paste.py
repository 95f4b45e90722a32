"""``neurograft paste map.h5 -o image.h5 --memory rram``: a map becomes a memory image."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, Out, Seed, show
from neurograft.cli._paste_choices import Choices, ages_of, hints, inputs_of, kelvin, memory_of, options_of, unused_of
from neurograft.cli._progress import shown_progress
from neurograft.errors import CellError
from neurograft.units import DAY

if TYPE_CHECKING:
    from neurograft.pasting import Aged, BesideNaive, PasteSummary, RefreshCost

_MEMORY = "Card: a shipped one's name (a wrong name lists them), a card's .json, or a .csv of your own measurements."
_ENCODE = "Weights on cells: auto, overflow, linear, companded, levels, digits, parallel."


def paste_command(
    map_file: Annotated[Path, typer.Argument(metavar="MAP", help="A map, as written by copy, import or culture.")],
    out: Out,
    memory: Annotated[str, typer.Option(help=_MEMORY)] = "rram",
    tile: Annotated[int, typer.Option(min=2, help="Rows and columns of a crossbar tile.")] = 256,
    spare_rows: Annotated[int, typer.Option(min=0, help="Rows kept for failing ones, in each tile.")] = 4,
    layers: Annotated[int, typer.Option(min=1, help="3D layers; tiles are dealt out in turn.")] = 1,
    max_tiles: Annotated[int | None, typer.Option(min=1, help="Tiles there are; more are refused.")] = None,
    order: Annotated[str, typer.Option(help="Columns: shared (inputs), file, hubs, metis, hypergraph.")] = "shared",
    pairs: Annotated[bool, typer.Option("--pairs", help="Two cells a synapse, instead of one sign a row.")] = False,
    encode: Annotated[str, typer.Option(help=_ENCODE)] = "auto",
    cells: Annotated[int, typer.Option(min=1, help="Cells a synapse, for digits and parallel.")] = 2,
    large_share: Annotated[
        float | None, typer.Option(help="Share of synapses beyond full scale: they take more cells, or are clipped.")
    ] = None,
    one_shot: Annotated[bool, typer.Option("--one-shot", help="Program once, without verifying.")] = False,
    passes: Annotated[int, typer.Option(min=1, help="Passes of write-verify, with relaxation between.")] = 3,
    reads: Annotated[int, typer.Option(min=1, help="Reads averaged for a decision.")] = 1,
    tolerance: Annotated[float, typer.Option(help="Half the accepted band, a share of the top conductance.")] = 0.025,
    dead: Annotated[float | None, typer.Option(help="Share of dead cells; else the card's.")] = None,
    stuck: Annotated[float | None, typer.Option(help="Share of cells stuck low; else the card's.")] = None,
    leaky: Annotated[float | None, typer.Option(help="Share of leaky cells; else the card's.")] = None,
    around_defects: Annotated[bool, typer.Option("--around-defects", help="Lay rows around known defects.")] = False,
    on_sums: Annotated[int, typer.Option(min=0, help="Rounds of correcting postsynaptic sums.")] = 0,
    inputs: Annotated[
        Path | None, typer.Option(help="Activity whose inputs --on-sums corrects for; else 1 % of axons at random.")
    ] = None,
    unused: Annotated[str, typer.Option(help="Cells without synapse: absent, zero, balanced.")] = "absent",
    beside: Annotated[
        bool, typer.Option("--beside-naive", help="Also paste the plain way: what is won, what it costs.")
    ] = False,
    ages: Annotated[str | None, typer.Option(help="Errors at these ages, such as '1d,1y,10y'.")] = None,
    celsius: Annotated[float, typer.Option(help="Temperature at which the image ages.")] = 25.0,
    refresh_days: Annotated[float | None, typer.Option(help="Cost of programming anew this often.")] = None,
    refresh_beyond: Annotated[
        float | None, typer.Option(help="Refresh only cells that strayed by this share of the top conductance.")
    ] = None,
    save_card: Annotated[Path | None, typer.Option(help="Write the card used, as JSON.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Paste a map into a memory: place every synapse on a cell, program it, verify it."""
    from neurograft.cells import card_to_json, save_image
    from neurograft.files import written_whole
    from neurograft.maps import load_map
    from neurograft.pasting import (
        RefreshAll,
        RefreshStray,
        ageing,
        beside_naive,
        paste,
        programmed_on_sums,
        refresh_cost,
        summarise,
    )

    cell, notes = memory_of(memory)
    said = Choices(
        tile=tile, spare_rows=spare_rows, layers=layers, max_tiles=max_tiles, order=order, is_paired=pairs,
        encode=encode, cells=cells, large_share=large_share, is_one_shot=one_shot, passes=passes, reads=reads,
        tolerance=tolerance, dead=dead, stuck=stuck, leaky=leaky, is_around=around_defects,
    )  # fmt: skip
    options, without = options_of(said, cell), unused_of(unused)
    at_s = () if ages is None else ages_of(ages)
    policy = RefreshAll() if refresh_beyond is None else RefreshStray(beyond=refresh_beyond)
    m = load_map(map_file)
    aged: tuple[Aged, ...] = ()
    cost: RefreshCost | None = None
    plain: BesideNaive | None = None
    unknown: tuple[str, ...] = ()
    with shown_progress() as progress:
        image = paste(m, memory=cell, options=options, seed=seed, progress=progress)
        if on_sums:
            played = inputs_of(inputs, m, seed)
            image = programmed_on_sums(image, m, played, rounds=on_sums, unused=without, seed=seed, progress=progress)
        summary = summarise(image, m, seed=seed, unused=without)
        if beside:
            plain = beside_naive(image, m, options=options, unused=without, seed=seed, progress=progress)
        if at_s:
            aged = ageing(image, m, ages_s=at_s, temperature_k=kelvin(celsius), unused=without, seed=seed)
        if refresh_days is not None:
            try:
                cost = refresh_cost(
                    image, m, every_s=refresh_days * DAY, temperature_k=kelvin(celsius), policy=policy, seed=seed
                )
            except CellError as error:  # as with ages: the image is good, only this is not known of the card
                unknown = (f"refreshed every {refresh_days:g} days: not known: {error}",)
        save_image(image, out)
    if save_card is not None:
        with written_whole(save_card) as part:
            part.write_text(card_to_json(cell) + "\n", encoding="utf-8")
    lines = (f"memory: {cell.name} ({cell.header.source})", *notes, *summary.lines(), *hints(said, unused, summary))
    costs = unknown if cost is None else cost.lines()
    later = (*(() if plain is None else plain.lines()), *(a.line() for a in aged), *costs)
    result = _result(summary, out, cell.name) | {"ages": [asdict(a) for a in aged]}
    if plain is not None:
        result["naive"] = asdict(plain.naive)
        result["naive_error_after_gain"], result["error_after_gain"] = plain.naive_error, plain.our_error
    if cost is not None:
        result["refresh"] = asdict(cost)
    show((*lines, *later, f"written: {out}"), result, as_json=as_json)


def _result(summary: "PasteSummary", out: Path, memory: str) -> dict[str, object]:
    return {
        "image": str(out),
        "memory": memory,
        "cells": summary.n_cells,
        "tiles": summary.n_tiles,
        "utilisation": summary.utilisation,
        "pulses": summary.pulses,
        "failed_cells": summary.n_failed,
        "defective_cells": summary.n_defective,
        "clipped_synapses": summary.n_clipped,
        "unused_cells": summary.n_unused,
        "unused_pulses": summary.unused_pulses,
        "weight_error": summary.weight_error,
        "product_error": summary.product_error,
        "write_s": summary.parallel_s.value,
        "write_serial_s": summary.serial_s.value,
        "energy_j": summary.energy_j.value,
        "energy_evidence": summary.energy_j.evidence,
    }
