"""Distances of spike trains that ran on the same clock with the same drive (through elephant)."""

import warnings

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._align import first_part
from neurograft.comparing._options import SameDrive
from neurograft.errors import CompareError, MissingExtraError
from neurograft.spikes import SpikeTrains

_MAX_DURATION_S = 60.0  # elephant's cost grows with the square of the spikes of one train

TrainPairs = list[tuple[Float64[ndarray, " ours"], Float64[ndarray, " theirs"]]]


def victor_purpura(a: SpikeTrains, b: SpikeTrains, drive: SameDrive) -> float:
    """Return Victor and Purpura's (1996) distance over the number of spikes of both trains, mean over neurons.

    0 identical, 1 where every spike has to be deleted or inserted.  Neurons that fire in neither do not
    count; NaN where none fires.  At most the first 60 s and ``max_neurons`` evenly spaced neurons are
    measured.  Raises MissingExtraError without elephant, CompareError where the observed times differ.
    """
    pairs = _pairs(a, b, drive)
    try:
        import quantities as pq
        from elephant.spike_train_dissimilarity import victor_purpura_distance
    except ImportError as missing:
        raise MissingExtraError(purpose="The Victor-Purpura distance", extra="distances") from missing
    cost = drive.cost_per_s * pq.Hz
    shares = [
        float(victor_purpura_distance([x * pq.s, y * pq.s], cost_factor=cost, sort=False)[0, 1]) / (x.size + y.size)
        for x, y in pairs
    ]
    return float(np.mean(shares)) if shares else np.nan


def van_rossum(a: SpikeTrains, b: SpikeTrains, drive: SameDrive) -> float:
    """Return van Rossum's (2001) distance over the root of the number of spikes of both trains, mean over neurons.

    0 identical, about 1 for unrelated sparse trains.  Neurons, limits and errors as for ``victor_purpura``.
    """
    pairs = _pairs(a, b, drive)
    try:
        import quantities as pq
        from elephant.spike_train_dissimilarity import van_rossum_distance
    except ImportError as missing:
        raise MissingExtraError(purpose="The van Rossum distance", extra="distances") from missing
    tau = drive.tau_s * pq.s
    shares: list[float] = []
    with warnings.catch_warnings():
        # Of equal trains the square comes out a little below 0, which elephant sets to 0 and tells.
        warnings.filterwarnings("ignore", message="van_rossum_distance: very small negative")
        for x, y in pairs:
            distance = float(van_rossum_distance([x * pq.s, y * pq.s], time_constant=tau, sort=False)[0, 1])
            shares.append(distance / float(np.sqrt(x.size + y.size)))
    return float(np.mean(shares)) if shares else np.nan


def _pairs(a: SpikeTrains, b: SpikeTrains, drive: SameDrive) -> TrainPairs:
    if a.epochs_s.shape != b.epochs_s.shape or not np.allclose(a.epochs_s, b.epochs_s, rtol=0, atol=1e-9):
        raise CompareError(
            f"same_drive is given, but one activity was observed from {a.epochs_s[0, 0]} to {a.epochs_s[-1, 1]} s and "
            f"the other from {b.epochs_s[0, 0]} to {b.epochs_s[-1, 1]} s. Give twins on one clock, or leave it out."
        )
    ours, theirs = (first_part(x, _MAX_DURATION_S).by_neuron() for x in (a, b))
    active = [i for i in range(a.n_neurons) if ours[i].size + theirs[i].size]
    if not active:
        return []
    chosen = sorted({active[round(k)] for k in np.linspace(0, len(active) - 1, drive.max_neurons)})
    return [(ours[i], theirs[i]) for i in chosen]
