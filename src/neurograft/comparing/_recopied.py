"""Copy of a copy: the map that the copy's own activity shows, against the map that was put in.

A copy that runs can itself be recorded and copied.  If the first map is what makes it fire, the second copying finds
that map again; the same done to shuffled maps' activities says how much of it comes without its wiring, and the
original's own activity how much could be found at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.comparing._judged import Judged, correlation_of, judged_lines
from neurograft.comparing._pairs import pair_rows
from neurograft.comparing._ranking import ranking, share
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains

Copier = Callable[[SpikeTrains], SynapseMap]
"""Copies a map out of an activity; this room knows no copier, so the caller hands one over."""

_N_BOOTSTRAP = 300


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recopied:
    """How much of the first map the copy's own activity shows again."""

    n_first: int  # connected ordered pairs of the first map
    n_called: int  # of the second
    rows: tuple[Judged, ...]

    def to_lines(self) -> list[str]:
        """Return the result in text."""
        title = f"copy of a copy: {self.n_called} pairs called in the copy's own activity, {self.n_first} in the map"
        return judged_lines(title, self.rows)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"n_first": self.n_first, "n_called": self.n_called, "rows": [row.as_json() for row in self.rows]}


def compare_recopied(
    first: SynapseMap,
    original: SpikeTrains,
    copy: SpikeTrains,
    nulls: Sequence[SpikeTrains],
    *,
    copier: Copier,
    seed: int,
    progress: Progress = silent,
) -> Recopied:
    """Return how far the map in the copy's activity is the map that was put in, beside nulls and the original.

    ``first`` is the map that ran as the copy, ``nulls`` activities of maps shuffled from it.  Intervals: Wilson's
    for shares, else a bootstrap over ordered pairs.
    """
    activities = [copy, original, *nulls]
    if any(x.labels != first.labels for x in activities):
        raise CompareError("The activities' neurons are not those of the map. Give the map that ran.")
    seen: list[_Seen] = []
    for k, activity in enumerate(activities):
        seen.append(_seen(copier(activity), first.labels))
        progress("copying the copies", k + 1, len(activities))
    weight_v = _matrix(first, first.labels)
    off = ~np.eye(first.n_neurons, dtype=bool)
    truth, rng = weight_v[off], np.random.default_rng(seed)
    if not truth.any():
        raise CompareError("The first map has no synapse between two neurons. There is nothing to find again.")
    of_original = seen[1].z
    rows = (
        _share_row("found again", "pairs of the first map called with their sign", truth, seen, is_recall=True),
        _share_row("calls in the map", "calls that are pairs of the first map", truth, seen, is_recall=False),
        _pair_row(
            "rank of the map's pairs", "area under the ROC curve of |z|", seen, rng, lambda z, at: _auc(z, truth, at)
        ),
        _pair_row(
            "strengths",
            "correlation of z with the first map's weights, over its pairs",
            seen,
            rng,
            lambda z, at: _on_pairs(z, truth, at),
        ),
        _pair_row(
            "functional map",
            "correlation of z with that of the original's activity, all pairs",
            seen,
            rng,
            lambda z, at: correlation_of(z[at], of_original[at]),
            has_itself=False,
        ),
    )
    return Recopied(n_first=int(np.count_nonzero(truth)), n_called=int(np.count_nonzero(seen[0].call)), rows=rows)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """What an activity's own copy says of every ordered pair: z, and the sign of a call (0: none)."""

    z: Float64[ndarray, " pairs"]
    call: Float64[ndarray, " pairs"]


def _seen(m: SynapseMap, labels: Sequence[str]) -> _Seen:
    weight_v = _matrix(m, labels)
    off = ~np.eye(len(labels), dtype=bool)
    if m.evidence is None or m.labels != tuple(labels):
        return _Seen(z=weight_v[off], call=np.sign(weight_v[off]))
    return _Seen(z=np.nan_to_num(m.evidence.z.astype(np.float64))[off], call=np.sign(weight_v[off]))


def _matrix(m: SynapseMap, labels: Sequence[str]) -> Float64[ndarray, "neurons neurons"]:
    rows = pair_rows(m, labels, with_self=False)
    matrix = np.zeros((len(labels), len(labels)))
    matrix[rows.pre, rows.post] = rows.weight_v
    return matrix


def _share_row(name: str, meaning: str, truth: ndarray, seen: Sequence[_Seen], *, is_recall: bool) -> Judged:
    def shared(x: _Seen) -> tuple[int, int]:
        right = np.count_nonzero((np.sign(truth) == x.call) & (truth != 0))
        return int(right), int(np.count_nonzero(truth if is_recall else x.call))

    ours, itself, *nulls = (share(*shared(x)) for x in seen)
    return Judged(
        name=name, meaning=meaning, value=ours.value, low=ours.low, high=ours.high, itself=itself.value,
        nulls=np.array([x.value for x in nulls], dtype=np.float64),
    )  # fmt: skip


def _pair_row(
    name: str,
    meaning: str,
    seen: Sequence[_Seen],
    rng: Generator,
    measure: Callable[[ndarray, ndarray], float],
    *,
    has_itself: bool = True,
) -> Judged:
    """Return a measure of z over chosen pairs, with the bootstrap over pairs."""
    every = np.arange(seen[0].z.size)
    ours, itself, *nulls = (measure(x.z, every) for x in seen)
    drawn = [measure(seen[0].z, rng.integers(0, every.size, every.size)) for _ in range(_N_BOOTSTRAP)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Judged(
        name=name, meaning=meaning, value=ours, low=float(low), high=float(high),
        itself=itself if has_itself else np.nan, nulls=np.array(nulls, dtype=np.float64),
    )  # fmt: skip


def _auc(z: Float64[ndarray, " pairs"], truth: Float64[ndarray, " pairs"], at: ndarray) -> float:
    is_true: Bool[ndarray, " drawn"] = truth[at] != 0
    return ranking(np.abs(z[at]), is_true).auc


def _on_pairs(z: Float64[ndarray, " pairs"], truth: Float64[ndarray, " pairs"], at: ndarray) -> float:
    joined = at[truth[at] != 0]
    return correlation_of(z[joined], truth[joined]) if joined.size > 1 else np.nan
