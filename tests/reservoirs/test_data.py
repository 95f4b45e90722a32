"""Series: against SciPy's adaptive solver, published exponents and laws."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs import (
    Accurate,
    Published,
    double_scroll,
    kuramoto_sivashinsky,
    largest_exponent,
    lorenz63,
    lorenz96,
    mackey_glass,
    narma10,
    series,
    spectrum_distance_db,
    starts,
)


@pytest.mark.parametrize("flow", [lorenz63(), double_scroll(), lorenz96(8)], ids=lambda f: f.name)
def test_accurate_data_agree_with_scipys_tightest_solver(flow):
    ours = series(flow, n_points=41)
    theirs = solve_ivp(
        lambda _, x: flow.slope(x), (0, 40 * flow.dt), flow.start, t_eval=[40 * flow.dt], method="DOP853",
        rtol=1e-13, atol=1e-13,
    )  # fmt: skip
    # both solvers round; a Lyapunov time multiplies that by e, and there are under two here
    assert np.allclose(ours[-1], theirs.y[:, -1], rtol=0, atol=1e-10 * np.ptp(ours))


def test_published_data_are_inaccurate_by_their_tolerance():
    flow = lorenz63()
    accurate, published = series(flow, n_points=41), series(flow, n_points=41, solver=Published())
    error = np.abs(accurate - published).max() / accurate.std()
    assert 1e-4 < error < 0.3  # rtol 1e-3 on every step, not 1e-10
    tight = series(flow, n_points=41, solver=Published(rtol=1e-9, atol=1e-9))
    assert np.abs(accurate - tight).max() < 1e-4


def test_many_starts_are_the_single_starts():
    flow = lorenz63()
    begin = starts(flow, 3, spacing=50, n_warm_up=100)
    for solver in (Accurate(n_substeps=3), Published()):
        many = series(flow, n_points=20, start=begin, solver=solver)
        assert np.allclose(many[1], series(flow, n_points=20, start=begin[1], solver=solver), atol=1e-12)


def test_lorenz_grows_at_its_published_exponent():
    flow = lorenz63()
    solve = Accurate(n_substeps=1)
    exponent = largest_exponent(
        lambda h: solve(flow.slope, h[:, -1], dt=0.05, n_points=2)[:, 1:], series(flow, n_points=1, n_warm_up=400),
        dt=0.05, n_rounds=700,
    )  # fmt: skip
    # 0.9056 (Sprott 2003, from memory); its spread over 30 time units is about 0.07
    assert exponent == pytest.approx(0.9056, abs=0.15)


def test_mackey_glass_converges_at_fourth_order_and_holding_the_delay_is_inaccurate():
    fine = mackey_glass(n_points=60, n_substeps=80)
    error = [np.abs(mackey_glass(n_points=60, n_substeps=n) - fine).max() for n in (10, 20)]
    assert error[1] < 1e-5
    assert 14 < error[0] / error[1] < 18  # 2^4
    held = mackey_glass(n_points=60, n_substeps=1, is_delay_held=True)
    assert np.abs(held - fine).max() > 1e-3
    assert 0.2 < fine.min() < fine.max() < 1.4


def test_mackey_glass_refuses_a_delay_off_the_grid():
    with pytest.raises(OptionError, match="not a whole number of steps"):
        mackey_glass(n_points=5, delay=17.3, n_substeps=1)


def test_kuramoto_sivashinsky_keeps_its_mean_and_converges():
    coarse, medium, fine = (kuramoto_sivashinsky(n_points=40, n_substeps=n) for n in (8, 16, 48))
    error = [np.abs(u - fine).max() for u in (coarse, medium)]
    assert error[1] < 1e-6
    assert 11 < error[0] / error[1] < 19  # 2^4 in the limit; the stiffest waves come to it late
    assert np.abs(fine.mean(axis=1) - fine[0].mean()).max() < 1e-12
    usual = kuramoto_sivashinsky(n_points=40, n_substeps=1)
    assert 1e-7 < np.abs(usual - fine).max() < 0.1
    with pytest.raises(OptionError, match="even number"):
        kuramoto_sivashinsky(n_points=2, n_sites=9)


def test_kuramoto_sivashinsky_obeys_its_equation():
    u = kuramoto_sivashinsky(n_points=401, dt=0.05, n_substeps=2)[300:]
    wave = np.fft.rfftfreq(64, 22 / 64) * 2 * np.pi
    v = np.fft.rfft(u, axis=1)
    slope = np.fft.irfft((wave**2 - wave**4) * v - 0.5j * wave * np.fft.rfft(u**2, axis=1), 64, axis=1)
    measured = (-u[4:] + 8 * u[3:-1] - 8 * u[1:-3] + u[:-4]) / (12 * 0.05)
    assert np.abs(measured - slope[2:-2]).max() < 1e-3 * np.abs(slope).max()


def test_narma_follows_its_recursion():
    u, y = narma10(300, np.random.default_rng(3))
    t = 200
    previous = y[t - 10 : t]
    expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * previous.sum() + 1.5 * u[t - 9] * u[t] + 0.1
    assert y[t] == pytest.approx(expected, abs=1e-14)


def test_a_flow_that_runs_away_is_refused():
    with pytest.raises(SeriesError, match="ran to infinity"), np.errstate(all="ignore"):
        series(lorenz63(), n_points=30, start=np.array([1e6, 1e6, 1e6]))


def test_equal_spectra_are_no_distance_apart_and_a_tone_is_far_from_noise():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(4096)
    assert spectrum_distance_db(noise, noise) == 0
    assert spectrum_distance_db(noise, np.sin(0.3 * np.arange(4096))) > 20
