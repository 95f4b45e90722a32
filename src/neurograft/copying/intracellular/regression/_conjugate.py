"""Conjugate gradients for many right sides at once, each with lengths of its own, and a residual that is always known.

Hestenes and Stiefel 1952, J. Res. Natl. Bur. Stand. 49, 409.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray


@runtime_checkable
class Problem(Protocol):
    """Symmetric equations, one set a target, and what is near their inverse."""

    def times(self, rows: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return each target's matrix times its row."""
        ...

    def nearly_solved(self, right: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return about what solves each target's equations."""
        ...


class State(NamedTuple):
    """Where the iteration stands."""

    beta: Float[ndarray, "targets columns"]
    residual: Float[ndarray, "targets columns"]
    direction: Float[ndarray, "targets columns"]
    size: Float64[ndarray, " targets"]  # residual times what it is nearly solved by, before the last step; or 0

    @classmethod
    def left(cls, beta: Float[ndarray, "targets columns"], residual: Float[ndarray, "targets columns"]) -> "State":
        """Return the start from coefficients whose residual is known."""
        return cls(beta, residual, np.zeros_like(beta), np.zeros(len(beta)))


def step(problem: Problem, state: State) -> State:
    """Return the state after one step, which takes one product."""
    toward = problem.nearly_solved(state.residual)
    size = _dot(state.residual, toward)
    toward += state.direction * _over(size, state.size)[:, None].astype(toward.dtype)
    image = problem.times(toward)
    length = _over(size, _dot(toward, image))[:, None].astype(toward.dtype)
    return State(state.beta + length * toward, state.residual - length * image, toward, size)


def _dot(one: ndarray, other: ndarray) -> Float64[ndarray, " targets"]:
    return np.einsum("tc,tc->t", one, other, dtype=np.float64)


def _over(one: Float64[ndarray, " targets"], other: Float64[ndarray, " targets"]) -> Float64[ndarray, " targets"]:
    return np.where(other > 0, one / np.where(other > 0, other, 1.0), 0.0)
