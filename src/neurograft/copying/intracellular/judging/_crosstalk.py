"""Amplifiers talk to each other: deflections that are an action potential's copy, not a membrane's answer."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.copying.intracellular.judging._triggered import Averages
from neurograft.units import MS

MIN_RATE_HZ = 4000.0  # below it 0.6 ms and 2.5 ms cannot be told apart
ONSET_S = 0.6 * MS  # no chemical synapse answers before
GONE_S = 2.5 * MS  # no membrane is back before
LATE_S = 6 * MS
_ONSET_Z = 4.0
_LATE_SHARE = 0.35  # of the early peak: what may be left after 2.5 ms (a membrane of 10 ms keeps over 0.6)
_EXPLAINED = 0.3  # of the early deflection's power, by the action potential and its derivative


class CrossTalk(NamedTuple):
    """For each pair: is its early deflection the amplifier's, and how large and how late it is."""

    is_cross_talk: Bool[ndarray, " pairs"]
    peak_v: Float64[ndarray, " pairs"]
    peak_s: Float64[ndarray, " pairs"]


def cross_talk(found: Averages, action_potential: Averages) -> CrossTalk:
    """Tell for each pair whether its average starts under 0.6 ms, follows the AP's course and is gone in 2.5 ms.

    ``action_potential`` holds, pair for pair, the presynaptic neuron's own average on the same lags.
    """
    lag_s = found.lag_s
    early = (lag_s >= -1 * MS) & (lag_s <= GONE_S)
    onset = (lag_s >= -1 * MS) & (lag_s <= ONSET_S)
    late = (lag_s > GONE_S) & (lag_s <= LATE_S)
    n = len(found.mean_v)
    is_cross_talk, peak_v, peak_s = np.zeros(n, dtype=np.bool_), np.full(n, np.nan), np.full(n, np.nan)
    for k in range(n):
        mean_v, se_v, own_v = found.mean_v[k], found.se_v[k], action_potential.mean_v[k]
        if not (np.all(np.isfinite(mean_v)) and np.all(np.isfinite(own_v)) and np.all(se_v > 0)):
            continue
        best = np.flatnonzero(early)[np.argmax(np.abs(mean_v[early]))]
        peak_v[k], peak_s[k] = mean_v[best], lag_s[best]
        starts = np.max(np.abs(mean_v[onset] / se_v[onset])) > _ONSET_Z
        left = abs(np.mean(mean_v[late])) / abs(mean_v[best])
        basis = np.column_stack([own_v[early], np.gradient(own_v)[early]])
        weights = np.linalg.lstsq(basis, mean_v[early], rcond=None)[0]
        explained = 1 - np.sum((mean_v[early] - basis @ weights) ** 2) / np.sum(mean_v[early] ** 2)
        is_cross_talk[k] = bool(starts and left < _LATE_SHARE and explained > _EXPLAINED)
    return CrossTalk(is_cross_talk, peak_v, peak_s)
