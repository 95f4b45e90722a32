"""Kernels from potentials to samples: pads, neighbours, noise, AC coupling, converter, piece by piece.

What pads hear is added up along time.  The amplifier's filters remember, so they run across channels, ``LANES``
at a time; the signal is turned for them in tiles that stay in the processor's nearest cache.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float32, Float64, UInt32
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._lanes import LANES, N_DESK_ROWS, draw_pairs, lane_words, load_rows, store_rows
from neurograft.culture._pads import N_INSIDE, N_NEAR, ArrayOptions, Pads, PadState

# One pole and one zero half a decade higher, a decade apart: an amplitude that falls as 1 / sqrt(f).
_POLES_HZ = (0.5, 5.0, 50.0, 500.0)
_ZERO_ABOVE_POLE = math.sqrt(10.0)
_TILE = 32  # frames of LANES channels: 16 kB
_SECTIONS = 4
_LAST_IN, _LAST_OUT, _N_MEMORY = 4, 5, 6
_WHITE, _FLICKER, _OFFSET, _N_SCALE = 0, 1, 2, 3
_F32 = np.float32
_HALF, _MINUS_HALF, _ZERO = np.float32(0.5), np.float32(-0.5), np.float32(0.0)


class Amplifier(NamedTuple):
    """Constants and running state of all channels, in steps of the converter.

    Rows of ``memory``: four sections of the 1/f filter, the AC coupling's last input and output.
    Rows of ``scale``: size of the white noise, gain of the 1/f noise, offset.
    """

    words: UInt32[ndarray, "four pads"]
    memory: Float32[ndarray, "six pads"]
    scale: Float32[ndarray, "three pads"]
    last_v: Float64[ndarray, " neurons"]
    pole: Float32[ndarray, " four"]
    zero: Float32[ndarray, " four"]
    highpass_keep: float
    limit: float

    @property
    def last_in(self) -> Float32[ndarray, " pads"]:
        """What went into each channel's AC coupling last."""
        return self.memory[_LAST_IN]


def amplifier(options: ArrayOptions, pads: Pads, *, rest_v: ndarray, step_s: float, rng: Generator) -> Amplifier:
    """Return amplifiers whose 1/f noise starts as if it had always run."""
    readout, n = options.readout, pads.state.size
    pole = np.exp(-2 * math.pi * np.array(_POLES_HZ) * step_s)
    zero = np.exp(-2 * math.pi * np.array(_POLES_HZ) * _ZERO_ABOVE_POLE * step_s)
    flicker = flicker_filter(pole, zero)
    before, kick = rng.standard_normal((n, len(pole))) @ flicker.state_sd.T, rng.standard_normal(n)
    limit = float(2 ** (readout.n_bits - 1) - 1)
    alive = np.where(pads.state == PadState.DEAD, 0.2, 1.0) / readout.lsb_u
    memory, scale = np.zeros((_N_MEMORY, n), dtype=np.float32), np.empty((_N_SCALE, n), dtype=np.float32)
    scale[_WHITE] = readout.white_u * alive
    scale[_FLICKER] = readout.flicker_u * alive / flicker.rms
    stuck = np.where(pads.state == PadState.SATURATED, 4 * limit, 0.0)
    scale[_OFFSET] = stuck * np.where(rng.random(n) < 0.5, -1, 1)
    memory[:_SECTIONS] = (before @ flicker.step.T + kick[:, None]).T
    memory[_LAST_IN] = scale[_FLICKER] * (before @ flicker.read + kick)
    return Amplifier(
        words=lane_words(n, rng),
        memory=memory,
        scale=scale,
        last_v=rest_v.copy(),
        pole=pole.astype(np.float32),
        zero=zero.astype(np.float32),
        highpass_keep=1.0 / (1.0 + 2 * math.pi * options.highpass_hz * step_s),
        limit=limit,
    )


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
def hear(trace_v, begin, rest_v, last_v, pads, drift, drift_step, out, first, last):
    """Fill what pads ``first`` to ``last`` - 1 hear from frame ``begin`` on, without noise, in the readout's unit."""
    for p in range(first, last):
        row = out[p]
        row[:] = _ZERO
        for k in range(N_INSIDE):
            i = pads.inside[p, k]
            if i >= 0:
                gain, rise = pads.inside_gain[p, k] * (drift[p] + drift_step[p] * begin), pads.inside_gain[p, k]
                _add_inside(row, trace_v[i, begin:], _F32(rest_v[i]), _F32(gain), _F32(rise * drift_step[p]))
        for k in range(N_NEAR):
            i = pads.near[p, k]
            if i >= 0 and pads.near_gain[p, k] > 0.0:
                before = trace_v[i, begin - 1] if begin > 0 else _F32(last_v[i])
                _add_near(row, trace_v[i, begin:], before, _F32(pads.near_gain[p, k]))


@njit(cache=True)
@no_type_check
def _add_inside(row, v, rest, gain, rise):
    for t in range(row.size):
        row[t] += (gain + rise * _F32(np.int32(t))) * (v[t] - rest)


@njit(cache=True)
@no_type_check
def _add_near(row, v, before, gain):
    row[0] -= gain * (v[0] - before)
    for t in range(1, row.size):
        row[t] -= gain * (v[t] - v[t - 1])


@njit(cache=True, nogil=True)
@no_type_check
def leak_between(heard, n_rows, n_columns, share, out, first, last):
    """Fill what channels get with a share of each direct neighbour's signal."""
    part, nothing = _F32(share), np.zeros(heard.shape[1], dtype=np.float32)
    for p in range(first, last):
        row, column = p // n_columns, p % n_columns
        left = heard[p - 1] if column > 0 else nothing
        right = heard[p + 1] if column < n_columns - 1 else nothing
        above = heard[p - n_columns] if row > 0 else nothing
        below = heard[p + n_columns] if row < n_rows - 1 else nothing
        target, own = out[p], heard[p]
        for t in range(own.size):
            target[t] = own[t] + part * ((left[t] + right[t]) + (above[t] + below[t]))


@njit(cache=True, nogil=True)
@no_type_check
def digitise(signal, amp, first, last, out):
    """Fill ``out`` (frames by channels) with samples of channels ``first`` to ``last`` - 1; ``signal`` in lsb."""
    n_frames = out.shape[0]
    words, tile = np.zeros(4 * LANES, dtype=np.uint32), np.zeros((_TILE, LANES), dtype=np.float32)
    memory, scale = np.zeros(_N_MEMORY * LANES, dtype=np.float32), np.zeros(_N_SCALE * LANES, dtype=np.float32)
    bits, z = np.empty(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    whole, real = bits.view(np.int32), bits.view(np.float32)
    for start in range(first, last, LANES):
        n_lanes = min(LANES, last - start)
        load_rows(amp.words, start, n_lanes, words)
        load_rows(amp.memory, start, n_lanes, memory)
        load_rows(amp.scale, start, n_lanes, scale)
        for begin in range(0, n_frames, _TILE):
            n_tile = min(_TILE, n_frames - begin)
            for q in range(n_lanes):
                for t in range(n_tile):
                    tile[t, q] = signal[start + q, begin + t]
            for t in range(n_tile):
                draw_pairs(words, n_lanes, bits, whole, real, z)
                _convert(tile[t], z, amp, memory, scale, out[begin + t, start : start + n_lanes])
        store_rows(words, start, n_lanes, amp.words)
        store_rows(memory, start, n_lanes, amp.memory)


@njit(cache=True, error_model="numpy")
@no_type_check
def _convert(signal, z, amp, memory, scale, out):
    """Fill one frame's samples of some lanes: 1/f noise by four sections in direct form II, one number each."""
    p0, p1, p2, p3 = amp.pole[0], amp.pole[1], amp.pole[2], amp.pole[3]
    z0, z1, z2, z3 = amp.zero[0], amp.zero[1], amp.zero[2], amp.zero[3]
    keep, limit = _F32(amp.highpass_keep), _F32(amp.limit)
    for q in range(out.size):
        s0, s1, s2, s3 = memory[q], memory[LANES + q], memory[2 * LANES + q], memory[3 * LANES + q]
        w0 = z[q] + p0 * s0
        w1 = w0 - z0 * s0 + p1 * s1
        w2 = w1 - z1 * s1 + p2 * s2
        w3 = w2 - z2 * s2 + p3 * s3
        now = signal[q] + scale[_FLICKER * LANES + q] * (w3 - z3 * s3)
        passed = keep * (memory[_LAST_OUT * LANES + q] + (now - memory[_LAST_IN * LANES + q]))
        memory[q], memory[LANES + q], memory[2 * LANES + q], memory[3 * LANES + q] = w0, w1, w2, w3
        memory[_LAST_IN * LANES + q] = now
        memory[_LAST_OUT * LANES + q] = passed
        sample = passed + scale[_WHITE * LANES + q] * z[LANES + q] + scale[_OFFSET * LANES + q]
        sample = min(max(sample, -limit), limit)
        out[q] = np.int32(sample + (_HALF if sample >= _ZERO else _MINUS_HALF))
