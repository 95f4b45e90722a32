"""Refining a field until its flow over whole steps meets the samples: Gauss-Newton, with damping and a guard."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.linalg import lstsq

from neurograft.errors import OptionError
from neurograft.reservoirs._field import FieldForm, Stepping, order_4

_Residual = Callable[[ndarray, Stepping], ndarray]
_NUDGE = 1e-6


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMap:
    """Fits the flow over 1 to ``n_ahead`` steps, started from every sample, to the samples there.

    ``n_ahead`` 1 suits accurate data; with noise of 1e-3 or more, 8 to 20 average it, because the samples that
    rollouts start from are not corrected.  ``n_substeps`` of order 8 make the flow, or the rows' own solver where
    the model was told it; the Jacobian, which only steers, is by central differences on a flow of order 4.  A round
    that would make the error larger, or that leaves the guard, is halved up to six times, then given up.
    """

    n_ahead: int = 1
    n_rounds: int = 4
    n_substeps: int = 2

    def __post_init__(self) -> None:
        """Refuse counts below one."""
        if min(self.n_ahead, self.n_rounds, self.n_substeps) < 1:
            raise OptionError(f"n_ahead, n_rounds and n_substeps must be 1 or more; this is {self}.")

    def __call__(
        self,
        weights: Float64[ndarray, "outputs features"],
        pieces: Sequence[Float64[ndarray, "rows variables"]],
        form: FieldForm,
    ) -> Float64[ndarray, "outputs features"]:
        """Return weights whose flow is nearer to the samples, or the same weights."""
        used = [z for z in pieces if z.shape[0] > self.n_ahead]
        if not used:
            return weights
        start = np.vstack([z[: -self.n_ahead] for z in used])
        ahead = [np.stack([z[q : z.shape[0] - self.n_ahead + q] for q in range(1, self.n_ahead + 1)], 1) for z in used]
        truth = np.vstack(ahead)

        def residual(w: ndarray, stepping: Stepping) -> ndarray:
            out, n_bounded = form.flow(start, w, stepping, n_steps=self.n_ahead)
            return (out - truth).ravel() if n_bounded.min() == self.n_ahead else np.full(truth.size, np.inf)

        fine = form.exactly(self.n_substeps)
        error = residual(weights, fine)
        for _ in range(self.n_rounds):
            step = self._step(weights, error, residual)
            if step is None:
                break
            better = _damped(weights, step, error, partial(residual, stepping=fine))
            if better is None:
                break
            weights, error = better
        return weights

    def _step(self, weights: ndarray, error: ndarray, residual: _Residual) -> ndarray | None:
        coarse = order_4(1)
        jacobian = np.empty((error.size, weights.size))
        for i in range(weights.size):
            nudge = np.zeros(weights.size)
            nudge[i] = _NUDGE
            nudge = nudge.reshape(weights.shape)
            jacobian[:, i] = (residual(weights + nudge, coarse) - residual(weights - nudge, coarse)) / (2 * _NUDGE)
        if not (np.isfinite(jacobian).all() and np.isfinite(error).all()):
            return None
        return -lstsq(jacobian, error, lapack_driver="gelsd", check_finite=False)[0].reshape(weights.shape)


def _damped(
    weights: ndarray, step: ndarray, error: ndarray, residual: Callable[[ndarray], ndarray]
) -> tuple[ndarray, ndarray] | None:
    before = float(error @ error)
    for halvings in range(7):
        tried = weights + step / 2**halvings
        after = residual(tried)
        if float(after @ after) < before:
            return tried, after
    return None
