"""Synapses as one row an ordered pair, in the numbering of given labels, so that two maps can be matched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray

from neurograft.maps import Kind, SynapseMap


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairRows:
    """One row an ordered pair, ``key`` = pre * n + post ascending; kind, delay and q of its strongest synapse."""

    n_neurons: int
    key: Int64[ndarray, " pairs"]
    weight_v: Float64[ndarray, " pairs"]  # synapses of the pair added
    weight_se_v: Float64[ndarray, " pairs"]
    delay_s: Float64[ndarray, " pairs"]
    q_value: Float64[ndarray, " pairs"]
    kind: UInt8[ndarray, " pairs"]
    top: Int64[ndarray, " pairs"]  # place of the strongest synapse in the map

    @property
    def pre(self) -> Int64[ndarray, " pairs"]:
        """Presynaptic neurons."""
        return self.key // self.n_neurons

    @property
    def post(self) -> Int64[ndarray, " pairs"]:
        """Postsynaptic neurons."""
        return self.key % self.n_neurons


def pair_rows(m: SynapseMap, labels: Sequence[str], *, with_self: bool) -> PairRows:
    """Return the map's direct synapses between the neurons named, numbered as the labels are.

    Polysynaptic paths are no synapses; self-connections are kept on request.
    """
    n = len(labels)
    number = {label: i for i, label in enumerate(labels)}
    new = np.array([number.get(label, -1) for label in m.labels], dtype=np.int64)
    pre, post = new[m.pre], new[m.post]
    keep = (pre >= 0) & (post >= 0) & (m.kind != Kind.POLYSYNAPTIC)
    if not with_self:
        keep &= pre != post
    row = np.flatnonzero(keep)
    key = pre[row] * n + post[row]
    order = np.lexsort((-np.abs(m.weight_v[row]), key))  # the strongest of a pair comes first
    row, key = row[order], key[order]
    unique, first, index = np.unique(key, return_index=True, return_inverse=True)
    top = row[first]
    return PairRows(
        n_neurons=n,
        key=unique,
        weight_v=np.bincount(index, m.weight_v[row], minlength=unique.size).astype(np.float64),
        weight_se_v=m.weight_se_v[top],
        delay_s=m.delay_s[top],
        q_value=m.q_value[top],
        kind=m.kind[top],
        top=top,
    )


def row_of(key: Int64[ndarray, " wanted"], rows: PairRows) -> Int64[ndarray, " wanted"]:
    """Return the row that holds each key, -1 where there is none."""
    if rows.key.size == 0:
        return np.full(key.size, -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(rows.key, key), rows.key.size - 1)
    return np.where(rows.key[at] == key, at, -1)
