"""One regression for all pairs: additive moments, one factorisation, exact weights for blanked samples.

e_j(t) = constant_j + sum_i sum_b beta_ij,b x_i,b(t) + noise, over the rows that target j keeps, each row weighted
by how still the network is (``row_weights``).  The Gram matrix of all rows is factorised once.  What a target
lacks is supplied by expectation-maximisation: each step fills the blanked rows with what the present fit predicts
there.  It converges to the exact weighted least squares of that target at the rate of the share blanked (a tenth
a step), for all targets from one factorisation; dividing by the kept share alone, its starting point, is off where
blanks and spikes go together.

Targets do not know each other: they are gone through in blocks, and memory is bounded by the block and the factor.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from collections.abc import Iterator, Sequence
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying._budget import SOLVED_AT_ONCE
from neurograft.copying._dense_gram import DenseFactor
from neurograft.copying._design import LagBoxes, add_blanked, add_box_sums, column_totals, joined
from neurograft.copying._gram import Factor
from neurograft.copying._library import ArrayLibrary
from neurograft.copying._slow import MIN_SHARE, slow_sd
from neurograft.copying._threads import in_order
from neurograft.copying._whiten import Block, Prepared, Traces, Whitener, autoregression, prepared
from neurograft.progress import Progress

_TINY = 1e-9  # of a column's total: what is left when all of it was taken away
_ENOUGH = 1e-4  # of a target's coefficients: what is left is foreseen to a tenth, and 32 bits lose as much


class Design(NamedTuple):
    """The spikes of the neurons that fire, in the orders that steps need, their weights and their factor."""

    n_spikes: Int64[ndarray, " neurons"]
    rows: Int64[ndarray, " spikes"]  # train after train
    start: Int64[ndarray, " starts"]
    sorted_rows: Int64[ndarray, " spikes"]  # by time
    sorted_who: Int64[ndarray, " spikes"]
    total: Float64[ndarray, " columns"]
    boxes: LagBoxes
    row_weight: Float64[ndarray, " rows"]
    running: Float64[ndarray, " rows_plus_one"]  # sum of the weights
    factor: Factor | DenseFactor


def design(
    trains: tuple[Int64[ndarray, " _"], ...],
    boxes: LagBoxes,
    row_weight: Float64[ndarray, " rows"],
    *,
    n_threads: int = 1,
    library: ArrayLibrary | None = None,
) -> Design:
    """Return a design, its Gram matrix factorised, by pairs of spikes or by dense products of an array library."""
    factor = (
        Factor(trains, boxes, row_weight, n_threads=n_threads)
        if library is None
        else DenseFactor(trains, boxes, row_weight, library)
    )
    active = tuple(trains[i] for i in factor.firing) or (np.empty(0, dtype=np.int64),)
    rows, start = joined(active)
    order = np.argsort(rows, kind="stable")
    who = np.repeat(np.arange(len(active)), np.diff(start))
    return Design(
        n_spikes=np.array([len(train) for train in trains]),
        rows=rows,
        start=start,
        sorted_rows=rows[order],
        sorted_who=who[order],
        total=column_totals(active, boxes, row_weight),
        boxes=boxes,
        row_weight=row_weight,
        running=np.concatenate([[0.0], np.cumsum(row_weight)]),
        factor=factor,
    )


class Moments(NamedTuple):
    """Sums over the rows that each target keeps, for a block of targets; those of two recordings add."""

    sums: Float64[ndarray, "columns targets"]  # X'We
    kept: Float64[ndarray, "columns targets"]  # X'W1
    weight: Float64[ndarray, " targets"]
    sum_e: Float64[ndarray, " targets"]
    sum_e2: Float64[ndarray, " targets"]
    near_e2: Float64[ndarray, "firing targets"]  # W^2 e^2 over the rows just after each presynaptic spike


class Fit(NamedTuple):
    """Coefficients and what their errors need.

    cov(beta_ij) = noise_ij^2 D inverse_block_i D with D = diag(1 / sqrt(share_ij)).  The noise is that of the
    target after this neuron's spikes: membranes are noisier in bursts, and a neuron that fires mostly in
    bursts has larger errors than the recording's mean noise says (White 1980, Econometrica 48, 817).
    """

    beta: Float[ndarray, "pre boxes post"]
    inverse_block: Float64[ndarray, "pre boxes boxes"]
    share: Float[ndarray, "pre boxes post"]
    noise: Float64[ndarray, "pre post"]  # sd of the residual after the presynaptic spikes
    n_spikes: Int64[ndarray, " pre"]
    n_kept: Float64[ndarray, "pre post"]  # presynaptic spikes after which the target was seen, by their rows' weights
    slow_v: Float64[ndarray, "two post"]  # size of slow changes that go with spikes: constant and slope
    boxes: LagBoxes

    def to(self, targets: slice) -> "Fit":
        """Return the coefficients to some targets."""
        return self._replace(
            beta=self.beta[:, :, targets],
            share=self.share[:, :, targets],
            noise=self.noise[:, targets],
            n_kept=self.n_kept[:, targets],
            slow_v=self.slow_v[:, targets],
        )


def fits(
    traces: Traces,
    designs: Sequence[Design],
    progress: Progress,
    *,
    whitener: Whitener | None = None,
    n_steps: int = 4,
) -> tuple[Whitener, list[Fit]]:
    """Return each target's whitening, unless it is given, and all coefficients under each design.

    All designs have the same boxes and row weights.  ``n_steps`` = 0 gives the plain division by the kept share.
    """
    n = len(traces.channel)
    out = [_Made.empty(d, n) for d in designs]
    coefficient = np.zeros((traces.options.ar_order, n))
    for targets, white, sums, blanked in _groups(traces, designs, whitener, progress):
        coefficient[:, targets] = white.coefficient
        progress("solving for all pairs", targets.start, n)
        for d, m, made in zip(designs, sums, out, strict=True):
            made.put(targets, d, m, *_solved(d, m, blanked, n_steps, traces.n_threads))
    progress("inverting each neuron's block", 0, 1)
    return Whitener(coefficient), [made.fit(d, traces.n_threads) for d, made in zip(designs, out, strict=True)]


class _Made(NamedTuple):
    """A fit's arrays while targets are filled in."""

    beta: Float[ndarray, "pre boxes post"]
    share: Float[ndarray, "pre boxes post"]
    noise: Float64[ndarray, "pre post"]
    n_kept: Float64[ndarray, "pre post"]

    @classmethod
    def empty(cls, d: Design, n: int) -> "_Made":
        shape = (len(d.n_spikes), len(d.boxes.low), n)
        dtype = d.factor.dtype
        return cls(np.zeros(shape, dtype), np.zeros(shape, dtype), np.zeros(shape[::2]), np.zeros(shape[::2]))

    def put(self, targets: slice, d: Design, m: Moments, beta: ndarray, variance: ndarray) -> None:
        """Fill in the coefficients, [columns, targets], of some targets, and the variance of what they leave."""
        firing, shape = d.factor.firing, (len(d.factor.firing), len(d.boxes.low), beta.shape[1])
        kept = m.kept.reshape(shape)
        share = (m.kept / np.maximum(d.total, 1.0)[:, None]).reshape(shape)
        self.beta[firing, :, targets] = beta.reshape(shape)
        self.share[firing, :, targets] = share
        inside = d.boxes.is_near()
        near = kept[:, inside].sum(axis=1)
        local = _local_share(m, near, d.boxes, beta.reshape(shape), share)
        noise = np.ones((len(d.n_spikes), beta.shape[1]))
        noise[firing] = local
        self.noise[:, targets] = np.sqrt(variance * noise)
        self.n_kept[firing, targets] = near / float(d.boxes.near().width[0])

    def fit(self, d: Design, n_threads: int) -> Fit:
        """Return the fit of all targets."""
        n_boxes = len(d.boxes.low)
        block = np.zeros((len(d.n_spikes), n_boxes, n_boxes))
        block[:] = np.eye(n_boxes)  # of a silent neuron: cut off from all others
        block[d.factor.firing] = d.factor.inverse_blocks()
        return Fit(
            beta=self.beta,
            inverse_block=block,
            share=self.share,
            noise=self.noise,
            slow_v=slow_sd(self.beta, block, self.share, self.noise, d.boxes, n_threads=n_threads),
            n_spikes=d.n_spikes,
            n_kept=self.n_kept,
            boxes=d.boxes,
        )


def _groups(
    traces: Traces, designs: Sequence[Design], given: Whitener | None, progress: Progress
) -> Iterator[tuple[slice, Whitener, list[Moments], list[Int64[ndarray, "_ 2"]]]]:
    """Yield targets, whitening, moments under each design and blanked rows of some hundred targets at a time."""
    row_weight = designs[0].row_weight
    held: list[tuple[Block, Whitener, list[Moments], list[ndarray]]] = []

    def gather(block: Block) -> tuple[Block, Whitener, list[Moments], list[ndarray]]:
        parts, order = list(prepared(traces, block)), traces.options.ar_order
        whitener = autoregression(parts, row_weight, order) if given is None else given.of(block)
        return block, whitener, *moments(parts, whitener, designs)

    for gathered in in_order(traces.n_threads, gather, traces.blocks()):
        block = gathered[0]
        progress("gathering traces after spikes", int(block[0]), len(traces.channel))
        held.append(gathered)
        first, last = int(held[0][0][0]), int(block[-1]) + 1
        if last - first >= SOLVED_AT_ONCE or last == len(traces.channel):
            coefficient = np.concatenate([w.coefficient for _, w, _, _ in held], axis=1)
            sums = [_side_by_side([m[k] for _, _, m, _ in held]) for k in range(len(designs))]
            yield slice(first, last), Whitener(coefficient), sums, [one for *_, b in held for one in b]
            held = []


def _side_by_side(blocks: list[Moments]) -> Moments:
    return Moments(*(np.concatenate(column, axis=-1) for column in zip(*blocks, strict=True)))


def moments(
    parts: Sequence[Prepared], whitener: Whitener, designs: Sequence[Design]
) -> tuple[list[Moments], list[Int64[ndarray, "_ 2"]]]:
    """Return a block's moments under each design, and every target's blanked row intervals."""
    row_weight, n = designs[0].row_weight, parts[0].volts.shape[1]
    near = designs[0].boxes.near()
    sums = [np.zeros((len(d.total), n)) for d in designs]
    near_e2 = [np.zeros((len(d.start) - 1, n)) for d in designs]
    weight, sum_e, sum_e2 = np.zeros(n), np.zeros(n), np.zeros(n)
    runs: list[list[ndarray]] = [[] for _ in range(n)]
    for part in parts:
        e, mask = whitener.whiten(part), part.weight[part.before :]
        worth = row_weight[part.first_row : part.first_row + len(e), None]
        kept = mask * worth
        weight += kept.sum(axis=0)
        sum_e2 += np.sum(e**2 * kept, axis=0)
        squares = worth * e**2 * kept
        e *= kept
        sum_e += np.sum(e, axis=0)
        for d, total, squared in zip(designs, sums, near_e2, strict=True):
            add_box_sums(d.rows, d.start, d.boxes, first_row=part.first_row, values=e, sums=total)
            add_box_sums(d.rows, d.start, near, first_row=part.first_row, values=squares, sums=squared)
        for j in range(n):
            runs[j].append(_runs(mask[:, j]) + part.first_row)
    blanked = [_between(np.concatenate(mine), len(row_weight)) for mine in runs]
    return [
        Moments(total, _kept(d, blanked), weight, sum_e, sum_e2, squared)
        for d, total, squared in zip(designs, sums, near_e2, strict=True)
    ], blanked


def _kept(d: Design, blanked: list[Int64[ndarray, "_ 2"]]) -> Float64[ndarray, "columns targets"]:
    """Return each column's weight over the rows that targets keep: all of it, less that of the blanked rows."""
    out = np.zeros((len(blanked), len(d.total)))
    for j, intervals in enumerate(blanked):
        add_blanked(d.sorted_rows, d.sorted_who, d.boxes.edges, d.running, intervals, out[j])
    left = d.total - out
    return np.where(left > _TINY * d.total, left, 0.0).T


def _solved(
    d: Design, m: Moments, blanked: list[Int64[ndarray, "_ 2"]], n_steps: int, n_threads: int
) -> tuple[Float64[ndarray, "columns targets"], Float64[ndarray, " targets"]]:
    """Return coefficients and the variance that they leave."""
    whole = float(d.row_weight.sum())
    weight = np.maximum(m.weight, 1.0)
    mean = m.sum_e / weight
    kept = np.ascontiguousarray(m.kept.T)
    observed = m.sums.T - kept * mean[:, None]
    share = kept / np.maximum(d.total, 1.0)
    beta = d.factor.solve(np.where(share >= MIN_SHARE, observed / np.maximum(share, MIN_SHARE), 0.0))
    moved = np.full(len(beta), np.inf)
    for step in range(n_steps):
        filled, extra = _filled(d, beta, blanked, n_threads)
        lift = extra / weight  # the constant's own share of what is missing
        filled += lift[:, None] * (d.total - kept) - np.outer(lift * (whole - m.weight) + extra, d.total / whole)
        before, beta = beta, d.factor.solve(observed + filled)
        before = np.subtract(beta, before, out=before)
        last, moved = moved, np.sqrt(np.einsum("tc,tc->t", before, before))
        ratio = np.minimum(moved / np.maximum(last, 1e-300), 0.9)  # steps shrink by the share that is blanked
        left, size = ratio / (1 - ratio), np.sqrt(np.einsum("tc,tc->t", beta, beta))
        if d.factor.dtype == np.float32 and step > 0 and np.all(moved * left <= _ENOUGH * size):
            beta += left[:, None] * before  # the steps that would follow, were they to shrink on by that share
            break
    explained = np.sum(beta * observed, axis=1) / weight
    return beta.T, np.maximum(m.sum_e2 / weight - mean**2 - explained, 0.0)


def _local_share(
    m: Moments, near: ndarray, boxes: LagBoxes, beta: ndarray, share: ndarray
) -> Float64[ndarray, "firing targets"]:
    """Return the innovations' power after each neuron's spikes, less its own potentials', over that of all rows."""
    overall = m.sum_e2 / np.maximum(m.weight, 1.0)
    inside = boxes.is_near()
    kept = share[:, inside] * boxes.width[inside][:, None]
    own = np.sum(kept * beta[:, inside] ** 2, axis=1) / np.maximum(kept.sum(axis=1), 1e-12)
    local = m.near_e2 / np.maximum(near, 1.0) - own
    return np.where(near > 0, np.maximum(local, 0.1 * overall) / np.where(overall > 0, overall, 1.0), 1.0)


def _filled(
    d: Design, beta: Float64[ndarray, "targets columns"], blanked: list[Int64[ndarray, "_ 2"]], n_threads: int
) -> tuple[Float64[ndarray, "targets columns"], Float64[ndarray, " targets"]]:
    """Return X'W(1 - M)p and 1'W(1 - M)p, where p is the fit's prediction, less its mean, and M keeps or blanks."""
    out, total = np.zeros_like(beta), np.zeros(len(beta))
    centre = beta @ (d.total / d.row_weight.sum())
    edges = d.boxes.edges

    def fill(j: int) -> float:
        return _fill(
            d.sorted_rows, d.sorted_who, edges, d.row_weight, d.running, blanked[j], beta[j], centre[j], out[j]
        )

    total[:] = list(in_order(n_threads, fill, range(len(blanked))))
    return out, total


@njit(cache=True, nogil=True)
@no_type_check
def _fill(rows, who, edges, weight, running, intervals, beta, centre, out):
    """Add one target's predictions in its blanked rows to the columns that are on there; return their sum.

    In each interval every spike's boxes add steps to the prediction, and take up its weighted sums.
    """
    n_boxes, total = len(edges) - 1, 0.0
    room = 64
    sums = np.empty(room)
    for k in range(len(intervals)):
        low, high = intervals[k, 0], intervals[k, 1]
        if running[low] == running[high]:
            continue
        if high - low + 2 > room:
            room = high - low + 2
            sums = np.empty(room)
        sums[: high - low + 2] = 0.0
        first, last = np.searchsorted(rows, low - edges[n_boxes] + 1), np.searchsorted(rows, high - edges[0])
        for s in range(first, last):
            at, column = rows[s] - low, who[s] * n_boxes
            before = 0.0
            for b in range(n_boxes):
                if at + edges[b + 1] <= 0:
                    continue
                if at + edges[b] >= high - low:
                    break
                now = beta[column + b]
                sums[max(at + edges[b], 0)] += now - before
                before = now
            end = min(at + edges[n_boxes], high - low)
            sums[end] -= before
        level, so_far = -centre, 0.0
        for t in range(high - low):  # from steps to running sums of the weighted prediction, in place
            level += sums[t]
            sums[t] = so_far
            so_far += level * weight[low + t]
        sums[high - low] = so_far
        total += so_far
        for s in range(first, last):
            at, column = rows[s] - low, who[s] * n_boxes
            for b in range(n_boxes):
                if at + edges[b + 1] <= 0:
                    continue
                if at + edges[b] >= high - low:
                    break
                out[column + b] += sums[min(at + edges[b + 1], high - low)] - sums[max(at + edges[b], 0)]
    return total


def _runs(weight: Float64[ndarray, " rows"]) -> Int64[ndarray, "runs 2"]:
    """Return first and one past the last row of every run of weight 1."""
    step = np.diff(np.concatenate([[0.0], weight, [0.0]]))
    return np.column_stack([np.flatnonzero(step > 0), np.flatnonzero(step < 0)])


def _between(runs: Int64[ndarray, "runs 2"], n_rows: int) -> Int64[ndarray, "intervals 2"]:
    """Return the rows that lie in no run, as intervals that are not empty."""
    edges = np.column_stack([np.concatenate([[0], runs[:, 1]]), np.concatenate([runs[:, 0], [n_rows]])])
    return np.ascontiguousarray(edges[edges[:, 1] > edges[:, 0]], dtype=np.int64)
