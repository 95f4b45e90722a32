"""What drives a culture from outside: bursts and slow excitability have the statistics asked for."""

import numpy as np
import pytest

from neurograft.culture import ActivityOptions
from neurograft.culture._activity import Shared, share_of_time, shared_activity, sweep

PLACES = np.column_stack([np.arange(4) * 50.0, np.arange(4) * 20.0, np.zeros(4)])


def shared(seconds: float = 4000.0, seed: int = 1, **changed: float) -> Shared:
    options = ActivityOptions(**changed)
    return shared_activity(options, seconds=seconds, position_um=PLACES, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("cv", [0.3, 1.0])
def test_bursts_come_at_their_rate_and_as_irregularly_as_asked(cv: float) -> None:
    interval_s = np.diff(shared(burst_rate_hz=0.5, burst_cv=cv).burst_s)
    # About 2,000 gamma intervals; four standard errors of mean and spread.
    assert interval_s.mean() == pytest.approx(2.0, abs=4 * 2.0 * cv / np.sqrt(2000))
    assert interval_s.std() / interval_s.mean() == pytest.approx(cv, rel=0.1)


def test_bursts_start_anywhere_from_the_first_second_on() -> None:
    first = np.array([shared(60.0, seed, burst_rate_hz=0.5).burst_s[0] for seed in range(200)])
    # The wait from any moment to the next burst: mean (1 + cv^2) / 2 intervals, here 1.25 s.
    assert first.mean() == pytest.approx(1.25, abs=4 * first.std() / np.sqrt(200))
    place_um = shared(burst_rate_hz=0.5).burst_um
    assert np.ptp(place_um, axis=0) == pytest.approx([150.0, 60.0], rel=0.05)


def test_excitability_is_normal_of_the_size_asked_for_and_forgets_itself_in_the_time_asked_for() -> None:
    x = shared(modulation_v=2e-3, modulation_s=4.0).knots_v
    assert x.std() == pytest.approx(2e-3, rel=0.05)
    assert np.mean(np.abs(x) < 2e-3) == pytest.approx(0.683, abs=0.03)
    for lag_s in (2.0, 4.0, 8.0):
        lag = round(lag_s / 0.1)
        found = np.mean(x[:-lag] * x[lag:]) / x.var()
        assert found == pytest.approx((1 - lag_s / 4.0) * np.exp(-lag_s / 4.0), abs=0.1)


def test_no_minute_is_all_loud_or_all_silent() -> None:
    x = shared(6000.0, modulation_v=1.0e-3, modulation_s=5.0).knots_v
    minutes = x[: 600 * 100].reshape(100, 600).mean(axis=1)
    # An Ornstein-Uhlenbeck process of that time would scatter by sqrt(2 * 5 / 60) = 0.41 of its size.
    assert minutes.std() < 0.2e-3


def test_a_longer_recording_starts_as_a_shorter_one() -> None:
    short, long = shared(100.0), shared(300.0)
    assert np.array_equal(long.knots_v[:900], short.knots_v[:900])
    assert np.array_equal(long.burst_s[: short.burst_s.size], short.burst_s)


def test_a_sweep_meets_every_excitability_and_its_weights_are_those_of_a_normal_variable() -> None:
    made = sweep(ActivityOptions(), seconds=3.0, position_um=PLACES, burst_at=0.5, rng=np.random.default_rng(0))
    assert made.burst_s == pytest.approx([0.75])  # the median excitability comes in the middle of the rise
    edge_s = np.linspace(0, 3.0, 601)
    weight = share_of_time(edge_s, 3.0)
    x = np.interp(0.5 * (edge_s[1:] + edge_s[:-1]), made.knots_s, made.knots_v)
    assert np.average(x, weights=weight) == pytest.approx(0.0, abs=1e-9)
    assert np.average(x**2, weights=weight) == pytest.approx(1e-6, rel=0.05)  # 3 standard deviations hold 97 %
    assert np.average(np.exp(x / 1e-3), weights=weight) == pytest.approx(np.exp(0.5), rel=0.05)
