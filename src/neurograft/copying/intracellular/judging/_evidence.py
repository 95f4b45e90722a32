"""Bayes factors of every template at every pair, weighed by how common each is: the inner loop of a judgement.

The same numbers as those that a mixture is learnt from, for many presynaptic neurons side by side, without arrays of
pairs x templates x sizes.
For amplitudes of prior sd s seen with information I: r = I s^2, x = |z| sqrt(r / (1 + r)).  A half-normal prior of
the seen sign has Bayes factor exp(x^2 / 2) (2 - erfc(x / sqrt 2)) / sqrt(1 + r), of the other sign
exp(x^2 / 2) erfc(x / sqrt 2) / sqrt(1 + r); their mean is the normal prior's (Wakefield 2009, eq. 2).

All numbers are of 32 bits but for sums over templates, and each of three groups of templates (direct synapses at
latencies of the bulk, at other latencies, rivals) has a scale of its own, so that none is lost beside another.  A
neuron's sign is known only after all its pairs were seen, so sums are kept for both signs.
"""

# ruff: noqa: PLR0912, PLR0915, PLR0917  (kernels loop, and take their arrays by position)
import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._bells import decay_32, tail_32

BULK, LATE, EARLY = 0, 1, 2  # of latencies: synapses; after them paths; before them common drive
# columns of sums over templates, for the positive and the negative sign
UP, DOWN, UP_S, DOWN_S, UP_S2, DOWN_S2, LATE_UP, LATE_DOWN, EARLY_UP, EARLY_DOWN, RIVALS = range(11)
N_SIGNS = 3  # a neuron that excites, one that is unknown, one that inhibits: each has its likeliest template
_ONE, _TWO, _HALF, _ZERO = np.float32(1.0), np.float32(2.0), np.float32(0.5), np.float32(0.0)
_LEAST = np.float32(np.finfo(np.float32).tiny)


class Shares(NamedTuple):
    """How common templates and sizes are, and what the templates are."""

    direct: Int64[ndarray, " direct"]
    stage: Int64[ndarray, " direct"]
    latency_s: ndarray
    is_under: ndarray
    rival: Int64[ndarray, " rivals"]
    family: Int64[ndarray, " rivals"]
    is_talk: ndarray
    direct_share: Float32[ndarray, "sizes direct"]
    rival_share: Float32[ndarray, "rival_sizes rivals"]
    direct_v2: Float32[ndarray, " sizes"]
    rival_v2: Float32[ndarray, " rival_sizes"]
    narrower: float  # one over the variance of z where there is no synapse
    chance: Float32[ndarray, " signs"]  # that a synapse of such a neuron is positive


class Bench(NamedTuple):
    """What is worked in; nothing stays in it."""

    power: Float32[ndarray, " lanes"]
    known: Float32[ndarray, " lanes"]
    add: Float32[ndarray, " lanes"]
    seen: Float32[ndarray, " lanes"]
    other: Float32[ndarray, " lanes"]
    talk: Float32[ndarray, " lanes"]
    top: Float32[ndarray, "groups lanes"]
    bare: Float32[ndarray, "groups two lanes"]
    most: Float32[ndarray, "signs lanes"]


def bench(n_lanes: int) -> Bench:
    """Return empty arrays."""
    one, two, three, four, five, six = np.zeros((6, n_lanes), np.float32)
    groups, bare, most = (np.zeros((*shape, n_lanes), np.float32) for shape in ((3,), (3, 2), (N_SIGNS,)))
    return Bench(one, two, three, four, five, six, groups, bare, most)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def weigh_lanes(z, information, shares, work, sums, best):
    """Fill ``sums`` [columns and rivals' families and nothing, lanes] and the likeliest templates [signs, lanes].

    Sums are over one scale a pair that cancels; the last is one over it.
    """
    n_lanes = z.shape[1]
    power, known, add, seen, other = work.power, work.known, work.add, work.seen, work.other
    talk, top, narrower = work.talk, work.top, np.float32(shares.narrower)
    direct_v2, rival_v2 = shares.direct_v2, shares.rival_v2
    largest, rival_largest = direct_v2.max(), rival_v2.max()
    sums[:] = 0.0
    best[:] = shares.direct[0]
    work.most[:] = _ZERO
    _log_mean_of_pulses(z, information, shares, work)
    top[:] = _ZERO
    for d in range(len(shares.direct)):
        t, group = shares.direct[d], 0 if shares.stage[d] == BULK else 1
        beneath = _ONE if shares.is_under[d] else _ZERO
        for k in range(n_lanes):
            r = narrower * information[t, k] * largest
            x = _HALF * narrower * z[t, k] * z[t, k] * r / (_ONE + r) + beneath * max(talk[k], _ZERO)
            top[group, k] = max(top[group, k], x)
    for d in range(len(shares.rival)):
        t = shares.rival[d]
        for k in range(n_lanes):
            r = narrower * information[t, k] * rival_largest
            top[2, k] = max(top[2, k], _HALF * narrower * z[t, k] * z[t, k] * r / (_ONE + r))
    for group in range(2):
        for k in range(n_lanes):
            work.bare[group, 0, k] = decay_32(-top[group, k])
            work.bare[group, 1, k] = decay_32(min(talk[k] - top[group, k], _ZERO))
    for d in range(len(shares.direct)):
        t, group = shares.direct[d], 0 if shares.stage[d] == BULK else 1
        beneath = 1 if shares.is_under[d] else 0
        for k in range(n_lanes):
            power[k] = _HALF * narrower * z[t, k] * z[t, k]
            known[k] = narrower * information[t, k]
            add[k] = (talk[k] if beneath else _ZERO) - top[group, k]
            seen[k] = other[k] = _ZERO
        for s in range(len(direct_v2)):
            v2, share = direct_v2[s], shares.direct_share[s, d]
            for k in range(n_lanes):
                r = known[k] * v2
                flat = _ONE / (_ONE + r)
                half = power[k] * r * flat
                size = share * np.sqrt(flat)
                seen[k] += _TWO * size * decay_32(half + add[k])
                other[k] += size * tail_32(np.sqrt(half))
        for k in range(n_lanes):
            other[k] *= work.bare[group, beneath, k]
            both = seen[k]
            plus = other[k] if z[t, k] < _ZERO else both - other[k]
            minus = both - plus
            seen[k], other[k] = plus, minus
        stage, latency_s = shares.stage[d], shares.latency_s[d]
        if stage == BULK:
            for k in range(n_lanes):
                up, down = np.float64(seen[k]), np.float64(other[k])
                sums[UP, k] += up
                sums[DOWN, k] += down
                sums[UP_S, k] += up * latency_s
                sums[DOWN_S, k] += down * latency_s
                sums[UP_S2, k] += up * latency_s**2
                sums[DOWN_S2, k] += down * latency_s**2
            for sign in range(N_SIGNS):
                chance = shares.chance[sign]
                for k in range(n_lanes):
                    weight = chance * seen[k] + (_ONE - chance) * other[k]
                    if weight > work.most[sign, k]:
                        work.most[sign, k] = weight
                        best[sign, k] = t
        else:
            first = LATE_UP if stage == LATE else EARLY_UP
            for k in range(n_lanes):
                sums[first, k] += seen[k]
                sums[first + 1, k] += other[k]
    for d in range(len(shares.rival)):
        t, column = shares.rival[d], RIVALS + shares.family[d]
        for k in range(n_lanes):
            power[k] = _HALF * narrower * z[t, k] * z[t, k]
            known[k] = narrower * information[t, k]
            seen[k] = _ZERO
        for s in range(len(rival_v2)):
            v2, share = rival_v2[s], shares.rival_share[s, d]
            for k in range(n_lanes):
                r = known[k] * v2
                flat = _ONE / (_ONE + r)
                seen[k] += share * np.sqrt(flat) * decay_32(power[k] * r * flat - top[2, k])
        for k in range(n_lanes):
            sums[column, k] += seen[k]
    last = len(sums) - 1
    for k in range(n_lanes):
        scale = max(top[0, k], top[1, k], top[2, k])
        bulk, rest = math.exp(np.float64(top[0, k] - scale)), math.exp(np.float64(top[1, k] - scale))
        rivals = math.exp(np.float64(top[2, k] - scale))
        for column in range(LATE_UP):
            sums[column, k] *= bulk
        for column in range(LATE_UP, RIVALS):
            sums[column, k] *= rest
        for column in range(RIVALS, last):
            sums[column, k] *= rivals
        sums[last, k] = math.exp(-np.float64(scale))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _log_mean_of_pulses(z, information, shares, work):
    """Fill ``work.talk`` with the log of the mean Bayes factor of pulses of all sizes; 0 where there are no pulses."""
    talk, top, total, narrower = work.talk, work.power, work.seen, np.float32(shares.narrower)
    n_lanes, n_pulses, largest = len(talk), 0, shares.rival_v2.max()
    talk[:] = top[:] = total[:] = _ZERO
    for d in range(len(shares.rival)):
        if shares.is_talk[d]:
            n_pulses, t = n_pulses + 1, shares.rival[d]
            for k in range(n_lanes):
                r = narrower * information[t, k] * largest
                top[k] = max(top[k], _HALF * narrower * z[t, k] * z[t, k] * r / (_ONE + r))
    if n_pulses == 0:
        return
    for d in range(len(shares.rival)):
        if shares.is_talk[d]:
            t = shares.rival[d]
            for v2 in shares.rival_v2:
                for k in range(n_lanes):
                    r = narrower * information[t, k] * v2
                    flat = _ONE / (_ONE + r)
                    x = _HALF * narrower * z[t, k] * z[t, k] * r * flat
                    total[k] += decay_32(x - top[k]) * np.sqrt(flat)
    for k in range(n_lanes):
        talk[k] = np.float32(math.log(max(total[k], _LEAST) / (n_pulses * len(shares.rival_v2)))) + top[k]


class Ratios(NamedTuple):
    """Bayes factors of all templates and sizes against nothing, each pair's over a scale, and one over that scale."""

    plus: Float32[ndarray, "pairs sizes direct"]
    minus: Float32[ndarray, "pairs sizes direct"]
    rival: Float32[ndarray, "pairs rival_sizes rivals"]
    nothing: Float32[ndarray, " pairs"]


def ratios(
    z: Float32[ndarray, "pairs templates"],
    information: Float32[ndarray, "pairs templates"],
    *,
    direct: Int64[ndarray, " direct"],
    is_under: Bool[ndarray, " direct"],
    rival: Int64[ndarray, " rivals"],
    is_talk: Bool[ndarray, " rivals"],
    direct_v2: Float32[ndarray, " sizes"],
    rival_v2: Float32[ndarray, " rival_sizes"],
) -> Ratios:
    """Return what a mixture is learnt from."""
    n, f = len(z), np.float32
    plus, minus = np.empty((2, n, len(direct_v2), len(direct)), f)
    out = Ratios(plus, minus, np.empty((n, len(rival_v2), len(rival)), f), np.empty(n, f))
    _fill_ratios(z[:, direct], information[:, direct], is_under.astype(f), z[:, rival], information[:, rival], is_talk,
                 direct_v2, rival_v2, *out)  # fmt: skip
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _fill_ratios(
    z, known, under, rival_z, rival_known, is_talk, direct_v2, rival_v2, plus, minus, rival, nothing
):  # fmt: skip
    n_direct, n_rivals = len(under), len(is_talk)
    largest, rival_largest = direct_v2.max(), rival_v2.max()
    power, rival_power = np.empty(n_direct, np.float32), np.empty(n_rivals, np.float32)
    add, bare = np.empty(n_direct, np.float32), np.empty(n_direct, np.float32)
    for p in range(len(z)):
        for t in range(n_direct):
            power[t] = _HALF * z[p, t] * z[p, t]
        pulses, rest, n_pulses = _ZERO, _ZERO, 0
        for t in range(n_rivals):
            rival_power[t] = _HALF * rival_z[p, t] * rival_z[p, t]
            r = rival_known[p, t] * rival_largest
            x = rival_power[t] * r / (_ONE + r)
            rest = max(rest, x)
            if is_talk[t]:
                pulses, n_pulses = max(pulses, x), n_pulses + 1
        talk, total = 0.0, 0.0
        for t in range(n_rivals):
            if is_talk[t]:
                for s in range(len(rival_v2)):
                    r = rival_known[p, t] * rival_v2[s]
                    total += math.exp(rival_power[t] * r / (_ONE + r) - pulses) / math.sqrt(_ONE + r)
        if n_pulses > 0:
            talk = math.log(total / (n_pulses * len(rival_v2))) + pulses
        top = rest
        for t in range(n_direct):
            r = known[p, t] * largest
            top = max(top, power[t] * r / (_ONE + r) + under[t] * np.float32(max(talk, 0.0)))
        nothing[p] = math.exp(-np.float64(top))
        for t in range(n_direct):
            add[t] = under[t] * np.float32(talk) - top
        for t in range(n_direct):
            bare[t] = decay_32(min(add[t], _ZERO))
        for s in range(len(direct_v2)):
            v2, up, down = direct_v2[s], plus[p, s], minus[p, s]
            for t in range(n_direct):
                r = known[p, t] * v2
                flat = _ONE / (_ONE + r)
                half = power[t] * r * flat
                size = np.sqrt(flat)
                other = size * tail_32(np.sqrt(half)) * bare[t]
                seen = _TWO * size * decay_32(half + add[t]) - other
                up[t] = other if z[p, t] < _ZERO else seen
                down[t] = seen if z[p, t] < _ZERO else other
        for s in range(len(rival_v2)):
            v2, row = rival_v2[s], rival[p, s]
            for t in range(n_rivals):
                r = rival_known[p, t] * v2
                flat = _ONE / (_ONE + r)
                row[t] = np.sqrt(flat) * decay_32(rival_power[t] * r * flat - top)
