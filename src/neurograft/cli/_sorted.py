"""An extracellular recording is sorted before it is copied; the units are kept beside the map and used again."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.errors import OptionError, SpikeError

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.progress import Progress
    from neurograft.recordings import Recording
    from neurograft.spikes import SpikeTrains

SorterName = Annotated[
    str | None,
    typer.Option(
        "--sorter",
        help="For extracellular recordings: tridesclous2 (the default), spykingcircus2, simple, mountainsort5, or "
        "electrodes: no sorting, each electrode a unit.",
    ),
]


def sorted_first(
    source: "SpikeTrains | Recording", *, out: Path, sorter: str | None, progress: "Progress"
) -> "tuple[SpikeTrains | Recording, tuple[str, ...]]":
    """Return what is copied, and what to say of it: sorted units where the source is an unsorted recording.

    The units are kept in ``OUT.sorted.h5``.  They are used again for the same samples, sorter and version.
    """
    from neurograft.recordings import Signal, samples_hash
    from neurograft.spikes import USUAL_SORTER, SpikeTrains, require_sorter, save_spikes, sort_spikes, version_of

    if isinstance(source, SpikeTrains) or source.signal is not Signal.EXTRACELLULAR_V:
        if sorter is not None:
            what = "spikes" if isinstance(source, SpikeTrains) else source.signal.value
            raise OptionError(f"--sorter is for extracellular recordings; the file holds {what}. Leave it out.")
        return source, ()
    chosen = sorter or USUAL_SORTER
    require_sorter(chosen)
    kept = out.with_name(f"{out.stem}.sorted.h5")
    inputs = {"samples": f"sha256-pieces:{samples_hash(source)}"}
    found = _kept(kept, {"sorter": chosen, "sorter_version": version_of(chosen)}, inputs)
    if found is not None:
        return found, (f"units of an earlier run by {chosen} used again: {kept}",)
    made = sort_spikes(source, sorter=chosen, progress=progress)
    assert made.trains.provenance is not None
    trains = replace(made.trains, provenance=replace(made.trains.provenance, inputs=inputs))
    save_spikes(trains, kept)
    return trains, (*made.lines, f"units kept: {kept}")


def with_sorter(m: "SynapseMap", spikes: "SpikeTrains") -> "SynapseMap":
    """Return a map whose provenance names the sorter of its spikes, where one sorted them."""
    if m.provenance is None or spikes.provenance is None or spikes.provenance.command != "sort_spikes":
        return m
    parameters = {**m.provenance.parameters, **spikes.provenance.parameters}
    return replace(m, provenance=replace(m.provenance, parameters=parameters))


def _kept(path: Path, parameters: dict[str, str], inputs: dict[str, str]) -> "SpikeTrains | None":
    """Return the units of an earlier run where they are of the same samples, sorter and version."""
    from neurograft.spikes import open_spikes

    if not path.exists():
        return None
    try:
        trains = open_spikes(path)
    except SpikeError:
        trains = None
    if trains is None or trains.provenance is None or trains.provenance.command != "sort_spikes":
        raise OptionError(f"{path} is in the way: units are kept there, and it holds something else. Move it away.")
    is_same = dict(trains.provenance.parameters) == parameters and dict(trains.provenance.inputs) == inputs
    return trains if is_same else None
