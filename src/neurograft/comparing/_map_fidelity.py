"""How near one map is to another: a pasted map to its original, one copy to another."""

from dataclasses import dataclass
from typing import final

import numpy as np

from neurograft.comparing._json import plain_fields
from neurograft.comparing._pairs import PairRows, pair_rows, row_of
from neurograft.comparing._statistics import pearson
from neurograft.errors import CompareError
from neurograft.maps import SynapseMap


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MapFidelity:
    """Map b against map a, over ordered pairs of the neurons that both have; NaN where nothing can be said.

    A pair's synapses are added; polysynaptic paths do not count.  Relative errors are |b - a| / |a| over
    pairs connected in both.  ``correlation_all`` takes every ordered pair, an absent synapse as 0, and so
    mostly tells whether the same pairs are connected.
    """

    n_neurons: int
    n_only_in_a: int  # neurons
    n_only_in_b: int
    n_a: int  # connected pairs
    n_b: int
    n_shared: int
    n_missing: int
    n_added: int
    n_sign_flipped: int
    n_kind_changed: int
    relative_error_median: float
    relative_error_p95: float
    rms_error_v: float  # over pairs connected in either
    weight_bias_v: float  # mean of b - a over shared pairs
    correlation_shared: float
    correlation_all: float
    in_strength_correlation: float
    out_strength_correlation: float
    delay_error_max_s: float

    def to_lines(self) -> list[str]:
        """Return the result as lines of text."""
        return [
            f"{self.n_neurons} neurons in both maps ({self.n_only_in_a} only in the first, "
            f"{self.n_only_in_b} only in the second)",
            f"Connected pairs: {self.n_shared} in both, {self.n_missing} missing, {self.n_added} added, "
            f"{self.n_sign_flipped} with the other sign, {self.n_kind_changed} of another kind",
            f"Weight error: median {self.relative_error_median:.3g}, 95 % under {self.relative_error_p95:.3g} "
            f"(relative); bias {self.weight_bias_v:.3g} V, rms {self.rms_error_v:.3g} V",
            f"Correlation of weights: {self.correlation_shared:.4f} (shared pairs), {self.correlation_all:.4f} (all)",
            f"Correlation of neurons' summed input {self.in_strength_correlation:.4f}, "
            f"output {self.out_strength_correlation:.4f}",
            f"Largest delay error {self.delay_error_max_s:.3g} s",
        ]

    def as_json(self) -> dict[str, object]:
        """Return the result as plain values, NaN as None."""
        return plain_fields(self)


def compare_maps(a: SynapseMap, b: SynapseMap) -> MapFidelity:
    """Return how near map b is to map a, neurons matched by label.

    Raises CompareError where the maps have no neuron in common.
    """
    ours = set(b.labels)
    labels = [label for label in a.labels if label in ours]
    if not labels:
        raise CompareError(
            f"The maps have no neuron label in common (first: {', '.join(a.labels[:3])}; {', '.join(b.labels[:3])}). "
            "Give both the same labels."
        )
    one, two = (pair_rows(m, labels, with_self=True) for m in (a, b))
    at = row_of(one.key, two)
    shared, there = np.flatnonzero(at >= 0), at[at >= 0]
    w_a, w_b = one.weight_v[shared], two.weight_v[there]
    relative = np.abs(w_b - w_a)[w_a != 0] / np.abs(w_a[w_a != 0])
    missing = one.weight_v[at < 0]
    added = two.weight_v[row_of(two.key, one) < 0]
    n_either = one.key.size + added.size
    squares = float(np.sum((w_b - w_a) ** 2) + np.sum(missing**2) + np.sum(added**2))
    strengths = [(_strength(x, x.pre), _strength(x, x.post)) for x in (one, two)]
    return MapFidelity(
        n_neurons=len(labels),
        n_only_in_a=a.n_neurons - len(labels),
        n_only_in_b=b.n_neurons - len(labels),
        n_a=one.key.size,
        n_b=two.key.size,
        n_shared=shared.size,
        n_missing=missing.size,
        n_added=added.size,
        n_sign_flipped=int(np.count_nonzero(w_a * w_b < 0)),
        n_kind_changed=int(np.count_nonzero(one.kind[shared] != two.kind[there])),
        relative_error_median=float(np.median(relative)) if relative.size else np.nan,
        relative_error_p95=float(np.quantile(relative, 0.95)) if relative.size else np.nan,
        rms_error_v=float(np.sqrt(squares / n_either)) if n_either else np.nan,
        weight_bias_v=float(np.mean(w_b - w_a)) if shared.size else np.nan,
        correlation_shared=pearson(w_a, w_b),
        correlation_all=_correlation_all(one, two, w_a, w_b),
        out_strength_correlation=pearson(strengths[0][0], strengths[1][0]),
        in_strength_correlation=pearson(strengths[0][1], strengths[1][1]),
        delay_error_max_s=float(np.abs(two.delay_s[there] - one.delay_s[shared]).max()) if shared.size else np.nan,
    )


def _strength(rows: PairRows, neuron: np.ndarray) -> np.ndarray:
    return np.bincount(neuron, rows.weight_v, minlength=rows.n_neurons).astype(np.float64)


def _correlation_all(one: PairRows, two: PairRows, w_a: np.ndarray, w_b: np.ndarray) -> float:
    """Return Pearson's r over all ordered pairs from sums, so that the zeros are never stored."""
    n = one.n_neurons**2
    sum_a, sum_b = float(one.weight_v.sum()), float(two.weight_v.sum())
    var_a = float(one.weight_v @ one.weight_v) - sum_a**2 / n
    var_b = float(two.weight_v @ two.weight_v) - sum_b**2 / n
    return (float(w_a @ w_b) - sum_a * sum_b / n) / np.sqrt(var_a * var_b) if var_a > 0 and var_b > 0 else np.nan
