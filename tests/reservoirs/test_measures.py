"""Measures: by hand, and against each other."""

import numpy as np
import pytest

from neurograft.errors import SeriesError
from neurograft.reservoirs import nrmse_mean, nrmse_total, valid_steps, valid_time


def test_the_two_errors_differ_by_the_root_of_the_number_of_variables():
    rng = np.random.default_rng(1)
    truth = rng.standard_normal((50, 3))
    forecast = truth + 0.1 * rng.standard_normal((50, 3))
    same = np.ones(3)
    ratio = nrmse_mean(truth, forecast, variance=same) / nrmse_total(truth, forecast, variance=same)
    assert ratio == pytest.approx(np.sqrt(3))


def test_valid_steps_stop_at_the_first_excess_and_nan_is_an_excess():
    truth = np.zeros((3, 5, 2))
    forecast = truth.copy()
    forecast[0, 3] = [0.8, 0.8]  # scaled by 2: 0.4, which is not above
    forecast[0, 4] = [0.8, 0.9]
    forecast[1, 2, 0] = np.nan
    assert valid_steps(truth, forecast, scale=np.full(2, 2.0)).tolist() == [4, 2, 5]
    found = valid_time(truth, forecast, scale=np.full(2, 2.0), dt=0.5, lyapunov_time=2.0)
    assert found.times.tolist() == [1.0, 0.5, 1.25]
    assert (found.n_cut_off, found.median, found.share_above_one) == (1, 1.0, pytest.approx(1 / 3))


def test_the_interval_of_the_median_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    zeros = np.zeros((40, 60, 1))
    covered = 0
    for _ in range(100):
        steps = rng.integers(1, 60, 40)  # median 30
        forecast = (np.arange(60)[None] >= steps[:, None]).astype(float)[..., None]
        found = valid_time(zeros, forecast, scale=np.ones(1), dt=1.0)
        low, high = found.median_interval(rng)
        covered += low <= 30 <= high
    assert 88 <= covered <= 100  # 95 % of 100, give or take three standard errors


def test_different_steps_are_not_compared():
    with pytest.raises(SeriesError, match="Compare the same steps"):
        nrmse_mean(np.zeros((3, 2)), np.zeros((4, 2)), variance=np.ones(2))
