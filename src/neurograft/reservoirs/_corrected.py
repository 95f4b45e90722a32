"""A model, and a Gaussian process of what it misses: for series that obey a simple law only nearly.

Data of an inaccurate solver are such series: each step is that of the true field plus the solver's own error, which
is small, smooth where the steps are, and no polynomial.
"""

from typing import Final, NamedTuple, cast, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, clone

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs._check import checked_series, rows_for, scaling_of
from neurograft.reservoirs._forecast import Forecast, Forecaster, one_step_score, packed, rollout_starts
from neurograft.reservoirs._nvar import Nvar

LENGTHS: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
NOISES: Final = tuple(10.0 ** np.arange(-6, 0.1, 0.5))


class Likeliest(NamedTuple):
    """A Gaussian process's width, its noise as a share of its variance, and its weights."""

    length: float
    noise: float
    weights: Float64[ndarray, "rows targets"]


def likeliest(
    inputs: Float64[ndarray, "rows inputs"],
    targets: Float64[ndarray, "rows targets"],
    *,
    lengths: tuple[float, ...] = LENGTHS,
    noises: tuple[float, ...] = NOISES,
) -> Likeliest:
    """Return the process that makes the targets most likely (Rasmussen and Williams 2006, equation 5.8).

    Gaussian kernel; all targets share width and noise, each has its own variance, which is set to its best.
    """
    best, found = -np.inf, None
    square = cdist(inputs, inputs, "sqeuclidean")
    for length in lengths:
        values, vectors = eigh(np.exp(-square / (2 * length**2)))
        turned = vectors.T @ targets
        for noise in noises:
            size = np.maximum(values, 0.0) + noise
            variance = np.mean(turned**2 / size[:, None], axis=0)
            likelihood = -0.5 * (
                targets.shape[0] * np.sum(np.log(np.maximum(variance, 1e-300)))
                + targets.shape[1] * np.sum(np.log(size))
            )
            if likelihood > best:
                best, found = likelihood, Likeliest(length, noise, vectors @ (turned / size[:, None]))
    assert found is not None
    return found


@final
class CorrectedNvar(BaseEstimator):
    """Another model's step, plus a Gaussian process of the state for what that model misses on the training rows.

    Width and noise of the process are those under which its rows are most likely, so there is nothing to tune.
    Time grows with the cube of the rows: for up to a thousand or two.

    Parameters
    ----------
    base
        The model to correct; ``Nvar()`` if None.
    has_change
        Whether the process looks at the last change of the state too.
    most_rows
        The process learns from the last so many rows only.
    """

    def __init__(self, base: Forecaster | None = None, *, has_change: bool = False, most_rows: int = 1000) -> None:
        self.base = base
        self.has_change = has_change
        self.most_rows = most_rows

    def fit(self, X: ndarray, y: ndarray | None = None) -> "CorrectedNvar":
        """Learn from one series."""
        if self.most_rows < 2:
            raise OptionError(f"most_rows is {self.most_rows}. Give 2 or more.")
        x = checked_series(X, min_rows=4)
        self.base_ = cast("Forecaster", clone(Nvar() if self.base is None else self.base))
        self.base_.fit(x)
        self._scaling = scaling_of(x)
        self._change = np.diff(self._scaling.scaled(x), axis=0).std(axis=0)
        self._change[self._change == 0] = 1.0
        first = self.n_history - 1
        missed = self._scaling.scaled(x)[first + 1 :] - self._scaling.scaled(self.base_.predict(x))[first:-1]
        now, before = x[first:-1], x[max(first - 1, 0) : x.shape[0] - 1 - min(first, 1)]
        if missed.shape[0] < 2:
            raise SeriesError(f"X has {x.shape[0]} rows, too few after {first} rows of history. Give a longer series.")
        self._centres = self._inputs(now, before)[-self.most_rows :]
        size = missed.std(axis=0)
        self._size = np.where(size > 0, size, 1.0)
        found = likeliest(self._centres, missed[-self.most_rows :] / self._size)
        self.length_, self.noise_, self.weights_ = found
        self.last_ = x[x.shape[0] - self.n_history :].copy()
        self.n_features_in_ = x.shape[1]
        return self

    def predict(self, X: ndarray) -> ndarray:
        """Return for each row the row that comes next."""
        x = rows_for(self, X)
        before = np.vstack([x[:1], x[:-1]])
        return self.base_.predict(x) + self._correction(x, before)

    def score(self, X: ndarray, y: ndarray | None = None) -> float:
        """Return R^2 of each row predicted from those before; ``y`` is ignored."""
        return one_step_score(self.predict, X)

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the next states in closed loop, guarded as in ``Nvar``."""
        many, is_single = rollout_starts(self, n_steps, history)
        out = np.empty((many.shape[0], n_steps, many.shape[2]))
        n_bounded = np.full(many.shape[0], n_steps)
        recent = many
        for n in range(n_steps):
            now, before = recent[:, -1], recent[:, -2] if recent.shape[1] > 1 else recent[:, -1]
            step = self.base_.forecast(1, recent)
            after = step.values[:, 0] + self._correction(now, before)
            is_inside = np.all(np.abs(self._scaling.scaled(after)) <= self._scaling.limit, axis=1)
            is_out = ~is_inside | (np.asarray(step.n_bounded) < 1)
            n_bounded[is_out & (n_bounded > n)] = n
            out[:, n] = np.where((n_bounded > n)[:, None], after, now)
            recent = np.concatenate([recent[:, 1:], out[:, n : n + 1]], axis=1)
        return packed(out, n_bounded, is_single=is_single)

    @property
    def n_history(self) -> int:
        """Rows of history that a forecast starts from."""
        own = 2 if self.has_change else 1
        return max(self.base_.n_history, own) if hasattr(self, "base_") else own

    def _inputs(self, now: ndarray, before: ndarray) -> ndarray:
        z = self._scaling.scaled(now)
        if not self.has_change:
            return z
        return np.hstack([z, (z - self._scaling.scaled(before)) / self._change])

    def _correction(self, now: ndarray, before: ndarray) -> ndarray:
        near = np.exp(-cdist(self._inputs(now, before), self._centres, "sqeuclidean") / (2 * self.length_**2))
        return (near @ self.weights_) * self._size * self._scaling.scale
