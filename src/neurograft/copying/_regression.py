"""One regression for all pairs: additive moments, one factorisation, exact weights for blanked samples.

e_j(t) = constant_j + sum_i sum_b beta_ij,b x_i,b(t) + noise, over the rows that target j keeps, each row weighted
by how still the network is (``row_weights``).  The Gram matrix of all rows is factorised once.  What a target
lacks is supplied by expectation-maximisation: each step fills the blanked rows with what the present fit predicts
there.  It converges to the exact weighted least squares of that target at the rate of the share blanked (a tenth
a step), for all targets from one inverse; dividing by the kept share alone, its starting point, is off where
blanks and spikes go together.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying._design import LagBoxes, add_box_sums, blocks_of_rows, column_totals, gram, joined, mirror
from neurograft.copying._slow import MIN_SHARE, slow_sd
from neurograft.copying._whiten import Traces, Whitener, prepared
from neurograft.progress import Progress

_RIDGE = 1e-6  # of the mean diagonal: only makes a matrix of collinear columns invertible


class Moments(NamedTuple):
    """Sums over the rows that each target keeps; those of two recordings add."""

    sums: Float64[ndarray, "columns neurons"]  # X'We
    kept: Float64[ndarray, "columns neurons"]  # X'W1
    weight: Float64[ndarray, " neurons"]
    sum_e: Float64[ndarray, " neurons"]
    sum_e2: Float64[ndarray, " neurons"]
    near_e2: Float64[ndarray, "pre neurons"]  # W^2 e^2 over the rows just after each presynaptic spike
    near: Float64[ndarray, "pre neurons"]  # W over those rows


class Fit(NamedTuple):
    """Coefficients and what their errors need.

    cov(beta_ij) = noise_ij^2 D inverse_block_i D with D = diag(1 / sqrt(share_ij)).  The noise is that of the
    target after this neuron's spikes: membranes are noisier in bursts, and a neuron that fires mostly in
    bursts has larger errors than the recording's mean noise says (White 1980, Econometrica 48, 817).
    """

    beta: Float64[ndarray, "pre boxes post"]
    inverse_block: Float64[ndarray, "pre boxes boxes"]
    share: Float64[ndarray, "pre boxes post"]
    noise: Float64[ndarray, "pre post"]  # sd of the residual after the presynaptic spikes
    n_spikes: Int64[ndarray, " pre"]
    n_kept: Float64[ndarray, "pre post"]  # presynaptic spikes after which the target was seen, by their rows' weights
    slow_v: Float64[ndarray, "two post"]  # size of slow changes that go with spikes: constant and slope
    boxes: LagBoxes


def moments(
    traces: Traces,
    whitener: Whitener,
    boxes: LagBoxes,
    trains: list[tuple[Int64[ndarray, " _"], ...]],
    row_weight: Float64[ndarray, " rows"],
    progress: Progress,
) -> tuple[list[Moments], tuple[Int64[ndarray, "_ 2"], ...]]:
    """Return the moments of each design (the true one and its shifts) and every target's blanked row intervals.

    Reads the recording once, whatever the number of designs.
    """
    n, n_columns = len(traces.channel), len(traces.channel) * len(boxes.low)
    near = boxes.near()
    designs = [joined(train) for train in trains]
    out = [_no_moments(n, n_columns) for _ in trains]
    kept_runs: list[list[ndarray]] = [[] for _ in range(n)]
    for part in prepared(traces, progress, "gathering traces after spikes"):
        e, mask = whitener.whiten(part), part.weight[part.before :]
        worth = row_weight[part.first_row : part.first_row + len(e), None]
        weight = mask * worth
        for (rows, start), m in zip(designs, out, strict=True):
            for columns, values, sums in (
                (boxes, e * weight, m.sums),
                (boxes, weight, m.kept),
                (near, worth * e**2 * weight, m.near_e2),
                (near, weight, m.near),
            ):
                add_box_sums(rows, start, columns, first_row=part.first_row, values=values, sums=sums)
            m.weight[:] += weight.sum(axis=0)
            m.sum_e[:] += np.sum(e * weight, axis=0)
            m.sum_e2[:] += np.sum(e**2 * weight, axis=0)
        for j in range(n):
            kept_runs[j].append(_runs(mask[:, j]) + part.first_row)
    return out, tuple(_between(np.concatenate(runs), traces.line.n_rows) for runs in kept_runs)


def inverse_gram(
    trains: tuple[Int64[ndarray, " _"], ...], boxes: LagBoxes, row_weight: Float64[ndarray, " rows"]
) -> Float64[ndarray, "columns columns"]:
    """Return the inverse of the centred Gram matrix; a silent neuron's columns are cut off from all others."""
    from scipy.linalg.lapack import dpotrf, dpotri

    total = column_totals(trains, boxes, row_weight)
    matrix = gram(trains, boxes, row_weight)
    mean = total / row_weight.sum()
    for column, own in enumerate(total):  # row by row: a second matrix may find no room
        matrix[column] -= own * mean
    diagonal = np.einsum("ii->i", matrix)
    diagonal[total == 0] = 1.0
    diagonal += _RIDGE * diagonal.mean()
    # the transpose is in Fortran order: no copy is made, and the matrix is symmetric
    factor, failed = dpotrf(matrix.T, lower=True, overwrite_a=True)
    assert failed == 0
    lower, failed = dpotri(factor, lower=True, overwrite_c=True)
    assert failed == 0
    assert np.shares_memory(lower, matrix)
    mirror(lower.T)
    return lower.T


def fit(
    m: Moments,
    trains: tuple[Int64[ndarray, " _"], ...],
    boxes: LagBoxes,
    inverse: Float64[ndarray, "columns columns"],
    blanked: tuple[Int64[ndarray, "_ 2"], ...],
    row_weight: Float64[ndarray, " rows"],
    *,
    n_steps: int = 4,
) -> Fit:
    """Return all coefficients; ``n_steps`` = 0 gives the plain division by the kept share."""
    n, n_boxes = len(trains), len(boxes.low)
    total, whole = column_totals(trains, boxes, row_weight), float(row_weight.sum())
    weight = np.maximum(m.weight, 1.0)
    mean = m.sum_e / weight
    observed = m.sums - m.kept * mean
    share = m.kept / np.maximum(total, 1.0)[:, None]
    beta = inverse @ np.where(share >= MIN_SHARE, observed / np.maximum(share, MIN_SHARE), 0.0)
    for _ in range(n_steps):
        filled, extra = _filled(beta, trains, boxes, blanked, total / whole, row_weight)
        lift = extra / weight  # the constant's own share of what is missing
        filled += lift * (total[:, None] - m.kept) - np.outer(total / whole, lift * (whole - m.weight) + extra)
        beta = inverse @ (observed + filled)
    explained = np.sum(beta * observed, axis=0) / weight
    variance = np.maximum(m.sum_e2 / weight - mean**2 - explained, 0.0)
    i = np.arange(n)
    coefficient, shares = beta.reshape(n, n_boxes, n), share.reshape(n, n_boxes, n)
    inverse_block = inverse.reshape(n, n_boxes, n, n_boxes)[i, :, i, :].copy()
    noise = np.sqrt(variance * _local_share(m, boxes, coefficient, shares))
    return Fit(
        beta=coefficient,
        inverse_block=inverse_block,
        share=shares,
        noise=noise,
        slow_v=slow_sd(coefficient, inverse_block, shares, noise, boxes),
        n_spikes=np.array([len(train) for train in trains]),
        n_kept=m.near / float(boxes.near().width[0]),
        boxes=boxes,
    )


def _local_share(m: Moments, boxes: LagBoxes, beta: ndarray, share: ndarray) -> Float64[ndarray, "pre post"]:
    """Return the innovations' power after each neuron's spikes, less its own potentials', over that of all rows."""
    overall = m.sum_e2 / np.maximum(m.weight, 1.0)
    inside = boxes.is_near()
    kept = share[:, inside] * boxes.width[inside][:, None]
    own = np.sum(kept * beta[:, inside] ** 2, axis=1) / np.maximum(kept.sum(axis=1), 1e-12)
    local = m.near_e2 / np.maximum(m.near, 1.0) - own
    return np.where(m.near > 0, np.maximum(local, 0.1 * overall) / np.where(overall > 0, overall, 1.0), 1.0)


def _no_moments(n: int, n_columns: int) -> Moments:
    return Moments(
        sums=np.zeros((n_columns, n)),
        kept=np.zeros((n_columns, n)),
        weight=np.zeros(n),
        sum_e=np.zeros(n),
        sum_e2=np.zeros(n),
        near_e2=np.zeros((n, n)),
        near=np.zeros((n, n)),
    )


def _filled(
    beta: ndarray,
    trains: tuple[ndarray, ...],
    boxes: LagBoxes,
    blanked: tuple[ndarray, ...],
    mean: ndarray,
    row_weight: ndarray,
) -> tuple[Float64[ndarray, "columns neurons"], Float64[ndarray, " neurons"]]:
    """Return X'W(1 - M)p and 1'W(1 - M)p, where p is the fit's prediction, less its mean, and M keeps or blanks."""
    by_target = np.ascontiguousarray(beta.T)
    out, total = np.zeros_like(by_target), np.zeros(len(by_target))
    centre = by_target @ mean
    for part in blocks_of_rows(trains, boxes, len(row_weight)):
        worth = row_weight[part.first :]
        for j, intervals in enumerate(blanked):
            total[j] += _fill(part.first, part.pointer, part.columns, worth, intervals, by_target[j], centre[j], out[j])
    return out.T, total


@njit(cache=True)
@no_type_check
def _fill(first, pointer, columns, worth, intervals, beta, centre, out):
    """Add one target's predictions in its blanked rows to the columns that are on there; return their sum."""
    total, n_rows = 0.0, len(pointer) - 1
    k = np.searchsorted(intervals[:, 1], first, side="right")
    while k < len(intervals) and intervals[k, 0] < first + n_rows:
        for t in range(max(intervals[k, 0] - first, 0), min(intervals[k, 1] - first, n_rows)):
            if worth[t] > 0.0:
                p = -centre
                for q in range(pointer[t], pointer[t + 1]):
                    p += beta[columns[q]]
                p *= worth[t]
                for q in range(pointer[t], pointer[t + 1]):
                    out[columns[q]] += p
                total += p
        k += 1
    return total


def _runs(weight: Float64[ndarray, " rows"]) -> Int64[ndarray, "runs 2"]:
    """Return first and one past the last row of every run of weight 1."""
    step = np.diff(np.concatenate([[0.0], weight, [0.0]]))
    return np.column_stack([np.flatnonzero(step > 0), np.flatnonzero(step < 0)])


def _between(runs: Int64[ndarray, "runs 2"], n_rows: int) -> Int64[ndarray, "intervals 2"]:
    """Return the rows that lie in no run, as intervals that are not empty."""
    edges = np.column_stack([np.concatenate([[0], runs[:, 1]]), np.concatenate([runs[:, 0], [n_rows]])])
    return np.ascontiguousarray(edges[edges[:, 1] > edges[:, 0]], dtype=np.int64)
