"""States and weights fitted together: against one dense least-squares solve, and against the truth under noise."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from neurograft.errors import OptionError
from neurograft.reservoirs import ClosedLoopChoice, FlowMap, IntegralNvar, Smoothing
from neurograft.reservoirs._field import FieldForm, order_8
from neurograft.reservoirs._monomials import monomials
from reservoirs.lorenz import FLOW, accurate, median_valid_time, noisy


def fit_reference(weights, z, ratio, dt):
    """The same minimum by SciPy's trust region on all states and weights at once, nothing eliminated."""
    form = FieldForm(m=monomials(z.shape[1], 2), windows=np.arange(z.shape[1])[None], dt=dt, limit=1e6)

    def misfit(p):
        w, states = p[: weights.size].reshape(weights.shape), p[weights.size :].reshape(z.shape)
        ahead, _ = form.flow(states[:-1], w, order_8(1))
        return np.concatenate([(states - z).ravel(), ((states[1:] - ahead[:, 0]) / ratio).ravel()])

    start = np.concatenate([weights.ravel(), z.ravel()])
    return (
        least_squares(misfit, start, jac="3-point", xtol=1e-15, ftol=1e-15, gtol=1e-14)
        .x[: weights.size]
        .reshape(weights.shape)
    )


def test_the_minimum_is_that_of_one_dense_solve():
    dt = 0.1
    t = dt * np.arange(25)
    x = np.column_stack([np.cos(t) + 0.1 * t, np.sin(t)])
    z = (x - x.mean(axis=0)) / x.std(axis=0) + 0.01 * np.random.default_rng(0).standard_normal(x.shape)
    form = FieldForm(m=monomials(2, 2), windows=np.arange(2)[None], dt=dt, limit=1e6)
    start = 0.1 * np.random.default_rng(1).standard_normal((2, 6))
    ours = Smoothing(ratio=0.3, n_rounds=100)(start, [z], form)
    slow = fit_reference(ours, z, 0.3, dt)
    assert np.allclose(ours, slow, atol=1e-4 * np.abs(slow).max())
    assert np.abs(ours - start).max() > 0.1


def test_noisy_rows_give_the_true_equations_in_form_and_nearly_in_number():
    x = noisy(accurate(400, 700), 1e-2, 3)
    model = IntegralNvar(dt=FLOW.dt, order=6, refine=Smoothing(least_t=3.0), is_centred=False).fit(x)
    own = model.weights_ != 0
    powers = [[tuple(p) for p in model._monomials.powers[row]] for row in own]
    x_, y_, z_ = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    assert powers == [[x_, y_], [x_, y_, (1, 0, 1)], [z_, (1, 1, 0)]]
    scale = model._scaling.scale
    sigma = -model.weights_[0, 1]
    beta = -model.weights_[2, 3]
    assert sigma == pytest.approx(10, rel=0.02)
    assert beta == pytest.approx(8 / 3, rel=0.02)
    assert model.weights_[0, 2] * scale[0] / scale[1] == pytest.approx(10, rel=0.02)


def test_states_as_unknowns_forecast_noisy_rows_further_than_shooting_from_them():
    x = accurate(400, 500)
    smooth, shot = [], []
    for seed in range(3):
        z = noisy(x, 1e-3, seed)
        refine = Smoothing(least_t=3.0)
        smooth.append(median_valid_time(IntegralNvar(dt=FLOW.dt, refine=refine, is_centred=False).fit(z)))
        shot.append(median_valid_time(IntegralNvar(dt=FLOW.dt, refine=FlowMap(n_ahead=20, n_substeps=1)).fit(z)))
    assert np.median(smooth) > np.median(shot) + 1


def test_several_series_are_smoothed_each_by_itself():
    z = noisy(accurate(900, 0), 1e-3, 5)
    pieces = [z[b : b + 120] for b in (100, 400, 700)]
    model = IntegralNvar(dt=FLOW.dt, refine=Smoothing(least_t=3.0), is_centred=False).fit(pieces)
    assert (model.weights_ != 0).sum() == 7


def test_around_zero_or_the_mean_is_the_same_field():
    x = accurate(300, 300)
    centred, plain = (IntegralNvar(dt=FLOW.dt, order=8, is_centred=c).fit(x) for c in (True, False))
    assert np.allclose(centred.predict(x), plain.predict(x), atol=1e-8)
    assert centred.equations() == plain.equations()


def test_the_choice_finds_the_smoothed_field_under_noise():
    z = noisy(accurate(300, 500), 3e-3, 1)
    candidates = [
        IntegralNvar(dt=FLOW.dt, order=6), IntegralNvar(dt=FLOW.dt, refine=Smoothing(least_t=3.0), is_centred=False)
    ]  # fmt: skip
    assert ClosedLoopChoice(dt=FLOW.dt, candidates=candidates).fit(z).model_.refine is not None


def test_a_field_that_smoothing_cannot_step_is_left_as_it_was():
    rng = np.random.default_rng(2)
    z = rng.standard_normal((40, 2))
    form = FieldForm(m=monomials(2, 2), windows=np.arange(2)[None], dt=1.0, limit=20.0)
    wild = 1e4 * np.ones((2, 6))
    with np.errstate(all="ignore"):
        assert np.array_equal(Smoothing()(wild, [z], form), wild)


@pytest.mark.parametrize("wrong", [{"ratio": 0.0}, {"ratio": 2.0}, {"least_t": -1.0}, {"n_rounds": 0}])
def test_bad_settings_are_refused(wrong):
    with pytest.raises(OptionError, match="ratio must be"):
        Smoothing(**wrong)
