"""The ionic neuron in a network: it spikes as its circuit does, scaled; kicks, step and parameters."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.errors import OptionError, RunError
from neurograft.ionic import Circuit, Reduced, simulate, spikes_of
from neurograft.maps import synapse_map
from neurograft.network import run, steady_drive
from neurograft.neurons import IonicNeuron, Lif, NeuronModel, known_models
from neurograft.units import MS, MV, US

PAIR = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([0.004]), delay_s=1 * MS)


def intervals(neuron, drive_v, seconds=1.2):
    activity = run(PAIR, duration_s=seconds, seed=1, neuron=neuron, drive=steady_drive(2, mean_v=drive_v))
    times = activity.spikes.time_s[activity.spikes.neuron == 0]
    return np.diff(times[times > 0.3])


def test_it_is_a_model_that_a_map_may_name():
    assert isinstance(known_models()["ionic"], NeuronModel)


def test_a_drive_of_20_mv_is_the_authors_current_a_thousand_times_slower():
    lone = spikes_of(
        simulate(Reduced(circuit=Circuit(), law=IonicNeuron().law), duration_s=1.2 * MS), transient_s=300 * US
    )
    assert intervals(IonicNeuron(), 20 * MV).mean() == pytest.approx(1000 * lone.interval_s, rel=0.01)


def test_a_synapse_hastens_its_target():
    strong = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([0.03]), delay_s=1 * MS)
    drive = steady_drive(2, mean_v=np.array([20 * MV, 4 * MV]))
    counts = [
        np.bincount(run(m, duration_s=1.5, seed=1, neuron=IonicNeuron(), drive=drive).spikes.neuron, minlength=2)
        for m in (PAIR, strong)
    ]
    assert counts[1][1] > counts[0][1]
    assert counts[1][0] == counts[0][0]


def test_maps_run_on_ionic_and_other_neurons_together():
    mixed = synapse_map(
        n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([0.02]), delay_s=1 * MS,
        model=("ionic", "lif"),
    )  # fmt: skip
    counts = np.bincount(
        run(mixed, duration_s=1.0, seed=1, neuron=Lif(), drive=steady_drive(2, mean_v=np.array([20 * MV, 10 * MV])))
        .spikes.neuron, minlength=2,
    )  # fmt: skip
    assert counts[0] > 5


@pytest.mark.parametrize(
    "change",
    [{"volts": 500.0}, {"slowed": 2000.0}, {"unit_drive_v": 0.04}, {"circuit": replace(Circuit(), na_gain=6.0)}],
)
def test_every_parameter_matters(change):
    drive = steady_drive(2, mean_v=20 * MV)
    usual, other = (
        run(PAIR, duration_s=0.6, seed=1, neuron=n, drive=drive).spikes.time_s
        for n in (IonicNeuron(), IonicNeuron(**change))
    )
    assert not np.array_equal(usual, other)


def test_wrong_scales_and_long_steps_are_refused():
    with pytest.raises(OptionError, match="above 0"):
        IonicNeuron(volts=0.0)
    with pytest.raises(RunError, match=r"Use at most 0\.0001 s"):
        IonicNeuron(slowed=1.0).stepper(1 * MS)
