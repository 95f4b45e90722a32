"""Avalanches: counted by hand, and the branching ratio of processes whose ratio is known."""

import numpy as np
import pytest

from neurograft.comparing._avalanches import avalanches_of, size_distance
from neurograft.spikes import spike_trains


def trains_of(counts, *, bin_s=0.01, gaps=()):
    """Return one epoch a run of counts; spikes lie in the middle of their bins."""
    epochs, times, at = [], [], 0.0
    for part in np.split(np.asarray(counts), gaps):
        times.append(at + (np.repeat(np.arange(part.size), part) + 0.5) * bin_s)
        epochs.append([at, at + part.size * bin_s])
        at += part.size * bin_s + 1.0
    time_s = np.concatenate(times)
    return spike_trains(time_s=time_s, neuron=np.arange(time_s.size) % 3, n_neurons=3, epochs_s=np.array(epochs))


def test_runs_between_silent_bins_are_counted():
    found = avalanches_of(trains_of([0, 2, 1, 0, 0, 3, 0, 1, 1, 1]), bin_s=0.01)
    assert found.size.tolist() == [3.0, 3.0, 3.0]
    assert found.duration_bins.tolist() == [2.0, 1.0, 3.0]
    assert found.branching == pytest.approx((1 + 0 + 2) / 9)


def test_an_avalanche_does_not_cross_a_gap_between_epochs():
    found = avalanches_of(trains_of([0, 1, 1, 1, 0], gaps=(2,)), bin_s=0.01)
    assert found.size.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("ratio", [0.3, 0.7, 0.9])
def test_a_branching_process_has_its_ratio(ratio):
    """Each spike has Poisson(ratio) children in the next bin; ancestors come alone, after silence."""
    rng, counts = np.random.default_rng(1), []
    for _ in range(4000):
        alive = 1
        while alive:
            counts.append(alive)
            alive = rng.poisson(ratio * alive)
        counts.append(0)
    found = avalanches_of(trains_of(counts), bin_s=0.01)
    assert found.branching == pytest.approx(ratio, abs=0.03)
    assert found.size.mean() == pytest.approx(1 / (1 - ratio), rel=0.15)


def test_bins_follow_the_rate_so_that_rates_alone_change_nothing():
    rng = np.random.default_rng(2)
    slow = trains_of(rng.poisson(0.4, 20_000))
    fast = spike_trains(time_s=slow.time_s / 7, neuron=slow.neuron, n_neurons=3, epochs_s=slow.epochs_s / 7)
    assert size_distance(avalanches_of(slow), avalanches_of(fast)) < 0.01


def test_few_spikes_say_nothing():
    alone = avalanches_of(trains_of([1, 0, 0]))
    assert np.isnan(alone.branching)
    assert np.isnan(size_distance(alone, alone))
