"""How near steps without a factor bring coefficients of potentials, in standard errors: from nothing, and from an
answer of the recording's first part.

    python benchmarks/copy_steps.py [--neurons 200] [--targets 32] [--seed 1] [--columns-a-row 0.03] [--old 0.84]

Neurons fire at 2 Hz, evenly, or two of five spikes in bursts of 150 ms, one every four seconds, whose rows weigh as
much as others, a half, or a quarter.  There are as many columns a row as 2,000 neurons have in 19 minutes.  Traces are
white noise with twelve synapses of ten standard errors or so; every other target is blanked around its own spikes.  The
exact answer is that of the Cholesky factor, with blanks filled in for sixty steps.
"""

import argparse

import numpy as np
from numpy import ndarray

from neurograft.copying.intracellular.regression._conjugate import State, step
from neurograft.copying.intracellular.regression._design import add_box_sums, lag_boxes
from neurograft.copying.intracellular.regression._factored import Design, design
from neurograft.copying.intracellular.regression._gram import Factor
from neurograft.copying.intracellular.regression._iterated import Equations, distance
from neurograft.copying.intracellular.regression._moments import Moments
from neurograft.copying.intracellular.regression._near import Near
from neurograft.copying.intracellular.regression._solve import solved

BOXES = lag_boxes(1000.0)
BURST_ROWS, BURST_EVERY, IN_BURSTS, RATE_HZ = 150, 4000, 0.4, 2.0
LEAST_SHARE, N_STEPS = 0.1, 5


def firing(n: int, n_rows: int, in_bursts: float, rng: np.random.Generator) -> tuple[tuple[ndarray, ...], ndarray]:
    """Return trains of neurons, and the rows that lie in bursts."""
    starts = np.arange(500, n_rows - 1000, BURST_EVERY)
    starts += rng.integers(0, BURST_EVERY // 2, len(starts))
    starts = starts[starts < n_rows - 1000]
    trains = []
    for _ in range(n):
        count = rng.poisson(RATE_HZ * n_rows / 1000)
        rows = rng.integers(100, n_rows - 100, count)
        is_in = rng.random(count) < in_bursts
        rows[is_in] = rng.choice(starts, is_in.sum()) + rng.integers(0, BURST_ROWS, is_in.sum())
        trains.append(np.unique(rows).astype(np.int64))
    bursts = (starts[:, None] + np.arange(BURST_ROWS + 30)).ravel()
    return tuple(trains), bursts


def traces(trains: tuple[ndarray, ...], n_rows: int, targets: int, rng: np.random.Generator) -> tuple[ndarray, ndarray]:
    """Return each target's innovations and which rows it keeps."""
    e, keep = rng.standard_normal((n_rows, targets)), np.ones((n_rows, targets))
    for j in range(targets):
        sizes = 10.0 / np.sqrt(RATE_HZ * n_rows / 1000) * rng.lognormal(0.0, 1.0, 12) * rng.choice([-1.0, 1.0], 12)
        for i, size in zip(rng.choice(len(trains), 12), sizes, strict=True):
            for lag in range(2, 12):
                e[trains[i] + lag, j] += size * np.exp(-(lag - 2) / 4)
        if j % 2 == 0:
            for lag in range(-5, 12):
                keep[trains[j] + lag, j] = 0.0
    return e, keep


def moments(d: Design, e: ndarray, keep: ndarray) -> tuple[Moments, list[ndarray]]:
    """Return the sums that the regression takes, and the blanked intervals of each target."""
    worth = d.row_weight[:, None] * keep
    sums, kept = (np.zeros((len(d.total), e.shape[1])) for _ in range(2))
    add_box_sums(d.rows, d.start, BOXES, first_row=0, values=worth * e, sums=sums)
    add_box_sums(d.rows, d.start, BOXES, first_row=0, values=worth, sums=kept)
    kept[kept < 1e-9 * d.total[:, None]] = 0.0
    near = np.zeros((len(d.start) - 1, e.shape[1]))
    plain = worth.sum(axis=0), (worth * e).sum(axis=0), (worth * e**2).sum(axis=0)
    edges = [np.flatnonzero(np.diff(np.concatenate([[1.0], own, [1.0]]))) for own in keep.T]
    dtype = d.factor.dtype
    return Moments(sums.astype(dtype), kept.astype(dtype), *plain, near), [one.reshape(-1, 2) for one in edges]


def main() -> None:
    """Print a table for each kind of firing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=200)
    parser.add_argument("--targets", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--columns-a-row", type=float, default=0.03)
    parser.add_argument("--old", type=float, default=0.84, help="share of the recording that the older answer saw")
    told = parser.parse_args()
    n_rows = round(told.neurons * len(BOXES.low) / told.columns_a_row)
    for name, in_bursts, weight in (("even", 0.0, 1.0), *((f"bursts x {w}", IN_BURSTS, w) for w in (1.0, 0.5, 0.25))):
        rng = np.random.default_rng(told.seed)
        trains, bursts = firing(told.neurons, n_rows, in_bursts, rng)
        worth = rng.uniform(0.5, 1.0, n_rows)
        worth[bursts] *= weight
        print(name, flush=True)
        show(trains, worth, *traces(trains, n_rows, told.targets, rng), round(told.old * n_rows))


def show(trains: tuple[ndarray, ...], worth: ndarray, e: ndarray, keep: ndarray, n_old: int) -> None:
    """Print how far coefficients are from the exact ones after each step, and what the residual tells of it."""
    d = design(trains, BOXES, worth)
    m, blanked = moments(d, e, keep)
    assert isinstance(d.factor, Factor)
    matrix = d.factor.unfactorised()
    before = design(tuple(train[train < n_old - BOXES.reach] for train in trains), BOXES, worth[:n_old])
    assert isinstance(before.factor, Factor)
    near = Near.of(before.factor.unfactorised(), len(BOXES.low), np.random.default_rng(0))
    blocks = Near.of(matrix, len(BOXES.low), np.random.default_rng(0)).inverse_blocks(matrix, np.random.default_rng(1))
    exact, variance = solved(d, m, blanked, 60, 1)
    own, inverse = (np.einsum("iaa->ia", one).reshape(-1) for one in (blocks, d.factor.inverse_blocks()))
    print(f"  standard errors without a factor: off by {np.sqrt(np.mean((np.sqrt(own / inverse) - 1) ** 2)):.2%}")
    share = m.kept.T / np.maximum(d.total, 1.0)
    is_seen, noise = share > LEAST_SHARE, np.sqrt(variance)
    error = np.sqrt(inverse / np.maximum(share, LEAST_SHARE)) * noise[:, None]

    def off(beta: ndarray) -> float:
        return float(np.sqrt(np.sum(np.where(is_seen, (beta - exact) / error, 0.0) ** 2) / is_seen.sum()))

    equations = Equations.of(matrix, _Older(near, np.sqrt(before.total / d.total)), d, m, blanked)
    old = solved(before, *moments(before, e[:n_old], keep[:n_old]), 60, 1)[0]
    for name, beta in (("nothing", np.zeros_like(exact)), (f"the first {n_old / len(e):.0%}", old)):
        state = State.left(beta, equations.residual(beta))
        for k in range(N_STEPS):
            tells = np.sqrt(np.mean(distance(equations, state.residual, blocks, noise) ** 2))
            done = off(state.beta + equations.nearly_solved(state.residual))
            print(f"  from {name}, {k} products: {off(state.beta):.4f} (told {tells:.4f}), corrected {done:.4f}")
            state = step(equations, state)


class _Older:
    """What was near the inverse of the first part's matrix, scaled to the columns' totals as they are now."""

    def __init__(self, near: Near, scale: ndarray) -> None:
        self.near, self.scale = near, scale

    def apply(self, right: ndarray) -> ndarray:
        return self.near.apply(right * self.scale) * self.scale


if __name__ == "__main__":
    main()
