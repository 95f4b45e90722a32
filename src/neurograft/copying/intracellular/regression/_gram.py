"""The design's Gram matrix, from pairs of spikes, and its one factorisation.

Entry ((i, b), (k, c)) is the weight of the rows that lie in box b of a spike of i and in box c of a spike of k.
Two spikes whose boxes overlap add differences of the weights' running sum; the cost is that of the spike pairs
within 40 ms, not of the rows.  With N neurons that fire and B boxes the matrix has (N B)^2 numbers; above a few
thousand columns they are of 32 bits, which is one part in ten million of what is estimated from thousands of spikes.
"""

# ruff: noqa: PLR0912, PLR0917  (kernels loop, and take their arrays by position)
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._budget import MOST_COLUMNS_OF_64_BITS
from neurograft.copying.intracellular.regression._design import LagBoxes, column_totals, joined
from neurograft.copying.intracellular.regression._near import Near

RIDGE = 1e-6  # of the mean diagonal: only makes a matrix of collinear columns invertible
_NEURONS_AT_ONCE = 8
_COLUMNS_AT_ONCE = 512
_NEAR_FROM = 12_000  # columns, from which blocks of the inverse to second order take less time than exact ones
_NEAR_ENOUGH = 0.005  # of a standard error, in the mean square of those that are solved for exactly
_CHECKED = 20  # neurons


class Factor:
    """The Cholesky factor of the centred Gram matrix of the neurons that fire; those silent have no columns."""

    def __init__(
        self,
        trains: tuple[Int64[ndarray, " _"], ...],
        boxes: LagBoxes,
        row_weight: Float64[ndarray, " rows"],
        *,
        n_threads: int = 1,
    ) -> None:
        """Hold what the factor is made of; it is made when it is first asked for."""
        self.firing = np.flatnonzero([len(train) > 0 for train in trains])
        self.n_boxes, self._n_threads = len(boxes.low), n_threads
        self._made_of = trains, boxes, row_weight
        n = len(self.firing) * self.n_boxes
        self.dtype: np.dtype[np.floating] = np.dtype(np.float64 if n <= MOST_COLUMNS_OF_64_BITS else np.float32)
        self._lower: ndarray | None = np.empty((0, 0)) if n == 0 else None
        self._near_blocks: ndarray | None = None

    @property
    def is_made(self) -> bool:
        """Whether the matrix is factorised."""
        return self._lower is not None

    def make(self) -> ndarray:
        """Build the matrix and factorise it in place, once; return the lower factor."""
        if self._lower is None:
            self._lower = self._factorised()
        return self._lower

    def unfactorised(self) -> Float[ndarray, "columns columns"]:
        """Build the centred Gram matrix of the neurons that fire, with its ridge; the upper half counts."""
        trains, boxes, row_weight = self._made_of
        active = tuple(trains[i] for i in self.firing)
        matrix = gram(active, boxes, row_weight, n_threads=self._n_threads)
        total = column_totals(active, boxes, row_weight)
        mean = (total / row_weight.sum()).astype(matrix.dtype)
        for column, own in enumerate(total):  # row by row: a second matrix may find no room
            matrix[column, column:] -= matrix.dtype.type(own) * mean[column:]
        diagonal = np.einsum("ii->i", matrix)
        diagonal[total == 0] = 1.0
        n_columns = len(trains) * self.n_boxes  # a silent neuron's columns would have 1 there
        diagonal += RIDGE * (float(diagonal.sum()) + n_columns - len(total)) / n_columns
        return matrix

    def _factorised(self) -> ndarray:
        from scipy.linalg.lapack import dpotrf, spotrf

        matrix = self.unfactorised()
        if len(matrix) >= _NEAR_FROM:
            near, rng = Near.of(matrix, self.n_boxes, np.random.default_rng(0)), np.random.default_rng(1)
            self._near_blocks = near.inverse_blocks(matrix, rng)
        potrf = dpotrf if matrix.dtype == np.float64 else spotrf
        # the transpose is in Fortran order: no copy is made, and only its lower half is looked at
        lower, failed = potrf(matrix.T, lower=True, overwrite_a=True, clean=False)
        assert failed == 0
        assert np.shares_memory(lower, matrix)
        return lower

    def solve(self, right: Float[ndarray, "targets columns"]) -> Float[ndarray, "targets columns"]:
        """Return the inverse times each row."""
        from scipy.linalg.lapack import dpotrs, spotrs

        if not right.size:
            return right
        potrs = dpotrs if self.dtype == np.float64 else spotrs
        by_column = np.array(right, dtype=self.dtype, order="C").T
        solved, failed = potrs(self.make(), by_column, lower=True, overwrite_b=True)
        assert failed == 0
        return solved.T

    def inverse_blocks(self) -> Float64[ndarray, "firing boxes boxes"]:
        """Return each neuron's own block of the inverse.

        Those of large matrices to second order (``Near``), where some that are solved for tell that this is enough.
        """
        self.make()
        if self._near_blocks is not None and self._error_of(self._near_blocks) < _NEAR_ENOUGH:
            return self._near_blocks
        return self._exact_blocks()

    def _error_of(self, blocks: Float64[ndarray, "firing boxes boxes"]) -> float:
        """Return the root mean square of the relative error of standard errors, in neurons drawn at random."""
        n, b = blocks.shape[:2]
        some = np.random.default_rng(0).choice(n, min(_CHECKED, n), replace=False)
        columns = (some[:, None] * b + np.arange(b)).reshape(-1)
        right = np.zeros((len(columns), n * b), dtype=self.dtype)
        right[np.arange(len(columns)), columns] = 1.0
        exact = self.solve(right)[np.arange(len(columns)), columns]
        return float(np.sqrt(np.mean((np.sqrt(np.einsum("iaa->ia", blocks[some]).reshape(-1) / exact) - 1.0) ** 2)))

    def _exact_blocks(self) -> Float64[ndarray, "firing boxes boxes"]:
        """Return columns of the inverse factor, times themselves.

        They are found some hundred at a time by forward substitution and not kept.
        """
        lower = self.make()
        n, b = len(lower), self.n_boxes
        out = np.empty((len(self.firing), b, b))
        size = max(_COLUMNS_AT_ONCE // b, 1) * b
        edges = [*range(0, n, size), n]
        spans = list(pairwise(edges))
        small = [_inverse_lower(lower[low:high, low:high]) for low, high in spans]

        def of(first: int) -> None:
            left, right = spans[first]
            column = np.zeros((n - left, right - left), dtype=self.dtype)
            column[: right - left] = small[first]
            for (a, z), own in zip(spans[first + 1 :], small[first + 1 :], strict=True):
                column[a - left : z - left] = -own @ (lower[a:z, left:a] @ column[: a - left])
            for k in range((right - left) // b):
                mine = column[k * b :, k * b : (k + 1) * b].astype(np.float64)
                out[left // b + k] = mine.T @ mine

        with one_thread_each(), ThreadPoolExecutor(self._n_threads) as pool:
            list(pool.map(of, range(len(spans))))
        return out


def _inverse_lower(lower: ndarray) -> ndarray:
    from scipy.linalg import solve_triangular

    return solve_triangular(lower, np.eye(len(lower), dtype=lower.dtype), lower=True)


def one_thread_each() -> AbstractContextManager[object]:
    """Keep matrix products to one thread while threads of ours make them side by side."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def gram(
    spike_row: tuple[Int64[ndarray, " _"], ...],
    boxes: LagBoxes,
    row_weight: Float64[ndarray, " rows"],
    *,
    n_threads: int = 1,
) -> Float[ndarray, "columns columns"]:
    """Return X'WX for these weights of the rows, its upper half (with whole blocks on the diagonal)."""
    n_columns = len(spike_row) * len(boxes.low)
    dtype = np.float64 if n_columns <= MOST_COLUMNS_OF_64_BITS else np.float32
    upper = np.zeros((n_columns, n_columns), dtype=dtype)
    add_gram(spike_row, boxes, row_weight, upper, n_threads=n_threads)
    return upper


def add_gram(
    spike_row: tuple[Int64[ndarray, " _"], ...],
    boxes: LagBoxes,
    row_weight: Float64[ndarray, " rows"],
    upper: Float[ndarray, "columns columns"],
    *,
    n_threads: int = 1,
) -> None:
    """Add X'WX of some rows to the upper half; spikes outside of them, which count from the first, reach in."""
    n = len(spike_row)
    running = np.concatenate([[0.0], np.cumsum(row_weight)])
    rows, start = joined(spike_row)

    def fill(first: int) -> None:
        _fill_gram(rows, start, boxes.edges, running, first, min(first + _NEURONS_AT_ONCE, n), upper)

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, range(0, n, _NEURONS_AT_ONCE)))


@njit(cache=True, nogil=True)
@no_type_check
def _fill_gram(rows, start, edges, running, first, stop, upper):
    """Add to the blocks of neurons ``first`` to ``stop`` - 1 with all from themselves on."""
    n, n_boxes, n_rows = len(start) - 1, len(edges) - 1, len(running) - 1
    reach = edges[n_boxes] - edges[0]
    block = np.empty((n_boxes, n_boxes))
    for i in range(first, stop):
        for k in range(i, n):
            block[:] = 0.0
            low, n_pairs = start[k], 0
            for s in range(start[i], start[i + 1]):
                at = rows[s]
                while low < start[k + 1] and rows[low] <= at - reach:
                    low += 1
                u = low
                while u < start[k + 1] and rows[u] < at + reach:
                    # walk both spikes' edges together: between two of them both are in one box each
                    other, b, c = rows[u], 0, 0
                    t = max(at, other) + edges[0]
                    while b < n_boxes and at + edges[b + 1] <= t:
                        b += 1
                    while c < n_boxes and other + edges[c + 1] <= t:
                        c += 1
                    while b < n_boxes and c < n_boxes:
                        mine, theirs = at + edges[b + 1], other + edges[c + 1]
                        end = min(mine, theirs)
                        block[b, c] += running[min(max(end, 0), n_rows)] - running[min(max(t, 0), n_rows)]
                        t = end
                        if mine == end:
                            b += 1
                        if theirs == end:
                            c += 1
                    u += 1
                n_pairs += u - low
            if n_pairs == 0:
                continue
            for b in range(n_boxes):
                for c in range(n_boxes):
                    upper[i * n_boxes + b, k * n_boxes + c] += block[b, c]
