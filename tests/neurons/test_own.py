"""A user's own model: it runs beside the built-in ones, records its states, and is refused where it makes no sense."""

import numpy as np
import pytest
from numba import config, njit

from neurograft.errors import OptionError
from neurograft.maps import synapse_map
from neurograft.network import RunOptions, run, steady_drive
from neurograft.neurons import AdEx, Lif, NeuronModel, OwnModel
from neurograft.units import MS, MV


@njit
def leaky(state, refractory, drive_v, inputs, constants, spiked):
    decay, threshold_v = constants
    v, n = state[0], 0
    for i in range(v.size):
        v[i] = (1.0 - decay) * drive_v[i] + decay * v[i] + inputs[0, i]
        state[1, i] += 1.0
        inputs[0, i] = 0.0
        if v[i] >= threshold_v:
            v[i] = 0.0
            spiked[n] = i
            n += 1
    return n


def own(**changes):
    given = {
        "name": "own", "advance": leaky, "threshold_v": 15 * MV, "tau_m_s": 20 * MS, "state_names": ("v", "age"),
        "constants": lambda step_s: (np.exp(-step_s / (20 * MS)), 15 * MV), "start_values": (5.0,),
    }  # fmt: skip
    return OwnModel(**(given | changes))


def test_an_own_leaky_neuron_is_the_built_in_one_and_mixes_with_others():
    n = 12
    rng = np.random.default_rng(0)
    pair = rng.choice(n * n, 50, replace=False)
    m = synapse_map(
        n_neurons=n, pre=pair // n, post=pair % n, weight_v=rng.integers(-3, 9, 50) * 2.0**-10, delay_s=1 * MS,
        model=["", "", "adex"] * 4,
    )  # fmt: skip
    start_v = np.linspace(0, 14 * MV, n)
    given = {"duration_s": 0.1 if not config.DISABLE_JIT else 0.02, "seed": 3}
    drive = steady_drive(n, mean_v=22 * MV, noise_sd_v=1 * MV)
    mine, built_in = (
        run(m, neuron=neuron, drive=drive, options=RunOptions(start_v=start_v), **given).spikes
        for neuron in (own(), Lif(refractory_s=0.0))
    )
    assert isinstance(own(), NeuronModel)
    assert mine.n_spikes > 0
    assert np.array_equal(mine.time_s, built_in.time_s)
    assert np.array_equal(mine.neuron, built_in.neuron)
    options = RunOptions(record_voltage_of=(0,), record_states=("age",))
    assert run(m, neuron=own(), drive=drive, options=options, **given).states["age"][0, 0] == 6.0
    assert AdEx().stepper(0.1 * MS).state_names == ("v", "w")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau_m_s": 0.0}, "positive seconds"),
        ({"name": ""}, "Give a name"),
        ({"start_values": (1.0, 2.0)}, "one start"),
    ],
)
def test_what_makes_no_model_is_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        own(**changes)
