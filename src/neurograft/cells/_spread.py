"""The spread of programmed cells as a polynomial of conductance, at one or more ages."""

import math
from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray

from neurograft.units import MICROSIEMENS

_BLOCK = 256


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadTable:
    """``polynomials_us[k]`` are coefficients, lowest first, of the sd in uS at ``ages_s[k]``, argument G / unit.

    Between ages the spread is interpolated in log time (guessed); before the first it is that of the first.
    """

    unit_siemens: float
    ages_s: tuple[float, ...]
    polynomials_us: tuple[tuple[float, ...], ...]

    def sd_siemens(self, g_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        """Return the sd at G and an age within the table; the caller has checked both."""
        x = g_siemens / self.unit_siemens
        k = int(np.searchsorted(self.ages_s, age_s, side="right")) - 1
        if k < 0 or k == len(self.ages_s) - 1:
            return self._at(max(k, 0), x)
        part = math.log(age_s / self.ages_s[k]) / math.log(self.ages_s[k + 1] / self.ages_s[k])
        return (1 - part) * self._at(k, x) + part * self._at(k + 1, x)

    def growth_siemens(self, g_siemens: Float64[ndarray, " cells"], *, age_s: float) -> Float64[ndarray, " cells"]:
        """Return the sd of what was added since the first age: independent errors add in quadrature."""
        now, first = self.sd_siemens(g_siemens, age_s=age_s), self.sd_siemens(g_siemens, age_s=0.0)
        return np.sqrt(np.maximum(now**2 - first**2, 0.0))

    def _at(self, k: int, x: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        return MICROSIEMENS * np.maximum(polynomial(self.polynomials_us[k], x), 0.0)


def polynomial(coefficients: tuple[float, ...], x: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
    """Return the polynomial, lowest coefficient first; numpy's own takes ten times as long."""
    out = np.empty_like(x)
    _polynomial_kernel(np.array(coefficients, dtype=np.float64), x, out)
    return out


@njit(cache=True, nogil=True)
@no_type_check
def _polynomial_kernel(coefficients, x, out):
    for start in range(0, x.size, _BLOCK):  # short enough to stay in the nearest cache from one power to the next
        here, to = x[start : start + _BLOCK], out[start : start + _BLOCK]
        to[:] = coefficients[-1]
        for k in range(coefficients.size - 2, -1, -1):
            c = coefficients[k]
            for i in range(here.size):
                to[i] = to[i] * here[i] + c
