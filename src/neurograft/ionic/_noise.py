"""Normal numbers for Brownian steps, many at a time: a block of lanes a call, in loops without branches.

Each lane is a generator xoshiro128++ (Blackman and Vigna 2021); two of its words make two normal numbers by Box and
Muller's rule (1958).  Logarithm, sine and cosine are Chebyshev interpolants, right to 1e-6, which is what
32-bit numbers hold.  The radius comes from 31 bits: nothing lies beyond 6.7 standard deviations.
"""

import math
from typing import Final, no_type_check

import numpy as np
from jaxtyping import UInt32
from numba import njit
from numpy import ndarray
from numpy.polynomial import Chebyshev, Polynomial
from numpy.random import Generator

N_LANES: Final = 64  # pairs of numbers a call; what a call needs stays in the first-level cache
BLOCK: Final = 2 * N_LANES
_F32, _I32, _U32 = np.float32, np.int32, np.uint32


def _interpolant(of: str, degree: int, low: float, high: float) -> tuple[np.float32, ...]:
    """Return the coefficients, constant first, of a function that is smooth from ``low`` to ``high``."""
    nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    values = {
        "log2": np.log2(1.5 + nodes),
        "sin": np.sinc(np.sqrt(np.abs(nodes))) * np.pi,  # sin(pi x) / x of x squared
        "cos": np.cos(np.pi * np.sqrt(np.abs(nodes))),
    }
    fit = Chebyshev.fit(nodes, values[of], degree, domain=[low, high])
    return tuple(np.float32(c) for c in fit.convert(kind=Polynomial).coef)


_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7 = _interpolant("log2", 7, -0.5, 0.5)
_S0, _S1, _S2, _S3, _S4 = _interpolant("sin", 4, 0.0, 0.25)
_C0, _C1, _C2, _C3, _C4 = _interpolant("cos", 4, 0.0, 0.25)
_HALF, _MIDDLE, _ONE, _TWO = _F32(0.5), _F32(1.5), _F32(1.0), _F32(2.0)
_PER_WORD, _ZERO = _F32(2.0**-32), _F32(0.0)
_MINUS_2_LN2 = _F32(-2.0 * math.log(2.0))
_WORD = 0xFFFFFFFF
_FRACTION, _BITS_OF_ONE, _BIAS = 0x7FFFFF, 0x3F800000, 127 + 31


def noise_state(n_streams: int, rng: Generator) -> UInt32[ndarray, "streams words"]:
    """Return the state of ``n_streams`` independent blocks of lanes, seeded with 128 bits a lane."""
    return rng.integers(1, 2**32, size=(n_streams, 4 * N_LANES), dtype=np.uint32)


def noise_desk(n_streams: int) -> UInt32[ndarray, "streams words"]:
    """Return scratch space for ``fill_normals``."""
    return np.zeros((n_streams, 4 * N_LANES), dtype=np.uint32)


@njit(cache=True)
@no_type_check
def _draw(words, bits):
    """Write the next two words of each lane to rows 0 and 1 of ``bits``; rows are N_LANES apart."""
    for q in range(N_LANES):
        a, b = np.int64(words[q]), np.int64(words[N_LANES + q])
        c, d = np.int64(words[2 * N_LANES + q]), np.int64(words[3 * N_LANES + q])
        for row in range(2):
            total = np.int64(_U32(a + d))
            bits[row * N_LANES + q] = _U32((((total << 7) | (total >> 25)) + a) & _WORD)
            t = np.int64(_U32((b << 9) & _WORD))
            c ^= a
            d ^= b
            b ^= c
            a ^= d
            c ^= t
            d = np.int64(_U32(((d << 11) | (d >> 21)) & _WORD))
        words[q], words[N_LANES + q] = _U32(a), _U32(b)
        words[2 * N_LANES + q], words[3 * N_LANES + q] = _U32(c), _U32(d)


@njit(cache=True, error_model="numpy")
@no_type_check
def fill_normals(words, bits, whole, real, out):
    """Write ``BLOCK`` normal numbers to ``out``; bits, whole and real are one scratch space.

    They see it as uint32, int32 and float32, because a logarithm takes a number apart by its bits.
    """
    _draw(words, bits)
    for q in range(N_LANES):
        real[2 * N_LANES + q] = _F32(_I32(bits[q] >> 1)) + _HALF
    for q in range(N_LANES):
        whole[3 * N_LANES + q] = (whole[2 * N_LANES + q] & _FRACTION) | _BITS_OF_ONE
    for q in range(N_LANES):
        exponent = _F32(_I32((whole[2 * N_LANES + q] >> 23) - _BIAS))
        y = real[3 * N_LANES + q] - _MIDDLE
        log2 = _L0 + y * (_L1 + y * (_L2 + y * (_L3 + y * (_L4 + y * (_L5 + y * (_L6 + y * _L7))))))
        radius = np.sqrt(max(_MINUS_2_LN2 * (exponent + log2), _ZERO))
        x = _F32(whole[N_LANES + q]) * _PER_WORD
        s = x * x
        sign = _ONE - _TWO * _F32(_I32(bits[q] & 1))
        out[q] = radius * (x * (_S0 + s * (_S1 + s * (_S2 + s * (_S3 + s * _S4)))))
        out[N_LANES + q] = radius * sign * (_C0 + s * (_C1 + s * (_C2 + s * (_C3 + s * _C4))))
