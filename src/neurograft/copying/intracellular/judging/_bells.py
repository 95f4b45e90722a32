"""exp and erfcx without branches, so that a compiler puts loops over them into vector code.

``decay`` is exp(x) for x <= 0: the exponential of x / 1024 by its Taylor series, squared ten times; relative error
under 1e-12.  ``tail`` is erfcx(y) = exp(y^2) erfc(y) for y >= 0: (1 + 2 y) erfcx(y) as a polynomial in
(y - 3.75) / (y + 3.75) (Shepherd and Laframboise 1981, Math. Comp. 36, 249), here of degree 20 and fitted to
``scipy.special.erfcx`` at 200 Chebyshev nodes; relative error under 1e-14.
"""

from typing import no_type_check

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
