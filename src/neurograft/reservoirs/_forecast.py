"""What a rollout gives back: values that are always finite, and how far they were inside the guard."""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.errors import SeriesError
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


def histories(
    history: ndarray | None, last: Float64[ndarray, "rows columns"]
) -> tuple[Float64[ndarray, "starts rows columns"], bool]:
    """Return one or many histories as three axes, each cut to the rows needed, and whether there was one only."""
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
