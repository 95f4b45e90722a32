"""exp and erfcx without branches, so that a compiler puts loops over them into vector code.

``decay`` is exp(x) for x <= 0: the exponential of x / 1024 by its Taylor series, squared ten times; relative error
under 1e-12.  ``tail`` is erfcx(y) = exp(y^2) erfc(y) for y >= 0: (1 + 2 y) erfcx(y) as a polynomial in
(y - 3.75) / (y + 3.75) (Shepherd and Laframboise 1981, Math. Comp. 36, 249), here of degree 20 and fitted to
``scipy.special.erfcx`` at 200 Chebyshev nodes; relative error under 1e-14.

``decay_32`` and ``tail_32`` are the same of 32 bits, to 1e-6: 2 to a whole number is that number in the exponent's
bits, times a polynomial of degree 5 for what is left (fitted at 400 Chebyshev nodes); the tail's has degree 11.
"""

from typing import no_type_check

import numpy as np
from numba import njit


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def decay(x):
    """Return exp(x) of a number that is not positive; 0 far below."""
    r = max(x, -1000.0) * (1.0 / 1024.0)
    e = 1.0 / 6227020800.0
    e = e * r + 1.0 / 479001600.0
    e = e * r + 1.0 / 39916800.0
    e = e * r + 1.0 / 3628800.0
    e = e * r + 1.0 / 362880.0
    e = e * r + 1.0 / 40320.0
    e = e * r + 1.0 / 5040.0
    e = e * r + 1.0 / 720.0
    e = e * r + 1.0 / 120.0
    e = e * r + 1.0 / 24.0
    e = e * r + 1.0 / 6.0
    e = e * r + 0.5
    e = e * r + 1.0
    e = e * r + 1.0
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def tail(y):
    """Return exp(y^2) erfc(y) of a number that is not negative."""
    above, below = y + 3.75, 1.0 + 2.0 * y
    q = 1.0 / (above * below)
    u = (y - 3.75) * below * q
    p = 1.7557249520905327e-08
    p = p * u + 8.527558748028247e-09
    p = p * u - 2.1432952053146452e-07
    p = p * u - 2.7755436349252734e-08
    p = p * u + 1.6960369824521795e-06
    p = p * u - 1.0083334617997258e-06
    p = p * u - 1.1399763992468566e-05
    p = p * u + 2.2410006211694723e-05
    p = p * u + 5.162603229593688e-05
    p = p * u - 0.00029016628967656975
    p = p * u + 0.00029372143004608966
    p = p * u + 0.0017556295058612835
    p = p * u - 0.009746581197797487
    p = p * u + 0.028362276758981904
    p = p * u - 0.058693398386338996
    p = p * u + 0.0923043212260811
    p = p * u - 0.10880393015478906
    p = p * u + 0.0822767384871449
    p = p * u + 0.0035854154857962728
    p = p * u - 0.14024059858550691
    p = p * u + 1.2375126308378261
    return p * above * q


_ONE, _TWO, _HALF, _MIDDLE = np.float32(1.0), np.float32(2.0), np.float32(0.5), np.float32(3.75)
_PER_E, _LOWEST = np.float32(1.4426950408889634), np.float32(-125.0)
_BIAS, _MANTISSA = np.int32(127), np.int32(23)
_E0, _E1, _E2, _E3, _E4, _E5 = (
    np.float32(v)
    for v in (1.0000001192092896, 0.6931471824645996, 0.2402210682630539, 0.05550327152013779, 0.009676037356257439,
              0.0013400432653725147)
)  # fmt: skip
_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11 = (
    np.float32(v)
    for v in (1.2375125885009766, -0.1402406543493271, 0.0035862703807651997, 0.08227842301130295, -0.10881426930427551,
              0.09229076653718948, -0.05864685773849487, 0.02840925194323063, -0.009844494983553886,
              0.0016759121790528297, 0.0003963076160289347, -0.00022411675308831036)
)  # fmt: skip


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def decay_32(x):
    """Return exp(x) of a number that is not positive; about 1e-38 far below."""
    y = max(x * _PER_E, _LOWEST)
    whole = np.floor(y + _HALF)
    r = y - whole
    p = ((((_E5 * r + _E4) * r + _E3) * r + _E2) * r + _E1) * r + _E0
    return p * np.int32((np.int32(whole) + _BIAS) << _MANTISSA).view(np.float32)


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def tail_32(y):
    """Return exp(y^2) erfc(y) of a number that is not negative, up to 1e18."""
    above, below = y + _MIDDLE, _ONE + _TWO * y
    q = _ONE / (above * below)
    u = (y - _MIDDLE) * below * q
    p = ((((_T11 * u + _T10) * u + _T9) * u + _T8) * u + _T7) * u + _T6
    p = (((((p * u + _T5) * u + _T4) * u + _T3) * u + _T2) * u + _T1) * u + _T0
    return p * above * q
