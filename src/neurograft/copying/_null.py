"""What the largest z of several latencies looks like without a synapse, measured on shifted designs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_MIDDLE, _TAIL = 0.5, 0.98  # quantiles of |z| that the two numbers below are fitted to


class MaxNull(NamedTuple):
    """P(|z| <= u) = (1 - 2 Phi(-u / sd))^n: the largest of n independent normals of this sd.

    ``sd`` tells whether standard errors are right (1), ``n`` how many latencies count as independent.
    """

    sd: float
    n: float

    def p(self, z: Float64[ndarray, "*shape"]) -> Float64[ndarray, "*shape"]:
        """Return the two-sided p-value of each z, exact in the far tail; NaN stays NaN."""
        from scipy.special import log_ndtr

        inside = np.log1p(-2 * np.exp(np.minimum(log_ndtr(-np.abs(z) / self.sd), np.log(0.5) - 1e-12)))
        far = np.log(2 * self.n) + log_ndtr(-np.abs(z) / self.sd)
        p = np.where(np.abs(z) / self.sd < 5.0, -np.expm1(self.n * inside), np.exp(np.minimum(far, 0.0)))
        return np.maximum(p, np.where(np.isnan(z), np.nan, 1e-300))

    def as_normal(self, z: Float64[ndarray, "*shape"]) -> Float64[ndarray, "*shape"]:
        """Return the standard normal deviate of the same two-sided p-value and sign."""
        from scipy.special import ndtri

        return np.sign(z) * -ndtri(self.p(z) / 2)


def fit_max_null(z: Float64[ndarray, " tests"], *, n_latencies: int) -> MaxNull:
    """Return the null whose median and 98 % quantile are those of |z|; z come from shifted designs."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    size = np.abs(z[~np.isnan(z)])
    middle, tail = np.quantile(size, [_MIDDLE, _TAIL])

    def miss(log_n: float) -> float:
        below = np.array([_MIDDLE, _TAIL]) ** np.exp(-log_n)
        low, high = -ndtri((1 - below) / 2)
        return float(tail / middle - high / low)

    highest = np.log(n_latencies)
    if miss(0.0) * miss(highest) > 0:  # outside what 1 to n latencies can give: keep the tail, which decides
        log_n = 0.0 if abs(miss(0.0)) < abs(miss(highest)) else float(highest)
    else:
        log_n = float(brentq(miss, 0.0, highest))
    unit = -ndtri((1 - _TAIL ** np.exp(-log_n)) / 2)
    return MaxNull(float(tail / unit), float(np.exp(log_n)))
