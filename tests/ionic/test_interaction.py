"""The energy of two ions: numbers worked out beforehand, limits, and what is refused."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import PAPER, WALLS, Exact, LogRatio, Slit, exact_kt, fitted, slit_of_layers, thin_slab_kt
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S
from neurograft.units import NM

RADII_M = np.array([0.3, 1.0, 8.0, 100.0]) * NM


def test_the_exact_potential_has_the_derived_values_at_four_distances():
    # facts page, section 1: printed to three digits
    assert exact_kt(slit_of_layers(1), RADII_M) == pytest.approx(np.array([8.20, 5.66, 2.19, 0.276]), rel=0.01)


def test_the_authors_form_has_its_values_at_four_distances():
    assert PAPER.energy_kt(RADII_M) == pytest.approx(np.array([8.22, 6.00, 2.29, 0.296]), rel=0.005)


def test_two_divalent_ions_of_the_authors_have_gamma_9_22():
    assert 4 * PAPER.strength == pytest.approx(9.22, abs=0.005)


def test_diffusion_is_the_authors():
    assert pytest.approx(1.034e-9, rel=1e-3) == PAPER_DIFFUSION_M2_S


@pytest.mark.parametrize(("layers", "xi_nm", "gamma"), [(1, 14.0, 2.00), (2, 20.8, 1.35), (3, 27.6, 1.02)])
def test_lengths_of_one_two_and_three_layers(layers, xi_nm, gamma):
    slit = slit_of_layers(layers)
    assert slit.reach_m == pytest.approx(xi_nm * NM, rel=0.005)
    assert slit.strength == pytest.approx(gamma, abs=0.006)


def test_the_thin_slab_is_the_image_sum_where_the_slit_is_thin():
    slit = slit_of_layers(1)
    r = np.geomspace(2, 400, 25) * NM  # from three heights on; the difference falls as (h/r)^2
    assert thin_slab_kt(slit, r) == pytest.approx(exact_kt(slit, r), rel=0.004)


def test_far_away_the_wall_alone_counts():
    slit = slit_of_layers(1)
    r = np.array([3000.0]) * NM
    assert exact_kt(slit, r) == pytest.approx(slit.bjerrum_vacuum_m / (slit.wall.permittivity * r), rel=0.01)


def test_anisotropic_water_doubles_the_energy_at_contact_and_changes_nothing_far_off():
    slit, odd = slit_of_layers(1), slit_of_layers(1, permittivity_across=2.0)
    ratio = exact_kt(odd, RADII_M) / exact_kt(slit, RADII_M)
    assert exact_kt(odd, RADII_M)[0] == pytest.approx(17, abs=0.5)  # facts page: 17 kT
    assert ratio[2:] == pytest.approx(np.ones(2), abs=0.01)


def test_more_permittive_walls_weaken_the_attraction():
    strong, weak = slit_of_layers(1), slit_of_layers(1, wall=WALLS["hbn"])
    assert np.all(exact_kt(weak, RADII_M) < exact_kt(strong, RADII_M))


@pytest.mark.parametrize("form", [PAPER, Exact(slit=slit_of_layers(2)), fitted(slit_of_layers(3))])
def test_force_is_the_slope_of_the_energy(form):
    r, h = np.geomspace(0.05, 15, 30) * NM, 1e-6 * NM
    slope = -(form.energy_kt(r + h) - form.energy_kt(r - h)) / (2 * h)
    assert form.force_per_m(r) == pytest.approx(slope, rel=1e-4)


def test_the_fitted_form_is_near_the_thin_slab():
    for layers in (1, 2, 3):
        slit = slit_of_layers(layers)
        r = np.geomspace(1.0, 15.0, 20) * NM
        assert fitted(slit).energy_kt(r) == pytest.approx(thin_slab_kt(slit, r), rel=0.06)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"height_m": 0.1 * NM}, "One water layer needs 0.3 nm"),
        ({"permittivity_across": 90.0}, "no more than along it"),
        ({"wall": WALLS["hbn"], "permittivity": 5.0}, "not below the water's"),
        ({"temperature_k": 200.0}, "liquid from 273.15"),
    ],
)
def test_a_slit_that_cannot_be_is_refused(change, told):
    with pytest.raises(IonicError, match=told):
        Slit(**{"height_m": 0.7 * NM, **change})


def test_a_core_beyond_the_reach_is_refused():
    with pytest.raises(IonicError, match="core_m < reach_m"):
        LogRatio(strength=1.0, reach_m=1 * NM, core_m=2 * NM)
