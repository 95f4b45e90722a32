"""Bits a spike: theory's value, a right map that knows, a wrong one that does not, and nothing to know."""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from neurograft.comparing import PredictionOptions, predict_by_replay, shuffled_map
from neurograft.comparing._prediction import _gain, _poisson_regression
from neurograft.errors import CompareError
from neurograft.maps import synapse_map
from neurograft.network import FitOptions, run, steady_drive
from neurograft.spikes import spike_trains
from neurograft.units import MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")

QUICK = PredictionOptions(n_doubles=8, n_shuffled=3)


def living(n=16, seed=0, weight_v=5 * MV):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(np.delete(np.arange(n), i), 3, replace=False) for i in range(n)])
    weight = np.where(pre < 0.75 * n, 1.0, -1.5) * weight_v * rng.uniform(0.5, 1.5, 3 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 3), weight_v=weight, delay_s=2 * MS)


@pytest.fixture(scope="module")
def recorded():
    drive = steady_drive(16, mean_v=9 * MV, noise_sd_v=4 * MV)
    return run(living(), duration_s=16.0, seed=5, drive=drive).spikes


def test_the_right_map_knows_more_than_any_shuffled_one(recorded):
    found = predict_by_replay(recorded, living(), options=QUICK, seed=1)
    assert found.low > 0.4
    assert found.bits_per_spike > found.shuffled.max() + 0.3
    assert found.low < found.bits_per_spike < found.high
    assert found.p == 1 / 4


def test_with_half_of_the_neurons_clamped_less_is_known_and_still_more_than_by_shuffled_maps(recorded):
    alone = PredictionOptions(n_doubles=8, n_shuffled=0)
    found = predict_by_replay(recorded, living(), options=replace(QUICK, n_shuffled=2, n_folds=2), seed=1)
    every = predict_by_replay(recorded, living(), options=alone, seed=1)
    assert (found.clamped_share, every.clamped_share) == (0.5, 15 / 16)
    assert found.shuffled.max() < found.bits_per_spike < every.bits_per_spike
    assert found.low > 0
    as_many_folds = predict_by_replay(recorded, living(), options=replace(alone, n_folds=16), seed=1)
    assert as_many_folds.bits_per_spike == every.bits_per_spike  # each alone, by another way
    with pytest.raises(CompareError, match="at least 2"):
        PredictionOptions(n_folds=1)


@pytest.mark.slow
def test_a_wrong_map_is_no_better_than_its_shuffles(recorded):
    wrong = shuffled_map(living(), np.random.default_rng(77))
    found = predict_by_replay(recorded, wrong, options=QUICK, seed=1)
    right = predict_by_replay(recorded, living(), options=PredictionOptions(n_doubles=8, n_shuffled=0), seed=1)
    assert found.bits_per_spike < 0.5 * right.bits_per_spike
    assert np.isnan(right.p)


@pytest.mark.slow
def test_nothing_is_known_about_poisson_trains():
    rng = np.random.default_rng(3)
    counts = rng.poisson(8.0 * 16, 16)
    trains = spike_trains(
        time_s=rng.uniform(0, 16, counts.sum()), neuron=np.repeat(np.arange(16), counts), n_neurons=16,
        epochs_s=np.array([[0.0, 16.0]]),
    )  # fmt: skip
    found = predict_by_replay(trains, living(), options=PredictionOptions(n_doubles=8, n_shuffled=0), seed=1)
    assert found.bits_per_spike < 0.02  # it may lose, for its slope is fitted on chance; it cannot gain
    assert found.low < 0.01


def test_a_known_intensity_gains_what_theory_says():
    """Spikes drawn at a known rate that jumps between 2 and 18 Hz: E[r log2(r / mean)] / mean = 0.531 bits."""
    rng, n_bins = np.random.default_rng(0), 400_000
    rate = np.where(rng.random(n_bins) < 0.5, 2.0, 18.0)
    seen = rng.poisson(rate * 2 * MS)[None, :].astype(float)
    expected = np.mean(rate * np.log2(rate / 10.0)) / 10.0
    options = PredictionOptions(n_doubles=1, smooth_s=0.0)
    gain = _gain(rate[None, :], seen, options)
    assert gain.sum() / seen[:, n_bins // 2 :].sum() == pytest.approx(expected, abs=0.03)
    unrelated = _gain(rng.permutation(rate)[None, :], seen, options)
    assert unrelated.sum() / seen[:, n_bins // 2 :].sum() == pytest.approx(0.0, abs=0.01)


def test_the_regression_finds_the_slope_that_made_the_counts():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 50_000))
    y = rng.poisson(np.exp(np.array([[-2.0], [-1.0]]) + np.array([[0.7], [-0.3]]) * x)).astype(float)
    intercept, slope = _poisson_regression(x, y)
    assert slope == pytest.approx([0.7, -0.3], abs=0.04)
    assert intercept == pytest.approx([-2.0, -1.0], abs=0.04)


def test_what_cannot_be_judged_is_refused(recorded):
    with pytest.raises(CompareError, match="not those of the recording"):
        predict_by_replay(recorded, living(n=12), seed=0)
    with pytest.raises(CompareError, match="2e8"):
        predict_by_replay(recorded.between(0.0, 0.02), living(), options=QUICK, seed=0)
    with pytest.raises(CompareError, match="would tell"):
        PredictionOptions(fit=FitOptions())
    with pytest.raises(CompareError, match="no spike"):
        predict_by_replay(
            spike_trains(
                time_s=np.array([0.1]), neuron=np.array([0]), n_neurons=16, epochs_s=np.array([[0.0, 2.0]]),
            ),
            living(), options=PredictionOptions(n_doubles=1, n_shuffled=0), seed=0,
        )  # fmt: skip
