"""A small chaotic network and what is measured of it, for comparing distributions with NEST.

600 neurons, 480 of which excite; each pair connected with probability 0.1; exponential currents of 0.5 ms with 0.25 and
-1.25 (called mV, see brunel.py) of charge, delays 0.8 to 2.3 ms; 6 kHz of Poisson spikes of 0.15 for each neuron.
"""

import numpy as np

from network.brunel import CURRENT_PER_KICK, EXPONENTIAL
from neurograft.maps import SynapseMap, synapse_map
from neurograft.network import Drive, Poisson
from neurograft.neurons._synapses import exponential_peak
from neurograft.units import MS

N, N_EXCITATORY = 600, 480
SKIP_S, END_S, BIN_S = 0.5, 5.5, 0.02
N_CORRELATED = 60
LEVELS = np.linspace(0.02, 0.98, 25)
_PEAK = exponential_peak(tau_m_s=EXPONENTIAL.tau_m_s, tau_syn_s=0.5 * MS) * CURRENT_PER_KICK


def chaotic_map() -> tuple[SynapseMap, np.ndarray]:
    """Return the map and start potentials."""
    rng = np.random.Generator(np.random.Philox(7))
    pair = np.flatnonzero(rng.random(N * N) < 0.1)
    pair = pair[pair // N != pair % N]
    pre, post = pair // N, pair % N
    weight = np.where(pre < N_EXCITATORY, 0.25, -1.25)
    delay_s = rng.integers(8, 24, pre.size) * 1e-4
    start = rng.integers(0, 20 * 256, N) / 256.0
    m = synapse_map(n_neurons=N, pre=pre, post=post, weight_v=weight * _PEAK, delay_s=delay_s)
    return m, start


def chaotic_drive() -> Drive:
    """Return the Poisson input."""
    poisson = Poisson(rate_hz=np.full(N, 6000.0), weight_v=np.full(N, 0.15 * _PEAK))
    return Drive(mean_v=np.zeros(N), noise_sd_v=np.zeros(N), poisson=poisson)


def measures(time_s: np.ndarray, neuron: np.ndarray) -> dict[str, np.ndarray]:
    """Return rates, coefficients of variation (of neurons with ten intervals) and correlations of counts in bins."""
    keep = (time_s > SKIP_S) & (time_s <= END_S)
    time_s, neuron = time_s[keep], neuron[keep]
    trains = [np.sort(time_s[neuron == i]) for i in range(N)]
    intervals = [np.diff(train) for train in trains if train.size > 10]
    n_bins = round((END_S - SKIP_S) / BIN_S)
    counts = [np.histogram(train, n_bins, (SKIP_S, END_S))[0] for train in trains[:N_CORRELATED]]
    firing = np.array([count for count in counts if count.any()])
    correlation = np.corrcoef(firing)[np.triu_indices(firing.shape[0], 1)]
    return {
        "rate_hz": np.array([train.size for train in trains]) / (END_S - SKIP_S),
        "cv": np.array([interval.std() / interval.mean() for interval in intervals]),
        "correlation": correlation,
    }


def distance(sample: np.ndarray, quantiles: np.ndarray) -> float:
    """Return the largest difference of the sample's distribution from one known by its quantiles at LEVELS."""
    ordered = np.sort(sample)
    below = np.searchsorted(ordered, quantiles, side="left") / sample.size
    upto = np.searchsorted(ordered, quantiles, side="right") / sample.size
    return float(np.max(np.maximum(below - LEVELS, LEVELS - upto)))
