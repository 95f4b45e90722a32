"""Linear least squares with a ridge, on columns of unit size.  Three solvers; none inverts the Gram matrix.

They take numpy's arrays, or those of another library of the array API standard (see ``_dense``).

The penalty is ``ridge * rows`` times the squared weight of each column after it was divided by its root mean
square, so that one ridge means the same for any number of rows, any unit and any degree.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular, svd

from neurograft.errors import SeriesError
from neurograft.reservoirs import _dense as dense


@runtime_checkable
class LeastSquares(Protocol):
    """Solves min |A w - y|^2 + ridge rows |scaled w|^2 for every column of y."""

    def __call__(
        self, a: Float64[ndarray, "rows features"], y: Float64[ndarray, "rows targets"], ridge: float
    ) -> Float64[ndarray, "features targets"]:
        """Return the weights."""
        ...


def by_svd(
    a: Float64[ndarray, "rows features"], y: Float64[ndarray, "rows targets"], ridge: float
) -> Float64[ndarray, "features targets"]:
    """Solve by singular values: the most robust; directions lost to rounding are left out."""
    if (xp := dense.namespace_of(a)) is not None:
        return dense.solved_by_svd(xp, a, y, ridge)
    size = _column_size(a)
    left, values, right = svd(a / size, full_matrices=False, lapack_driver="gesdd")
    is_kept = values > values[0] * max(a.shape) * np.finfo(np.float64).eps if values.size else values > 0
    factor = np.zeros_like(values)
    factor[is_kept] = values[is_kept] / (values[is_kept] ** 2 + ridge * a.shape[0])
    return (right.T @ (factor[:, None] * (left.T @ y))) / size[:, None]


def by_qr(
    a: Float64[ndarray, "rows features"], y: Float64[ndarray, "rows targets"], ridge: float
) -> Float64[ndarray, "features targets"]:
    """Solve by orthogonal triangles: as exact as ``by_svd`` where no column depends on others, and quicker."""
    if (xp := dense.namespace_of(a)) is not None:
        return dense.solved_by_qr(xp, a, y, ridge)
    size = _column_size(a)
    n_features = a.shape[1]
    stacked, target = a / size, y
    if ridge > 0:
        stacked = np.vstack([stacked, np.sqrt(ridge * a.shape[0]) * np.eye(n_features)])
        target = np.vstack([y, np.zeros((n_features, y.shape[1]))])
    q, r = qr(stacked, mode="economic")
    _require_rank(np.abs(np.diag(r)), n_features, "QR")
    return solve_triangular(r, q.T @ target) / size[:, None]


def by_cholesky(
    a: Float64[ndarray, "rows features"], y: Float64[ndarray, "rows targets"], ridge: float
) -> Float64[ndarray, "features targets"]:
    """Solve the normal equations by Cholesky: the quickest; half the digits, so it wants a ridge."""
    if (xp := dense.namespace_of(a)) is not None:
        return dense.solved_by_cholesky(xp, a, y, ridge)
    size = _column_size(a)
    scaled = a / size
    gram = scaled.T @ scaled
    gram[np.diag_indices_from(gram)] += ridge * a.shape[0]
    try:
        factor = cho_factor(gram, lower=True)
    except LinAlgError:
        raise dependent_features("Cholesky", ridge) from None
    return cho_solve(factor, scaled.T @ y) / size[:, None]


def dependent_features(solver: str, ridge: float) -> SeriesError:
    """Return the error of features that depend on each other to the precision of a solver."""
    return SeriesError(
        f"{solver} found features that depend on each other with ridge {ridge:g}. Use solver=by_svd or a larger ridge."
    )


def _column_size(a: Float64[ndarray, "rows features"]) -> Float64[ndarray, " features"]:
    size = np.sqrt(np.mean(a**2, axis=0))
    return np.where(size > 0, size, 1.0)


def _require_rank(diagonal: ndarray, n_features: int, solver: str) -> None:
    is_short = diagonal.size < n_features
    if is_short or diagonal.min() <= diagonal.max() * n_features * np.finfo(np.float64).eps:
        raise dependent_features(solver, 0.0)
