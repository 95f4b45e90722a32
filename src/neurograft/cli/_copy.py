"""``neurograft copy RECORDING -o map.h5``: a recording becomes a synaptic map."""

import math
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_source
from neurograft.cli._options import AsJson, Out, Part, SignalName, show
from neurograft.cli._progress import shown_progress
from neurograft.cli._sorted import SorterName, sorted_first
from neurograft.errors import OptionError
from neurograft.maps import Kind
from neurograft.provenance import Provenance, fingerprint

if TYPE_CHECKING:
    from neurograft.copying import IntracellularCopy
    from neurograft.maps import SynapseMap
    from neurograft.progress import Progress
    from neurograft.recordings import Recording
    from neurograft.spikes import SpikeTrains


_MOST_FLAGS = 3


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
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report with the evidence.")] = None,
    sorter: SorterName = None,
    signal: SignalName = None,
    part: Part = None,
    as_json: AsJson = False,
) -> None:
    """Copy the synaptic map out of a recording.

    An unsorted extracellular recording is sorted first, by one of SpikeInterface's sorters (--sorter); the units
    are kept beside the map.
    """
    from neurograft.maps import describe, save_map
    from neurograft.spikes import save_spikes

    source = open_source(recording, signal=signal, part=part)
    with shown_progress() as progress:
        source, told = sorted_first(source, out=out, sorter=sorter, progress=progress)
        for line in told:
            print(line, file=sys.stderr)
        made = _copied(source, mode, fdr, with_evidence=report is not None, progress=progress)
    m = made.map
    m = replace(
        m,
        provenance=replace(m.provenance or Provenance(command="copy"), inputs={recording.name: fingerprint(recording)}),
    )
    save_map(m, out)
    if spikes_out is not None:
        save_spikes(made.spikes, spikes_out)
    lines = [*describe(m), *made.warnings()]
    if report is not None:
        _write(report, m, made.intracellular)
        lines.append(f"written: {report}")
    result = {"map": str(out), "neurons": m.n_neurons, "synapses": m.n_synapses, "pairs": _pairs(m)}
    if made.intracellular is not None:
        result |= _evidence(made.intracellular)
    show((*lines, f"written: {out}"), result, as_json=as_json)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Made:
    """A map, the spikes that it rests on, and all else of a copy of potentials."""

    map: "SynapseMap"
    spikes: "SpikeTrains"
    intracellular: "IntracellularCopy | None" = None

    def warnings(self) -> tuple[str, ...]:
        """Return one line for the channels that are flagged; the report and --json name each."""
        if self.intracellular is None:
            return ()
        flagged = [c for c in self.intracellular.channels if c.flags]
        told = "; ".join(f"{c.label}: {c.flags[0]}" for c in flagged[:_MOST_FLAGS])
        more = f"; and {len(flagged) - _MOST_FLAGS} more" if len(flagged) > _MOST_FLAGS else ""
        return (f"flagged: {len(flagged)} of {len(self.intracellular.channels)} channels ({told}{more})",) * bool(
            flagged
        )


def _pairs(m: "SynapseMap") -> list[dict[str, object]]:
    """Return every synapse with all its columns; what is not known is None."""
    columns = {"weight_v": m.weight_v, "weight_se_v": m.weight_se_v, "delay_s": m.delay_s, "q_value": m.q_value}
    columns |= m.extra
    return [
        {
            "pre": m.labels[m.pre[k]],
            "post": m.labels[m.post[k]],
            "kind": Kind(m.kind[k]).name,
            **{name: _plain(float(column[k])) for name, column in columns.items()},
        }
        for k in range(m.n_synapses)
    ]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _evidence(copied: "IntracellularCopy") -> dict[str, object]:
    """Return the nulls of this recording, its flagged channels and the pairs that were rejected by name."""
    null = copied.null
    numbers = {name: value for name, value in null._asdict().items() if isinstance(value, int | float)}
    return {
        "null": {
            **{name: _plain(float(value)) for name, value in numbers.items()},
            "calibration": null.calibration.tolist(),
            "decoys": null.decoys.tolist(),
        },
        "flags": {c.label: list(c.flags) for c in copied.channels if c.flags},
        "rejected": [r._asdict() for r in copied.rejected],
    }


def _write(path: Path, m: "SynapseMap", copied: "IntracellularCopy | None") -> None:
    from neurograft.report import Report, copied_chapters, map_chapter, write_report

    title = "The synaptic map"
    chapters = (
        [map_chapter(title, m, text="Who is taken to answer whose spikes, and how sure that is.")]
        if copied is None
        else copied_chapters(title, copied)
    )
    write_report(Report(title="A recording copied", sections=chapters, provenance=m.provenance), path)


def _copied(
    source: "SpikeTrains | Recording", mode: Mode, fdr: float, *, with_evidence: bool, progress: "Progress"
) -> _Made:
    from neurograft.copying import IntracellularOptions, SpikesOptions, copy_intracellular, copy_spikes, detect_spikes
    from neurograft.spikes import SpikeTrains

    if isinstance(source, SpikeTrains):
        if mode is Mode.INTRACELLULAR:
            raise OptionError("--mode intracellular needs membrane potentials; the file holds spikes. Leave it out.")
        return _Made(map=copy_spikes(source, options=SpikesOptions(fdr=fdr), progress=progress), spikes=source)
    if mode is Mode.SPIKES:
        spikes = detect_spikes(source, progress=progress)
        return _Made(map=copy_spikes(spikes, options=SpikesOptions(fdr=fdr), progress=progress), spikes=spikes)
    options = IntracellularOptions(fdr=fdr, with_evidence=with_evidence)
    copied = copy_intracellular(source, options=options, progress=progress)
    return _Made(map=copied.map, spikes=copied.spikes, intracellular=copied)
