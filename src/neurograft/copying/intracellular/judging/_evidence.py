"""Bayes factors of every template at every pair, weighed by how common each is: the inner loop of a judgement.

The same numbers as those that a mixture is learnt from, pair by pair, without arrays of pairs x templates x sizes.
For amplitudes of prior sd s seen with information I: r = I s^2, x = |z| sqrt(r / (1 + r)).  A half-normal prior of
the seen sign has Bayes factor exp(x^2 / 2) (2 - erfc(x / sqrt 2)) / sqrt(1 + r), of the other sign
exp(x^2 / 2) erfc(x / sqrt 2) / sqrt(1 + r); their mean is the normal prior's (Wakefield 2009, eq. 2).
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._bells import decay, tail


class Weighed(NamedTuple):
    """Each explanation's share times its Bayes factor, over one scale a pair that cancels."""

    plus: Float64[ndarray, "pairs direct"]
    minus: Float64[ndarray, "pairs direct"]
    rival: Float64[ndarray, "pairs rivals"]
    nothing: Float64[ndarray, " pairs"]  # Bayes factor 1, over the scale


def weighed(
    z: Float64[ndarray, "templates pre post"],
    information: Float64[ndarray, "templates pre post"],
    pairs: Int64[ndarray, "pairs 2"],
    *,
    sd: float,
    is_direct: Bool[ndarray, " templates"],
    is_under: Bool[ndarray, " templates"],
    is_talk: Bool[ndarray, " templates"],
    direct_share: Float64[ndarray, "direct sizes"],
    rival_share: Float64[ndarray, "rivals rival_sizes"],
    direct_sd_v: Float64[ndarray, " sizes"],
    rival_sd_v: Float64[ndarray, " rival_sizes"],
) -> Weighed:
    """Return what each template's sizes come to; templates beneath cross-talk carry that of its pulses as well.

    ``sd`` is that of z where there is no synapse.
    """
    n = len(pairs)
    out = Weighed(
        np.empty((n, len(direct_share))), np.empty((n, len(direct_share))), np.empty((n, len(rival_share))), np.empty(n)
    )
    direct, rivals = np.flatnonzero(is_direct), np.flatnonzero(~is_direct)
    _weigh(
        z, information, pairs, 1 / sd**2, direct, rivals, is_under[direct], is_talk[rivals],
        np.ascontiguousarray(direct_share.T), np.ascontiguousarray(rival_share.T), direct_sd_v**2, rival_sd_v**2, *out,
    )  # fmt: skip
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _weigh(
    z, information, pairs, narrower, direct, rivals, is_under, is_talk, direct_share, rival_share, direct_v2, rival_v2,
    plus, minus, rival, nothing,
):  # fmt: skip
    n_direct, n_rivals = len(direct), len(rivals)
    power, known, under = np.empty(n_direct), np.empty(n_direct), is_under.astype(np.float64)
    rival_power, rival_known = np.empty(n_rivals), np.empty(n_rivals)
    largest, rival_largest = direct_v2.max(), rival_v2.max()
    for p in range(len(pairs)):
        i, j = pairs[p]
        for t in range(n_direct):
            power[t] = 0.5 * narrower * z[direct[t], i, j] ** 2
            known[t] = narrower * information[direct[t], i, j]
        for t in range(n_rivals):
            rival_power[t] = 0.5 * narrower * z[rivals[t], i, j] ** 2
            rival_known[t] = narrower * information[rivals[t], i, j]
        talk = _log_mean_of_pulses(rival_power, rival_known, is_talk, rival_v2)
        top = 0.0
        for t in range(n_direct):  # the largest size fits best
            r = known[t] * largest
            top = max(top, power[t] * r / (1.0 + r) + under[t] * max(talk, 0.0))
        for t in range(n_rivals):
            r = rival_known[t] * rival_largest
            top = max(top, rival_power[t] * r / (1.0 + r))
        nothing[p] = math.exp(-top)
        seen, other, total = plus[p], minus[p], rival[p]
        seen[:] = 0.0
        other[:] = 0.0
        total[:] = 0.0
        for s in range(len(direct_v2)):
            v2, share = direct_v2[s], direct_share[s]
            for t in range(n_direct):
                r = known[t] * v2
                flat = 1.0 / (1.0 + r)
                half = power[t] * r * flat
                size = share[t] * math.sqrt(flat)
                seen[t] += 2.0 * size * decay(half + under[t] * talk - top)
                other[t] += size * tail(math.sqrt(half))
        bare, beneath = math.exp(-top), math.exp(talk - top)
        for t in range(n_direct):
            other[t] *= bare if under[t] == 0.0 else beneath
            seen[t] -= other[t]
        for t in range(n_direct):
            if z[direct[t], i, j] < 0.0:
                seen[t], other[t] = other[t], seen[t]
        for s in range(len(rival_v2)):
            v2, share = rival_v2[s], rival_share[s]
            for t in range(n_rivals):
                r = rival_known[t] * v2
                flat = 1.0 / (1.0 + r)
                total[t] += share[t] * math.sqrt(flat) * decay(rival_power[t] * r * flat - top)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _log_mean_of_pulses(power, known, is_talk, sizes_v2):
    """Return the log of the mean Bayes factor of pulses of all sizes; 0 where there are no pulses."""
    top, n_pulses, total = 0.0, 0, 0.0
    for t in range(len(power)):
        if is_talk[t]:
            r = known[t] * sizes_v2.max()
            top = max(top, power[t] * r / (1.0 + r))
            n_pulses += 1
    if n_pulses == 0:
        return 0.0
    for t in range(len(power)):
        if is_talk[t]:
            for v2 in sizes_v2:
                r = known[t] * v2
                total += math.exp(power[t] * r / (1.0 + r) - top) / math.sqrt(1.0 + r)
    return math.log(total / (n_pulses * len(sizes_v2))) + top
