"""A field learnt from samples by its integral over each step: one linear solve, no derivative is ever estimated."""

from collections.abc import Sequence
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from neurograft.errors import OptionError
from neurograft.reservoirs import _dense as dense
from neurograft.reservoirs._adaptive import AdaptiveSteps
from neurograft.reservoirs._check import (
    Scaling,
    checked_series,
    require_varying,
    rows_for,
    scaling_of,
    uncentred,
)
from neurograft.reservoirs._equations import equation_lines
from neurograft.reservoirs._field import FieldForm, integral_rows, integral_weights
from neurograft.reservoirs._forecast import Forecast, one_step_score, packed, rollout_starts
from neurograft.reservoirs._least_squares import LeastSquares, by_svd
from neurograft.reservoirs._monomials import Monomials, monomials
from neurograft.reservoirs._solvers import Published

ORDERS = (2, 4, 6, 8, 10)


@runtime_checkable
class Refine(Protocol):
    """Improves a field's weights, given scaled series."""

    def __call__(
        self,
        weights: Float64[ndarray, "outputs features"],
        pieces: Sequence[Float64[ndarray, "rows variables"]],
        form: FieldForm,
    ) -> Float64[ndarray, "outputs features"]:
        """Return better weights."""
        ...


class _FieldModel(BaseEstimator):
    """What both fields share once ``weights_`` are known: rollouts and scores.  One step of inheritance, private."""

    dt: float
    n_substeps: int
    data_solver: Published | None = None
    n_features_in_: int
    weights_: Float64[ndarray, "outputs features"]
    _scaling: Scaling
    _monomials: Monomials
    _windows: Int64[ndarray, "groups inputs"]
    last_: Float64[ndarray, "1 columns"]

    @property
    def n_history(self) -> int:
        """Rows of history that a forecast starts from: one, because a field has no memory."""
        return 1

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the next ``n_steps`` states, after the training series or after a history (or many).

        A rollout that leaves ten times the training range is stopped there (see ``Forecast``).
        """
        many, is_single = rollout_starts(self, n_steps, history)
        if (xp := dense.namespace_of(many)) is not None:
            out, n_bounded = self._flow_dense(xp, many[:, -1, :], n_steps)
            return packed(out, n_bounded, is_single=is_single)
        out, n_bounded = self._flow(self._scaling.scaled(many[:, -1]), n_steps)
        return packed(self._scaling.unscaled(out), n_bounded, is_single=is_single)

    def predict(self, X: ndarray) -> ndarray:
        """Return for each row the row that comes next."""
        check_is_fitted(self, "weights_")
        if (xp := dense.namespace_of(X)) is not None:
            return self._flow_dense(xp, dense.checked_rows(xp, X, min_rows=1), 1)[0][:, 0, :]
        x = rows_for(self, X)
        return self._scaling.unscaled(self._flow(self._scaling.scaled(x), 1)[0][:, 0])

    def score(self, X: ndarray, y: ndarray | None = None) -> float:
        """Return R^2 of each row predicted from the one before; ``y`` is there for scikit-learn and is ignored."""
        return one_step_score(self.predict, X)

    def _flow(self, z: ndarray, n_steps: int) -> tuple[ndarray, ndarray]:
        form = self._form()
        return form.flow(z, self.weights_, form.exactly(self.n_substeps), n_steps=n_steps)

    def _form(self) -> FieldForm:
        s, own = self._scaling, None
        if self.data_solver is not None:
            atol = self.data_solver.atol / s.scale
            own = AdaptiveSteps(rtol=self.data_solver.rtol, atol=atol, centre=s.mean / s.scale)
        return FieldForm(m=self._monomials, windows=self._windows, dt=self.dt, limit=s.limit, data_stepping=own)

    def _flow_dense(self, xp: Any, x: dense.Array, n_steps: int) -> tuple[dense.Array, dense.Array]:
        if self.data_solver is not None:
            raise OptionError("A field under the data's own solver is rolled out from numpy's arrays only. Give such.")
        mean, scale = dense.like(xp, self._scaling.mean, x), dense.like(xp, self._scaling.scale, x)
        out, n_bounded = dense.roll_field(
            xp, (x - mean) / scale, self.weights_, m=self._monomials, windows=self._windows, dt=self.dt,
            n_substeps=self.n_substeps, limit=self._scaling.limit, n_steps=n_steps,
        )  # fmt: skip
        return out * scale + mean, n_bounded

    def _check(self, degree: int, order: int, ridge: float) -> None:
        if not (self.dt > 0 and np.isfinite(self.dt)):
            raise OptionError(f"dt is {self.dt}. Give the time between two rows, a positive number.")
        if order not in ORDERS:
            raise OptionError(f"order is {order}. Choose among {', '.join(map(str, ORDERS))}.")
        if degree < 1 or self.n_substeps < 1 or not 0 <= ridge < np.inf:
            raise OptionError(
                f"degree {degree} and n_substeps {self.n_substeps} must be 1 or more, ridge {ridge} 0 or more."
            )


@final
class IntegralNvar(_FieldModel):
    """A polynomial field dx/dt learnt in integral form, rolled out by an ODE method of order 8.

    Parameters
    ----------
    dt
        Time between two rows.
    degree
        Highest degree of the field's monomials.
    order
        Order of the quadrature over a step: 2, 4, 6, 8 or 10; it spans as many rows.
    ridge, solver
        As in ``Nvar``.
    refine
        What improves the weights after the linear solve: ``FlowMap()`` for accurate rows, ``Smoothing()`` for noisy
        ones; nothing if None.
    n_substeps
        Substeps of a rollout between two rows.
    is_centred
        Whether polynomials are of the distance from the mean (better conditioned), or of the variables
        themselves, in which the fields of physics have few terms.
    data_solver
        How the rows were integrated, where that was inaccurate and is known: rollouts, and with ``FlowMap`` the
        weights, are then of the field under that solver.
    """

    def __init__(
        self,
        *,
        dt: float = 1.0,
        degree: int = 2,
        order: int = 6,
        ridge: float = 0.0,
        solver: LeastSquares = by_svd,
        refine: Refine | None = None,
        n_substeps: int = 4,
        is_centred: bool = True,
        data_solver: Published | None = None,
    ) -> None:
        self.dt = dt
        self.degree = degree
        self.order = order
        self.ridge = ridge
        self.solver = solver
        self.refine = refine
        self.n_substeps = n_substeps
        self.is_centred = is_centred
        self.data_solver = data_solver

    def fit(self, X: ndarray | Sequence[ndarray], y: ndarray | None = None) -> "IntegralNvar":
        """Learn the field from one series, or from several of the same system in a list."""
        self._check(self.degree, self.order, self.ridge)
        if (xp := dense.namespace_of(X)) is not None:
            return self._fit_dense(xp, X)
        given = list(X) if isinstance(X, list | tuple) and np.ndim(X[0]) == 2 else [X]
        pieces = [checked_series(x, min_rows=self.order + 1) for x in given]
        self._scaling = scaling_of(np.vstack(pieces))
        if not self.is_centred:
            self._scaling = uncentred(self._scaling)
        columns = pieces[0].shape[1]
        self._monomials = monomials(columns, self.degree)
        self._windows = np.arange(columns)[None]
        scaled = [self._scaling.scaled(x) for x in pieces]
        rows, steps = zip(*(self._rows(z) for z in scaled), strict=True)
        self.weights_ = self.solver(np.vstack(rows), np.vstack(steps), self.ridge).T
        if self.refine is not None:
            self.weights_ = self.refine(self.weights_, scaled, self._form())
        self.last_ = pieces[-1][-1:].copy()
        self.n_features_in_ = columns
        return self

    def _fit_dense(self, xp: Any, x: dense.Array) -> "IntegralNvar":
        """Solve with the library of x; refining, which is small, is done in numpy."""
        dense.checked_rows(xp, x, min_rows=self.order + 1)
        mean, scale, largest = dense.moments(xp, x)
        require_varying(mean, scale)
        scaling = Scaling(mean=mean, scale=scale, largest=largest)
        self._scaling = scaling if self.is_centred else uncentred(scaling)
        self._monomials = monomials(x.shape[1], self.degree)
        self._windows = np.arange(x.shape[1])[None]
        z = (x - dense.like(xp, self._scaling.mean, x)) / dense.like(xp, self._scaling.scale, x)
        rows = dense.integral_rows(
            dense.monomial_values(xp, z, self._monomials), integral_weights(self.order), self.dt
        )  # fmt: skip
        first = self.order // 2 - 1
        steps = (z[1:, ...] - z[:-1, ...])[first : first + rows.shape[0], ...]
        self.weights_ = dense.to_numpy(self.solver(rows, steps, self.ridge)).T
        if self.refine is not None:
            self.weights_ = self.refine(self.weights_, [dense.to_numpy(z)], self._form())
        self.last_, self.n_features_in_ = dense.to_numpy(x[-1:, ...]), x.shape[1]
        return self

    def _rows(self, z: Float64[ndarray, "rows columns"]) -> tuple[ndarray, ndarray]:
        first = self.order // 2 - 1
        rows = integral_rows(self._monomials.values(z), self.dt, self.order)
        return rows, np.diff(z, axis=0)[first : first + rows.shape[0]]

    def equations(self, names: Sequence[str] | None = None, *, smallest: float = 1e-6) -> list[str]:
        """Return the field, one line a variable, in the series' own units; smaller terms are left out."""
        check_is_fitted(self, "weights_")
        named = tuple(names) if names is not None else tuple(f"x{i}" for i in range(self.n_features_in_))
        left = [f"d{n}/dt" for n in named]
        return equation_lines(
            self._monomials, self.weights_, scaling=self._scaling, gain=self._scaling.scale, left=left, names=named,
            smallest=smallest,
        )  # fmt: skip


@final
class LocalNvar(_FieldModel):
    """One field for all sites of a ring: dx_i/dt is a polynomial of the sites within ``radius`` of i.

    Every site of every row teaches the same weights, so a few rows are enough.  Columns are the sites, in
    order.  Parameters as in ``IntegralNvar``.
    """

    def __init__(
        self,
        *,
        dt: float = 1.0,
        radius: int = 2,
        degree: int = 2,
        order: int = 8,
        ridge: float = 0.0,
        solver: LeastSquares = by_svd,
        n_substeps: int = 4,
    ) -> None:
        self.dt = dt
        self.radius = radius
        self.degree = degree
        self.order = order
        self.ridge = ridge
        self.solver = solver
        self.n_substeps = n_substeps

    def fit(self, X: ndarray, y: ndarray | None = None) -> "LocalNvar":
        """Learn the field from one series."""
        self._check(self.degree, self.order, self.ridge)
        x = checked_series(X, min_rows=self.order)
        n = x.shape[1]
        width = 2 * self.radius + 1
        if self.radius < 0 or width > n:
            raise OptionError(f"radius {self.radius} spans {width} sites, but there are {n}. Take a smaller radius.")
        each = scaling_of(x)  # refuses constant sites
        mean, scale = np.full(n, x.mean()), np.full(n, x.std())
        self._scaling = Scaling(mean=mean, scale=scale, largest=float(np.max(np.abs((x - mean) / scale))))
        assert each.mean.size == n
        self._windows = (np.arange(n)[:, None] + np.arange(-self.radius, self.radius + 1)) % n
        self._monomials = monomials(width, self.degree)
        z = self._scaling.scaled(x)
        rows = integral_rows(self._monomials.values(z[:, self._windows]), self.dt, self.order)
        first = self.order // 2 - 1
        steps = np.diff(z, axis=0)[first : first + rows.shape[0]]
        self.weights_ = self.solver(rows.reshape(-1, rows.shape[2]), steps.reshape(-1, 1), self.ridge).T
        self.last_ = x[-1:].copy()
        self.n_features_in_ = n
        return self

    def equations(self, *, smallest: float = 1e-6) -> list[str]:
        """Return the field of site i in the series' own units; smaller terms are left out."""
        check_is_fitted(self, "weights_")
        names = tuple("x[i]" if k == 0 else f"x[i{k:+d}]" for k in range(-self.radius, self.radius + 1))
        s, width = self._scaling, len(names)
        one = Scaling(mean=s.mean[:width], scale=s.scale[:width], largest=s.largest)
        return equation_lines(
            self._monomials, self.weights_, scaling=one, gain=s.scale[:1], left=["dx[i]/dt"], names=names,
            smallest=smallest,
        )  # fmt: skip
