"""Generalised least squares of every template at every target of one neuron: the arithmetic of a score.

With S the share seen, P the inverse of the neuron's own block, besides = slow changes (and pulses), of prior
precision K: Q = P - P S b' (b S P S b' + K)^-1 b S P clears a pair's coefficients of what is besides.  A template y
then has information y' S Q S y and score y' S Q S' beta: one matrix a pair serves all templates.
"""

# ruff: noqa: PLR0912, PLR0917  (kernels loop, and take their arrays by position)
import math
from typing import no_type_check

import numpy as np
from numba import njit

TINY = 1e-9  # keeps pulses that the data do not show solvable
NEVER_V2 = 1e-24


@njit(cache=True, nogil=True)
@no_type_check
def score_pairs(
    beta, seen, precision, noise2, slow2, slow, pulses, by_target, is_under, z, information, gained, excess
):
    """Fill ``z`` and ``information`` [templates, targets] and what pulses explain over slow changes alone.

    Where there are pulses, ``excess`` becomes what the best template leaves of chi-squared, a degree of freedom, with
    the pulses or without, whichever is less; never under 1.
    """
    n, n_boxes, n_templates = by_target.shape
    n_slow, n_pulses = len(slow), pulses.shape[1]
    n_besides = n_slow + n_pulses
    besides, weighted = np.empty((n_besides, n_boxes)), np.empty((n_besides, n_boxes))
    theirs, mine = np.empty((n_besides, n_besides)), np.empty(n_besides)
    clear, answer = np.empty((2, n_boxes, n_boxes)), np.empty((2, n_boxes))
    half, quadratic, linear = np.empty(n_templates), np.empty(n_templates), np.empty(n_templates)
    for j in range(n):
        if noise2[j] <= 0.0:
            z[:, j] = 0.0
            information[:, j] = 0.0
            continue
        for p in range(n_besides):
            for b in range(n_boxes):
                besides[p, b] = (slow[p, b] if p < n_slow else pulses[j, p - n_slow, b]) * seen[b, j]
        for p in range(n_besides):
            for b in range(n_boxes):
                total = 0.0
                for c in range(n_boxes):
                    total += precision[b, c] * besides[p, c]
                weighted[p, b] = total
        for which in range(1 if n_pulses == 0 else 2):
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
                    total += weighted[p, b] * seen[b, j] * beta[b, j]
                mine[p] = total
            for p in range(k):
                theirs[p, p] += TINY * max(trace, 1.0)
                if p < n_slow:
                    theirs[p, p] += noise2[j] / slow2[p, j]
            _cholesky(theirs, k)
            explained = _clear(
                theirs, k, weighted, mine, precision, seen[:, j], beta[:, j], clear[which], answer[which]
            )
            gained[j] = explained / noise2[j] - (gained[j] if which == 1 else 0.0)
        if n_pulses == 0:
            gained[j] = 0.0
        image = by_target[j]
        for which in range(1 if n_pulses == 0 else 2):
            quadratic[:] = 0.0
            linear[:] = 0.0
            for b in range(n_boxes):
                own, share, row = clear[which, b, b], answer[which, b], image[b]
                for t in range(n_templates):
                    half[t] = own * row[t]
                for c in range(b + 1, n_boxes):
                    twice, other = 2.0 * clear[which, b, c], image[c]
                    for t in range(n_templates):
                        half[t] += twice * other[t]
                for t in range(n_templates):
                    quadratic[t] += half[t] * row[t]
                    linear[t] += share * row[t]
            for t in range(n_templates):
                if is_under[t] == (which == 1):
                    known = max(quadratic[t], 0.0) / noise2[j]
                    information[t, j] = known
                    z[t, j] = linear[t] / noise2[j] / math.sqrt(known) if known > 0.0 else 0.0
        if n_pulses > 0:
            plain = _misfit(beta[:, j], answer[0], noise2[j], seen[:, j], n_slow, z[:, j], is_under, False)
            excess[j] = max(
                1.0,
                min(plain, _misfit(beta[:, j], answer[1], noise2[j], seen[:, j], n_besides, z[:, j], is_under, True)),
            )


@njit(cache=True, nogil=True)
@no_type_check
def _misfit(beta, answer, noise2, seen, n_besides, z, is_under, which):
    """Return what besides and the best template of one side leave of chi-squared, a degree of freedom."""
    left, best, freedom = 0.0, 0.0, -n_besides - 1
    for b in range(len(beta)):
        left += beta[b] * answer[b] / noise2
        if seen[b] > 0.0:
            freedom += 1
    for t in range(len(z)):
        if is_under[t] == which:
            best = max(best, z[t] ** 2)
    return (left - best) / max(freedom, 1)


@njit(cache=True, nogil=True)
@no_type_check
def _cholesky(matrix, k):
    """Turn the lower half of the first ``k`` rows into their Cholesky factor, in place."""
    for p in range(k):
        for q in range(p + 1):
            total = matrix[p, q]
            for r in range(q):
                total -= matrix[p, r] * matrix[q, r]
            matrix[p, q] = math.sqrt(total) if p == q else total / matrix[q, q]


@njit(cache=True, nogil=True)
@no_type_check
def _clear(lower, k, weighted, mine, precision, seen, beta, clear, answer):
    """Fill S Q S and S Q S' beta of one pair; return what is explained by what is besides."""
    n_boxes, explained = len(seen), 0.0
    solved = np.empty((k, n_boxes))
    for p in range(k):  # forward substitution of both sides
        for r in range(p):
            mine[p] -= lower[p, r] * mine[r]
        mine[p] /= lower[p, p]
        explained += mine[p] * mine[p]
        for b in range(n_boxes):
            total = weighted[p, b]
            for r in range(p):
                total -= lower[p, r] * solved[r, b]
            solved[p, b] = total / lower[p, p]
    for b in range(n_boxes):
        total = 0.0
        for c in range(n_boxes):
            total += precision[b, c] * seen[c] * beta[c]
            entry = precision[b, c]
            for p in range(k):
                entry -= solved[p, b] * solved[p, c]
            clear[b, c] = seen[b] * entry * seen[c]
        for p in range(k):
            total -= solved[p, b] * mine[p]
        answer[b] = seen[b] * total
    return explained
