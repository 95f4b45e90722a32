"""Six units of a mouse's hippocampus: copied from their spikes, pasted, run, compared."""

from pathlib import Path

from neurograft import samples
from neurograft.cli.demo._walk import Walk, fidelity_lines, fidelity_result, pasted
from neurograft.comparing import TrialOptions, compare_copy
from neurograft.copying import SpikesOptions, copy_spikes, correlogram
from neurograft.maps import SynapseMap, save_map
from neurograft.network import FitOptions
from neurograft.progress import Progress
from neurograft.report import Block, LagCurve, fidelity_chapter, lag_figure, map_chapter, memory_chapter
from neurograft.spikes import SpikeTrains, save_spikes
from neurograft.units import MS

_MEANING = """Six units recorded together in the hippocampus of a mouse, sorted from extracellular voltages. The map \
below is functional: an entry says that spikes of one unit change the other's firing within milliseconds, more than \
slow co-modulation and chance explain. It is what a synapse would do, but an unseen third neuron that drives both can \
do the same, and nobody has looked at these synapses under a microscope. The weight in millivolts is the potential \
that would do as much in the standard model neuron, not one that was measured."""

_RUN = """The copy runs from memory: synapses as read from the cells, integrate-and-fire neurons, and a background \
drive fitted to each unit's rate and to the slow rise and fall of all units together. Rates and slow waves are \
therefore given, not earned. What the map must earn is the coupling between pairs within milliseconds."""


def hippocampus_walk(folder: Path, seed: int, progress: Progress) -> Walk:
    """Return the walk over the six units; files go to the folder."""
    trains = samples.hippocampus()
    m = copy_spikes(trains, options=SpikesOptions(fdr=0.05), progress=progress)
    save_map(m, folder / "map.h5")
    in_memory = pasted(m, folder / "image.h5", memory="rram", seed=seed, progress=progress)
    options = TrialOptions(duration_s=min(trains.duration_s, 1800.0), fit=FitOptions(modulation_bin_s=50 * MS))
    trial = compare_copy(trains, in_memory.held, options=options, seed=seed, progress=progress)
    save_spikes(trial.copy, folder / "activity.h5")
    called = [f"{m.labels[i]} -> {m.labels[j]} ({'+' if w > 0 else '-'})" for i, j, w in _pairs(m)]
    names = {"original": "recorded", "copy": "copy, run from memory"}
    return Walk(
        sections=[
            map_chapter(
                "Hippocampus: the map copied from six units", m, text=_MEANING, more=[_correlograms(trains, m)]
            ),
            memory_chapter(
                "Hippocampus: the map in memory",
                in_memory.image,
                in_memory.summary,
                text="Each synapse on a cell of a crossbar, programmed by pulses until its reading lies in the band.",
            ),
            fidelity_chapter("Hippocampus: the copy beside the original", trial, text=_RUN, names=names),
        ],
        lines=[
            f"hippocampus: {m.n_synapses} functional connections among six units: {', '.join(called) or 'none'}",
            *fidelity_lines(trial.fidelity),
        ],
        result={"synapses": m.n_synapses, "pairs": list(called), "fidelity": fidelity_result(trial.fidelity)},
    )


def _pairs(m: SynapseMap) -> list[tuple[int, int, float]]:
    return [(int(i), int(j), float(w)) for i, j, w in zip(m.pre, m.post, m.weight_v, strict=True)]


def _correlograms(trains: SpikeTrains, m: SynapseMap) -> Block:
    """Return the correlograms of all pairs that were called."""
    curves: list[LagCurve] = []
    for i, j, _ in _pairs(m):
        c = correlogram(trains, i, j)
        curves.append(
            LagCurve(
                name=f"{m.labels[i]} → {m.labels[j]}",
                lag_s=c.lag_s,
                value=c.counts.astype("float64"),
                lower=c.band[0],
                upper=c.band[1],
                is_called=True,
            )
        )
    return lag_figure(curves, value_axis="spikes of post a bin", band="chance around the slow baseline")
