"""Learnt fields: their equations against the true ones, valid times, kernels against numpy, and the guard."""

import numpy as np
import pytest

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs import (
    Accurate,
    ClosedLoopChoice,
    FlowMap,
    IntegralNvar,
    LearnedObserver,
    LocalNvar,
    Nvar,
    integral_weights,
    lorenz96,
    series,
    starts,
    valid_time,
)
from reservoirs.lorenz import FLOW, accurate, median_valid_time, noisy, published


def test_the_integral_weights_are_the_published_ones():
    assert np.allclose(np.array(integral_weights(4)) * 24, [-1, 13, 13, -1])
    assert np.allclose(np.array(integral_weights(6)) * 1440, [11, -93, 802, 802, -93, 11])


def test_a_rollout_is_the_true_flow_when_the_field_is_true():
    x = accurate(300, 300)
    model = IntegralNvar(dt=FLOW.dt, refine=FlowMap(n_rounds=6), n_substeps=8).fit(x)
    ahead = series(FLOW, n_points=41, start=x[-1], solver=Accurate(n_substeps=4))[1:]
    assert np.abs(model.forecast(40).values - ahead).max() < 1e-7  # a Lyapunov time from the fit's rounding


def test_the_equations_are_lorenzs():
    lines = IntegralNvar(dt=FLOW.dt, order=8, refine=FlowMap()).fit(accurate(200, 300)).equations(("x", "y", "z"))
    assert lines == ["dx/dt = - 10 x + 10 y", "dy/dt = 28 x - 1 y - 1 x*z", "dz/dt = - 2.66667 z + 1 x*y"]


@pytest.mark.parametrize(("n_rows", "least"), [(100, 20), (15, 10)])
def test_accurate_data_are_forecast_for_many_lyapunov_times(n_rows, least):
    order = 8 if n_rows >= 100 else 4
    model = IntegralNvar(dt=FLOW.dt, order=order, refine=FlowMap(n_rounds=8)).fit(accurate(n_rows, 700))
    assert median_valid_time(model) >= least


def test_a_higher_order_is_better_and_the_published_set_up_fails_on_accurate_data():
    x = accurate(400, 500)
    times = [median_valid_time(IntegralNvar(dt=FLOW.dt, order=order).fit(x)) for order in (2, 4, 8)]
    assert times[0] < times[1] < times[2]
    assert times[2] > 6
    assert median_valid_time(Nvar(n_taps=2, degree=2, ridge=1e-12).fit(x)) < 4


def test_refining_over_several_steps_averages_noise():
    x = accurate(400, 500)
    one, many = ([], [])
    for seed in range(3):
        z = noisy(x, 1e-2, seed)
        one.append(median_valid_time(IntegralNvar(dt=FLOW.dt, refine=FlowMap(n_ahead=1, n_substeps=1)).fit(z)))
        many.append(median_valid_time(IntegralNvar(dt=FLOW.dt, refine=FlowMap(n_ahead=20, n_substeps=1)).fit(z)))
    assert np.median(many) > np.median(one)


def test_refining_never_makes_the_training_error_larger():
    x = published(200)
    before, after = (IntegralNvar(dt=FLOW.dt, refine=r).fit(x) for r in (None, FlowMap()))
    assert np.sum((after.predict(x)[:-1] - x[1:]) ** 2) <= np.sum((before.predict(x)[:-1] - x[1:]) ** 2)


def test_several_series_teach_one_field():
    pieces = [accurate(900, 0)[b : b + 30] for b in (100, 400, 700)]
    model = IntegralNvar(dt=FLOW.dt, order=8, refine=FlowMap()).fit(pieces)
    assert model.equations(("x", "y", "z"))[2] == "dz/dt = - 2.66667 z + 1 x*y"


def test_one_site_learns_from_all_sites():
    flow = lorenz96(40)
    x = series(flow, n_points=10, dt=0.01, n_warm_up=400, solver=Accurate(n_substeps=1))
    model = LocalNvar(dt=0.01, order=8, n_substeps=1).fit(x)
    assert model.equations(smallest=1e-5) == ["dx[i]/dt = 8 - 1 x[i] - 1 x[i-2]*x[i-1] + 1 x[i-1]*x[i+1]"]
    begin = starts(flow, 4, spacing=60, n_warm_up=200)
    truth = series(flow, n_points=600, dt=0.01, start=begin, solver=Accurate(n_substeps=1))
    found = model.forecast(599, truth[:, :1])
    time = valid_time(truth[:, 1:], found.values, scale=np.full(40, truth.std()), dt=0.01, lyapunov_time=1 / 1.68)
    assert time.median > 9  # the horizon is 10; benchmarks/forecast.py has a longer one


def test_what_is_hidden_is_inferred_and_an_early_guess_is_forgotten():
    x = series(FLOW, n_points=900, dt=0.05, n_warm_up=100)
    model = LearnedObserver(dt=0.05).fit(x[:400, :2], x[:400, 2])
    warm = model.predict(x[400:, :2], start=x[400, 2:])
    cold = model.predict(x[400:, :2])
    scale = x[:, 2].std()
    assert np.sqrt(np.mean((warm - x[400:, 2]) ** 2)) < 3e-3 * scale
    assert np.abs(cold - warm)[150:].max() < 1e-6 * scale
    causal = LearnedObserver(dt=0.05, is_causal=True, n_stencil=7).fit(x[:400, :2], x[:400, 2])
    assert np.sqrt(np.mean((causal.predict(x[400:, :2], start=x[400, 2:]) - x[400:, 2]) ** 2)) < 6e-3 * scale


def test_a_causal_observer_sees_nothing_later():
    x = series(FLOW, n_points=300, dt=0.05, n_warm_up=100)
    model = LearnedObserver(dt=0.05, is_causal=True, n_stencil=7).fit(x[:200, :2], x[:200, 2])
    changed = x[200:, :2].copy()
    changed[60:] += 5.0
    assert np.array_equal(model.predict(changed)[:60], model.predict(x[200:, :2])[:60])
    assert not np.array_equal(model.predict(changed)[:65], model.predict(x[200:, :2])[:65])


def test_the_choice_is_by_free_runs_and_says_why():
    x = accurate(300, 500)
    wild = Nvar(n_taps=2, degree=2, ridge=0.0)
    tame = IntegralNvar(dt=FLOW.dt, order=8)
    choice = ClosedLoopChoice(dt=FLOW.dt, candidates=[wild, tame, IntegralNvar(dt=FLOW.dt, order=4)]).fit(x)
    assert isinstance(choice.model_, IntegralNvar)
    assert choice.model_.order == 8
    assert [t.score for t in choice.trials_].index(min(t.score for t in choice.trials_)) == 1
    assert np.array_equal(choice.forecast(5).values, tame.fit(x).forecast(5).values)


def test_a_choice_among_nothing_that_fits_says_so():
    with pytest.raises(SeriesError, match="None of 1 models"):
        ClosedLoopChoice(candidates=[Nvar(n_taps=20)]).fit(np.random.default_rng(0).standard_normal((16, 6)))
    with pytest.raises(SeriesError, match="has 10 rows"):
        ClosedLoopChoice().fit(np.zeros((10, 2)))


def test_a_field_that_explodes_is_flagged_and_finite():
    x = np.exp(np.linspace(0, 2, 50))[:, None]
    found = IntegralNvar(dt=2 / 49, degree=2).fit(x).forecast(500, x[:, None])
    assert not found.is_bounded
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() < 10 * x.max()


def test_bad_input_of_fields():
    x = accurate(60)
    with pytest.raises(OptionError, match="order is 5"):
        IntegralNvar(order=5).fit(x)
    with pytest.raises(OptionError, match="dt is 0"):
        IntegralNvar(dt=0.0).fit(x)
    with pytest.raises(OptionError, match="radius 2 spans 5 sites"):
        LocalNvar(radius=2).fit(x)
    with pytest.raises(SeriesError, match="Give both at the same times"):
        LearnedObserver().fit(x[:, :2], x[:40, 2])
