"""A copy that learns, followed beside the living network that changes."""

from dataclasses import dataclass, fields
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

    ``apart_v`` is between copy and living network, ``apart_unlearnt_v`` what it would be, had the copy stayed as it
    began: a copy is worth its learning where the first is smaller.  ``living_moved_v`` and ``copy_moved_v`` are from
    where each began; ``same_change`` is the correlation of the changes of both since then (NaN before any change): 1
    is a copy that learns what the living network learns.
    """

    time_s: Float64[ndarray, " times"]
    apart_v: Float64[ndarray, " times"]
    apart_unlearnt_v: Float64[ndarray, " times"]
    living_moved_v: Float64[ndarray, " times"]
    copy_moved_v: Float64[ndarray, " times"]
    same_change: Float64[ndarray, " times"]

    def columns(self) -> dict[str, Float64[ndarray, " times"]]:
        """Return every column by its name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def to_lines(self) -> list[str]:
        """Return a table in text, millivolts."""
        head = ["time (s)", "apart (mV)", "had the copy not learnt", "living moved", "copy moved", "same change"]
        columns = (self.apart_v, self.apart_unlearnt_v, self.living_moved_v, self.copy_moved_v)
        table = [head]
        for k, t in enumerate(self.time_s):
            same = "-" if np.isnan(self.same_change[k]) else f"{self.same_change[k]:.2f}"
            table.append([f"{t:g}", *(f"{1e3 * column[k]:.4f}" for column in columns), same])
        width = [max(len(line[k]) for line in table) for k in range(len(head))]
        return ["  ".join(c.ljust(w) for c, w in zip(line, width, strict=True)).rstrip() for line in table]


def learning_drift(
    living: Plasticity,
    copy: Plasticity,
    *,
    is_plastic: Bool[ndarray, " synapses"],
    began: tuple[Float64[ndarray, " synapses"], Float64[ndarray, " synapses"]] | None = None,
) -> LearningDrift:
    """Return how two networks of the same synapses drift apart; both must have been run, with the same snapshots.

    ``began`` are the weights of living network and copy before both ran; without, the first snapshot stands for them.
    """
    n = is_plastic.size
    time_s, ours = living.weights_over_time(n)
    other_s, theirs = copy.weights_over_time(n)
    if time_s.size < 2 or not np.array_equal(time_s, other_s):
        raise RunError(
            f"The two runs have {time_s.size} and {other_s.size} snapshots. Run both for the same time, at least two "
            "snapshots long, with the same snapshot_s."
        )
    if began is not None:
        time_s = np.concatenate([[0.0], time_s])
        ours, theirs = np.vstack([began[0], ours]), np.vstack([began[1], theirs])
    ours, theirs = ours[:, is_plastic], theirs[:, is_plastic]
    moved, followed = ours - ours[0], theirs - theirs[0]
    return LearningDrift(
        time_s=time_s,
        apart_v=_size(theirs - ours),
        apart_unlearnt_v=_size(theirs[0] - ours),
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
