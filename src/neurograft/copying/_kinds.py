"""What a synapse is: excitatory or inhibitory by its neuron's other synapses too, eventful or not."""

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64
from numpy import ndarray

from neurograft.copying._fdr import benjamini_hochberg

SURE = 0.95  # posterior of a presynaptic sign from which it is written to the map
_SPLIT = 1e-3  # prior probability that one synapse of a neuron has the other sign
_DRIVEN_S = (1e-3, 8e-3)
_AROUND_S = 50e-3


def presynaptic_sign(z: Float64[ndarray, "pre post"], is_called: Bool[ndarray, "pre post"]) -> Int8[ndarray, " pre"]:
    """Return +1, -1 or 0 for each neuron: the sign that its called outputs make sure (Dale's law).

    Each called output of z votes with the log odds of its sign, Phi(z) against Phi(-z), but with no more than
    1 in 1000 allows, so that one wrong synapse cannot outvote many.
    """
    from scipy.special import log_ndtr

    vote = np.where(is_called, log_ndtr(z) - log_ndtr(-z), 0.0)
    limit = np.log(1 / _SPLIT)
    total = np.clip(np.nan_to_num(vote), -limit, limit).sum(axis=1)
    return np.where(np.abs(total) > np.log(SURE / (1 - SURE)), np.sign(total), 0).astype(np.int8)


def is_eventful(
    spike_s: list[Float64[ndarray, " spikes"]], pairs: Int64[ndarray, "pairs 2"], *, fdr: float
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
