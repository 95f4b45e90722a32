"""Skipping quiet neurons: the spikes and potentials of stepping, on any threads, in chunks and after a restore."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import Drive, Modulation, RunOptions, load_checkpoint, run, save_checkpoint, steady_drive
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.units import MS, MV

NEURONS = [Lif(), Lif(synapse=ExponentialSynapse())]
END_S = 0.3 if not config.DISABLE_JIT else 0.03


def sparse_net(seed, n=60, n_synapses=600):
    """Return a map of which a tenth is driven to fire, and that drive."""
    rng = np.random.default_rng(seed)
    pair = rng.choice(n * n, n_synapses, replace=False)
    m = synapse_map(
        n_neurons=n, pre=pair // n, post=pair % n, weight_v=rng.normal(1.5 * MV, 3 * MV, n_synapses),
        delay_s=rng.uniform(0.5, 4, n_synapses) * MS,
    )  # fmt: skip
    return m, steady_drive(n, mean_v=np.where(np.arange(n) < n // 10, 25 * MV, 3 * MV))


def same(a, b):
    return np.array_equal(a.time_s, b.time_s) and np.array_equal(a.neuron, b.neuron)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), which=st.integers(0, 1))
def test_skipping_gives_the_spikes_of_stepping(seed, which):
    m, drive = sparse_net(seed)
    stepped, skipped = (
        run(m, duration_s=END_S, seed=0, neuron=NEURONS[which], drive=drive, options=RunOptions(skip_quiet=skip)).spikes
        for skip in (False, True)
    )
    assert stepped.n_spikes > 0
    assert same(stepped, skipped)


@pytest.mark.parametrize("neuron", NEURONS, ids=["delta", "exponential"])
def test_potentials_are_those_of_stepping_to_rounding_also_after_a_long_sleep(neuron):
    m = synapse_map(
        n_neurons=3, pre=np.array([0, 0]), post=np.array([1, 2]), weight_v=np.array([2.0, -1.0]) * MV, delay_s=1 * MS
    )  # fmt: skip
    # The first neuron fires once in 0.6 s, longer than one look-up bridges.
    drive = steady_drive(3, mean_v=np.array([15.001 * MV, 4 * MV, 0.0]))
    slow = Lif(tau_m_s=60 * MS, synapse=neuron.synapse)
    end_s = 1.3 if not config.DISABLE_JIT else 0.6
    stepped, skipped = (
        run(m, duration_s=end_s, seed=1, neuron=slow, drive=drive, options=RunOptions(skip_quiet=skip)).checkpoint
        for skip in (False, True)
    )
    awake = skipped.asleep_since < 0
    assert not awake.all()
    asleep = ~awake
    left_s = (skipped.step - skipped.asleep_since[asleep]) * 1e-4
    v = skipped.state[0, asleep]
    goal = drive.mean_v[asleep]
    if skipped.state.shape[0] == 1:
        later = goal + (v - goal) * np.exp(-left_s / slow.tau_m_s)
        np.testing.assert_allclose(later, stepped.state[0, asleep], rtol=1e-9)
    np.testing.assert_allclose(skipped.state[0, awake], stepped.state[0, awake], rtol=1e-9)


@pytest.mark.parametrize("neuron", NEURONS, ids=["delta", "exponential"])
def test_threads_chunks_noise_and_restoring_change_nothing(tmp_path, neuron):
    m, drive = sparse_net(4)
    drive = Drive(mean_v=drive.mean_v, noise_sd_v=np.where(np.arange(60) % 7 == 0, 3 * MV, 0.0))
    lazy = {"skip_quiet": True, "record_voltage_of": (3, 40)}
    whole = run(m, duration_s=END_S, seed=2, neuron=neuron, drive=drive, options=RunOptions(**lazy))
    plain = run(m, duration_s=END_S, seed=2, neuron=neuron, drive=drive, options=RunOptions(record_voltage_of=(3, 40)))
    assert same(whole.spikes, plain.spikes)
    np.testing.assert_allclose(whole.voltage_v, plain.voltage_v, atol=1e-12)
    for n_threads, chunk_s in [(1, 3.3 * MS), (2, 0.25), (4, 7.7 * MS)]:
        options = RunOptions(**lazy, n_threads=n_threads, chunk_s=chunk_s)
        other = run(m, duration_s=END_S, seed=2, neuron=neuron, drive=drive, options=options)
        assert same(whole.spikes, other.spikes)
        assert np.array_equal(whole.voltage_v, other.voltage_v)
    first = run(m, duration_s=0.37 * END_S, seed=2, neuron=neuron, drive=drive, options=RunOptions(**lazy))
    save_checkpoint(first.checkpoint, tmp_path / "state.npz")
    rest = run(
        m, duration_s=END_S, seed=2, neuron=neuron, drive=drive, options=RunOptions(**lazy, n_threads=2),
        resume=load_checkpoint(tmp_path / "state.npz"),
    )  # fmt: skip
    assert np.array_equal(np.concatenate([first.spikes.time_s, rest.spikes.time_s]), whole.spikes.time_s)
    assert np.array_equal(np.concatenate([first.voltage_v, rest.voltage_v]), whole.voltage_v)
    with pytest.raises(RunError, match="Resume with RunOptions"):
        run(m, duration_s=END_S, seed=2, neuron=neuron, drive=drive, resume=first.checkpoint)


def test_a_modulation_is_refused_and_other_models_are_stepped():
    m, drive = sparse_net(1)
    modulation = Modulation(course=np.ones(2), bin_s=0.1, gain_v=np.zeros(60))
    moved = Drive(mean_v=drive.mean_v, noise_sd_v=drive.noise_sd_v, modulation=modulation)
    with pytest.raises(RunError, match="cannot be used with a modulation"):
        run(m, duration_s=0.01, seed=0, drive=moved, options=RunOptions(skip_quiet=True))
    mixed = synapse_map(
        n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([3 * MV]), delay_s=1 * MS,
        model=["lif", "adex"],
    )  # fmt: skip
    run_of = [
        run(mixed, duration_s=0.05, seed=0, drive=steady_drive(2, mean_v=30 * MV), options=RunOptions(skip_quiet=skip))
        for skip in (False, True)
    ]
    assert run_of[0].spikes.n_spikes > 0
    assert same(run_of[0].spikes, run_of[1].spikes)
