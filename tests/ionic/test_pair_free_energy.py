"""The work of bringing a pair together: known potentials come back, springs are taken out, cores hold as many pairs."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import PAPER, PairWork, Umbrellas, Visits, core_for, load_visits, pair_work, save_visits
from neurograft.ionic._pair_free_energy import add_spring, visit_windows
from neurograft.units import NM, PS

THERMAL_KJ = 8.314462618e-3 * 298


def energy_kt(r):
    """Return a well at contact, a wall between, a shallow well beyond: the shape that pairs in water have."""
    return 40 * (0.2 / r) ** 12 - 6 * np.exp(-(((r - 0.28) / 0.05) ** 2)) + 2 * np.exp(-(((r - 0.42) / 0.07) ** 2))


def drawn(umbrellas, n_rounds, dimensions, rng):
    grid = np.linspace(0.15, 1.4, 20_000)
    seen = Visits()
    for _ in range(2 * n_rounds):  # inwards, then outwards
        for window, centre in enumerate(umbrellas.centre_nm):
            bias = 0.5 * umbrellas.spring / THERMAL_KJ * (grid - centre) ** 2
            weight = grid ** (dimensions - 1) * np.exp(-energy_kt(grid) - bias)
            seen.window.append(window)
            seen.distance_nm.append(np.interp(rng.random(400), np.cumsum(weight) / weight.sum(), grid))
    return seen


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_known_potential_comes_back_from_distances_drawn_under_springs(dimensions):
    umbrellas = Umbrellas()
    seen = drawn(umbrellas, 8, dimensions, np.random.default_rng(dimensions))
    work = pair_work(seen, umbrellas, thermal_kj=THERMAL_KJ, dimensions=dimensions)
    exact = energy_kt(work.distance_nm)
    exact -= exact[-7:].mean()
    # four standard errors of the run's own, and what bins of 0.01 nm average on slopes of up to 60 kT/nm
    smooth = work.distance_nm > 0.27
    off = np.abs(work.work_kt - exact)[smooth]
    assert np.all(off < 4 * work.error_kt[smooth] + 0.15)
    assert work.error_kt[smooth].mean() < 0.15
    assert work.contact_nm == pytest.approx(0.28, abs=0.015)
    value, error = work.contact_kt
    assert value == pytest.approx(exact[np.argmin(np.abs(work.distance_nm - 0.28))], abs=4 * error + 0.15)
    assert abs(work.contact_split_kt) < 8 * error + 0.1


def test_two_charges_in_vacuum_have_coulombs_energy():
    """OpenMM, springs, WHAM and 3 dimensions: -k q^2 / r + Lennard-Jones, kT units, is known exactly."""
    mm = pytest.importorskip("openmm", reason="molecules need the extra md")
    charge, sigma, epsilon = 0.12, 0.28, 0.4
    system = mm.System()
    system.setDefaultPeriodicBoxVectors((50, 0, 0), (0, 50, 0), (0, 0, 50))
    force = mm.NonbondedForce()
    force.setNonbondedMethod(mm.NonbondedForce.NoCutoff)
    for q in (charge, -charge):
        system.addParticle(20.0)
        force.addParticle(q, sigma, epsilon)
    system.addForce(force)
    umbrellas = Umbrellas(visit_s=4 * PS, settle_s=1 * PS)
    add_spring(mm, system, (0, 1), umbrellas.spring)
    integrator = mm.LangevinMiddleIntegrator(298, 5.0, 0.004)
    integrator.setRandomNumberSeed(3)
    context = mm.Context(system, integrator, mm.Platform.getPlatformByName("Reference"))
    context.setPositions(np.array([[0.0, 0, 0], [1.0, 0, 0]]))
    seen = visit_windows(context, integrator, (0, 1), umbrellas, Visits(), n_rounds=8, step_ps=0.004, seed=1)
    assert seen.window[:40] == [*range(19, -1, -1), *range(20)]
    for k in range(0, 320, 20):  # states trade windows with neighbours, within their direction
        assert sorted(seen.window[k : k + 20]) == list(range(20))
    assert any(seen.window[k : k + 40] != seen.window[:40] for k in range(40, 320, 40))
    work = pair_work(seen, umbrellas, thermal_kj=THERMAL_KJ, dimensions=3)
    r = work.distance_nm
    exact = (-138.935456 * charge**2 / r + 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)) / THERMAL_KJ
    exact -= exact[-7:].mean()
    kept = r > 0.275
    assert np.all(np.abs(work.work_kt - exact)[kept] < 4 * work.error_kt[kept] + 0.1)
    assert np.abs(work.work_kt - exact)[kept].mean() < 0.2
    assert exact[kept].min() < -1.0


def test_a_core_is_found_again_from_the_pairs_that_it_holds():
    r = (np.arange(100) + 0.5) * 0.01
    for core_nm in (0.1, 0.4):
        form = type(PAPER)(strength=PAPER.strength, reach_m=PAPER.reach_m, core_m=core_nm * NM)
        energy = -form.energy_kt(r * NM)
        work = PairWork(r, energy - energy[-1], np.zeros(100), np.zeros(100))
        assert core_for(work, PAPER, charges=1) == pytest.approx(core_nm * NM, rel=0.02)


def test_ways_in_and_out_that_disagree_are_told_and_first_rounds_are_dropped():
    """Pulled pairs whose distances lag: outwards by 0.003 nm more than inwards, and by far more in the first rounds."""
    umbrellas = Umbrellas()
    seen, n = drawn(umbrellas, 8, 2, np.random.default_rng(5)), 20
    settled = pair_work(seen, umbrellas, thermal_kj=THERMAL_KJ)
    for k in range(2 * 2 * n):
        seen.distance_nm[k] = seen.distance_nm[k] + 0.02
    again = pair_work(seen, umbrellas, thermal_kj=THERMAL_KJ)
    np.testing.assert_array_equal(again.work_kt, settled.work_kt)
    for k in range(len(seen.window)):
        if k // n % 2:
            seen.distance_nm[k] = seen.distance_nm[k] - 0.003
    lagging = pair_work(seen, umbrellas, thermal_kj=THERMAL_KJ)
    # nearer than its window by 0.003 nm, a pair seems to attract by 12 kT/nm more, over 0.5 nm to contact
    assert lagging.contact_split_kt - settled.contact_split_kt == pytest.approx(6, abs=1.5)


def test_a_checkpoint_keeps_visits_and_refuses_other_windows(tmp_path):
    umbrellas = Umbrellas()
    seen = drawn(umbrellas, 1, 2, np.random.default_rng(0))
    place = np.arange(6.0).reshape(2, 3)
    seen.window_of, seen.place_nm, seen.speed_nm_ps = [1, 0], [place, place + 5], [place + 1, place + 6]
    save_visits(tmp_path / "u.npz", seen, umbrellas, label="a")
    again = load_visits(tmp_path / "u.npz", umbrellas, label="a")
    assert (again.window, again.window_of) == (seen.window, [1, 0])
    np.testing.assert_array_equal(again.distance_nm, seen.distance_nm)
    np.testing.assert_array_equal(np.array(again.speed_nm_ps) - again.place_nm, np.ones((2, 2, 3)))
    with pytest.raises(IonicError, match="Ask for those, or start anew"):
        load_visits(tmp_path / "u.npz", umbrellas, label="b")


def test_too_few_rounds_windows_that_fall_or_a_gap_are_refused():
    umbrellas = Umbrellas()
    seen = drawn(umbrellas, 2, 2, np.random.default_rng(0))
    with pytest.raises(IonicError, match="2 whole rounds, of which the first 0 only settle; 4 more"):
        pair_work(seen, umbrellas, thermal_kj=THERMAL_KJ)
    with pytest.raises(IonicError, match="rising, above 0"):
        Umbrellas(centre_nm=(0.5, 0.3))
    with pytest.raises(IonicError, match="visits above 0"):
        Umbrellas(visit_s=0.0)
    wide = Umbrellas(centre_nm=(0.3, 0.9), spring=20_000.0)
    with pytest.raises(IonicError, match="put windows closer"):
        pair_work(drawn(wide, 6, 2, np.random.default_rng(0)), wide, thermal_kj=THERMAL_KJ)
