"""A field under an inaccurate solver that chooses its steps: SciPy's RK23, which made the data of Gauthier et al. 2021.

Where the solver of the data errs more than a learnt field does, the field is to be learnt and rolled out through it.
"""

from dataclasses import dataclass
from typing import Final, final, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray

from neurograft.reservoirs._field import FieldForm, field_at

_MOST_TRIES: Final = 10_000  # steps from one row to the next; a field that wants more has left the guard


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdaptiveSteps:
    """Bogacki and Shampine's pair of orders 2 and 3 (1989), with the step control and interpolant of SciPy's RK23.

    ``atol`` (in scaled units) and ``centre`` (the mean over the scale) make the tolerances those of the unscaled
    states.  Each start chooses its first step anew, as SciPy does; no end of the integration cuts a step.
    """

    rtol: float
    atol: Float64[ndarray, " variables"]
    centre: Float64[ndarray, " variables"]

    def roll(self, form: FieldForm, start: ndarray, weights: ndarray, out: ndarray, n_bounded: ndarray) -> None:
        """Fill ``out`` and ``n_bounded``; a start that needs too many steps has left the guard."""
        control = (self.rtol, self.atol, self.centre, form.dt)
        roll_adaptive(start, weights, form.m.variable, form.windows, control, form.limit, out, n_bounded)


@njit(cache=True, error_model="numpy")
@no_type_check
def _first_step(z, weights, variable, windows, control, k, at, u, phi):  # noqa: PLR0917
    """Return SciPy's first step (Hairer, Norsett, Wanner 1993, II.4) from the slope ``k[0]`` at ``z``."""
    rtol, atol, centre, _ = control
    n = z.size
    size = atol + np.abs(z + centre) * rtol
    state = np.sqrt(np.sum(((z + centre) / size) ** 2) / n)
    slope = np.sqrt(np.sum((k[0] / size) ** 2) / n)
    first = 1e-6 if state < 1e-5 or slope < 1e-5 else 0.01 * state / slope
    at[:] = z + first * k[0]
    field_at(at, weights, variable, windows, u, phi, k[1])
    bend = np.sqrt(np.sum(((k[1] - k[0]) / size) ** 2) / n) / first
    if slope <= 1e-15 and bend <= 1e-15:
        return max(1e-6, first * 1e-3)
    return min(100 * first, (0.01 / max(slope, bend)) ** (1 / 3))


@njit(cache=True, error_model="numpy")
@no_type_check
def roll_adaptive(start, weights, variable, windows, control, limit, out, n_bounded):  # noqa: PLR0917
    """Fill ``out`` (starts, steps, variables) with the interpolant of steps whose estimated error is tolerable."""
    rtol, atol, centre, dt = control
    n_starts, n_steps, n = out.shape
    u, phi = np.empty(windows.shape[1]), np.empty(weights.shape[1])
    k, z, after, at = np.empty((4, n)), np.empty(n), np.empty(n), np.empty(n)
    for s in range(n_starts):
        z[:] = start[s]
        field_at(z, weights, variable, windows, u, phi, k[0])
        step = _first_step(z, weights, variable, windows, control, k, at, u, phi)
        time, row, tries, is_inside, growth = 0.0, 0, 0, True, 10.0
        while row < n_steps:
            for i in range(n):
                at[i] = z[i] + 0.5 * step * k[0, i]
            field_at(at, weights, variable, windows, u, phi, k[1])
            for i in range(n):
                at[i] = z[i] + 0.75 * step * k[1, i]
            field_at(at, weights, variable, windows, u, phi, k[2])
            for i in range(n):
                after[i] = z[i] + step * (2 / 9 * k[0, i] + 1 / 3 * k[1, i] + 4 / 9 * k[2, i])
            field_at(after, weights, variable, windows, u, phi, k[3])
            error = 0.0
            for i in range(n):
                size = atol[i] + rtol * max(abs(z[i] + centre[i]), abs(after[i] + centre[i]))
                wrong = step * (5 / 72 * k[0, i] - 1 / 12 * k[1, i] - 1 / 9 * k[2, i] + 1 / 8 * k[3, i])
                error += (wrong / size) ** 2 / n
                is_inside = is_inside and abs(after[i]) <= limit
            error = np.sqrt(error)
            if not error < 1:
                step *= max(0.2, 0.9 * error ** (-1 / 3)) if error > 0 else 0.2  # not a number: 0.2
                growth, is_inside = 1.0, True
                tries += 1
                if tries < _MOST_TRIES:
                    continue
            if not is_inside or tries >= _MOST_TRIES:
                break
            while row < n_steps and (row + 1) * dt <= time + step:
                x = ((row + 1) * dt - time) / step
                for i in range(n):
                    once, twice = k[0, i], -4 / 3 * k[0, i] + k[1, i] + 4 / 3 * k[2, i] - k[3, i]
                    thrice = 5 / 9 * k[0, i] - 2 / 3 * k[1, i] - 8 / 9 * k[2, i] + k[3, i]
                    out[s, row, i] = z[i] + step * x * (once + x * (twice + x * thrice))
                row += 1
                tries = 0
            tries += 1
            time += step
            step *= min(growth, 0.9 * error ** (-1 / 3)) if error > 0 else growth
            growth = 10.0
            z[:], k[0] = after, k[3]
        n_bounded[s] = row
        for rest in range(row, n_steps):
            out[s, rest] = out[s, row - 1] if row > 0 else start[s]
