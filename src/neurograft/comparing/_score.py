"""Scoring a copied map against the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.comparing._pairs import pair_rows
from neurograft.comparing._ranking import Ranking, ranked, ranking, share
from neurograft.comparing._score_align import Aligned, align, spike_counts
from neurograft.comparing._score_columns import column_errors
from neurograft.comparing._score_result import (
    NO_SYNAPSE,
    Direction,
    FalseAlarms,
    Orientation,
    Reliability,
    Score,
    Slice,
    WrongWay,
)
from neurograft.comparing._score_table import Part, Table
from neurograft.errors import OptionError
from neurograft.maps import Kind, Layout, SynapseMap
from neurograft.spikes import SpikeTrains
from neurograft.units import MV

_NONE = max(Kind) + 1  # the index of "no synapse" in the confusion of kinds
_P_ORIENTATION = 0.001  # a map that knows nothing fails once in 2,000 times; 11 of 11 pairs suffice


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """Where the parts begin and end in which the figures are given again, and the levels of q."""

    psp_edges_v: tuple[float, ...] = (0.0, 0.1 * MV, 0.2 * MV, 0.5 * MV, 1.0 * MV, 2.0 * MV, np.inf)
    spike_edges: tuple[float, ...] = (0, 100, 300, 1000, 3000, 10_000, np.inf)
    hidden_edges: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    q_levels: tuple[float, ...] = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

    def __post_init__(self) -> None:
        """Refuse edges that do not rise."""
        for name in ("psp_edges_v", "spike_edges", "hidden_edges", "q_levels"):
            edges = getattr(self, name)
            if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
                raise OptionError(f"{name} is {edges}. Give at least two rising values.")


def score(
    m: SynapseMap,
    truth: SynapseMap,
    *,
    layout: Layout | None = None,
    spikes: SpikeTrains | None = None,
    decoys: Mapping[str, SynapseMap] | None = None,
    options: ScoreOptions | None = None,
) -> Score:
    """Return how right a copied map is, over all ordered pairs of its neurons.

    Neurons are matched by label and, with the ``layout`` of a grown culture, by who is on which channel: a
    second pad of a neuron stands for that neuron, a shared pad for both.  The truth may have more neurons
    (hidden ones); neurons of the map that stand for nobody, such as a pad that hears its neighbours from
    outside, count as connected to nothing, so every call to or from them is false.

    Pairs are ranked by |evidence.z| where the map has evidence, else by q-value then |weight|, else by
    |weight|.  With the ``spikes`` that the map was copied from, figures are also given by presynaptic spike
    count.  ``decoys`` are maps copied with the same options from data in which no pair is connected, by
    name.  Self-connections and polysynaptic paths are left out on both sides.  Raises CompareError where
    neurons cannot be matched.  Cost: sorting n^2 pairs about ten times.
    """
    options = options or ScoreOptions()
    aligned = align(m, truth, layout)
    table = Table.of(m, aligned.truth)
    everything = Part.whole(table)
    true, called, n = table.true, table.called, m.n_neurons
    decided = table.is_decided
    sign_confusion, kind_confusion = _confusions(table)
    known_q = called.q_value[~np.isnan(called.q_value)]
    is_decided_true = decided.ravel()[true.key]
    is_found = table.call_of_true >= 0
    count = None
    if spikes is not None:
        trains = dict(zip(spikes.labels, spikes.counts().tolist(), strict=True))
        count = spike_counts(trains, m, truth, aligned)
    return Score(
        n_neurons=n,
        n_unknown=aligned.n_unknown,
        n_shared=aligned.n_shared,
        n_twice=aligned.n_twice,
        hidden_fraction=aligned.hidden_fraction,
        n_pairs=n * (n - 1),
        n_undecidable=int(n * (n - 1) - np.count_nonzero(decided[table.off_diagonal])),
        n_true_undecidable=int(np.count_nonzero(~is_decided_true)),
        ranked_by=table.ranked_by,
        rankings=_rankings(table),
        recall=share(int(np.count_nonzero(is_found)), true.key.size),
        recall_decided=share(int(np.count_nonzero(is_found & is_decided_true)), int(np.count_nonzero(is_decided_true))),
        realised_fdr=share(int(np.count_nonzero(table.true_of_call < 0)), called.key.size),
        claimed_fdr=float(known_q.max()) if known_q.size else np.nan,
        sign_error=everything.sign_error(),
        sign_confusion=sign_confusion,
        kind_error=everything.kind_error(),
        kind_names=(*(kind.name for kind in Kind), NO_SYNAPSE),
        kind_confusion=kind_confusion,
        delay=everything.delay(),
        strength=everything.strength(),
        columns=column_errors(m, aligned.truth, table),
        slices=_slices(table, aligned, count, options),
        reliability=_reliability(table, options),
        found=everything.listed(),
        orientation=_orientation(table),
        wrong_way=_wrong_way(table),
        false_alarms=_false_alarms(called.key.size, n * (n - 1), decoys or {}),
    )


def _rankings(table: Table) -> dict[str, Ranking]:
    everywhere, decided = table.off_diagonal, table.off_diagonal & table.is_decided
    size, any_true = np.abs(table.signed), table.true_pairs()
    given = {
        "all pairs": (size, any_true, everywhere),
        "decided": (size, any_true, decided),
        "excitatory": (table.signed, table.true_pairs(1), everywhere),
        "excitatory, decided": (table.signed, table.true_pairs(1), decided),
        "inhibitory": (-table.signed, table.true_pairs(-1), everywhere),
        "inhibitory, decided": (-table.signed, table.true_pairs(-1), decided),
        "pre and post exchanged": (size.T, any_true, everywhere),
    }
    return {name: ranking(values[pairs], is_true[pairs]) for name, (values, is_true, pairs) in given.items()}


def _confusions(table: Table) -> tuple[Int64[ndarray, "2 2"], Int64[ndarray, "kinds kinds"]]:
    found = np.flatnonzero(table.call_of_true >= 0)
    call = table.call_of_true[found]
    sign = np.zeros((2, 2), dtype=np.int64)
    has_sign = table.called.kind[call] != Kind.UNDECIDED
    is_negative = ((table.true.weight_v[found] < 0)[has_sign], (table.called.weight_v[call] < 0)[has_sign])
    np.add.at(sign, tuple(side.astype(int) for side in is_negative), 1)
    kind = np.zeros((_NONE + 1, _NONE + 1), dtype=np.int64)
    np.add.at(kind, (table.true.kind[found], table.called.kind[call]), 1)
    kind[:, _NONE] += np.bincount(table.true.kind[table.call_of_true < 0], minlength=_NONE + 1)
    kind[_NONE] += np.bincount(table.called.kind[table.true_of_call < 0], minlength=_NONE + 1)
    return sign, kind


def _slices(
    table: Table, aligned: Aligned, count: Float64[ndarray, " neurons"] | None, options: ScoreOptions
) -> dict[str, tuple[Slice, ...]]:
    slices = {"|PSP| (true for recall, called for false calls), V": _slices_by_strength(table, options.psp_edges_v)}
    if count is not None:
        slices["presynaptic spikes"] = _slices_by_neuron(table, count, 0, options.spike_edges)
    if aligned.hidden_fraction > 0:
        slices["hidden share of the postsynaptic neuron's input"] = _slices_by_neuron(
            table, aligned.hidden_share, 1, options.hidden_edges
        )
    return slices


def _slices_by_strength(table: Table, edges_v: tuple[float, ...]) -> tuple[Slice, ...]:
    """Return the figures by strength: true synapses by true strength against all unconnected pairs, calls by called."""
    size = np.abs(table.signed).ravel()
    others = np.sort(size[(table.off_diagonal & ~table.true_pairs()).ravel()])
    true_v, called_v = np.abs(table.true.weight_v), np.abs(table.called.weight_v)
    parts: list[Slice] = []
    for low, high in pairwise(edges_v):
        is_true, is_call = (true_v >= low) & (true_v < high), (called_v >= low) & (called_v < high)
        part = Part(table=table, is_true=is_true, is_call=is_call)
        parts.append(part.slice(low, high, ranked(size[table.true.key[is_true]], others)))
    return tuple(parts)


def _slices_by_neuron(
    table: Table, value: Float64[ndarray, " neurons"], axis: int, edges: tuple[float, ...]
) -> tuple[Slice, ...]:
    """Return the figures by a value of the presynaptic (axis 0) or postsynaptic neuron; the last part has its end."""
    of_true, of_call = (value[(x.pre, x.post)[axis]] for x in (table.true, table.called))
    size, any_true = np.abs(table.signed), table.true_pairs()
    parts: list[Slice] = []
    for low, high in pairwise(edges):
        top = np.inf if high == edges[-1] else high
        neuron = (value >= low) & (value < top)
        pairs = table.off_diagonal & (neuron[:, None] if axis == 0 else neuron[None, :])
        part = Part(table=table, is_true=(of_true >= low) & (of_true < top), is_call=(of_call >= low) & (of_call < top))
        parts.append(part.slice(low, high, ranking(size[pairs], any_true[pairs])))
    return tuple(parts)


def _reliability(table: Table, options: ScoreOptions) -> tuple[Reliability, ...]:
    q = table.called.q_value
    if np.isnan(q).all():
        return ()
    is_false = table.true_of_call < 0
    return tuple(
        Reliability(
            q_level=level,
            realised_fdr=share(int(np.count_nonzero(is_false & (q <= level))), int(np.count_nonzero(q <= level))),
        )
        for level in options.q_levels
    )


def _orientation(table: Table) -> Orientation:
    from scipy.stats import binomtest

    true, size = table.true_pairs(), np.abs(table.signed)
    one_way: Bool[ndarray, "n n"] = true & ~true.T
    forward = int(np.count_nonzero(size[one_way] > size.T[one_way]))
    backward = int(np.count_nonzero(size[one_way] < size.T[one_way]))
    p = float(binomtest(forward, forward + backward).pvalue) if forward + backward else 1.0
    found = Direction.UNCLEAR
    if p <= _P_ORIENTATION:
        found = Direction.RIGHT if forward > backward else Direction.SWAPPED
    return Orientation(n_forward=forward, n_backward=backward, p=p, found=found)


def _wrong_way(table: Table) -> WrongWay:
    """Return how often pairs are called that are connected the other way only, beside pairs connected in neither."""
    true = table.true_pairs()
    called = np.zeros_like(true)
    called.ravel()[table.called.key] = True
    reverse_only = ~true & true.T
    neither = ~true & ~true.T & table.off_diagonal
    return WrongWay(
        reverse_only=share(int(np.count_nonzero(called & reverse_only)), int(np.count_nonzero(reverse_only))),
        neither=share(int(np.count_nonzero(called & neither)), int(np.count_nonzero(neither))),
    )


def _false_alarms(n_called: int, n_pairs: int, decoys: Mapping[str, SynapseMap]) -> dict[str, FalseAlarms]:
    alarms: dict[str, FalseAlarms] = {}
    for name, decoy in decoys.items():
        n = decoy.n_neurons
        calls = share(pair_rows(decoy, decoy.labels, with_self=False).key.size, n * (n - 1))
        alarms[name] = FalseAlarms(
            calls_a_pair=calls, calls_over_real=calls.value * n_pairs / n_called if n_called else np.nan
        )
    return alarms
