"""What drives a culture from outside: steady drive, network bursts that spread, slow shared excitability."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._options import ActivityOptions
from neurograft.units import MS

ROW_S = 1 * MS  # how often the drive changes
_KNOT_S = 0.1  # spacing of the slow excitability's knots
_FORGOTTEN = 12.0  # intervals or time constants after which a process no longer knows how it started
SWEEP_SIGMA = 3.0  # a sweep's largest excitability, in standard deviations
_RISE_S, _FALL_S = 20 * MS, 50 * MS  # a burst's edges
_UM = 1e-6


class Shared(NamedTuple):
    """What all neurons feel: bursts (start, place), and slow excitability at knots from time 0 on."""

    burst_s: Float64[ndarray, " bursts"]
    burst_um: Float64[ndarray, "bursts 2"]
    knots_s: Float64[ndarray, " knots"]
    knots_v: Float64[ndarray, " knots"]


def shared_activity(
    activity: ActivityOptions, *, seconds: float, position_um: Float64[ndarray, "neurons 3"], rng: Generator
) -> Shared:
    """Return bursts at irregular times and random places, and a slow excitability, for so many seconds."""
    burst_rng, place_rng, slow_rng = rng.spawn(3)
    start_s = _burst_times_s(activity, seconds=seconds, rng=burst_rng)
    low, high = position_um[:, :2].min(axis=0), position_um[:, :2].max(axis=0)
    n_knots = math.ceil(seconds / _KNOT_S) + 2
    return Shared(
        burst_s=start_s,
        burst_um=low + place_rng.random((start_s.size, 2)) * (high - low),
        knots_s=_KNOT_S * np.arange(n_knots),
        knots_v=activity.modulation_v * _slow(n_knots, activity.modulation_s / _KNOT_S, slow_rng),
    )


def _burst_times_s(activity: ActivityOptions, *, seconds: float, rng: Generator) -> Float64[ndarray, " bursts"]:
    """Return times of bursts whose intervals are gamma variables, as a piece of a train that has always been."""
    if activity.burst_rate_hz <= 0:
        return np.zeros(0)
    shape = 1.0 / activity.burst_cv**2
    before_s = _FORGOTTEN / activity.burst_rate_hz
    n_enough = round(1.5 * activity.burst_rate_hz * (before_s + seconds) + 10 * _FORGOTTEN * activity.burst_cv**2)
    interval_s = rng.gamma(shape, 1.0 / (shape * activity.burst_rate_hz), n_enough)
    time_s = np.cumsum(interval_s) - before_s
    return time_s[(time_s >= 0) & (time_s < seconds)]


def _slow(n: int, time_knots: float, rng: Generator) -> Float64[ndarray, " knots"]:
    """Return noise of unit variance without power at frequency 0, so that no minute is all loud or all silent.

    Its correlation at lag t is (1 - t/T) exp(-t/T): white noise through a high and a low pass of time T.
    """
    from scipy.signal import lfilter

    keep = math.exp(-1.0 / time_knots)
    n_before = math.ceil(_FORGOTTEN * time_knots)
    white = rng.standard_normal(n_before + n)
    passed = np.asarray(lfilter([1.0, -1.0], [1.0, -2 * keep, keep**2], white))[n_before:]
    return passed * math.sqrt(0.5 * (1 + keep) ** 3 * (1 - keep))  # sum of squares of the impulse response


def sweep(
    activity: ActivityOptions, *, seconds: float, position_um: ndarray, burst_at: float, rng: Generator
) -> Shared:
    """Return an excitability that rises evenly through all sizes and falls again, and one burst while it rises.

    ``burst_at``, 0 to 1, is the share of time at which the excitability is lower than where the burst comes.
    """
    from scipy.special import ndtri

    low, high = position_um[:, :2].min(axis=0), position_um[:, :2].max(axis=0)
    n_bursts = int(activity.burst_rate_hz > 0)
    rise = 0.5 + np.clip(ndtri([burst_at] * n_bursts), -SWEEP_SIGMA, SWEEP_SIGMA) / (2 * SWEEP_SIGMA)
    return Shared(
        burst_s=0.5 * seconds * rise,
        burst_um=low + rng.random((n_bursts, 2)) * (high - low),
        knots_s=np.array([0.0, 0.5, 1.0]) * seconds,
        knots_v=activity.modulation_v * SWEEP_SIGMA * np.array([-1.0, 1.0, -1.0]),
    )


def share_of_time(edge_s: Float64[ndarray, " edges"], seconds: float) -> Float64[ndarray, " between"]:
    """Return how often a culture is as excitable as between two edges of a sweep (normal excitability)."""
    from scipy.special import ndtr

    sigma = np.interp(edge_s / seconds, [0.0, 0.5, 1.0], SWEEP_SIGMA * np.array([-1.0, 1.0, -1.0]))
    return np.maximum(np.abs(np.diff(ndtr(sigma))), 1e-12)


def drive_v(
    activity: ActivityOptions,
    shared: Shared,
    *,
    start_s: float,
    n_rows: int,
    steady_v: Float64[ndarray, " neurons"],
    burst_gain: Float64[ndarray, " neurons"],
    position_um: Float64[ndarray, "neurons 3"],
) -> Float64[ndarray, "rows neurons"]:
    """Return the depolarisation that outside currents would make at steady state, one row a millisecond."""
    time_s = start_s + ROW_S * np.arange(n_rows)
    rows = np.interp(time_s, shared.knots_s, shared.knots_v)[:, None] + steady_v[None, :]
    reach_s = activity.burst_s + 8 * _FALL_S
    for begin_s, place_um in zip(shared.burst_s, shared.burst_um, strict=True):
        lag_s = _UM * np.hypot(*(position_um[:, :2] - place_um).T) / activity.burst_speed_m_per_s
        if begin_s > time_s[-1] or begin_s + lag_s.max() + reach_s < time_s[0]:
            continue
        rows += activity.burst_v * burst_gain * _pulse(time_s[:, None] - begin_s - lag_s, activity.burst_s)
    return rows


def _pulse(since_s: Float64[ndarray, "rows neurons"], length_s: float) -> Float64[ndarray, "rows neurons"]:
    rising = 1 - np.exp(-np.clip(since_s, 0, length_s) / _RISE_S)
    return rising * np.exp(-np.maximum(since_s - length_s, 0) / _FALL_S)
