"""Placing a sparse signed map on crossbar tiles: rows are presynaptic axons, columns postsynaptic neurons.

Columns of a tile belong to a group of postsynaptic neurons; its rows are the distinct axons that reach
this group, packed, so that an axon that reaches none of the group takes no row.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from neurograft.cells import TileTable
from neurograft.errors import ImageError, OptionError
from neurograft.maps import SynapseMap

MAX_SIDE = 65_536  # row and column numbers are kept in 16 bits
MAX_TILES = 2**32


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RowPolarity:
    """One cell a synapse and one polarity bit a row: Dale's law lets an axon have one sign.

    An axon whose weights have both signs (a sign mistaken by copying) takes two rows, one a sign.
    """


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPairs:
    """Two columns a neuron, one added and one taken away, as NeuRRAM and most crossbars do: twice the cells."""


@runtime_checkable
class NeuronOrder(Protocol):
    """Decides which postsynaptic neurons share tiles: neighbours in the order do."""

    def order(self, m: SynapseMap, *, columns: int, seed: int) -> Int64[ndarray, " neurons"]:
        """Return the neurons in the order in which they take columns."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Size of the tiles; 256 x 256 is a core of NeuRRAM.  Small tiles are fuller: see docs/background/paste.md."""

    rows: int = 256
    columns: int = 256
    spare_rows: int = 8
    layers: int = 1
    max_tiles: int | None = None

    def __post_init__(self) -> None:
        """Refuse sizes that hold nothing."""
        for name in ("rows", "columns"):
            if not 2 <= getattr(self, name) <= MAX_SIDE:
                raise OptionError(f"{name} of a tile is {getattr(self, name)}. Give 2 to {MAX_SIDE}.")
        if not 0 <= self.spare_rows < self.rows:
            raise OptionError(f"spare_rows is {self.spare_rows}. Give 0 to below the tile's {self.rows} rows.")
        if not 1 <= self.layers <= 256:
            raise OptionError(f"layers is {self.layers}. Give 1 to 256.")


class Placement(NamedTuple):
    """Place of each cell (ColumnPairs: of its positive cell; the negative lies in the next column)."""

    tile: Int64[ndarray, " cells"]
    row: Int64[ndarray, " cells"]
    column: Int64[ndarray, " cells"]
    n_tiles: int


def place(
    m: SynapseMap,
    synapse: Int64[ndarray, " cells"],
    *,
    tiles: Tiles,
    signs: RowPolarity | ColumnPairs,
    order: NeuronOrder,
    seed: int,
) -> Placement:
    """Return a place for every cell of every synapse; no two share a cell, no row holds two axons or two signs."""
    width = 2 if isinstance(signs, ColumnPairs) else 1
    per_tile = tiles.columns // width
    rank = _ranks(m, order.order(m, columns=per_tile, seed=seed))[m.post[synapse]]
    axon, n_axons = _axons(m, synapse, by_sign=width == 1)
    group = rank // per_tile
    reached, row = np.unique(group * n_axons + axon, return_inverse=True)
    of_group = reached // n_axons
    first = np.searchsorted(of_group, of_group)  # first row of the same group
    row_in_group = (np.arange(reached.size) - first)[row]
    usable = tiles.rows - tiles.spare_rows
    chunk = row_in_group // usable
    key, tile = np.unique(group * (n_axons // usable + 1) + chunk, return_inverse=True)
    if key.size > min(tiles.max_tiles or MAX_TILES, MAX_TILES):
        raise ImageError(
            f"The map needs {key.size} tiles of {tiles.rows} x {tiles.columns}, but there are {tiles.max_tiles}. "
            "Allow more tiles, larger tiles, or paste fewer synapses."
        )
    return Placement(tile, row_in_group % usable, (rank % per_tile) * width, key.size)


def tile_table(
    tile: Int64[ndarray, " cells"],
    row: Int64[ndarray, " cells"],
    column: Int64[ndarray, " cells"],
    *,
    tiles: Tiles,
    n_tiles: int,
) -> TileTable:
    """Return the table of tiles for cells that are sorted by tile; layers are filled in turn."""
    n_cells = np.bincount(tile, minlength=n_tiles).astype(np.int64)
    row_used = np.zeros((n_tiles, tiles.rows), dtype=bool)
    row_used[tile, row] = True
    column_used = np.zeros((n_tiles, tiles.columns), dtype=bool)
    column_used[tile, column] = True
    return TileTable(
        rows=tiles.rows,
        columns=tiles.columns,
        spare_rows=tiles.spare_rows,
        layer=(np.arange(n_tiles) % tiles.layers).astype(np.uint8),
        first_cell=np.cumsum(n_cells) - n_cells,
        n_cells=n_cells,
        n_rows=row_used.sum(axis=1, dtype=np.int32),
        n_columns=column_used.sum(axis=1, dtype=np.int32),
    )


def _ranks(m: SynapseMap, order: Int64[ndarray, " neurons"]) -> Int64[ndarray, " neurons"]:
    """Return each neuron's column place; neurons without inputs take no column."""
    is_target = np.zeros(m.n_neurons, dtype=bool)
    is_target[m.post] = True
    taken = order[is_target[order]]
    rank = np.full(m.n_neurons, -1, dtype=np.int64)
    rank[taken] = np.arange(taken.size)
    assert np.all(rank[m.post] >= 0), "an order must name every neuron"
    return rank


def _axons(m: SynapseMap, synapse: Int64[ndarray, " cells"], *, by_sign: bool) -> tuple[Int64[ndarray, " cells"], int]:
    """Return the row identity of each cell, in the order of pre, and a number above all of them.

    Cells of one pair (several of one synapse, or chemical and electrical) need rows of their own: they
    differ in lane.
    """
    pre, post = m.pre[synapse].astype(np.int64), m.post[synapse].astype(np.int64)
    is_negative = (m.weight_v[synapse] < 0).astype(np.int64) * by_sign
    pair = (pre * 2 + is_negative) * m.n_neurons + post
    order = np.argsort(pair, kind="stable")
    ordered = pair[order]
    lane = np.empty(pair.size, dtype=np.int64)
    lane[order] = np.arange(pair.size) - np.searchsorted(ordered, ordered)
    n_lanes = int(lane.max(initial=0)) + 1
    return (pre * 2 + is_negative) * n_lanes + lane, max(m.n_neurons, 1) * 2 * n_lanes
