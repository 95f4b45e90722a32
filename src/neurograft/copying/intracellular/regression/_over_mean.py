"""The action potential's peak over the mean membrane potential: what a pad's coupling is told by.

A running amplitude counts from the median of the 4 to 8 ms before the peak.  Cells whose action potentials start
slowly, or that fire from a depolarised membrane, are then far over their mean already: 69 of 85 mV are left of
Izhikevich's neurons, 83 of 86 of exponential ones, 101 of 105 of Hodgkin and Huxley's (grown cultures).  What is left
differs 1.5 times between them, the peak over the mean 1.25 times.
"""

import numpy as np
from numpy import ndarray

from neurograft.copying.intracellular.neurons._coupling import MIN_EVENTS, Coupling
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._whiten import (
    Block,
    Traces,
    add_levels,
    each_chunk,
    over_mean_v,
    rows_around,
)
from neurograft.progress import Progress
from neurograft.recordings import Signal
from neurograft.units import MS

_BASE_S = (7 * MS, 4 * MS)  # before the row of the steepest rise: what the amplitude counts from
_LEAST, _MOST = 0.75, 2.0  # times the amplitude; beyond, something else is wrong


def coupling_over_mean(traces: Traces, *, action_potential_v: float, progress: Progress) -> Coupling:
    """Return the coupling with each pad's action potentials that high over the neuron's mean, not over their foot.

    Membrane potentials that are known stay as they are.  Reads the rows once.
    """
    gains = traces.coupling
    if traces.thin.signal is Signal.MEMBRANE_V:
        return gains
    firing = np.flatnonzero([len(rows) >= MIN_EVENTS for rows in traces.spike_row])
    levels, blank = np.zeros((len(traces.channel), 3)), rows_around(traces)
    first, last = (round(t * traces.line.rate_hz) for t in _BASE_S)

    def fill(block: Block) -> None:
        for rows in each_chunk(traces, first, block):
            (volts, is_ok), inside = rows.traces, (rows.own.start, rows.own.stop)
            for place, j in enumerate(block):
                spikes = traces.spike_row[j] - rows.first_row
                add_levels(volts[place], is_ok[place], spikes, inside, blank, first, last, levels[j])

    blocks = traces.blocks(firing)
    for done, _ in enumerate(in_order(traces.n_threads, fill, blocks)):
        progress("measuring how high action potentials are", done + 1, len(blocks))
    higher = np.clip(1.0 + np.nan_to_num(over_mean_v(levels)) / action_potential_v, _LEAST, _MOST)
    per_channel: dict[int, float] = dict(zip(traces.channel.tolist(), higher.tolist(), strict=True))
    gain: list[ndarray] = [each / per_channel.get(c, 1.0) for c, each in enumerate(gains.gain)]
    return gains._replace(gain=tuple(gain))
