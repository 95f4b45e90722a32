"""What a rollout gives back: values that are always finite, and how far they were inside the guard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs._dense import namespace_of, to_numpy


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """States after the history, and for each start the number of steps until the guard stopped the rollout.

    From that step on ``values`` hold the last state that was inside the guard, so nothing is ever infinite;
    such steps are no forecast.  Both are arrays of the library that the history came from.
    """

    values: Float64[ndarray, "*starts steps variables"]
    n_bounded: Int64[ndarray, "*starts"]

    @property
    def is_bounded(self) -> bool:
        """Whether no rollout left the guard."""
        return bool(np.all(to_numpy(self.n_bounded) == self.values.shape[-2]))


@runtime_checkable
class Forecaster(Protocol):
    """Whatever can be fitted to a series and then goes on with it alone."""

    def fit(self, X: ndarray) -> object:
        """Learn from a series."""
        ...

    def predict(self, X: ndarray) -> ndarray:
        """Return for each row the row that comes next."""
        ...

    def forecast(self, n_steps: int, history: ndarray | None = None) -> Forecast:
        """Return the next steps after a history (or many), or after the training series."""
        ...

    @property
    def n_history(self) -> int:
        """Rows of history that a forecast starts from."""
        ...


def one_step_score(predict: Callable[[ndarray], ndarray], x: ndarray) -> float:
    """Return R^2 of each row predicted from those before."""
    return float(r2_score(x[1:], predict(x)[:-1]))


def rollout_starts(
    model: Any, n_steps: int, history: ndarray | None, *, follows_y: bool = False
) -> tuple[Float64[ndarray, "starts rows columns"], bool]:
    """Return one or many histories as three axes, each cut to the rows needed, and whether there was one only.

    The last training rows, ``model.last_``, if None.  A model that is not fitted, or follows another series, and
    no steps are refused.
    """
    check_is_fitted(model, "weights_")
    if follows_y:
        raise SeriesError("This model was fitted to follow y, so it cannot go on by itself. Fit it without y.")
    if n_steps < 1:
        raise OptionError(f"n_steps is {n_steps}. Give 1 or more.")
    return _histories(history, model.last_)


def _histories(
    history: ndarray | None, last: Float64[ndarray, "rows columns"]
) -> tuple[Float64[ndarray, "starts rows columns"], bool]:
    rows, columns = last.shape
    xp = namespace_of(history)
    given = last if history is None else history if xp is not None else np.asarray(history, dtype=np.float64)
    is_single = given.ndim == 2
    many = given[None, ...] if is_single else given
    if many.ndim != 3 or many.shape[2] != columns or many.shape[1] < rows:
        raise SeriesError(
            f"A history has shape {given.shape}. Give at least {rows} rows of {columns} columns, or many such."
        )
    many = many[:, many.shape[1] - rows :, :]
    many = many if xp is not None else np.ascontiguousarray(many)
    if not (np.isfinite(many).all() if xp is None else bool(xp.all(xp.isfinite(many)))):
        raise SeriesError("A history holds NaN or infinity. Start where the last rows are all known.")
    return many, is_single


def packed(values: ndarray, n_bounded: ndarray, *, is_single: bool) -> Forecast:
    """Return the forecast of many starts, or of the only one without its first axis."""
    if is_single:
        values, n_bounded = values[0, ...], n_bounded[0]
    if namespace_of(values) is None:
        n_bounded = np.asarray(n_bounded)
    return Forecast(values=values, n_bounded=n_bounded)
