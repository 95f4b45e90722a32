"""Coefficients that follow the sums: steps toward each target's solution, in the time that a recording leaves."""

import time
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.following._sums import OfTargets, Shared
from neurograft.copying.intracellular.regression._conjugate import State, step
from neurograft.copying.intracellular.regression._design import LagBoxes, joined
from neurograft.copying.intracellular.regression._factored import Design
from neurograft.copying.intracellular.regression._gram import Factor
from neurograft.copying.intracellular.regression._iterated import Equations, distance
from neurograft.copying.intracellular.regression._near import Near

ENOUGH = 0.01  # standard errors
_VISIT_S = 1.0  # after which no further step of the same targets is begun
_GROWN, _MUCH_GROWN = 1.3, 2.0  # times the earlier matrix, when what is near its inverse, and blocks, are made anew


@final
class Nearly(NamedTuple):
    """What is near the inverse of a Gram matrix, and near the inverse of one that has grown since."""

    near: Near
    blocks: Float64[ndarray, "firing boxes boxes"]  # each neuron's own of the inverse
    of_near: Float64[ndarray, " firing"]  # totals of each neuron's columns when it was made
    of_blocks: Float64[ndarray, " firing"]

    @classmethod
    def of(cls, shared: Shared, n_boxes: int, before: "Nearly | None") -> "Nearly":
        """Return that of the present matrix: an earlier one, and parts of it made anew as more has been added."""
        total = shared.total.reshape(-1, n_boxes).sum(axis=1)
        if before is not None and total.sum() < _GROWN * before.of_near.sum():
            return before
        near = Near.of(shared.gram, n_boxes, np.random.default_rng(0))
        if before is not None and total.sum() < _MUCH_GROWN * before.of_blocks.sum():
            return before._replace(near=near, of_near=total)
        return cls(near, near.inverse_blocks(shared.gram, np.random.default_rng(0)), total, total)

    def now(self, shared: Shared) -> "Nearly":
        """Return it scaled to the totals as they are now."""
        total = shared.total.reshape(len(self.blocks), -1).sum(axis=1)
        lower, less = (
            (np.maximum(t, 1.0) / np.maximum(total, 1.0))[:, None, None] for t in (self.of_near, self.of_blocks)
        )
        root = self.near.root * np.sqrt(lower).astype(self.near.root.dtype)
        return Nearly(replace(self.near, root=root), self.blocks * less, total, total)


def design_so_far(
    trains: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, worth: Float64[ndarray, " rows"], shared: Shared
) -> Design:
    """Return the design whose totals have been summed; its factor is never made."""
    factor = Factor(trains, boxes, worth)
    rows, start = joined(tuple(trains[i] for i in factor.firing))
    order = np.argsort(rows, kind="stable")
    who = np.repeat(np.arange(len(start) - 1), np.diff(start))
    return Design(
        n_spikes=np.array([len(train) for train in trains]),
        rows=rows,
        start=start,
        sorted_rows=rows[order],
        sorted_who=who[order],
        total=shared.total.copy(),
        boxes=boxes,
        row_weight=worth,
        running=np.concatenate([[0.0], np.cumsum(worth)]),
        factor=factor,
    )


def equations(mine: OfTargets, design: Design, shared: Shared, near: Nearly, n_threads: int) -> Equations:
    """Return the equations of some targets, whose constants are brought to their best."""
    kept = mine.centre(shared.total)
    blanked = [np.ascontiguousarray(np.concatenate(intervals)) for intervals in mine.blanked]
    return Equations(shared.gram, near.near, design, np.empty_like(kept[:0]), kept, mine.left[0], blanked, n_threads)


class Improved(NamedTuple):
    """How far coefficients are from their solution, root mean square of each target's in standard errors."""

    before: Float64[ndarray, " targets"]
    after: Float64[ndarray, " targets"]
    n_steps: int

    @property
    def leaves(self) -> float:
        """What a step leaves of that distance, on the mean."""
        total = np.sqrt([np.mean(self.before**2), np.mean(self.after**2)])
        return float((total[1] / total[0]) ** (1 / self.n_steps)) if total[0] > 0 else 0.0


def improve(mine: OfTargets, design: Design, shared: Shared, near: Nearly, n_threads: int) -> Improved:
    """Bring some targets' coefficients nearer to their solution, in place; return how far they were and are.

    By a step of conjugate gradients, and more of them where they take no time.
    """
    begin, own = time.monotonic(), equations(mine, design, shared, near, n_threads)
    state = State.left(np.ascontiguousarray(mine.beta.T), np.ascontiguousarray(mine.lacking.T))
    first = far = distance(own, state.residual, near.blocks, noise(mine))
    n_steps = 0
    while n_steps == 0 or (far.max(initial=0.0) > ENOUGH and time.monotonic() - begin < _VISIT_S):
        before, state = state, step(own, state)
        change = state.beta - before.beta
        mine.left[2] -= np.einsum("tc,tc->t", change, before.residual + state.residual, dtype=np.float64)
        mine.constant[:] -= np.einsum("tc,tc->t", change, own.kept, dtype=np.float64) / np.maximum(mine.left[0], 1.0)
        far, n_steps = distance(own, state.residual, near.blocks, noise(mine)), n_steps + 1
    mine.beta[:], mine.lacking[:] = state.beta.T, state.residual.T
    return Improved(first, far, n_steps)


def noise(mine: OfTargets) -> Float64[ndarray, " targets"]:
    """Return the standard deviation of what the coefficients leave."""
    return np.sqrt(np.maximum(mine.left[2], 0.0) / np.maximum(mine.left[0], 1.0))
