"""Counter-based random numbers: the same (seed, step, neuron) gives the same number, whatever is computed around it.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011): key = seed, counter = (step, block and lane, stream).
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import no_type_check

import numpy as np
from numba import njit

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_2W0, _2W1 = (_W0 + _W0) & _LOW, (_W1 + _W1) & _LOW
_32 = np.uint64(32)
_8, _16, _24, _BYTE = np.uint64(8), np.uint64(16), np.uint64(24), np.uint64(0xFF)

LANES = 64
BLOCK = 4 * LANES  # neurons of one block: word w of lane l belongs to neuron 64 w + l, so stores are contiguous

# A number is the sum of four bytes: mean 4 x 127.5, variance 4 (256^2 - 1) / 12.
_MEAN = 510.0
_PER_SD = 1.0 / np.sqrt((256.0**2 - 1.0) / 3.0)

STREAM_NOISE = 1
STREAM_START = 2
STREAM_POISSON = 3
STREAM_WIRING = 1 << 20
STREAM_CHANNELS = 4  # and onward, one for each row of noise of a model


@njit(cache=True, inline="always")
@no_type_check
def philox(c0, c1, c2, c3, k0, k1):
    """Return four words of 32 bits (in uint64) for a counter of four words and a key of two."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@njit(cache=True, inline="always")
@no_type_check
def _bell(word):
    total = (word & _BYTE) + ((word >> _8) & _BYTE) + ((word >> _16) & _BYTE) + (word >> _24)
    return float(np.int32(total))


@njit(cache=True, inline="always")
@no_type_check
def bell(word):
    """Return a number of mean 0 and standard deviation 1 from 32 bits."""
    return (_bell(word) - _MEAN) * _PER_SD


@njit(cache=True, nogil=True)
@no_type_check
def word_of(seed, stream, step, neuron):
    """Return one neuron's word; the slow way, without its neighbours'."""
    lane = np.uint64(neuron // BLOCK * LANES + neuron % LANES)
    key = np.uint64(seed)
    step = np.uint64(step)
    c = philox(step & _LOW, step >> _32, lane, np.uint64(stream), key & _LOW, key >> _32)
    return c[(neuron % BLOCK) // LANES]


@njit(cache=True, nogil=True)
@no_type_check
def words_of(seed, stream, step, first, words):
    """Fill ``words`` with one word for each neuron from ``first`` on; the slow way, neuron by neuron."""
    for i in range(words.size):
        words[i] = word_of(seed, stream, step, first + i)


@njit(cache=True, inline="always")
@no_type_check
def _two_rounds(c0, c1, c2, c3, k0, k1):
    """Do two of Philox's rounds; masks tell the compiler that 32 bits are enough."""
    p0 = _M0 * (c0 & _LOW)
    p1 = _M1 * (c2 & _LOW)
    c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
    k0 = (k0 + _W0) & _LOW
    k1 = (k1 + _W1) & _LOW
    p0 = _M0 * (c0 & _LOW)
    p1 = _M1 * (c2 & _LOW)
    return (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW


@njit(cache=True, nogil=True)
@no_type_check
def fill_words(seed, stream, step, block, words):
    """Fill four rows of lanes of a block: word w of lane l belongs to neuron 256 block + 64 w + l.

    Ten rounds written out keep a lane in registers, and the loop over lanes becomes vector code.
    """
    k0, k1 = np.uint64(seed) & _LOW, np.uint64(seed) >> _32
    low, high = np.uint64(step) & _LOW, np.uint64(step) >> _32
    for i in range(words.shape[1]):
        c0, c1, c2, c3, x, y = low, high, np.uint64(block * LANES + i), np.uint64(stream), k0, k1
        c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, x, y)
        x, y = (x + _2W0) & _LOW, (y + _2W1) & _LOW
        c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, x, y)
        x, y = (x + _2W0) & _LOW, (y + _2W1) & _LOW
        c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, x, y)
        x, y = (x + _2W0) & _LOW, (y + _2W1) & _LOW
        c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, x, y)
        x, y = (x + _2W0) & _LOW, (y + _2W1) & _LOW
        words[0, i], words[1, i], words[2, i], words[3, i] = _two_rounds(c0, c1, c2, c3, x, y)


@njit(cache=True, nogil=True)
@no_type_check
def fill_block(seed, stream, step, block, first, last, scratch):
    """Fill ``scratch`` with a block's words in the order of neurons; return which are of ``first`` to ``last - 1``.

    A block that ends early needs fewer lanes, and all its neurons are then in the first row.
    """
    begin = block * BLOCK
    n_lanes = min(LANES, last - begin)
    fill_words(seed, stream, step, block, scratch[: 4 * n_lanes].reshape(4, n_lanes))
    return max(0, first - begin), min(BLOCK, last - begin)


@njit(cache=True, nogil=True)
@no_type_check
def _add_bells(words, scale, kick):
    for i in range(kick.size):
        kick[i] += scale[i] * bell(words[i])


@njit(cache=True, nogil=True)
@no_type_check
def add_noise(seed, step, first, scale, kick, scratch):
    """Add to ``kick`` numbers of mean 0 and standard deviation ``scale``, for the neurons from ``first`` on.

    A number is the sum of four uniform bytes (kurtosis 2.7 in place of 3); what a membrane adds up over its
    time constant is Gaussian to 0.3 x step / time constant in kurtosis.  ``scratch`` holds 4 LANES words.
    """
    last = first + kick.size
    for block in range(first // BLOCK, (last + BLOCK - 1) // BLOCK):
        low, high = fill_block(seed, STREAM_NOISE, step, block, first, last, scratch)
        at = block * BLOCK + low - first
        _add_bells(scratch[low:high], scale[at : at + high - low], kick[at : at + high - low])


@njit(cache=True, nogil=True)
@no_type_check
def _set_bells(words, to):
    for i in range(to.size):
        to[i] = bell(words[i])


@njit(cache=True, nogil=True)
@no_type_check
def fill_noise(seed, step, first, rows, scratch):
    """Fill rows with numbers of mean 0 and standard deviation 1, each row with its own stream."""
    last = first + rows.shape[1]
    for row in range(rows.shape[0]):
        for block in range(first // BLOCK, (last + BLOCK - 1) // BLOCK):
            low, high = fill_block(seed, STREAM_CHANNELS + row, step, block, first, last, scratch)
            at = block * BLOCK + low - first
            _set_bells(scratch[low:high], rows[row, at : at + high - low])
