"""Correlation and ranks."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray


def pearson(a: Float64[ndarray, " n"], b: Float64[ndarray, " n"]) -> float:
    """Return Pearson's r; NaN for under two values or a constant."""
    if a.size < 2:
        return np.nan
    da, db = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((da @ da) * (db @ db)))
    return float(da @ db) / scale if scale > 0 else np.nan


def ranks(x: Float64[ndarray, " n"]) -> Float64[ndarray, " n"]:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, index, count = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[index]
