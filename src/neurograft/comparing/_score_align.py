"""Whose neurons are whose: the truth rewritten in the map's neurons, where channels and neurons are not one to one."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.errors import CompareError
from neurograft.maps import Kind, Layout, SynapseMap, synapse_map


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aligned:
    """The truth with the map's neurons first, under the map's labels, then those that the map lacks.

    ``members[k]`` are the true neurons that the map's neuron k stands for: none (a pad that hears neighbours from
    outside), one, or two (a shared pad).
    """

    truth: SynapseMap
    members: tuple[tuple[int, ...], ...]
    n_unknown: int  # neurons of the map that stand for nobody
    n_shared: int  # ... for two
    n_twice: int  # ... for a neuron that an earlier one stands for too
    hidden_fraction: float
    hidden_share: Float64[ndarray, " neurons"]  # of each map neuron's summed |input|, from neurons that the map lacks


def align(m: SynapseMap, truth: SynapseMap, layout: Layout | None) -> Aligned:
    """Return the truth in the map's neurons, matched by label and, with a layout, by who is on which channel.

    As between sorted units, a pair is connected when a neuron of the one reaches a neuron of the other, and
    two of the map's neurons that share a true one are not connected by it.
    """
    members = _members(m, truth, layout)
    _require_known(m, truth, members)
    standing = [i for some in members for i in some]
    seen = set(standing)
    rewritten = _rewritten(m, truth, members)
    return Aligned(
        truth=rewritten,
        members=members,
        n_unknown=sum(not some for some in members),
        n_shared=sum(len(some) > 1 for some in members),
        n_twice=_n_twice(members),
        hidden_fraction=1 - len(seen) / (truth.n_neurons + _n_more_hidden(truth, layout)),
        hidden_share=_hidden_share(m, rewritten, members, layout if _n_more_hidden(truth, layout) else None),
    )


def _members(m: SynapseMap, truth: SynapseMap, layout: Layout | None) -> tuple[tuple[int, ...], ...]:
    number = {label: i for i, label in enumerate(truth.labels)}
    if layout is None:
        return tuple((number[label],) if label in number else () for label in m.labels)
    channel = {label: c for c, label in enumerate(layout.channel_labels)}
    # The second neuron of a shared pad has a label of its own ("r3c7b"): where the map uses it, it stands for itself.
    apart = {number[label] for label in m.labels if label in number and label not in channel}
    found: list[tuple[int, ...]] = []
    for label in m.labels:
        if label not in channel:
            found.append((number[label],) if label in number else ())
            continue
        inside = [int(i) for i in layout.channel_neuron[channel[label]] if i >= 0]
        own = [number[label]] if label in number else []  # it sits there, even if the pad never got inside
        found.append(tuple(i for i in dict.fromkeys([*own, *inside]) if i not in apart))
    return tuple(found)


def _require_known(m: SynapseMap, truth: SynapseMap, members: tuple[tuple[int, ...], ...]) -> None:
    if not any(members):
        unknown = sorted(m.labels)
        raise CompareError(
            f"{len(unknown)} of the map's {m.n_neurons} neurons are not in the truth, the first "
            f"{unknown[0] if unknown else 'none'!r} "
            f"(the truth's first is {truth.labels[0] if truth.labels else 'none'!r}). "
            "Give both the same labels, or leave these neurons out of the map."
        )
    if m.n_neurons < 2:
        raise CompareError(f"The map has {m.n_neurons} neurons, so no pair. Give a map of at least two.")


def _n_more_hidden(truth: SynapseMap, layout: Layout | None) -> int:
    """Return the hidden neurons that the layout tells of and the truth does not hold."""
    if layout is None:
        return 0
    return max(layout.hidden_input_share.size + layout.n_hidden - truth.n_neurons, 0)


def _n_twice(members: tuple[tuple[int, ...], ...]) -> int:
    seen: set[int] = set()
    count = 0
    for some in members:
        count += bool(seen & set(some))
        seen |= set(some)
    return count


def _rewritten(m: SynapseMap, truth: SynapseMap, members: tuple[tuple[int, ...], ...]) -> SynapseMap:
    """Return the truth between the map's neurons and those it lacks; of a pair's synapses of a kind the strongest."""
    n = m.n_neurons
    seen = {i for some in members for i in some}
    lacking = [i for i in range(truth.n_neurons) if i not in seen]
    units: list[list[int]] = [[] for _ in range(truth.n_neurons)]
    for k, some in enumerate(members):
        for i in some:
            units[i].append(k)
    for k, i in enumerate(lacking):
        units[i].append(n + k)
    row, pre, post = _between_units(truth, units)
    same = {a * (n + len(lacking)) + b for some in units for a in some for b in some}
    keep = ~np.isin(pre * (n + len(lacking)) + post, np.array(sorted(same), dtype=np.int64))
    keep |= (truth.pre[row] == truth.post[row]) & (pre == post)  # a self-connection stays one
    row, pre, post = row[keep], pre[keep], post[keep]
    order = np.lexsort((-np.abs(truth.weight_v[row]), truth.kind[row], post, pre))
    row, pre, post = row[order], pre[order], post[order]
    key = np.stack([pre, post, truth.kind[row].astype(np.int64)], axis=1)
    first = np.ones(row.size, dtype=np.bool_)
    first[1:] = np.any(np.diff(key, axis=0) != 0, axis=1)
    row, pre, post = row[first], pre[first], post[first]
    # A hidden neuron may have a label that the map gives to a pad which hears nobody.
    labels = [*m.labels, *(_unlike(truth.labels[i], set(m.labels)) for i in lacking)]
    return synapse_map(
        n_neurons=n + len(lacking),
        pre=pre,
        post=post,
        weight_v=truth.weight_v[row],
        delay_s=truth.delay_s[row],
        kind=truth.kind[row],
        labels=labels,
        extra={name: column[row] for name, column in truth.extra.items()},
    )


def _unlike(label: str, taken: set[str]) -> str:
    return label if label not in taken else f"{label} (true)"


def _between_units(
    truth: SynapseMap, units: list[list[int]]
) -> tuple[Int64[ndarray, " pairs"], Int64[ndarray, " pairs"], Int64[ndarray, " pairs"]]:
    """Return for every synapse and every pair of units of its neurons: its row, the units."""
    count = np.array([len(some) for some in units], dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    flat = np.array([k for some in units for k in some], dtype=np.int64)
    n_post = count[truth.post]
    n_pairs = count[truth.pre] * n_post
    row = np.repeat(np.arange(truth.n_synapses), n_pairs)
    place = np.arange(row.size) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    pre = flat[start[truth.pre[row]] + place // n_post[row]]
    post = flat[start[truth.post[row]] + place % n_post[row]]
    return row, pre, post


def _hidden_share(
    m: SynapseMap, rewritten: SynapseMap, members: tuple[tuple[int, ...], ...], layout: Layout | None
) -> Float64[ndarray, " neurons"]:
    """Return the share of each map neuron's summed |input| that comes from neurons which the map lacks."""
    n = m.n_neurons
    direct = (rewritten.post < n) & (rewritten.kind != Kind.POLYSYNAPTIC)
    size_v = np.abs(rewritten.weight_v)
    whole = np.bincount(rewritten.post[direct], size_v[direct], minlength=n)
    lacking = direct & (rewritten.pre >= n)
    hidden = np.bincount(rewritten.post[lacking], size_v[lacking], minlength=n)
    share = np.divide(hidden, whole, out=np.zeros(n), where=whole > 0)
    if layout is None:
        return share
    more = np.array([np.mean(layout.hidden_input_share[list(some)]) if some else 0.0 for some in members])
    return more + (1 - more) * share


def spike_counts(counts: dict[str, int], m: SynapseMap, truth: SynapseMap, aligned: Aligned) -> Float64[ndarray, " n"]:
    """Return each map neuron's spikes from counts by label: its own label, or that of the neuron it stands for."""
    found: list[int] = []
    missing: list[str] = []
    for label, some in zip(m.labels, aligned.members, strict=True):
        names = [label, *(truth.labels[i] for i in some)]
        known = [counts[name] for name in names if name in counts]
        found.append(known[0] if known else 0)
        if not known:
            missing.append(label)
    if missing:
        raise CompareError(
            f"{len(missing)} of the map's neurons have no spike train, the first {missing[0]!r}. "
            "Give the spikes that the map was copied from."
        )
    return np.array(found, dtype=np.float64)
