"""All targets of some presynaptic neurons, which are scored and weighed side by side.

``_amplitude.scores`` goes from one pair to the next instead; it is four times as slow, and right to 64 bits.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._evidence import N_SIGNS, RIVALS, Bench, Shares, bench, weigh_lanes
from neurograft.copying.intracellular.judging._lanes import Room, room, score_lanes
from neurograft.copying.intracellular.judging._scores import NEVER_V2
from neurograft.copying.intracellular.judging._templates import Family, OwnCourses, Templates, means_by_lag
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._slow import MIN_SHARE, baseline

LANES = 96  # what is worked in then fits the second cache of one core
_VECTOR = 16  # numbers of 32 bits; what is left over is gone through one by one
_HELD = 16  # targets, whose numbers share lines of memory


class Given(NamedTuple):
    """What some neurons' scores are made of; coefficients and noise lie as a fit has them."""

    pre: Int64[ndarray, " lanes"]
    beta: Float[ndarray, "lanes boxes post"]
    share: Float[ndarray, "lanes boxes post"]
    noise: Float64[ndarray, "lanes post"]
    n_kept: Float64[ndarray, "lanes post"]
    precision: Float64[ndarray, "boxes boxes lanes"]
    copies: Float64[ndarray, "lags moving boxes lanes"]  # of neurons' own courses and their slopes
    edges: Float64[ndarray, "post edges boxes"]
    slow: Float64[ndarray, "slow boxes"]
    slow_v2: Float64[ndarray, "slow post"]
    coefficient: Float64[ndarray, "lags post"]


class Seen(NamedTuple):
    """What weighing leaves of each pair, for ``_mixture``; scores are of each sign's likeliest template."""

    sums: Float64[ndarray, "post columns lanes"]
    best: Int32[ndarray, "post signs lanes"]
    z: Float32[ndarray, "post signs lanes"]
    information: Float32[ndarray, "post signs lanes"]


def given(fit: Fit, pre: Int64[ndarray, " lanes"], own: OwnCourses | None) -> Given:
    """Return what scores of these neurons are made of; with pulses where own courses are given."""
    n_boxes, n = fit.beta.shape[1:]
    coefficient, copies, edges = np.zeros((0, n)), np.zeros((1, 0, n_boxes, len(pre))), np.zeros((n, 0, n_boxes))
    if own is not None:
        mine, coefficient = own.moving(pre), own.whitener.coefficient
        copies = means_by_lag(mine.reshape(-1, mine.shape[2]), own.first, len(coefficient), own.boxes)
        copies = copies.reshape(-1, *mine.shape[:2], n_boxes).transpose(0, 1, 3, 2)
        edges = own.edges().transpose(2, 0, 1)
    return Given(
        pre=pre,
        beta=fit.beta[pre],
        share=fit.share[pre],
        noise=fit.noise[pre],
        n_kept=fit.n_kept[pre],
        precision=np.ascontiguousarray(np.linalg.inv(fit.inverse_block[pre]).transpose(1, 2, 0)),
        copies=np.ascontiguousarray(copies),
        edges=np.ascontiguousarray(edges),
        slow=np.ascontiguousarray(baseline(fit.boxes, 1)[:, :, 0]),
        slow_v2=np.maximum(fit.slow_v**2, NEVER_V2),
        coefficient=np.ascontiguousarray(coefficient),
    )


def weighed_lanes(
    fit: Fit,
    kinds: Templates,
    pre: Int64[ndarray, " lanes"],
    *,
    sd: float,
    direct_share: Float64[ndarray, "direct sizes"],
    rival_share: Float64[ndarray, "rivals rival_sizes"],
    direct_sd_v: Float64[ndarray, " sizes"],
    rival_sd_v: Float64[ndarray, " rival_sizes"],
    stage: Int64[ndarray, " direct"],
    chance: Float64[ndarray, " signs"],
) -> Seen:
    """Return what all pairs of these neurons, which have fired, come to."""
    f = np.float32
    is_direct = kinds.family == Family.DIRECT
    direct, rival = np.flatnonzero(is_direct), np.flatnonzero(~is_direct)
    shares = Shares(
        direct, stage, kinds.latency_s[direct], kinds.is_under_talk[direct], rival, kinds.family[rival],
        kinds.family[rival] == Family.CROSS_TALK, np.ascontiguousarray(direct_share.T, f),
        np.ascontiguousarray(rival_share.T, f), (direct_sd_v**2).astype(f), (rival_sd_v**2).astype(f), 1 / sd**2,
        chance.astype(f),
    )  # fmt: skip
    some = given(fit, pre, kinds.own)
    n_lanes, n, n_besides = len(pre), fit.beta.shape[2], len(some.slow) + some.copies.shape[1] + some.edges.shape[1]
    by_target = np.ascontiguousarray(kinds.image.transpose(2, 1, 0))
    out = Seen(
        np.empty((n, RIVALS + len(Family) + 1, n_lanes)), np.empty((n, N_SIGNS, n_lanes), np.int32),
        np.empty((n, N_SIGNS, n_lanes), f), np.empty((n, N_SIGNS, n_lanes), f),
    )  # fmt: skip
    under, talk = run(kinds.is_under_talk), int(np.argmax(kinds.family == Family.CROSS_TALK))
    work = room(fit.beta.shape[1], n_besides, by_target.shape[2], n_lanes, f)
    _weigh_targets(some, by_target, under, talk, work, bench(n_lanes), shares, out)
    return out


def scores_lanes(
    fit: Fit, by_target: Float64[ndarray, "post boxes templates"], pre: Int64[ndarray, " lanes"]
) -> tuple[Float64[ndarray, "post templates lanes"], Float64[ndarray, "post templates lanes"]]:
    """Return z and information of each image with nothing else at all targets of these neurons, which have fired."""
    some, n_lanes, (n, n_boxes, n_templates) = given(fit, pre, None), len(pre), by_target.shape
    work = room(n_boxes, len(some.slow), n_templates, n_lanes, np.float64)
    z, information = np.empty((2, n, n_templates, n_lanes))
    _score_all(some, _tile(some), by_target, work, z, information)
    return z, information


def best_lanes(
    fit: Fit,
    by_target: Float64[ndarray, "post boxes templates"],
    pre: Int64[ndarray, " lanes"],
    own: OwnCourses | None,
    n_groups: int,
) -> Float32[ndarray, "post groups lanes"]:
    """Return the largest z squared of each group of as many images that follow each other; of 32 bits.

    Images stand alone, or beneath all pulses where own courses are given.
    """
    some, n_lanes, (n, n_boxes, n_templates) = given(fit, pre, own), len(pre), by_target.shape
    n_besides = len(some.slow) + some.copies.shape[1] + some.edges.shape[1]
    work = room(n_boxes, n_besides, n_templates, n_lanes, np.float32)
    z, information = np.zeros((2, n_templates, n_lanes), np.float32)
    out = np.zeros((n, n_groups, n_lanes), np.float32)
    under = (0, 0) if own is None else (0, n_templates)
    _best_all(some, _tile(some), by_target, under, work, z, information, out)
    return out


def in_blocks(neurons: Int64[ndarray, " some"]) -> list[Int64[ndarray, " lanes"]]:
    """Return presynaptic neurons as they are taken side by side, however many threads there are: whole vectors."""
    n_blocks = max(-(-len(neurons) // LANES), 1)
    size = max(-(-len(neurons) // (n_blocks * _VECTOR)), 1) * _VECTOR
    return [neurons[first : first + size] for first in range(0, len(neurons), size)]


def run(mask: ndarray) -> tuple[int, int]:
    """Return the first and one past the last of the templates that a mask marks, which follow each other."""
    marked = np.flatnonzero(mask)
    if not marked.size:
        return 0, 0
    assert np.ptp(marked) == len(marked) - 1
    return int(marked[0]), int(marked[-1]) + 1


class _Tile(NamedTuple):
    """Some targets' numbers, laid out by lane."""

    beta: Float64[ndarray, "held boxes lanes"]
    seen: Float64[ndarray, "held boxes lanes"]
    noise2: Float64[ndarray, "held lanes"]
    penalty: Float64[ndarray, "held lanes"]
    prior: Float64[ndarray, "slow lanes"]


def _tile(some: Given) -> _Tile:
    n_boxes, n_lanes = len(some.precision), len(some.pre)
    held, each = np.zeros((2, _HELD, n_boxes, n_lanes)), np.zeros((2, _HELD, n_lanes))
    return _Tile(held[0], held[1], each[0], each[1], np.zeros((len(some.slow), n_lanes)))


def _weigh_targets(
    some: Given, by_target: ndarray, under: tuple[int, int], talk: int, work: Room, desk: Bench, shares: Shares,
    out: Seen,
) -> None:  # fmt: skip
    z, information = np.zeros((2, by_target.shape[2], len(some.pre)), np.float32)
    _weigh_all(some, _tile(some), by_target, under, talk, work, desk, shares, z, information, out)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _weigh_all(some, tile, by_target, under, talk, work, desk, shares, z, information, out):
    for j in range(len(by_target)):
        _score_target(some, j, tile, by_target, under, talk, work, z, information)
        weigh_lanes(z, information, shares, desk, out.sums[j], out.best[j])
        for sign in range(N_SIGNS):
            for k in range(z.shape[1]):
                t = out.best[j, sign, k]
                out.z[j, sign, k], out.information[j, sign, k] = z[t, k], information[t, k]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _score_all(some, tile, by_target, work, z, information):
    for j in range(len(by_target)):
        _score_target(some, j, tile, by_target, (0, 0), -1, work, z[j], information[j])


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _best_all(some, tile, by_target, under, work, z, information, out):
    n_each = len(z) // out.shape[1]
    for j in range(len(by_target)):
        _score_target(some, j, tile, by_target, under, -1, work, z, information)
        best = out[j]
        for t in range(len(z)):
            group = t // n_each
            for k in range(z.shape[1]):
                best[group, k] = max(best[group, k], z[t, k] * z[t, k])


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _score_target(some, j, tile, by_target, under, talk, work, z, information):
    """Score target ``j``; targets come in order, and every so many are laid out by lane at once."""
    at = j % _HELD
    if at == 0:
        _fill_tile(some, j, min(j + _HELD, len(by_target)), tile)
    _fill_besides(some, j, tile, work.besides)
    score_lanes(
        tile.beta[at], tile.seen[at], some.precision, tile.noise2[at], tile.prior, len(some.slow), tile.penalty[at],
        by_target[j], under, talk, work, z, information,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _fill_tile(some, first, stop, tile):
    """Turn some targets' numbers, which lie along targets, so that they lie along presynaptic neurons."""
    n_lanes, n_boxes = some.beta.shape[0], some.beta.shape[1]
    for k in range(n_lanes):
        for b in range(n_boxes):
            for j in range(first, stop):
                share = some.share[k, b, j]
                tile.seen[j - first, b, k] = np.sqrt(share) if share >= MIN_SHARE else 0.0
                tile.beta[j - first, b, k] = some.beta[k, b, j]
        for j in range(first, stop):
            noise = some.noise[k, j]
            tile.noise2[j - first, k] = noise**2 if noise > 0.0 else 0.0
            n_moving = some.copies.shape[1] + some.edges.shape[1] - 1
            tile.penalty[j - first, k] = n_moving * np.log(max(some.n_kept[k, j], 2.0))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _fill_besides(some, j, tile, besides):
    """Fill slow changes, their prior precision, and pulses, which target j's whitening filter changes."""
    n_slow, n_moving, n_lanes = len(some.slow), some.copies.shape[1], some.copies.shape[3]
    n_boxes = besides.shape[1]
    for p in range(n_slow):
        for k in range(n_lanes):
            tile.prior[p, k] = tile.noise2[j % _HELD, k] / some.slow_v2[p, j]
        for b in range(n_boxes):
            for k in range(n_lanes):
                besides[p, b, k] = some.slow[p, b]
    for p in range(n_moving):
        for b in range(n_boxes):
            for k in range(n_lanes):
                besides[n_slow + p, b, k] = some.copies[0, p, b, k]
            for lag in range(len(some.coefficient)):
                share = some.coefficient[lag, j]
                for k in range(n_lanes):
                    besides[n_slow + p, b, k] -= share * some.copies[lag + 1, p, b, k]
    for p in range(some.edges.shape[1]):
        for b in range(n_boxes):
            for k in range(n_lanes):
                besides[n_slow + n_moving + p, b, k] = some.edges[j, p, b]
