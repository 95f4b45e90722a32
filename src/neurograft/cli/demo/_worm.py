"""The wiring of a worm: imported, pasted, run, and the pasted worm compared with the unpasted one."""

from pathlib import Path

from neurograft import samples
from neurograft.cli.demo._walk import Walk, fidelity_lines, fidelity_result, pasted
from neurograft.comparing import TrialOptions, compare_maps, compare_twins
from neurograft.maps import save_map
from neurograft.progress import Progress
from neurograft.report import fidelity_chapter, map_chapter, memory_chapter
from neurograft.spikes import save_spikes

_MEANING = """The whole wiring of a hermaphrodite C. elegans: 302 neurons, 3,709 chemical connections and 1,105 gap \
junctions, measured by electron microscopy (Cook et al. 2019). Who is connected to whom, and over how many sections, \
is measured. Everything else is assumed: that the 26 GABA neurons inhibit and all others excite, 0.1 mV a section, \
1.8 ms delay, and that a gap junction passes spikes as a kick."""

_RUN = """Both worms run on the same engine, with the same background drive and the same noise: what differs is the \
memory alone. The neurons here are integrate-and-fire models; most real neurons of this worm do not spike. So this \
shows what pasting does to a network of this wiring. It does not show how a worm thinks."""


def worm_walk(folder: Path, seed: int, progress: Progress) -> Walk:
    """Return the walk over the worm's wiring; files go to the folder."""
    m = samples.worm()
    save_map(m, folder / "map.h5")
    in_memory = pasted(m, folder / "image.h5", memory="rram", seed=seed, progress=progress)
    near = compare_maps(m, in_memory.held)
    options = TrialOptions(duration_s=30.0, n_shuffled=5, n_repeats=3)
    trial = compare_twins(m, in_memory.held, options=options, seed=seed, progress=progress)
    save_spikes(trial.copy, folder / "activity.h5")
    names = {"original": "the worm's map", "copy": "pasted worm"}
    return Walk(
        sections=[
            map_chapter("Worm: a whole wiring map", m, text=_MEANING),
            memory_chapter(
                "Worm: the wiring in memory",
                in_memory.image,
                in_memory.summary,
                text="\n\n".join(near.to_lines()),
            ),
            fidelity_chapter("Worm: pasted beside unpasted", trial, text=_RUN, names=names),
        ],
        lines=[
            f"worm: {m.n_synapses} connections of {m.n_neurons} neurons in {in_memory.summary.n_cells} cells, "
            f"weights off by {in_memory.summary.weight_error:.1%}",
            *fidelity_lines(trial.fidelity),
        ],
        result={
            "synapses": m.n_synapses,
            "weight_error": in_memory.summary.weight_error,
            "fidelity": fidelity_result(trial.fidelity),
        },
    )
