"""Arrays of other libraries: the strict test library of the array API standard and torch, each against numpy's way."""

import numpy as np
import pytest

from neurograft.errors import MissingExtraError, SeriesError
from neurograft.reservoirs import FlowMap, IntegralNvar, Nvar, by_cholesky, by_qr, by_svd, narma10
from reservoirs.lorenz import FLOW, published

pytestmark = pytest.mark.plain  # signatures say numpy's array; the shape checker would hold users of others to it

X = published(300)
MODELS = {
    "svd": Nvar(ridge=1e-8),
    "qr, skipped taps": Nvar(ridge=1e-8, n_taps=3, skip=2, solver=by_qr),
    "cholesky, some degrees": Nvar(ridge=1e-6, degree=3, degrees=(1, 3), solver=by_cholesky),
    "field": IntegralNvar(dt=FLOW.dt, order=8),
    "field around zero, refined": IntegralNvar(dt=FLOW.dt, refine=FlowMap(), is_centred=False),
}


@pytest.fixture(params=["array_api_strict", "torch"])
def library(request):
    """Return a library's asarray; skipped with a message where it is not installed."""
    found = pytest.importorskip(request.param, reason=f"{request.param} is not installed: no second array library")
    if request.param == "torch":
        pytest.importorskip("array_api_compat", reason="torch needs array_api_compat (extra 'arrays')")
    return found.asarray


@pytest.mark.parametrize("name", MODELS)
def test_another_library_learns_and_forecasts_what_numpy_does(library, name):
    model = MODELS[name]
    plain = model.fit(X)
    weights, n = plain.weights_, plain.n_history
    starts = np.stack([X[:n], X[60 : 60 + n]])
    ahead, next_row = plain.forecast(15, starts), plain.predict(X)
    other = model.fit(library(X))
    assert np.allclose(other.weights_, weights, atol=1e-6)
    found = other.forecast(15, library(starts))
    assert type(found.values) is type(library(X))
    assert found.is_bounded
    assert np.allclose(np.asarray(found.values), ahead.values, atol=1e-6)
    assert np.allclose(np.asarray(other.predict(library(X))), next_row, atol=1e-5)
    single = other.forecast(15, library(starts[1]))
    assert np.allclose(np.asarray(single.values), ahead.values[1], atol=1e-6)


def test_another_library_follows_a_driven_series(library):
    u, y = narma10(900, np.random.default_rng(3))
    model = Nvar(n_taps=12, ridge=1e-6)
    expected = model.fit(u[:600, None], y[:600]).predict(u[:, None])
    found = model.fit(library(u[:600, None]), library(y[:600])).predict(library(u[:, None]))
    assert np.allclose(np.asarray(found), expected, atol=1e-8)


def test_a_rollout_that_explodes_is_flagged_and_finite(library):
    x = np.exp(np.linspace(0, 3, 60))[:, None]
    expected = Nvar(n_taps=1, degree=1, ridge=1e-12).fit(x).forecast(400)
    found = Nvar(n_taps=1, degree=1, ridge=1e-12).fit(library(x)).forecast(400, library(x[-1:]))
    assert int(found.n_bounded) == int(expected.n_bounded) < 400
    assert not found.is_bounded
    assert np.allclose(np.asarray(found.values), expected.values, rtol=1e-6)


def test_gaps_and_whole_numbers_are_refused(library):
    gap = X.copy()
    gap[4, 1] = np.nan
    with pytest.raises(SeriesError, match="NaN or infinity"):
        Nvar().fit(library(gap))
    with pytest.raises(SeriesError, match="Give floating numbers"):
        Nvar().fit(library(np.arange(60).reshape(20, 3)))
    with pytest.raises(SeriesError, match="at least 7 rows"):
        IntegralNvar(order=6).fit(library(X[:5]))
    with pytest.raises(SeriesError, match="constant"):
        Nvar().fit(library(np.ones((20, 2))))


@pytest.mark.parametrize("solver", [by_svd, by_qr, by_cholesky])
def test_solvers_agree_with_numpy(library, solver):
    rng = np.random.default_rng(0)
    a, y = rng.standard_normal((50, 6)), rng.standard_normal((50, 2))
    for ridge in (0.0, 1e-2):
        assert np.allclose(np.asarray(solver(library(a), library(y), ridge)), solver(a, y, ridge), atol=1e-10)


def test_an_array_of_an_unknown_library_asks_for_the_extra(monkeypatch):
    class Foreign:
        def __dlpack__(self):
            raise AssertionError

    monkeypatch.setitem(__import__("sys").modules, "array_api_compat", None)
    with pytest.raises(MissingExtraError, match=r"neurograft\[arrays\]"):
        Nvar().fit(Foreign())
