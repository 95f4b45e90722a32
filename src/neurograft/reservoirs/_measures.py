"""How good a forecast is: errors in two conventions, and the time for which it is valid."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import SeriesError

VALID_BELOW: Final = 0.4
_N_BOOTSTRAP: Final = 2000


def nrmse_total(truth: ndarray, forecast: ndarray, *, variance: ndarray) -> float:
    """Return the error of Gauthier et al. 2021: root of the mean square over time and variables, over all variance.

    The sum of the variables' variances is below the root, so it is sqrt(variables) below ``nrmse_mean``.
    """
    _same_shape(truth, forecast)
    return float(np.sqrt(np.mean((truth - forecast) ** 2) / np.sum(variance)))


def nrmse_mean(truth: ndarray, forecast: ndarray, *, variance: ndarray) -> float:
    """Return the root of the mean over time and variables of the squared error over each variable's variance."""
    _same_shape(truth, forecast)
    return float(np.sqrt(np.mean((truth - forecast) ** 2 / variance)))


def valid_steps(
    truth: Float64[ndarray, "*starts steps variables"],
    forecast: Float64[ndarray, "*starts steps variables"],
    *,
    scale: Float64[ndarray, " variables"],
    below: float = VALID_BELOW,
) -> ndarray:
    """Return for each start the number of steps before the scaled error first exceeds ``below``.

    The error of a step is the root of the mean over variables of the squared error, each over its ``scale``
    (its standard deviation).  A forecast that stays below has all its steps: the horizon cuts it off.
    """
    _same_shape(truth, forecast)
    error = np.sqrt(np.mean(((truth - forecast) / scale) ** 2, axis=-1))
    is_bad = ~(error <= below)  # NaN is bad too
    return np.where(is_bad.any(axis=-1), is_bad.argmax(axis=-1), truth.shape[-2])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValidTime:
    """Valid times of many starts, in Lyapunov times, and how sure their median is."""

    times: Float64[ndarray, " starts"]
    horizon: float

    @property
    def median(self) -> float:
        """Median over starts."""
        return float(np.median(self.times))

    @property
    def mean(self) -> float:
        """Mean over starts."""
        return float(np.mean(self.times))

    @property
    def share_above_one(self) -> float:
        """Share of starts that are forecast for more than one Lyapunov time."""
        return float(np.mean(self.times > 1))

    @property
    def n_cut_off(self) -> int:
        """Starts that were still valid at the horizon: their true valid time is longer."""
        return int(np.sum(self.times >= self.horizon))

    def median_interval(self, rng: Generator) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the median over starts."""
        drawn = rng.choice(self.times, (_N_BOOTSTRAP, self.times.size))
        low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
        return float(low), float(high)


def valid_time(
    truth: Float64[ndarray, "starts steps variables"],
    forecast: Float64[ndarray, "starts steps variables"],
    *,
    scale: Float64[ndarray, " variables"],
    dt: float,
    lyapunov_time: float = 1.0,
    below: float = VALID_BELOW,
) -> ValidTime:
    """Return the valid times of forecasts from many starts; ``lyapunov_time`` 1 leaves them in units of time."""
    steps = valid_steps(truth, forecast, scale=scale, below=below)
    unit = dt / lyapunov_time
    return ValidTime(times=np.atleast_1d(steps * unit).astype(np.float64), horizon=truth.shape[-2] * unit)


def _same_shape(truth: ndarray, forecast: ndarray) -> None:
    if truth.shape != forecast.shape:
        raise SeriesError(
            f"The truth has shape {truth.shape}, the forecast {forecast.shape}. Compare the same steps of both."
        )
