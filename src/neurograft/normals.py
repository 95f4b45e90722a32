"""Normal numbers side by side: 2 x ``LANES`` of them from as many words of 32 bits, by Box and Muller's (1958) rule.

``make_pairs`` takes words from anywhere; ``draw_pairs`` draws them from ``LANES`` streams of the generator sfc32.

Loops run over lanes, without branches, so that the compiler turns them into vector instructions.  Buffers are
flat, row r of lane q at ``r * LANES + q``: distances known at compile time are what spares the compiler its
checks for overlap.

Logarithm, sine and cosine are Chebyshev interpolants, right to 5e-7, 2e-6 and 3e-7 (the tests compare them with
the functions).  Only additions, products and roots of 32-bit numbers are used and none is fused or reordered,
so every machine with IEEE arithmetic draws the same numbers.

The radius comes from 31 bits: no number is beyond 6.7 standard deviations, where 4 in 10^11 should be.
"""
# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import no_type_check

import numpy as np
from jaxtyping import UInt32
from numba import njit
from numpy import ndarray
from numpy.random import Generator

LANES = 64  # of 4 bytes are four cache lines, of 8 bytes eight; 35 such rows are half a first-level cache
N_DESK_ROWS = 4  # of the scratch space that ``make_pairs`` needs
_I32, _I64, _U32, _F32 = np.int32, np.int64, np.uint32, np.float32
_MASK = 0xFFFFFFFF
_WARM_UP = 15  # draws thrown away, so that similar seeds no longer look alike
_MANTISSA, _ONE = 0x7FFFFF, 0x3F800000  # bits of a 32-bit float's fraction, and those of 1.0
_EXPONENT = 127 + 31  # bias of the exponent, and the scale of a 31-bit fraction
# log2(1.5 + y) for -1/2 <= y < 1/2; sin(pi x) / x and cos(pi x) in x^2 for -1/2 <= x <= 1/2.
_L0, _L1, _L2, _L3 = _F32(0.584962759), _F32(0.96179654), _F32(-0.320631878), _F32(0.142508024)
_L4, _L5, _L6, _L7 = _F32(-0.070594554), _F32(0.0376104643), _F32(-0.025110141), _F32(0.0144403525)
_S0, _S1, _S2, _S3 = _F32(3.14159026), _F32(-5.16740577), _F32(2.54400022), _F32(-0.559435001)
_C0, _C1, _C2, _C3, _C4 = _F32(0.999999953), _F32(-4.9347928), _F32(4.05841079), _F32(-1.33187297), _F32(0.219682424)
_HALF, _ONE_AND_HALF, _PER_WORD = _F32(0.5), _F32(1.5), _F32(2.0**-32)
_MINUS_2_LN2 = _F32(-2.0 * math.log(2.0))
_ZERO, _UNIT, _TWO = _F32(0.0), _F32(1.0), _F32(2.0)


@njit(cache=True, error_model="numpy", nogil=True)
@no_type_check
def make_pairs(n_lanes, bits, whole, real, z):
    """Fill rows 0 and 1 of ``z`` with normal numbers from the words in rows 0 and 1 of ``bits``.

    ``bits``, ``whole`` and ``real`` are one scratch space, seen as uint32, int32 and float32: a logarithm
    takes a number apart by its bits.
    """
    for q in range(n_lanes):
        real[2 * LANES + q] = _F32(_I32(bits[q] >> 1)) + _HALF
    for q in range(n_lanes):
        whole[3 * LANES + q] = (whole[2 * LANES + q] & _MANTISSA) | _ONE
    for q in range(n_lanes):
        exponent = _F32(_I32((whole[2 * LANES + q] >> 23) - _EXPONENT))
        y = real[3 * LANES + q] - _ONE_AND_HALF
        log2 = _L0 + y * (_L1 + y * (_L2 + y * (_L3 + y * (_L4 + y * (_L5 + y * (_L6 + y * _L7))))))
        radius = np.sqrt(max(_MINUS_2_LN2 * (exponent + log2), _ZERO))
        x = _F32(whole[LANES + q]) * _PER_WORD
        s = x * x
        sign = _UNIT - _TWO * _F32(_I32(bits[q] & 1))
        z[q] = radius * (x * (_S0 + s * (_S1 + s * (_S2 + s * _S3))))
        z[LANES + q] = radius * sign * (_C0 + s * (_C1 + s * (_C2 + s * (_C3 + s * _C4))))


def lane_words(n: int, rng: Generator) -> UInt32[ndarray, "four lanes"]:
    """Return the state of ``n`` independent streams, seeded with 96 bits each."""
    words = np.ones((4, n), dtype=np.uint32)
    words[:3] = rng.integers(0, _MASK, size=(3, n), dtype=np.uint32, endpoint=True)
    for _ in range(_WARM_UP):
        a, b, c, counter = words
        out = a + b + counter
        words = np.stack([b ^ (b >> 9), c + (c << 3), ((c << 21) | (c >> 11)) + out, counter + 1]).astype(np.uint32)
    return words


@njit(cache=True)
@no_type_check
def draw_words(words, n_lanes, bits):
    """Fill rows 0 and 1 of ``bits`` with the next two words of each stream."""
    for q in range(n_lanes):
        a, b = _I64(words[q]), _I64(words[LANES + q])
        c, k = _I64(words[2 * LANES + q]), _I64(words[3 * LANES + q])
        out = _I64(_U32((a + b + k) & _MASK))
        bits[q] = out
        a = _I64(_U32(b ^ (b >> 9)))
        b = _I64(_U32((c + (c << 3)) & _MASK))
        c = _I64(_U32((((c << 21) | (c >> 11)) + out) & _MASK))
        k = _I64(_U32((k + 1) & _MASK))
        out = _I64(_U32((a + b + k) & _MASK))
        bits[LANES + q] = out
        words[q] = _U32(b ^ (b >> 9))
        words[LANES + q] = _U32((c + (c << 3)) & _MASK)
        words[2 * LANES + q] = _U32((((c << 21) | (c >> 11)) + out) & _MASK)
        words[3 * LANES + q] = _U32((k + 1) & _MASK)


@njit(cache=True, error_model="numpy")
@no_type_check
def draw_pairs(words, n_lanes, bits, whole, real, z):
    """Fill rows 0 and 1 of ``z`` with normal numbers; ``bits``, ``whole`` and ``real`` are one scratch space.

    They see it as uint32, int32 and float32: a logarithm takes a number apart by its bits.
    """
    draw_words(words, n_lanes, bits)
    make_pairs(n_lanes, bits, whole, real, z)
