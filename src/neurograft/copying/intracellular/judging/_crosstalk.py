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
_SAME = 1e-24  # of a course's power: what is left is rounding, as it is the other's multiple


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
    mean_v, own_v = found.mean_v, action_potential.mean_v
    known = np.asarray(np.isfinite(mean_v + own_v) & (found.se_v > 0)).all(axis=1)
    n = len(mean_v)
    is_cross_talk, peak_v, peak_s = np.zeros(n, np.bool_), np.full(n, np.nan), np.full(n, np.nan)
    mean_v, own_v, se_v = mean_v[known], own_v[known], found.se_v[known]
    if not known.any():
        return CrossTalk(is_cross_talk, peak_v, peak_s)
    best = np.flatnonzero(early)[np.argmax(np.abs(mean_v[:, early]), axis=1)]
    peak_v[known], peak_s[known] = mean_v[np.arange(len(best)), best], lag_s[best]
    starts = np.max(np.abs(mean_v[:, onset] / se_v[:, onset]), axis=1) > _ONSET_Z
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.abs(mean_v[:, late].mean(axis=1)) / np.abs(peak_v[known])
        explained = _explained(mean_v[:, early], own_v[:, early], np.gradient(own_v, axis=1)[:, early])
    is_cross_talk[known] = starts & (left < _LATE_SHARE) & (explained > _EXPLAINED)
    return CrossTalk(is_cross_talk, peak_v, peak_s)


def _explained(
    answer: Float64[ndarray, "pairs lags"], one: Float64[ndarray, "pairs lags"], other: Float64[ndarray, "pairs lags"]
) -> Float64[ndarray, " pairs"]:
    """Return the share of each answer's power that two courses explain by least squares (Gram and Schmidt)."""
    power, total = np.zeros(len(answer)), np.sum(answer**2, axis=1)
    whole = np.sum(one**2, axis=1)
    rest = other - (np.sum(one * other, axis=1) / np.where(whole > 0, whole, 1.0))[:, None] * one
    for course, least in ((one, 0.0), (rest, _SAME * np.sum(other**2, axis=1))):
        norm = np.sum(course**2, axis=1)
        power += np.where(norm > least, np.sum(course * answer, axis=1) ** 2 / np.where(norm > 0, norm, 1.0), 0.0)
    return power / total
