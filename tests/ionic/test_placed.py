"""Moving ions as stripes see them, and stripes that go on from their places."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import (
    FIELD_UNIT_V_M,
    PAIRS_ALONE,
    Circuit,
    DiluteStepper,
    IonModel,
    NeuronStart,
    ParticleOptions,
    Placed,
    Plane,
    Stripes,
    paired_start,
    paper_salt,
    placed_of,
    random_start,
    salt,
    simulate_stripes,
    start_neuron,
    stripes_start,
)
from neurograft.units import NM, NS, UM, US


def test_pairs_are_found_where_they_were_put():
    model = IonModel(salt=paper_salt(200), plane=Plane(length_m=4 * UM, width_m=4 * UM, has_walls=True))
    state = paired_start(model, np.random.default_rng(1), free_fraction=0.25)
    found = placed_of(model, state)
    assert found.cation_m.size == found.anion_m.size
    assert found.cation_m.size == pytest.approx(50, abs=2)  # of 100 single ions two lie within 6 nm by chance or none
    middle_m = 0.5 * (state.y_nm[:200] + state.y_nm[200:])[:150] * NM  # the first 150 of each kind are the pairs
    gap_m = np.abs(found.pair_m[:, None] - middle_m[None, :]).min(axis=0)
    assert np.mean(gap_m < 1e-6 * NM) > 0.98


def test_a_pair_across_the_periodic_edge_is_one_and_the_nearest_goes_first():
    model = IonModel(salt=paper_salt(2), plane=Plane(length_m=1 * UM, width_m=1 * UM, has_walls=True))
    state = random_start(model, np.random.default_rng(0))
    state.x_nm[:] = [999.0, 504.0, 1002.0, 500.0]  # cations 0 and 1, anions 2 and 3; 0 and 2 lie 3 nm apart
    state.y_nm[:] = [10.0, 800.0, 10.0, 800.0]
    assert np.sort(placed_of(model, state).pair_m) == pytest.approx(np.array([10.0, 800.0]) * NM)
    state.x_nm[:] = [500.0, 505.0, 503.0, 900.0]  # the anion is 3 nm from one cation and 2 nm from the other
    state.y_nm[:] = [100.0, 101.0, 101.0, 300.0]
    found = placed_of(model, state)
    assert found.pair_m == pytest.approx([101.0 * NM])
    assert (found.cation_m[0], found.anion_m[0]) == pytest.approx((100.0 * NM, 300.0 * NM))


def test_from_the_same_places_stripes_keep_as_many_ions_single():
    """To three standard deviations of stripes' own noise, the 5 % of the rates and the root of the ions' number."""
    at_us = 3
    model = IonModel(salt=paper_salt(500), plane=Plane(length_m=2 * UM, width_m=25 * UM, has_walls=True))
    state = random_start(model, np.random.default_rng(5))
    slit = Stripes(law=PAIRS_ALONE, n_pairs=500, length_m=2 * UM, width_m=25 * UM)
    rng = np.random.default_rng(6)
    field = np.full(round(at_us * US / slit.step_s), 0.03 * FIELD_UNIT_V_M)
    begin = placed_of(model, state)
    shares = np.array([slit.relax(field, rng, start=begin)[-1] for _ in range(8)])
    DiluteStepper(model=model).advance(state, np.full(round(at_us * US / model.step_s), field[0]))
    found = placed_of(model, state).cation_m.size / 500
    tolerance = 3 * shares.std(ddof=1) + 0.05 * found + np.sqrt(found / 500)
    assert shares.mean() == pytest.approx(found, abs=tolerance)
    assert tolerance < 0.35 * found


def test_a_neuron_that_goes_on_is_the_one_that_began_there():
    """The same places and numbers, told or drawn: one course; ``time_s`` counts towards the quiet time."""
    circuit = Circuit(n_pairs=500, na_width_m=2.5 * UM, k_width_m=25 * UM, current_a=1.25e-11, capacitance_f=1.25e-17)
    rng = np.random.default_rng(3)
    drawn = simulate_stripes(circuit, PAIRS_ALONE, duration_s=10 * US, rng=np.random.default_rng(3))
    na, k = (rng.random((2, 500)) * width for width in (circuit.na_width_m, circuit.k_width_m))
    start = NeuronStart(0.0, 0.5, Placed(na[0], na[1], np.zeros(0)), Placed(k[0], k[1], np.zeros(0)))
    told = simulate_stripes(circuit, PAIRS_ALONE, duration_s=10 * US, rng=rng, start=start)
    np.testing.assert_array_equal(told.voltage_v, drawn.voltage_v)
    late = simulate_stripes(
        circuit, PAIRS_ALONE, duration_s=10 * US, rng=np.random.default_rng(3), start=start._replace(time_s=4 * US)
    )
    assert late.time_s[0] == pytest.approx(4 * US + 50 * NS)
    assert late.time_s[-1] == pytest.approx(10 * US)
    np.testing.assert_array_equal(late.voltage_v[:21], 0.5)
    assert late.voltage_v[21] != 0.5


def test_a_particle_neurons_ions_are_all_placed():
    circuit = Circuit(n_pairs=400, na_width_m=2 * UM, k_width_m=20 * UM, current_a=1e-11, capacitance_f=1e-17)
    neuron = start_neuron(circuit, ParticleOptions(block_steps=200), np.random.default_rng(2))
    for _ in range(3):
        neuron.advance()
    begin = stripes_start(neuron)
    assert begin.time_s == pytest.approx(3 * 200 * 5e-12)
    assert begin.voltage_v == neuron.voltage_v
    for placed in (begin.na, begin.k):
        assert placed.cation_m.size == placed.anion_m.size == 400 - placed.pair_m.size
    assert begin.na.pair_m.size > begin.k.pair_m.size  # denser


def test_other_salts_and_places_of_too_few_ions_are_refused():
    model = IonModel(salt=salt(CaCl2=10), plane=Plane(length_m=1 * UM, width_m=1 * UM))
    with pytest.raises(IonicError, match="of one valence"):
        placed_of(model, random_start(model, np.random.default_rng(0)))
    slit = Stripes(law=PAIRS_ALONE, n_pairs=10, length_m=2 * UM, width_m=20 * UM)
    with pytest.raises(IonicError, match="3 single cations, 3 single anions and 6 pairs are not 10 ions"):
        slit.start(Placed(np.zeros(3), np.zeros(3), np.zeros(6)))
