"""The parts of a SONATA file that every SONATA reader needs beside the columns: ids, types, indexes."""

import h5py
import numpy as np
from jaxtyping import Int32
from numpy import ndarray

from neurograft.maps._hdf5 import write_array

NODES = "neurons"
EDGES = "neurons_to_neurons"
_MAGIC = 0x0A7A  # SONATA developer guide, "HDF5 file format"
_VERSION = (0, 1)


def write_magic(file: h5py.File) -> None:
    """Mark a file as SONATA."""
    file.attrs["magic"] = np.uint32(_MAGIC)
    file.attrs["version"] = np.array(_VERSION, dtype=np.uint32)


def write_node_ids(population: h5py.Group, n: int) -> None:
    """Write ids 0 to n - 1, all of type 0 and in group 0."""
    population["node_id"] = np.arange(n, dtype=np.uint64)
    population["node_group_index"] = np.arange(n, dtype=np.uint64)
    _write_zeros(population, "node_type_id", n)
    _write_zeros(population, "node_group_id", n)


def write_edge_ids(population: h5py.Group, pre: Int32[ndarray, " synapses"], post: Int32[ndarray, " synapses"]) -> None:
    """Write sources and targets of edges, all of type 0 and in group 0."""
    for name, ids in (("source_node_id", pre), ("target_node_id", post)):
        write_array(population, name, ids.astype(np.uint64), node_population=NODES)
    population["edge_group_index"] = np.arange(pre.size, dtype=np.uint64)
    _write_zeros(population, "edge_type_id", pre.size)
    _write_zeros(population, "edge_group_id", pre.size)


def write_index(group: h5py.Group, node: Int32[ndarray, " synapses"], n_nodes: int) -> None:
    """Write which edges each node has, under both names in use: libsonata's plural and BMTK's singular."""
    edge_range, node_range = index_of(node, n_nodes)
    group["range_to_edge_id"] = edge_range
    group["node_id_to_ranges"] = node_range
    group["node_id_to_range"] = group["node_id_to_ranges"]  # a hard link: one dataset, two names


def index_of(node: Int32[ndarray, " synapses"], n_nodes: int) -> tuple[ndarray, ndarray]:
    """Return (edge ranges, for each node its range of edge ranges), both with an open end.

    An edge range is a run of successive edges of one node; ranges are sorted by node, then by edge.
    """
    order = np.argsort(node, kind="stable")
    sorted_node = node[order]
    is_start = np.ones(order.size, dtype=bool)
    is_start[1:] = (np.diff(order) != 1) | (np.diff(sorted_node) != 0)
    start = np.flatnonzero(is_start)
    length = np.diff(np.append(start, order.size))
    first = order[start]
    edge_range = np.column_stack([first, first + length]).astype(np.uint64)
    stop = np.cumsum(np.bincount(sorted_node[start], minlength=n_nodes))
    node_range = np.column_stack([np.append(0, stop[:-1])[:n_nodes], stop]).astype(np.uint64)
    return edge_range, node_range


def _write_zeros(group: h5py.Group, name: str, n: int) -> None:
    # Never written, so it takes no space: readers get the fill value.
    group.create_dataset(name, shape=(n,), dtype=np.uint32, fillvalue=0)
