"""Refining a field from noisy samples: the true states are unknowns too, and small weights are given up.

Regression on noisy samples is biased, because the noise is in the inputs as well.  Here states and weights are fitted
together (weak-constraint data assimilation, or total least squares along the trajectory): states stay near the
samples, and the flow from each state meets the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solveh_banded

from neurograft.errors import OptionError
from neurograft.reservoirs._field import FieldForm, order_4

_NUDGE: Final = 1e-5
_MOST_DROPS: Final = 8


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """Fits weights and states by Gauss-Newton: misfit to the samples plus misfit of the flow over ``ratio`` squared.

    ``ratio`` is the size of the flow's error over that of the samples' noise; it is approached in steps from 1.
    Weights whose size is below ``least_t`` of their standard errors are then set to zero, and the rest is fitted
    again, until none is left below; 0 keeps all.  Only sparse fields gain by that: those of physics in their own
    variables (see ``is_centred`` of ``IntegralNvar``).
    """

    ratio: float = 0.1
    least_t: float = 0.0
    n_rounds: int = 4
    n_substeps: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 0 < self.ratio <= 1 or self.least_t < 0 or min(self.n_rounds, self.n_substeps) < 1:
            raise OptionError(
                f"ratio must be above 0 and at most 1, least_t 0 or more, n_rounds and n_substeps 1 or more; "
                f"this is {self}."
            )

    def __call__(
        self,
        weights: Float64[ndarray, "outputs features"],
        pieces: Sequence[Float64[ndarray, "rows variables"]],
        form: FieldForm,
    ) -> Float64[ndarray, "outputs features"]:
        """Return weights fitted together with the states, or the same weights where that fails."""
        task = _Task(form=form, n_substeps=self.n_substeps)
        states = [z.copy() for z in pieces]
        kept = np.ones(weights.shape, dtype=bool)
        found = _Fit(weights=weights, states=states, t=np.full(weights.shape, np.inf))
        for ratio in np.geomspace(1.0, self.ratio, 4)[1:]:
            found = _fitted(task, found, pieces, kept, ratio=float(ratio), n_rounds=self.n_rounds)
        for _ in range(_MOST_DROPS):
            weak = kept & (np.abs(found.t) < self.least_t)
            if not weak.any():
                break
            kept &= ~weak
            found = found._replace(weights=np.where(kept, found.weights, 0.0))
            found = _fitted(task, found, pieces, kept, ratio=self.ratio, n_rounds=self.n_rounds)
        return found.weights


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    form: FieldForm
    n_substeps: int

    def ahead(self, z: ndarray, weights: ndarray, *, is_fine: bool) -> ndarray:
        """Return the states a row later; NaN where a state left the guard."""
        stepping = self.form.exactly(self.n_substeps) if is_fine else order_4(self.n_substeps)
        out, n_bounded = self.form.flow(z, weights, stepping)
        return np.where(n_bounded[:, None] == 1, out[:, 0], np.nan)


class _Fit(NamedTuple):
    weights: Float64[ndarray, "outputs features"]
    states: list[ndarray]
    t: Float64[ndarray, "outputs features"]


def _fitted(
    task: _Task,
    found: _Fit,
    pieces: Sequence[ndarray],
    kept: Bool[ndarray, "outputs features"],
    *,
    ratio: float,
    n_rounds: int,
) -> _Fit:
    """Return the fit after up to ``n_rounds`` rounds; a round that makes the cost larger is halved, then given up."""
    cost = _cost(task, found.weights, found.states, pieces, ratio)
    for _ in range(n_rounds):
        step = _step(task, found, pieces, kept, ratio)
        if step is None:
            break
        before, error = cost, np.where(step.t > 0, step.t, np.inf)
        for halvings in range(6):
            share = 0.5**halvings
            weights = found.weights + share * step.weights
            states = [z + share * d for z, d in zip(found.states, step.states, strict=True)]
            tried = _cost(task, weights, states, pieces, ratio)
            if tried < cost:
                found, cost = _Fit(weights, states, weights / error), tried
                break
        else:
            found = found._replace(t=found.weights / error)
        if before - cost < 1e-12 * before:
            break
    return found


def _cost(task: _Task, weights: ndarray, states: list[ndarray], pieces: Sequence[ndarray], ratio: float) -> float:
    total = 0.0
    for z, y in zip(states, pieces, strict=True):
        gap = (z[1:] - task.ahead(z[:-1], weights, is_fine=True)) / ratio
        total += float(np.sum((z - y) ** 2) + np.sum(gap**2))
    return total if np.isfinite(total) else np.inf


def _step(
    task: _Task, found: _Fit, pieces: Sequence[ndarray], kept: Bool[ndarray, "outputs features"], ratio: float
) -> _Fit | None:
    """Return the Gauss-Newton step; its ``t`` are the weights' standard errors.

    The states' part of the normal equations is block tridiagonal and is eliminated, which leaves the weights'.
    """
    n_weights = int(kept.sum())
    hessian, gradient = np.zeros((n_weights, n_weights)), np.zeros(n_weights)
    solved: list[tuple[ndarray, ndarray]] = []
    cost, n_values = 0.0, 0
    for z, y in zip(found.states, pieces, strict=True):
        by_state, by_weight, gap = _linearised(task, found.weights, z, kept)
        if not (np.isfinite(by_state).all() and np.isfinite(by_weight).all() and np.isfinite(gap).all()):
            return None
        band, mixed, own = _normal_equations(by_state, by_weight, gap / ratio**2, z - y, ratio)
        try:
            both = solveh_banded(band, np.hstack([own[:, None], mixed]), lower=True, check_finite=False)
        except (LinAlgError, ValueError):
            return None
        hessian += np.einsum("nop,noq->pq", by_weight, by_weight) / ratio**2 - mixed.T @ both[:, 1:]
        gradient += np.einsum("nop,no->p", by_weight, gap) / ratio**2 - mixed.T @ both[:, 0]
        solved.append((both[:, 0], both[:, 1:]))
        cost += float(np.sum((z - y) ** 2) + np.sum(gap**2) / ratio**2)
        n_values += gap.size
    try:
        factor = cho_factor(hessian + 1e-12 * np.trace(hessian) / n_weights * np.eye(n_weights), lower=True)
    except LinAlgError:
        return None
    change = -cho_solve(factor, gradient)
    spread = np.sqrt(np.diag(cho_solve(factor, np.eye(n_weights))) * cost / max(n_values - n_weights, 1))
    weights, error = np.zeros(kept.shape), np.zeros(kept.shape)
    weights[kept], error[kept] = change, spread
    states = [(-a - b @ change).reshape(z.shape) for (a, b), z in zip(solved, found.states, strict=True)]
    return _Fit(weights, states, error)


def _linearised(task: _Task, weights: ndarray, z: ndarray, kept: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return the derivatives of the state a row later by state and by kept weight, and its misfit to the next state."""
    start, n = z[:-1], z.shape[1]
    by_state = np.empty((start.shape[0], n, n))
    for k in range(n):
        nudge = np.zeros(n)
        nudge[k] = _NUDGE
        more, less = (task.ahead(start + d, weights, is_fine=False) for d in (nudge, -nudge))
        by_state[:, :, k] = (more - less) / (2 * _NUDGE)
    by_weight = np.empty((start.shape[0], n, int(kept.sum())))
    for p, (o, f) in enumerate(np.argwhere(kept)):
        nudge = np.zeros(weights.shape)
        nudge[o, f] = _NUDGE
        more, less = (task.ahead(start, weights + d, is_fine=False) for d in (nudge, -nudge))
        by_weight[:, :, p] = (more - less) / (2 * _NUDGE)
    return by_state, by_weight, task.ahead(start, weights, is_fine=True) - z[1:]


def _normal_equations(
    by_state: ndarray, by_weight: ndarray, pull: ndarray, apart: ndarray, ratio: float
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the states' matrix as a lower band, its mixed part with the weights, and the states' gradient.

    ``pull`` is the misfit of the flow over ratio squared, ``apart`` the states' distance from the samples.
    """
    rows, n = apart.shape
    stiff = 1 / ratio**2
    diagonal = np.broadcast_to(np.eye(n), (rows, n, n)).copy()
    diagonal[:-1] += stiff * np.einsum("nok,nol->nkl", by_state, by_state)
    diagonal[1:] += stiff * np.eye(n)
    band = np.zeros((2 * n, rows * n))
    for k in range(n):
        for j in range(k, n):
            band[j - k, k::n] = diagonal[:, j, k]
        for j in range(n):  # the next state's equation j, this state's variable k
            band[n + j - k, k : (rows - 1) * n : n] = -stiff * by_state[:, j, k]
    mixed = np.zeros((rows, n, by_weight.shape[2]))
    mixed[:-1] += stiff * np.einsum("nok,nop->nkp", by_state, by_weight)
    mixed[1:] -= stiff * by_weight
    own = apart.copy()
    own[:-1] += np.einsum("nok,no->nk", by_state, pull)
    own[1:] -= pull
    return band, mixed.reshape(rows * n, -1), own.ravel()
