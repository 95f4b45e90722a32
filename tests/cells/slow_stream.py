"""The streams of random numbers again, for slow twins; shares nothing with the package."""

from scipy.special import ndtri

MASK = (1 << 64) - 1


class SlowStream:
    """Python integers instead of uint64, scipy's inverse normal instead of ours."""

    def __init__(self, key, address):
        self.state = self.mix(key ^ self.mix((address + 0x9E3779B97F4A7C15) & MASK))

    @staticmethod
    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def uniform(self):
        u = ((self.mix(self.state) >> 11) + 0.5) / 2**53
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return u

    def normal(self):
        return float(ndtri(self.uniform()))
