"""The regression's design, never built: spikes in lag boxes, their Gram matrix and their sums over traces.

Column (i, b) of the design is the number of spikes of neuron i that lie b's lags before each row.  With N
neurons and B boxes the Gram matrix has (N B)^2 numbers; the design itself would have rows x N x B.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

ACAUSAL, ZERO, CHEMICAL = 0, 3, 4  # boxes by number: acausal ones up to ZERO, the spike's own row, then chemical
_EDGES_S = (1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3, 8e-3, 13e-3, 26e-3)  # wider where potentials only decay
_ACAUSAL_S = (6e-3, 3e-3, 1e-3)
_NEAR = 13  # in first edges


class LagBoxes(NamedTuple):
    """Box b holds the lags ``low[b]`` to ``high[b] - 1``, in rows after the spike's row."""

    low: Int64[ndarray, " boxes"]
    high: Int64[ndarray, " boxes"]

    @property
    def width(self) -> Int64[ndarray, " boxes"]:
        """Rows of each box."""
        return self.high - self.low

    def is_near(self) -> Bool[ndarray, " boxes"]:
        """Tell which chemical boxes lie where a fast synapse's answer does (up to 13 ms)."""
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


def gram(spike_row: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes) -> Float64[ndarray, "columns columns"]:
    """Return X'X over all rows, exactly, from the counts of every lag between every two trains."""
    n, n_boxes = len(spike_row), len(boxes.low)
    reach = int(boxes.high.max() - boxes.low.min())
    lag = np.arange(-reach, reach + 1)[:, None, None]  # row of k minus row of i
    overlap = np.minimum(boxes.high[:, None], boxes.high + lag) - np.maximum(boxes.low[:, None], boxes.low + lag)
    overlap = np.maximum(overlap, 0).reshape(len(lag), n_boxes * n_boxes).astype(np.float64)
    rows, start = joined(spike_row)
    out = np.empty((n, n_boxes, n, n_boxes))
    counts = np.empty((n, len(lag)))
    for i in range(n):
        counts[:] = 0.0
        _count_lags(spike_row[i], rows, start, reach, counts)
        out[i] = (counts @ overlap).reshape(n, n_boxes, n_boxes).transpose(1, 0, 2)
    return out.reshape(n * n_boxes, n * n_boxes)


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
    running = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=running[1:])
    _add_box_sums(rows - first_row, start, boxes.low, boxes.high, running, sums)


@njit(cache=True)
@no_type_check
def _count_lags(first, rows, start, reach, counts):
    """Count how often each lag (row of the other train - row of the first) within reach occurs."""
    for k in range(len(start) - 1):
        low = start[k]
        for row in first:
            while low < start[k + 1] and rows[low] < row - reach:
                low += 1
            other = low
            while other < start[k + 1] and rows[other] <= row + reach:
                counts[k, rows[other] - row + reach] += 1.0
                other += 1


@njit(cache=True)
@no_type_check
def _add_box_sums(rows, start, low, high, running, sums):
    """Gather differences of running sums at the edges of every spike's boxes."""
    n_rows, n_targets, n_boxes = len(running) - 1, running.shape[1], len(low)
    for i in range(len(start) - 1):
        train = rows[start[i] : start[i + 1]]
        s_first = start[i] + np.searchsorted(train, -high.max())
        s_last = start[i] + np.searchsorted(train, n_rows - low.min())
        for s in range(s_first, s_last):
            for b in range(n_boxes):
                begin = min(max(rows[s] + low[b], 0), n_rows)
                end = min(max(rows[s] + high[b], 0), n_rows)
                if begin < end:
                    column = i * n_boxes + b
                    for j in range(n_targets):
                        sums[column, j] += running[end, j] - running[begin, j]


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
