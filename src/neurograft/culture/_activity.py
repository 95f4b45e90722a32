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
    """Return bursts at random times and places, and an Ornstein-Uhlenbeck excitability, for so many seconds."""
    burst_rng, place_rng, slow_rng = rng.spawn(3)
    n_bursts = int(burst_rng.poisson(activity.burst_rate_hz * seconds))
    start_s = np.sort(burst_rng.random(n_bursts) * seconds)
    low, high = position_um[:, :2].min(axis=0), position_um[:, :2].max(axis=0)
    n_knots = math.ceil(seconds / _KNOT_S) + 2
    keep = math.exp(-_KNOT_S / activity.modulation_s)
    kicks = slow_rng.standard_normal(n_knots)
    kicks[1:] *= math.sqrt(1 - keep**2)
    from scipy.signal import lfilter

    return Shared(
        burst_s=start_s,
        burst_um=low + place_rng.random((n_bursts, 2)) * (high - low),
        knots_s=_KNOT_S * np.arange(n_knots),
        knots_v=activity.modulation_v * np.asarray(lfilter([1.0], [1.0, -keep], kicks)),
    )


def sweep(activity: ActivityOptions, *, seconds: float, position_um: ndarray, rng: Generator) -> Shared:
    """Return one burst at 60 % of the time, under every excitability in its due share: a fair short sample."""
    from scipy.special import ndtri

    x = np.linspace(0, 1, 64)
    share = np.clip(1 - np.abs(2 * x - 1), 0.5 / 64, 1 - 0.5 / 64)
    low, high = position_um[:, :2].min(axis=0), position_um[:, :2].max(axis=0)
    has_burst = activity.burst_rate_hz > 0
    return Shared(
        burst_s=np.array([0.6 * seconds] if has_burst else []),
        burst_um=(low + rng.random((1, 2)) * (high - low))[: int(has_burst)],
        knots_s=x * seconds,
        knots_v=activity.modulation_v * ndtri(share),
    )


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
