"""Eight neurons patched at once: the right answer is that there is no synapse, only cross-talk."""

from pathlib import Path

import numpy as np

from neurograft import samples
from neurograft.cli.demo._walk import Walk
from neurograft.copying import IntracellularCopy, copy_intracellular, triggered_average
from neurograft.maps import Undecidable, save_map
from neurograft.progress import Progress
from neurograft.recordings import Recording
from neurograft.report import Block, Cell, LagCurve, Table, lag_figure, map_chapter, traces_figure
from neurograft.spikes import save_spikes
from neurograft.units import MV

_MEANING = """Whole-cell recordings of eight neurons at once. Cell 3 is stimulated and fires twenty times; right \
after each of its spikes cells 2 and 4 jump by a millivolt for two milliseconds. That is how the amplifiers talk to \
each other, not how neurons do. A copier must reject it, and must say that pairs whose first neuron never fired cannot \
be judged."""


def multipatch_walk(folder: Path, seed: int, progress: Progress) -> Walk:
    """Return the walk over the eight cells; files go to the folder."""
    del seed  # copying draws nothing that shows in the map
    recording = samples.multipatch()
    copied = copy_intracellular(recording, progress=progress)
    m = copied.map
    save_map(m, folder / "map.h5")
    save_spikes(copied.spikes, folder / "spikes.h5")
    assert m.evidence is not None
    rejected = np.argwhere(m.evidence.undecidable == Undecidable.CROSS_TALK)
    names = [f"{m.labels[i]} -> {m.labels[j]}" for i, j in rejected]
    blocks = [
        _rejected(copied),
        traces_figure(recording, trains=copied.spikes, length_s=0.5),
        _averages(recording, copied),
    ]
    answer = "no synapse" if m.n_synapses == 0 else f"{m.n_synapses} synapses"
    return Walk(
        sections=[map_chapter("Eight patched cells: cross-talk is not a synapse", m, text=_MEANING, more=blocks)],
        lines=[f"eight patched cells: {answer}; rejected as cross-talk: {', '.join(names) or 'nothing'}"],
        result={"synapses": m.n_synapses, "cross_talk": list(names)},
    )


def _rejected(copied: IntracellularCopy) -> Table:
    """Return the pairs that answer, but not as synapses do."""
    rows: list[list[Cell]] = [[f"{pair.pre} -> {pair.post}", pair.why] for pair in copied.rejected]
    return Table(columns=["pair", "what was seen"], rows=rows, caption="Pairs that were rejected by name.")


def _averages(recording: Recording, copied: IntracellularCopy) -> Block:
    """Return what every cell does after the spikes of the one that fires most."""
    pre = int(np.argmax(copied.spikes.counts()))
    curves: list[LagCurve] = []
    for post in range(copied.spikes.n_neurons):
        if post == pre:
            continue
        a = triggered_average(recording, copied.spikes, pre, post)
        name = f"{copied.map.labels[pre]} → {copied.map.labels[post]}"
        curves.append(
            LagCurve(
                name=name, lag_s=a.lag_s, value=a.mean_v / MV, lower=a.lower_v / MV, upper=a.upper_v / MV,
                is_called=False,
            )
        )  # fmt: skip
    return lag_figure(curves, value_axis="membrane potential (mV)", band="95 % of the mean")
