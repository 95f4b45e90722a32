"""The locomotion programme of a sea slug: a map that is nearly empty, and says so."""

from pathlib import Path

from neurograft import samples
from neurograft.cli.demo._walk import Walk
from neurograft.copying import copy_spikes
from neurograft.maps import save_map
from neurograft.progress import Progress
from neurograft.report import map_chapter, raster_figure

_MEANING = """125 neurons of a sea slug's pedal ganglion while it crawls. They share a slow rhythm of many seconds; \
in ninety seconds at 1.5 spikes a second and neuron there is hardly a pair whose millisecond coupling could be seen. \
Few calls or none is the right answer here, and 'undecidable' is not 'unconnected'."""


def aplysia_walk(folder: Path, seed: int, progress: Progress) -> Walk:
    """Return the walk over the ganglion; files go to the folder."""
    del seed
    trains = samples.aplysia()
    m = copy_spikes(trains, progress=progress)
    save_map(m, folder / "map.h5")
    title = "Sea slug: 125 neurons, 90 seconds"
    return Walk(
        sections=[map_chapter(title, m, text=_MEANING, more=[raster_figure({"recorded": trains})])],
        lines=[f"sea slug: {m.n_synapses} calls among {m.n_neurons * (m.n_neurons - 1)} ordered pairs"],
        result={"synapses": m.n_synapses},
    )
