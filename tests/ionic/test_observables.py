"""Clusters against scipy's graph search, trajectories in the readers of others, memory time of a known decay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.ionic import IonModel, Plane, TrajectoryWriter, clusters, memory_time_s, paper_salt, random_start
from neurograft.ionic._observables import block_error, unite
from neurograft.units import NM

MODEL = IonModel(salt=paper_salt(60), plane=Plane(length_m=150 * NM, width_m=90 * NM))


@given(seed=st.integers(0, 1000), link_nm=st.floats(1, 12))
@settings(max_examples=20, deadline=None)
def test_clusters_are_the_components_of_all_near_pairs(seed, link_nm):
    from scipy.sparse.csgraph import connected_components

    state = random_start(MODEL, np.random.default_rng(seed))
    box = np.array([150.0, 90.0])
    place = np.stack([state.x_nm, state.y_nm], axis=1)
    apart = place[:, None] - place[None]
    apart -= box * np.rint(apart / box)
    n, label = connected_components((apart**2).sum(axis=2) <= link_nm**2)
    found = clusters(MODEL, state, link_m=link_nm * NM)
    assert found.sizes.size == n
    assert np.array_equal(found.of_ion[:, None] == found.of_ion[None], label[:, None] == label[None])
    assert found.free_fraction == (np.bincount(label) == 1).sum() / 120


def test_pairs_and_sizes_of_a_small_arrangement():
    state = random_start(MODEL, np.random.default_rng(0))
    state.x_nm[:] = np.arange(120) % 12 * 12.5
    state.y_nm[:] = np.arange(120) // 12 * 9.0
    state.x_nm[60], state.y_nm[60] = state.x_nm[0] + 1.0, state.y_nm[0]  # an anion beside the first cation
    found = clusters(MODEL, state)
    assert found.pair_fraction == pytest.approx(2 / 120)
    assert found.free_fraction == pytest.approx(118 / 120)
    assert found.mean_size == pytest.approx((118 + 2 * 2) / 120)


def test_union_by_hand():
    root = np.arange(6)
    unite(np.array([[4, 5], [1, 3], [3, 4]]), root)
    assert root.tolist() == [0, 1, 2, 1, 1, 1]


def test_memory_time_of_an_exponential():
    t = np.arange(2000) * 1e-8
    assert memory_time_s(0.2 + 0.5 * np.exp(-t / 2e-6), step_s=1e-8) == pytest.approx(2e-6, rel=0.01)


def test_error_of_correlated_blocks_is_larger():
    x = np.random.default_rng(0).standard_normal(400)
    assert block_error(np.repeat(x, 4)) > 1.8 * block_error(x) / 2


def test_a_trajectory_has_frames_that_read_back(tmp_path):
    state = random_start(MODEL, np.random.default_rng(1))
    path = tmp_path / "ions.lammpstrj"
    with TrajectoryWriter(path, MODEL) as writer:
        writer.write(state)
        state.x_nm += 200.0
        state.n_steps = 50
        writer.write(state)
    lines = path.read_text().splitlines()
    assert len(lines) == 2 * (9 + 120)
    second = np.array([line.split() for line in lines[129 + 9 :]], dtype=float)
    assert second[:, 3] == pytest.approx(np.mod(state.x_nm * 10, 1500), abs=1e-3)
    assert set(second[:, 2]) == {-2.0, 2.0}


def test_an_interrupted_trajectory_leaves_no_file(tmp_path):
    path = tmp_path / "ions.lammpstrj"
    with pytest.raises(KeyboardInterrupt), TrajectoryWriter(path, MODEL):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_mdanalysis_opens_the_trajectory(tmp_path):
    mda = pytest.importorskip("MDAnalysis")
    state = random_start(MODEL, np.random.default_rng(1))
    path = tmp_path / "ions.lammpstrj"
    with TrajectoryWriter(path, MODEL) as writer:
        writer.write(state)
    universe = mda.Universe(str(path), format="LAMMPSDUMP")
    assert universe.atoms.n_atoms == 120
    assert universe.atoms.positions[:, 0] == pytest.approx(state.x_nm * 10, abs=1e-2)


def test_ovito_opens_the_trajectory(tmp_path):
    io = pytest.importorskip("ovito.io")
    state = random_start(MODEL, np.random.default_rng(1))
    path = tmp_path / "ions.lammpstrj"
    with TrajectoryWriter(path, MODEL) as writer:
        writer.write(state)
    data = io.import_file(str(path)).compute()
    assert np.sort(np.asarray(data.particles.positions)[:, 0]) == pytest.approx(np.sort(state.x_nm * 10), abs=1e-2)
