"""A polynomial vector field dz/dt = W phi(z), learnt or given: its integral rows, its flow, its rollouts.

Each group of outputs reads its own window of the state: one window of all variables is the usual field; one
window a site, with the same weights everywhere, is the translation-symmetric one.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, final, no_type_check, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.reservoirs._monomials import Monomials
from neurograft.reservoirs._solvers import ORDER_4_A, ORDER_4_B, ORDER_8_A, ORDER_8_B


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldForm:
    """What a field is beside its weights: its monomials, the states that each group of outputs reads, step and guard.

    ``data_stepping`` is how the rows themselves were integrated, where that is known and is to be learnt through.
    """

    m: Monomials
    windows: Int64[ndarray, "groups inputs"]
    dt: float
    limit: float
    data_stepping: "Stepping | None" = None

    def flow(
        self,
        start: Float64[ndarray, "starts variables"],
        weights: Float64[ndarray, "outputs features"],
        stepping: "Stepping",
        *,
        n_steps: int = 1,
    ) -> tuple[Float64[ndarray, "starts steps variables"], Int64[ndarray, " starts"]]:
        """Return the states after each step from every start, and how many steps stayed inside the limit.

        A rollout that leaves the limit holds its last state.
        """
        out = np.empty((start.shape[0], n_steps, start.shape[1]))
        n_bounded = np.empty(start.shape[0], dtype=np.int64)
        stepping.roll(self, start, np.ascontiguousarray(weights), out, n_bounded)
        return out, n_bounded

    def exactly(self, n_substeps: int) -> "Stepping":
        """Return the rows' own stepping, or order 8 in so many substeps."""
        return order_8(n_substeps) if self.data_stepping is None else self.data_stepping


@runtime_checkable
class Stepping(Protocol):
    """How a field is integrated from row to row."""

    def roll(
        self,
        form: FieldForm,
        start: Float64[ndarray, "starts variables"],
        weights: Float64[ndarray, "outputs features"],
        out: Float64[ndarray, "starts steps variables"],
        n_bounded: Int64[ndarray, " starts"],
    ) -> None:
        """Fill ``out`` with states and ``n_bounded`` with the steps that stayed inside the form's limit."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FixedSteps:
    """An explicit Runge-Kutta method in equal substeps."""

    a: Float64[ndarray, "stages stages"]
    b: Float64[ndarray, " stages"]
    n_substeps: int

    def roll(self, form: FieldForm, start: ndarray, weights: ndarray, out: ndarray, n_bounded: ndarray) -> None:
        """Fill ``out`` and ``n_bounded``."""
        tableau = (self.a, self.b, self.n_substeps, form.dt / self.n_substeps)
        roll_field(start, weights, form.m.variable, form.windows, tableau, form.limit, out, n_bounded)


def order_8(n_substeps: int) -> FixedSteps:
    """Return the method of order 8 in so many substeps."""
    return FixedSteps(a=ORDER_8_A, b=ORDER_8_B, n_substeps=n_substeps)


def order_4(n_substeps: int) -> FixedSteps:
    """Return the classic method of order 4 in so many substeps."""
    return FixedSteps(a=ORDER_4_A, b=ORDER_4_B, n_substeps=n_substeps)


@lru_cache(maxsize=8)
def integral_weights(order: int) -> tuple[float, ...]:
    """Return b with sum_j b_j f(j) the integral over 0 to 1, exact for polynomials below degree ``order``.

    Nodes are j = -s .. s + 1 with 2 s + 2 = order.

    >>> [round(24 * b) for b in integral_weights(4)]
    [-1, 13, 13, -1]
    """
    s = order // 2 - 1
    nodes = np.arange(-s, s + 2, dtype=np.float64)
    powers = np.vander(nodes, order, increasing=True).T
    return tuple(np.linalg.solve(powers, 1.0 / np.arange(1, order + 1)))


def integral_rows(features: Float64[ndarray, "rows *rest"], dt: float, order: int) -> Float64[ndarray, "used *rest"]:
    """Return for each step the integral of the features over it; step n goes from row n + order/2 - 1 to the next."""
    used = features.shape[0] - order + 1
    out = np.zeros((used, *features.shape[1:]))
    for j, b in enumerate(integral_weights(order)):
        out += (b * dt) * features[j : j + used]
    return out


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy", inline="always")
@no_type_check
def field_at(z, weights, variable, windows, u, phi, slope):  # noqa: PLR0917
    """Fill ``slope`` with the field at ``z``; the children of a monomial follow each other."""
    n_outputs, n_features = weights.shape
    n = windows.shape[1]
    phi[0] = 1.0
    for g in range(windows.shape[0]):
        for i in range(n):
            u[i] = z[windows[g, i]]
            phi[1 + i] = u[i]
        f, parent = 1 + n, 1
        while f < n_features:
            for v in range(variable[parent], n):
                phi[f] = phi[parent] * u[v]
                f += 1
            parent += 1
        for o in range(n_outputs):
            total = 0.0
            for f in range(n_features):
                total += weights[o, f] * phi[f]
            slope[g * n_outputs + o] = total


@njit(cache=True, error_model="numpy")
@no_type_check
def roll_field(start, weights, variable, windows, tableau, limit, out, n_bounded):  # noqa: PLR0917
    """Fill ``out`` (starts, steps, variables) by explicit Runge-Kutta steps of the field."""
    a, b, n_substeps, step = tableau
    n_starts, n_steps, n = out.shape
    stages = np.empty((b.size, n))
    u, phi = np.empty(windows.shape[1]), np.empty(weights.shape[1])
    z, at = np.empty(n), np.empty(n)
    for s in range(n_starts):
        z[:] = start[s]
        n_bounded[s] = n_steps
        for t in range(n_steps):
            for _ in range(n_substeps):
                for i in range(b.size):
                    at[:] = z
                    for j in range(i):
                        if a[i, j] != 0.0:
                            for k in range(n):
                                at[k] += step * a[i, j] * stages[j, k]
                    field_at(at, weights, variable, windows, u, phi, stages[i])
                for i in range(b.size):
                    for k in range(n):
                        z[k] += step * b[i] * stages[i, k]
            is_inside = True
            for k in range(n):
                is_inside = is_inside and abs(z[k]) <= limit
            if not is_inside:
                n_bounded[s] = t
                for rest in range(t, n_steps):
                    out[s, rest] = out[s, t - 1] if t > 0 else start[s]
                break
            out[s, t] = z
