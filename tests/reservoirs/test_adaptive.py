"""A field under SciPy's RK23: its steps against SciPy's own, and data of that solver learnt through it."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurograft.reservoirs import FlowMap, IntegralNvar, Published, nrmse_total
from neurograft.reservoirs._equations import own_units
from reservoirs.lorenz import FLOW, published

THROUGH = IntegralNvar(dt=FLOW.dt, order=4, refine=FlowMap(n_ahead=20), data_solver=Published())


def scipy_reference(model, start, n_steps, *, rtol, atol):
    """SciPy's RK23 of the learnt field in its own units, from each start, with an end far behind."""
    mean, scale = model._scaling.mean, model._scaling.scale

    def slope(_, x):
        return scale * (model._monomials.values((x - mean) / scale) @ model.weights_.T)

    at = model.dt * np.arange(1, n_steps + 1)
    return np.stack([
        solve_ivp(slope, (0, at[-1] + 10), s, t_eval=at, method="RK23", rtol=rtol, atol=atol).y.T for s in start
    ])  # fmt: skip


@pytest.mark.parametrize("is_centred", [True, False])
@pytest.mark.parametrize("solver", [Published(), Published(rtol=1e-2, atol=1e-1), Published(rtol=1e-5, atol=1e-9)])
def test_rollouts_are_those_of_scipy(solver, is_centred):
    x = published(900)
    model = IntegralNvar(dt=FLOW.dt, order=4, data_solver=solver, is_centred=is_centred).fit(x[:400])
    starts = x[[450, 600, 801]]
    found = model.forecast(60, starts[:, None]).values
    assert np.allclose(found, scipy_reference(model, starts, 60, rtol=solver.rtol, atol=solver.atol), atol=1e-8)
    assert np.allclose(model.predict(starts), found[:, 0], atol=1e-12)


def test_data_of_an_inaccurate_solver_are_forecast_best_through_it():
    x = published(3000)
    plain = IntegralNvar(dt=FLOW.dt, order=4, refine=FlowMap(n_ahead=20))
    errors = []
    for begin in (250, 900, 1500, 2300):
        train, ahead = x[begin : begin + 400], x[begin + 400 : begin + 444]
        found = [model.fit(train).forecast(44).values for model in (plain, THROUGH)]
        errors.append([nrmse_total(ahead, f, variance=x.var(axis=0)) for f in found])
    accurately, through = np.exp(np.log(errors).mean(axis=0))  # geometric means; benchmarks/forecast.py has more
    assert through < 0.4 * accurately
    assert through < 1e-3


def test_the_field_learnt_through_the_solver_is_the_true_one():
    model = THROUGH.fit(published(900)[300:700])
    weights = own_units(model._monomials, model.weights_, model._scaling) * model._scaling.scale[:, None]
    lorenz = np.zeros((3, 10))  # columns: 1, x, y, z, x^2, xy, xz, y^2, yz, z^2
    lorenz[0, [1, 2]], lorenz[1, [1, 2, 6]], lorenz[2, [3, 5]] = (-10, 10), (28, -1, -1), (-8 / 3, 1)
    assert np.allclose(weights, lorenz, atol=0.03)


def test_an_exploding_field_is_flagged_and_finite():
    x = np.exp(np.linspace(0, 3, 60))[:, None]
    found = IntegralNvar(dt=0.05, degree=1, data_solver=Published()).fit(x).forecast(400)
    assert not found.is_bounded
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() < 10 * x.max()
    assert np.all(np.diff(found.values[: found.n_bounded, 0]) > 0)


def test_a_field_that_wants_too_many_steps_is_flagged():
    x = published(500)
    model = IntegralNvar(dt=FLOW.dt, order=4, data_solver=Published()).fit(x)
    model.weights_ = -1e9 * np.abs(model.weights_)
    found = model.forecast(3, x[-1:])
    assert int(found.n_bounded) == 0
    assert np.isfinite(found.values).all()
