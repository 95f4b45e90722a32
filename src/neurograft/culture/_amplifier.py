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
from neurograft.culture._random import MASK, SLOW, Streams, quick_normal, slow_normal, streams

# One pole and one zero half a decade higher, a decade apart: an amplitude that falls as 1 / sqrt(f).
_POLES_HZ = (0.5, 5.0, 50.0, 500.0)
_ZERO_ABOVE_POLE = math.sqrt(10.0)
_BLOCK = 32  # channels whose samples of one frame fill a cache line


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
    """Fill ``out`` (frames by channels) with samples of channels ``first`` to ``last`` - 1; ``signal`` in lsb.

    Blocks of channels are made one after the other and then turned: a column written sample by sample would
    fetch a cache line for each.
    """
    n_steps = signal.shape[1]
    block = np.empty((_BLOCK, n_steps), dtype=np.int16)
    for start in range(first, last, _BLOCK):
        width = min(_BLOCK, last - start)
        for q in range(width):
            _convert(signal[start + q], amp, start + q, block[q])
        for t in range(n_steps):
            for q in range(width):
                out[t, start + q] = block[q, t]


@njit(cache=True, error_model="numpy")
@no_type_check
def _convert(signal, amp, p, out):
    """Fill samples of channel ``p``; the random stream lives in registers, see ``draw_bits``."""
    a, b, c, k = amp.streams
    a0, b0, c0, k0 = a[p], b[p], c[p], k[p]
    pole, zero, sections = amp.pole, amp.zero, amp.sections
    p0, p1, p2, p3 = pole[0], pole[1], pole[2], pole[3]
    z0, z1, z2, z3 = zero[0], zero[1], zero[2], zero[3]
    s0, s1, s2, s3 = sections[p, 0], sections[p, 1], sections[p, 2], sections[p, 3]
    x, y, keep, limit = amp.last_in[p], amp.last_out[p], amp.highpass_keep, amp.limit
    white, flicker, offset = amp.white[p], amp.flicker[p], amp.offset[p]
    u = 0.0
    for t in range(signal.size):
        for part in range(2):
            bits = (a0 + b0 + k0) & MASK
            k0 = (k0 + 1) & MASK
            a0 = b0 ^ (b0 >> 9)
            b0 = (c0 + (c0 << 3)) & MASK
            c0 = ((((c0 << 21) & MASK) | (c0 >> 11)) + bits) & MASK
            z = quick_normal(bits)
            if z == SLOW:
                a[p], b[p], c[p], k[p] = a0, b0, c0, k0
                z = slow_normal(a, b, c, k, p, bits)
                a0, b0, c0, k0 = a[p], b[p], c[p], k[p]
            if part == 0:
                u = z
        # 1/f noise: four sections in direct form II, each of which keeps one number.
        w0 = u + p0 * s0
        w1 = w0 - z0 * s0 + p1 * s1
        w2 = w1 - z1 * s1 + p2 * s2
        w3 = w2 - z2 * s2 + p3 * s3
        now = signal[t] + flicker * (w3 - z3 * s3)
        s0, s1, s2, s3 = w0, w1, w2, w3
        y = keep * (y + now - x)
        x = now
        sample = min(max(y + white * z + offset, -limit), limit)
        out[t] = math.floor(sample + 0.5)
    a[p], b[p], c[p], k[p] = a0, b0, c0, k0
    sections[p, 0], sections[p, 1], sections[p, 2], sections[p, 3] = s0, s1, s2, s3
    amp.last_in[p] = x
    amp.last_out[p] = y
