"""Channel noise: variance and time course of open channels as of independent gates, spikes by noise alone."""

import math

import numpy as np
import pytest
from numba import config

from neurograft.errors import OptionError
from neurograft.maps import synapse_map
from neurograft.network import RunOptions, run, steady_drive
from neurograft.network._random import LANES, fill_noise
from neurograft.neurons import HodgkinHuxley, NeuronModel, known_models
from neurograft.neurons._hodgkin_huxley import N_TERMS, channel_noise, gate_h, gate_m, gate_n
from neurograft.units import MS, MV

IS_JIT = not config.DISABLE_JIT


def unconnected(n):
    return synapse_map(n_neurons=n, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS)


@pytest.mark.parametrize("v_mv", [0.0, 30.0])
def test_open_channels_covary_over_time_as_independent_gates_do(v_mv):
    """A Markov channel of k like gates has the covariance p^k (p + (1 - p) exp(-t / tau))^k - p^2k, over N."""
    gates = [gate(v_mv) for gate in (gate_m, gate_h, gate_n)]
    m, h, n = (opening / (opening + closing) for opening, closing in gates)
    rates = tuple(opening + closing for opening, closing in gates)
    dt, n_steps, channels = 0.05, 40_000 if IS_JIT else 400, np.array([6000.0, 1800.0])
    rng = np.random.default_rng(1)
    eta, found = np.zeros(N_TERMS), np.empty((n_steps, 2))
    for k in range(n_steps):
        found[k] = channel_noise(eta, m, h, n, rates, channels, dt, rng.normal(size=N_TERMS))
    for column, lag in [(c, lag) for c in (0, 1) for lag in (0, 10)]:
        t = lag * dt
        if column == 0:
            p = m**3 * h
            still = (m + (1 - m) * math.exp(-t * rates[0])) ** 3 * (h + (1 - h) * math.exp(-t * rates[1]))
        else:
            p = n**4
            still = (n + (1 - n) * math.exp(-t * rates[2])) ** 4
        expected = (p * still - p * p) / channels[column]
        if lag == 0:
            assert expected == pytest.approx(p * (1 - p) / channels[column])
        x = found[n_steps // 20 :, column]
        seen = np.mean(x[lag:] * x[: x.size - lag])
        slowest_ms = 1.0 / min(rates[:2]) if column == 0 else 1.0 / rates[2]
        # The variance of a mean over T of a squared process of this time constant: 2 tau / T of its square, 4 sd.
        error = 4 * np.sqrt(2 * slowest_ms / (x.size * dt)) * p * (1 - p) / channels[column]
        assert seen == pytest.approx(expected, abs=error)


def test_noise_of_a_model_is_of_mean_0_and_sd_1_and_the_same_for_any_part():
    rows, words = np.empty((3, 500), dtype=np.float32), np.empty(4 * LANES, dtype=np.uint64)
    everything = []
    for step in range(40):
        fill_noise(9, step, 0, rows, words)
        everything.append(rows.copy())
    x = np.array(everything)
    assert abs(x.mean()) < 4 / np.sqrt(x.size)
    assert x.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * x.size))
    assert abs(np.corrcoef(x[:, 0].ravel(), x[:, 1].ravel())[0, 1]) < 4 / np.sqrt(x[:, 0].size)
    part = np.empty((3, 300), dtype=np.float32)
    fill_noise(9, 39, 120, part, words)
    np.testing.assert_array_equal(part, rows[:, 120:420])


@pytest.mark.skipif(not IS_JIT, reason="a hundred neuron-seconds")
def test_small_membranes_fire_by_noise_alone_and_large_ones_follow_the_equations():
    n = 20
    rates = [
        run(
            unconnected(n), duration_s=1.0, seed=3, neuron=HodgkinHuxley(area_um2=area), drive=steady_drive(n),
            options=RunOptions(start_v=np.zeros(n)),
        ).spikes.rates_hz().mean()
        for area in (1.0, 10.0, 100.0, 10_000.0)
    ]  # fmt: skip
    # Chow and White (1996, Biophys. J. 71, 3013): spontaneous spikes are escapes over a barrier that grows with the
    # area, so the rate falls about exponentially with it (abstract; "tens of hertz" at the smallest is from memory).
    assert rates[0] > rates[1] > rates[2] > rates[3]
    assert rates[0] > 20.0
    assert rates[3] == 0.0
    drive = steady_drive(1, mean_v=10.0 / 0.3 * MV)
    quiet, noisy = (
        run(unconnected(1), duration_s=0.2, seed=3, neuron=neuron, drive=drive).spikes.time_s
        for neuron in (HodgkinHuxley(), HodgkinHuxley(area_um2=1e9))
    )
    np.testing.assert_allclose(noisy, quiet, atol=0.2 * MS)


def test_noise_does_not_depend_on_threads_and_the_model_has_a_name():
    neuron = HodgkinHuxley(area_um2=20.0)
    assert isinstance(neuron, NeuronModel)
    assert neuron.name == "hh-channels"
    assert neuron.name in known_models()
    given = {"duration_s": 0.05 if IS_JIT else 0.002, "seed": 3, "neuron": neuron, "drive": steady_drive(70)}
    one, two = (
        run(unconnected(70), options=RunOptions(n_threads=t, record_voltage_of=(0, 69)), **given) for t in (1, 2)
    )  # fmt: skip
    assert np.array_equal(one.voltage_v, two.voltage_v)
    assert np.std(one.voltage_v[-10:]) > 0
    with pytest.raises(OptionError, match=r"area_um2 is -1\.0"):
        HodgkinHuxley(area_um2=-1.0)
