"""Compiled training and rollout of the vector autoregression.  Their slow twins are in the tests."""

from typing import no_type_check

import numpy as np
from numba import njit

# Sums may be taken in any order, so that they fill the vector unit; NaN and infinity keep their meaning.
_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, fastmath=_SUMS, error_model="numpy")
@no_type_check
def scale_columns(x, mean, scale, z):
    """Fill mean, standard deviation and the scaled columns, one row of ``z`` a column; return the largest size."""
    rows, columns = x.shape
    for j in range(columns):
        total = 0.0
        for n in range(rows):
            z[j, n] = x[n, j]
            total += z[j, n]
        mean[j] = total / rows
        square = 0.0
        for n in range(rows):
            z[j, n] -= mean[j]
            square += z[j, n] * z[j, n]
        scale[j] = np.sqrt(square / rows)
        inverse = 1.0 / scale[j]
        for n in range(rows):
            z[j, n] *= inverse
    largest = 0.0
    for j in range(columns):
        for n in range(rows):
            if abs(z[j, n]) > largest:  # noqa: PLR1730 - a branch hardly taken, where max() waits for the last one
                largest = abs(z[j, n])
    return largest


@njit(cache=True, error_model="numpy")
@no_type_check
def fill_features(z, taps, skip, parent, variable, phi):  # noqa: PLR0917
    """Fill one row of ``phi`` a feature; the inputs are tap 0 of all columns, then tap 1, and so on."""
    columns = z.shape[0]
    first = (taps - 1) * skip
    n = phi.shape[1]
    phi[0, :] = 1.0
    for f in range(1, parent.size):
        tap, column = variable[f] // columns, variable[f] % columns
        shift = first - tap * skip
        if parent[f] == 0:
            phi[f, :] = z[column, shift : shift + n]
        else:
            before, own = phi[parent[f]], phi[1 + variable[f]]
            row = phi[f]
            for t in range(n):
                row[t] = before[t] * own[t]


@njit(cache=True, fastmath=_SUMS, error_model="numpy")
@no_type_check
def products(rows, first, second, out):
    """Fill ``out[k]`` with the product of rows first[k] and second[k]; two at a time where they share the first."""
    n_rows = rows.shape[1]
    k = 0
    while k < first.size:
        i, j = first[k], second[k]
        total = 0.0
        if k + 1 < first.size and first[k + 1] == i:
            m = second[k + 1]
            other = 0.0
            for n in range(n_rows):
                total += rows[i, n] * rows[j, n]
                other += rows[i, n] * rows[m, n]
            out[k], out[k + 1] = total, other
            k += 2
        else:
            for n in range(n_rows):
                total += rows[i, n] * rows[j, n]
            out[k] = total
            k += 1


@njit(cache=True, fastmath=_SUMS, error_model="numpy")
@no_type_check
def crossed_products(targets, phi, chosen, out):
    """Fill ``out`` (targets, chosen) with the products of targets and chosen features, up to three at a time."""
    n_rows, n_targets = phi.shape[1], targets.shape[0]
    for a in range(chosen.size):
        f = chosen[a]
        k = 0
        while k + 3 <= n_targets:
            x, y, z = 0.0, 0.0, 0.0
            for n in range(n_rows):
                x += targets[k, n] * phi[f, n]
                y += targets[k + 1, n] * phi[f, n]
                z += targets[k + 2, n] * phi[f, n]
            out[k, a], out[k + 1, a], out[k + 2, a] = x, y, z
            k += 3
        while k < n_targets:
            x = 0.0
            for n in range(n_rows):
                x += targets[k, n] * phi[f, n]
            out[k, a] = x
            k += 1


@njit(cache=True, fastmath=_SUMS, error_model="numpy")
@no_type_check
def solve_normal(phi, targets, plan, ridge, weights):
    """Fill ``weights`` (targets, chosen features) by Cholesky of the scaled Gram matrix; tell if it was positive.

    Many entries of the Gram matrix are the same moment of the inputs; ``plan`` says which, and each is
    summed once: ``plan = (chosen, first, second, moment)``.
    """
    chosen, first, second, moment = plan
    rows, size, n_targets = phi.shape[1], chosen.size, targets.shape[0]
    sums = np.empty(first.size)
    products(phi, first, second, sums)
    crossed = np.empty((n_targets, size))
    crossed_products(targets, phi, chosen, crossed)
    inverse = np.empty(size)
    for a in range(size):
        square = sums[moment[a, a]]
        inverse[a] = np.sqrt(rows / square) if square > 0 else 1.0
    lower = np.zeros((size, size))
    for a in range(size):
        for b in range(a + 1):
            total = sums[moment[a, b]] * inverse[a] * inverse[b]
            for c in range(b):
                total -= lower[a, c] * lower[b, c]
            if a > b:
                lower[a, b] = total / lower[b, b]
                continue
            total += ridge * rows
            if not total > 1e-14 * rows:
                return False
            lower[a, a] = np.sqrt(total)
    solution = np.empty(size)
    for k in range(n_targets):
        for a in range(size):
            total = crossed[k, a] * inverse[a]
            for b in range(a):
                total -= lower[a, b] * solution[b]
            solution[a] = total / lower[a, a]
        for a in range(size - 1, -1, -1):
            total = solution[a]
            for b in range(a + 1, size):
                total -= lower[b, a] * solution[b]
            solution[a] = total / lower[a, a]
            weights[k, chosen[a]] = solution[a] * inverse[a]
    return True


@njit(cache=True, error_model="numpy")
@no_type_check
def train(x, taps, skip, parent, variable, plan, ridge):  # noqa: PLR0917
    """Learn the steps of a series: return weights, mean, scale, largest scaled size, and what stopped it.

    0 nothing; 1 a value that is not finite; 2 a constant column; 3 features that depend on each other.
    """
    rows, columns = x.shape
    mean, scale, z = np.empty(columns), np.empty(columns), np.empty((columns, rows))
    weights = np.zeros((columns, parent.size))
    largest = scale_columns(x, mean, scale, z)
    stopped = 0
    for j in range(columns):
        if not np.isfinite(mean[j] * scale[j]):
            return weights, mean, scale, largest, 1
        if not scale[j] > 1e-13 * abs(mean[j]):
            stopped = 2
    if stopped:
        return weights, mean, scale, largest, stopped
    first = (taps - 1) * skip
    phi = np.empty((parent.size, rows - 1 - first))
    fill_features(z, taps, skip, parent, variable, phi)
    targets = np.empty((columns, rows - 1 - first))
    for j in range(columns):
        for n in range(rows - 1 - first):
            targets[j, n] = z[j, first + n + 1] - z[j, first + n]
    if not solve_normal(phi, targets, plan, ridge, weights):
        stopped = 3
    return weights, mean, scale, largest, stopped


@njit(cache=True, fastmath=_SUMS, error_model="numpy")
@no_type_check
def _step_any(taps, weights, variable, phi, state):
    """Add a polynomial of the taps to the newest state; the children of a monomial follow each other."""
    n_features, n = weights.shape[0], taps.size
    phi[0] = 1.0
    for v in range(min(n, n_features - 1)):
        phi[1 + v] = taps[v]
    f, parent = 1 + n, 1
    while f < n_features:
        for v in range(variable[parent], n):
            phi[f] = phi[parent] * taps[v]
            f += 1
        parent += 1
    for o in range(state.size):
        state[o] = taps[o]
    for f in range(n_features):
        for o in range(state.size):
            state[o] += weights[f, o] * phi[f]


@njit(cache=True, error_model="numpy")
@no_type_check
def roll(buffer, delays, weights, variable, scaling, out, n_bounded):  # noqa: PLR0917
    """Fill ``out`` (starts, steps, columns) with closed-loop states in their own units.

    ``buffer`` (starts, history, columns) holds scaled rows and is used up as a ring; ``delays`` are the taps'
    ages in rows; ``scaling`` is (mean, scale, limit).  A rollout that leaves the limit holds its last state.
    """
    mean, scale, limit = scaling
    n_starts, steps, columns = out.shape
    rows = buffer.shape[1]
    phi = np.empty(weights.shape[0])
    taps = np.empty(delays.size * columns)
    for s in range(n_starts):
        ring = buffer[s]
        at = rows - 1
        n_bounded[s] = steps
        for n in range(steps):
            for k in range(delays.size):
                row = at - delays[k]
                if row < 0:
                    row += rows
                for j in range(columns):
                    taps[k * columns + j] = ring[row, j]
            at = at + 1 if at + 1 < rows else 0
            _step_any(taps, weights, variable, phi, ring[at])
            is_inside = True
            for j in range(columns):
                is_inside = is_inside and abs(ring[at, j]) <= limit
                out[s, n, j] = ring[at, j] * scale[j] + mean[j]
            if not is_inside:
                n_bounded[s] = n
                for rest in range(n, steps):
                    for j in range(columns):
                        out[s, rest, j] = taps[j] * scale[j] + mean[j]
                break


@njit(cache=True, fastmath=_SUMS, error_model="numpy")
@no_type_check
def roll_quadratic(buffer, delays, weights, scaling, out, n_bounded):  # noqa: PLR0917
    """Do as ``roll`` does for degree 2 and up to four columns: the polynomial is nested (Horner).

    ``weights`` is (features, 4), padded with zeros: the four outputs side by side fill the vector unit.
    """
    mean, scale, limit = scaling
    n_starts, steps, columns = out.shape
    rows = buffer.shape[1]
    n_taps = delays.size * columns
    taps = np.empty(n_taps)
    new = np.empty(4)
    for s in range(n_starts):
        at = rows - 1
        n_bounded[s] = steps
        for n in range(steps):
            for k in range(delays.size):
                row = at - delays[k]
                if row < 0:
                    row += rows
                for j in range(columns):
                    taps[k * columns + j] = buffer[s, row, j]
            a0, a1, a2, a3 = weights[0, 0], weights[0, 1], weights[0, 2], weights[0, 3]
            f = 1 + n_taps
            for i in range(n_taps):
                c0, c1, c2, c3 = weights[1 + i, 0], weights[1 + i, 1], weights[1 + i, 2], weights[1 + i, 3]
                for v in range(i, n_taps):
                    q = taps[v]
                    c0 += weights[f, 0] * q
                    c1 += weights[f, 1] * q
                    c2 += weights[f, 2] * q
                    c3 += weights[f, 3] * q
                    f += 1
                q = taps[i]
                a0 += c0 * q
                a1 += c1 * q
                a2 += c2 * q
                a3 += c3 * q
            new[0], new[1], new[2], new[3] = a0, a1, a2, a3
            at = at + 1 if at + 1 < rows else 0
            is_inside = True
            for j in range(columns):
                value = taps[j] + new[j]
                is_inside = is_inside and abs(value) <= limit
                buffer[s, at, j] = value
                out[s, n, j] = value * scale[j] + mean[j]
            if not is_inside:
                n_bounded[s] = n
                for rest in range(n, steps):
                    for j in range(columns):
                        out[s, rest, j] = taps[j] * scale[j] + mean[j]
                break
