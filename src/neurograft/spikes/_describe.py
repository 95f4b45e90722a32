"""Spike trains in ten lines."""

import numpy as np

from neurograft.spikes._read import NOTES
from neurograft.spikes._trains import SpikeTrains

_REFRACTORY_S = 1e-3  # two spikes of one neuron closer than this are doubtful
_MOST_NOTES = 3


def describe(trains: SpikeTrains) -> tuple[str, ...]:
    """Return at most ten lines that tell what the trains hold."""
    rates_hz = trains.rates_hz()
    silent = int(np.count_nonzero(trains.counts() == 0))
    start_s, stop_s = trains.epochs_s[0, 0], trains.epochs_s[-1, 1]
    lines = [
        f"spike trains of {trains.n_neurons} neurons",
        f"spikes: {trains.n_spikes}",
        f"observed: {trains.duration_s:.6g} s in {len(trains.epochs_s)} epoch(s), {start_s:.6g} to {stop_s:.6g} s",
    ]
    if trains.n_neurons:
        low, middle, high = rates_hz.min(), np.median(rates_hz), rates_hz.max()
        lines.append(f"rate: median {middle:.3g} Hz, {low:.3g} to {high:.3g} Hz")
        lines.append(f"silent: {silent} of {trains.n_neurons} neurons")
    if trains.n_spikes > trains.n_neurons:
        lines.append(f"intervals under 1 ms: {_share_short(trains):.2%}")
    notes = trains.provenance.parameters.get(NOTES, []) if trains.provenance is not None else []
    told = [str(note) for note in notes] if isinstance(notes, list) else []
    lines.extend(f"note: {note}" for note in told[:_MOST_NOTES])
    return tuple(lines)


def _share_short(trains: SpikeTrains) -> float:
    """Return the share of inter-spike intervals below a refractory time, all neurons together."""
    order = np.lexsort((trains.time_s, trains.neuron))
    time_s, neuron = trains.time_s[order], trains.neuron[order]
    same = neuron[1:] == neuron[:-1]
    n = int(np.count_nonzero(same))
    return float(np.count_nonzero(same & (np.diff(time_s) < _REFRACTORY_S)) / n) if n else 0.0
