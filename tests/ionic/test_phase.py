"""Where spiking is possible."""

import math

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import Choice, outcome, phase_diagram, simulate, with_noise
from neurograft.ionic._phase import neuron_of, shortest_neuron
from neurograft.units import MS, NM


def test_the_default_current_share_is_the_authors_current():
    assert neuron_of(Choice(height_m=0.7 * NM)).circuit.current_a == pytest.approx(0.1e-9, rel=0.02)


def test_two_layers_of_a_divalent_salt_spike_at_a_weaker_battery_than_one():
    points = phase_diagram(layers=(1, 2), valences=(2,), batteries=(0.05, 0.1))
    spiking = {(layers, choice.battery) for layers, choice, found in points if found.spikes}
    assert (2, 0.05) in spiking
    assert (1, 0.05) not in spiking


def test_a_monovalent_salt_does_not_pair_enough_to_spike():
    assert not any(found.spikes for *_, found in phase_diagram(layers=(1,), valences=(1,), batteries=(0.1, 0.2)))


def test_swing_scales_with_the_shortest_plane():
    found = outcome(Choice(height_m=1.04 * NM, battery=0.05))
    assert found.spikes
    # 2 um against five times xi = 80 * 1.04 nm / (2 * 2)
    assert found.shortest_swing_v == pytest.approx(found.swing_v * 5 * 20.8 / 2000, rel=1e-6)


def test_what_rings_down_is_no_spiking():
    """At the authors' current this slit swings by 1.9 V after 1 ms and by .2 V after 4."""
    ringing = Choice(height_m=1.04 * NM, battery=0.03)
    assert not outcome(ringing).spikes
    early = simulate(neuron_of(ringing), duration_s=1.5 * MS).voltage_v[15_000:]
    assert np.ptp(early) > 0.1 * neuron_of(ringing).circuit.reversal_na_v  # what was taken for spikes once


def test_over_the_shortest_slit_the_same_happens_at_lower_voltage():
    choice = Choice(height_m=1.04 * NM, battery=0.05)
    found = outcome(choice)
    short = simulate(shortest_neuron(choice, n_pairs=1000), duration_s=6 * MS, start=(0.0, 1.0, 1.0)).voltage_v[60_000:]
    assert np.ptp(short) == pytest.approx(found.shortest_swing_v, rel=0.01)
    still = with_noise(choice, n_pairs=10**9, rng=np.random.default_rng(0))  # as good as none
    assert still.interval_s == pytest.approx(found.interval_s, rel=0.01)
    assert still.interval_sd_s < 0.01 * still.interval_s
    assert still.energy_j == pytest.approx(found.energy_j * 1e9 / 4000, rel=0.02)  # of each ion, in the same fields


def test_fewer_ions_spike_less_regularly():
    choice = Choice(height_m=1.04 * NM, battery=0.05)
    spread = []
    for n_pairs in (100_000, 1000):
        noisy = with_noise(choice, n_pairs=n_pairs, rng=np.random.default_rng(1))
        spread.append(noisy.interval_sd_s / noisy.interval_s)
    assert spread[0] < 0.1 < spread[1]
    silent = with_noise(Choice(height_m=1.04 * NM, battery=0.03), n_pairs=1000, rng=np.random.default_rng(1))
    assert math.isnan(silent.interval_s)


def test_unknown_layers_are_refused():
    with pytest.raises(IonicError, match="known of 1, 2 and 3 layers"):
        phase_diagram(layers=(4,), valences=(2,), batteries=(0.1,))
