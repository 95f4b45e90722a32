"""The map file: SONATA nodes and edges in one HDF5 file, with what SONATA has no place for beside them.

``docs/reference/map-file.md`` describes every dataset.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import h5py
import numpy as np
from numpy import ndarray

from neurograft.errors import MapError
from neurograft.files import written_whole
from neurograft.maps._hdf5 import Reader, read_note, write_array, write_json, write_note, write_texts
from neurograft.maps._map import Evidence, Kind, SynapseMap
from neurograft.maps._sonata import EDGES, NODES, write_edge_ids, write_index, write_magic, write_node_ids
from neurograft.provenance import Provenance, provenance_from_json
from neurograft.units import MS, MV

MAP_FORMAT: Final = "neurograft synaptic map"
MAP_FORMAT_VERSION: Final = 1

_NODE_GROUP = f"nodes/{NODES}/0"
_EDGE_GROUP = f"edges/{EDGES}/0"
_OWN = "neurograft"
_EDGE_COLUMNS: Final[Mapping[str, type[np.generic]]] = {
    "weight_v": np.float64,
    "delay_s": np.float64,
    "kind": np.uint8,
    "weight_se_v": np.float64,
    "q_value": np.float64,
}
# SONATA's own names with SONATA's units: what simulators read.  weight_v and delay_s are what counts.
_COPIES: Final = {"delay": ("delay_s", MS, "ms"), "syn_weight": ("weight_v", MV, "mV")}
_OVERHEAD: Final = 1 << 17  # bytes of groups, attributes and headers
_RESERVED: Final = frozenset({*_EDGE_COLUMNS, *_COPIES, "dynamics_params", "@library"})
_NODE_RESERVED: Final = frozenset({"x", "y", "z", "sign", "label", "model", "cell_type", "dynamics_params"})
_NEURON_COLUMNS: Final = f"{_OWN}/neuron_columns"  # absent where there are none, and in older files


def save_map(m: SynapseMap, path: Path | str) -> None:
    """Write a map as one file that SONATA readers open as well; an older file is replaced whole or not at all."""
    _require_writable_names(m)
    with (
        written_whole(path, n_bytes=most_bytes(m)) as part,
        h5py.File(part, "w", libver=("v110", "v110")) as file,
    ):
        write_magic(file)
        write_note(file, "format", MAP_FORMAT)
        file.attrs["format_version"] = MAP_FORMAT_VERSION
        _write_nodes(file, m)
        _write_edges(file, m)
        _write_own(file, m)


def most_bytes(m: SynapseMap) -> int:
    """Return what a map's file takes at most."""
    columns = [getattr(m, name) for name in _EDGE_COLUMNS]
    columns += [m.position_um, m.sign, *m.extra.values(), *m.neuron_extra.values()]
    if m.evidence is not None:
        columns += [m.evidence.z, m.evidence.limit_v, m.evidence.undecidable]
    texts = 2 * sum(len(text.encode()) + 32 for text in (*m.labels, *m.model, *m.cell_type))
    ids_and_indices = 8 * (10 * m.n_synapses + 10 * m.n_neurons)
    told = 2 * len(m.provenance.to_json()) if m.provenance is not None else 0
    return sum(column.nbytes for column in columns) + 16 * m.n_synapses + texts + ids_and_indices + told + _OVERHEAD


def load_map(path: Path | str) -> SynapseMap:
    """Return the map that ``save_map`` wrote, bit for bit; raise ``MapError`` for any other file."""
    path = Path(path)
    if not path.is_file():
        raise MapError(f"There is no map file {path}." + (" It is a folder." if path.is_dir() else " Check the path."))
    if path.stat().st_size == 0:
        raise MapError(f"{path} is empty. Write the map again.")
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path.name)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise MapError(
            f"{path} cannot be read as a map file: {error}. It is damaged, cut short or of another format."
        ) from error


def _read(file: h5py.File, name: str) -> SynapseMap:
    _require_format(file, name)
    reader = Reader(file, name)
    n = reader.dataset(f"nodes/{NODES}/node_id").shape[0]
    n_synapses = reader.dataset(f"edges/{EDGES}/source_node_id").shape[0]
    columns = {
        column: reader.array(f"{_EDGE_GROUP}/{column}", dtype=dtype, shape=(n_synapses,))
        for column, dtype in _EDGE_COLUMNS.items()
    }
    _require_copies_agree(reader, columns, name)
    position = [reader.array(f"{_NODE_GROUP}/{axis}", dtype=np.float64, shape=(n,)) for axis in "xyz"]
    return SynapseMap(
        n_neurons=n,
        pre=_ids(reader, "source_node_id", n_synapses, n, name),
        post=_ids(reader, "target_node_id", n_synapses, n, name),
        weight_v=columns["weight_v"],
        delay_s=columns["delay_s"],
        kind=columns["kind"],
        weight_se_v=columns["weight_se_v"],
        q_value=columns["q_value"],
        labels=reader.strings(f"{_OWN}/labels", n=n),
        position_um=np.ascontiguousarray(np.column_stack(position)),
        sign=reader.array(f"{_NODE_GROUP}/sign", dtype=np.int8, shape=(n,)),
        model=reader.strings(f"{_OWN}/models", n=n),
        cell_type=reader.strings(f"{_OWN}/cell_types", n=n),
        extra=_read_extra(reader, f"{_OWN}/extra_columns", _EDGE_GROUP, n_synapses, name),
        neuron_extra=_read_extra(reader, _NEURON_COLUMNS, _NODE_GROUP, n, name) if _NEURON_COLUMNS in file else {},
        evidence=_read_evidence(file, reader, n),
        provenance=_read_provenance(file, reader),
    )


def _require_format(file: h5py.File, name: str) -> None:
    if read_note(file, "format") != MAP_FORMAT:
        other = " It is a SONATA file of another program: import its edge table." if "edges" in file else ""
        raise MapError(f"{name} is an HDF5 file, but not a neurograft map.{other}")
    version = int(file.attrs.get("format_version", 0))
    if not 1 <= version <= MAP_FORMAT_VERSION:
        raise MapError(
            f"{name} is a map file of format_version {version}; this neurograft reads 1 to {MAP_FORMAT_VERSION}. "
            "Update neurograft."
        )


def _ids(reader: Reader, column: str, n_synapses: int, n: int, name: str) -> ndarray:
    ids = reader.array(f"edges/{EDGES}/{column}", dtype=np.uint64, shape=(n_synapses,))
    if ids.size and int(ids.max()) >= n:
        first = int(np.flatnonzero(ids >= n)[0])
        raise MapError(f"{column}[{first}] in {name} is {ids[first]}, but the file has {n} neurons. It is damaged.")
    return ids.astype(np.int32)


def _require_copies_agree(reader: Reader, columns: Mapping[str, ndarray], name: str) -> None:
    for copy, (source, unit, unit_name) in _COPIES.items():
        values = reader.array(f"{_EDGE_GROUP}/{copy}", dtype=np.float64, shape=columns[source].shape)
        bad = np.flatnonzero(values != _in_unit(columns[source], unit))
        if bad.size:
            i = int(bad[0])
            raise MapError(
                f"{copy}[{i}] in {name} is {values[i]} {unit_name}, but {source}[{i}] is {columns[source][i]}. "
                f"Another program changed one of them: {source} counts, so write both."
            )


def _in_unit(values: ndarray, unit: float) -> ndarray:
    with np.errstate(over="ignore"):  # an absurd weight becomes inf in mV; weight_v keeps it
        return values / unit


def _read_extra(reader: Reader, place: str, group: str, n: int, name: str) -> dict[str, ndarray]:
    names = reader.json(place)
    if not isinstance(names, list):
        raise MapError(f"{place} in {name} is not a list. The file is damaged.")
    return {str(column): reader.array(f"{group}/{column}", dtype=np.float64, shape=(n,)) for column in names}


def _read_evidence(file: h5py.File, reader: Reader, n: int) -> Evidence | None:
    if f"{_OWN}/evidence" not in file:
        return None
    return Evidence(
        z=reader.array(f"{_OWN}/evidence/z", dtype=np.float32, shape=(n, n)),
        limit_v=reader.array(f"{_OWN}/evidence/limit_v", dtype=np.float32, shape=(n, n)),
        undecidable=reader.array(f"{_OWN}/evidence/undecidable", dtype=np.uint8, shape=(n, n)),
    )


def _read_provenance(file: h5py.File, reader: Reader) -> Provenance | None:
    place = f"{_OWN}/provenance"
    return provenance_from_json(json.dumps(reader.json(place))) if place in file else None


def _require_writable_names(m: SynapseMap) -> None:
    for what, names in (("label", m.labels), ("model", m.model), ("cell type", m.cell_type)):
        for i, text in enumerate(names):
            if "\0" in text or (not text.isascii() and text.encode("utf-8", "replace").decode() != text):
                raise MapError(
                    f"The {what} of neuron {i} is {text!r}, which a file cannot hold. Remove that character."
                )
    for columns, reserved in ((m.extra, _RESERVED), (m.neuron_extra, _NODE_RESERVED)):
        for name in columns:
            if name in reserved or not name.isidentifier():
                raise MapError(
                    f"The extra column {name!r} cannot be written. Use letters, digits and _ and none of "
                    f"{', '.join(sorted(reserved))}."
                )


def _write_nodes(file: h5py.File, m: SynapseMap) -> None:
    write_node_ids(file.create_group(f"nodes/{NODES}"), m.n_neurons)
    group = file.create_group(_NODE_GROUP)
    for axis, column in zip("xyz", m.position_um.T, strict=True):
        write_array(group, axis, np.ascontiguousarray(column), units="um")
    write_array(group, "sign", m.sign, meaning="1 excitatory, -1 inhibitory, 0 unknown")
    for name, texts in (("label", m.labels), ("model", m.model), ("cell_type", m.cell_type)):
        write_texts(group, name, texts)
    for name, column in m.neuron_extra.items():
        write_array(group, name, column)


def _write_edges(file: h5py.File, m: SynapseMap) -> None:
    population = file.create_group(f"edges/{EDGES}")
    write_edge_ids(population, m.pre, m.post)
    write_index(population.create_group("indices/source_to_target"), m.pre, m.n_neurons)
    write_index(population.create_group("indices/target_to_source"), m.post, m.n_neurons)
    group = population.create_group("0")
    for name in _EDGE_COLUMNS:
        write_array(group, name, cast("ndarray", getattr(m, name)))
    for name, (source, unit, unit_name) in _COPIES.items():
        write_array(group, name, _in_unit(getattr(m, source), unit), units=unit_name, copy_of=source)
    for name, column in m.extra.items():
        write_array(group, name, column)
    # SONATA's explicit enumeration: readers show the names of kinds, the numbers stay in the column.
    write_texts(group.create_group("@library"), "kind", [kind.name for kind in Kind])


def _write_own(file: h5py.File, m: SynapseMap) -> None:
    group = file.create_group(_OWN)
    write_json(group, "labels", m.labels)
    write_json(group, "models", m.model)
    write_json(group, "cell_types", m.cell_type)
    write_json(group, "extra_columns", list(m.extra))
    if m.neuron_extra:
        write_json(group, "neuron_columns", list(m.neuron_extra))
    if m.provenance is not None:
        write_json(group, "provenance", json.loads(m.provenance.to_json()))
    if m.evidence is not None:
        evidence = group.create_group("evidence")
        for name in ("z", "limit_v", "undecidable"):
            write_array(evidence, name, getattr(m.evidence, name))
