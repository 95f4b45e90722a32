"""Six units of a mouse's hippocampus: copied from their spikes, pasted, run, compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neurograft import samples
from neurograft.cli.demo._walk import Walk, fidelity_lines, fidelity_result, pasted
from neurograft.comparing import Trial, TrialOptions, compare_copy, poisson_trains, redrawn_map
from neurograft.copying import copy_spikes, correlogram
from neurograft.maps import SynapseMap, save_map
from neurograft.network import FitOptions
from neurograft.progress import Progress
from neurograft.report import Cell, Table, correlograms_figure, fidelity_chapter, map_chapter, memory_chapter
from neurograft.spikes import SpikeTrains, save_spikes
from neurograft.units import MS

_MEANING = """Six units recorded together in the hippocampus of a mouse, sorted from extracellular voltages; all six \
are classified as interneurons, which inhibit. The map below is functional: an entry says that spikes of one unit \
change the other's firing within milliseconds, more than slow co-modulation and chance explain. It is what a synapse \
would do, but an unseen third neuron that drives both can do the same (and between interneurons an excitatory-like \
entry is rather that, or an electrical coupling). Nobody has looked at these synapses under a microscope. The weight \
in millivolts is the potential that would do as much in the standard model neuron, not one that was measured."""

_RUN = """The copy runs from memory: synapses as read from the cells, integrate-and-fire neurons, and a steady \
background drive fitted to each unit's rate. The shuffled maps beside it have the same few connections between \
pairs drawn at random. Rates are therefore given, not earned. What a map of a few connections \
can earn is the coupling of pairs within milliseconds. What it cannot: the shape of the intervals between spikes, \
which comes from the neurons' own dynamics and is the same in a shuffled map; and correlation over 20 ms and more, the \
spectrum and the coupling to the population, which in the living brain come from thousands of neurons and rhythms \
that nobody recorded here. Pairs whose coupling looks the same before and after a spike were refused as common drive \
or one electrode: it is in the recording and not in the map, so the whole matrix of couplings is not matched either. \
Where the table says that a null is not beaten, that is why; the connections of the map are the first table."""


_RUN_S = 600.0
_N_POISSON = 19
_FIT = FitOptions(modulation_bin_s=None, n_rounds=4)


def hippocampus_walk(folder: Path, seed: int, progress: Progress) -> Walk:
    """Return the walk over the six units; files go to the folder."""
    trains = samples.hippocampus()
    m = copy_spikes(trains, progress=progress)
    save_map(m, folder / "map.h5")
    in_memory = pasted(m, folder / "image.h5", memory="rram", seed=seed, progress=progress)
    options = TrialOptions(duration_s=_RUN_S, n_shuffled=7, fit=_FIT, null=redrawn_map)
    trial = compare_copy(trains, in_memory.held, options=options, seed=seed, progress=progress)
    save_spikes(trial.copy, folder / "activity.h5")
    passed = _transmission(trial, m, seed)
    called = [f"{m.labels[i]} -> {m.labels[j]} ({'+' if w > 0 else '-'})" for i, j, w in _pairs(m)]
    names = {"original": "recorded", "copy": "copy, run from memory"}
    correlograms = correlograms_figure(trains, m, [(i, j) for i, j, _ in _pairs(m)], are_called=True)
    return Walk(
        sections=[
            map_chapter("Hippocampus: the map copied from six units", m, text=_MEANING, more=[correlograms]),
            memory_chapter(
                "Hippocampus: the map in memory",
                in_memory.image,
                in_memory.summary,
                text="Each synapse on a cell of a crossbar, programmed by pulses until its reading lies in the band.",
            ),
            fidelity_chapter(
                "Hippocampus: the copy beside the original", trial, text=_RUN, names=names, first=[passed]
            ),
        ],
        lines=[
            f"hippocampus: functional connections among six units, {m.n_synapses}: {', '.join(called) or 'none'}",
            *(_told(row) for row in passed.rows),
            *fidelity_lines(trial.fidelity),
        ],
        result={"synapses": m.n_synapses, "pairs": list(called), "fidelity": fidelity_result(trial.fidelity)},
    )


def _transmission(trial: Trial, m: SynapseMap, seed: int) -> Table:
    """Return what each connection that was called passes on, in recording, copy and both nulls."""
    nulls = {
        "shuffled maps": trial.shuffled,
        "Poisson trains": [
            poisson_trains(trial.original, rng) for rng in np.random.default_rng(seed).spawn(_N_POISSON)
        ],
    }
    rows: list[list[Cell]] = []
    for i, j, _ in _pairs(m):
        row: list[Cell] = [f"{m.labels[i]} -> {m.labels[j]}", _passed_on(trial.original, i, j)]
        row.append(_passed_on(trial.copy, i, j))
        for draws in nulls.values():
            each = np.array([_passed_on(trains, i, j) for trains in draws])
            row.append(f"{each.mean():.4f} ± {each.std(ddof=1):.4f}")
        rows.append(row)
    return Table(
        columns=["connection", "recorded", "copy", *nulls],
        rows=rows,
        caption="Extra spikes of the second unit within 0.5 to 6 ms for each spike of the first, above the slow "
        "baseline. The map is made of these; a copy that runs must show them, and nulls must not.",
    )


def _passed_on(trains: SpikeTrains, pre: int, post: int) -> float:
    c = correlogram(trains, pre, post)
    inside = (c.lag_s > 0.25 * MS) & (c.lag_s < 6.25 * MS)
    n_spikes = max(int(trains.counts()[pre]), 1)
    return float((c.counts - c.baseline)[inside].sum()) / n_spikes


def _told(row: Sequence[Cell]) -> str:
    name, recorded, copy, shuffled, poisson = row
    nulls = f"{shuffled} in shuffled maps, {poisson} in Poisson trains"
    return f"  {name} passes on {recorded:.4f} extra spikes recorded, {copy:.4f} in the copy ({nulls})"


def _pairs(m: SynapseMap) -> list[tuple[int, int, float]]:
    return [(int(i), int(j), float(w)) for i, j, w in zip(m.pre, m.post, m.weight_v, strict=True)]
