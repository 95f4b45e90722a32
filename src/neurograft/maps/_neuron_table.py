"""A table of neurons beside a table of connections: their names, places, types and transmitters."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import MapError
from neurograft.maps._columns import NEURON_NAMES, find_column
from neurograft.maps._table import read_table


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronTable:
    """Where the neurons of a connectome are told, one row each; ``ids`` are what the connections name.

    Columns that are not named are found by their usual names; positions only as ``x_um``, ``y_um``,
    ``z_um``, or as named ones times ``um_per_unit``.
    """

    path: Path
    ids: str | None = None
    label: str | None = None
    x: str | None = None
    y: str | None = None
    z: str | None = None
    um_per_unit: float = 1.0
    cell_type: str | None = None
    transmitter: str | None = None
    has_header: bool = True


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeuronFacts:
    """Neurons in their order in the map."""

    ids: Sequence[str]
    labels: Sequence[str]
    position_um: Float64[ndarray, "neurons 3"]
    cell_type: Sequence[str]
    transmitter: Sequence[str] | None

    @staticmethod
    def of_ids(ids: Sequence[str]) -> "NeuronFacts":
        """Return neurons of which only the names are known."""
        n = len(ids)
        nowhere = np.full((n, 3), np.nan)
        return NeuronFacts(ids=ids, labels=ids, position_um=nowhere, cell_type=("",) * n, transmitter=None)


def read_neurons(options: NeuronTable) -> NeuronFacts:
    """Return the neurons of a table; an id that stands there twice is refused."""
    table = read_table(options.path, has_header=options.has_header)
    names = tuple(table.columns)

    def find(role: str, given: str | None) -> str | None:
        return find_column(table.name, names, role, given, NEURON_NAMES)

    id_column = find("ids", options.ids)
    if id_column is None:
        raise MapError(f"{table.name} has no column of neuron ids. Name it: its columns are {', '.join(names)}.")
    ids = table.texts(id_column)
    if len(set(ids)) != len(ids):
        raise MapError(f"{table.name} has a neuron twice in its column {id_column!r}. Keep one row a neuron.")
    label = find_column(table.name, names, "label", options.label, {"label": ()})
    cell_type, transmitter = find("cell_type", options.cell_type), find("transmitter", options.transmitter)
    position_um = np.full((len(ids), 3), np.nan)
    for axis, (role, given) in enumerate((("x", options.x), ("y", options.y), ("z", options.z))):
        column = find(role, given)
        if column is not None:
            position_um[:, axis] = table.numbers_with_gaps(column) * (options.um_per_unit if given is not None else 1.0)
    return NeuronFacts(
        ids=ids,
        labels=ids if label is None else table.texts(label),
        position_um=position_um,
        cell_type=("",) * len(ids) if cell_type is None else _texts(table.columns[cell_type]),
        transmitter=None if transmitter is None else _texts(table.columns[transmitter]),
    )


def _texts(column: ndarray) -> list[str]:
    """Return cells as text; an empty one is a neuron of which this is not known."""
    return ["" if cell is None else str(cell).strip() for cell in column.tolist()]
