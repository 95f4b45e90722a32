"""Series that are not ordinary flows: a delay equation, a partial differential equation, a driven average."""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import OptionError, SeriesError

KURAMOTO_LYAPUNOV_TIME_22: Final = 1 / 0.043  # length 22 (from memory: Edson et al. 2019)
_LARGEST: Final = 1e6


def mackey_glass(
    *,
    n_points: int,
    dt: float = 1.0,
    delay: float = 17.0,
    n_substeps: int = 20,
    is_delay_held: bool = False,
    start: float = 1.2,
) -> Float64[ndarray, " points"]:
    """Return x of dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x (Mackey and Glass 1977).

    x is ``start`` up to the first point.

    Runge-Kutta of order 4; inside a step the delayed value is interpolated by cubics (Hermite).  With
    ``is_delay_held`` it is held at its value at the step's start, with one substep: the usual inaccurate
    integration of the reservoir literature (from memory).
    """
    step = dt / n_substeps
    n_delay = round(delay / step)
    if n_delay < 1 or abs(n_delay * step - delay) > 1e-9 * delay:
        raise OptionError(f"delay {delay} is not a whole number of steps of {step:g}. Change dt or n_substeps.")
    n_steps = (n_points - 1) * n_substeps
    past = np.full(n_delay + n_steps + 1, float(start))
    slope = np.zeros(past.size)
    for n in range(n_delay, n_delay + n_steps):
        lagged = past[n - n_delay]
        slope[n] = _mackey_glass_slope(past[n], lagged)
        after = lagged if is_delay_held else past[n - n_delay + 1]
        middle = lagged
        if not is_delay_held:
            end_slope = slope[n - n_delay + 1] if n - n_delay + 1 != n_delay else 0.0  # the kink at the start
            middle = 0.5 * (lagged + after) + step / 8 * (slope[n - n_delay] - end_slope)
        k2 = _mackey_glass_slope(past[n] + 0.5 * step * slope[n], middle)
        k3 = _mackey_glass_slope(past[n] + 0.5 * step * k2, middle)
        k4 = _mackey_glass_slope(past[n] + step * k3, after)
        past[n + 1] = past[n] + step / 6 * (slope[n] + 2 * k2 + 2 * k3 + k4)
    return np.ascontiguousarray(past[n_delay::n_substeps])


def _mackey_glass_slope(x: float, lagged: float) -> float:
    return 0.2 * lagged / (1 + lagged**10) - 0.1 * x


def kuramoto_sivashinsky(
    *, n_points: int, dt: float = 0.25, length: float = 22.0, n_sites: int = 64, n_substeps: int = 16
) -> Float64[ndarray, "points sites"]:
    """Return u of u_t = -u u_x - u_xx - u_xxxx on a ring, by exponential time differencing of order 4.

    Cox and Matthews (2002) in the stable form of Kassam and Trefethen (2005): coefficients are means over a
    circle in the complex plane.  One substep of 0.25 is the usual data of the reservoir literature (Pathak et
    al. 2018, from memory); sixteen are accurate to 1e-6 over 20 units of time.
    """
    if n_sites % 2 or n_sites < 8:
        raise OptionError(f"n_sites is {n_sites}. Give an even number, 8 or more.")
    place = length * np.arange(n_sites) / n_sites
    phase = 2 * np.pi * place / length
    u = np.cos(phase) * (1 + np.sin(phase)) + 0.1 * np.sin(3 * phase)
    wave = np.fft.rfftfreq(n_sites, length / n_sites) * 2 * np.pi
    linear = wave**2 - wave**4
    half_slope = -0.5j * wave
    half_slope[-1] = 0.0  # the derivative of the sawtooth of two sites has no place on the grid
    advance = _exponential_step(linear, half_slope, dt / n_substeps)
    spectrum = np.fft.rfft(u)
    states = np.empty((n_points, n_sites))
    for n in range(n_points):
        states[n] = np.fft.irfft(spectrum, n_sites)
        for _ in range(n_substeps):
            spectrum = advance(spectrum, n_sites)
    return states


def _exponential_step(linear: ndarray, half_slope: ndarray, step: float) -> Callable[[ndarray, int], ndarray]:
    whole, half = np.exp(step * linear), np.exp(0.5 * step * linear)
    circle = step * linear[:, None] + np.exp(1j * np.pi * (np.arange(1, 33) - 0.5) / 32)
    e = np.exp(circle)
    q = step * np.mean((np.exp(circle / 2) - 1) / circle, axis=1).real
    f1 = step * np.mean((-4 - circle + e * (4 - 3 * circle + circle**2)) / circle**3, axis=1).real
    f2 = step * np.mean((2 + circle + e * (-2 + circle)) / circle**3, axis=1).real
    f3 = step * np.mean((-4 - 3 * circle - circle**2 + e * (4 - circle)) / circle**3, axis=1).real

    def nonlinear(v: ndarray, n: int) -> ndarray:
        return half_slope * np.fft.rfft(np.fft.irfft(v, n) ** 2)

    def advance(v: ndarray, n: int) -> ndarray:
        nv = nonlinear(v, n)
        a = half * v + q * nv
        na = nonlinear(a, n)
        b = half * v + q * na
        nb = nonlinear(b, n)
        nc = nonlinear(half * a + q * (2 * nb - nv), n)
        return whole * v + f1 * nv + 2 * f2 * (na + nb) + f3 * nc

    return advance


def narma10(n_points: int, rng: Generator) -> tuple[Float64[ndarray, " points"], Float64[ndarray, " points"]]:
    """Return an input, uniform in 0 to 0.5, and the moving average of order ten that it drives.

    y[t+1] = 0.3 y[t] + 0.05 y[t] sum_{i<10} y[t-i] + 1.5 u[t-9] u[t] + 0.1 (Atiya and Parlos 2000).  Row t of
    the target is y[t+1], which the input up to row t decides.  Rarely the recursion runs away: that is refused.
    """
    u = rng.uniform(0.0, 0.5, n_points)
    y = np.zeros(n_points + 1)
    for t in range(9, n_points):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
        if y[t + 1] > _LARGEST:
            raise SeriesError(f"NARMA-10 ran away at row {t} with this random input. Take another seed.")
    return u, y[1:]
