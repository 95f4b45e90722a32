"""What slow changes leave in a pair's coefficients: a constant and a slope over all lags, before the spike and after.

Neurons that fire in network bursts do so while other membranes are high or rising, and that is no answer to them.
How large it is differs between targets and is learnt from all presynaptic neurons of each.
"""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying._design import LagBoxes

MIN_SHARE = 0.1  # of a box's rows; with fewer kept, its coefficient is not used


def baseline(boxes: LagBoxes, n: int) -> Float64[ndarray, "two boxes neurons"]:
    """Return the constant and the slope, of size 1, in each of ``n`` targets' boxes."""
    centre = 0.5 * (boxes.low + boxes.high)
    slope = (centre - centre.mean()) / np.ptp(centre)
    return np.repeat(np.stack([np.ones_like(slope), slope])[:, :, None], n, axis=2)


def slow_sd(
    beta: Float64[ndarray, "pre boxes post"],
    inverse_block: Float64[ndarray, "pre boxes boxes"],
    share: Float64[ndarray, "pre boxes post"],
    noise: Float64[ndarray, "pre post"],
    boxes: LagBoxes,
) -> Float64[ndarray, "two post"]:
    """Return each target's standard deviation of constant and slope between presynaptic neurons, beyond chance.

    From the excess of chi-squared over its expectation (DerSimonian and Laird 1986, Control. Clin. Trials 7, 177).
    """
    n_pre, _, n = beta.shape
    chi2, precision_sum, count = np.zeros((2, n)), np.zeros((2, n)), np.zeros(n)
    shapes = baseline(boxes, n)
    for i in range(n_pre):
        known = (noise[i] > 0) & (np.arange(n) != i)
        seen = np.sqrt(np.where(share[i] >= MIN_SHARE, share[i], 0.0))
        if not known.any() or not seen.any():
            continue
        inverse = np.linalg.inv(inverse_block[i])
        scaled = shapes * seen
        own = np.sum(scaled * (inverse @ scaled), axis=1) / np.where(known, noise[i] ** 2, np.inf)
        score = np.einsum("tbj,bj->tj", scaled, inverse @ (seen * beta[i])) / np.where(known, noise[i] ** 2, np.inf)
        known &= own.min(axis=0) > 0
        chi2[:, known] += score[:, known] ** 2 / own[:, known]
        precision_sum[:, known] += own[:, known]
        count += known
    return np.sqrt(np.maximum(chi2 - count, 0.0) / np.where(precision_sum > 0, precision_sum, np.inf))
