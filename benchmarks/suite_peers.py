"""What else ranks pairs: SpikeInterface's correlograms, elephant's TSPE, and plain spike-triggered averages.

Each gives a signed score as [pre, post], larger in size where a synapse is likelier.  ``points_forward`` proves the
orientation on a pair of which one neuron drives the other.
"""

import warnings
from collections.abc import Callable

import numpy as np

from neurograft.recordings import Recording
from neurograft.spikes import SpikeTrains, spike_trains

MS = 1e-3
GRID_HZ = 20_000.0  # of the integer times that SpikeInterface takes
LONGEST_S = 25 * MS  # delays to 20 ms and the rise of a potential


def correlogram_peaks(trains: SpikeTrains) -> np.ndarray:
    """Return the largest |z| of SpikeInterface's 1 ms correlogram, 1-25 ms after pre, over its flanks at 30-50 ms."""
    from spikeinterface.core import NumpySorting
    from spikeinterface.postprocessing import compute_correlograms

    n = trains.n_neurons
    frame = np.rint((trains.time_s - trains.epochs_s[0, 0]) * GRID_HZ).astype(np.int64)
    sorting = NumpySorting.from_samples_and_labels(
        [frame], [trains.neuron.astype(np.int64)], GRID_HZ, unit_ids=np.arange(n)
    )
    counts, edges_ms = compute_correlograms(sorting, window_ms=100.0, bin_ms=1.0, method="numba", fast_mode="off")
    lag_s = (edges_ms[:-1] + edges_ms[1:]) / 2 * MS
    baseline = counts[:, :, np.abs(lag_s) > 30 * MS].mean(axis=2, keepdims=True)
    z = (counts - baseline) / np.sqrt(np.maximum(baseline, 1.0))
    # correlograms[a, b] has a's spikes at positive lags when a fires AFTER b: the causal side of a -> b is negative.
    return _extreme(z[:, :, (lag_s < -1 * MS) & (lag_s > -LONGEST_S)])


def tspe(trains: SpikeTrains) -> np.ndarray:
    """Return elephant's total spiking probability edges, 1 ms bins, delays to 25 ms; it gives [post, pre]."""
    import neo
    import quantities as pq
    from elephant.conversion import BinnedSpikeTrain
    from elephant.functional_connectivity import total_spiking_probability_edges

    start_s, stop_s = trains.epochs_s[0, 0], trains.epochs_s[-1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silent neurons, whose scores are NaN
        given = [neo.SpikeTrain(t * pq.s, t_start=start_s * pq.s, t_stop=stop_s * pq.s) for t in trains.by_neuron()]
        binned = BinnedSpikeTrain(given, bin_size=1 * pq.ms, tolerance=None)
        post_pre, _ = total_spiking_probability_edges(binned, max_delay=25)
    return np.nan_to_num(np.asarray(post_pre).T, posinf=0.0, neginf=0.0)


def triggered_averages(recording: Recording, trains: SpikeTrains) -> np.ndarray:
    """Return the z of every channel's mean 1-10 ms after each neuron's spikes, against the channel's mean.

    Samples around the channel's own spikes (-2 to +8 ms) are left out, as anyone who looks at one average would.
    """
    rows = [_rows(recording, segment) for segment in range(len(recording.segment_frames))]
    channel_of = {label: c for c, label in enumerate(recording.channel_labels)}
    channel = np.array([channel_of[label] for label in trains.labels])
    n = trains.n_neurons
    total, square, count = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    by_neuron = trains.by_neuron()
    for start_s, volts in zip(recording.segment_start_s, rows, strict=True):
        own = [np.floor((t - start_s) / MS).astype(np.int64) for t in by_neuron]
        for post in range(n):
            trace = volts[:, channel[post]].astype(np.float64)
            is_good = np.ones(trace.size, dtype=bool)
            for row in own[post]:
                is_good[max(row - 2, 0) : max(row + 9, 0)] = False
            trace -= trace[is_good].mean() if is_good.any() else 0.0
            sums = np.concatenate([[0.0], np.cumsum(np.where(is_good, trace, 0.0))])
            goods = np.concatenate([[0], np.cumsum(is_good)])
            for pre in range(n):
                at = own[pre][(own[pre] >= 0) & (own[pre] + 11 < trace.size)]
                used = goods[at + 11] - goods[at + 1]
                mean = (sums[at + 11] - sums[at + 1])[used >= 5] / used[used >= 5]
                total[pre, post] += mean.sum()
                square[pre, post] += mean @ mean
                count[pre, post] += mean.size
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        z = mean / np.sqrt((square / count - mean**2) / count)
    return np.nan_to_num(np.where(count >= 3, z, 0.0), posinf=0.0, neginf=0.0)


def _rows(recording: Recording, segment: int) -> np.ndarray:
    """Return a segment averaged to 1 kHz, read ten seconds at a time."""
    step = max(round(recording.rate_hz * MS), 1)
    n_rows = recording.segment_frames[segment] // step
    parts = []
    for first in range(0, n_rows, 10_000):
        last = min(first + 10_000, n_rows)
        block = recording.read(segment, first * step, last * step)
        parts.append(block.reshape(last - first, step, -1).mean(axis=1))
    return np.concatenate(parts)


def _extreme(z: np.ndarray) -> np.ndarray:
    """Return the entry of largest size along the last axis, with its sign."""
    at = np.abs(z).argmax(axis=2)
    return np.take_along_axis(z, at[:, :, None], axis=2)[:, :, 0]


SPIKE_PEERS: dict[str, Callable[[SpikeTrains], np.ndarray]] = {
    "SpikeInterface correlogram": correlogram_peaks,
    "elephant TSPE": tspe,
}


def known_pair(*, is_inhibitory: bool = False, seed: int = 5) -> SpikeTrains:
    """Return three trains of 200 s: neuron 0 makes (or silences) spikes of neuron 2 after 4 ms; 1 is alone."""
    rng = np.random.default_rng(seed)
    pre, alone, post = (np.sort(rng.uniform(0.1, 199.9, 3000)) for _ in range(3))
    if is_inhibitory:
        after = np.searchsorted(pre, post) - 1
        apart = post - pre[np.maximum(after, 0)]
        post = post[~((after >= 0) & (apart > 2 * MS) & (apart < 12 * MS))]
    else:
        post = np.concatenate([post, pre[rng.random(pre.size) < 0.2] + 4 * MS])
    trains = (pre, alone, post)
    return spike_trains(
        time_s=np.concatenate(trains),
        neuron=np.repeat(np.arange(3), [t.size for t in trains]),
        n_neurons=3,
        epochs_s=np.array([[0.0, 200.0]]),
    )


def points_forward(peer: Callable[[SpikeTrains], np.ndarray]) -> bool:
    """Tell whether a peer scores the known pair highest, and highest from pre to post."""
    score = np.abs(peer(known_pair()))
    np.fill_diagonal(score, 0.0)
    return np.unravel_index(score.argmax(), score.shape) == (0, 2)
