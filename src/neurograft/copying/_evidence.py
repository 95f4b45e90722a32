"""Bayes factors of every template at every pair, weighed by how common each is: the inner loop of a judgement.

The same numbers as those that a mixture is learnt from, pair by pair, without arrays of pairs x templates x sizes.
For amplitudes of prior sd s seen with information I: r = I s^2, x = |z| sqrt(r / (1 + r)).  A half-normal prior of
the seen sign has Bayes factor exp(x^2 / 2) (2 - erfc(x / sqrt 2)) / sqrt(1 + r), of the other sign
exp(x^2 / 2) erfc(x / sqrt 2) / sqrt(1 + r); their mean is the normal prior's (Wakefield 2009, eq. 2).
"""

# ruff: noqa: PLR0912, PLR0917  (kernels loop, and take their arrays by position)
import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float64
from numba import njit
from numpy import ndarray

_FAR = 30.0  # beyond, erfc comes from its asymptotic series: relative error under 2e-10
_ROOT_2_OVER_PI = math.sqrt(2 / math.pi)


class Weighed(NamedTuple):
    """Each explanation's share times its Bayes factor, over one scale a pair that cancels."""

    plus: Float64[ndarray, "pairs direct"]
    minus: Float64[ndarray, "pairs direct"]
    rival: Float64[ndarray, "pairs rivals"]
    nothing: Float64[ndarray, " pairs"]  # Bayes factor 1, over the scale


def weighed(
    z: Float64[ndarray, "pairs templates"],
    information: Float64[ndarray, "pairs templates"],
    *,
    is_direct: Bool[ndarray, " templates"],
    is_under: Bool[ndarray, " templates"],
    is_talk: Bool[ndarray, " templates"],
    direct_share: Float64[ndarray, "direct sizes"],
    rival_share: Float64[ndarray, "rivals rival_sizes"],
    direct_sd_v: Float64[ndarray, " sizes"],
    rival_sd_v: Float64[ndarray, " rival_sizes"],
) -> Weighed:
    """Return what each template's sizes come to; templates beneath cross-talk carry that of its pulses as well."""
    n = len(z)
    out = Weighed(
        np.empty((n, len(direct_share))), np.empty((n, len(direct_share))), np.empty((n, len(rival_share))), np.empty(n)
    )
    _weigh(
        np.ascontiguousarray(z), np.ascontiguousarray(information), is_direct, is_under, is_talk,
        direct_share, rival_share, direct_sd_v**2, rival_sd_v**2, *out,
    )  # fmt: skip
    return out


@njit(cache=True, nogil=True)
@no_type_check
def _weigh(
    z, information, is_direct, is_under, is_talk, direct_share, rival_share, direct_v2, rival_v2, plus, minus, rival,
    nothing,
):  # fmt: skip
    n_templates = len(is_direct)
    for p in range(len(z)):
        top, pulse_top, n_pulses = 0.0, 0.0, 0
        for t in range(n_templates):
            if is_talk[t]:
                r = information[p, t] * rival_v2.max()  # the largest size fits best
                pulse_top = max(pulse_top, 0.5 * z[p, t] ** 2 * r / (1.0 + r))
                n_pulses += 1
        talk = 0.0
        if n_pulses > 0:  # log of the mean Bayes factor of pulses
            for t in range(n_templates):
                if is_talk[t]:
                    for v2 in rival_v2:
                        r = information[p, t] * v2
                        talk += math.exp(0.5 * z[p, t] ** 2 * r / (1.0 + r) - pulse_top) / math.sqrt(1.0 + r)
            talk = math.log(talk / (n_pulses * len(rival_v2))) + pulse_top
        for t in range(n_templates):
            r = information[p, t] * (direct_v2.max() if is_direct[t] else rival_v2.max())
            top = max(top, 0.5 * z[p, t] ** 2 * r / (1.0 + r) + (max(talk, 0.0) if is_under[t] else 0.0))
        nothing[p] = math.exp(-top)
        d, k = 0, 0
        for t in range(n_templates):
            power = 0.5 * z[p, t] * z[p, t]
            if is_direct[t]:
                seen, other = 0.0, 0.0
                base = (talk if is_under[t] else 0.0) - top
                for s in range(len(direct_v2)):
                    r = information[p, t] * direct_v2[s]
                    shrunk, root = r / (1.0 + r), math.sqrt(1.0 + r)
                    x = math.sqrt(2.0 * power * shrunk)
                    factor = direct_share[d, s] * math.exp(power * shrunk + base) / root
                    if x < _FAR:
                        tail = math.erfc(x * math.sqrt(0.5))
                        seen += factor * (2.0 - tail)
                        other += factor * tail
                    else:
                        x2 = x * x
                        series = _ROOT_2_OVER_PI / x * (1.0 - 1.0 / x2 + 3.0 / x2**2 - 15.0 / x2**3)
                        seen += 2.0 * factor
                        other += direct_share[d, s] * math.exp(base) * series / root
                plus[p, d] = seen if z[p, t] >= 0.0 else other
                minus[p, d] = other if z[p, t] >= 0.0 else seen
                d += 1
            else:
                total = 0.0
                for s in range(len(rival_v2)):
                    r = information[p, t] * rival_v2[s]
                    total += rival_share[k, s] * math.exp(power * r / (1.0 + r) - top) / math.sqrt(1.0 + r)
                rival[p, k] = total
                k += 1
