"""Nonlinear vector autoregression: the next-generation reservoir computer."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray
from scipy.linalg import qr
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs import _dense as dense
from neurograft.reservoirs import _nvar_kernels as kernels
from neurograft.reservoirs._check import Scaling, checked_series, require_varying
from neurograft.reservoirs._equations import equation_lines
from neurograft.reservoirs._forecast import Forecast, one_step_score, packed, rollout_starts
from neurograft.reservoirs._least_squares import LeastSquares, by_cholesky, by_svd, dependent_features
from neurograft.reservoirs._monomials import Monomials, monomials

_validated: Any = validate_data  # its own annotations say str for arrays
_Plan = tuple[ndarray, ndarray, ndarray, ndarray]


@final
class Nvar(RegressorMixin, BaseEstimator):
    """Polynomials of the last few states, fitted by one linear solve (Gauthier et al. 2021).

    Parameters
    ----------
    n_taps, skip
        How many states back, and how many rows between them.
    degree
        Highest degree of the monomials.
    degrees
        Which degrees to use, e.g. ``(1, 3)`` for a system that is odd in its state; all from 0 if None.
    ridge
        Penalty on columns of unit size, in units of the number of rows (see ``by_svd``).
    solver
        ``by_svd`` (the safest), ``by_qr`` or ``by_cholesky`` (compiled, the quickest).

    ``fit(X)`` learns to go on with the series X by itself; the target is the step to the next row.
    ``fit(X, y)`` learns y[t] from X up to row t.  Rows of X are in order of time.  Arrays of other libraries
    (torch and whatever keeps the array API standard) are computed with where they are, and come back as such.
    """

    def __init__(
        self,
        *,
        n_taps: int = 2,
        skip: int = 1,
        degree: int = 2,
        degrees: tuple[int, ...] | None = None,
        ridge: float = 1e-8,
        solver: LeastSquares = by_svd,
    ) -> None:
        self.n_taps = n_taps
        self.skip = skip
        self.degree = degree
        self.degrees = degrees
        self.ridge = ridge
        self.solver = solver

    def fit(self, X: ndarray, y: ndarray | None = None) -> "Nvar":
        """Learn from one series; with ``y``, to follow another series."""
        self._check_parameters()
        self.__dict__.pop("_triangle", None)
        if (xp := dense.namespace_of(X)) is not None:
            self._fit_dense(xp, X, y)
        elif y is None:
            # the compiled solver looks for gaps itself
            x = checked_series(X, min_rows=self._least_rows(), is_seen_to=self.solver is by_cholesky)
            self.n_features_in_ = x.shape[1]
            self._fit_series(x)
        else:
            x, target = self._checked_pair(X, y, reset=True)
            self._fit_pair(x, target)
        return self

    def partial_fit(self, X: ndarray, y: ndarray | None = None, *, is_new_series: bool = False) -> "Nvar":
        """Learn from a further piece; it goes on where the last one ended unless ``is_new_series``.

        The scaling is that of the first piece.  What is kept is a triangle (QR), as many rows as features, so
        memory does not grow and no digits are lost to a Gram matrix.
        """
        self._check_parameters()
        is_first = not hasattr(self, "_triangle")
        least = self._least_rows() if is_first else 1
        if y is None:
            x, target = checked_series(X, min_rows=least), None
            self._require_columns(x, is_first)
        else:
            x, target = self._checked_pair(X, y, reset=is_first)
        if is_first:
            self._learn_scales(x, target)
        elif hasattr(self, "_target_mean") != (y is not None):
            raise SeriesError("Pieces with and without y cannot be mixed. Fit anew.")
        z = self._scaling.scaled(x)
        z = z if is_first or is_new_series else np.vstack([self._tail, z])
        self._add_rows(z, target)
        self._tail = z[max(z.shape[0] - self.n_history, 0) :]
        return self

    def predict(self, X: ndarray) -> ndarray:
        """Return for each row what comes from it and the rows before: the next row of X, or y.

        Before the first row the series is taken to have stood still at it.
        """
        check_is_fitted(self, "weights_")
        if (xp := dense.namespace_of(X)) is not None:
            return self._predicted_dense(xp, X)
        x = np.asarray(_validated(self, X, dtype=np.float64, reset=False))
        z = self._scaling.scaled(x)
        padded = np.vstack([np.repeat(z[:1], self.n_history - 1, axis=0), z])
        out = self._features(padded) @ self.weights_.T
        if hasattr(self, "_target_mean"):
            values = out * self._target_scale + self._target_mean
            return values[:, 0] if self._is_flat else values
        return self._scaling.unscaled(z + out)

    def score(self, X: ndarray, y: ndarray | None = None, sample_weight: ndarray | None = None) -> float:
        """Return R^2 of ``predict``; without ``y``, of each row from those before."""
        if y is None:
            return one_step_score(self.predict, X)
        return float(r2_score(y, self.predict(X), sample_weight=sample_weight))

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the next ``n_steps`` states in closed loop, after the training series or after a history.

        ``history`` may be (rows, columns) or, for many starts, (starts, rows, columns).  A rollout that leaves
        ten times the training range is stopped there (see ``Forecast``).
        """
        many, is_single = rollout_starts(self, n_steps, history, follows_y=hasattr(self, "_target_mean"))
        if (xp := dense.namespace_of(many)) is not None:
            values, n_bounded = dense.roll_map(
                xp, self._scaled_dense(xp, many), self.weights_, m=self._monomials, delays=self._delays().tolist(),
                limit=self._scaling.limit, n_steps=n_steps,
            )  # fmt: skip
            return packed(self._unscaled_dense(xp, values), n_bounded, is_single=is_single)
        out = np.empty((many.shape[0], n_steps, many.shape[2]))
        n_bounded = np.empty(many.shape[0], dtype=np.int64)
        scaling = (self._scaling.mean, self._scaling.scale, self._scaling.limit)
        buffer = (many - self._scaling.mean) / self._scaling.scale
        weights = self._padded()
        if self.degree == 2 and weights.shape[1] == 4:
            kernels.roll_quadratic(buffer, self._delays(), weights, scaling, out, n_bounded)
        else:
            kernels.roll(buffer, self._delays(), weights, self._monomials.variable, scaling, out, n_bounded)
        return packed(out, n_bounded, is_single=is_single)

    def equations(self, names: Sequence[str] | None = None, *, smallest: float = 1e-10) -> list[str]:
        """Return what was learned, one line a variable, in the series' own units.

        Terms whose weight in scaled units is below ``smallest`` are left out.
        """
        check_is_fitted(self, "weights_")
        if hasattr(self, "_target_mean"):
            raise SeriesError("Equations are written for a model fitted without y. Fit it without y.")
        named = tuple(names) if names is not None else tuple(f"x{i}" for i in range(self.n_features_in_))
        inputs = tuple(f"{n}[t-{d}]" if d else f"{n}[t]" for d in self._delays() for n in named)
        left = [f"{n}[t+1] - {n}[t]" for n in named]
        scaling = self._tap_scaling()
        return equation_lines(
            self._monomials, self.weights_, scaling=scaling, gain=self._scaling.scale, left=left, names=inputs,
            smallest=smallest,
        )  # fmt: skip

    @property
    def n_history(self) -> int:
        """Rows of history that a forecast starts from."""
        return (self.n_taps - 1) * self.skip + 1

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _fit_series(self, x: Float64[ndarray, "rows columns"]) -> None:
        rows, columns = x.shape
        m = self._monomials = monomials(columns * self.n_taps, self.degree)
        self.__dict__.pop("_target_mean", None)
        if self.solver is by_cholesky:
            plan = _plan(m.n_inputs, self.degree, self.degrees)
            weights, mean, scale, largest, stopped = kernels.train(
                x, self.n_taps, self.skip, m.parent, m.variable, plan, self.ridge
            )
            if stopped:
                checked_series(x, min_rows=1)
                require_varying(mean, scale)
                raise dependent_features("Cholesky", self.ridge)
            self._scaling, self.weights_ = Scaling(mean=mean, scale=scale, largest=largest), weights
        else:
            self._learn_scales(x, None)
            z = np.ascontiguousarray(self._scaling.scaled(x).T)
            first = self.n_history - 1
            self.weights_ = self._solved(z[:, :-1], z[:, first + 1 :] - z[:, first:-1])
        self.last_ = x[rows - self.n_history :].copy()

    def _fit_pair(self, x: Float64[ndarray, "rows columns"], y: Float64[ndarray, "rows targets"]) -> None:
        self._learn_scales(x, y)
        z = np.ascontiguousarray(self._scaling.scaled(x).T)
        targets = ((y - self._target_mean) / self._target_scale).T[:, self.n_history - 1 :]
        self.weights_ = self._solved(z, np.ascontiguousarray(targets))

    def _fit_dense(self, xp: Any, x: dense.Array, y: dense.Array | None) -> None:
        dense.checked_rows(xp, x, min_rows=self._least_rows())
        self.n_features_in_ = x.shape[1]
        m = self._monomials = monomials(x.shape[1] * self.n_taps, self.degree)
        mean, scale, largest = dense.moments(xp, x)
        require_varying(mean, scale)
        self._scaling = Scaling(mean=mean, scale=scale, largest=largest)
        z = self._scaled_dense(xp, x)
        first, chosen = self.n_history - 1, _chosen(m, self.degrees)
        if y is None:
            self.__dict__.pop("_target_mean", None)
            taps, target = (
                dense.tap_rows(xp, z[:-1, ...], self._delays().tolist()),
                z[first + 1 :, ...] - z[first:-1, ...],
            )
        else:
            self._is_flat = y.ndim == 1
            wanted = xp.reshape(y, (x.shape[0], -1))
            self._target_mean, spread, _ = dense.moments(xp, wanted)
            self._target_scale = np.where(spread > 0, spread, 1.0)
            taps = dense.tap_rows(xp, z, self._delays().tolist())
            target = (wanted - dense.like(xp, self._target_mean, x)) / dense.like(xp, self._target_scale, x)
            target = target[first:, ...]
        phi = dense.monomial_values(xp, taps, m)
        if self.degrees is not None:
            phi = xp.take(phi, xp.asarray(chosen.tolist(), device=x.device), axis=1)
        self.weights_ = np.zeros((target.shape[1], m.n_features))
        self.weights_[:, chosen] = dense.to_numpy(self.solver(phi, target, self.ridge)).T
        self.last_ = dense.to_numpy(x[x.shape[0] - self.n_history :, ...])

    def _predicted_dense(self, xp: Any, x: dense.Array) -> dense.Array:
        dense.checked_rows(xp, x, min_rows=1)
        z = self._scaled_dense(xp, x)
        padded = xp.concat([z[:1, ...]] * (self.n_history - 1) + [z], axis=0)
        phi = dense.monomial_values(xp, dense.tap_rows(xp, padded, self._delays().tolist()), self._monomials)
        out = phi @ dense.like(xp, self.weights_.T, x)
        if not hasattr(self, "_target_mean"):
            return self._unscaled_dense(xp, z + out)
        values = out * dense.like(xp, self._target_scale, x) + dense.like(xp, self._target_mean, x)
        return values[:, 0] if self._is_flat else values

    def _scaled_dense(self, xp: Any, x: dense.Array) -> dense.Array:
        return (x - dense.like(xp, self._scaling.mean, x)) / dense.like(xp, self._scaling.scale, x)

    def _unscaled_dense(self, xp: Any, z: dense.Array) -> dense.Array:
        return z * dense.like(xp, self._scaling.scale, z) + dense.like(xp, self._scaling.mean, z)

    def _solved(
        self, z: Float64[ndarray, "columns rows"], targets: Float64[ndarray, "targets used"]
    ) -> Float64[ndarray, "targets features"]:
        m = self._monomials
        phi = np.empty((m.n_features, targets.shape[1]))
        kernels.fill_features(z, self.n_taps, self.skip, m.parent, m.variable, phi)
        weights = np.zeros((targets.shape[0], m.n_features))
        if self.solver is by_cholesky:
            plan = _plan(m.n_inputs, self.degree, self.degrees)
            if not kernels.solve_normal(phi, targets, plan, self.ridge, weights):
                raise dependent_features("Cholesky", self.ridge)
            return weights
        chosen = _chosen(m, self.degrees)
        weights[:, chosen] = self.solver(phi[chosen].T, targets.T, self.ridge).T
        return weights

    def _features(self, z: Float64[ndarray, "rows columns"]) -> Float64[ndarray, "used features"]:
        used = z.shape[0] - self.n_history + 1
        first = self.n_history - 1
        taps = np.concatenate([z[first - d : first - d + used] for d in self._delays()], axis=1)
        return self._monomials.values(taps)

    def _learn_scales(self, x: ndarray, y: ndarray | None) -> None:
        mean, scale = x.mean(axis=0), x.std(axis=0)
        if y is None:
            require_varying(mean, scale)
            self.__dict__.pop("_target_mean", None)
        else:
            self._target_mean, target_scale = y.mean(axis=0), y.std(axis=0)
            self._target_scale = np.where(target_scale > 0, target_scale, 1.0)
            scale = np.where(scale > 0, scale, 1.0)
        self._scaling = Scaling(mean=mean, scale=scale, largest=float(np.max(np.abs((x - mean) / scale))))
        self._monomials = monomials(x.shape[1] * self.n_taps, self.degree)

    def _add_rows(self, z: ndarray, y: ndarray | None) -> None:
        first = self.n_history - 1
        if y is None:
            features, target = self._features(z[:-1]), z[first + 1 :] - z[first:-1]
        else:
            features = self._features(z)
            target = ((y - self._target_mean) / self._target_scale)[y.shape[0] - features.shape[0] :]
        chosen = _chosen(self._monomials, self.degrees)
        rows = np.hstack([features[:, chosen], target])
        before = getattr(self, "_triangle", np.zeros((0, rows.shape[1])))
        self._triangle = qr(np.vstack([before, rows]), mode="r")[0][: rows.shape[1]]
        n = chosen.size
        # The penalty is ridge times each column's sum of squares, which the triangle keeps: no row count is needed.
        solved = self.solver(self._triangle[:, :n], self._triangle[:, n:], self.ridge)
        self.weights_ = np.zeros((target.shape[1], self._monomials.n_features))
        self.weights_[:, chosen] = solved.T
        if y is None:
            self.last_ = self._scaling.unscaled(z[z.shape[0] - self.n_history :])

    def _checked_pair(self, X: object, y: object, *, reset: bool) -> tuple[ndarray, ndarray]:
        x, target = _validated(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, reset=reset, ensure_min_samples=2
        )
        self._is_flat = target.ndim == 1
        target = np.asarray(target, dtype=np.float64).reshape(x.shape[0], -1)
        least = self.n_history + 1
        if reset and x.shape[0] < least:
            raise SeriesError(f"X has {x.shape[0]} rows (n_samples={x.shape[0]}), but {least} are needed. Give more.")
        return x, target

    def _require_columns(self, x: ndarray, is_first: bool) -> None:
        if is_first:
            self.n_features_in_ = x.shape[1]
        elif x.shape[1] != self.n_features_in_:
            raise SeriesError(
                f"This piece has {x.shape[1]} columns, the first had {self.n_features_in_}. Give the same."
            )

    def _check_parameters(self) -> None:
        if min(self.n_taps, self.skip, self.degree) < 1:
            given = f"n_taps {self.n_taps}, skip {self.skip}, degree {self.degree}"
            raise OptionError(f"There are {given}. Give 1 or more of each.")
        if not (0 <= self.ridge < np.inf):
            raise OptionError(f"ridge is {self.ridge}. Give 0 or more.")
        if self.degrees is not None and not set(self.degrees) <= set(range(self.degree + 1)):
            raise OptionError(f"degrees are {self.degrees}. Choose among 0 to degree={self.degree}.")

    def _least_rows(self) -> int:
        return self.n_history + 2

    def _delays(self) -> Int64[ndarray, " taps"]:
        return np.arange(self.n_taps) * self.skip

    def _padded(self) -> Float64[ndarray, "features padded"]:
        outputs, features = self.weights_.shape
        padded = np.zeros((features, -(-outputs // 4) * 4))
        padded[:, :outputs] = self.weights_.T
        return padded

    def _tap_scaling(self) -> Scaling:
        s = self._scaling
        return Scaling(mean=np.tile(s.mean, self.n_taps), scale=np.tile(s.scale, self.n_taps), largest=s.largest)


def _chosen(m: Monomials, degrees: tuple[int, ...] | None) -> Int32[ndarray, " chosen"]:
    if degrees is None:
        return np.arange(m.n_features, dtype=np.int32)
    return np.flatnonzero(m.of_degrees(degrees)).astype(np.int32)


@lru_cache(maxsize=64)
def _plan(n_inputs: int, degree: int, degrees: tuple[int, ...] | None) -> _Plan:
    """Return which products of two features are different moments, and which moment each Gram entry is."""
    m = monomials(n_inputs, degree)
    chosen = _chosen(m, degrees)
    powers = m.powers[chosen]
    a, b = np.tril_indices(chosen.size)
    _, first_at, index = np.unique(powers[a] + powers[b], axis=0, return_index=True, return_inverse=True)
    moment = np.zeros((chosen.size, chosen.size), dtype=np.int32)
    order = np.argsort(a[first_at], kind="stable")  # pairs that share a feature follow each other
    place = np.argsort(order).astype(np.int32)
    moment[a, b] = moment[b, a] = place[index.ravel()]
    return chosen, chosen[a[first_at][order]], chosen[b[first_at][order]], moment
