"""Scores of many presynaptic neurons at one target, side by side: the arithmetic of ``_scores``, in vector code.

The last axis of every array here counts presynaptic neurons, which is what a compiler puts into vectors.  With L the
Cholesky factor of what is besides (slow changes first, then pulses) and V = L^-1 b S P, a pair's two matrices are
Q = S (P - V'V) S, with the rows of V that belong to slow changes or with all; what the first pulse alone explains, what
all pulses explain and what is left of chi-squared are in the factor already.  Matrices are made with 64 bits.
Templates are then weighed with as many as ``information`` has: with 32, z is right to about 1e-6 of itself.
"""

# ruff: noqa: PLR0912, PLR0917  (kernels loop, and take their arrays by position)
import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Float64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._scores import TINY

FORMS_AT_ONCE = 5  # terms of a quadratic form that are added together


class Room(NamedTuple):
    """What is worked in; nothing stays in it."""

    own: Float64[ndarray, "boxes lanes"]
    plain: Float64[ndarray, "boxes lanes"]
    besides: Float64[ndarray, "besides boxes lanes"]
    weighted: Float64[ndarray, "besides boxes lanes"]
    lower: Float64[ndarray, "besides besides lanes"]
    mine: Float64[ndarray, "besides lanes"]
    line: Float64[ndarray, "six lanes"]
    clear: Float[ndarray, "two forms lanes"]
    answer: Float[ndarray, "two boxes lanes"]
    squares: Float[ndarray, "forms templates"]
    image: Float[ndarray, "boxes templates"]


def room(n_boxes: int, n_besides: int, n_templates: int, n_lanes: int, dtype: type[np.floating]) -> Room:
    """Return empty arrays; forms are padded to a multiple of ``FORMS_AT_ONCE`` with zeros."""
    n_forms = n_boxes * (n_boxes + 1) // 2
    forms, boxes = (-(-n // FORMS_AT_ONCE) * FORMS_AT_ONCE for n in (n_forms, n_boxes))
    return Room(
        own=np.zeros((n_boxes, n_lanes)),
        plain=np.zeros((n_boxes, n_lanes)),
        besides=np.zeros((n_besides, n_boxes, n_lanes)),
        weighted=np.zeros((n_besides, n_boxes, n_lanes)),
        lower=np.zeros((n_besides, n_besides, n_lanes)),
        mine=np.zeros((n_besides, n_lanes)),
        line=np.zeros((6, n_lanes)),
        clear=np.zeros((2, forms, n_lanes), dtype),
        answer=np.zeros((2, boxes, n_lanes), dtype),
        squares=np.zeros((forms, n_templates), dtype),
        image=np.zeros((boxes, n_templates), dtype),
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def score_lanes(beta, seen, precision, noise2, prior, n_slow, penalty, image, under, talk, work, z, information):
    """Fill ``z`` and ``information`` [templates, lanes] of one target, with ``image`` [boxes, templates].

    ``work.besides`` holds what is besides, not yet times ``seen`` [boxes, lanes]; lanes of no noise get zeros.
    Templates ``under[0]`` to ``under[1] - 1`` lie beneath pulses.  Number ``talk``, if not negative, is the first pulse
    instead of its image, or all pulses where they explain more than that and ``penalty``; errors are then widened to
    what the best template leaves.
    """
    n_boxes, n_lanes = beta.shape
    n_besides = len(work.besides)
    own, plain, line = work.own, work.plain, work.line
    for b in range(n_boxes):
        for k in range(n_lanes):
            own[b, k] = seen[b, k] * beta[b, k]
    for p in range(n_besides):
        for b in range(n_boxes):
            for k in range(n_lanes):
                work.besides[p, b, k] *= seen[b, k]
        _times(precision, work.besides[p], work.weighted[p])
    _times(precision, own, plain)
    _factor(work, prior, n_slow)
    over = line[0]  # one over the noise's variance
    for k in range(n_lanes):
        over[k] = 1.0 / noise2[k] if noise2[k] > 0.0 else 0.0
    is_beneath = n_besides > n_slow
    _forms_of_pairs(precision, seen, work, n_slow)
    _squares(image, work.squares, work.image)
    begin, end = under if is_beneath else (image.shape[1], image.shape[1])
    for side, first, stop in ((0, 0, begin), (1, begin, end), (0, end, image.shape[1])):
        _sums(work.clear[side], work.squares, first, stop, information)
        _sums(work.answer[side], work.image, first, stop, z)
    if talk >= 0:
        for k in range(n_lanes):
            information[talk, k], z[talk, k] = line[3, k] * over[k], line[4, k] * over[k]
    least = np.finfo(np.float32).tiny
    for t in range(len(z)):
        for k in range(n_lanes):
            known = information[t, k]
            root = np.sqrt(max(known, z.dtype.type(least)))
            z[t, k] = z[t, k] / root if known > 0.0 else z.dtype.type(0.0)
            information[t, k] = max(known, z.dtype.type(0.0))
    if not is_beneath or talk < 0:
        return
    best, beneath, count = work.mine[0], work.mine[1], work.mine[2]  # free again
    best[:], beneath[:], count[:] = 0.0, 0.0, 0.0
    for t in range(len(z)):
        into = beneath if under[0] <= t < under[1] else best
        for k in range(n_lanes):
            into[k] = max(into[k], z[t, k] * z[t, k])
    for b in range(n_boxes):
        for k in range(n_lanes):
            count[k] += 1.0 if seen[b, k] > 0.0 else 0.0
    for k in range(n_lanes):
        left, gained = line[1, k] * over[k], line[2, k] * over[k]
        plainly = (left - best[k]) / max(count[k] - n_slow - 1.0, 1.0)
        cleared = (left - gained - beneath[k]) / max(count[k] - n_besides - 1.0, 1.0)
        excess = max(1.0, min(plainly, cleared))
        if talk >= 0:
            z[talk, k] = max(abs(z[talk, k]), math.sqrt(max(gained - penalty[k], 0.0)))
        over[k] = 1.0 / excess if noise2[k] > 0.0 else 0.0
    for k in range(n_lanes):
        best[k] = math.sqrt(over[k])
    for t in range(len(z)):
        for k in range(n_lanes):
            z[t, k] *= z.dtype.type(best[k])
            information[t, k] *= z.dtype.type(over[k])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _times(matrix, vector, out):
    """Fill a symmetric matrix times a vector, lane by lane; four terms at a time, each sum written once."""
    n, n_lanes = vector.shape
    for b in range(n):
        for k in range(n_lanes):
            out[b, k] = matrix[b, 0, k] * vector[0, k]
        c = 1
        while c + 3 < n:
            for k in range(n_lanes):
                out[b, k] += (
                    matrix[b, c, k] * vector[c, k]
                    + matrix[b, c + 1, k] * vector[c + 1, k]
                    + matrix[b, c + 2, k] * vector[c + 2, k]
                    + matrix[b, c + 3, k] * vector[c + 3, k]
                )
            c += 4
        while c < n:
            for k in range(n_lanes):
                out[b, k] += matrix[b, c, k] * vector[c, k]
            c += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _dot(one, two, out):
    """Fill the product of two vectors, lane by lane."""
    n, n_lanes = one.shape
    for k in range(n_lanes):
        out[k] = one[0, k] * two[0, k]
    b = 1
    while b + 3 < n:
        for k in range(n_lanes):
            out[k] += (
                one[b, k] * two[b, k]
                + one[b + 1, k] * two[b + 1, k]
                + one[b + 2, k] * two[b + 2, k]
                + one[b + 3, k] * two[b + 3, k]
            )
        b += 4
    while b < n:
        for k in range(n_lanes):
            out[k] += one[b, k] * two[b, k]
        b += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _factor(work, prior, n_slow):
    """Turn ``work.weighted`` into V, ``lower`` into L, ``mine`` into L^-1 b S P S' beta; fill lines 1 to 4.

    These are, each times the noise's variance: what slow changes leave of chi-squared; what pulses explain of it;
    information and score of the first pulse, cleared of slow changes.
    """
    besides, weighted, lower, mine, line = work.besides, work.weighted, work.lower, work.mine, work.line
    n, n_lanes = mine.shape
    n_boxes = len(work.own)
    for p in range(n):
        for q in range(p + 1):
            _dot(besides[p], weighted[q], lower[p, q])
        _dot(besides[p], work.plain, mine[p])
    _dot(work.own, work.plain, line[1])
    line[2:5] = 0.0
    for k in range(n_lanes):
        line[5, k] = 0.0
    for p in range(n):
        for k in range(n_lanes):
            line[5, k] += lower[p, p, k]
        if p == n_slow:
            line[3] = lower[p, p]
            line[4] = mine[p]
    for p in range(n):
        for k in range(n_lanes):
            lower[p, p, k] += TINY * max(line[5, k], 1.0)
        if p < n_slow:
            for k in range(n_lanes):
                lower[p, p, k] += prior[p, k]
    for p in range(n):
        for q in range(p):
            for r in range(q):
                for k in range(n_lanes):
                    lower[p, q, k] -= lower[p, r, k] * lower[q, r, k]
            for k in range(n_lanes):
                lower[p, q, k] *= lower[q, q, k]  # which is one over the root by now
        for r in range(p):
            for k in range(n_lanes):
                lower[p, p, k] -= lower[p, r, k] * lower[p, r, k]
                mine[p, k] -= lower[p, r, k] * mine[r, k]
            if p == n_slow and r < n_slow:
                for k in range(n_lanes):
                    line[3, k] -= lower[p, r, k] * lower[p, r, k]
                    line[4, k] -= lower[p, r, k] * mine[r, k]
            for b in range(n_boxes):
                for k in range(n_lanes):
                    weighted[p, b, k] -= lower[p, r, k] * weighted[r, b, k]
        for k in range(n_lanes):
            lower[p, p, k] = 1.0 / math.sqrt(lower[p, p, k])
            mine[p, k] *= lower[p, p, k]
        for b in range(n_boxes):
            for k in range(n_lanes):
                weighted[p, b, k] *= lower[p, p, k]
        at = 1 if p < n_slow else 2
        sign = -1.0 if p < n_slow else 1.0
        for k in range(n_lanes):
            line[at, k] += sign * mine[p, k] * mine[p, k]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _forms_of_pairs(precision, seen, work, n_slow):
    """Fill the lower halves of S Q S over the noise's variance, and S Q S' beta, cleared of slow changes and of all.

    ``work.line[0]`` holds one over that variance.
    """
    solved, mine, over, value = work.weighted, work.mine, work.line[0], work.line[5]
    n, n_lanes = mine.shape
    n_boxes, place = len(seen), 0
    for b in range(n_boxes):
        for c in range(b + 1):
            for k in range(n_lanes):
                value[k] = precision[b, c, k]
            for p in range(0, n, 2):
                if p + 1 < n:
                    for k in range(n_lanes):
                        value[k] -= solved[p, b, k] * solved[p, c, k] + solved[p + 1, b, k] * solved[p + 1, c, k]
                else:
                    for k in range(n_lanes):
                        value[k] -= solved[p, b, k] * solved[p, c, k]
                if p + 2 == n_slow or p + 2 >= n:
                    side = 0 if p + 2 == n_slow else 1
                    for k in range(n_lanes):
                        work.clear[side, place, k] = value[k] * seen[b, k] * seen[c, k] * over[k]
            place += 1
        for k in range(n_lanes):
            value[k] = work.plain[b, k]
        for p in range(n):
            for k in range(n_lanes):
                value[k] -= solved[p, b, k] * mine[p, k]
            if p + 1 == n_slow or p + 1 == n:
                side = 0 if p + 1 == n_slow else 1
                for k in range(n_lanes):
                    work.answer[side, b, k] = value[k] * seen[b, k] * over[k]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _squares(image, squares, rounded):
    """Fill the products of every two boxes of each template, in the order of the forms, twice where they differ."""
    n_boxes, n = image.shape
    place = 0
    for b in range(n_boxes):
        for t in range(n):
            rounded[b, t] = image[b, t]
        for c in range(b + 1):
            times = 1.0 if b == c else 2.0
            for t in range(n):
                squares[place, t] = times * image[b, t] * image[c, t]
            place += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _sums(terms, weight, first, stop, out):
    """Fill for templates ``first`` to ``stop`` - 1 the terms [terms, lanes] added up by weight [terms, templates].

    Four templates and five terms at a time: each sum and term is read once for twenty products.
    """
    n, n_lanes = terms.shape
    t = first
    while t + 3 < stop:
        for k in range(n_lanes):
            out[t, k] = out[t + 1, k] = out[t + 2, k] = out[t + 3, k] = 0.0
        for q in range(0, n, 5):
            a0, a1, a2, a3, a4 = weight[q, t], weight[q + 1, t], weight[q + 2, t], weight[q + 3, t], weight[q + 4, t]
            u = t + 1
            b0, b1, b2, b3, b4 = weight[q, u], weight[q + 1, u], weight[q + 2, u], weight[q + 3, u], weight[q + 4, u]
            u = t + 2
            c0, c1, c2, c3, c4 = weight[q, u], weight[q + 1, u], weight[q + 2, u], weight[q + 3, u], weight[q + 4, u]
            u = t + 3
            d0, d1, d2, d3, d4 = weight[q, u], weight[q + 1, u], weight[q + 2, u], weight[q + 3, u], weight[q + 4, u]
            for k in range(n_lanes):
                v, w, x, y, z = terms[q, k], terms[q + 1, k], terms[q + 2, k], terms[q + 3, k], terms[q + 4, k]
                out[t, k] += a0 * v + a1 * w + a2 * x + a3 * y + a4 * z
                out[t + 1, k] += b0 * v + b1 * w + b2 * x + b3 * y + b4 * z
                out[t + 2, k] += c0 * v + c1 * w + c2 * x + c3 * y + c4 * z
                out[t + 3, k] += d0 * v + d1 * w + d2 * x + d3 * y + d4 * z
        t += 4
    while t < stop:
        for k in range(n_lanes):
            out[t, k] = 0.0
        for q in range(n):
            share = weight[q, t]
            for k in range(n_lanes):
                out[t, k] += share * terms[q, k]
        t += 1
