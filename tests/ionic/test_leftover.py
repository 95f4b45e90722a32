"""Ions without a partner decide between whole spikes, a small swing and rest."""

import math

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import (
    PAIRS_ALONE,
    Circuit,
    Leftover,
    PowerLaw,
    Reduced,
    Stripes,
    excess_share,
    simulate,
    spikes_of,
)
from neurograft.units import MS, NM, UM


def with_excess(share: float) -> Leftover:
    """Return the authors' neuron; ten times as dense, the first slit's excess is less by the root of ten."""
    return Leftover(circuit=Circuit(), law=PAIRS_ALONE, na=share / math.sqrt(10), k=share)


def test_without_excess_it_is_the_neuron_of_mean_rates():
    """Two solvers, a step of 50 ns (exponential) and of 12.5 ns (Heun): 1 %."""
    law = PowerLaw()  # its catching does not depend on density, which both take differently
    found = Leftover(circuit=Circuit(), law=law, na=0, k=0).cycle()
    train = spikes_of(simulate(Reduced(circuit=Circuit(), law=law), duration_s=3 * MS))
    assert found.period_s == pytest.approx(train.interval_s, rel=0.01)
    assert found.highest_v == pytest.approx(train.peak_v[-1], rel=0.01)
    assert found.lowest_v == pytest.approx(train.trough_v[-1], abs=0.2)


def test_the_swing_shrinks_with_the_excess_until_it_rests():
    cycles = [with_excess(share).cycle() for share in (0.0, 0.1, 0.2, 0.3)]
    swings = [c.highest_v - c.lowest_v for c in cycles]
    assert np.all(np.diff(swings) < 0)
    assert swings[0] > 45
    assert swings[-1] < 0.01
    assert np.all(np.diff([c.period_s for c in cycles[:3]]) < 0)
    assert math.isnan(cycles[-1].period_s)
    assert cycles[1].highest_v == pytest.approx(40.6, abs=2.3)  # authors' spikes: 40.6 +- 2.2 V
    assert 2 < cycles[1].lowest_v < 12.3  # authors' troughs: 2.8 to 12.3 V


@pytest.mark.parametrize("share", [0.15, 0.35])
def test_a_small_push_grows_or_dies_as_the_eigenvalue_says(share):
    """Rates are tabulated, with a kink at each entry: growth to a fifth, frequency to a twentieth."""
    neuron = with_excess(share)
    (rest,) = neuron.rests()
    assert (rest.growth_hz > 0) == (share < 0.25)
    state = np.array([rest.voltage_v + 0.3, rest.n_na - 0.5 * neuron.na, rest.n_k - 0.5 * neuron.k])
    v = neuron.course(state, 2400)[:, 0] - rest.voltage_v
    tops = 1 + np.flatnonzero((v[1:-1] > v[:-2]) & (v[1:-1] >= v[2:]) & (v[1:-1] > 0))
    time_s = tops * 50e-9
    turn_hz = 1 / np.diff(time_s).mean()
    growth_hz = np.polyfit(time_s, np.log(v[tops]), 1)[0]
    assert turn_hz == pytest.approx(rest.turn_hz, rel=0.05)
    assert growth_hz == pytest.approx(rest.growth_hz, rel=0.2)


def test_more_excess_in_either_slit_damps():
    both = with_excess(0.2)
    for other in ({"na": 2 * both.na, "k": both.k}, {"na": both.na, "k": 1.5 * both.k}):
        more = Leftover(circuit=Circuit(), law=PAIRS_ALONE, **other)
        assert more.rests()[0].growth_hz < both.rests()[0].growth_hz


def test_the_excess_of_random_places_is_that_of_poisson_and_pairs_have_none():
    rng = np.random.default_rng(1)
    slit = Stripes(law=PAIRS_ALONE, n_pairs=40_000, length_m=2 * UM, width_m=200 * UM)
    placed = slit.spread(rng)
    found = excess_share(placed.cation_m, placed.anion_m, n_pairs=40_000, width_m=200 * UM)
    mean = 40_000 * 300 * NM / (200 * UM)  # of each kind in a cell; their difference is nearly normal
    assert found == pytest.approx(math.sqrt(4 * mean / math.pi) / mean, rel=0.1)  # 667 cells: 3 % a standard deviation
    assert excess_share(placed.cation_m, placed.cation_m, n_pairs=40_000, width_m=200 * UM) == 0


def test_shares_that_are_none_are_refused():
    with pytest.raises(IonicError, match="shares from 0 to 1"):
        Leftover(circuit=Circuit(), law=PAIRS_ALONE, na=0.1, k=1.2)


def test_a_slit_narrower_than_a_cell_is_one_cell():
    place_m = np.linspace(0.0, 100 * NM, 10)
    assert excess_share(place_m[:7], place_m[:3], n_pairs=10, width_m=100 * NM) == pytest.approx(0.4)
