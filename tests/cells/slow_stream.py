"""The streams of random numbers again, for slow twins; shares nothing with the package."""

import math

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
# The package's logarithm and sine are right to a millionth; where Box and Muller's radius is near 0 its root
# magnifies that.  Twins agree to this share of a standard deviation.
NORMAL_ERROR = 1e-3


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def pair_of(word):
    """Two normal numbers from 64 bits by Box and Muller's rule, in double precision."""
    high, low = word >> 32, word & 0xFFFFFFFF
    radius = math.sqrt(-2 * math.log((high // 2 + 0.5) / 2**31))
    angle = math.pi * (low if low < 2**31 else low - 2**32) / 2**32
    return radius * math.sin(angle), radius * math.cos(angle) * (-1 if high % 2 else 1)


class SlowStream:
    """Python integers instead of uint64, the mathematical functions instead of ours."""

    def __init__(self, key, address):
        self.state = mix(key ^ mix((address + GOLDEN) & MASK))

    def word(self):
        word = mix(self.state)
        self.state = (self.state + GOLDEN) & MASK
        return word

    def pair(self):
        return pair_of(self.word())

    def read_and_jitter(self):
        """The noise of a read and the uniform number of the pulse that follows it, both from one word."""
        word = self.word()
        return pair_of(word)[0], ((word & 0xFFFF) + 0.5) / 2**16

    def uniform(self):
        return ((self.word() >> 11) + 0.5) / 2**53
