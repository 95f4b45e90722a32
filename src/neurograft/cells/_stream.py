"""Random numbers that depend on a key and a cell's address only, so that no thread count changes a result.

A stream is the SplitMix64 sequence (Steele, Lea, Flood 2014, Fig. 16) that starts at a hash of key and
address; a word of 64 bits makes two normal numbers by Box and Muller's rule (``neurograft.normals``).
"""

from typing import Final, no_type_check

import numpy as np
from numba import njit

from neurograft.normals import LANES

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31, _S32 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_UNIT = 2.0**-53
_U32 = np.uint32


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
def draw_words(states, n_lanes, bits):
    """Fill rows 0 and 1 of ``bits`` with the halves of each lane's next word; the states move on."""
    for q in range(n_lanes):
        word = mix(states[q])
        states[q] = states[q] + GOLDEN
        bits[q] = _U32(word >> _S32)
        bits[LANES + q] = _U32(word)
