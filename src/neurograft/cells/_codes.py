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

from neurograft.errors import OptionError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """|weight| = full_scale_v * share ** (1 / exponent); exponent 1 is linear, below 1 companded.

    ``share`` is the part of the window above ``zero_siemens``, the conductance of weight 0.
    """

    full_scale_v: float
    exponent: float
    zero_siemens: float
    top_siemens: float

    @property
    def volts_per_siemens(self) -> float:
        """Slope of a linear code; of a companded one the slope of its chord."""
        return self.full_scale_v / (self.top_siemens - self.zero_siemens)

    def to_siemens(self, weight_v: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the conductance of each |weight|; weights beyond full scale get the top."""
        share = np.minimum(np.abs(weight_v) / self.full_scale_v, 1.0)
        share = share if self.exponent == 1.0 else share**self.exponent
        return np.minimum(self.zero_siemens + share * (self.top_siemens - self.zero_siemens), self.top_siemens)

    def to_volts(self, g_siemens: Float64[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
        """Return the |weight| of each conductance; below zero_siemens it is negative (noise is not cut off)."""
        share = (g_siemens - self.zero_siemens) / (self.top_siemens - self.zero_siemens)
        if self.exponent == 1.0:
            return self.full_scale_v * share
        return self.full_scale_v * np.sign(share) * np.abs(share) ** (1.0 / self.exponent)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Choose a code for a map: at most ``clip_share`` of the synapses lie beyond full scale.

    NeuRRAM clips at the 95th percentile (code), which is clip_share=0.05.
    """

    clip_share: float = 0.01
    exponent: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that make no code."""
        if not 0 <= self.clip_share < 1:
            raise OptionError(f"clip_share is {self.clip_share}. Give the share of clipped synapses, 0 to below 1.")
        if not 0.1 <= self.exponent <= 1:
            raise OptionError(f"exponent is {self.exponent}. Give 1 (linear) or less, down to 0.1 (companded).")

    def code(self, weight_v: Float64[ndarray, " synapses"], *, window_siemens: tuple[float, float]) -> Code:
        """Return the code for these weights in this window; a map without weights gets 1 mV full scale."""
        size = np.sort(np.abs(weight_v))
        n_clipped = int(self.clip_share * size.size)
        full = float(size[size.size - 1 - n_clipped]) if size.size else 0.0
        return Code(
            full_scale_v=full if full > 0 else 1e-3,
            exponent=self.exponent,
            zero_siemens=window_siemens[0],
            top_siemens=window_siemens[1],
        )
