"""Chaotic flows that forecasters are scored on, with the numbers that a score needs.

Time is in each system's own dimensionless units; ``dt`` is the sampling step usual in the literature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import OptionError
from neurograft.reservoirs._solvers import Accurate, Solver


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """An autonomous system dx/dt = slope(x), a start on or near its attractor, and its Lyapunov time."""

    name: str
    slope: Callable[[ndarray], ndarray]  # takes states of shape (..., variables)
    start: tuple[float, ...]
    dt: float
    lyapunov_time: float

    @property
    def n_variables(self) -> int:
        """Number of variables."""
        return len(self.start)


def lorenz63() -> Flow:
    """Return Lorenz's convection (1963): sigma 10, rho 28, beta 8/3.

    Start, step and Lyapunov time (1.104) are those of Gauthier et al. 2021, as their code has them.
    """

    def slope(state: ndarray) -> ndarray:
        x, y, z = state[..., 0], state[..., 1], state[..., 2]
        return np.stack([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z], axis=-1)

    start = (17.67715816276679, 12.931379185960404, 43.91404334248268)
    return Flow(name="lorenz63", slope=slope, start=start, dt=0.025, lyapunov_time=1.104)


def double_scroll() -> Flow:
    """Return the double-scroll circuit as Gauthier et al. 2021 have it in their code; Lyapunov time 1 / 0.128."""

    def slope(state: ndarray) -> ndarray:
        v1, v2, current = state[..., 0], state[..., 1], state[..., 2]
        across = v1 - v2
        g = across / 3.44 + 2 * 2.25e-5 * np.sinh(11.6 * across)
        return np.stack([v1 / 1.2 - g, g - current, v2 - 0.193 * current], axis=-1)

    start = (0.37926545, 0.058339, -0.08167691)
    return Flow(name="double_scroll", slope=slope, start=start, dt=0.25, lyapunov_time=7.8125)


def lorenz96(n_sites: int = 40, *, forcing: float = 8.0) -> Flow:
    """Return Lorenz's ring of sites (1996): dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F.

    The Lyapunov time 1/1.68 holds for 40 sites and F = 8 (from memory, as in Vlachas et al. 2020).
    """
    if n_sites < 4:
        raise OptionError(f"n_sites is {n_sites}; each site reaches two to the left. Give 4 or more.")

    def slope(state: ndarray) -> ndarray:
        ahead, behind, further = (np.roll(state, shift, axis=-1) for shift in (-1, 1, 2))
        return (ahead - further) * behind - state + forcing

    start = tuple(forcing + 0.01 * np.cos(np.arange(n_sites) ** 2.0))
    return Flow(name="lorenz96", slope=slope, start=start, dt=0.05, lyapunov_time=1 / 1.68)


def series(
    flow: Flow,
    *,
    n_points: int,
    dt: float | None = None,
    start: ndarray | None = None,
    n_warm_up: int = 0,
    solver: Solver | None = None,
) -> Float64[ndarray, "*starts points variables"]:
    """Return ``n_points`` states of a flow, ``dt`` apart, after ``n_warm_up`` left-out ones; accurate by default.

    >>> series(lorenz63(), n_points=3).shape
    (3, 3)
    """
    integrate: Solver = Accurate() if solver is None else solver
    begin = np.array(flow.start) if start is None else np.asarray(start, dtype=np.float64)
    step = flow.dt if dt is None else dt
    states = integrate(flow.slope, begin, dt=step, n_points=n_warm_up + n_points)
    return np.ascontiguousarray(states[..., n_warm_up:, :])


def starts(flow: Flow, n_starts: int, *, spacing: int = 200, n_warm_up: int = 1000) -> Float64[ndarray, "starts vars"]:
    """Return states far apart on the attractor: every ``spacing``-th sample of one accurate run."""
    run = series(flow, n_points=(n_starts - 1) * spacing + 1, n_warm_up=n_warm_up, solver=Accurate(n_substeps=2))
    return np.ascontiguousarray(run[::spacing])
