"""A copy that learns, followed beside the living network that changes."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.network._plasticity import Plasticity


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearningDrift:
    """Distances of learning synapses at each snapshot; sizes are root mean squares over these synapses, in volts.

    ``apart_v`` is between copy and living network; ``living_moved_v`` and ``copy_moved_v`` are from where each
    began; ``same_change`` is the correlation of the changes of both since then (NaN before any change): 1 is a
    copy that learns what the living network learns.
    """

    time_s: Float64[ndarray, " times"]
    apart_v: Float64[ndarray, " times"]
    living_moved_v: Float64[ndarray, " times"]
    copy_moved_v: Float64[ndarray, " times"]
    same_change: Float64[ndarray, " times"]


def learning_drift(living: Plasticity, copy: Plasticity, *, is_plastic: Bool[ndarray, " synapses"]) -> LearningDrift:
    """Return how two networks of the same synapses drift apart; both must have been run, with the same snapshots."""
    n = is_plastic.size
    time_s, ours = living.weights_over_time(n)
    other_s, theirs = copy.weights_over_time(n)
    if time_s.size < 2 or not np.array_equal(time_s, other_s):
        raise RunError(
            f"The two runs have {time_s.size} and {other_s.size} snapshots. Run both for the same time, at least two "
            "snapshots long, with the same snapshot_s."
        )
    ours, theirs = ours[:, is_plastic], theirs[:, is_plastic]
    moved, followed = ours - ours[0], theirs - theirs[0]
    return LearningDrift(
        time_s=time_s,
        apart_v=_size(theirs - ours),
        living_moved_v=_size(moved),
        copy_moved_v=_size(followed),
        same_change=np.array([_correlation(a, b) for a, b in zip(moved, followed, strict=True)]),
    )


def _size(x: Float64[ndarray, "times synapses"]) -> Float64[ndarray, " times"]:
    return np.sqrt(np.mean(x**2, axis=1)) if x.shape[1] else np.zeros(x.shape[0])


def _correlation(a: Float64[ndarray, " synapses"], b: Float64[ndarray, " synapses"]) -> float:
    if a.size < 2 or a.std() == 0 or b.std() == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])
