"""Null maps: the same neurons and the same strengths, wired differently."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import CompareError
from neurograft.maps import Kind, SynapseMap, synapse_map

_ROUNDS = 30  # each round offers every synapse one swap; sparse maps accept nearly all of them
_TAKEN = 0.5  # share of possible swaps that are made: else a map of two synapses would always come back to itself


def shuffled_map(m: SynapseMap, rng: Generator) -> SynapseMap:
    """Return a map whose synapses have swapped targets at random; every in- and out-degree stays.

    First the strengths are mixed among each neuron's own synapses of one kind, then pairs of synapses
    swap targets (Maslov and Sneppen 2002) wherever that makes neither a self-connection nor a synapse
    that exists already.  Weight, delay and kind stay with the presynaptic neuron, so its sign (Dale) and
    its total output stay.  Self-connections stay where they are; the two directions of an electrical
    synapse move together.  q-values and evidence, which belong to the old pairs, are dropped.
    """
    forward, backward, single = _electrical_pairs(m)
    post = m.post.astype(np.int64)
    row = np.flatnonzero(single & (m.pre != m.post))
    source = np.arange(m.n_synapses)
    source[row] = row[_permuted_within((m.pre[row].astype(np.int64) << 8) + m.kind[row], rng)]
    for _ in range(_ROUNDS):
        _swap_directed(m, post, row, rng)
        _swap_electrical(m, post, forward, backward, rng)
    return _rewired(m, source, post)


def redrawn_map(m: SynapseMap, rng: Generator) -> SynapseMap:
    """Return a map with the same strengths between pairs of neurons drawn at random, no pair twice.

    A weaker null than ``shuffled_map``, for maps of so few synapses that swaps of targets hardly change
    them.  Self-connections are not drawn; signs stay with the strengths and not with the neurons.
    """
    n_pairs = m.n_neurons * (m.n_neurons - 1)
    if m.n_synapses > n_pairs:
        raise CompareError(f"{m.n_synapses} synapses cannot lie on {n_pairs} ordered pairs. Use shuffled_map.")
    drawn = rng.choice(n_pairs, m.n_synapses, replace=False)
    pre = drawn // (m.n_neurons - 1)
    other = drawn % (m.n_neurons - 1)
    return synapse_map(
        n_neurons=m.n_neurons,
        pre=pre,
        post=other + (other >= pre),
        weight_v=m.weight_v,
        delay_s=m.delay_s,
        kind=m.kind,
        labels=m.labels,
        position_um=m.position_um,
        model=m.model,
        extra=m.extra,
        neuron_extra=m.neuron_extra,
        provenance=m.provenance,
    )


def weights_permuted(m: SynapseMap, rng: Generator) -> SynapseMap:
    """Return the same wiring with strengths and delays dealt anew among synapses of one kind and one sign.

    Neurons keep their sign, targets and degrees; what is lost is which synapse is strong.
    """
    forward, backward, single = _electrical_pairs(m)
    source = np.arange(m.n_synapses)
    row = np.flatnonzero(single)
    source[row] = row[_permuted_within(2 * m.kind[row].astype(np.int64) + (m.weight_v[row] < 0), rng)]
    dealt = rng.permutation(forward.size)
    source[forward], source[backward] = forward[dealt], backward[dealt]
    return _rewired(m, source, m.post)


def _rewired(m: SynapseMap, source: Int64[ndarray, " synapses"], post: ndarray) -> SynapseMap:
    """Return the map in which synapse k has the columns of synapse source[k] and goes to post[k]."""
    order = np.lexsort((m.kind[source], post, m.pre))
    row = source[order]
    return replace(
        m,
        pre=m.pre[order],
        post=post[order].astype(np.int32),
        weight_v=m.weight_v[row],
        delay_s=m.delay_s[row],
        kind=m.kind[row],
        weight_se_v=m.weight_se_v[row],
        q_value=np.full(m.n_synapses, np.nan),
        extra={name: column[row] for name, column in m.extra.items()},
        evidence=None,
    )


def _permuted_within(group: Int64[ndarray, " rows"], rng: Generator) -> Int64[ndarray, " rows"]:
    """Return a random permutation of the rows that keeps each row in its group."""
    permutation = np.empty(group.size, dtype=np.int64)
    permutation[np.argsort(group, kind="stable")] = np.lexsort((rng.random(group.size), group))
    return permutation


def _electrical_pairs(m: SynapseMap) -> tuple[ndarray, ndarray, ndarray]:
    """Return the rows a -> b and b -> a of each electrical pair, and which rows belong to no such pair."""
    pre, post = m.pre.astype(np.int64), m.post.astype(np.int64)
    row = np.flatnonzero((m.kind == Kind.ELECTRICAL) & (pre != post))
    key, mirrored = pre[row] * m.n_neurons + post[row], post[row] * m.n_neurons + pre[row]
    at = np.minimum(np.searchsorted(key, mirrored), max(key.size - 1, 0))
    has_partner = key[at] == mirrored if key.size else np.zeros(0, dtype=bool)
    is_forward = has_partner & (pre[row] < post[row])
    single = np.ones(m.n_synapses, dtype=bool)
    single[row[has_partner]] = False
    return row[is_forward], row[at[is_forward]], single


def _swap_directed(m: SynapseMap, post: ndarray, row: ndarray, rng: Generator) -> None:
    """Swap the targets of random pairs of the rows, in place, where no rule is broken."""
    shuffled = rng.permutation(row)
    p, q = shuffled[: row.size // 2], shuffled[row.size // 2 : 2 * (row.size // 2)]
    pre, kind = m.pre.astype(np.int64), m.kind.astype(np.int64)

    def key(at: ndarray, target: ndarray) -> ndarray:
        return (pre[at] * m.n_neurons + target) * (max(Kind) + 1) + kind[at]

    everything = np.arange(post.size)
    wanted = np.stack([key(p, post[q]), key(q, post[p])])
    fine = (pre[p] != post[q]) & (pre[q] != post[p]) & _are_new(wanted, key(everything, post))
    fine &= rng.random(p.size) < _TAKEN
    post[p[fine]], post[q[fine]] = post[q[fine]], post[p[fine]]


def _swap_electrical(m: SynapseMap, post: ndarray, forward: ndarray, backward: ndarray, rng: Generator) -> None:
    """Turn pairs a-b and c-d into a-d and c-b, in place, both directions at once."""
    turned = rng.random(forward.size) < 0.5
    one, two = np.where(turned, backward, forward), np.where(turned, forward, backward)
    order = rng.permutation(forward.size)
    p, q = order[: order.size // 2], order[order.size // 2 : 2 * (order.size // 2)]
    a, b, c, d = (m.pre[side[pair]].astype(np.int64) for pair in (p, q) for side in (one, two))

    def key(x: ndarray, y: ndarray) -> ndarray:
        return np.minimum(x, y) * m.n_neurons + np.maximum(x, y)

    present = m.kind == Kind.ELECTRICAL
    fine = (
        (a != d)
        & (b != c)
        & _are_new(np.stack([key(a, d), key(c, b)]), key(m.pre[present].astype(np.int64), post[present]))
    )
    a, b, c, d, p, q = (x[fine] for x in (a, b, c, d, p, q))
    post[one[p]], post[two[q]], post[one[q]], post[two[p]] = d, a, b, c
    # The rows keep their presynaptic neuron: a -> d pairs with d -> a, the row that was d -> c.
    two[p], two[q] = two[q], two[p]
    forward[:], backward[:] = one, two


def _are_new(wanted: Int64[ndarray, "2 swaps"], present: Int64[ndarray, " synapses"]) -> ndarray:
    """Tell which swaps want two pairs that neither exist nor are wanted by another swap."""
    unique, index, times = np.unique(wanted, return_inverse=True, return_counts=True)
    is_free = (times == 1) & ~np.isin(unique, present)
    return is_free[index.reshape(wanted.shape)].all(axis=0)
