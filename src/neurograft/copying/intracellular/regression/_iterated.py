"""Every target's own weighted least squares without a factor: conjugate gradients, blanks filled in in the same steps.

Target j's equations are (G - B_j) beta = observed_j, where B_j is what its blanked rows would add: the fixed point of
filling in what the fit predicts there (``_solve``).  ``Near``, divided by the share of each column that is kept, is
close to their inverse, so that few steps do; each takes one product of the Gram matrix with all targets and one pass
over the blanked rows.

A step leaves .25 of the error where neurons fire evenly, with as many columns a row as 2,000 neurons have in 19
minutes; .30 to .37 where two of five spikes lie in bursts of 150 ms whose rows weigh a quarter to a half of others, .45
where they weigh as much.  What is left is told by the residual (``distance``), a tenth to a fifth too small.  With a
third of the rows steps leave .5 to .7, and two fifths too little may be told (``benchmarks/copy_steps.py``).

    equations = Equations.of(matrix, Near.of(matrix, n_boxes, rng), design, moments, blanked)
    state = step(equations, State.left(beta, residual))  # of an older answer; equations.residual(beta) takes a product
    beta = state.beta + equations.nearly_solved(state.residual)  # costs no product, and leaves no residual known
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._factored import Design
from neurograft.copying.intracellular.regression._moments import Moments
from neurograft.copying.intracellular.regression._near import times
from neurograft.copying.intracellular.regression._slow import MIN_SHARE
from neurograft.copying.intracellular.regression._solve import refill


@runtime_checkable
class NearInverse(Protocol):
    """What is near the inverse of the Gram matrix of all rows: ``Near``, or an older one of it."""

    def apply(self, right: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return what is near the inverse times each row."""
        ...


class Equations(NamedTuple):
    """Those of some targets: what they observed, what each keeps, and the matrix that all share."""

    matrix: Float[ndarray, "columns columns"]  # centred, with its ridge; the upper half counts
    near: NearInverse
    design: Design
    observed: Float[ndarray, "targets columns"]
    kept: Float[ndarray, "targets columns"]
    weight: Float64[ndarray, " targets"]
    blanked: list[Int64[ndarray, "_ 2"]]
    n_threads: int

    @classmethod
    def of(
        cls,
        matrix: Float[ndarray, "columns columns"],
        near: NearInverse,
        design: Design,
        m: Moments,
        blanked: list[Int64[ndarray, "_ 2"]],
        *,
        n_threads: int = 1,
    ) -> "Equations":
        """Return those of a block of targets from its moments and blanked intervals of rows."""
        kept = np.ascontiguousarray(m.kept.T, dtype=matrix.dtype)
        observed = np.array(m.sums.T, dtype=matrix.dtype, order="C")
        observed -= kept * (m.sum_e / np.maximum(m.weight, 1.0))[:, None].astype(matrix.dtype)
        return cls(matrix, near, design, observed, kept, m.weight, blanked, n_threads)

    def residual(self, beta: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return what these coefficients leave: observed, and predicted where blanked, less the product with them."""
        return self._filled(beta, self.observed) - times(self.matrix, beta)

    def times(self, rows: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return each target's own matrix times its row."""
        return times(self.matrix, rows) - self._filled(rows, np.zeros_like(rows))

    def nearly_solved(self, right: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return about the solution of each target's equations."""
        root = np.sqrt(self.share())
        out = self.near.apply(right / root)
        out /= root
        return out

    def share(self) -> Float[ndarray, "targets columns"]:
        """Return how much of each column's weight each target keeps, a tenth at the least."""
        total = np.maximum(self.design.total, 1.0).astype(self.matrix.dtype)
        return np.maximum(self.kept / total, self.matrix.dtype.type(MIN_SHARE))

    def _filled(self, beta: ndarray, observed: ndarray) -> Float[ndarray, "targets columns"]:
        d, of_lags, out = self.design, self.design.boxes.of_lags, np.zeros_like(observed)

        def fill(j: int) -> None:
            refill(
                d.sorted_rows, d.sorted_who, d.boxes.edges, of_lags, d.row_weight, d.running, self.blanked[j], beta[j],
                observed[j], self.kept[j], d.total, max(self.weight[j], 1.0), self.weight[j], out[j],
                np.empty_like(out[j]),
            )  # fmt: skip

        for _ in in_order(self.n_threads, fill, range(len(beta))):
            pass
        return out


def distance(
    equations: Equations,
    residual: Float[ndarray, "targets columns"],
    inverse_block: Float64[ndarray, "firing boxes boxes"],
    noise: Float64[ndarray, " targets"],
) -> Float64[ndarray, " targets"]:
    """Return how far each target's coefficients are from their solution: root mean square, in standard errors.

    What nearly solves for the residual is the error but for what the next step would leave, and comes out too small by
    a tenth to two fifths; divided by sqrt(1 - what a step leaves) it is right to a tenth.
    """
    return in_standard_errors(equations, equations.nearly_solved(residual), inverse_block, noise)


def in_standard_errors(
    equations: Equations,
    change: Float[ndarray, "targets columns"],
    inverse_block: Float64[ndarray, "firing boxes boxes"],
    noise: Float64[ndarray, " targets"],
) -> Float64[ndarray, " targets"]:
    """Return the root mean square of a change of each target's coefficients."""
    share = equations.share()
    own = np.einsum("iaa->ia", inverse_block).reshape(-1)
    seen = equations.kept > 0
    total = np.einsum("tc,tc->t", np.where(seen, change, 0) ** 2, share / own)
    return np.sqrt(total / np.maximum(seen.sum(axis=1), 1)) / np.where(noise > 0, noise, np.inf)
