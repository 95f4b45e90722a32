"""``neurograft copy RECORDING -o map.h5``: a recording becomes a synaptic map."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_source
from neurograft.cli._options import AsJson, Out, Part, SignalName, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.provenance import Provenance, fingerprint

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.progress import Progress
    from neurograft.recordings import Recording
    from neurograft.spikes import SpikeTrains


class Mode(StrEnum):
    """Which of the two ways of copying is taken."""

    AUTO = "auto"
    INTRACELLULAR = "intracellular"
    SPIKES = "spikes"


def copy_command(
    recording: Annotated[Path, typer.Argument(help="A recording, or sorted spike trains, in their own format.")],
    out: Out,
    mode: Annotated[Mode, typer.Option(help="From membrane potentials, or from spikes alone.")] = Mode.AUTO,
    fdr: Annotated[float, typer.Option(help="False-discovery rate: share of wrong synapses that is accepted.")] = 0.05,
    spikes_out: Annotated[Path | None, typer.Option("--spikes", help="Also write the spikes that were found.")] = None,
    signal: SignalName = None,
    part: Part = None,
    as_json: AsJson = False,
) -> None:
    """Copy the synaptic map out of a recording."""
    from neurograft.maps import describe, save_map
    from neurograft.spikes import save_spikes

    source = open_source(recording, signal=signal, part=part)
    with shown_progress() as progress:
        m, spikes = _copied(source, mode, fdr, progress)
    made = m.provenance or Provenance(command="copy")
    m = replace(m, provenance=replace(made, inputs={recording.name: fingerprint(recording)}))
    save_map(m, out)
    if spikes_out is not None:
        save_spikes(spikes, spikes_out)
    result = {
        "map": str(out),
        "neurons": m.n_neurons,
        "synapses": m.n_synapses,
        "pairs": [
            {"pre": m.labels[i], "post": m.labels[j], "weight_v": float(w), "delay_s": float(d), "q_value": float(q)}
            for i, j, w, d, q in zip(m.pre, m.post, m.weight_v, m.delay_s, m.q_value, strict=True)
        ],
    }
    show((*describe(m), f"written: {out}"), result, as_json=as_json)


def _copied(
    source: "SpikeTrains | Recording", mode: Mode, fdr: float, progress: "Progress"
) -> "tuple[SynapseMap, SpikeTrains]":
    from neurograft.copying import IntracellularOptions, SpikesOptions, copy_intracellular, copy_spikes, detect_spikes
    from neurograft.spikes import SpikeTrains

    if isinstance(source, SpikeTrains):
        if mode is Mode.INTRACELLULAR:
            raise OptionError("--mode intracellular needs membrane potentials; the file holds spikes. Leave it out.")
        return copy_spikes(source, options=SpikesOptions(fdr=fdr), progress=progress), source
    if mode is Mode.SPIKES:
        spikes = detect_spikes(source)
        return copy_spikes(spikes, options=SpikesOptions(fdr=fdr), progress=progress), spikes
    copied = copy_intracellular(source, options=IntracellularOptions(fdr=fdr), progress=progress)
    return copied.map, copied.spikes
