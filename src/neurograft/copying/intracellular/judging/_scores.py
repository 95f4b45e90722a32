"""Generalised least squares of every template at every target of one neuron: the arithmetic of a score.

With S the share seen, P the inverse of the neuron's own block, besides = slow changes (and pulses), of prior
precision K: Q = P - P S b' (b S P S b' + K)^-1 b S P clears a pair's coefficients of what is besides.  A template y
then has information y' S Q S y and score y' S Q S' beta: one matrix a pair serves all templates.
"""

# ruff: noqa: PLR0912, PLR0915, PLR0917  (kernels loop, and take their arrays by position)
import math
from typing import no_type_check

import numpy as np
from numba import njit

TINY = 1e-9  # keeps pulses that the data do not show solvable
NEVER_V2 = 1e-24
_HELD = 16  # targets
_TEMPLATES_AT_ONCE = 512  # whose images stay in the cache


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def score_pairs(
    beta, seen, precision, noise2, slow2, slow, pulses, by_target, under, talk, z, information, gained, excess
):
    """Fill ``z`` and ``information`` [templates, targets] and what pulses explain over slow changes alone.

    Templates ``under[0]`` to ``under[1] - 1`` lie beneath pulses; number ``talk``, if not negative, is the first pulse
    instead of its image.  Where there are pulses, ``excess`` becomes what the best template leaves of chi-squared, a
    degree of freedom, with the pulses or without, whichever is less; never under 1.
    """
    n, n_boxes, n_templates = by_target.shape
    n_slow, n_pulses = len(slow), pulses.shape[1]
    n_besides = n_slow + n_pulses
    besides, weighted = np.empty((n_besides, n_boxes)), np.empty((n_besides, n_boxes))
    theirs, mine, own = np.empty((n_besides, n_besides)), np.empty(n_besides), np.empty(n_boxes)
    solved, plain = np.empty((n_besides, n_boxes)), np.empty(n_boxes)
    clear, answer, left = np.empty((2, n_boxes, n_boxes)), np.empty((2, n_boxes)), np.zeros(2)
    half, quadratic, linear = np.empty(n_templates), np.empty(n_templates), np.empty(n_templates)
    # rows of a power of two of targets fall into the same few places of a cache: some targets are written at once
    held = np.zeros((2, n_templates, _HELD))
    n_sides = 1 if n_pulses == 0 else 2
    for j in range(n):
        place = j % _HELD
        if place == 0 and j > 0:
            _write(held, j - _HELD, _HELD, information, z)
        if noise2[j] <= 0.0:
            held[:, :, place] = 0.0
            continue
        n_seen = 0
        for b in range(n_boxes):
            own[b] = seen[b, j] * beta[b, j]
            n_seen += seen[b, j] > 0.0
        for p in range(n_besides):
            for b in range(n_boxes):
                besides[p, b] = (slow[p, b] if p < n_slow else pulses[j, p - n_slow, b]) * seen[b, j]
                weighted[p, b] = 0.0
            for c in range(n_boxes):
                for b in range(n_boxes):
                    weighted[p, b] += precision[c, b] * besides[p, c]
        plain[:] = 0.0
        for c in range(n_boxes):
            for b in range(n_boxes):
                plain[b] += precision[c, b] * own[c]
        for which in range(n_sides):
            k = n_slow if which == 0 else n_besides
            trace = 0.0
            for p in range(k):
                for q in range(p + 1):
                    total = 0.0
                    for b in range(n_boxes):
                        total += besides[p, b] * weighted[q, b]
                    theirs[p, q] = total
                trace += theirs[p, p]
                total = 0.0
                for b in range(n_boxes):
                    total += weighted[p, b] * own[b]
                mine[p] = total
            for p in range(k):
                theirs[p, p] += TINY * max(trace, 1.0)
                if p < n_slow:
                    theirs[p, p] += noise2[j] / slow2[p, j]
            _cholesky(theirs, k)
            explained = _clear(
                theirs, k, weighted, mine, precision, plain, seen[:, j], solved, clear[which], answer[which]
            )
            gained[j] = explained / noise2[j] - (gained[j] if which == 1 else 0.0)
            left[which] = 0.0
            for b in range(n_boxes):
                left[which] += beta[b, j] * answer[which, b] / noise2[j]
        if n_pulses == 0:
            gained[j] = 0.0
        image = by_target[j]
        begin, end = under if n_sides == 2 else (n_templates, n_templates)
        for side, first, stop in ((0, 0, begin), (1, begin, end), (0, end, n_templates)):
            for t in range(first, stop, _TEMPLATES_AT_ONCE):
                least = min(t + _TEMPLATES_AT_ONCE, stop)
                _forms(clear[side], answer[side], image, t, least, half, quadratic, linear)
        if talk >= 0:
            quadratic[talk], linear[talk] = 0.0, 0.0
            for b in range(n_boxes):
                for c in range(n_boxes):
                    quadratic[talk] += pulses[j, 0, b] * clear[0, b, c] * pulses[j, 0, c]
                linear[talk] += answer[0, b] * pulses[j, 0, b]
        for t in range(n_templates):
            known = max(quadratic[t], 0.0) / noise2[j]
            quadratic[t] = known
            linear[t] = linear[t] / noise2[j] / math.sqrt(known) if known > 0.0 else 0.0
        for t in range(n_templates):
            held[0, t, place], held[1, t, place] = quadratic[t], linear[t]
        if n_pulses > 0:
            best, beneath = 0.0, 0.0
            for t in range(n_templates):
                if under[0] <= t < under[1]:
                    beneath = max(beneath, linear[t] ** 2)
                else:
                    best = max(best, linear[t] ** 2)
            excess[j] = max(
                1.0,
                min(
                    (left[0] - best) / max(n_seen - n_slow - 1, 1),
                    (left[1] - beneath) / max(n_seen - n_besides - 1, 1),
                ),
            )
    last = (n - 1) // _HELD * _HELD
    _write(held, last, n - last, information, z)


@njit(cache=True, nogil=True)
@no_type_check
def _write(held, first, count, information, z):
    """Copy what is held of some targets."""
    for t in range(len(z)):
        for j in range(count):
            information[t, first + j], z[t, first + j] = held[0, t, j], held[1, t, j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _forms(clear, answer, image, first, stop, half, quadratic, linear):
    """Fill y' C y and y' a of the templates ``first`` to ``stop`` - 1, columns of ``image``."""
    n_boxes, n = len(answer), stop - first
    half, quadratic, linear = half[:n], quadratic[first:stop], linear[first:stop]
    quadratic[:] = 0.0
    linear[:] = 0.0
    for b in range(n_boxes):
        own, share, row = clear[b, b], answer[b], image[b, first:stop]
        for t in range(n):  # from 0 on: an index that may be negative is not put into vector code
            half[t] = own * row[t]
        c = b + 1
        while c + 3 < n_boxes:  # four at a time: each is read once, the sum written once
            w, x, y, v = 2.0 * clear[b, c], 2.0 * clear[b, c + 1], 2.0 * clear[b, c + 2], 2.0 * clear[b, c + 3]
            one, two = image[c, first:stop], image[c + 1, first:stop]
            three, four = image[c + 2, first:stop], image[c + 3, first:stop]
            for t in range(n):
                half[t] += w * one[t] + x * two[t] + y * three[t] + v * four[t]
            c += 4
        while c < n_boxes:
            twice, other = 2.0 * clear[b, c], image[c, first:stop]
            for t in range(n):
                half[t] += twice * other[t]
            c += 1
        for t in range(n):
            quadratic[t] += half[t] * row[t]
            linear[t] += share * row[t]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _cholesky(matrix, k):
    """Turn the lower half of the first ``k`` rows into their Cholesky factor, in place."""
    for p in range(k):
        for q in range(p + 1):
            total = matrix[p, q]
            for r in range(q):
                total -= matrix[p, r] * matrix[q, r]
            matrix[p, q] = math.sqrt(total) if p == q else total / matrix[q, q]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _clear(lower, k, weighted, mine, precision, plain, seen, solved, clear, answer):
    """Fill S Q S and S Q S' beta of one pair (``plain`` is P S' beta); return what what is besides explains."""
    n_boxes, explained = len(plain), 0.0
    for p in range(k):  # forward substitution of both sides
        one = 1.0 / lower[p, p]
        for r in range(p):
            mine[p] -= lower[p, r] * mine[r]
        mine[p] *= one
        explained += mine[p] * mine[p]
        solved[p] = weighted[p]
        for r in range(p):
            share = lower[p, r]
            for b in range(n_boxes):
                solved[p, b] -= share * solved[r, b]
        for b in range(n_boxes):
            solved[p, b] *= one
    for b in range(n_boxes):
        row, total = clear[b], plain[b]
        row[:] = precision[b]
        for p in range(k):
            share = solved[p, b]
            total -= share * mine[p]
            for c in range(n_boxes):
                row[c] -= share * solved[p, c]
        for c in range(n_boxes):
            row[c] *= seen[b] * seen[c]
        answer[b] = seen[b] * total
    return explained
