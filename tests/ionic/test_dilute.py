"""The step of dilute ions: the paths of the plain stepper without noise, its statistics with noise."""

import numpy as np
import pytest

from neurograft.ionic import (
    FIELD_UNIT_V_M,
    Exact,
    Ion,
    IonModel,
    LogRatio,
    Plane,
    Salt,
    Stepper,
    clusters,
    paper_salt,
    random_start,
    slit_of_layers,
    start_at,
)
from neurograft.ionic import _brownian as brownian
from neurograft.ionic import _dilute as dilute
from neurograft.ionic._dilute import DiluteStepper, is_dilute, stepper_for
from neurograft.units import NM, PS, UM

UNLIKE = Salt(
    ions=(Ion(name="Ca", valence=2, diffusion_m2_s=0.8e-9), Ion(name="Cl", valence=-1, diffusion_m2_s=2e-9)),
    counts=(150, 300),
)


@pytest.fixture
def noiseless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the noise out of both steppers."""
    whole = brownian.ions_of

    def quiet(model, species):
        rows = whole(model, species)
        rows[1] = 0.0
        return rows

    monkeypatch.setattr(brownian, "ions_of", quiet)
    monkeypatch.setattr(dilute, "ions_of", quiet)


@pytest.mark.usefixtures("noiseless")
@pytest.mark.parametrize("has_walls", [False, True])
@pytest.mark.parametrize("salt", [paper_salt(200), UNLIKE], ids=["paper", "unlike"])
def test_without_noise_ions_go_where_the_plain_stepper_takes_them(salt, has_walls):
    """No pair touches: there a step overshoots, and two paths part by rounding."""
    model = IonModel(salt=salt, plane=Plane(length_m=1200 * NM, width_m=1700 * NM, has_walls=has_walls), step_s=1 * PS)
    rng = np.random.default_rng(3)
    species = np.repeat(np.arange(2), salt.counts).astype(np.int8)
    places = np.argwhere(np.ones((24, 34)))[rng.permutation(24 * 34)[: salt.n_ions]]  # 50 nm apart, half of the ions
    x, y = (50.0 * places + rng.uniform(18, 32, size=places.shape)).T  # at least 36 nm from each other
    x[1::4], y[1::4] = x[::4][: x[1::4].size] + 7.0, y[::4][: y[1::4].size] + 3.0  # every fourth has one beside it
    x[2::8], y[2::8] = x[::8][: x[2::8].size] - 8.0, y[::8][: y[2::8].size] + 6.0  # every eighth two
    start = start_at(model, x_nm=x.copy(), y_nm=y.copy(), species=species, rng=rng)
    plain, other = start.copy(), start.copy()
    field = np.linspace(0, 2e7, 250)
    moved = Stepper(model=model).advance(plain, field)
    stepper = DiluteStepper(model=model)
    assert stepper.advance(other, field) == pytest.approx(moved, rel=1e-4)
    np.testing.assert_allclose(other.x_nm, plain.x_nm, atol=2e-3)  # 32-bit displacements of nanometres, 250 steps
    np.testing.assert_allclose(other.y_nm, plain.y_nm, atol=2e-3)
    assert 0.1 < stepper.n_in_groups / (2 * salt.n_ions) < 0.7
    assert np.abs(plain.x_nm - x).max() > 0.3


@pytest.mark.usefixtures("noiseless")
def test_chains_of_any_length_go_where_the_plain_stepper_takes_them():
    """Chains of 3 to 12 ions, the longest beyond what is stepped side by side; more than 64 of some."""
    rng = np.random.default_rng(8)
    lengths = np.concatenate([np.arange(3, 13), np.full(70, 4), np.full(5, 7)])
    x, y = [], []
    for k, length in enumerate(lengths):
        x.append(400.0 * (k % 10) + 14.0 * np.arange(length) + rng.uniform(-2, 2, size=length))
        y.append(100.0 * (k // 10) + 50.0 + rng.uniform(-2, 2, size=length))
    x, y = np.concatenate(x) - 60.0, np.concatenate(y)  # some chains lie across the edge
    n = x.size - x.size % 2
    x, y = x[:n], y[:n]
    model = IonModel(salt=paper_salt(n // 2), plane=Plane(length_m=4 * UM, width_m=1 * UM), step_s=1 * PS)
    start = start_at(
        model, x_nm=x, y_nm=y, species=rng.permutation(np.arange(n) % 2).astype(np.int8), rng=np.random.default_rng(0)
    )
    plain, other = start.copy(), start.copy()
    field = np.full(250, 2e7)
    Stepper(model=model).advance(plain, field)
    stepper = DiluteStepper(model=model)
    stepper.advance(other, field)
    assert stepper.n_in_groups == 2 * n
    np.testing.assert_allclose(other.x_nm, plain.x_nm, atol=2e-3)  # as above
    np.testing.assert_allclose(other.y_nm, plain.y_nm, atol=2e-3)
    assert np.abs(plain.x_nm - x).max() > 0.3


def test_lists_of_near_ions_serve_many_sweeps_and_change_nothing():
    model = IonModel(salt=paper_salt(150), plane=Plane(length_m=1500 * NM, width_m=1500 * NM))
    start = random_start(model, np.random.default_rng(4))
    field = np.full(5000, 0.08 * FIELD_UNIT_V_M)
    often, seldom = start.copy(), start.copy()
    one, other = DiluteStepper(model=model, slack_nm=1.0), DiluteStepper(model=model)
    one.advance(often, field)
    other.advance(seldom, field)
    assert one.n_listings == 40  # before each sweep
    assert 1 < other.n_listings < 10
    np.testing.assert_array_equal(often.x_nm, seldom.x_nm)


def test_without_forces_ions_alone_in_twos_and_in_groups_diffuse_as_their_kind():
    """Of one sweep; variance of 1,200 numbers to four standard errors, and none goes with its neighbour."""
    n = 1200
    kinds = tuple(
        Ion(name=i.name, valence=z, diffusion_m2_s=i.diffusion_m2_s) for i, z in zip(UNLIKE.ions, (1, -1), strict=True)
    )
    model = IonModel(
        salt=Salt(ions=kinds, counts=(n // 2, n // 2)),
        plane=Plane(length_m=8e-6, width_m=8e-6),
        interaction=LogRatio(strength=1e-9, reach_m=14 * NM),
    )
    species = np.tile(np.array([0, 1], dtype=np.int8), n // 2)
    spread = np.sqrt(2 * np.array([0.8e-9, 2e-9])[species] * 125 * 5 * PS) / NM
    for members in (1, 2, 4):
        group = np.arange(n) // members
        x, y = 200.0 * (group % 40) + 5.0 * (np.arange(n) % members), 200.0 * (group // 40) + 0.0
        state = start_at(model, x_nm=x, y_nm=y, species=species, rng=np.random.default_rng(members))
        stepper = DiluteStepper(model=model)
        stepper.advance(state, np.zeros(125))
        assert stepper.n_in_groups == (n if members == 4 else 0)
        z = np.stack([state.x_nm - x, state.y_nm - y]) / spread
        assert z.var(axis=1) == pytest.approx([1, 1], abs=4 * np.sqrt(2 / n))
        assert np.mean(z[0] * z[1]) == pytest.approx(0, abs=4 / np.sqrt(n))
        assert np.mean(z[:, ::2] * z[:, 1::2], axis=1) == pytest.approx([0, 0], abs=4 / np.sqrt(n / 2))
        for kind in (0, 1):
            assert z[:, species == kind].var() == pytest.approx(1, abs=4 * np.sqrt(2 / n))


def test_a_field_moves_all_kinds_alike_in_both_steppers():
    """Pairs form, break and carry current: the mean of eight starts agrees within four standard errors."""
    model = IonModel(salt=paper_salt(300), plane=Plane(length_m=1700 * NM, width_m=1700 * NM))
    field = np.full(8000, 0.1 * FIELD_UNIT_V_M)
    found = []
    for kind in (Stepper, DiluteStepper):
        rows = []
        for seed in range(8):
            state = random_start(model, np.random.default_rng(seed))
            moved = kind(model=model).advance(state, field)
            seen = clusters(model, state)
            rows.append((moved / 1e4, seen.free_fraction, seen.pair_fraction))
        found.append(np.array(rows))
    error = np.sqrt(sum(rows.var(axis=0, ddof=1) / 8 for rows in found))
    assert np.all(error < [0.5, 0.02, 0.02])
    assert np.all(np.abs(found[0].mean(axis=0) - found[1].mean(axis=0)) < 4 * error)


def test_a_run_cut_at_blocks_repeats_bit_for_bit():
    model = IonModel(salt=paper_salt(60), plane=Plane(length_m=1000 * NM, width_m=1000 * NM, has_walls=True))
    one = random_start(model, np.random.default_rng(1))
    other = one.copy()
    field = np.full(600, 1e7)
    DiluteStepper(model=model).advance(one, np.concatenate([field, field]))
    for _ in range(2):
        DiluteStepper(model=model).advance(other, field)
    # 1,200 steps are ten sweeps of 120, as twice 600 are; the stronger field, were it to differ, would change the skin
    np.testing.assert_array_equal(one.x_nm, other.x_nm)
    assert one.n_steps == other.n_steps == 1200


def test_dense_ions_and_other_interactions_are_left_to_the_plain_stepper():
    wide, narrow = Plane(length_m=2e-6, width_m=2e-6), Plane(length_m=2e-7, width_m=2e-7)
    assert isinstance(stepper_for(IonModel(salt=paper_salt(200), plane=wide)), DiluteStepper)
    assert not is_dilute(IonModel(salt=paper_salt(200), plane=narrow))
    exact = Exact(slit=slit_of_layers(1), cut_m=20 * NM)
    assert not is_dilute(IonModel(salt=paper_salt(200), plane=wide, interaction=exact))
    assert not is_dilute(IonModel(salt=paper_salt(1), plane=Plane(length_m=50 * NM, width_m=50 * NM)))
