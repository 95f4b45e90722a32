"""``neurograft download RECORDING -o image.h5``: the recording's own signals drive the memory cells."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_source
from neurograft.cli._options import AsJson, Out, Part, Seed, SignalName, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.provenance import Provenance, fingerprint

if TYPE_CHECKING:
    from neurograft.pasting import Downloaded


def download_command(
    recording: Annotated[Path, typer.Argument(help="Membrane potentials or intracellular pads, in their own format.")],
    out: Out,
    memory: Annotated[str, typer.Option(help="Card of an analog memory: rram or pram.")] = "rram",
    map_out: Annotated[
        Path | None,
        typer.Option("--map", help="Also write the map that the cells hold, with evidence of all pairs."),
    ] = None,
    cells: Annotated[int, typer.Option(help="Cells of a pair, whose mean counts.")] = 4,
    fdr: Annotated[float, typer.Option(help="False-discovery rate: share of wrong cells that stay on.")] = 0.05,
    signal: SignalName = None,
    part: Part = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Download a recording into memory directly: no analysis, the cells themselves learn from the signals."""
    from neurograft.cells import card, save_image
    from neurograft.maps import save_map
    from neurograft.pasting import DownloadOptions, download
    from neurograft.spikes import SpikeTrains

    cell, options = card(memory), DownloadOptions(cells_per_pair=cells, fdr=fdr)
    source = open_source(recording, signal=signal, part=part)
    if isinstance(source, SpikeTrains):
        raise OptionError(
            f"{recording} holds spikes, and a download needs the membrane potentials that drive the cells. "
            "Copy the spikes and paste the map: neurograft copy, neurograft paste."
        )
    with shown_progress() as progress:
        found = download(source, memory=cell, options=options, seed=seed, progress=progress)
    inputs = {**found.image.provenance.inputs, recording.name: fingerprint(recording)}
    made: Provenance = replace(found.image.provenance, inputs=inputs)
    save_image(replace(found.image, provenance=made), out)
    lines = [f"memory: {cell.name} ({cell.header.source})", *found.lines(), f"written: {out}"]
    if map_out is not None:
        save_map(replace(found.map, provenance=made), map_out)
        lines.append(f"written: {map_out}")
    show(lines, _result(found, out), as_json=as_json)


def _result(found: "Downloaded", out: Path) -> dict[str, object]:
    m, front = found.map, found.front
    unused = {label: why for label, why in zip(m.labels, front.reason, strict=True) if why}
    return {
        "image": str(out),
        "memory": found.image.cell.name,
        "neurons": m.n_neurons,
        "synapses": m.n_synapses,
        "cells": found.image.n_cells,
        "pulses": found.pulses,
        "recorded_s": found.seconds,
        "energy_j": found.energy_j.value,
        "energy_evidence": found.energy_j.evidence,
        "unused_channels": unused,
        "silent_channels": [label for label, rate in zip(m.labels, front.rate_hz, strict=True) if rate == 0],
    }
