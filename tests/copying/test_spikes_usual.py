"""Delays and courses that clear synapses share: Bayes' rule written out, and what may not count."""

import numpy as np
import pytest

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._scan import usual_courses
from neurograft.copying.spikes._usual import Seen, by_usual_course

GRIDS = [LagGrid(), LagGrid(bin_s=1e-3)]
CLEAR, DOUBTFUL, NONE = 6.0, -1.0, -5.0


def courses_only(rows):
    """What is seen where the regression has one window, which says the same of all pairs."""
    rows = np.array(rows, dtype=np.float32)
    return Seen(rows, np.zeros((len(rows), 1)))


def with_peak(rng, grid, *, delay_s, height, shape=2, sign=1.0):
    """Unit noise and, from the delay on, a course of the table (delays start at .5 ms)."""
    table = usual_courses(grid)
    k = round((delay_s - 0.5e-3) / max(0.5e-3, grid.bin_s))
    return (rng.standard_normal(grid.n_bins) + sign * height * table[:, shape, k]).astype(np.float32)


def change_by_hand(odds, z, alike):
    """Count the clear ones twice over, then leave each one out for itself; loops over pairs and delays.

    ``z`` is [pair, shape, delay], ``alike`` [delay, delay] says how much two delays are the same.
    """
    _, n_shapes, n_delays = z.shape
    likely = np.exp(0.5 * 0.9 * np.maximum(z.astype(np.float64), 0) ** 2)

    def weights(own):
        delay, shape = np.full(n_delays, 4 / n_delays), np.full(n_shapes, 4 / n_shapes)
        for share in own:
            shape = shape + share.sum(axis=1)
            for d in range(n_delays):
                delay[d] += sum(share[:, e].sum() * alike[d, e] / alike[:, d].sum() for e in range(n_delays))
        return np.outer(shape / shape.sum(), delay / delay.sum())

    clear = [p for p in range(len(odds)) if odds[p] > 0]
    now = weights([])
    for _ in range(2):
        shares = {p: likely[p] * now / np.sum(likely[p] * now) / (1 + np.exp(-odds[p])) for p in clear}
        now = weights(shares.values())
    answer = []
    for p in range(len(odds)):
        mine = weights([s for q, s in shares.items() if q != p]) if p in clear else now
        answer.append(np.log(np.sum(likely[p] * mine) / likely[p].mean()))
    return np.array(answer)


@pytest.mark.parametrize("grid", GRIDS, ids=["half", "whole"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_odds_are_those_of_bayes_rule_written_out(grid, sign):
    rng = np.random.default_rng(1)
    rows = np.array([with_peak(rng, grid, delay_s=d * 1e-3, height=h, sign=sign) for d, h in
                     ((3, 9), (4, 7), (3, 4), (15, 4), (9, 0))])  # fmt: skip
    odds = np.array([CLEAR, 1.0, DOUBTFUL, DOUBTFUL, NONE])
    windows = rng.standard_normal((5, 7)) * 3
    place = np.array([3, 0, 2, 4, 1])
    even, z = np.empty_like(rows), np.empty_like(windows)
    even[place], z[place] = rows, windows
    found = by_usual_course(odds, Seen(even, z), place, grid, sign=sign)
    delay_s = np.arange(usual_courses(grid).shape[2]) * max(0.5e-3, grid.bin_s)
    alike = np.exp(-0.5 * ((delay_s[:, None] - delay_s) / 1e-3) ** 2)
    courses = change_by_hand(odds, sign * np.einsum("pb,bsd->psd", rows, usual_courses(grid)), alike)
    by_window = change_by_hand(odds, sign * windows[:, None, :], np.eye(7))
    np.testing.assert_allclose(found, odds + 0.25 * courses + 0.5 * by_window, rtol=1e-4, atol=1e-4)


def test_a_doubtful_peak_gains_where_clear_synapses_act_and_loses_elsewhere():
    rng, grid = np.random.default_rng(2), GRIDS[0]
    rows = [with_peak(rng, grid, delay_s=3e-3, height=9) for _ in range(20)]
    rows += [with_peak(rng, grid, delay_s=d, height=6) for d in (3e-3, 18e-3)]
    odds = np.array([CLEAR] * 20 + [DOUBTFUL] * 2)
    found = by_usual_course(odds, courses_only(rows), np.arange(22), grid, sign=1.0)
    assert found[20] > DOUBTFUL + 0.25
    assert found[21] < DOUBTFUL - 0.1


def test_a_clear_pair_does_not_count_for_itself():
    rng, grid = np.random.default_rng(3), GRIDS[0]
    rows = [with_peak(rng, grid, delay_s=3e-3, height=9), rng.standard_normal(grid.n_bins)]
    found = by_usual_course(np.array([CLEAR, NONE]), courses_only(rows), np.arange(2), grid, sign=1.0)
    assert found[0] == pytest.approx(CLEAR, abs=1e-6)
    assert found[1] != NONE


def test_without_clear_pairs_nothing_changes():
    rows = courses_only(np.random.default_rng(4).standard_normal((3, GRIDS[0].n_bins)))
    odds = np.array([DOUBTFUL, NONE, -0.1])
    np.testing.assert_array_equal(by_usual_course(odds, rows, np.arange(3), GRIDS[0], sign=1.0), odds)


def test_a_doubtful_window_gains_where_clear_synapses_act_and_loses_elsewhere():
    even = np.zeros((22, GRIDS[0].n_bins), dtype=np.float32)
    windows = np.zeros((22, 6))
    windows[:20, 1] = 9.0
    windows[20, 1] = windows[21, 4] = 5.0
    odds = np.array([CLEAR] * 20 + [DOUBTFUL] * 2)
    found = by_usual_course(odds, Seen(even, windows), np.arange(22), GRIDS[0], sign=1.0)
    assert found[20] > DOUBTFUL + 0.25
    assert found[21] < DOUBTFUL - 0.1
