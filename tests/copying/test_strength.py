"""Gain to potential: against Siegert's rate, against direct simulation, and at the ends."""

import numpy as np
import pytest

from neurograft.copying.spikes._strength import GainTable, StandardNeuron, gain_table, kick_gains
from neurograft.errors import CopyError
from neurograft.neurons import Lif, siegert_mean_v, siegert_rate_hz

STANDARD = StandardNeuron()


@pytest.mark.parametrize("rate_hz", [2.0, 15.0])
def test_small_kicks_and_long_windows_give_the_derivative_of_siegerts_rate(rate_hz):
    kick_v = 0.1e-3
    gain = kick_gains(np.array([-kick_v, kick_v]), STANDARD, rate_hz=rate_hz, window_s=0.4)
    sd = np.array([STANDARD.noise_sd_v])
    mean = siegert_mean_v(np.array([rate_hz]), sd, neuron=STANDARD.neuron)
    h = 1e-5
    slope = siegert_rate_hz(mean + h, sd, neuron=STANDARD.neuron) - siegert_rate_hz(
        mean - h, sd, neuron=STANDARD.neuron
    )
    expected = kick_v * STANDARD.neuron.tau_m_s * slope[0] / (2 * h)
    # A kick within the refractory time is lost, which Siegert's slope at steady drive knows too; grid of .1 mV.
    assert (gain[1] - gain[0]) / 2 == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("rate_hz", "kick_v"), [(5.0, 1.5e-3), (12.0, -3e-3)])
def test_gains_are_those_of_directly_simulated_neurons(rate_hz, kick_v):
    rng = np.random.default_rng(7)
    neuron, sd, step_s, n = STANDARD.neuron, STANDARD.noise_sd_v, 1e-4, 60_000
    mean = siegert_mean_v(np.array([rate_hz]), np.array([sd]), neuron=neuron, step_s=step_s)[0]
    decay = np.exp(-step_s / neuron.tau_m_s)
    v, quiet = rng.uniform(0, 10e-3, n), np.zeros(n, dtype=int)
    spikes = {"before": 0, "after": 0}
    for k in range(1500 + 200):
        if k == 1500:
            # Half of the neurons get the kick, the others the null; both see their own noise.
            half = quiet[: n // 2] == 0
            v[: n // 2][half] += kick_v
        v = np.where(quiet > 0, v, mean + (v - mean) * decay + sd * np.sqrt(1 - decay**2) * rng.standard_normal(n))
        fired = (v >= neuron.threshold_v) & (quiet == 0)
        quiet = np.where(fired, 20, np.maximum(quiet - 1, 0))
        v[fired] = neuron.reset_v
        if k >= 1500:
            spikes["after"] += int(fired[: n // 2].sum())
            spikes["before"] += int(fired[n // 2 :].sum())
    measured = (spikes["after"] - spikes["before"]) / (n // 2)
    error = np.sqrt(spikes["after"] + spikes["before"]) / (n // 2)
    computed = kick_gains(np.array([kick_v]), STANDARD, rate_hz=rate_hz, window_s=0.02)[0]
    assert computed == pytest.approx(measured, abs=4 * error)
    assert abs(computed) > 8 * error  # else the check could not fail


def test_gain_grows_with_the_kick_and_inhibition_saturates():
    kick_v = np.linspace(-30e-3, 30e-3, 61)
    gain = kick_gains(kick_v, STANDARD, rate_hz=5.0, window_s=0.01)
    assert np.all(np.diff(gain) > -1e-12)
    assert gain[30] == pytest.approx(0.0, abs=1e-12)
    # It can lose the spikes that would have come and no more: 5 Hz for 10 ms (the grid's rate is 1 % off).
    assert gain[0] == pytest.approx(-0.05, rel=0.02)
    assert gain[0] == pytest.approx(gain[10], rel=0.01)
    assert 0.9 < gain[-1] < 1.0


def test_the_table_gives_back_the_kick_that_made_the_gain():
    rates = np.array([0.8, 3.0, 20.0])
    table = gain_table(STANDARD, window_s=0.01, rates_hz=rates)
    for rate_hz in (1.1, 4.0, 17.0):
        for kick_v in (-2e-3, 0.3e-3, 1e-3, 5e-3):
            gain = kick_gains(np.array([kick_v]), STANDARD, rate_hz=rate_hz, window_s=0.01)
            found = table.kicks_v(gain, rate_hz)
            assert found[0] == pytest.approx(kick_v, rel=0.05)  # interpolation between rates and kicks
    assert table.slopes_per_v(np.array([1e-3]), 4.0)[0] > 0
    assert table.kicks_v(np.array([-1.0, 2.0]), 4.0) == pytest.approx([-30e-3, 30e-3])


def test_rates_beyond_the_table_take_its_ends():
    table = gain_table(STANDARD, window_s=0.01, rates_hz=np.array([0.0, 5.0, 1e6]))
    assert isinstance(table, GainTable)
    gain = np.array([table.gains(np.array([1e-3]), rate_hz)[0] for rate_hz in (0.0, 1e6)])
    assert np.all(np.isfinite(gain))
    assert np.all(gain > 0)


def test_each_parameter_of_the_standard_neuron_and_the_window_change_the_gain():
    def gain(standard=STANDARD, rate_hz=5.0, window_s=0.01):
        return kick_gains(np.array([1e-3]), standard, rate_hz=rate_hz, window_s=window_s)[0]

    plain = gain()
    for changed in (
        gain(StandardNeuron(noise_sd_v=2e-3)),
        gain(StandardNeuron(neuron=Lif(tau_m_s=10e-3))),
        gain(StandardNeuron(neuron=Lif(threshold_v=20e-3))),
        gain(StandardNeuron(neuron=Lif(reset_v=5e-3))),
        gain(StandardNeuron(neuron=Lif(refractory_s=10e-3))),
        gain(rate_hz=10.0),
        gain(window_s=0.005),
    ):
        assert abs(changed / plain - 1) > 0.005


def test_a_neuron_without_noise_is_refused():
    with pytest.raises(CopyError, match="usually 4 mV"):
        StandardNeuron(noise_sd_v=0.0)
