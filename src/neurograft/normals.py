"""Normal numbers side by side: 2 x ``LANES`` of them from as many words of 32 bits, by Box and Muller's (1958) rule.

Loops run over lanes, without branches, so that the compiler turns them into vector instructions.  Buffers are
flat, row r of lane q at ``r * LANES + q``: distances known at compile time are what spares the compiler its
checks for overlap.

Logarithm, sine and cosine are Chebyshev interpolants, right to 5e-7, 2e-6 and 3e-7 (the tests compare them with
the functions).  Only additions, products and roots of 32-bit numbers are used and none is fused or reordered,
so every machine with IEEE arithmetic draws the same numbers.

The radius comes from 31 bits: no number is beyond 6.7 standard deviations, where 4 in 10^11 should be.
"""

import math
from typing import no_type_check

import numpy as np
from numba import njit

LANES = 64  # of 4 bytes are four cache lines, of 8 bytes eight; 35 such rows are half a first-level cache
N_DESK_ROWS = 4  # of the scratch space that ``make_pairs`` needs
_I32, _F32 = np.int32, np.float32
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
