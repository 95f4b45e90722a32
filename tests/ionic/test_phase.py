"""Where spiking is possible."""

import pytest

from neurograft.errors import IonicError
from neurograft.ionic import Choice, outcome, phase_diagram
from neurograft.ionic._phase import neuron_of
from neurograft.units import NM


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


def test_unknown_layers_are_refused():
    with pytest.raises(IonicError, match="known of 1, 2 and 3 layers"):
        phase_diagram(layers=(4,), valences=(2,), batteries=(0.1,))
