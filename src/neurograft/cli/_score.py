"""``neurograft score map.h5|image.h5 truth.h5``: how right a copied map is; swapped pre and post fail."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._copy import Mode
from neurograft.cli._files import open_network, open_source
from neurograft.cli._options import AsJson, Part, Seed, SignalName, show
from neurograft.cli._progress import shown_progress
from neurograft.errors import CompareError, OptionError
from neurograft.provenance import Provenance, fingerprint

if TYPE_CHECKING:
    from neurograft.comparing import Score
    from neurograft.maps import SynapseMap
    from neurograft.progress import Progress
    from neurograft.recordings import Recording


def score_command(
    map_file: Annotated[Path, typer.Argument(metavar="MAP", help="The copied map, or a memory image, read once.")],
    truth_file: Annotated[Path, typer.Argument(metavar="TRUTH", help="The true map, e.g. a culture's truth.h5.")],
    spikes: Annotated[Path | None, typer.Option(help="Spikes, to show figures against their number.")] = None,
    recording: Annotated[
        Path | None,
        typer.Option(help="What the map was copied from: copied again with every neuron shifted in time, as a decoy."),
    ] = None,
    mode: Annotated[Mode, typer.Option(help="How the recording is copied again.")] = Mode.AUTO,
    fdr: Annotated[float, typer.Option(help="False-discovery rate at which it is copied again.")] = 0.05,
    decoy: Annotated[
        list[str] | None, typer.Option(metavar="NAME=MAP", help="A map in which every call is false; may be repeated.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report.")] = None,
    signal: SignalName = None,
    part: Part = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score a map against the truth: AUC, average precision, recall, realised false-discovery rate, errors."""
    from neurograft.cells import image_format
    from neurograft.comparing import score
    from neurograft.maps import load_layout, load_map
    from neurograft.spikes import open_spikes

    is_image = image_format(map_file) == "neurograft image"
    m = open_network(map_file, age_s=0.0, seed=seed) if is_image else load_map(map_file)
    truth = load_map(truth_file)
    trains = None if spikes is None else open_spikes(spikes)
    decoys = _named(decoy or [])
    if recording is not None:
        with shown_progress() as progress:
            decoys |= _copied_decoys(recording, signal, part, mode=mode, fdr=fdr, seed=seed, progress=progress)
    result = score(m, truth, layout=load_layout(truth_file), spikes=trains, decoys=decoys)
    lines = result.to_lines()
    if report is not None:
        files = [map_file, truth_file, *(path for path in (spikes, recording) if path is not None)]
        _write(report, result, files, seed)
        lines.append(f"written: {report}")
    show(lines, result.as_json(), as_json=as_json)
    if result.is_swapped:
        raise CompareError(
            f"{map_file.name} fails the orientation test: pre and post are swapped "
            f"({result.orientation.n_backward} one-way pairs score higher backward, {result.orientation.n_forward} "
            "forward). Exchange them where the map is made."
        )


def _named(decoys: list[str]) -> "dict[str, SynapseMap]":
    from neurograft.maps import load_map

    found: dict[str, SynapseMap] = {}
    for text in decoys:
        name, sign, path = text.partition("=")
        if not (sign and name and path):
            raise OptionError(f"--decoy is {text!r}. Write NAME=MAP, such as time-shifted=shifted.h5.")
        found[name] = load_map(Path(path))
    return found


def _copied_decoys(
    path: Path, signal: str | None, part: str | None, *, mode: Mode, fdr: float, seed: int, progress: "Progress"
) -> "dict[str, SynapseMap]":
    """Return maps copied from data in which no pair is connected: shifted in time and, of traces, played backwards."""
    import numpy as np

    from neurograft.cli._decoys import Reversed, shifted_recording, shifted_spikes
    from neurograft.copying import SpikesOptions, copy_spikes, detect_spikes
    from neurograft.spikes import SpikeTrains

    source, rng = open_source(path, signal=signal, part=part), np.random.default_rng(seed)
    if mode is Mode.INTRACELLULAR and isinstance(source, SpikeTrains):
        raise OptionError("--mode intracellular needs membrane potentials; the file holds spikes. Leave it out.")
    if isinstance(source, SpikeTrains) or mode is Mode.SPIKES:
        trains = source if isinstance(source, SpikeTrains) else detect_spikes(source)
        shifted = shifted_spikes(trains, rng)
        return {"time-shifted": copy_spikes(shifted, options=SpikesOptions(fdr=fdr), progress=progress)}
    with shifted_recording(source, rng) as turned:
        decoys = {"time-shifted": _copied(turned, fdr, progress)}
    return decoys | {"played backwards": _copied(Reversed(source=source), fdr, progress)}


def _copied(recording: "Recording", fdr: float, progress: "Progress") -> "SynapseMap":
    from neurograft.copying import IntracellularOptions, copy_intracellular

    return copy_intracellular(recording, options=IntracellularOptions(fdr=fdr), progress=progress).map


def _write(report: Path, result: "Score", files: list[Path], seed: int) -> None:
    from neurograft.report import Report, score_chapter, write_report

    provenance = Provenance(command="score", seed=seed, inputs={path.name: fingerprint(path) for path in files})
    title = f"{files[0].name} scored against {files[1].name}"
    write_report(Report(title=title, sections=[score_chapter("Score", result)], provenance=provenance), report)
