"""Spike trains drawn at random, even or in bursts that all share, and targets that answer to them, some with blanks."""

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from neurograft.copying.intracellular.regression._design import add_box_sums, lag_boxes
from neurograft.copying.intracellular.regression._factored import Design, design
from neurograft.copying.intracellular.regression._moments import Moments

BOXES = lag_boxes(1000.0)


def drawn_trains(n, n_rows, rng, *, in_bursts=0.0, rate_hz=2.0, burst_rows=150):
    """That share of all spikes falls into bursts, one every four seconds."""
    starts = np.arange(300, n_rows - 600, 4000)
    out = []
    for _ in range(n):
        count = rng.poisson(rate_hz * n_rows / 1000)
        own = rng.integers(100, n_rows - 100, count)
        is_in = rng.random(count) < in_bursts
        own[is_in] = rng.choice(starts, is_in.sum()) + rng.integers(0, burst_rows, is_in.sum())
        out.append(np.unique(own).astype(np.int64))
    return tuple(out)


def worth_of(trains, n_rows, rng):
    """Rows' weights: less where many spikes are, as in a recording, and no two the same."""
    load = np.convolve(np.bincount(np.concatenate(trains), minlength=n_rows), np.ones(50), mode="same")
    return rng.uniform(0.8, 1.0, n_rows) / np.maximum(load / np.mean(load), 1.0) ** 0.5


class Seen(NamedTuple):
    """A design with what some targets answered, of which every other one is blanked around its own spikes."""

    design: Design
    trains: tuple[ndarray, ...]
    worth: ndarray
    e: ndarray  # [rows, targets]
    keep: ndarray
    moments: Moments
    blanked: list[ndarray]


def seen(n, n_rows, n_targets, *, in_bursts, seed):
    """Standard normal noise; each target has five synapses, of ten standard errors or so."""
    rng = np.random.default_rng(seed)
    trains = drawn_trains(n, n_rows, rng, in_bursts=in_bursts)
    worth = worth_of(trains, n_rows, rng)
    d = design(trains, BOXES, worth)
    e, keep = rng.standard_normal((n_rows, n_targets)), np.ones((n_rows, n_targets))
    for j in range(n_targets):
        for i, size in zip(rng.choice(n, 5, replace=False), rng.lognormal(0.0, 1.0, 5), strict=True):
            for lag in range(2, 12):
                e[trains[i] + lag, j] += size * np.exp(-(lag - 2) / 4)
        if j % 2 == 0:
            for lag in range(-5, 12):
                keep[trains[j] + lag, j] = 0.0
    weighed, sums = worth[:, None] * keep * e, np.zeros((len(d.total), n_targets))
    squares, kept = np.zeros((n, n_targets)), np.zeros((len(d.total), n_targets))
    add_box_sums(d.rows, d.start, BOXES, first_row=0, values=weighed, sums=sums)
    add_box_sums(d.rows, d.start, BOXES, first_row=0, values=worth[:, None] * keep, sums=kept)
    kept[kept < 1e-9 * d.total[:, None]] = 0.0
    weight, dtype = (worth[:, None] * keep).sum(axis=0), d.factor.dtype
    m = Moments(sums.astype(dtype), kept.astype(dtype), weight, weighed.sum(axis=0), (weighed * e).sum(axis=0), squares)
    edges = [np.flatnonzero(np.diff(np.concatenate([[1.0], keep[:, j], [1.0]]))) for j in range(n_targets)]
    return Seen(d, trains, worth, e, keep, m, [np.ascontiguousarray(each.reshape(-1, 2)) for each in edges])
