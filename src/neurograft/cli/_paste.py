"""``neurograft paste map.h5 -o image.h5 --memory rram``: a map becomes a memory image."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._options import AsJson, Out, Seed, show
from neurograft.cli._progress import shown_progress

if TYPE_CHECKING:
    from neurograft.pasting import PasteOptions


def paste_command(
    map_file: Annotated[Path, typer.Argument(metavar="MAP", help="A map, as written by copy, import or culture.")],
    out: Out,
    memory: Annotated[str, typer.Option(help="Memory card; a wrong name lists the known ones.")] = "rram",
    tile: Annotated[int, typer.Option(min=2, help="Rows and columns of a crossbar tile.")] = 256,
    spare_rows: Annotated[int, typer.Option(min=0, help="Rows kept for failing ones, in each tile.")] = 4,
    pairs: Annotated[bool, typer.Option("--pairs", help="Two cells a synapse, instead of one sign a row.")] = False,
    one_shot: Annotated[bool, typer.Option("--one-shot", help="Program once, without verifying.")] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Paste a map into a memory: place every synapse on a cell, program it, verify it."""
    from neurograft.cells import card, save_image
    from neurograft.maps import load_map
    from neurograft.pasting import paste, summarise

    m = load_map(map_file)
    cell = card(memory)
    options = _options(tile=tile, spare_rows=spare_rows, is_paired=pairs, is_one_shot=one_shot)
    with shown_progress() as progress:
        image = paste(m, memory=cell, options=options, seed=seed, progress=progress)
        save_image(image, out)
    summary = summarise(image, m)
    lines = (f"memory: {cell.name} ({cell.header.source})", *summary.lines(), f"written: {out}")
    result = {
        "image": str(out),
        "memory": cell.name,
        "cells": summary.n_cells,
        "tiles": summary.n_tiles,
        "pulses": summary.pulses,
        "failed_cells": summary.n_failed,
        "weight_error": summary.weight_error,
        "product_error": summary.product_error,
        "write_s": summary.parallel_s.value,
        "energy_j": summary.energy_j.value,
    }
    show(lines, result, as_json=as_json)


def _options(*, tile: int, spare_rows: int, is_paired: bool, is_one_shot: bool) -> "PasteOptions":
    from neurograft.cells import OneShot, ProgramAndVerify
    from neurograft.pasting import ColumnPairs, PasteOptions, RowPolarity, Tiles

    return PasteOptions(
        tiles=Tiles(rows=tile, columns=tile, spare_rows=spare_rows),
        signs=ColumnPairs() if is_paired else RowPolarity(),
        verify=OneShot() if is_one_shot else ProgramAndVerify(max_passes=3),
    )
