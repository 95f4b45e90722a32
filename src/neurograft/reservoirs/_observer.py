"""Inferring variables that are no longer measured from those that are, by a field learnt while all were."""

from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs._check import checked_series, rows_for, scaling_of
from neurograft.reservoirs._equations import equation_lines
from neurograft.reservoirs._field import integral_rows
from neurograft.reservoirs._integral import ORDERS
from neurograft.reservoirs._least_squares import LeastSquares, by_svd
from neurograft.reservoirs._monomials import monomials

_SUBSTEPS = 4


@final
class LearnedObserver(RegressorMixin, BaseEstimator):
    """Learns dy/dt as a polynomial of the measured X and the hidden y, then integrates it along a measured X.

    It works where the hidden part forgets its start (its own dynamics contract), as z of Lorenz does.

    Parameters
    ----------
    dt
        Time between two rows.
    degree, order, ridge, solver
        As in ``IntegralNvar``.
    n_stencil
        Rows that X is interpolated through inside a step.
    is_causal
        With True, the stencil ends at the current row: nothing later is used.  Else it is centred, and each
        value waits for ``n_stencil / 2 - 1`` later rows.
    """

    def __init__(
        self,
        *,
        dt: float = 1.0,
        degree: int = 2,
        order: int = 8,
        ridge: float = 0.0,
        n_stencil: int = 8,
        is_causal: bool = False,
        solver: LeastSquares = by_svd,
    ) -> None:
        self.dt = dt
        self.degree = degree
        self.order = order
        self.ridge = ridge
        self.n_stencil = n_stencil
        self.is_causal = is_causal
        self.solver = solver

    def fit(self, X: ndarray, y: ndarray) -> "LearnedObserver":
        """Learn from rows in which both are known."""
        if self.order not in ORDERS or self.n_stencil < 2 or self.degree < 1 or not self.dt > 0:
            raise OptionError(
                f"order {self.order} must be one of {ORDERS}, n_stencil {self.n_stencil} 2 or more, degree "
                f"{self.degree} 1 or more, dt {self.dt} positive."
            )
        x = checked_series(X, min_rows=max(self.order + 1, self.n_stencil))
        hidden = np.asarray(y, dtype=np.float64)
        self._is_flat = hidden.ndim == 1
        hidden = checked_series(hidden.reshape(hidden.shape[0], -1), min_rows=1, name="y")
        if hidden.shape[0] != x.shape[0]:
            raise SeriesError(f"X has {x.shape[0]} rows, y {hidden.shape[0]}. Give both at the same times.")
        both = np.hstack([x, hidden])
        self._scaling = scaling_of(both)
        z = self._scaling.scaled(both)
        self._monomials = monomials(z.shape[1], self.degree)
        rows = integral_rows(self._monomials.values(z), self.dt, self.order)
        first = self.order // 2 - 1
        steps = np.diff(z[:, x.shape[1] :], axis=0)[first : first + rows.shape[0]]
        self.weights_ = self.solver(rows, steps, self.ridge).T
        self.n_features_in_ = x.shape[1]
        self.last_ = hidden[-1].copy()
        return self

    def predict(self, X: ndarray, start: Float64[ndarray, " hidden"] | None = None) -> ndarray:
        """Return the hidden variables at each row; ``start`` is their value at row 0, the training mean if None."""
        x = rows_for(self, X, min_rows=self.n_stencil)
        n = self.n_features_in_
        z = (x - self._scaling.mean[:n]) / self._scaling.scale[:n]
        begin = np.zeros(self.weights_.shape[0])
        if start is not None:
            begin = (np.asarray(start, dtype=np.float64) - self._scaling.mean[n:]) / self._scaling.scale[n:]
        m = self._monomials
        out = np.empty((x.shape[0], begin.size))
        fine = _between(z, self.n_stencil, is_causal=self.is_causal)
        _follow(fine, begin, self.weights_, m.parent, m.variable, self.dt / _SUBSTEPS, self._scaling.limit, out)
        values = out * self._scaling.scale[n:] + self._scaling.mean[n:]
        return values[:, 0] if self._is_flat else values

    def score(self, X: ndarray, y: ndarray, sample_weight: ndarray | None = None) -> float:
        """Return R^2 of the inferred variables, from a cold start."""
        return float(r2_score(y, self.predict(X), sample_weight=sample_weight))

    def equations(self, names: tuple[str, ...], *, smallest: float = 1e-4) -> list[str]:
        """Return the field of the hidden variables; ``names`` are those of X's columns, then y's."""
        check_is_fitted(self, "weights_")
        n = self.n_features_in_
        left = [f"d{name}/dt" for name in names[n:]]
        return equation_lines(
            self._monomials, self.weights_, scaling=self._scaling, gain=self._scaling.scale[n:], left=left,
            names=names, smallest=smallest,
        )  # fmt: skip


def _between(
    z: Float64[ndarray, "rows columns"], n_stencil: int, *, is_causal: bool
) -> Float64[ndarray, "steps places columns"]:
    """Return X at the places that the substeps need in each step: start, middle and end of each, in order.

    The polynomial through ``n_stencil`` rows; near the ends of the series the stencil is moved inside.
    """
    n_steps = z.shape[0] - 1
    places = np.linspace(0.0, 1.0, 2 * _SUBSTEPS + 1)
    before = n_stencil - 2 if is_causal else (n_stencil - 1) // 2
    first = np.clip(np.arange(n_steps) - before, 0, z.shape[0] - n_stencil)
    shift = np.arange(n_steps) - first
    out = np.empty((n_steps, places.size, z.shape[1]))
    for s in np.unique(shift):
        steps = np.flatnonzero(shift == s)
        nodes = np.arange(n_stencil) - float(s)
        weights = np.array([[np.prod([(p - b) / (a - b) for b in nodes if b != a]) for a in nodes] for p in places])
        windows = z[first[steps][:, None] + np.arange(n_stencil)]
        out[steps] = np.einsum("pn,tnc->tpc", weights, windows)
    return out


@njit(cache=True, error_model="numpy")
@no_type_check
def _slope(x, y, weights, parent, variable, phi, out):  # noqa: PLR0917
    n_x = x.size
    phi[0] = 1.0
    for f in range(1, parent.size):
        v = variable[f]
        phi[f] = phi[parent[f]] * (x[v] if v < n_x else y[v - n_x])
    for o in range(out.size):
        total = 0.0
        for f in range(parent.size):
            total += weights[o, f] * phi[f]
        out[o] = total


@njit(cache=True, error_model="numpy")
@no_type_check
def _follow(x, start, weights, parent, variable, step, limit, out):  # noqa: PLR0917
    """Fill ``out`` by Runge-Kutta steps of order 4 along the known ``x``; values stay inside the limit."""
    n = start.size
    phi = np.empty(parent.size)
    k1, k2, k3, k4 = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    y = start.copy()
    out[0] = y
    for t in range(x.shape[0]):
        for s in range((x.shape[1] - 1) // 2):
            a, b, c = x[t, 2 * s], x[t, 2 * s + 1], x[t, 2 * s + 2]
            _slope(a, y, weights, parent, variable, phi, k1)
            _slope(b, y + 0.5 * step * k1, weights, parent, variable, phi, k2)
            _slope(b, y + 0.5 * step * k2, weights, parent, variable, phi, k3)
            _slope(c, y + step * k3, weights, parent, variable, phi, k4)
            for i in range(n):
                y[i] += step / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i])
                y[i] = min(max(y[i], -limit), limit)
        out[t + 1] = y
