"""Calls from spikes that other calls explain: paths over a third neuron, and one that drives both.

Where synapses are strong (a spike makes another in every second case), the regression of one neuron's spikes on all
others', which is linear, leaves enough of such detours to be significant.  In gains, extra spikes a spike, a detour
i > j > k has about the product of its two steps, and a neuron j before both gives i the share rate_j / rate_i of the
product of its own.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.units import MS

_SLACK_S = 5 * MS  # a neuron on the way fires that much sooner or later than the delays say
_MOST_SHARE = 0.3  # chosen among .2, .3 and .5 on eight networks of 14 neurons


def explained_elsewhere(
    pre: Int64[ndarray, " calls"],
    post: Int64[ndarray, " calls"],
    gain: Float64[ndarray, " calls"],
    delay_s: Float64[ndarray, " calls"],
    rates_hz: Float64[ndarray, " neurons"],
) -> Bool[ndarray, " calls"]:
    """Tell which calls have over three tenths of their gain from detours over other calls, the most explained first.

    A call that is explained explains nothing itself.
    """
    n = rates_hz.size
    step, delay = np.zeros((n, n)), np.full((n, n), np.nan)
    step[pre, post], delay[pre, post] = gain, delay_s
    is_explained = np.zeros(pre.size, dtype=np.bool_)
    left = np.arange(pre.size)
    while left.size:
        share = np.array([_share(step, delay, rates_hz, int(pre[k]), int(post[k])) for k in left])
        left, share = left[share > _MOST_SHARE], share[share > _MOST_SHARE]
        if left.size:
            worst = left[np.argmax(share)]
            is_explained[worst] = True
            step[pre[worst], post[worst]] = 0.0
            left = left[left != worst]
    return is_explained


def _share(step: ndarray, delay: ndarray, rates_hz: ndarray, i: int, k: int) -> float:
    """Return what share of a pair's gain detours of the same sign and at its lags come to."""
    with np.errstate(invalid="ignore"):
        on_the_way = np.abs(delay[i] + delay[:, k] - delay[i, k]) <= _SLACK_S
        before_both = np.abs(delay[:, k] - delay[:, i] - delay[i, k]) <= _SLACK_S
    ways = np.sum((step[i] * step[:, k])[on_the_way])
    ways += np.sum((rates_hz * step[:, i] * step[:, k])[before_both]) / rates_hz[i]
    return float(ways / step[i, k])
