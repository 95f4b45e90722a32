"""The regression's design, never built: spikes in lag boxes, and their sums over traces.

Column (i, b) of the design is the number of spikes of neuron i that lie b's lags before each row.  The design
would have rows x neurons x boxes numbers.  Rows have weights: those of a network burst count for less.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from numba import njit
from numpy import ndarray

ACAUSAL, ZERO, CHEMICAL = 0, 3, 4  # boxes by number: acausal ones up to ZERO, the spike's own row, then chemical
# Narrow where a potential can start (delays to 20 ms), wider where it only decays.
_EDGES_S = tuple(1e-3 * t for t in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 34))
_ACAUSAL_S = (6e-3, 3e-3, 1e-3)
_NEAR = 12  # in first edges
_WIDE_BYTES, _TALL = 256, 4096  # of targets, and rows, whose running sums, a megabyte, stay in the cache


class LagBoxes(NamedTuple):
    """Box b holds the lags ``low[b]`` to ``high[b] - 1``, in rows after the spike's row."""

    low: Int64[ndarray, " boxes"]
    high: Int64[ndarray, " boxes"]

    @property
    def width(self) -> Int64[ndarray, " boxes"]:
        """Rows of each box."""
        return self.high - self.low

    @property
    def edges(self) -> Int64[ndarray, " edges"]:
        """Where boxes that follow each other without a gap begin, and where the last ends."""
        assert np.array_equal(self.high[:-1], self.low[1:])
        return np.append(self.low, self.high[-1])

    @property
    def of_lags(self) -> Int64[ndarray, " lags"]:
        """The box of each lag, from the first box's first on."""
        return np.repeat(np.arange(len(self.low)), self.width)

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
    values: Float[ndarray, "rows neurons"],
    sums: Float[ndarray, "columns neurons"],
) -> None:
    """Add X'values of the rows from ``first_row`` on to ``sums``; spikes outside reach in with their boxes."""
    _add_box_sums(rows - first_row, start, boxes.edges, values, sums)


@njit(cache=True, nogil=True)
@no_type_check
def _add_box_sums(rows, start, edges, values, sums):
    """Add up running sums at every edge of all spikes' boxes; a box's sum is what lies between its two edges.

    By tiles of many rows and few targets, whose running sums stay in the processor's cache; a neuron's sums over one
    tile are added up beside it.
    """
    n_rows, n_targets, n_boxes = len(values), values.shape[1], len(edges) - 1
    wide = _WIDE_BYTES // values.itemsize
    running = np.zeros((_TALL + 1, wide), dtype=values.dtype)
    mine = np.zeros((n_boxes + 1, wide), dtype=values.dtype)
    for top in range(0, n_rows, _TALL):
        height = min(_TALL, n_rows - top)
        for left in range(0, n_targets, wide):
            width = min(wide, n_targets - left)
            for t in range(height):
                # loops of one length over rows, and not of a constant one, are what the compiler turns into vectors
                now, past, more = running[t + 1], running[t], values[top + t, left : left + width]
                for j in range(width):
                    now[j] = past[j] + more[j]
            for i in range(len(start) - 1):
                train = rows[start[i] : start[i + 1]]
                s_first = np.searchsorted(train, top - edges[n_boxes] + 1)
                s_last = np.searchsorted(train, top + height - edges[0])
                if s_first >= s_last:
                    continue
                mine[:] = 0.0
                for s in range(s_first, s_last):
                    at = train[s] - top
                    for b in range(n_boxes + 1):
                        below, total = running[min(max(at + edges[b], 0), height)], mine[b]
                        for j in range(width):
                            total[j] += below[j]
                for b in range(n_boxes):
                    out, above, below = sums[i * n_boxes + b, left : left + width], mine[b + 1], mine[b]
                    for j in range(width):
                        out[j] += above[j] - below[j]


@njit(cache=True, nogil=True)
@no_type_check
def subtract_prediction(rows, start, edges, beta, values):
    """Take the sum of every spike's coefficients in its boxes out of rows 0 on of the values, by the same tiles."""
    n_rows, n_targets, n_boxes = len(values), values.shape[1], len(edges) - 1
    wide = _WIDE_BYTES // values.itemsize
    steps, level = np.zeros((_TALL + 1, wide), dtype=values.dtype), np.zeros(wide, dtype=values.dtype)
    mine = np.zeros((n_boxes + 1, wide), dtype=values.dtype)
    for top in range(0, n_rows, _TALL):
        height = min(_TALL, n_rows - top)
        for left in range(0, n_targets, wide):
            width = min(wide, n_targets - left)
            steps[: height + 1] = 0.0
            for i in range(len(start) - 1):
                train = rows[start[i] : start[i + 1]]
                s_first = np.searchsorted(train, top - edges[n_boxes] + 1)
                s_last = np.searchsorted(train, top + height - edges[0])
                if s_first >= s_last:
                    continue
                mine[:] = 0.0  # what the prediction changes by at each edge
                for b in range(n_boxes):
                    own, on, off = beta[i * n_boxes + b, left : left + width], mine[b], mine[b + 1]
                    for j in range(width):
                        on[j] += own[j]
                        off[j] -= own[j]
                for s in range(s_first, s_last):
                    at = train[s] - top
                    for b in range(n_boxes + 1):
                        step, change = steps[min(max(at + edges[b], 0), height)], mine[b]
                        for j in range(width):
                            step[j] += change[j]
            level[:] = 0.0
            for t in range(height):
                step, left_over = steps[t], values[top + t, left : left + width]
                for j in range(width):
                    level[j] += step[j]
                    left_over[j] -= level[j]


def add_blanked(
    rows: Int64[ndarray, " spikes"],
    who: Int64[ndarray, " spikes"],
    boxes: LagBoxes,
    running: Float64[ndarray, " rows_plus_one"],
    intervals: Int64[ndarray, "intervals 2"],
    out: Float[ndarray, " columns"],
) -> None:
    """Add the weights of some intervals of rows to the columns that are on there; ``rows`` are all spikes', sorted."""
    _add_blanked(rows, who, boxes.edges, boxes.of_lags, running, intervals, out)


@njit(cache=True, nogil=True)
@no_type_check
def _add_blanked(rows, who, edges, of_lags, running, intervals, out):
    n_boxes = len(edges) - 1
    for k in range(len(intervals)):
        low, high = intervals[k, 0], intervals[k, 1]
        if running[low] == running[high]:
            continue
        first, last = np.searchsorted(rows, low - edges[n_boxes] + 1), np.searchsorted(rows, high - edges[0])
        for s in range(first, last):
            begin = max(rows[s] + edges[0], low)
            for b in range(of_lags[begin - rows[s] - edges[0]], n_boxes):
                end = min(rows[s] + edges[b + 1], high)
                out[who[s] * n_boxes + b] += running[end] - running[begin]
                begin = end
                if end == high:
                    break
