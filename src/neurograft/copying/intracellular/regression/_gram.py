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
    n, (first_of, offset, cell) = len(spike_row), _overlaps(boxes.edges)
    running = np.concatenate([[0.0], np.cumsum(row_weight)])
    running = np.pad(running, int(boxes.edges[-1] - boxes.edges[0]), mode="edge")
    rows, start = joined(spike_row)
    order = np.argsort(rows, kind="stable")
    by_time = rows[order], np.repeat(np.arange(n, dtype=np.int32), np.diff(start))[order]

    def fill(first: int) -> None:
        last = min(first + _NEURONS_AT_ONCE, n)
        _fill_gram(rows, start, *by_time, boxes.edges, first_of, offset, cell, running, first, last, upper)

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, range(0, n, _NEURONS_AT_ONCE)))


def _overlaps(
    edges: Int64[ndarray, " edges"],
) -> tuple[Int64[ndarray, " lags"], Int64[ndarray, " parts"], Int64[ndarray, " parts"]]:
    """Return what two spikes' boxes have in common, for each number of rows from one to the other.

    Between two edges that follow each other, of either, both spikes are in one box each.  Of each such part it is told
    where it begins, in rows after the one spike, and its place in a matrix of boxes; of each distance, from the least
    on, its first part.  The last part of each is none, but where the one before ends.
    """
    reach, n_boxes = int(edges[-1] - edges[0]), len(edges) - 1
    first_of, offset, cell = [0], [], []
    for apart in range(1 - reach, reach):
        both = np.union1d(edges, edges + apart)
        both = both[(both >= max(edges[0], edges[0] + apart)) & (both <= min(edges[-1], edges[-1] + apart))]
        b, c = (np.searchsorted(edges, both - turned, side="right") - 1 for turned in (0, apart))
        offset.extend(both)
        cell.extend(b * n_boxes + c)
        first_of.append(len(offset))
    return np.array(first_of), np.array(offset), np.array(cell)


@njit(cache=True, nogil=True)
@no_type_check
def _fill_gram(rows, start, at_rows, who, edges, first_of, offset, cell, running, first, stop, upper):
    """Add to the blocks of neurons ``first`` to ``stop`` - 1 with all from themselves on.

    Each spike's neighbours in time are sorted by neuron, and what they have in common is added up neuron by neuron.
    ``running`` goes on as it was for as many rows as boxes reach, before the first and after the last.
    """
    n, n_boxes = len(start) - 1, len(edges) - 1
    reach = edges[n_boxes] - edges[0]
    n_rows = len(running) - 1 - 2 * reach
    block, place = np.empty(n_boxes * n_boxes), np.empty(n + 1, dtype=np.int64)
    pair_spike, pair_lag = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
    for i in range(first, stop):
        own, place[:] = rows[start[i] : start[i + 1]], 0
        span = np.zeros((2, len(own)), dtype=np.int64)
        for s in range(len(own)):
            if own[s] + edges[n_boxes] > 0 and own[s] + edges[0] < n_rows:
                span[0, s] = np.searchsorted(at_rows, own[s] - reach + 1)
                span[1, s] = np.searchsorted(at_rows, own[s] + reach)
            for u in range(span[0, s], span[1, s]):
                place[who[u] + 1] += 1
        place[: i + 1] = 0
        for k in range(i, n):
            place[k + 1] += place[k]
        if place[n] > len(pair_lag):
            pair_spike, pair_lag = np.empty(place[n], dtype=np.int32), np.empty(place[n], dtype=np.int32)
        for s in range(len(own)):
            for u in range(span[0, s], span[1, s]):
                if who[u] >= i:
                    pair_spike[place[who[u]]], pair_lag[place[who[u]]] = s, at_rows[u] - own[s] + reach - 1
                    place[who[u]] += 1
        begin = 0
        for k in range(i, n):
            if place[k] == begin:
                continue
            block[:] = 0.0
            for pair in range(begin, place[k]):
                at, part = own[pair_spike[pair]] + reach, first_of[pair_lag[pair]]
                before = running[at + offset[part]]
                for following in range(part + 1, first_of[pair_lag[pair] + 1]):
                    now = running[at + offset[following]]
                    block[cell[following - 1]] += now - before
                    before = now
            begin = place[k]
            for b in range(n_boxes):
                for c in range(n_boxes):
                    upper[i * n_boxes + b, k * n_boxes + c] += block[b * n_boxes + c]
