"""Random numbers that depend on a key and a cell's address only, so that no thread count changes a result.

A stream is the SplitMix64 sequence (Steele, Lea, Flood 2014, Fig. 16) that starts at a hash of key and
address.  Normals come from the inverse normal distribution of Acklam (2003; relative error 1.2e-9).
"""

import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_UNIT = 2.0**-53
_TAIL = 0.02425


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def mix(z):
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def stream(key, address):
    return mix(key ^ mix(address + GOLDEN))


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def uniform(state):
    return (np.float64(mix(state) >> _S11) + 0.5) * _UNIT


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def normal(state):
    p = uniform(state)
    if p < _TAIL:
        return _tail(p)
    if p > 1.0 - _TAIL:
        return -_tail(1.0 - p)
    q = p - 0.5
    r = q * q
    above = -39.69683028665376 * r + 220.9460984245205
    above = (((above * r - 275.9285104469687) * r + 138.3577518672690) * r - 30.66479806614716) * r
    below = -54.47609879822406 * r + 161.5858368580409
    below = (((below * r - 155.6989798598866) * r + 66.80131188771972) * r - 13.28068155288572) * r
    return (above + 2.506628277459239) * q / (below + 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _tail(p):
    q = math.sqrt(-2.0 * math.log(p))
    above = -0.007784894002430293 * q - 0.3223964580411365
    above = (((above * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q
    below = 0.007784695709041462 * q + 0.3224671290700398
    below = ((below * q + 2.445134137142996) * q + 3.754408661907416) * q
    return (above + 2.938163982698783) / (below + 1.0)
