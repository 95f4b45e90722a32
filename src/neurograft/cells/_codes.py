"""How a weight becomes a share of the conductance window, and back.

The largest weights of a brain's map are far from its usual ones.  A linear code can be summed on a crossbar
column as it stands; a power code spends more of the window on small weights, but its cells have to be read
one by one and decoded.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """|weight| = full_scale_v * share ** (1 / exponent); exponent 1 is linear, below 1 companded.

    ``share`` is the part of the window above ``zero_siemens``, the conductance of weight 0.  With
    ``levels_v`` the weight is instead read from these values, evenly spaced over the window.
    """

    full_scale_v: float
    exponent: float
    zero_siemens: float
    top_siemens: float
    levels_v: tuple[float, ...] = ()

    @property
    def volts_per_siemens(self) -> float:
        """Slope of a linear code; of a companded one the slope of its chord."""
        return self.full_scale_v / (self.top_siemens - self.zero_siemens)

    def to_siemens(self, weight_v: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the conductance of each |weight|; weights beyond full scale get the top."""
        share = np.minimum(np.abs(weight_v) / self.full_scale_v, 1.0)
        if self.levels_v:
            share = np.interp(np.abs(weight_v), self.levels_v, np.linspace(0.0, 1.0, len(self.levels_v)))
        elif self.exponent != 1.0:
            share = share**self.exponent
        return np.minimum(self.zero_siemens + share * (self.top_siemens - self.zero_siemens), self.top_siemens)

    def to_volts(self, g_siemens: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the |weight| of each conductance.

        Below zero_siemens it is negative, as noise is
        not cut off (but with levels, which end at 0).
        """
        share = (g_siemens - self.zero_siemens) / (self.top_siemens - self.zero_siemens)
        if self.levels_v:
            return np.interp(share, np.linspace(0.0, 1.0, len(self.levels_v)), self.levels_v)
        if self.exponent == 1.0:
            return self.full_scale_v * share
        return self.full_scale_v * np.sign(share) * np.abs(share) ** (1.0 / self.exponent)
