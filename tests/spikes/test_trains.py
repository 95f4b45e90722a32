"""Spike trains: sorted, epochs kept, every broken invariant named."""

import numpy as np
import pytest

from neurograft.errors import SpikeError
from neurograft.spikes import spike_trains


def trains(**changes):
    given = {
        "time_s": np.array([0.5, 0.1, 0.9, 2.5]),
        "neuron": np.array([1, 0, 1, 2]),
        "n_neurons": 4,
        "epochs_s": np.array([[0.0, 1.0], [2.0, 3.0]]),
    }
    return spike_trains(**(given | changes))


def test_spikes_are_sorted_by_time():
    assert trains().time_s.tolist() == [0.1, 0.5, 0.9, 2.5]
    assert trains().neuron.tolist() == [0, 1, 1, 2]


def test_rates_use_observed_time_only():
    assert trains().duration_s == 2.0
    assert trains().rates_hz().tolist() == [0.5, 1.0, 0.5, 0.0]


def test_by_neuron_keeps_silent_neurons():
    assert [t.tolist() for t in trains().by_neuron()] == [[0.1], [0.5, 0.9], [2.5], []]


def test_between_cuts_spikes_and_epochs():
    part = trains().between(0.5, 2.4)
    assert part.time_s.tolist() == [0.5, 0.9]
    assert part.epochs_s.tolist() == [[0.5, 1.0], [2.0, 2.4]]


def test_without_epochs_the_last_spike_lies_inside():
    assert spike_trains(time_s=np.array([1.0, 3.0]), neuron=np.array([0, 1])).n_spikes == 2


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        trains().time_s[0] = 7.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_s": np.array([0.5, np.nan, 0.9, 2.5])}, r"time_s\[1\] is nan"),
        ({"neuron": np.array([1, 0, 4, 2])}, r"neuron\[2\] is 4, but there are neurons 0 to 3"),
        ({"time_s": np.array([0.5, 0.1, 1.5, 2.5])}, r"1\.5 s, outside every epoch"),
        ({"epochs_s": np.array([[0.0, 2.0], [1.0, 3.0]])}, "Epoch 1 starts before epoch 0 ends"),
        ({"epochs_s": np.array([[0.0, 0.0], [2.0, 3.0]])}, r"Epoch 0 runs from 0\.0 to 0\.0"),
        ({"labels": ["a", "b", "a", "c"]}, "'a' is given twice"),
    ],
)
def test_broken_input_is_named(changes, message):
    with pytest.raises(SpikeError, match=message):
        trains(**changes)


def test_no_spikes_and_no_epochs_is_refused():
    with pytest.raises(SpikeError, match="Give epochs_s"):
        spike_trains(time_s=np.zeros(0), neuron=np.zeros(0, dtype=np.int64), n_neurons=2)
