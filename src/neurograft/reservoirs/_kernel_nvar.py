"""The step to the next row as a Gaussian process of the state: polynomials of every degree at once."""

from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator

from neurograft.errors import OptionError
from neurograft.reservoirs._check import checked_series, rows_for, scaling_of
from neurograft.reservoirs._forecast import Forecast, one_step_score, packed, rollout_starts


@final
class KernelNvar(BaseEstimator):
    """Kernel ridge regression of the next step on the last ``n_taps`` rows, Gaussian kernel.

    A wide kernel with a tiny ridge interpolates smooth maps that are no polynomial.  Memory and time of the
    fit grow with the square and cube of the rows, so it is for up to a few thousand.

    Parameters
    ----------
    n_taps
        Rows that it looks at.
    length
        Width of the kernel, in standard deviations of the series.
    ridge
        Penalty in units of the largest eigenvalue of the kernel matrix.
    most_rows
        It learns from the last so many rows only.
    """

    def __init__(self, *, n_taps: int = 1, length: float = 4.0, ridge: float = 1e-12, most_rows: int = 1500) -> None:
        self.n_taps = n_taps
        self.length = length
        self.ridge = ridge
        self.most_rows = most_rows

    def fit(self, X: ndarray, y: ndarray | None = None) -> "KernelNvar":
        """Learn from one series."""
        if self.n_taps < 1 or not self.length > 0 or not self.ridge >= 0:
            raise OptionError(
                f"n_taps {self.n_taps} must be 1 or more, length {self.length} positive, ridge 0 or more."
            )
        x = checked_series(X, min_rows=self.n_taps + 2)[-max(self.most_rows, self.n_taps + 2) :]
        self._scaling = scaling_of(x)
        z = self._scaling.scaled(x)
        self._centres = self._inputs(z[:-1])
        values, vectors = eigh(np.exp(-cdist(self._centres, self._centres, "sqeuclidean") / (2 * self.length**2)))
        steps = np.diff(z, axis=0)[self.n_taps - 1 :]
        self._mean_step = steps.mean(axis=0)
        is_kept = values > values[-1] * values.size * np.finfo(np.float64).eps
        factor = np.zeros_like(values)
        factor[is_kept] = 1 / (values[is_kept] + self.ridge * values[-1])
        self.weights_ = vectors @ (factor[:, None] * (vectors.T @ (steps - self._mean_step)))
        self.last_ = x[x.shape[0] - self.n_taps :].copy()
        self.n_features_in_ = x.shape[1]
        return self

    def predict(self, X: ndarray) -> ndarray:
        """Return for each row the row that comes next; before the first the series is taken to have stood still."""
        x = rows_for(self, X)
        z = self._scaling.scaled(x)
        inputs = self._inputs(np.vstack([np.repeat(z[:1], self.n_taps - 1, axis=0), z]))
        near = np.exp(-cdist(inputs, self._centres, "sqeuclidean") / (2 * self.length**2))
        return self._scaling.unscaled(z + near @ self.weights_ + self._mean_step)

    def score(self, X: ndarray, y: ndarray | None = None) -> float:
        """Return R^2 of each row predicted from those before; ``y`` is ignored."""
        return one_step_score(self.predict, X)

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the next states in closed loop, guarded as in ``Nvar``."""
        many, is_single = rollout_starts(self, n_steps, history)
        out = np.empty((many.shape[0], n_steps, many.shape[2]))
        n_bounded = np.empty(many.shape[0], dtype=np.int64)
        newest_first = np.ascontiguousarray(self._scaling.scaled(many)[:, ::-1].reshape(many.shape[0], -1))
        roll_kernel(
            newest_first, self._centres, self.weights_, self._mean_step, -0.5 / self.length**2, self._scaling.limit,
            out, n_bounded,
        )  # fmt: skip
        return packed(self._scaling.unscaled(out), n_bounded, is_single=is_single)

    @property
    def n_history(self) -> int:
        """Rows of history that a forecast starts from."""
        return self.n_taps

    def _inputs(self, z: Float64[ndarray, "rows columns"]) -> Float64[ndarray, "used inputs"]:
        used = z.shape[0] - self.n_taps + 1
        return np.concatenate([z[self.n_taps - 1 - d :][:used] for d in range(self.n_taps)], axis=1)


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
@no_type_check
def roll_kernel(start, centres, weights, mean_step, factor, limit, out, n_bounded):  # noqa: PLR0917
    """Fill ``out`` with scaled closed-loop states; a rollout that leaves the limit holds its last state."""
    n_starts, steps, columns = out.shape
    n_inputs = start.shape[1]
    change = np.empty(columns)
    for s in range(n_starts):
        taps = start[s].copy()
        n_bounded[s] = steps
        for n in range(steps):
            change[:] = mean_step
            for c in range(centres.shape[0]):
                apart = 0.0
                for i in range(n_inputs):
                    apart += (taps[i] - centres[c, i]) ** 2
                near = np.exp(factor * apart)
                for j in range(columns):
                    change[j] += near * weights[c, j]
            is_inside = True
            for j in range(columns):
                change[j] += taps[j]
                is_inside = is_inside and abs(change[j]) <= limit
            if not is_inside:
                n_bounded[s] = n
                for rest in range(n, steps):
                    for j in range(columns):
                        out[s, rest, j] = taps[j]
                break
            for i in range(n_inputs - 1, columns - 1, -1):
                taps[i] = taps[i - columns]
            for j in range(columns):
                taps[j] = change[j]
                out[s, n, j] = change[j]
