"""Compiled stretches of steps against steps from Python: every built-in model, stimuli, and cells that are read."""

import numpy as np
import pytest
from numba import config

from neurograft.cells import card
from neurograft.maps import synapse_map
from neurograft.network import Drive, Poisson, Readout, RunOptions, Stimulus, run, run_image, steady_drive
from neurograft.network import _engine as engine_module
from neurograft.network._group import run_stepwise
from neurograft.neurons import AlphaSynapse, ExponentialSynapse, Lif, known_models
from neurograft.pasting import paste
from neurograft.units import MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler all steps are done from Python")

N = 30
MODELS = [*known_models().values(), Lif(synapse=ExponentialSynapse()), Lif(synapse=AlphaSynapse())]
IDS = [*known_models(), "exponential", "alpha"]


def small_map():
    rng = np.random.default_rng(4)
    pair = rng.choice(N * N, 200, replace=False)
    return synapse_map(
        n_neurons=N, pre=pair // N, post=pair % N, weight_v=rng.normal(0.5, 1.0, 200) * MV,
        delay_s=rng.uniform(0.5, 3, 200) * MS,
    )  # fmt: skip


def some_stimulus():
    rng = np.random.default_rng(5)
    return Stimulus(
        n_neurons=N,
        kick_neuron=rng.integers(0, N, 60), kick_s=rng.uniform(0, 0.06, 60), kick_v=rng.normal(3, 2, 60) * MV,
        forced_neuron=rng.integers(0, N, 80), forced_s=rng.uniform(0, 0.06, 80),
        muted_neuron=np.array([3, 4, 3]), muted_start_s=np.array([0.0, 0.01, 0.03]),
        muted_stop_s=np.array([0.02, np.inf, 0.05]),
    )  # fmt: skip


def in_both_ways(monkeypatch, do):
    """Return what ``do`` returns with compiled stretches, and with every step from Python."""
    compiled = do()
    monkeypatch.setattr(engine_module, "runner_of", lambda _: run_stepwise)
    return compiled, do()


def assert_same(a, b):
    assert a.spikes.n_spikes > 0
    assert np.array_equal(a.spikes.time_s, b.spikes.time_s)
    assert np.array_equal(a.spikes.neuron, b.spikes.neuron)
    assert np.array_equal(a.voltage_v, b.voltage_v)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_every_model_does_in_stretches_what_it_does_step_by_step(monkeypatch, model):
    m, n = small_map(), np.full(N, 2000.0)
    drive = Drive(
        mean_v=np.full(N, 18 * MV), noise_sd_v=np.full(N, 2 * MV),
        poisson=Poisson(rate_hz=n, weight_v=np.full(N, 0.3 * MV)),
    )  # fmt: skip
    assert_same(*in_both_ways(monkeypatch, lambda: run(
        m, duration_s=0.06, seed=2, neuron=model, drive=drive, stimulus=some_stimulus(),
        options=RunOptions(record_voltage_of=(0, 7), chunk_s=0.013),
    )))  # fmt: skip


def test_cells_that_are_read_anew_do_so_too(monkeypatch):
    image = paste(small_map(), memory=card("pram"), seed=1)
    readout = Readout(has_read_noise=True, bits=6, drift_every_s=7 * MS)
    assert_same(*in_both_ways(monkeypatch, lambda: run_image(
        image, duration_s=0.06, seed=2, drive=steady_drive(N, mean_v=18 * MV), readout=readout,
        stimulus=some_stimulus(), options=RunOptions(record_voltage_of=(0, 7)),
    ).activity))  # fmt: skip
