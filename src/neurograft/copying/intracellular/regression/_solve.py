"""Every target's own weighted least squares from one factor: what it lacks is filled in by expectation-maximisation.

Only what changes is solved for at each step: less is lost to rounding, and how much it is tells when to stop.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.regression._factored import Design
from neurograft.copying.intracellular.regression._moments import Moments
from neurograft.copying.intracellular.regression._slow import MIN_SHARE

_ENOUGH = 1e-4  # of a target's coefficients: what is left is foreseen to a tenth, and 32 bits lose as much


def solved(
    d: Design, m: Moments, blanked: list[Int64[ndarray, "_ 2"]], n_steps: int, n_threads: int
) -> tuple[Float[ndarray, "targets columns"], Float64[ndarray, " targets"]]:
    """Return coefficients and the variance that they leave."""
    dtype = d.factor.dtype
    weight = np.maximum(m.weight, 1.0)
    mean = m.sum_e / weight
    kept = np.ascontiguousarray(m.kept.T, dtype=dtype)
    observed = np.array(m.sums.T, dtype=dtype, order="C")
    observed -= kept * mean[:, None].astype(dtype)
    share = kept / np.maximum(d.total, 1.0).astype(dtype)
    right = np.where(share >= MIN_SHARE, observed / np.maximum(share, dtype.type(MIN_SHARE)), dtype.type(0))
    del share
    beta = d.factor.solve(right)
    change, of_lags = np.empty_like(right), d.boxes.of_lags
    moved, todo = np.full(len(beta), np.inf), np.arange(len(beta))

    def bring_up(j: int) -> None:
        refill(
            d.sorted_rows, d.sorted_who, d.boxes.edges, of_lags, d.row_weight, d.running, blanked[j], beta[j],
            observed[j], kept[j], d.total, weight[j], m.weight[j], right[j], change[j],
        )  # fmt: skip

    for step in range(n_steps):
        for _ in in_order(n_threads, bring_up, todo.tolist()):
            pass
        todo = todo[change[todo].any(axis=1)]  # a target that lacks nothing is done
        if not len(todo):
            break
        more = d.factor.solve(change[todo])
        beta[todo] += more
        last, moved[todo] = moved[todo], _size(more)
        ratio = np.minimum(moved[todo] / np.maximum(last, 1e-300), 0.9)  # steps shrink by the share that is blanked
        left = ratio / (1 - ratio)
        if dtype == np.float32 and step > 0:
            is_done = moved[todo] * left <= _ENOUGH * _size(beta[todo])
            # and the steps that would follow, were they to shrink on by that share
            beta[todo[is_done]] += left[is_done, None].astype(dtype) * more[is_done]
            todo = todo[~is_done]
    explained = np.einsum("tc,tc->t", beta, observed, dtype=np.float64) / weight
    return beta, np.maximum(m.sum_e2 / weight - mean**2 - explained, 0.0)


def _size(rows: Float[ndarray, "targets columns"]) -> Float64[ndarray, " targets"]:
    return np.sqrt(np.einsum("tc,tc->t", rows, rows)).astype(np.float64)


@njit(cache=True, nogil=True)
@no_type_check
def refill(
    rows, who, edges, of_lags, row_weight, running, intervals, beta, observed, kept, total, weight, own_weight, right,
    change,
):  # fmt: skip
    """Bring one target's right side up to its present fit, and fill in by how much it changes.

    X'W(1 - M)p is added to what was observed, where p is the fit's prediction, less its mean, and M keeps or blanks.
    """
    n, whole, n_lags, n_boxes = len(beta), running[-1], len(of_lags), len(edges) - 1
    centre, filled = 0.0, np.zeros(n)
    for c in range(n):
        centre += beta[c] * total[c]
    by_lag = np.empty(n // n_boxes * n_lags, dtype=beta.dtype)
    sums = np.zeros(len(by_lag))
    for k in range(len(by_lag)):
        by_lag[k] = beta[k // n_lags * n_boxes + of_lags[k % n_lags]]
    extra = _fill(rows, who, edges[0], n_lags, row_weight, running, intervals, by_lag, centre / whole, sums)
    for k in range(len(by_lag)):
        filled[k // n_lags * n_boxes + of_lags[k % n_lags]] += sums[k]
    lift = extra / weight  # the constant's own share of what is missing
    spread = (lift * (whole - own_weight) + extra) / whole
    for c in range(n):
        now = observed[c] + filled[c] + lift * (total[c] - kept[c]) - spread * total[c]
        change[c] = now - right[c]
        right[c] = now


@njit(cache=True, nogil=True)
@no_type_check
def _fill(rows, who, first_lag, n_lags, weight, running, intervals, by_lag, centre, out):
    """Add one target's weighted predictions in its blanked rows to the lags that are on there; return their sum.

    In each interval every spike adds its coefficients, lag by lag, and then takes up what all predict in these rows:
    lags lie side by side and are added in vector code, which their boxes are too few for.
    """
    total, room = 0.0, 64
    values = np.empty(room, dtype=by_lag.dtype)
    for k in range(len(intervals)):
        low, high = intervals[k, 0], intervals[k, 1]
        if running[low] == running[high]:
            continue
        size = high - low
        if size > room:
            room = size
            values = np.empty(room, dtype=by_lag.dtype)
        values[:size] = -centre
        first, last = np.searchsorted(rows, low - first_lag - n_lags + 1), np.searchsorted(rows, high - first_lag)
        for s in range(first, last):
            at = rows[s] - low + first_lag  # where the first lag lies in the interval
            begin, end, column = max(at, 0), min(at + n_lags, size), who[s] * n_lags - at
            sums, own = values[begin:end], by_lag[column + begin : column + end]
            for t in range(end - begin):
                sums[t] += own[t]
        for t in range(size):
            values[t] *= weight[low + t]
            total += values[t]
        for s in range(first, last):
            at = rows[s] - low + first_lag
            begin, end, column = max(at, 0), min(at + n_lags, size), who[s] * n_lags - at
            sums, own = out[column + begin : column + end], values[begin:end]
            for t in range(end - begin):
                sums[t] += own[t]
    return total
