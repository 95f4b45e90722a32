"""Correlations of spike counts: between neurons, and of each neuron with all others."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray

from neurograft.comparing._align import binned
from neurograft.spikes import SpikeTrains


def count_correlations(
    trains: SpikeTrains, bin_s: float
) -> tuple[Float64[ndarray, "neurons neurons"], Float64[ndarray, " neurons"]]:
    """Return Pearson's correlation of every pair's counts, and of each neuron with the sum of the others.

    The second is the population coupling of Okun et al. (2015), as a correlation.  A neuron whose count
    never changes has correlation 0 with all: it tells nothing of any other.  The diagonal is 0.
    """
    n = trains.n_neurons
    bin_of, n_bins = binned(trains, bin_s)
    total = int(n_bins.sum())
    if total < 2:
        return np.zeros((n, n)), np.zeros(n)
    keep = bin_of >= 0
    neuron = trains.neuron[keep]
    products = np.zeros(n * n, dtype=np.int64)
    _add_products(bin_of[keep], neuron, n, products)
    half = products.reshape(n, n)
    both = half + half.T
    np.fill_diagonal(both, np.diag(half))
    count = np.bincount(neuron, minlength=n).astype(np.float64)
    covariance = both - np.outer(count, count / total)
    own = np.diag(covariance).copy()
    with_others = covariance.sum(axis=1) - own
    others = np.maximum(covariance.sum() - 2 * covariance.sum(axis=1) + own, 0.0)
    scale = np.sqrt(np.outer(own, own))
    correlation = np.divide(covariance, scale, out=np.zeros((n, n)), where=scale > 0)
    np.fill_diagonal(correlation, 0.0)
    # Rounding leaves others a little above 0 where nobody else fires: below 1e-9 counts^2 it is that.
    spread = np.sqrt(own * np.where(others > 1e-9, others, 0.0))
    return correlation, np.divide(with_others, spread, out=np.zeros(n), where=spread > 0)


def pattern_distance(a: Float64[ndarray, " pairs"], b: Float64[ndarray, " pairs"]) -> float:
    """Return 1 minus Pearson's r: 0 same pattern, 1 no relation, 2 opposite.

    Where one side is constant, as a silent copy's, r is 0; where both are there is no pattern: NaN.
    """
    if a.size < 2:
        return np.nan
    da, db = a - a.mean(), b - b.mean()
    va, vb = _product(da, da), _product(db, db)
    flat_a, flat_b = va <= 1e-24 * _product(a, a), vb <= 1e-24 * _product(b, b)  # below: rounding of a constant
    if flat_a and flat_b:
        return np.nan
    if flat_a or flat_b:
        return 1.0
    return max(0.0, 1.0 - _product(da, db) / float(np.sqrt(va * vb)))


def _product(a: Float64[ndarray, " pairs"], b: Float64[ndarray, " pairs"]) -> float:
    """Return the inner product without BLAS, whose threads cost more than the sum on a busy machine."""
    return float(np.einsum("i,i->", a, b))


@njit(cache=True)
@no_type_check
def _add_products(bin_of, neuron, n, products):
    """Add, for every bin, the product of two neurons' counts to [lower, higher] and the square to [own, own]."""
    count = np.zeros(n, dtype=np.int64)
    active = np.empty(n, dtype=np.int64)
    n_active = 0
    for s in range(bin_of.size + 1):
        is_last = s == bin_of.size
        if s > 0 and (is_last or bin_of[s] != bin_of[s - 1]):
            for i in range(n_active):
                for j in range(i, n_active):
                    low, high = min(active[i], active[j]), max(active[i], active[j])
                    products[low * n + high] += count[low] * count[high]
            for i in range(n_active):
                count[active[i]] = 0
            n_active = 0
        if not is_last:
            if count[neuron[s]] == 0:
                active[n_active] = neuron[s]
                n_active += 1
            count[neuron[s]] += 1
