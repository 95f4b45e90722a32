"""The p-value of the best of several windows, against direct simulation."""

import numpy as np
import pytest
from scipy import stats

from neurograft.copying.spikes._windows import selection_table, strongest

CORRELATION = np.array([[1.0, 0.7, 0.4], [0.7, 1.0, 0.7], [0.4, 0.7, 1.0]])


def test_the_strongest_of_correlated_windows_is_standard_normal_under_the_null():
    rng = np.random.default_rng(1)
    z = rng.multivariate_normal(np.zeros(3), CORRELATION, size=200_000)
    single, _ = strongest(z, selection_table(CORRELATION))
    for level in (0.5, 0.1, 0.01, 0.001):
        share = np.mean(2 * stats.norm.sf(np.abs(single)) < level)
        # Binomial error of 200,000 draws plus the table's own 20,000; the bound may only err to the safe side.
        assert share == pytest.approx(level, rel=0.1)
    assert np.mean(single > 0) == pytest.approx(0.5, abs=0.005)


def test_the_tail_lies_between_one_look_and_independent_looks():
    table = selection_table(CORRELATION)
    for x in (4.0, 8.0, 20.0):
        single, _ = strongest(np.array([[0.0, x, 0.0]]), table)
        p = np.exp(stats.norm.logsf(single[0]) - stats.norm.logsf(x))
        assert 1.0 < p <= 3.0


def test_one_window_is_its_own_single_statistic():
    table = selection_table(np.ones((1, 1)))
    z = np.array([[-3.0], [0.5], [12.0], [50.0]])
    single, window = strongest(z, table)
    np.testing.assert_allclose(single, z[:, 0], atol=0.03)  # body from 20,000 draws
    assert np.array_equal(window, np.zeros(4))


def test_windows_that_are_the_same_cost_nothing():
    table = selection_table(np.ones((2, 2)))
    single, _ = strongest(np.array([[6.0, 6.0]]), table)
    assert single[0] == pytest.approx(6.0, abs=1e-6)


def test_sign_and_window_are_those_of_the_largest_and_nan_loses():
    single, window = strongest(np.array([[1.0, -5.0, 3.0], [np.nan, 2.0, np.nan]]), selection_table(CORRELATION))
    assert single[0] < -4.0
    assert window.tolist() == [1, 1]
