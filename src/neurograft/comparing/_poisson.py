"""The activity null made here: Poisson trains with the original's rates."""

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import OptionError
from neurograft.spikes import SpikeTrains, spike_trains


def poisson_trains(original: SpikeTrains, rng: Generator, *, slow_s: float | None = None) -> SpikeTrains:
    """Return independent Poisson trains of the same neurons, each with its own rate in every epoch.

    A neuron's number of spikes in an epoch is a Poisson draw around its number in the original.  With
    ``slow_s`` every epoch is cut into equal windows of about that length and the rates are kept in each
    window: a stricter null, which shares the original's slow modulation.  Raises OptionError where
    ``slow_s`` is not above 0.
    """
    if slow_s is not None and slow_s <= 0:
        raise OptionError(f"slow_s is {slow_s}. Give a window above 0 s, or None to keep whole epochs.")
    start_s, stop_s = original.epochs_s[:, 0], original.epochs_s[:, 1]
    length_s = stop_s - start_s
    n_windows = np.ones(length_s.size, dtype=np.int64)
    if slow_s is not None:
        n_windows = np.maximum(1, np.round(length_s / slow_s).astype(np.int64))
    epoch = np.searchsorted(start_s, original.time_s, side="right") - 1
    inside = (original.time_s - start_s[epoch]) / length_s[epoch] * n_windows[epoch]
    before = np.concatenate([[0], np.cumsum(n_windows)])
    window = before[epoch] + np.minimum(inside.astype(np.int64), n_windows[epoch] - 1)
    seen, count = np.unique(window * original.n_neurons + original.neuron, return_counts=True)
    cell: Int64[ndarray, " spikes"] = np.repeat(seen, rng.poisson(count))
    window, neuron = np.divmod(cell, original.n_neurons)
    epoch = np.searchsorted(before, window, side="right") - 1
    phase = (window - before[epoch] + rng.random(cell.size)) / n_windows[epoch]
    # Rounding may put a phase just below 1 on the epoch's end, which no longer belongs to it.
    time_s = np.minimum(start_s[epoch] + phase * length_s[epoch], np.nextafter(stop_s[epoch], -np.inf))
    return spike_trains(
        time_s=time_s,
        neuron=neuron,
        n_neurons=original.n_neurons,
        epochs_s=original.epochs_s,
        labels=original.labels,
    )
