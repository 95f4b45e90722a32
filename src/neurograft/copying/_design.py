"""The regression's design, never built: spikes in lag boxes, their Gram matrix and their sums over traces.

Column (i, b) of the design is the number of spikes of neuron i that lie b's lags before each row.  With N
neurons and B boxes the Gram matrix has (N B)^2 numbers; the design itself would have rows x N x B.  Rows
have weights: those of a network burst count for less.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from collections.abc import Iterator
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

ACAUSAL, ZERO, CHEMICAL = 0, 3, 4  # boxes by number: acausal ones up to ZERO, the spike's own row, then chemical
# Narrow where a potential can start (delays to 20 ms), wider where it only decays.
_EDGES_S = tuple(1e-3 * t for t in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 34))
_ACAUSAL_S = (6e-3, 3e-3, 1e-3)
_NEAR = 12  # in first edges
_ROWS_A_BLOCK = 60_000
_TILE, _ROWS_A_TILE = 1024, 128  # targets and rows whose running sums, a megabyte, stay in the cache
_BLOCK = 128  # of the Gram matrix


class LagBoxes(NamedTuple):
    """Box b holds the lags ``low[b]`` to ``high[b] - 1``, in rows after the spike's row."""

    low: Int64[ndarray, " boxes"]
    high: Int64[ndarray, " boxes"]

    @property
    def width(self) -> Int64[ndarray, " boxes"]:
        """Rows of each box."""
        return self.high - self.low

    def is_near(self) -> Bool[ndarray, " boxes"]:
        """Tell which chemical boxes lie where a fast synapse's answer does (up to 12 ms)."""
        return (np.arange(len(self.low)) >= CHEMICAL) & (self.high <= _NEAR * self.high[ZERO])

    def near(self) -> "LagBoxes":
        """Return one box that holds the near ones."""
        inside = self.is_near()
        return LagBoxes(self.low[inside][:1], self.high[inside][-1:])

    @property
    def reach(self) -> int:
        """The most rows that a box lies away from its spike."""
        return int(max(-self.low.min(), self.high.max()))


def lag_boxes(row_rate_hz: float) -> LagBoxes:
    """Return three acausal boxes (-6 to 0 ms), the spike's own row (electrical), and the chemical boxes."""
    later = np.unique(np.maximum(np.round(np.array(_EDGES_S) * row_rate_hz).astype(np.int64), 1))
    before = -np.unique(np.maximum(np.round(np.array(_ACAUSAL_S) * row_rate_hz).astype(np.int64), 1))[::-1]
    edges = np.concatenate([before, [0], later])
    return LagBoxes(edges[:-1], edges[1:])


def gram(
    spike_row: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, row_weight: Float64[ndarray, " rows"]
) -> Float64[ndarray, "columns columns"]:
    """Return X'WX for these weights of the rows; cost grows with the square of the columns that are on in a row."""
    n_columns = len(spike_row) * len(boxes.low)
    upper = np.zeros((n_columns, n_columns))
    for part in blocks_of_rows(spike_row, boxes, len(row_weight)):
        _add_products(part.pointer, part.columns, row_weight[part.first :], upper)
    mirror(upper)
    return upper


@njit(cache=True)
@no_type_check
def mirror(upper):
    """Copy what lies above the diagonal below it, in place: for large networks there is no room for a second matrix."""
    n = len(upper)
    for first in range(0, n, _BLOCK):
        for second in range(first, n, _BLOCK):
            for p in range(first, min(first + _BLOCK, n)):
                for q in range(max(second, p + 1), min(second + _BLOCK, n)):
                    upper[q, p] = upper[p, q]


def blocks_of_rows(spike_row: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, n_rows: int) -> Iterator["Rows"]:
    """Yield all rows of the design, as many at a time as take some megabytes."""
    rows, start = joined(spike_row)
    for first in range(0, n_rows, _ROWS_A_BLOCK):
        yield design_rows(rows, start, boxes, first=first, stop=min(first + _ROWS_A_BLOCK, n_rows))


def column_totals(
    spike_row: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, row_weight: Float64[ndarray, " rows"]
) -> Float64[ndarray, " columns"]:
    """Return X'w, the weighted sum of each column."""
    running = np.concatenate([[0.0], np.cumsum(row_weight)])
    n = len(row_weight)
    edges = [np.clip(train[:, None] + np.array([boxes.low, boxes.high])[:, None], 0, n) for train in spike_row]
    return np.concatenate([np.sum(running[high] - running[low], axis=0) for low, high in edges])


def joined(
    spike_row: tuple[Int64[ndarray, " _"], ...],
) -> tuple[Int64[ndarray, " spikes"], Int64[ndarray, " starts"]]:
    """Return all trains one after the other, and where each starts (and the last ends)."""
    start = np.concatenate([[0], np.cumsum([len(train) for train in spike_row])]).astype(np.int64)
    return np.ascontiguousarray(np.concatenate(spike_row), dtype=np.int64), start


def add_box_sums(
    rows: Int64[ndarray, " spikes"],
    start: Int64[ndarray, " starts"],
    boxes: LagBoxes,
    *,
    first_row: int,
    values: Float64[ndarray, "rows neurons"],
    sums: Float64[ndarray, "columns neurons"],
) -> None:
    """Add X'values of the rows from ``first_row`` on to ``sums``; spikes outside reach in with their boxes."""
    _add_box_sums(rows - first_row, start, boxes.low, boxes.high, values, sums)


@njit(cache=True)
@no_type_check
def _add_products(pointer, columns, weight, upper):
    """Add each row's weight to the products of every two columns that are on in it, upper triangle only."""
    for t in range(len(pointer) - 1):
        w = weight[t]
        if w > 0.0:
            for p in range(pointer[t], pointer[t + 1]):
                upper[columns[p], columns[p]] += w
                for q in range(p + 1, pointer[t + 1]):
                    first, second = min(columns[p], columns[q]), max(columns[p], columns[q])
                    upper[first, second] += w if first < second else 2.0 * w


@njit(inline="always")
@no_type_check
def _add_difference(above, below, out):
    for j in range(len(out)):
        out[j] += above[j] - below[j]


@njit(cache=True)
@no_type_check
def _add_box_sums(rows, start, low, high, values, sums):
    """Gather differences of running sums at the edges of every spike's boxes.

    By tiles of some rows and targets, whose running sums stay in the processor's cache.
    """
    n_rows, n_targets, n_boxes = len(values), values.shape[1], len(low)
    running = np.empty((_ROWS_A_TILE + 1, _TILE))
    for top in range(0, n_rows, _ROWS_A_TILE):
        height = min(_ROWS_A_TILE, n_rows - top)
        for left in range(0, n_targets, _TILE):
            width = min(_TILE, n_targets - left)
            running[0] = 0.0
            for t in range(height):
                for j in range(width):
                    running[t + 1, j] = running[t, j] + values[top + t, left + j]
            for i in range(len(start) - 1):
                train = rows[start[i] : start[i + 1]]
                s_first = np.searchsorted(train, top - high[n_boxes - 1])
                s_last = np.searchsorted(train, top + height - low[0])
                for s in range(s_first, s_last):
                    for b in range(n_boxes):
                        begin = min(max(train[s] + low[b] - top, 0), height)
                        end = min(max(train[s] + high[b] - top, 0), height)
                        if begin < end:
                            _add_difference(running[end], running[begin], sums[i * n_boxes + b, left : left + width])


@njit(cache=True)
@no_type_check
def _active_columns(rows, start, low, high, first_row, pointer, columns):
    """List for rows ``first_row`` to ``first_row + len(pointer) - 2`` the columns that are on, and where each starts.

    Called with no room in ``columns`` it only counts; a column that two spikes switch on is listed twice.
    """
    n_rows, n_boxes = len(pointer) - 1, len(low)
    pointer[:] = 0
    for i in range(len(start) - 1):
        train = rows[start[i] : start[i + 1]]
        s_first = np.searchsorted(train, first_row - high.max())
        s_last = np.searchsorted(train, first_row + n_rows - low.min())
        for s in range(s_first, s_last):
            begin = max(train[s] + low[0] - first_row, 0)
            end = min(train[s] + high[n_boxes - 1] - first_row, n_rows)
            for t in range(begin, end):
                pointer[t + 1] += 1
    for t in range(n_rows):
        pointer[t + 1] += pointer[t]
    if len(columns) < pointer[n_rows]:
        return
    used = np.zeros(n_rows, dtype=np.int64)
    for i in range(len(start) - 1):
        train = rows[start[i] : start[i + 1]]
        s_first = np.searchsorted(train, first_row - high.max())
        s_last = np.searchsorted(train, first_row + n_rows - low.min())
        for s in range(s_first, s_last):
            for b in range(n_boxes):
                begin = max(train[s] + low[b] - first_row, 0)
                end = min(train[s] + high[b] - first_row, n_rows)
                for t in range(begin, end):
                    columns[pointer[t] + used[t]] = i * n_boxes + b
                    used[t] += 1


class Rows(NamedTuple):
    """The design's rows from ``first`` on, as lists of the columns that are on in each."""

    first: int
    pointer: Int64[ndarray, " rows_plus_one"]
    columns: Int64[ndarray, " entries"]


def design_rows(
    rows: Int64[ndarray, " spikes"], start: Int64[ndarray, " starts"], boxes: LagBoxes, *, first: int, stop: int
) -> Rows:
    """Return rows ``first`` to ``stop - 1`` of the design; the boxes must follow each other without a gap."""
    assert np.array_equal(boxes.high[:-1], boxes.low[1:])
    pointer = np.empty(stop - first + 1, dtype=np.int64)
    _active_columns(rows, start, boxes.low, boxes.high, first, pointer, np.empty(0, dtype=np.int64))
    columns = np.empty(int(pointer[-1]), dtype=np.int64)
    _active_columns(rows, start, boxes.low, boxes.high, first, pointer, columns)
    return Rows(first, pointer, columns)
