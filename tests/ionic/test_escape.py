"""The mean time of a pair's escape: an exact integral, Kramers' theory, walkers with short steps, the grid."""

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid, trapezoid

from neurograft.errors import IonicError
from neurograft.ionic import FIELD_UNIT_V_M, PAPER, WIDE_CORE, PairTheory, breaking_rate_hz, escape_rate_hz
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S
from neurograft.units import NM, PS


@pytest.mark.parametrize("form", [PAPER, WIDE_CORE], ids=["paper", "wide core"])
def test_without_a_field_it_is_an_integral_known_exactly(form):
    """T = int_0^R dr exp(u)/r int_0^r exp(-u) r' dr' / D_rel: Pontryagin's double integral in a plane."""
    r = 0.1 * NM * np.expm1(np.linspace(0, np.log1p(200), 400_001))
    u = -4 * form.energy_kt(r)
    inner = cumulative_trapezoid(r * np.exp(-u), r, initial=0)
    slope = np.divide(np.exp(u) * inner, r, out=np.zeros_like(r), where=r > 0)
    expected = 2 * PAPER_DIFFUSION_M2_S / trapezoid(slope, r)
    assert escape_rate_hz(form, field_v_m=0.0) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("field", [0.105, 0.19, 0.30])
def test_kramers_saddle_is_right_to_a_tenth_where_it_lies_far_from_the_core(field):
    """Checklist: pair theory within 10 % of a Fokker-Planck solution at a core of 0.1 nm."""
    exact = escape_rate_hz(PAPER, field_v_m=field * FIELD_UNIT_V_M)
    assert PairTheory(form=PAPER).breaking_hz(np.array([field * FIELD_UNIT_V_M]))[0] == pytest.approx(exact, rel=0.10)


def test_a_finer_grid_changes_nothing():
    field = 0.30 * FIELD_UNIT_V_M
    coarse = escape_rate_hz(PAPER, field_v_m=field, n_rings=160, n_sectors=40)
    assert coarse == pytest.approx(escape_rate_hz(PAPER, field_v_m=field), rel=0.005)


def test_walkers_with_short_steps_break_as_often():
    field = 0.19 * FIELD_UNIT_V_M
    rng = np.random.default_rng(12)
    rate = breaking_rate_hz(WIDE_CORE, field_v_m=field, n_steps=300_000, rng=rng, step_s=0.5 * PS)
    # at 0.5 ps a touching ion drifts 0.012 nm in a step, of a core of 0.4
    error = 3 / np.sqrt(rate.n_events)
    assert error < 0.17
    assert rate.value == pytest.approx(escape_rate_hz(WIDE_CORE, field_v_m=field), rel=error + 0.03)


def test_a_field_that_binds_nothing_is_refused():
    with pytest.raises(IonicError, match="nothing binds a pair"):
        escape_rate_hz(PAPER, field_v_m=9e8)
