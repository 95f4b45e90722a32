"""Traces channel by channel, contiguous in the cache: gain, own spikes and drift out; then turned to rows."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numba import njit
from numpy import ndarray

_STEPS_A_SD = 10  # of the drift's Gaussian
_TALL = 64  # rows that are turned at a time


class Scaled(NamedTuple):
    """Traces in membrane volts, 0 where a row is not good."""

    volts: Float64[ndarray, "neurons rows"]
    is_ok: Bool[ndarray, "neurons rows"]


def scaled(
    given: Float32[ndarray, "neurons rows"],
    time_s: Float64[ndarray, " rows"],
    knot_s: list[Float64[ndarray, " _"]],
    gain: list[Float64[ndarray, " _"]],
) -> Scaled:
    """Return rows times their channel's gain, linear between knots and constant outside; a row that is NaN is bad."""
    out = Scaled(np.empty(given.shape), np.empty(given.shape, dtype=np.bool_))
    start = np.concatenate([[0], np.cumsum([len(mine) for mine in gain])]).astype(np.int64)
    _scale(given, time_s, np.concatenate(knot_s), np.concatenate(gain), start, out.volts, out.is_ok)
    return out


@njit(cache=True, nogil=True)
@no_type_check
def _scale(given, time_s, knot_s, gain, start, volts, is_ok):
    for c in range(len(given)):
        mine, out, ok = given[c], volts[c], is_ok[c]
        first, last = start[c], start[c + 1] - 1
        for t in range(len(mine)):
            ok[t] = mine[t] == mine[t]
        if first == last:
            share = gain[first]
            for t in range(len(mine)):
                out[t] = share * mine[t] if ok[t] else 0.0
            continue
        k = first
        for t in range(len(mine)):
            while k < last and time_s[t] >= knot_s[k + 1]:
                k += 1
            share = gain[k]
            if k < last and time_s[t] > knot_s[k]:
                share += (time_s[t] - knot_s[k]) * (gain[k + 1] - gain[k]) / (knot_s[k + 1] - knot_s[k])
            out[t] = share * mine[t] if ok[t] else 0.0


def blank(
    traces: Scaled,
    spikes: list[Int64[ndarray, " _"]],
    artefacts: Int64[ndarray, " artefacts"],
    before: int,
    after: tuple[int, int],
) -> None:
    """Take rows around each trace's own spikes, and around all artefacts, for bad; lay straight lines over bad rows.

    ``after`` are rows after a spike, and after an artefact.
    """
    start = np.concatenate([[0], np.cumsum([len(mine) for mine in spikes])]).astype(np.int64)
    _clean(traces.volts, traces.is_ok, np.concatenate(spikes), start, artefacts, before, after)


@njit(cache=True, nogil=True)
@no_type_check
def _clean(volts, is_ok, spikes, start, artefacts, before, after):
    for c in range(len(volts)):
        blank_rows(spikes[start[c] : start[c + 1]], before, after[0], is_ok[c])
        blank_rows(artefacts, before, after[1], is_ok[c])
        bridge(volts[c], is_ok[c])


@njit(cache=True, nogil=True)
@no_type_check
def blank_rows(rows, before, after, weight):
    """Set the weight to 0 from ``before`` rows before each row to ``after`` rows after it."""
    n = len(weight)
    for row in rows:
        for k in range(max(row - before, 0), min(row + after + 1, n)):
            weight[k] = 0


@njit(cache=True, nogil=True)
@no_type_check
def bridge(volts, weight):
    """Lay a straight line over each blank, in place (only filters see it: its own weight stays 0)."""
    n, last = len(volts), -1
    for k in range(n):
        if weight[k] == 0:
            continue
        if last < 0:
            volts[:k] = volts[k]
        elif k > last + 1:
            slope = (volts[k] - volts[last]) / (k - last)
            for q in range(last + 1, k):
                volts[q] = slope * (q - last) + volts[last]
        last = k
    if last >= 0:
        volts[last + 1 :] = volts[last]


def without_drift(volts: Float64[ndarray, "neurons rows"], sd_rows: float) -> None:
    """Take the Gaussian smooth out, in place; at the recording's edges it is normalised by the part that lies inside.

    A wide Gaussian is taken of means of a tenth of its sd, linear in between: the same to 1e-3 and far quicker.
    """
    from scipy.ndimage import gaussian_filter1d

    step, n = max(int(sd_rows / _STEPS_A_SD), 1), volts.shape[1]
    start = np.arange(-(-n // step)) * step
    size = np.diff(np.append(start, n)).astype(np.float64)
    total = np.empty((len(volts), len(start)))
    _sum_steps(volts, step, total)
    smooth = gaussian_filter1d(total, sd_rows / step, axis=1, mode="constant")
    smooth /= gaussian_filter1d(size, sd_rows / step, mode="constant")
    _subtract_line(smooth, start + (size - 1) / 2, volts)


@njit(cache=True, nogil=True)
@no_type_check
def _sum_steps(volts, step, total):
    n = volts.shape[1]
    for c in range(len(volts)):
        for k in range(total.shape[1]):
            one = 0.0
            for t in range(k * step, min((k + 1) * step, n)):
                one += volts[c, t]
            total[c, k] = one


@njit(cache=True, nogil=True)
@no_type_check
def _subtract_line(values, knots, volts):
    """Subtract values that are linear between knots, constant outside."""
    n, n_knots = volts.shape[1], len(knots)
    for c in range(len(volts)):
        out, mine = volts[c], values[c]
        row = 0
        while row < n and row <= knots[0]:
            out[row] -= mine[0]
            row += 1
        for k in range(n_knots - 1):
            slope = (mine[k + 1] - mine[k]) / (knots[k + 1] - knots[k])
            stop = min(int(np.floor(knots[k + 1])) + 1, n)
            for t in range(row, stop):
                out[t] -= mine[k] + slope * (t - knots[k])
            row = max(row, stop)
        for t in range(row, n):
            out[t] -= mine[n_knots - 1]


@njit(cache=True, nogil=True)
@no_type_check
def turn(volts, is_ok, first, rows, weight):
    """Fill rows, [row, neuron], and their weights 0 or 1, from traces' row ``first`` on, a few rows at a time."""
    n, n_neurons = rows.shape
    for top in range(0, n, _TALL):
        stop = min(top + _TALL, n)
        for c in range(n_neurons):
            mine, out = volts[c, first + top : first + stop], rows[top:stop, c]
            for t in range(len(mine)):
                out[t] = mine[t]
        for c in range(n_neurons):
            good, out = is_ok[c, first + top : first + stop], weight[top:stop, c]
            for t in range(len(good)):
                out[t] = good[t]
