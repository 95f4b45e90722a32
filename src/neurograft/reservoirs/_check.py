"""Checks of a time series where it enters: what is wrong, where, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from neurograft.errors import SeriesError

GUARD: Final = 10.0  # a rollout is stopped where it leaves the training range, in standard deviations, tenfold
_MAX_NAMED: Final = 3
_checked_array: Any = check_array  # its own annotations say str for a dtype


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """Mean and standard deviation of the training series' columns, and the largest scaled size in it."""

    mean: Float64[ndarray, " columns"]
    scale: Float64[ndarray, " columns"]
    largest: float

    @property
    def limit(self) -> float:
        """Scaled size at which the guard stops a rollout."""
        return GUARD * self.largest

    def scaled(self, x: ndarray) -> ndarray:
        """Return a series in standard deviations from the training mean."""
        return (x - self.mean) / self.scale

    def unscaled(self, z: ndarray) -> ndarray:
        """Return a scaled series in its own units."""
        return z * self.scale + self.mean


def checked_series(
    x: Any, *, min_rows: int, name: str = "X", columns: Sequence[str] = (), is_seen_to: bool = False
) -> Float64[ndarray, "rows columns"]:
    """Return a series as rows of float64; gaps, infinities and too few rows are refused by name.

    With ``columns`` a gap is told by its column's name; with ``is_seen_to`` the caller looks for gaps itself.
    """
    if not (isinstance(x, np.ndarray) and x.dtype == np.float64 and x.ndim == 2):
        x = _checked_array(x, dtype=np.float64, ensure_all_finite=False, ensure_min_samples=1, input_name=name)
    if x.shape[1] == 0:
        raise SeriesError(f"{name} has 0 feature(s) (shape={x.shape}) while a minimum of 1 is required. Give columns.")
    if not is_seen_to and not np.isfinite(x.sum()):
        _refuse_gaps(x, name, columns)
    if x.shape[0] < min_rows:
        raise SeriesError(
            f"{name} has {x.shape[0]} rows (n_samples={x.shape[0]}), but this model needs at least {min_rows}. "
            "Give a longer series, fewer taps or a lower order."
        )
    return np.ascontiguousarray(x)


def rows_for(model: BaseEstimator, x: Any, *, min_rows: int = 1) -> Float64[ndarray, "rows columns"]:
    """Return the rows that a fitted model is asked about; other columns than it was fitted to are refused."""
    check_is_fitted(model, "weights_")
    rows, n_columns = checked_series(x, min_rows=min_rows), vars(model)["n_features_in_"]
    if rows.shape[1] != n_columns:
        raise SeriesError(
            f"X has {rows.shape[1]} features, but {type(model).__name__} is expecting {n_columns} features as input. "
            "Give the same columns."
        )
    return rows


def _refuse_gaps(x: ndarray, name: str, columns: Sequence[str]) -> None:
    bad = np.argwhere(~np.isfinite(x))
    if not bad.size:
        return  # the sum alone ran over
    called = columns or range(x.shape[1])
    where = ", ".join(f"[{row}, {called[column]}]" for row, column in bad[:_MAX_NAMED])
    kind = "NaN" if np.isnan(x).any() else "infinity (inf)"
    raise SeriesError(
        f"{name} contains {kind}: {len(bad)} of {x.size} values are not finite, first at {where}. "
        "Cut the series at the gaps and give the longest piece, or fill them."
    )


def scaling_of(z: Float64[ndarray, "rows columns"], *, names: Sequence[str] | None = None) -> Scaling:
    """Return the scaling of a series; a column that never changes is refused."""
    mean, scale = z.mean(axis=0), z.std(axis=0)
    require_varying(mean, scale, names=names)
    return Scaling(mean=mean, scale=scale, largest=float(np.max(np.abs((z - mean) / scale))))


def uncentred(scaling: Scaling) -> Scaling:
    """Return the same scales around zero instead of the mean, with a limit that holds all that the first allows."""
    shift = np.abs(scaling.mean / scaling.scale)
    return Scaling(
        mean=np.zeros_like(scaling.mean), scale=scaling.scale, largest=scaling.largest + float(np.max(shift))
    )


def require_varying(mean: ndarray, scale: ndarray, *, names: Sequence[str] | None = None) -> None:
    """Refuse columns that are constant to rounding."""
    constant = np.flatnonzero(~(scale > 1e-13 * np.abs(mean)) | (scale == 0))
    if constant.size:
        column = int(constant[0])
        called = f" ({names[column]})" if names is not None else ""
        raise SeriesError(
            f"Column {column}{called} is constant ({mean[column]:g}); {constant.size} of {mean.size} are. "
            "Leave constant columns out: there is nothing to forecast in them."
        )
