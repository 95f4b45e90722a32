"""Each pair's explanations added up by family, with the moments of the direct synapse's latency."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._evidence import Weighed

BULK, LATE, EARLY = 0, 1, 2  # of latencies: synapses; after them paths; before them common drive
_DIRECT, _COMMON, _INDIRECT = 0, 3, 4  # as in ``Family``


class Summed(NamedTuple):
    """Sums over templates and sizes, over the same scale a pair as what was weighed."""

    joint: Float64[ndarray, "families pairs"]
    best: Int64[ndarray, " pairs"]  # number of the direct template that weighs most, among those of the bulk
    sign: Float64[ndarray, " pairs"]
    latency_s: Float64[ndarray, " pairs"]
    latency_sd_s: Float64[ndarray, " pairs"]
    excitatory_alone: Float64[ndarray, " pairs"]  # probability that it excites, without Dale's law


def summed(
    seen: Weighed,
    chance: Float64[ndarray, " pairs"],
    stage: Int64[ndarray, " direct"],
    latency_s: Float64[ndarray, " direct"],
    rivals: Int64[ndarray, " rivals"],
    n_families: int,
) -> Summed:
    """Return the sums; ``chance`` is how likely a synapse of each pair is positive, ``rivals`` are families."""
    n = len(chance)
    best, columns = np.empty(n, dtype=np.int64), np.empty((4, n))
    joint = np.zeros((n_families, n))
    _sum(seen.plus, seen.minus, seen.rival, chance, stage, latency_s, rivals, joint, best, columns)
    return Summed(joint, best, *columns)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _sum(plus, minus, rival, chance, stage, latency_s, rivals, joint, best, columns):
    tiny = 2.2250738585072014e-308
    for p in range(len(chance)):
        up_share, down_share = chance[p], 1.0 - chance[p]
        total, balance, first, second, alone, either, most = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        best[p] = 0
        for t in range(len(stage)):
            up, down = up_share * plus[p, t], down_share * minus[p, t]
            both = up + down
            if stage[t] == BULK:
                total += both
                balance += up - down
                first += both * latency_s[t]
                second += both * latency_s[t] ** 2
                alone += plus[p, t]
                either += plus[p, t] + minus[p, t]
                if both > most:
                    most = both
                    best[p] = t
            elif stage[t] == LATE:
                joint[_INDIRECT, p] += both
            else:
                joint[_COMMON, p] += both
        joint[_DIRECT, p] = total
        for t in range(len(rivals)):
            joint[rivals[t], p] += rival[p, t]
        mean_s = first / max(total, tiny)
        columns[0, p] = 1.0 if balance > 0.0 else (-1.0 if balance < 0.0 else 0.0)
        columns[1, p] = mean_s
        columns[2, p] = math.sqrt(max(second / max(total, tiny) - mean_s**2, 0.0))
        columns[3, p] = alone / max(either, tiny)
