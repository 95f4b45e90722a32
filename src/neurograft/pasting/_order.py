"""Orders in which postsynaptic neurons take columns: neighbours share tiles, and with them their axons' rows.

A tile's cost is its rows, one for each distinct axon that reaches its group of columns; so neurons with
the same inputs belong together.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, final, no_type_check

import numpy as np
from jaxtyping import Int64
from numba import njit
from numpy import ndarray

from neurograft.errors import ImageError, MissingExtraError
from neurograft.maps import SynapseMap


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrder:
    """Neurons as they come in the map: good where the map lists them by region."""

    def order(self, m: SynapseMap, *, columns: int, seed: int) -> Int64[ndarray, " neurons"]:
        """Return 0, 1, 2 and so on."""
        return np.arange(m.n_neurons, dtype=np.int64)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HubOrder:
    """Neurons with most inputs first, so that full columns lie beside full columns."""

    def order(self, m: SynapseMap, *, columns: int, seed: int) -> Int64[ndarray, " neurons"]:
        """Return neurons by falling number of inputs."""
        return np.argsort(-np.bincount(m.post, minlength=m.n_neurons), kind="stable")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SharedInputsOrder:
    """Groups grown greedily: next comes the neuron with the largest share of inputs that the group already has.

    A group starts with the neuron of most inputs.  Time grows with neurons squared plus synapses times
    groups: 0.1 s for a larva (3,000 neurons), minutes for 100,000; maps of more than ``largest``
    neurons are therefore ordered like ``HubOrder``.
    """

    largest: int = 30_000

    def order(self, m: SynapseMap, *, columns: int, seed: int) -> Int64[ndarray, " neurons"]:
        """Return neurons group by group."""
        if m.n_neurons > self.largest:
            return HubOrder().order(m, columns=columns, seed=seed)
        by_post = np.argsort(m.post, kind="stable")
        in_first = np.searchsorted(m.post[by_post], np.arange(m.n_neurons + 1))
        out_first = np.searchsorted(m.pre, np.arange(m.n_neurons + 1))
        order = np.empty(m.n_neurons, dtype=np.int64)
        grow_kernel(in_first, m.pre[by_post], out_first, m.post, columns, order)
        return order


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MetisOrder:
    """Groups from METIS (Karypis and Kumar 1998) on the graph of connections; needs pymetis."""

    def order(self, m: SynapseMap, *, columns: int, seed: int) -> Int64[ndarray, " neurons"]:
        """Return neurons part by part, as many parts as full groups are needed."""
        try:
            pymetis = import_module("pymetis")
        except ImportError:
            raise MissingExtraError(purpose="Placement by METIS", extra="placement") from None
        targets = np.unique(m.post)
        if targets.size <= columns:
            return np.arange(m.n_neurons, dtype=np.int64)
        sizes = _group_sizes(targets.size, columns)
        is_target = np.bincount(targets, minlength=m.n_neurons)  # only targets take columns
        _, part = pymetis.part_graph(
            sizes.size,
            pymetis.CSRAdjacency(*_undirected(m)),
            options=pymetis.Options(seed=seed % 2**31, ufactor=1),
            vweights=is_target.tolist(),
            tpwgts=(sizes / targets.size).tolist(),
            recursive=True,  # halving keeps to the sizes within a neuron or two
        )
        parts = np.asarray(part, dtype=np.int64)
        if parts.size != m.n_neurons:
            raise ImageError("METIS gave up on this map. Use SharedInputsOrder.")
        return np.argsort(parts, kind="stable")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HypergraphOrder:
    """Groups from Mt-KaHyPar (Gottesbueren et al. 2022), connectivity objective; needs mtkahypar.

    A net is an axon with all of its targets, and what it costs, the groups that it reaches, is the rows.
    All groups but the last have exactly as many neurons as a tile has columns.  A larva (3,000 neurons) takes
    seconds; maps of tens of thousands take too long (not finished in 9 minutes at 20,000).
    """

    def order(self, m: SynapseMap, *, columns: int, seed: int) -> Int64[ndarray, " neurons"]:
        """Return neurons group by group."""
        try:
            mtkahypar = import_module("mtkahypar")
        except ImportError:
            raise MissingExtraError(purpose="Placement by hypergraph partitioning", extra="placement") from None
        targets = np.unique(m.post)
        if targets.size <= columns:
            return np.arange(m.n_neurons, dtype=np.int64)
        sizes = _group_sizes(targets.size, columns).tolist()
        place = np.full(m.n_neurons, -1, dtype=np.int64)
        place[targets] = np.arange(targets.size)
        nets = np.split(place[m.post], np.searchsorted(m.pre, np.arange(1, m.n_neurons)))
        pins = [np.unique(net).tolist() for net in nets if np.unique(net).size > 1]
        part = _partition(mtkahypar, pins, sizes, seed=seed)
        group = np.full(m.n_neurons, len(sizes), dtype=np.int64)
        group[targets] = part
        return np.argsort(group, kind="stable")


def _group_sizes(n: int, columns: int) -> Int64[ndarray, " groups"]:
    """Return as many full groups as there are, and what is left."""
    return np.diff(np.append(np.arange(0, n, columns), n))


@cache
def _started(mtkahypar: ModuleType) -> Any:
    return mtkahypar.initialize(1)  # the library allows it once a process; one thread gives the same groups again


def _partition(
    mtkahypar: ModuleType, pins: list[list[int]], sizes: list[int], *, seed: int
) -> Int64[ndarray, " targets"]:
    """Return each target's group; groups that are not full would run over into the next one's tiles."""
    started, n = _started(mtkahypar), sum(sizes)
    mtkahypar.set_seed(seed % 2**31)
    context = started.context_from_preset(mtkahypar.PresetType.DEFAULT)
    context.set_partitioning_parameters(len(sizes), 0.0, mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights(sizes)
    context.logging = False
    graph = started.create_hypergraph(context, n, len(pins), pins)
    parts = graph.partition(context)
    return np.array([parts.block_id(i) for i in range(n)], dtype=np.int64)


def _undirected(m: SynapseMap) -> tuple[Int64[ndarray, " starts"], Int64[ndarray, " neighbours"]]:
    one, other = m.pre.astype(np.int64), m.post.astype(np.int64)
    real = one != other
    edges = np.unique(np.concatenate((one[real] * m.n_neurons + other[real], other[real] * m.n_neurons + one[real])))
    return np.searchsorted(edges // m.n_neurons, np.arange(m.n_neurons + 1)), edges % m.n_neurons


@njit(cache=True)
@no_type_check
def grow_kernel(in_first, in_pre, out_first, out_post, columns, order):  # noqa: PLR0917
    n = order.size
    placed = np.zeros(n, dtype=np.uint8)
    has_axon = np.full(n, -1, dtype=np.int64)  # the last group that an axon reached
    shared = np.zeros(n, dtype=np.int64)
    n_placed, group = 0, 0
    while n_placed < n:
        shared[:] = 0
        for k in range(min(columns, n - n_placed)):
            best = -1
            best_in = 0
            for j in range(n):
                if placed[j]:
                    continue
                n_in = in_first[j + 1] - in_first[j]
                if best < 0:
                    better = True
                elif k == 0:
                    better = n_in > best_in
                else:  # shared[j] / n_in against shared[best] / best_in; a neuron without inputs comes last
                    left, right = shared[j] * max(best_in, 1), shared[best] * max(n_in, 1)
                    better = left > right or (left == right and n_in > best_in)
                if better:
                    best, best_in = j, n_in
            order[n_placed] = best
            placed[best] = 1
            n_placed += 1
            for e in range(in_first[best], in_first[best + 1]):
                axon = in_pre[e]
                if has_axon[axon] != group:
                    has_axon[axon] = group
                    for f in range(out_first[axon], out_first[axon + 1]):
                        shared[out_post[f]] += 1
        group += 1
