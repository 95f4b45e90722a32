"""Each presynaptic spike alone: what its potential measures in the trace that all other neurons' answers have left.

The residual of the regression, plus the pair's own answer, is projected on the pair's course, spike by spike.
``s`` and the products ``q`` of overlapping courses are all that amplitudes of single potentials, plasticity and
vesicles need; they add over pieces of the recording.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._design import LagBoxes, joined, subtract_prediction
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import ALL, Block, Traces, Whitener, prepared
from neurograft.progress import Progress

N_NEXT = 2  # later spikes of the same neuron whose courses may overlap


class Events(NamedTuple):
    """One pair's presynaptic spikes; weights of rows are inside all sums."""

    row: Int64[ndarray, " spikes"]
    s: Float64[ndarray, " spikes"]  # V^2: course times trace
    q: Float64[ndarray, "spikes overlaps"]  # V^2 for 1 V: course times itself, and times the next spikes' courses
    whole: float  # q of a spike after which every row was seen and had weight 1
    noise_v: float  # sd of the innovations

    def all_overlaps(self, factor: Float64[ndarray, " spikes"]) -> Float64[ndarray, " spikes"]:
        """Return for each spike the sum over spikes l of q_kl factor_l."""
        out = self.q[:, 0] * factor
        for m in range(1, N_NEXT + 1):
            out[:-m] += self.q[:-m, m] * factor[m:]
            out[m:] += self.q[:-m, m] * factor[:-m]
        return out


def events(
    traces: Traces,
    whitener: Whitener,
    boxes: LagBoxes,
    fit: Fit,
    row_weight: Float64[ndarray, " rows"],
    pairs: Int64[ndarray, "pairs 2"],
    course: Float64[ndarray, "pairs lags"],
    progress: Progress,
) -> list[Events]:
    """Return the spikes of each pair, seen through its whitened ``course`` from the spike's row on (one reading)."""
    running = RunningEvents(pairs, course)
    running.add(traces, whitener, boxes, fit, row_weight, progress)
    return running.events(traces, fit)


@final
class RunningEvents:
    """Spikes of pairs that a recording is added to, chunk of rows after chunk of rows, as it grows.

    Chunks added in their order give bit for bit what all at once give, under one fit.  Under a fit that moves with the
    recording, what was added before is left with the older one.
    """

    def __init__(self, pairs: Int64[ndarray, "pairs 2"], course: Float64[ndarray, "pairs lags"]) -> None:
        """Hold nothing yet."""
        self.pairs, self.course = pairs, course
        self._n_spikes = np.zeros(len(pairs), dtype=np.int64)
        self._s, self._q = np.zeros((2, 0)), np.zeros((0, N_NEXT + 1))
        self._level = np.zeros((2, len(pairs)))  # of each target's innovations, and the weight of their rows

    def add(
        self,
        traces: Traces,
        whitener: Whitener,
        boxes: LagBoxes,
        fit: Fit,
        row_weight: Float64[ndarray, " rows"],
        progress: Progress,
        *,
        chunks: slice = ALL,
    ) -> None:
        """Add some chunks of rows, which follow those that were added before (one reading of them).

        All action potentials must be known as far beyond their last row as preparing it looks (``prepared``).
        """
        n_boxes = len(boxes.low)
        rows, start = joined(traces.spike_row)
        offset = self._grown(np.diff(start)[self.pairs[:, 0]])
        by_post = np.argsort(self.pairs[:, 1], kind="stable")
        blocks = traces.blocks(np.unique(self.pairs[:, 1]))

        def fill(block: Block) -> None:
            beta = np.ascontiguousarray(fit.beta[:, :, block].reshape(-1, len(block)), dtype=traces.dtype)
            filter_ = whitener.of(block)
            mine = by_post[np.isin(self.pairs[by_post, 1], block)]
            pre, place = self.pairs[mine, 0], np.searchsorted(block, self.pairs[mine, 1])
            own = fit.beta[pre, :n_boxes, self.pairs[mine, 1]].astype(np.float64)
            for part in prepared(traces, block, chunks=chunks):
                e = filter_.whiten(part)
                subtract_prediction(rows - part.first_row, start, boxes.edges, beta, e)
                weight = part.settled() * row_weight[part.first_row : part.first_row + len(e), None]
                self._level[:, mine] += np.sum(weight * e, axis=0)[place], np.sum(weight, axis=0)[place]
                _add_pairs(
                    e, weight, part.first_row, rows, start, boxes.low, boxes.high, pre, place, own, self.course[mine],
                    offset[mine], self._s, self._q,
                )  # fmt: skip

        for done, _ in enumerate(in_order(traces.n_threads, fill, blocks)):
            progress("measuring single potentials", done + 1, len(blocks))

    def events(self, traces: Traces, fit: Fit) -> list[Events]:
        """Return the spikes of each pair as far as they were added."""
        constant = self._level[0] / np.maximum(self._level[1], 1e-12)
        offset = np.concatenate([[0], np.cumsum(self._n_spikes)])
        out: list[Events] = []
        for k, (i, j) in enumerate(self.pairs):
            mine = slice(offset[k], offset[k + 1])
            out.append(
                Events(
                    row=traces.spike_row[i][: self._n_spikes[k]],
                    s=self._s[0, mine] - constant[k] * self._s[1, mine],
                    q=self._q[mine],
                    whole=float(self.course[k] @ self.course[k]),
                    noise_v=float(fit.noise[i, j]),
                )
            )
        return out

    def _grown(self, n_spikes: Int64[ndarray, " pairs"]) -> Int64[ndarray, " ends"]:
        """Make room for spikes that came since; return where each pair's begin, and the last ends."""
        offset = np.concatenate([[0], np.cumsum(n_spikes)]).astype(np.int64)
        if np.array_equal(n_spikes, self._n_spikes):
            return offset
        assert np.all(n_spikes >= self._n_spikes)
        before = np.cumsum(self._n_spikes) - self._n_spikes
        place = np.arange(self._s.shape[1]) + np.repeat(offset[:-1] - before, self._n_spikes)
        s, q = np.zeros((2, offset[-1])), np.zeros((offset[-1], N_NEXT + 1))
        s[:, place], q[place] = self._s, self._q
        self._s, self._q, self._n_spikes = s, q, n_spikes
        return offset


@njit(cache=True, nogil=True)
@no_type_check
def _add_pairs(e, weight, first_row, rows, start, low, high, pre, place, beta, course, offset, s, q):
    """Add all pairs' sums over the rows of one piece; pairs of one target, column ``place``, follow each other."""
    left, worth = np.empty(len(e)), np.empty(len(e))
    for k in range(len(pre)):
        if k == 0 or place[k] != place[k - 1]:
            for t in range(len(e)):
                left[t], worth[t] = e[t, place[k]], weight[t, place[k]]
        train = rows[start[pre[k]] : start[pre[k] + 1]]
        mine = slice(offset[k], offset[k] + len(train))
        _add_events(left, worth, first_row, train, low, high, beta[k], course[k], s[:, mine], q[mine])


@njit(cache=True, nogil=True)
@no_type_check
def _add_events(left, weight, first_row, train, low, high, beta, course, s, q):
    """Add one pair's sums over the rows of one piece, its own answer put back first."""
    n, n_lags, before, after = len(left), len(course), -low[0], high[-1]
    own = np.zeros(before + after)  # the pair's own answer, row by row
    for b in range(len(low)):
        own[before + low[b] : before + high[b]] += beta[b]
    begin, near = np.searchsorted(train, first_row - n_lags), 0
    if begin < len(train):
        near = np.searchsorted(train, train[begin] - after)
    for k in range(begin, np.searchsorted(train, first_row + n)):
        at = train[k] - first_row
        while train[near] + after <= train[k]:
            near += 1
        for u in range(max(-at, 0), min(n_lags, n - at)):
            value, m = left[at + u], near
            while m < len(train) and train[m] <= train[k] + u + before:
                lag = train[k] + u - train[m]
                if lag < after:
                    value += own[before + lag]
                m += 1
            weighted = weight[at + u] * course[u]
            s[0, k] += weighted * value
            s[1, k] += weighted
            for m in range(q.shape[1]):
                if k + m < len(train):
                    v = u - (train[k + m] - train[k])
                    if v >= 0:
                        q[k, m] += weighted * course[v]
