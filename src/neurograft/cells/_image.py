"""The memory image: which cell holds which synapse, what it was told to hold and what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int32, Int64, UInt8, UInt16, UInt32
from numpy import ndarray

from neurograft.arrays import frozen, require_ids
from neurograft.cells._codes import Code
from neurograft.cells._protocol import Defects, MemoryCell
from neurograft.errors import ImageError
from neurograft.provenance import Provenance

CELL_COLUMNS = {
    "tile": np.dtype(np.uint32),
    "row": np.dtype(np.uint16),
    "column": np.dtype(np.uint16),
    "layer": np.dtype(np.uint8),
    "target_siemens": np.dtype(np.float32),
    "programmed_siemens": np.dtype(np.float32),
    "pulses": np.dtype(np.uint16),
    "flags": np.dtype(np.uint8),
    "pre": np.dtype(np.int32),
    "post": np.dtype(np.int32),
    "delay_ns": np.dtype(np.uint32),
    "sign": np.dtype(np.int8),
    "kind": np.dtype(np.uint8),
    "part": np.dtype(np.uint8),
    "synapse": np.dtype(np.int32),
}
BESIDE = ("release_probability", "recovery_s", "facilitation_s")  # how a synapse depresses and facilitates
_NS_PER_S = 1e9


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TileTable:
    """Size of a tile (all alike) and, for each tile, its layer, its cells and the rows and columns in use."""

    rows: int
    columns: int
    spare_rows: int
    layer: UInt8[ndarray, " tiles"]
    first_cell: Int64[ndarray, " tiles"]
    n_cells: Int64[ndarray, " tiles"]
    n_rows: Int32[ndarray, " tiles"]
    n_columns: Int32[ndarray, " tiles"]

    @property
    def n_tiles(self) -> int:
        """Number of tiles."""
        return self.layer.size


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nodes:
    """The neurons of the pasted map, so that a map can be read back."""

    labels: tuple[str, ...]
    position_um: Float64[ndarray, "neurons 3"]
    sign: Int8[ndarray, " neurons"]
    model: tuple[str, ...]
    extra: Mapping[str, Float64[ndarray, " neurons"]] = field(default_factory=dict[str, ndarray])

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.labels)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A stretch of the image's life: how long it was kept at which temperature, and why."""

    what: str
    duration_s: float
    temperature_k: float


class Chip(NamedTuple):
    """Which cells of the simulated chip are defective: ``defects_of(address, defects=..., key=...)`` says."""

    defects: Defects
    key: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryImage:
    """Used cells sorted by (tile, row, column), checked once, then read-only; made by ``paste``.

    A synapse's weight is the sum over its cells of sign * part_gain[part] * code.to_volts(conductance).
    ``synapse`` is the synapse's place in the pasted map.  Delays are kept beside the cells, in whole
    nanoseconds, so that they come back exactly.  ``programmed_siemens`` is the state at the end of
    programming (for RRAM 1 s later).  Loading only some tiles gives an image with ``is_partial``.  ``chip``
    tells the simulation which cells that hold nothing are defective; None where it is not known.  ``beside`` holds
    columns of the pasted map's synapses that a run needs and no cell holds (``BESIDE``).
    """

    cell: MemoryCell
    code: Code
    part_gain: tuple[float, ...]
    tiles: TileTable
    nodes: Nodes
    tile: UInt32[ndarray, " cells"]
    row: UInt16[ndarray, " cells"]
    column: UInt16[ndarray, " cells"]
    layer: UInt8[ndarray, " cells"]
    target_siemens: Float32[ndarray, " cells"]
    programmed_siemens: Float32[ndarray, " cells"]
    pulses: UInt16[ndarray, " cells"]
    flags: UInt8[ndarray, " cells"]
    pre: Int32[ndarray, " cells"]
    post: Int32[ndarray, " cells"]
    delay_ns: UInt32[ndarray, " cells"]
    sign: Int8[ndarray, " cells"]
    kind: UInt8[ndarray, " cells"]
    part: UInt8[ndarray, " cells"]
    synapse: Int32[ndarray, " cells"]
    n_left_out: int
    log: tuple[LogEntry, ...]
    provenance: Provenance
    is_partial: bool = False
    chip: Chip | None = None
    beside: Mapping[str, Float64[ndarray, " synapses"]] = field(default_factory=dict[str, ndarray])

    def __post_init__(self) -> None:
        """Refuse what breaks an invariant, naming the first place."""
        _require_cells(self)
        for name in CELL_COLUMNS:
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def n_cells(self) -> int:
        """Number of used cells."""
        return self.tile.size

    @property
    def volts_per_siemens(self) -> float:
        """Weight of a siemens above the conductance of weight 0, before the part's gain."""
        return self.code.volts_per_siemens


def to_ns(delay_s: Float64[ndarray, " cells"]) -> UInt32[ndarray, " cells"]:
    """Return delays in whole nanoseconds."""
    return np.rint(delay_s * _NS_PER_S).astype(np.uint32)


def from_ns(delay_ns: UInt32[ndarray, " cells"]) -> Float64[ndarray, " cells"]:
    """Return delays in seconds; what was a whole number of nanoseconds comes back exactly."""
    return delay_ns / _NS_PER_S


def _require_cells(image: MemoryImage) -> None:
    n, tiles = image.n_cells, image.tiles
    for name, dtype in CELL_COLUMNS.items():
        column = getattr(image, name)
        if column.shape != (n,) or column.dtype != dtype:
            raise ImageError(f"{name} is {column.dtype} {column.shape}. Give {n} values of {dtype}, one a cell.")
    sizes = {a.size for a in (tiles.layer, tiles.first_cell, tiles.n_cells, tiles.n_rows, tiles.n_columns)}
    if len(sizes) != 1:
        raise ImageError(f"The tile table's columns have {sorted(sizes)} entries. Give one value a tile.")
    for name, limit, things in (
        ("tile", tiles.n_tiles, "tiles"),
        ("row", tiles.rows, "rows"),
        ("column", tiles.columns, "columns"),
        ("pre", image.nodes.n_neurons, "neurons"),
        ("post", image.nodes.n_neurons, "neurons"),
        ("part", len(image.part_gain), "parts"),
    ):
        require_ids(getattr(image, name), n=limit, name=name, things=things, error=ImageError)
    n_synapses = {len(column) for column in image.beside.values()}
    if n_synapses and (len(n_synapses) > 1 or int(image.synapse.max(initial=-1)) >= min(n_synapses)):
        raise ImageError(f"Columns beside the cells have {sorted(n_synapses)} values. Give one a synapse of the map.")
    if n and image.synapse.min() < 0:
        raise ImageError("synapse has negative entries. Give each cell the place of its synapse in the map.")
    for name in ("target_siemens", "programmed_siemens"):
        g = getattr(image, name)
        bad = np.flatnonzero(~(g >= 0) | ~(g < 1.0))
        if bad.size:
            raise ImageError(f"{name}[{bad[0]}] is {g[bad[0]]} S. Program the cell: a cell holds 0 to below 1 S.")
    if not image.is_partial and int(tiles.n_cells.sum()) != n:
        raise ImageError(f"The tile table counts {int(tiles.n_cells.sum())} cells, the image has {n}.")
