"""What ``score`` gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final

from jaxtyping import Int64
from numpy import ndarray

from neurograft.comparing._json import plain_fields
from neurograft.comparing._ranking import Ranking, Share


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
class Slice:
    """The same figures over a part of the pairs: those whose property is at least ``low`` and under ``high``."""

    low: float
    high: float
    ranking: Ranking
    recall: Share
    realised_fdr: Share
    sign_error: Share
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
    calls_over_real: float  # decoy calls over the scored map's: the false-discovery rate that decoys predict


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
    n_unknown: int  # neurons of the map that are not in the truth
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
    kind_names: tuple[str, ...]
    kind_confusion: Int64[ndarray, "kinds kinds"]
    delay: DelayError
    strength: StrengthError
    slices: Mapping[str, tuple[Slice, ...]]
    reliability: tuple[Reliability, ...]
    orientation: Orientation
    false_alarms: Mapping[str, FalseAlarms]

    @property
    def is_swapped(self) -> bool:
        """Whether the map fits the truth better with pre and post exchanged."""
        return self.orientation.found is Direction.SWAPPED

    def _unknown(self) -> str:
        return f" ({self.n_unknown} not in the truth)" if self.n_unknown else ""

    def to_lines(self) -> list[str]:
        """Return the score as lines of text; a swapped map is told first."""
        o = self.orientation
        lines: list[str] = []
        if self.is_swapped:
            lines.append("PRE AND POST ARE SWAPPED: the transposed map fits the truth better. Exchange them.")
        lines += [
            f"{self.n_neurons} neurons{self._unknown()}, {self.hidden_fraction:.0%} of the truth's hidden; "
            f"{self.n_pairs} ordered pairs, {self.n_undecidable} undecidable "
            f"({self.n_true_undecidable} of them connected)",
            f"Ranked by {self.ranked_by}:",
            *(
                f"  {name:<22} AUC {r.auc:.4f}  average precision {r.average_precision:.4f}  "
                f"({r.n_true} connected of {r.n_pairs})"
                for name, r in self.rankings.items()
            ),
            f"Recall at the map's threshold  {self.recall}",
            f"  among decided pairs          {self.recall_decided}",
            f"Realised false-discovery rate  {self.realised_fdr}, claimed {self.claimed_fdr:.3g}",
            f"Wrong sign among found         {self.sign_error}",
            f"Delay error: bias {self.delay.bias_s:.3g} s, median {self.delay.median_abs_s:.3g} s (n {self.delay.n})",
            f"Strength: r {self.strength.pearson:.3f}, Spearman {self.strength.spearman:.3f}, slope "
            f"{self.strength.slope:.3f}, median ratio {self.strength.median_ratio:.3f} (n {self.strength.n})",
            f"True strength within 1.96 standard errors  {self.strength.coverage}",
            f"Orientation: {o.found.value} ({o.n_forward} one-way pairs stronger forward, {o.n_backward} backward, "
            f"p {o.p:.2g})",
        ]
        for name, alarms in self.false_alarms.items():
            lines.append(f"False alarms, {name}: {alarms.calls_a_pair}, {alarms.calls_over_real:.3g} of the real calls")
        for name, parts in self.slices.items():
            lines.append(f"By {name}:")
            lines += [
                f"  {s.low:<9.3g} to {s.high:<9.3g} AUC {s.ranking.auc:.3f}  recall {s.recall}  false {s.realised_fdr}"
                for s in parts
            ]
        if self.reliability:
            lines.append("Calls with q up to a level, and the share of them that is false:")
            lines += [f"  {r.q_level:<6g} {r.realised_fdr}" for r in self.reliability]
        return lines

    def as_json(self) -> dict[str, object]:
        """Return everything as plain values, NaN and infinity as None."""
        return {**plain_fields(self), "is_swapped": self.is_swapped}
