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
    """Return amplifiers whose 1/f noise starts as if it had always run."""
    readout, n = options.readout, pads.state.size
    pole = np.exp(-2 * math.pi * np.array(_POLES_HZ) * step_s)
    zero = np.exp(-2 * math.pi * np.array(_POLES_HZ) * _ZERO_ABOVE_POLE * step_s)
    flicker = flicker_filter(pole, zero)
    before, kick = rng.standard_normal((n, len(pole))) @ flicker.state_sd.T, rng.standard_normal(n)
    started = before @ flicker.read + kick
    limit = float(2 ** (readout.n_bits - 1) - 1)
    alive = np.where(pads.state == PadState.DEAD, 0.2, 1.0) / readout.lsb_u
    made = Amplifier(
        streams=streams(n, rng),
        sections=before @ flicker.step.T + kick[:, None],
        last_in=np.zeros(n),
        last_out=np.zeros(n),
        last_v=rest_v.copy(),
        white=readout.white_u * alive,
        flicker=readout.flicker_u * alive / flicker.rms,
        offset=np.where(pads.state == PadState.SATURATED, 4 * limit, 0.0) * np.where(rng.random(n) < 0.5, -1, 1),
        pole=pole,
        zero=zero,
        highpass_keep=1.0 / (1.0 + 2 * math.pi * options.highpass_hz * step_s),
        limit=limit,
    )
    made.last_in[:] = made.flicker * started
    return made


class Flicker(NamedTuple):
    """The 1/f filter as a linear system: state' = step state + u; output = read state + u, for white u."""

    step: Float64[ndarray, "four four"]
    read: Float64[ndarray, " four"]
    state_sd: Float64[ndarray, "four four"]  # Cholesky factor of the stationary covariance
    rms: float


def flicker_filter(pole: Float64[ndarray, " four"], zero: Float64[ndarray, " four"]) -> Flicker:
    """Return the cascade of sections w_k = w_(k-1) - z_(k-1) s_(k-1) + p_k s_k, with s_k' = w_k."""
    from scipy.linalg import solve_discrete_lyapunov

    step, row = np.zeros((len(pole), len(pole))), np.zeros(len(pole))
    for k, (p, z) in enumerate(zip(pole, zero, strict=True)):
        row[k] = p
        step[k] = row
        row[k] = p - z
    every = np.ones((len(pole), len(pole)))  # one u enters all sections
    covariance = np.asarray(solve_discrete_lyapunov(step, every))
    return Flicker(step, row, np.linalg.cholesky(covariance), math.sqrt(float(row @ covariance @ row) + 1.0))


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
