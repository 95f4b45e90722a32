"""How well a score ranks true pairs above the others, and shares with their intervals."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

_Z_95 = 1.959963984540054  # standard normal quantile at 0.975


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A count out of a number, with Wilson's 95 % interval; all NaN where the number is 0."""

    count: int
    of: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the share with its interval and counts."""
        if self.of == 0:
            return "- (0 of 0)"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.count} of {self.of})"


def share(count: int, of: int) -> Share:
    """Return count / of with Wilson's score interval at 95 % (Wilson 1927; no continuity correction)."""
    if of == 0:
        return Share(count=0, of=0, value=math.nan, low=math.nan, high=math.nan)
    p, z2 = count / of, _Z_95**2
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 / (1 + z2 / of) * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2))
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == of else middle + half
    return Share(count=count, of=of, value=p, low=low, high=high)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Area under the ROC curve and average precision; NaN where there is no true or no other pair."""

    auc: float
    average_precision: float
    n_true: int
    n_pairs: int


def ranking(score: Float64[ndarray, " pairs"], is_true: Bool[ndarray, " pairs"]) -> Ranking:
    """Return how well the score ranks: equal scores count half in the AUC and share one threshold in the AP.

    AUC is the chance that a true pair scores above another; AP the sum over thresholds of precision times
    the gain in recall, without interpolation (as scikit-learn defines both).
    """
    return ranked(score[is_true], np.sort(score[~is_true]))


def ranked(true: Float64[ndarray, " true"], others: Float64[ndarray, " others"]) -> Ranking:
    """Return the same from the true pairs' scores and the other pairs', which must be sorted already."""
    n_true, n_pairs = true.size, true.size + others.size
    if true.size == 0 or others.size == 0:
        return Ranking(auc=math.nan, average_precision=math.nan, n_true=n_true, n_pairs=n_pairs)
    threshold, gain = np.unique(true, return_counts=True)
    below, up_to = (np.searchsorted(others, threshold, side=side) for side in ("left", "right"))
    won = float(np.sum(gain * (below + up_to))) / 2
    hits = np.cumsum(gain[::-1])[::-1]
    precision = hits / (hits + others.size - below)
    return Ranking(
        auc=won / (n_true * others.size),
        average_precision=float(np.sum(gain * precision)) / n_true,
        n_true=n_true,
        n_pairs=n_pairs,
    )
