"""The regression's sums of the rows so far, and the coefficients they have been brought to; rows are only added.

With e the innovations, M the rows that a target keeps, and c and beta its present constant and coefficients, what is
kept for each target is X'WM(e - c - X beta), what its normal equations lack.  It is a sum over rows: rows add to it
whatever the coefficients are at the time, and coefficients that change by d take A d from it, A = X'WMX being the
sum so far.  Nothing that was summed is looked at again, and how far the coefficients are from their solution is
always known.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._design import (
    LagBoxes,
    add_blanked,
    add_box_sums,
    column_totals,
    joined,
    subtract_prediction,
)
from neurograft.copying.intracellular.regression._gram import add_gram
from neurograft.copying.intracellular.regression._moments import Moments, blanked_between, changes_of, weigh
from neurograft.copying.intracellular.regression._whiten import Block, Prepared, Traces, Whitener, chunks_of, prepared

_TINY = 1e-9  # of a column's total: what is left when all of it was taken away
_LEAST = 1e-3  # on the diagonal: a thousandth of a row, so that a column without any row can be inverted


class OfTargets(NamedTuple):
    """What is summed of a block of targets; all arrays are changed in place."""

    targets: Block
    beta: Float[ndarray, "columns targets"]
    lacking: Float[ndarray, "columns targets"]  # X'WM(e - c - X beta)
    missing: Float[ndarray, "targets columns"]  # X'W of the blanked rows
    near_e2: Float64[ndarray, "firing targets"]  # W^2 e^2 over the rows just after each presynaptic spike
    constant: Float64[ndarray, " targets"]
    plain: Float64[ndarray, "three targets"]  # weight, sum of e and of e^2
    left: Float64[ndarray, "three targets"]  # the same of what coefficients leave
    blanked: list[list[Int64[ndarray, "_ 2"]]]  # intervals of rows, target by target and chunk by chunk

    @classmethod
    def empty(cls, targets: Block, n_firing: int, n_columns: int, dtype: np.dtype[np.floating]) -> "OfTargets":
        """Return nothing yet."""
        n = len(targets)
        return cls(
            targets=targets,
            beta=np.zeros((n_columns, n), dtype),
            lacking=np.zeros((n_columns, n), dtype),
            missing=np.zeros((n, n_columns), dtype),
            near_e2=np.zeros((n_firing, n)),
            constant=np.zeros(n),
            plain=np.zeros((3, n)),
            left=np.zeros((3, n)),
            blanked=[[] for _ in range(n)],
        )

    def kept(self, total: Float64[ndarray, " columns"]) -> Float[ndarray, "targets columns"]:
        """Return each column's weight over the rows that targets keep."""
        left = total - self.missing
        return np.where(left > _TINY * total, left, 0.0).astype(self.missing.dtype)

    def centre(self, total: Float64[ndarray, " columns"]) -> Float[ndarray, "targets columns"]:
        """Bring the constants to their best, which is told by the weights kept; return these weights."""
        kept = self.kept(total)
        change = self.left[1] / np.maximum(self.left[0], 1.0)
        self.lacking[:] -= (kept * change[:, None].astype(kept.dtype)).T
        self.constant[:] += change
        self.left[2] -= change * self.left[1]
        self.left[1] = 0.0
        return kept

    def moments(self, total: Float64[ndarray, " columns"]) -> Moments:
        """Return what the regression asks for beside the coefficients; ``sums`` are what the coefficients lack."""
        weight, sum_e, sum_e2 = self.plain
        return Moments(self.lacking, self.kept(total).T, weight, sum_e, sum_e2, self.near_e2)


class Rows(NamedTuple):
    """Rows ``first`` to ``stop`` - 1 of the time line, which are added: their weights, and the spikes that reach in."""

    first: int
    stop: int
    weight: Float64[ndarray, " rows"]
    trains: tuple[Int64[ndarray, " _"], ...]  # of the neurons with columns, counted from ``first``
    boxes: LagBoxes

    @classmethod
    def of(
        cls,
        spike_row: tuple[Int64[ndarray, " _"], ...],
        boxes: LagBoxes,
        worth: Float64[ndarray, " rows"],
        span: tuple[int, int],
    ) -> "Rows":
        """Return some rows of the time line under these trains and weights."""
        first, stop = span
        near = [
            train[np.searchsorted(train, first - boxes.edges[-1]) : np.searchsorted(train, stop - boxes.edges[0])]
            for train in spike_row
        ]
        return cls(first, stop, worth[first:stop], tuple(train - first for train in near), boxes)


def add_rows(mine: OfTargets, part: Prepared, rows: Rows, whitener: Whitener) -> None:
    """Add a chunk's rows, prepared for these targets, to their sums."""
    e, mask = whitener.whiten(part), part.settled()
    assert (part.first_row, part.first_row + len(e)) == (rows.first, rows.stop)
    spikes, start = joined(rows.trains)
    left = e - mine.constant.astype(e.dtype)
    subtract_prediction(spikes, start, rows.boxes.edges, mine.beta, left)
    squares = np.empty_like(e)
    weigh(left, mask, rows.weight, squares, mine.left)
    add_box_sums(spikes, start, rows.boxes, first_row=0, values=left, sums=mine.lacking)
    weigh(e, mask, rows.weight, squares, mine.plain)
    add_box_sums(spikes, start, rows.boxes.near(), first_row=0, values=squares, sums=mine.near_e2)
    order = np.argsort(spikes, kind="stable")
    by_time, who = spikes[order], np.repeat(np.arange(len(start) - 1), np.diff(start))[order]
    running = np.concatenate([[0.0], np.cumsum(rows.weight)])
    for j, blanked in enumerate(blanked_between(changes_of(mask), mask.shape[1], len(mask))):
        add_blanked(by_time, who, rows.boxes, running, blanked, mine.missing[j])
        mine.blanked[j].append(blanked + rows.first)


class Shared(NamedTuple):
    """What targets share: the centred Gram matrix of the rows so far, and its column totals; changed in place."""

    gram: Float[ndarray, "columns columns"]  # the upper half counts
    total: Float64[ndarray, " columns"]
    weight: Float64[ndarray, " one"]  # of all rows

    @classmethod
    def empty(cls, n_columns: int, dtype: np.dtype[np.floating]) -> "Shared":
        """Return that of no row."""
        gram = np.zeros((n_columns, n_columns), dtype)
        np.einsum("ii->i", gram)[:] = _LEAST
        return cls(gram, np.zeros(n_columns), np.zeros(1))

    def add(self, rows: Rows, n_threads: int) -> None:
        """Add some rows."""
        add_gram(rows.trains, rows.boxes, rows.weight, self.gram, n_threads=n_threads)
        before, weight = self.total.copy(), float(self.weight[0])
        self.total[:] += column_totals(rows.trains, rows.boxes, rows.weight)
        self.weight[:] += rows.weight.sum()
        _recentre(self.gram, before, self.total, max(weight, _LEAST), max(float(self.weight[0]), _LEAST))


@njit(cache=True, nogil=True)
@no_type_check
def _recentre(gram, before, after, weight_before, weight_after):
    """Take the products of columns' means out of the upper half again, with the totals as they are now."""
    for i in range(len(gram)):
        old, new, own = before[i] / weight_before, after[i] / weight_after, gram[i]
        for k in range(i, len(gram)):
            own[k] += old * before[k] - new * after[k]


def add_chunks(
    each: list[Traces], chunks: range, rows: list[Rows], whitener: Whitener, blocks: list[OfTargets]
) -> None:
    """Add the rows of some chunks to the sums of all targets; ``each`` are the traces as each chunk is to see them."""

    def add(mine: OfTargets) -> None:
        for traces, k, own in zip(each, chunks, rows, strict=True):
            (part,) = prepared(traces, mine.targets, chunks=slice(k, k + 1))
            add_rows(mine, part, own, whitener.of(mine.targets))

    for _ in in_order(each[0].n_threads, add, blocks):
        pass


def span_of(traces: Traces, chunk: int) -> tuple[int, int]:
    """Return the first row of a chunk on the time line, and one past its last."""
    segment, first = chunks_of(traces)[chunk]
    size = max(round(traces.options.chunk_s * traces.line.rate_hz), 1)
    offset = int(traces.line.offset[segment])
    return offset + first, offset + min(first + size, traces.thin.segment_rows[segment])
