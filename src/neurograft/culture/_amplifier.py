"""Kernels from potentials to samples: pads, neighbours, noise, AC coupling, converter, all in one pass a block."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._pads import N_INSIDE, N_NEAR, ArrayOptions, Pads, PadState
from neurograft.culture._random import SLOW, Streams, draw_bits, quick_normal, slow_normal, streams

# One pole and one zero half a decade higher, a decade apart: an amplitude that falls as 1 / sqrt(f).
_POLES_HZ = (0.5, 5.0, 50.0, 500.0)
_ZERO_ABOVE_POLE = math.sqrt(10.0)


class Amplifier(NamedTuple):
    """Constants and running state of all channels; ``fresh`` is 1 until the first sample is in."""

    streams: Streams
    sections: Float64[ndarray, "pads four"]
    last_in: Float64[ndarray, " pads"]
    last_out: Float64[ndarray, " pads"]
    last_v: Float64[ndarray, " neurons"]
    white: Float64[ndarray, " pads"]  # in steps of the converter
    flicker: Float64[ndarray, " pads"]
    offset: Float64[ndarray, " pads"]
    pole: Float64[ndarray, " four"]
    zero: Float64[ndarray, " four"]
    highpass_keep: float
    limit: float


def amplifier(options: ArrayOptions, pads: Pads, *, rest_v: ndarray, step_s: float, rng: Generator) -> Amplifier:
    """Return amplifiers whose 1/f noise has already run for a while."""
    readout, n = options.readout, pads.state.size
    pole = np.exp(-2 * math.pi * np.array(_POLES_HZ) * step_s)
    zero = np.exp(-2 * math.pi * np.array(_POLES_HZ) * _ZERO_ABOVE_POLE * step_s)
    limit = float(2 ** (readout.n_bits - 1) - 1)
    alive = np.where(pads.state == PadState.DEAD, 0.2, 1.0) / readout.lsb_u
    made = Amplifier(
        streams=streams(n, rng),
        sections=np.zeros((n, len(pole))),
        last_in=np.zeros(n),
        last_out=np.zeros(n),
        last_v=rest_v.copy(),
        white=readout.white_u * alive,
        flicker=readout.flicker_u * alive / flicker_rms(pole, zero),
        offset=np.where(pads.state == PadState.SATURATED, 4 * limit, 0.0) * np.where(rng.random(n) < 0.5, -1, 1),
        pole=pole,
        zero=zero,
        highpass_keep=1.0 / (1.0 + 2 * math.pi * options.highpass_hz * step_s),
        limit=limit,
    )
    for _ in range(4):  # pole of 0.5 Hz: 0.3 s
        quiet = np.zeros((n, round(0.25 / step_s)), dtype=np.float32)
        digitise(quiet, made, 0, n, np.empty(quiet.shape[::-1], dtype=np.int16))
    return made


def flicker_rms(pole: ndarray, zero: ndarray) -> float:
    """Return the standard deviation of the 1/f filter's output for white noise of 1."""
    f = np.concatenate([[0.0], np.geomspace(1e-7, 0.5, 20001)])
    z = np.exp(-2j * math.pi * f)[:, None]
    power = np.abs(np.prod((1 - zero * z) / (1 - pole * z), axis=1)) ** 2
    return math.sqrt(2 * np.trapezoid(power, f))


@njit(cache=True, nogil=True)
@no_type_check
def hear(trace_v, rest_v, last_v, pads, drift, drift_step, out, first, last):
    """Fill what pads ``first`` to ``last`` - 1 hear, without noise, in the readout's unit."""
    n_steps = trace_v.shape[1]
    for p in range(first, last):
        row = out[p]
        row[:] = 0.0
        for k in range(N_INSIDE):
            i = pads.inside[p, k]
            if i >= 0:
                _add_inside(row, trace_v[i], rest_v[i], pads.inside_gain[p, k], drift[p], drift_step[p], n_steps)
        for k in range(N_NEAR):
            i = pads.near[p, k]
            if i >= 0 and pads.near_gain[p, k] > 0.0:
                _add_near(row, trace_v[i], last_v[i], pads.near_gain[p, k], n_steps)


@njit(cache=True)
@no_type_check
def _add_inside(row, v, rest, gain, drift, drift_step, n):
    for t in range(n):
        row[t] += gain * (drift + drift_step * t) * (v[t] - rest)


@njit(cache=True)
@no_type_check
def _add_near(row, v, before, gain, n):
    row[0] -= gain * (v[0] - before)
    for t in range(1, n):
        row[t] -= gain * (v[t] - v[t - 1])


@njit(cache=True, nogil=True)
@no_type_check
def leak_between(heard, n_rows, n_columns, share, out, first, last):
    """Fill what channels get with a share of each direct neighbour's signal."""
    n = heard.shape[1]
    for p in range(first, last):
        row, column = p // n_columns, p % n_columns
        target = out[p]
        target[:] = heard[p]
        if share > 0.0:
            if column > 0:
                _add_share(target, heard[p - 1], share, n)
            if column < n_columns - 1:
                _add_share(target, heard[p + 1], share, n)
            if row > 0:
                _add_share(target, heard[p - n_columns], share, n)
            if row < n_rows - 1:
                _add_share(target, heard[p + n_columns], share, n)


@njit(cache=True)
@no_type_check
def _add_share(target, source, share, n):
    for t in range(n):
        target[t] += share * source[t]


@njit(cache=True, nogil=True)
@no_type_check
def digitise(signal, amp, first, last, out):
    """Fill ``out`` (frames by channels) with samples of channels ``first`` to ``last`` - 1; ``signal`` in lsb."""
    n_steps = signal.shape[1]
    a, b, c, k = amp.streams
    p0, p1, p2, p3 = amp.pole
    z0, z1, z2, z3 = amp.zero
    for p in range(first, last):
        row = signal[p]
        s0, s1, s2, s3 = amp.sections[p]
        x, y = amp.last_in[p], amp.last_out[p]
        white, flicker, offset = amp.white[p], amp.flicker[p], amp.offset[p]
        for t in range(n_steps):
            bits = draw_bits(a, b, c, k, p)
            u = quick_normal(bits)
            if u == SLOW:
                u = slow_normal(a, b, c, k, p, bits)
            # Direct form II: each section keeps one number.
            w = u + p0 * s0
            u = w - z0 * s0
            s0 = w
            w = u + p1 * s1
            u = w - z1 * s1
            s1 = w
            w = u + p2 * s2
            u = w - z2 * s2
            s2 = w
            w = u + p3 * s3
            u = w - z3 * s3
            s3 = w
            now = row[t] + flicker * u
            y = amp.highpass_keep * (y + now - x)
            x = now
            bits = draw_bits(a, b, c, k, p)
            u = quick_normal(bits)
            if u == SLOW:
                u = slow_normal(a, b, c, k, p, bits)
            sample = y + white * u + offset
            sample = min(max(sample, -amp.limit), amp.limit)
            out[t, p] = np.int16(math.floor(sample + 0.5))
        amp.sections[p, 0] = s0
        amp.sections[p, 1] = s1
        amp.sections[p, 2] = s2
        amp.sections[p, 3] = s3
        amp.last_in[p] = x
        amp.last_out[p] = y
