"""How a flow's data were integrated: the solver is part of every forecasting figure.

The next-generation set-up of Gauthier et al. (2021) works on data integrated with a relative tolerance of
1e-3 and diverges on accurate data, because accurate taps are nearly collinear.  So both kinds exist here,
under names that say which is which.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.integrate import DOP853, solve_ivp

from neurograft.errors import OptionError, SeriesError

Slope = Callable[[ndarray], ndarray]

# Dormand and Prince's explicit method of order 8 (Hairer, Norsett, Wanner 1993, II.5), as SciPy tabulates it.
ORDER_8_A: Float64[ndarray, "12 12"] = np.ascontiguousarray(DOP853.A, dtype=np.float64)
ORDER_8_B: Float64[ndarray, " 12"] = np.ascontiguousarray(DOP853.B, dtype=np.float64)
# The classic method of order 4 (Kutta 1901).
ORDER_4_A: Float64[ndarray, "4 4"] = np.array([[0, 0, 0, 0], [0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 1, 0]], dtype=float)
ORDER_4_B: Float64[ndarray, " 4"] = np.array([1, 2, 2, 1]) / 6


@runtime_checkable
class Solver(Protocol):
    """Turns a slope and starts into states at equal distances in time."""

    def __call__(self, slope: Slope, start: ndarray, *, dt: float, n_points: int) -> ndarray:
        """Return states of shape (..., n_points, variables), the first row being ``start``."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Accurate:
    """Fixed steps of order 8, several to a sample: errors near the rounding of float64 for the flows here."""

    n_substeps: int = 4

    def __post_init__(self) -> None:
        """Refuse no substep."""
        if self.n_substeps < 1:
            raise OptionError(f"n_substeps is {self.n_substeps}. Give 1 or more.")

    def __call__(self, slope: Slope, start: ndarray, *, dt: float, n_points: int) -> ndarray:
        """Return the states of one start, or of many starts at once."""
        state = np.asarray(start, dtype=np.float64)
        states = np.empty((n_points, *state.shape))
        states[0] = state
        for n in range(1, n_points):
            for _ in range(self.n_substeps):
                state = _step(slope, state, dt / self.n_substeps)
            states[n] = state
        return _finite(np.moveaxis(states, 0, -2))


def _step(slope: Slope, state: ndarray, step: float) -> ndarray:
    stages = np.empty((ORDER_8_B.size, state.size))
    stages[0] = slope(state).ravel()
    for i in range(1, ORDER_8_B.size):
        moved = state + (step * (ORDER_8_A[i, :i] @ stages[:i])).reshape(state.shape)
        stages[i] = slope(moved).ravel()
    return state + (step * (ORDER_8_B @ stages)).reshape(state.shape)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """SciPy's RK23 at its default tolerances, read off its interpolant: the data of Gauthier et al. (2021).

    One call integrates from ``start`` to the end in one go, as their scripts do.
    """

    rtol: float = 1e-3
    atol: float = 1e-6

    def __call__(self, slope: Slope, start: ndarray, *, dt: float, n_points: int) -> ndarray:
        """Return the states of one start, or of many starts one after another."""
        start = np.asarray(start, dtype=np.float64)
        if start.ndim > 1:
            return np.stack([self(slope, one, dt=dt, n_points=n_points) for one in start])
        end = dt * (n_points - 1)
        solution = solve_ivp(
            lambda _, state: slope(state),
            (0.0, end),
            start,
            t_eval=np.linspace(0.0, end, n_points),
            method="RK23",
            rtol=self.rtol,
            atol=self.atol,
        )
        if not solution.success:
            raise SeriesError(f"RK23 stopped at {solution.t[-1]:g} of {end:g}: {solution.message} Change the start.")
        return _finite(solution.y.T)


def _finite(states: ndarray) -> ndarray:
    if not np.isfinite(states).all():
        raise SeriesError("The integration ran to infinity. Start on the attractor or take a smaller dt.")
    return states
