"""Ions by their place across the field: what cannot pair, mean rates where all mix, moving ions, a neuron."""

import math
from dataclasses import replace

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import FIELD_UNIT_V_M, PAIRS_ALONE, Circuit, PowerLaw, Stripes, simulate_stripes, spikes_of
from neurograft.units import MS, NM, NS, PS, UM, US

# Free share (by current) of 1,000 + 1,000 ions at 1e-5 per nm2 and 5 ps on 2 um along the field, one run each, random
# start, walls across: field in the authors' unit and for how long (us), then time (us) and share.
IONS = {
    "weak field": ([(0.02, 40)], {2: 0.5933, 4: 0.4327, 8: 0.3088, 16: 0.2095, 24: 0.1805, 40: 0.1568}),
    "weaker": ([(0.01, 40)], {2: 0.6831, 4: 0.5311, 8: 0.3639, 16: 0.2629, 24: 0.2149, 40: 0.1630}),
    "strong, then weak": ([(0.08, 15), (0.02, 45)], {4: 0.4876, 12: 0.4545, 20: 0.2819, 32: 0.1955, 60: 0.1539}),
    "stronger, then weak": ([(0.1, 6), (0.03, 40)], {4: 0.6520, 8: 0.4170, 12: 0.2925, 24: 0.2032, 40: 0.1628}),
}


@pytest.mark.parametrize("name", IONS)
def test_free_ions_are_as_many_as_where_every_ion_moves(name):
    """To three standard deviations between random starts, and the 5 % by which rates of lone pairs are known."""
    course, expected = IONS[name]
    field = np.concatenate([np.full(round(us * US / (50 * NS)), f) for f, us in course]) * FIELD_UNIT_V_M
    slit = Stripes(law=PAIRS_ALONE, n_pairs=1000, length_m=2 * UM, width_m=50 * UM)
    runs = np.array([slit.relax(field, np.random.default_rng(seed)) for seed in range(8)])
    for at_us, share in expected.items():
        found = runs[:, 20 * at_us - 10 : 20 * at_us + 10].mean(axis=1)
        assert share == pytest.approx(found.mean(), abs=3 * found.std(ddof=1) + 0.05 * share)
        assert found.std(ddof=1) < 0.12 * share


def test_what_cannot_pair_dies_as_toussaint_and_wilczek_say():
    """n = (2 pi rho L sqrt(2 pi D t))^-1/2 where pairs hold and form at once (J. Chem. Phys. 78, 2642, 1983)."""
    at_once = PowerLaw(ratio_per_m2=0.0, catching=1e-3)
    slit = Stripes(law=at_once, n_pairs=20_000, length_m=2 * UM, width_m=400 * UM, cell_m=50 * NM)
    runs = np.array([slit.relax(np.ones(4000), np.random.default_rng(seed))[[249, 999, 3999]] for seed in range(3)])
    time_s = np.array([250, 1000, 4000]) * slit.step_s
    per_m = slit.n_pairs / slit.width_m
    exact = 1 / np.sqrt(2 * math.pi * per_m * np.sqrt(2 * math.pi * slit.diffusion_m2_s * time_s))
    # cells have a width, ions come one by one: 8 %
    assert runs.mean(axis=0) == pytest.approx(exact, rel=0.08)


def test_where_all_ions_mix_the_mean_rates_hold():
    law = PowerLaw()
    slit = Stripes(
        law=law, n_pairs=20_000, length_m=2 * UM, width_m=200 * UM, cell_m=50 * UM, diffusion_m2_s=1e-2, step_s=20 * NS
    )
    field = 0.06 * FIELD_UNIT_V_M
    found = slit.relax(np.full(4000, field), np.random.default_rng(0))
    at = np.array([field])
    kd, ka_rho = law.breaking_hz(at)[0], law.catching * slit.n_pairs / (slit.length_m * slit.width_m)
    n, expected = 1.0, np.zeros(600)
    for k in range(600):
        for _ in range(20):
            n += slit.step_s / 20 * ((1 - n) * kd - ka_rho * n * n)
        expected[k] = n
    assert found[[20, 100, 300]] == pytest.approx(expected[[20, 100, 300]], abs=0.01)  # four sd of 20,000 ions, 0.5 %
    assert found[-3400:].mean() == pytest.approx(expected[-1], rel=0.02)  # 35 memory times of 1.7 % each, steps of 12 %


def test_more_ions_or_a_longer_slit_leave_fewer_single():
    whole = Stripes(law=PAIRS_ALONE, n_pairs=1000, length_m=2 * UM, width_m=50 * UM)
    field = np.full(800, 0.02 * FIELD_UNIT_V_M)
    shares = []
    for slit in (whole, replace(whole, length_m=8 * UM, width_m=12.5 * UM), replace(whole, n_pairs=4000)):
        shares.append(np.mean([slit.relax(field, np.random.default_rng(seed))[-1] for seed in range(3)]))
    assert shares[1] < 0.8 * shares[0]
    assert shares[2] < 0.8 * shares[0]


def test_the_neuron_spikes_with_rates_that_know_no_neuron():
    """Authors, one run: 13 spikes, 40.6 +- 2.2 V, trough 9.3 V; seeds differ far more than their two digits tell."""
    trains = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        trains.append(spikes_of(simulate_stripes(Circuit(), PAIRS_ALONE, duration_s=1.205 * MS, rng=rng)))
    peaks = np.concatenate([train.peak_v for train in trains])
    assert peaks.size > 20
    assert peaks.mean() == pytest.approx(40.6, abs=2.2)
    trough = np.concatenate([train.trough_v for train in trains]).mean()
    assert 2.8 < trough < 14  # authors' range 2.8 to 12.3


def test_a_seed_repeats_and_the_circuit_is_off_at_first():
    one, other = (
        simulate_stripes(Circuit(), PAIRS_ALONE, duration_s=20 * US, rng=np.random.default_rng(4)) for _ in range(2)
    )
    np.testing.assert_array_equal(one.voltage_v, other.voltage_v)
    assert np.all(one.voltage_v[:101] == 0.5)
    assert one.voltage_v[-1] != 0.5
    assert np.all((one.n_k >= 0) & (one.n_k <= 1))


def test_cells_that_ions_jump_over_are_refused():
    with pytest.raises(IonicError, match="a cell must be wider than an ion diffuses"):
        Stripes(law=PAIRS_ALONE, n_pairs=10, length_m=2 * UM, width_m=20 * UM, cell_m=5 * NM)
    with pytest.raises(IonicError, match="two must fit"):
        Stripes(law=PAIRS_ALONE, n_pairs=10, length_m=2 * UM, width_m=150 * NM, step_s=5 * PS)
