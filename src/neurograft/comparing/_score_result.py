"""What ``score`` gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final

from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.comparing._json import plain_fields
from neurograft.comparing._ranking import Ranking, Share

NO_SYNAPSE = "NO_SYNAPSE"


class Direction(Enum):
    """What the orientation test found."""

    RIGHT = "pre -> post is right"
    SWAPPED = "pre and post are swapped"
    UNCLEAR = "too few one-way pairs to tell"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """One-way true pairs whose score is larger forward than backward, and the other way round.

    A map that knows nothing has as many of both; ``p`` is the two-sided binomial probability.
    """

    n_forward: int
    n_backward: int
    p: float
    found: Direction


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DelayError:
    """Called minus true delay over found synapses, electrical ones left out."""

    n: int
    bias_s: float
    median_abs_s: float
    p90_abs_s: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StrengthError:
    """Called against true weight over found synapses.

    ``slope`` is the least-squares line through 0 (1 unbiased, below 1 too weak); ``coverage`` the share of
    found synapses whose true weight lies within 1.96 standard errors, of those that state one (0.95 right).
    """

    n: int
    pearson: float
    spearman: float
    slope: float
    median_ratio: float
    coverage: Share


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnError:
    """A property of synapses that map and truth both state, over found chemical synapses that have it.

    ``coverage`` is the share whose true value lies within 1.96 of the map's standard deviations (0.95 right).
    """

    n: int
    bias: float
    median_abs: float
    spearman: float
    coverage: Share


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The same figures over a part of the pairs: those whose property is at least ``low`` and under ``high``."""

    low: float
    high: float
    ranking: Ranking
    recall: Share
    realised_fdr: Share
    sign_error: Share
    kind_error: Share
    delay: DelayError
    strength: StrengthError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Calls with a q-value up to a level, and the share of them that is false; right where it is at most the level."""

    q_level: float
    realised_fdr: Share


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """Calls in a map copied from data in which no true synapse can be (time-shifted, acausal side)."""

    calls_a_pair: Share
    calls_over_real: float  # ... times the map's pairs, over its calls: the false-discovery rate that decoys predict


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WrongWay:
    """Calls of pairs connected the other way only (acausal false alarms), beside calls of pairs connected in neither.

    The first share is above the second where the copier takes the time before a spike for the time after it.
    """

    reverse_only: Share
    neither: Share


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Every true synapse that was found: what it is and what it was called, for a figure."""

    true_v: Float64[ndarray, " found"]
    called_v: Float64[ndarray, " found"]
    true_delay_s: Float64[ndarray, " found"]
    called_delay_s: Float64[ndarray, " found"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """A copied map against the truth; see docs/background/compare.md for what each figure means.

    ``rankings``: "all pairs" counts undecidable pairs with the score that they have (0 without), "decided"
    leaves them out; the signs are each ranked alone, by signed score, the other sign being wrong.
    ``sign_confusion`` is [true, called] with excitatory first; ``kind_confusion`` [true, called] in the
    order of ``kind_names``, the last being no synapse.
    """

    n_neurons: int
    n_unknown: int  # neurons of the map that stand for none of the truth's
    n_shared: int  # ... for two, as a shared pad
    n_twice: int  # ... for one that an earlier neuron stands for too, as a second pad that was not merged
    hidden_fraction: float
    n_pairs: int
    n_undecidable: int
    n_true_undecidable: int
    ranked_by: str
    rankings: Mapping[str, Ranking]
    recall: Share
    recall_decided: Share
    realised_fdr: Share
    claimed_fdr: float
    sign_error: Share
    sign_confusion: Int64[ndarray, "2 2"]
    kind_error: Share
    kind_names: tuple[str, ...]
    kind_confusion: Int64[ndarray, "kinds kinds"]
    delay: DelayError
    strength: StrengthError
    columns: Mapping[str, ColumnError]  # by name; delay_s counts by the map's latency_sd_s
    slices: Mapping[str, tuple[Slice, ...]]
    reliability: tuple[Reliability, ...]
    found: Found
    orientation: Orientation
    wrong_way: WrongWay
    false_alarms: Mapping[str, FalseAlarms]

    @property
    def is_swapped(self) -> bool:
        """Whether the map fits the truth better with pre and post exchanged."""
        return self.orientation.found is Direction.SWAPPED

    @property
    def claim_holds(self) -> bool | None:
        """Whether the claimed false-discovery rate lies inside or above the interval of the realised one."""
        if self.realised_fdr.of == 0 or self.claimed_fdr != self.claimed_fdr:
            return None
        return self.realised_fdr.low <= self.claimed_fdr

    def to_lines(self) -> list[str]:
        """Return the score as lines of text; a swapped map is told first."""
        return score_lines(self)

    def as_json(self) -> dict[str, object]:
        """Return everything but the single synapses as plain values, NaN and infinity as None."""
        return {**plain_fields(self, skip=("found",)), "is_swapped": self.is_swapped, "claim_holds": self.claim_holds}


SWAPPED = "PRE AND POST ARE SWAPPED: the transposed map fits the truth better. Exchange them."


def score_lines(s: Score) -> list[str]:
    """Return a score as lines of text; a swapped map is told first."""
    o, d, w = s.orientation, s.delay, s.strength
    lines = [SWAPPED] if s.is_swapped else []
    lines += [
        f"{s.n_neurons} neurons{_who(s)}, {s.hidden_fraction:.0%} of the truth's hidden; "
        f"{s.n_pairs} ordered pairs, {s.n_undecidable} undecidable ({s.n_true_undecidable} of them connected)",
        f"Ranked by {s.ranked_by}:",
        *(
            f"  {name:<22} AUC {r.auc:.4f}  average precision {r.average_precision:.4f}  "
            f"({r.n_true} connected of {r.n_pairs})"
            for name, r in s.rankings.items()
        ),
        f"Recall at the map's threshold  {s.recall}",
        f"  among decided pairs          {s.recall_decided}",
        f"Realised false-discovery rate  {s.realised_fdr}, claimed {s.claimed_fdr:.3g}{_verdict(s)}",
        f"Wrong sign among found         {s.sign_error}",
        f"Wrong kind among found         {s.kind_error}",
        *_kind_lines(s),
        f"Delay error: bias {d.bias_s:.3g} s, median {d.median_abs_s:.3g} s, 90 % within {d.p90_abs_s:.3g} s (n {d.n})",
        f"Strength: r {w.pearson:.3f}, Spearman {w.spearman:.3f}, slope {w.slope:.3f}, "
        f"median ratio {w.median_ratio:.3f} (n {w.n})",
        f"True strength within 1.96 standard errors  {w.coverage}",
        *(
            f"{name}: bias {c.bias:.3g}, median error {c.median_abs:.3g}, Spearman {c.spearman:.3f} (n {c.n}); "
            f"true value within 1.96 deviations  {c.coverage}"
            for name, c in s.columns.items()
        ),
        f"Orientation: {o.found.value} ({o.n_forward} one-way pairs stronger forward, {o.n_backward} backward, "
        f"p {o.p:.2g})",
        f"False alarms, connected the other way only: {s.wrong_way.reverse_only}; in neither: {s.wrong_way.neither}",
        *(
            f"False alarms, {name}: {a.calls_a_pair}, {a.calls_over_real:.3g} of the real calls"
            for name, a in s.false_alarms.items()
        ),
    ]
    for name, parts in s.slices.items():
        lines.append(f"By {name}:")
        lines += [_slice_line(part) for part in parts if part.ranking.n_true or part.realised_fdr.of]
    if s.reliability:
        lines.append("Calls with q up to a level, and the share of them that is false:")
        lines += [f"  {r.q_level:<6g} {r.realised_fdr}" for r in s.reliability]
    return lines


def _who(s: Score) -> str:
    told = [
        f"{n} {what}"
        for n, what in (
            (s.n_unknown, "not in the truth"),
            (s.n_shared, "on shared pads"),
            (s.n_twice, "second pads of another"),
        )
        if n
    ]
    return f" ({', '.join(told)})" if told else ""


def _verdict(s: Score) -> str:
    return {None: "", True: ": the claim holds", False: ": THE CLAIM DOES NOT HOLD"}[s.claim_holds]


def _kind_lines(s: Score) -> list[str]:
    """Return the confusion of kinds, one line a true kind that occurs."""
    lines: list[str] = []
    for name, row in zip(s.kind_names, s.kind_confusion.tolist(), strict=True):
        if sum(row):
            called = ", ".join(f"{n} {called}" for called, n in zip(s.kind_names, row, strict=True) if n)
            lines.append(f"  true {name:<18} called: {called}")
    return lines


def _slice_line(s: Slice) -> str:
    return (
        f"  {s.low:<8.3g} to {s.high:<8.3g} AUC {s.ranking.auc:.3f}  recall {s.recall}  false {s.realised_fdr}  "
        f"wrong sign {s.sign_error.count}, kind {s.kind_error.count} of {s.sign_error.of}  "
        f"delay {s.delay.median_abs_s:.2g} s  slope {s.strength.slope:.2f}"
    )
