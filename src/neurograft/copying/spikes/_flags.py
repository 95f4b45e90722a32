"""What a copy of spikes tells a person of units that it left out whole, or could have taken for one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from neurograft.copying.spikes._duplicates import Repeats

_MOST_NAMED = 10
_TWICE = "left out: much of what they fire falls on spikes of another unit: a neuron sorted twice. Merge them"
_LATE = (
    "left out: much of what they fire follows another unit at one lag to a tenth of a millisecond, and they do not "
    "fire on their own just before: a neuron seen twice, or one that the other fires nearly every time. What the other "
    "is said to drive may be theirs"
)
_IMPOSSIBLE = "left out: no neuron fires so fast. Look for noise on their channels"
_FOLLOWER = (
    "kept, though they fire at one lag to a tenth of a millisecond after another unit, or with it after a third: "
    "just before it they fire on their own and then miss their turn, as a strongly driven neuron "
    "does and one seen twice does not"
)
_FAST = (
    "undecided: they fire over 100 times a second on average, faster than any that the judge was trained on. Copy a "
    "stretch in which they are calmer"
)


def unit_flags(
    labels: Sequence[str],
    repeated: Repeats,
    is_impossible: Bool[ndarray, " neurons"],
    is_fast: Bool[ndarray, " neurons"],
) -> list[str]:
    """Return a sentence for each reason for which units were left out, with the remedy, or nearly were."""
    reasons = (
        (repeated.is_twin & ~repeated.is_late_twin, _TWICE),
        (repeated.is_late_twin, _LATE),
        (is_impossible, _IMPOSSIBLE),
        (is_fast, _FAST),
        (repeated.is_follower, _FOLLOWER),
    )
    return [f"{_told(labels, units)} {why}" for units, why in reasons if units.any()]


def _told(labels: Sequence[str], units: Bool[ndarray, " neurons"]) -> str:
    names = [labels[k] for k in np.flatnonzero(units).tolist()]
    more = ", …" if len(names) > _MOST_NAMED else ""
    return f"{len(names)} of {units.size} units ({', '.join(names[:_MOST_NAMED])}{more})"
