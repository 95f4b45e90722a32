"""Posteriors under shares that are learnt from all synapses of one sign in the recording (empirical Bayes)."""

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

_STEPS = 60


def pooled(
    log_likely: Float64[ndarray, "synapses grid"],
    sign: Float64[ndarray, " synapses"],
    *,
    group: Int64[ndarray, " grid"],
    prior: Float64[ndarray, " groups"],
    weight: float,
) -> Float64[ndarray, "synapses grid"]:
    """Return each synapse's posterior over a grid whose points fall into groups.

    How common each group is makes all synapses of a sign likeliest (expectation-maximisation), with ``prior``
    counting for ``weight`` synapses; within a group all points are as likely.
    """
    posterior = np.zeros_like(log_likely)
    for mine in (sign > 0, sign <= 0):
        if not mine.any():
            continue
        likely = np.exp(log_likely[mine] - log_likely[mine].max(axis=1, keepdims=True))
        share, now = prior, likely
        for _ in range(_STEPS):
            now = likely * share[group]
            now /= now.sum(axis=1, keepdims=True)
            share = np.bincount(group, now.sum(axis=0), minlength=len(prior)) + weight * prior
            share /= share.sum()
        posterior[mine] = now
    return posterior
