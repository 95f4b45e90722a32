"""One regression for all pairs: additive moments, one factorisation, exact weights for blanked samples.

e_j(t) = constant_j + sum_i sum_b beta_ij,b x_i,b(t) + noise, over the rows that target j keeps, each row weighted
by how still the network is (``row_weights``).  The Gram matrix of all rows is factorised once.  What a target
lacks is supplied by expectation-maximisation: each step fills the blanked rows with what the present fit predicts
there.  It converges to the exact weighted least squares of that target at the rate of the share blanked (a tenth
a step), for all targets from one factorisation; dividing by the kept share alone, its starting point, is off where
blanks and spikes go together.

Targets do not know each other: they are gone through in blocks, and memory is bounded by the block and the factor.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.reading._budget import SOLVED_AT_ONCE
from neurograft.copying.intracellular.reading._kept import Kept
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.reading._work import Arrays, digest
from neurograft.copying.intracellular.regression._design import LagBoxes
from neurograft.copying.intracellular.regression._factored import Design
from neurograft.copying.intracellular.regression._moments import Gathered, Moments, moments, side_by_side
from neurograft.copying.intracellular.regression._slow import slow_sd
from neurograft.copying.intracellular.regression._solve import solved
from neurograft.copying.intracellular.regression._whiten import Block, Traces, Whitener, autoregression, prepared
from neurograft.progress import Progress


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

    def n_seen(self) -> Float64[ndarray, "pre post"]:
        """Return after how many presynaptic spikes the target was seen, whatever those rows weigh."""
        near = self.boxes.is_near()
        width = self.boxes.width[near]
        return self.n_spikes[:, None] * np.tensordot(self.share[:, near], width / width.sum(), axes=(1, 0))

    def to(self, targets: Int64[ndarray, " some"]) -> "Fit":
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
    out = [Made.empty(d, n) for d in designs]
    coefficient = np.zeros((traces.options.ar_order, n))
    about = _about(traces, designs, whitener)
    for targets, seen in _groups(traces, designs, whitener, progress):
        coefficient[:, targets] = seen.whitener.coefficient
        for k, (d, m, made) in enumerate(zip(designs, seen.moments, out, strict=True)):

            def solve(d: Design = d, m: Moments = m, seen: Gathered = seen, at: int = targets.start) -> Arrays:
                if not d.factor.is_made:
                    progress("factorising the design", 0, 1)
                    d.factor.make()
                progress("solving for all pairs", at, n)
                beta, variance = solved(d, m, seen.blanked, n_steps, traces.n_threads)
                return {"beta": beta, "variance": variance}

            which = about, k, n_steps, traces.channel[targets].tolist()
            found = traces.keep.made("solution", which, solve)
            made.put(targets, d, m, found["beta"].T, found["variance"])
    progress("inverting each neuron's block", 0, 1)
    blocks = [
        traces.keep.made("blocks", (about, k), lambda d=d: {"inverse": d.factor.inverse_blocks()})["inverse"]
        for k, d in enumerate(designs)
    ]
    return Whitener(coefficient), [
        made.fit(d, block, traces.n_threads) for d, block, made in zip(designs, blocks, out, strict=True)
    ]


class Made(NamedTuple):
    """A fit's arrays while targets are filled in."""

    beta: Float[ndarray, "pre boxes post"]
    share: Float[ndarray, "pre boxes post"]
    noise: Float64[ndarray, "pre post"]
    n_kept: Float64[ndarray, "pre post"]

    @classmethod
    def empty(cls, d: Design, n: int) -> "Made":
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

    def fit(self, d: Design, inverse: Float64[ndarray, "firing boxes boxes"], n_threads: int) -> Fit:
        """Return the fit of all targets; ``inverse`` holds the blocks of the neurons that fire."""
        n_boxes = len(d.boxes.low)
        block = np.zeros((len(d.n_spikes), n_boxes, n_boxes))
        block[:] = np.eye(n_boxes)  # of a silent neuron: cut off from all others
        block[d.factor.firing] = inverse
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
) -> Iterator[tuple[slice, Gathered]]:
    """Yield some hundred targets at a time, and what was gathered of them; blocks of targets are kept as they come."""
    held: list[Gathered] = []
    about = _about(traces, designs, given)
    # moments that take more than the rows that they are made of are made anew
    is_kept = 2 * sum(len(d.total) for d in designs) <= traces.line.n_rows
    keep = traces.keep if is_kept else Kept()
    first = last = 0
    telling = designs[0].telling() if given is None else designs[0].row_weight

    def gather(block: Block) -> Gathered:
        def make() -> Arrays:
            parts, order = list(prepared(traces, block)), traces.options.ar_order
            whitener = autoregression(parts, telling, order) if given is None else given.of(block)
            return moments(parts, whitener, designs, traces.library).arrays()

        return Gathered.of(keep.made("moments", (about, traces.channel[block].tolist()), make), len(designs))

    for gathered in in_order(traces.n_threads, gather, traces.blocks()):
        progress("gathering traces after spikes", last, len(traces.channel))
        held.append(gathered)
        last += len(gathered.blanked)
        if last - first >= SOLVED_AT_ONCE or last == len(traces.channel):
            yield slice(first, last), side_by_side(held)
            held, first = [], last


def _about(traces: Traces, designs: Sequence[Design], given: Whitener | None) -> str:
    """Return a hash of all that moments depend on beside the recording."""
    arrays = {"artefact": traces.artefact_row} | ({} if given is None else {"given": given.coefficient})
    for k, d in enumerate(designs):
        arrays |= {f"rows{k}": d.rows, f"start{k}": d.start, f"weight{k}": d.row_weight, f"edges{k}": d.boxes.edges}
    own = {f"own{j}": rows for j, rows in enumerate(traces.spike_row)}
    return f"{traces.options} {traces.library} {digest(arrays | own)}"


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
