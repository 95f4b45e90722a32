"""Whether an excitatory synapse is eventful: its neuron drives spikes of the other."""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying._fdr import benjamini_hochberg

_DRIVEN_S = (1e-3, 8e-3)
_AROUND_S = 50e-3


def is_eventful(
    spike_s: list[Float64[ndarray, " _"]], pairs: Int64[ndarray, "pairs 2"], *, fdr: float
) -> Bool[ndarray, " pairs"]:
    """Tell for each pair whether post fires more 1 to 8 ms after pre than within 50 ms around, at q <= fdr.

    Given the spikes of both windows, those in the driven one are binomial with its share of the time.
    """
    from scipy.special import bdtrc

    p = np.ones(len(pairs))
    low_s, high_s = _DRIVEN_S
    driven_s, around_s = high_s - low_s, 2 * _AROUND_S - (high_s - low_s)
    for k, (i, j) in enumerate(pairs):
        pre_s, post_s = spike_s[i], spike_s[j]
        driven, around = _within(pre_s, post_s, low_s, high_s), _within(pre_s, post_s, -_AROUND_S, _AROUND_S)
        if driven:
            p[k] = bdtrc(driven - 1, around, driven_s / (driven_s + around_s))
    return benjamini_hochberg(p) <= fdr


def _within(pre_s: ndarray, post_s: ndarray, low_s: float, high_s: float) -> int:
    first, last = np.searchsorted(post_s, pre_s + low_s), np.searchsorted(post_s, pre_s + high_s)
    return int(np.sum(last - first))
