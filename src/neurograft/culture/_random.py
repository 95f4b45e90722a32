"""Random streams for kernels: one small generator a neuron or channel, so results do not depend on threads.

The generator is sfc32 (Chris Doty-Humphrey's "small fast counter", PractRand): additions, shifts and
exclusive-ors of 32-bit words, kept in int64 and masked so that it also runs without the compiler.  Normal
numbers come from the 128-layer ziggurat of Marsaglia and Tsang (2000), with the layer and the value taken
from different bits (Doornik 2005).
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

MASK = 0xFFFFFFFF
_UNIT = 1.0 / 4294967296.0
_PER_24_BITS = 1.0 / 16777216.0
_N_LAYERS = 128
SLOW = 1000.0
_TAIL_AT = 3.442619855899  # Marsaglia and Tsang 2000, 128 layers
_LAYER_AREA = 9.91256303526217e-3
_WARM_UP = 15  # draws thrown away, so that similar seeds no longer look alike


class Streams(NamedTuple):
    """State of one generator an entry; kernels change it in place."""

    a: Int64[ndarray, " streams"]
    b: Int64[ndarray, " streams"]
    c: Int64[ndarray, " streams"]
    counter: Int64[ndarray, " streams"]


def streams(n: int, rng: Generator) -> Streams:
    """Return ``n`` independent streams, seeded with 96 bits each."""
    a, b, c = rng.integers(0, MASK, size=(3, n), dtype=np.int64, endpoint=True)
    made = Streams(a.copy(), b.copy(), c.copy(), np.ones(n, dtype=np.int64))
    _warm_up(*made)
    return made


def _ziggurat() -> tuple[Float64[ndarray, " edges"], Float64[ndarray, " edges"]]:
    """Return the layers' right edges (the bottom one's as if it were a box) and the density there."""
    x = np.zeros(_N_LAYERS + 1)
    x[1] = _TAIL_AT
    x[0] = _LAYER_AREA / math.exp(-0.5 * _TAIL_AT**2)
    for i in range(2, _N_LAYERS):
        x[i] = math.sqrt(-2.0 * math.log(_LAYER_AREA / x[i - 1] + math.exp(-0.5 * x[i - 1] ** 2)))
    return x, np.exp(-0.5 * x**2)


_X, _Y = _ziggurat()


@njit(cache=True)
@no_type_check
def draw_bits(a, b, c, k, i):
    """Return the next 32 bits of stream ``i``; the arrays are those of ``Streams``."""
    out = (a[i] + b[i] + k[i]) & MASK
    k[i] = (k[i] + 1) & MASK
    a[i] = b[i] ^ (b[i] >> 9)
    c_i = c[i]
    b[i] = (c_i + (c_i << 3)) & MASK
    c[i] = ((((c_i << 21) & MASK) | (c_i >> 11)) + out) & MASK
    return out


@njit(cache=True)
@no_type_check
def draw_uniform(a, b, c, k, i):
    """Return a number between 0 and 1, never either of them."""
    return (draw_bits(a, b, c, k, i) + 0.5) * _UNIT


@njit(cache=True)
@no_type_check
def quick_normal(bits):
    """Return the normal number of 97 of 100 draws, and ``SLOW`` for the others: ask ``slow_normal`` then.

    In two parts because the compiler inlines this one; one function took five times as long.
    """
    layer = bits & 127
    x = (bits >> 8) * _PER_24_BITS * _X[layer]
    if x < _X[layer + 1]:
        return x * (1.0 - 2.0 * ((bits >> 7) & 1))
    return SLOW


@njit(cache=True)
@no_type_check
def slow_normal(a, b, c, k, i, bits):
    """Return the normal number of a draw that fell outside the boxes."""
    while True:
        layer = bits & 127
        sign = 1.0 - 2.0 * ((bits >> 7) & 1)
        x = (bits >> 8) * _PER_24_BITS * _X[layer]
        if x < _X[layer + 1]:
            return sign * x
        if layer == 0:
            return sign * _draw_tail(a, b, c, k, i)
        y = _Y[layer] + draw_uniform(a, b, c, k, i) * (_Y[layer + 1] - _Y[layer])
        if y < math.exp(-0.5 * x * x):
            return sign * x
        bits = draw_bits(a, b, c, k, i)


@njit(cache=True)
@no_type_check
def _draw_tail(a, b, c, k, i):
    while True:
        x = -math.log(draw_uniform(a, b, c, k, i)) / _TAIL_AT
        y = -math.log(draw_uniform(a, b, c, k, i))
        if y + y > x * x:
            return _TAIL_AT + x


@njit(cache=True)
@no_type_check
def draw_binomial(a, b, c, k, i, n, p):
    """Return how many of ``n`` trials succeed; cost grows with n, which is a handful of release sites."""
    hits = 0
    for _ in range(n):
        if draw_uniform(a, b, c, k, i) < p:
            hits += 1
    return hits


@njit(cache=True)
@no_type_check
def _warm_up(a, b, c, k):
    for i in range(a.size):
        for _ in range(_WARM_UP):
            draw_bits(a, b, c, k, i)
