"""A map as the files that other fields read.

``import_table`` reads CSV, Parquet and NPZ back: pairs, weights, delays, kinds and, from the table of
neurons, labels and places.  The map file alone keeps everything.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy import ndarray

from neurograft.errors import MapError, MissingExtraError
from neurograft.files import written_whole
from neurograft.maps._map import Kind, SynapseMap

MAX_GRAPHML_SYNAPSES: Final = 100_000  # Gephi and Cytoscape, and their users, stop at about this many


def neurons_path(path: Path) -> Path:
    """Return where an export of connections to ``path`` puts its table of neurons."""
    return path.with_name(f"{path.stem}_neurons{path.suffix}")


def export_csv(m: SynapseMap, path: Path) -> None:
    """Write one line a synapse (labels, weight in V, delay in s, kind …), and the neurons beside it."""
    for columns, target in ((_edges(m), path), (_neurons(m), neurons_path(path))):
        lines = [",".join(columns)]
        cells = [[_csv_cell(value) for value in column.tolist()] for column in columns.values()]
        lines += [",".join(row) for row in zip(*cells, strict=True)]
        with written_whole(target) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def export_npz(m: SynapseMap, path: Path) -> None:
    """Write the columns as plain arrays, ``pre`` and ``post`` as indices into ``labels``; no pickle."""
    edges = _edges(m) | {"pre": m.pre, "post": m.post, "kind": m.kind}
    neurons = {"labels": np.array(m.labels), "position_um": m.position_um, "sign_of_neuron": m.sign}
    text = "" if m.provenance is None else m.provenance.to_json()
    with written_whole(path) as part, part.open("wb") as stream:
        np.savez(stream, **_plain(edges), **neurons, provenance=np.array(text))  # pyright: ignore[reportArgumentType]


def export_parquet(m: SynapseMap, path: Path) -> None:
    """Write the same columns as ``export_csv`` as two Parquet files (zstd), provenance in their metadata."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError(purpose="Writing Parquet", extra="tables") from error
    metadata = {} if m.provenance is None else {"neurograft.provenance": m.provenance.to_json()}
    for columns, target in ((_edges(m), path), (_neurons(m), neurons_path(path))):
        arrays = {k: pa.array(v).dictionary_encode() if v.dtype == object else pa.array(v) for k, v in columns.items()}
        with written_whole(target) as part:
            pq.write_table(pa.table(arrays, metadata=metadata), part, compression="zstd")


def export_graphml(m: SynapseMap, path: Path) -> None:
    """Write a directed GraphML graph for Gephi, Cytoscape or networkx; larger maps than 1e5 synapses are refused."""
    if m.n_synapses > MAX_GRAPHML_SYNAPSES:
        raise MapError(
            f"The map has {m.n_synapses} synapses; GraphML is written up to {MAX_GRAPHML_SYNAPSES}, because "
            "its readers stop there. Keep the strongest ones, or export to Parquet."
        )
    neurons, edges = _neurons(m), _edges(m)
    node_columns = {name: column for name, column in neurons.items() if name != "id"}
    edge_columns = {name: column for name, column in edges.items() if name not in ("pre", "post")}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    lines += [*_graphml_keys("node", node_columns), *_graphml_keys("edge", edge_columns)]
    lines.append('<graph edgedefault="directed">')
    node_data = _graphml_data("node", node_columns, m.n_neurons)
    lines += [
        f"<node id={quoteattr(_xml(label))}>{data}</node>" for label, data in zip(m.labels, node_data, strict=True)
    ]
    quoted = [quoteattr(_xml(label)) for label in m.labels]
    edge_data = _graphml_data("edge", edge_columns, m.n_synapses)
    pairs = zip(m.pre.tolist(), m.post.tolist(), edge_data, strict=True)
    lines += [f"<edge source={quoted[a]} target={quoted[b]}>{data}</edge>" for a, b, data in pairs]
    lines.append("</graph></graphml>\n")
    with written_whole(path) as part:
        part.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def _edges(m: SynapseMap) -> dict[str, ndarray]:
    labels = np.array(m.labels, dtype=object)
    return {
        "pre": labels[m.pre],
        "post": labels[m.post],
        "weight_v": m.weight_v,
        "delay_s": m.delay_s,
        "kind": np.array([kind.name for kind in Kind], dtype=object)[m.kind],
        "weight_se_v": m.weight_se_v,
        "q_value": m.q_value,
        **m.extra,
    }


def _neurons(m: SynapseMap) -> dict[str, ndarray]:
    return {
        "id": np.array(m.labels, dtype=object),
        "x_um": m.position_um[:, 0],
        "y_um": m.position_um[:, 1],
        "z_um": m.position_um[:, 2],
        "sign": m.sign,
        "model": np.array(m.model, dtype=object),
        "cell_type": np.array(m.cell_type, dtype=object),
    }


def _plain(columns: Mapping[str, ndarray]) -> dict[str, ndarray]:
    return {name: column.astype(str) if column.dtype == object else column for name, column in columns.items()}


def _csv_cell(value: object) -> str:
    # repr of a float is the shortest text that reads back as the same number.
    text = "" if value != value else repr(value) if isinstance(value, float) else str(value)  # noqa: PLR0124
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _graphml_keys(domain: str, columns: Mapping[str, ndarray]) -> list[str]:
    kinds = {"f": "double", "i": "long", "u": "long"}
    return [
        f'<key id="{domain}_{name}" for="{domain}" attr.name="{name}" '
        f'attr.type="{kinds.get(column.dtype.kind, "string")}"/>'
        for name, column in columns.items()
    ]


def _graphml_data(domain: str, columns: Mapping[str, ndarray], n: int) -> list[str]:
    """Return the data elements of each node or edge; NaN is left out, as unknown."""
    data = [""] * n
    for name, column in columns.items():
        for i, value in enumerate(column.tolist()):
            if value == value:  # noqa: PLR0124
                data[i] += f'<data key="{domain}_{name}">{escape(_xml(str(value)))}</data>'
    return data


def _xml(text: str) -> str:
    """Return text without the control characters that XML 1.0 forbids."""
    return "".join(c if c >= " " or c in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for c in text)
