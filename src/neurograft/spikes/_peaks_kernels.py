"""Loops of extracellular spike detection: filter, whiten, watch for crossings, keep the locally deepest.

Rows are frames and lanes are channels, so that every inner loop runs along memory.  The filter works in whole
numbers, which makes a sample's value the same wherever a chunk begins.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.spikes._whitening import GATHER

LANES = 32


@njit(cache=True, nogil=True)
@no_type_check
def filter_and_whiten(raw, first, n_short, n_half, shift, index, weight, out):
    """Fill ``out[k]`` with the whitened band-passed row ``first + k`` of ``raw``.

    Band-passed: W times the triangle of half width ``n_short`` minus n_short^2 times the box of W = 2 n_half + 1
    rows.  Whitened: the sum over k of ``weight[k, c]`` times the channel ``index[k, c]``, which is ``c + shift[k]``
    unless the shift is ``GATHER``.  ``raw`` holds the rows that the filter reaches to.
    """
    n = raw.shape[1]
    box, slope, triangle = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    for j in range(-n_half, n_half + 1):
        _add(raw[first + j], 1, box)
    for j in range(n_short):
        _add(raw[first + j], 1, slope)
        _add(raw[first - j - 1], -1, slope)
    for j in range(1 - n_short, n_short):
        _add(raw[first + j], n_short - abs(j), triangle)
    band = np.empty(n, np.float32)
    for k in range(out.shape[0]):
        t = first + k
        if k > 0:
            _slide_box(raw[t + n_half], raw[t - n_half - 1], box)
            _slide_triangle(raw[t + n_short - 1], raw[t - 1], raw[t - 1 - n_short], slope, triangle)
        _band(triangle, box, 2 * n_half + 1, n_short * n_short, band)
        out[k, :] = np.float32(0)
        for j in range(shift.size):
            s = shift[j]
            if s == GATHER:
                _add_gathered(weight[j], index[j], band, out[k])
                continue
            _add_weighted(
                weight[j, max(-s, 0) : n - max(s, 0)],
                band[max(s, 0) : n - max(-s, 0)],
                out[k, max(-s, 0) : n - max(s, 0)],
            )


@njit(cache=True, nogil=True)
@no_type_check
def _add(row, factor, total):
    for c in range(total.size):
        total[c] = np.int32(total[c] + factor * np.int32(row[c]))


@njit(cache=True, nogil=True)
@no_type_check
def _slide_box(new, old, box):
    for c in range(box.size):
        box[c] = np.int32(box[c] + np.int32(new[c]) - np.int32(old[c]))


@njit(cache=True, nogil=True)
@no_type_check
def _slide_triangle(new, middle, old, slope, triangle):
    for c in range(triangle.size):
        step = np.int32(slope[c] + np.int32(new[c]) - 2 * np.int32(middle[c]) + np.int32(old[c]))
        slope[c] = step
        triangle[c] = np.int32(triangle[c] + step)


@njit(cache=True, nogil=True)
@no_type_check
def _band(triangle, box, width, area, band):
    w, a = np.int32(width), np.int32(area)
    for c in range(band.size):
        band[c] = np.float32(np.int32(w * triangle[c] - a * box[c]))


@njit(cache=True, nogil=True)
@no_type_check
def _add_weighted(weight, values, out):
    for c in range(out.size):
        out[c] += weight[c] * values[c]


@njit(cache=True, nogil=True)
@no_type_check
def _add_gathered(weight, index, values, out):
    for c in range(out.size):
        out[c] += weight[c] * values[index[c]]


@njit(cache=True, nogil=True)
@no_type_check
def absolute_median(z, first, step, out):
    """Fill ``out`` with each lane's median of |z| over the rows first, first + step, …, to 1 part in 4,096.

    By halving an interval, which takes the same steps in every lane; 0 where the lane is still.
    """
    n_rows, n = (z.shape[0] - first + step - 1) // step, z.shape[1]
    low, high, middle = np.zeros(n, np.float32), np.zeros(n, np.float32), np.empty(n, np.float32)
    count = np.empty(n, np.int32)
    for k in range(first, z.shape[0], step):
        _largest(z[k], high)
    for _ in range(12):
        count[:] = 0
        for c in range(n):
            middle[c] = np.float32(0.5) * (low[c] + high[c])
        for k in range(first, z.shape[0], step):
            _count_below(z[k], middle, count)
        for c in range(n):
            is_high = 2 * count[c] > n_rows
            high[c] = middle[c] if is_high else high[c]
            low[c] = low[c] if is_high else middle[c]
    for c in range(n):
        out[c] = high[c]


@njit(cache=True, nogil=True)
@no_type_check
def _largest(row, high):
    for c in range(high.size):
        high[c] = max(high[c], abs(row[c]))


@njit(cache=True, nogil=True)
@no_type_check
def _count_below(row, middle, count):
    for c in range(count.size):
        count[c] = np.int32(count[c] + (abs(row[c]) < middle[c]))


@njit(cache=True, nogil=True)
@no_type_check
def silence_still(raw, first, stop, step, noise):
    """Set ``noise`` to 0 where a channel has one value in the rows first, first + step, … before ``stop``."""
    changes = np.zeros(noise.size, np.int32)
    for k in range(first + step, stop, step):
        _count_changes(raw[first], raw[k], changes)
    for c in range(noise.size):
        if changes[c] == 0:
            noise[c] = np.float32(0)


@njit(cache=True, nogil=True)
@no_type_check
def _count_changes(row, other, changes):
    for c in range(changes.size):
        changes[c] = np.int32(changes[c] + (row[c] != other[c]))


@njit(cache=True, nogil=True)
@no_type_check
def deepest(z, first, stop, low, near_start, near, sweep, frame, channel, depth):
    """Find rows ``first`` to ``stop`` - 1 where a lane is under ``low`` and nothing near it is deeper; return how many.

    Near are the lanes ``near[near_start[c]:near_start[c + 1]]`` and ``c`` itself, ``sweep`` rows before and after,
    which ``z`` must hold; of equal depths the earlier row and then the lower lane wins.  Results beyond the arrays'
    length are counted and not stored.
    """
    found = 0
    n = z.shape[1]
    for t in range(first, stop):
        for begin in range(0, n, LANES):
            end = min(begin + LANES, n)
            if not _any_below(z[t, begin:end], low[begin:end]):
                continue
            for c in range(begin, end):
                if z[t, c] < low[c] and _is_deepest(z, t, c, near_start, near, sweep):
                    if found < frame.size:
                        frame[found], channel[found], depth[found] = t, c, -z[t, c]
                    found += 1
    return found


@njit(cache=True, nogil=True)
@no_type_check
def _any_below(row, low):
    count = np.int32(0)
    for c in range(row.size):
        count = np.int32(count + (row[c] < low[c]))
    return count > 0


@njit(cache=True, nogil=True)
@no_type_check
def _is_deepest(z, t, c, near_start, near, sweep):
    v = z[t, c]
    for k in range(t - sweep, t):
        if z[k, c] <= v:
            return False
    for k in range(t + 1, t + sweep + 1):
        if z[k, c] < v:
            return False
    for k in range(t - sweep, t + sweep + 1):
        for j in range(near_start[c], near_start[c + 1]):
            other = near[j]
            w = z[k, other]
            if w < v or (w == v and (k < t or (k == t and other < c))):
                return False
    return True


@njit(cache=True, nogil=True)
@no_type_check
def add_snippets(raw, frame, channel, n_short, n_half, total, count, band):
    """Add the raw rows around each peak to its channel's ``total``; fill ``band`` with the band-passed peak in counts.

    ``total[c]`` holds the 2 n_half + 1 rows around the peak: the mean action potential before any filter.
    """
    for e in range(frame.size):
        t, c = frame[e], channel[e]
        box, triangle = 0, 0
        for j in range(-n_half, n_half + 1):
            value = np.int64(raw[t + j, c])
            total[c, j + n_half] += value
            box += value
            if abs(j) < n_short:
                triangle += (n_short - abs(j)) * value
        count[c] += 1
        band[e] = triangle / (n_short * n_short) - box / (2 * n_half + 1)
