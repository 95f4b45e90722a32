"""What a copy of spikes tells a person of units that it left out whole."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

_MOST_NAMED = 10


def left_out_flags(
    labels: Sequence[str], is_duplicate: Bool[ndarray, " neurons"], is_impossible: Bool[ndarray, " neurons"]
) -> list[str]:
    """Return a sentence for each reason for which units were left out, with the remedy."""
    reasons = (
        (is_duplicate, "much of what they fire falls on spikes of another unit: a neuron sorted twice. Merge them"),
        (is_impossible, "no neuron fires so fast. Look for noise on their channels"),
    )
    return [f"{_told(labels, units)} left out: {why}" for units, why in reasons if units.any()]


def _told(labels: Sequence[str], units: Bool[ndarray, " neurons"]) -> str:
    names = [labels[k] for k in np.flatnonzero(units).tolist()]
    more = ", …" if len(names) > _MOST_NAMED else ""
    return f"{len(names)} of {units.size} units ({', '.join(names[:_MOST_NAMED])}{more})"
