"""The exponential in vector code: the compiler has none that works on many numbers at once.

exp(x) = 2^n exp(y) with n whole and |y| at most ln(2) / 2, where the series up to y^12 is right to 2e-16.
"""

import math
from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic, overload

_PER_LN2 = 1.0 / math.log(2.0)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # Cody and Waite (1980); high has 32 bits
_ROUND = 1.5 * 2.0**52  # added and taken away it rounds, and its last bits are then the whole number
_MOST = 700.0  # beyond, numbers of 64 bits end
_2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12 = (1.0 / math.factorial(k) for k in range(2, 13))


@no_type_check
def _bits(x):
    """Return a number's bits as a whole number."""
    return np.float64(x).view(np.int64)


@no_type_check
def _number(bits):
    """Return the number that has these bits."""
    return np.int64(bits).view(np.float64)


@intrinsic
@no_type_check
def _bits_intrinsic(typing_context, x):
    @no_type_check
    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), code


@intrinsic
@no_type_check
def _number_intrinsic(typing_context, bits):
    @no_type_check
    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), code


@overload(_bits, inline="always")
@no_type_check
def _bits_compiled(x):
    return lambda x: _bits_intrinsic(x)  # noqa: PLW0108 - numba asks for a plain function


@overload(_number, inline="always")
@no_type_check
def _number_compiled(bits):
    return lambda bits: _number_intrinsic(bits)  # noqa: PLW0108 - numba asks for a plain function


@njit(cache=True, inline="always")
@no_type_check
def exponential(x):
    """Return exp(x) to 5e-16 of itself, for x held between -700 and 700; loops that call it become vector code."""
    x = min(max(x, -_MOST), _MOST)
    turned = x * _PER_LN2 + _ROUND
    n = turned - _ROUND
    y = (x - n * _LN2_HIGH) - n * _LN2_LOW
    y2 = y * y
    y4 = y2 * y2
    low = (1.0 + y) + y2 * (_2 + _3 * y)
    middle = (_4 + _5 * y) + y2 * (_6 + _7 * y)
    high = (_8 + _9 * y) + y2 * (_10 + _11 * y) + y4 * _12
    return _number(_bits(low + y4 * middle + y4 * y4 * high) + (_bits(turned) << np.int64(52)))
