"""Pasting a synaptic map into a memory: scale, place, program, move failing rows to spare ones."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple, cast, final

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from numpy import ndarray

from neurograft.cells import (
    BESIDE,
    Chip,
    Defects,
    Flag,
    MemoryCell,
    MemoryImage,
    Nodes,
    OneShot,
    ProgramAndVerify,
    Written,
    card_sha256,
    defects_of,
    to_ns,
)
from neurograft.errors import OptionError
from neurograft.maps import NOISE_KEY, SynapseMap, stated_noise_v
from neurograft.pasting._around import AroundDefects
from neurograft.pasting._encode import Encoder, Encoding, default_encoder
from neurograft.pasting._order import SharedInputsOrder
from neurograft.pasting._place import (
    ColumnPairs,
    NeuronOrder,
    Placement,
    RowPolarity,
    Tiles,
    place,
    tile_table,
)
from neurograft.progress import Progress, silent
from neurograft.provenance import JsonValue, Provenance

_CHUNK = 1 << 21  # cells between two reports of progress
_MOST_PULSES = 65_535
_ROUNDING = 1e-9  # sums of part gains are 1 but for rounding


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PasteOptions:
    """How to paste; ``defects`` None takes the card's own rates.  Three passes are NeuRRAM's longer setting.

    ``scaling`` None takes ``default_encoder``; ``around`` None takes rows without regard to defects.
    """

    tiles: Tiles = field(default_factory=Tiles)
    scaling: Encoder | None = None
    signs: RowPolarity | ColumnPairs = field(default_factory=RowPolarity)
    order: NeuronOrder = field(default_factory=SharedInputsOrder)
    verify: ProgramAndVerify | OneShot = field(default_factory=lambda: ProgramAndVerify(max_passes=3))
    defects: Defects | None = None
    around: AroundDefects | None = None


class _Cells(NamedTuple):
    """The used cells before programming, a value a cell."""

    synapse: Int64[ndarray, " cells"]
    tile: Int64[ndarray, " cells"]
    row: Int64[ndarray, " cells"]
    column: Int64[ndarray, " cells"]
    target_siemens: Float64[ndarray, " cells"]
    part: UInt8[ndarray, " cells"]
    is_negative: Bool[ndarray, " cells"]
    is_zero: Bool[ndarray, " cells"]


class _Writer(NamedTuple):
    """What programming needs besides the cells."""

    memory: MemoryCell
    verify: ProgramAndVerify | OneShot
    defects: Defects
    tiles: Tiles
    key: int
    defect_key: int
    seed: int
    progress: Progress


def paste(
    m: SynapseMap,
    *,
    memory: MemoryCell,
    options: PasteOptions | None = None,
    seed: int,
    progress: Progress = silent,
) -> MemoryImage:
    """Return the image of a map in a memory; the same map, card, options and seed give the same image.

    Polysynaptic paths and undecided kinds are left out and counted.  Weights beyond full scale are held at the
    end of the window and flagged CLIPPED.  Raises ImageError where the map does not fit.
    """
    options = options or PasteOptions()
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed}. Give a whole number from 0 to below 2**63.")
    origin = np.flatnonzero(m.is_used)
    pasted = m if origin.size == m.n_synapses else m.select(m.is_used)
    progress("placing", 0, 1)
    options = replace(options, scaling=options.scaling or default_encoder(memory))
    assert options.scaling is not None
    encoding = options.scaling.encode(pasted.weight_v, memory=memory)
    places = place(pasted, encoding.synapse, tiles=options.tiles, signs=options.signs, order=options.order, seed=seed)
    cells = _cells(pasted, places, encoding, tiles=options.tiles, is_paired=isinstance(options.signs, ColumnPairs))
    key, defect_key = (int(k) for k in np.random.SeedSequence(seed).generate_state(2, np.uint64))
    defects = options.defects if options.defects is not None else memory.defects
    if options.around is not None:
        place_now = np.stack((cells.tile, cells.row, cells.column))
        row = options.around.rows(
            cells.target_siemens,
            place_now,
            zero_siemens=encoding.code.zero_siemens,
            memory=memory,
            tiles=options.tiles,
            defects=defects,
            key=defect_key,
            progress=progress,
        )
        cells = cells._replace(row=row)
    writer = _Writer(memory, options.verify, defects, options.tiles, key, defect_key, seed, progress)
    cells, written = _written_with_spares(cells, writer)
    provenance = Provenance(
        command="paste",
        parameters={**_parameters(options), NOISE_KEY: stated_noise_v(m)},
        seed=seed,
        inputs={"map": map_sha256(m), "card": card_sha256(memory)},
    )
    return _image(
        m,
        cells,
        written,
        origin=origin,
        encoding=encoding,
        memory=memory,
        tiles=options.tiles,
        n_tiles=places.n_tiles,
        provenance=provenance,
        chip=Chip(defects, defect_key),
    )


def map_sha256(m: SynapseMap) -> str:
    """Return the SHA-256 of what pasting uses of a map, as hexadecimal text."""
    digest = hashlib.sha256()
    for column in (m.pre, m.post, m.weight_v, m.delay_s, m.kind, m.sign, m.position_um):
        digest.update(np.ascontiguousarray(column).tobytes())
    digest.update("\0".join((*m.labels, *m.model)).encode())
    return digest.hexdigest()


def _cells(m: SynapseMap, places: Placement, encoding: Encoding, *, tiles: Tiles, is_paired: bool) -> _Cells:
    zero, top = encoding.code.zero_siemens, encoding.code.top_siemens
    target = encoding.target_siemens.astype(np.float32).astype(np.float64)  # what the image keeps, exactly
    target = np.clip(target, zero, top)
    synapse, part = encoding.synapse, encoding.part
    is_negative = m.weight_v[synapse] < 0
    is_zero = np.zeros(synapse.size, dtype=bool)
    columns = (synapse, places.tile, places.row, places.column, target, part, is_negative, is_zero)
    if is_paired:
        here = places.column + is_negative
        other = places.column + ~is_negative
        nothing = np.full_like(target, zero)
        first = (synapse, places.tile, places.row, here, target, part, is_negative, is_zero)
        second = (synapse, places.tile, places.row, other, nothing, part, ~is_negative, ~is_zero)
        columns = tuple(np.concatenate(both) for both in zip(first, second, strict=True))
    cells = _Cells(*columns)
    order = np.argsort(_address(cells, tiles))
    return _Cells(*(column[order] for column in cells))


def _address(cells: _Cells, tiles: Tiles) -> Int64[ndarray, " cells"]:
    """Return a number for each place on the tiles; it orders cells by tile, row, column."""
    return (cells.tile * tiles.rows + cells.row) * tiles.columns + cells.column


def _written_with_spares(cells: _Cells, writer: _Writer) -> tuple[_Cells, Written]:
    """Return cells and outcome after each tile's worst rows have been tried on its spare rows."""
    written = _write(cells, writer, what="programming")
    is_out = (written.flags & Flag.OUT_OF_BAND) > 0
    if not is_out.any() or not writer.tiles.spare_rows:
        return cells, written
    _, line = np.unique(cells.tile * writer.tiles.rows + cells.row, return_inverse=True)
    failures = np.bincount(line, weights=is_out).astype(np.int64)
    spare = _spare_of_line(cells.tile, line, failures, writer.tiles)
    moved = spare[line] >= 0
    trial = _Cells(*(c[moved] for c in cells))._replace(row=spare[line[moved]])
    second = _write(trial, writer, what="programming spare rows")
    after = np.bincount(line[moved], weights=(second.flags & Flag.OUT_OF_BAND) > 0, minlength=failures.size)
    better = (after < failures)[line]
    pulses, flags, g = written.pulses.astype(np.int64), written.flags.copy(), written.g_siemens.copy()
    pulses[moved] += second.pulses
    kept = better[moved]
    to = np.flatnonzero(moved)[kept]
    g[to], flags[to] = second.g_siemens[kept], second.flags[kept] | Flag.SPARE
    row = cells.row.copy()
    row[to] = trial.row[kept]
    return cells._replace(row=row), Written(g, np.minimum(pulses, _MOST_PULSES).astype(np.uint16), flags)


def _spare_of_line(tile: ndarray, line: ndarray, failures: ndarray, tiles: Tiles) -> Int64[ndarray, " lines"]:
    """Return the spare row that each used row may move to: the tile's worst rows first, -1 for none."""
    tile_of_line = np.zeros(failures.size, dtype=np.int64)
    tile_of_line[line] = tile
    order = np.lexsort((np.arange(failures.size), -failures, tile_of_line))
    ordered_tile = tile_of_line[order]
    place_in_tile = np.arange(failures.size) - np.searchsorted(ordered_tile, ordered_tile)
    spare = np.full(failures.size, -1, dtype=np.int64)
    has = (place_in_tile < tiles.spare_rows) & (failures[order] > 0)
    spare[order[has]] = tiles.rows - tiles.spare_rows + place_in_tile[has]
    return spare


def _write(cells: _Cells, writer: _Writer, *, what: str) -> Written:
    address = _address(cells, writer.tiles).astype(np.uint64)
    defect = defects_of(address, defects=writer.defects, key=writer.defect_key)
    if isinstance(writer.verify, OneShot):
        return _write_once(cells.target_siemens, defect, writer)
    pieces: list[Written] = []
    n = address.size
    for low in range(0, max(n, 1), _CHUNK):
        writer.progress(what, low, n)
        part = slice(low, min(low + _CHUNK, n))
        pieces.append(
            writer.memory.write(
                cells.target_siemens[part],
                address=address[part],
                defect=defect[part],
                verify=writer.verify,
                key=writer.key,
            )
        )
    writer.progress(what, n, n)
    return Written(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))


def _write_once(target: Float64[ndarray, " cells"], defect: UInt8[ndarray, " cells"], writer: _Writer) -> Written:
    memory = writer.memory
    g = memory.program(target, np.random.default_rng(writer.key))
    shown = np.array([0.0, 0.0, memory.g_min_siemens, memory.g_max_siemens])[defect]
    flags = np.where(defect > 0, Flag.DEFECTIVE, 0).astype(np.uint8)
    return Written(np.where(defect > 0, shown, g), np.ones(target.size, dtype=np.uint16), flags)


def _image(
    m: SynapseMap,
    cells: _Cells,
    written: Written,
    *,
    origin: Int64[ndarray, " synapses"],
    encoding: Encoding,
    memory: MemoryCell,
    tiles: Tiles,
    n_tiles: int,
    provenance: Provenance,
    chip: Chip,
) -> MemoryImage:
    order = np.argsort(_address(cells, tiles))  # spare rows have moved some
    cells = _Cells(*(column[order] for column in cells))
    written = Written(*(column[order] for column in written))
    synapse = origin[cells.synapse]
    clipped = _is_clipped(m, origin, encoding)[synapse] & ~cells.is_zero
    flags = written.flags | np.where(clipped, Flag.CLIPPED, 0) | np.where(cells.is_zero, Flag.ZERO, 0)
    table = tile_table(cells.tile, cells.row, cells.column, tiles=tiles, n_tiles=n_tiles)
    return MemoryImage(
        cell=memory,
        code=encoding.code,
        part_gain=encoding.part_gain,
        tiles=table,
        nodes=Nodes(labels=m.labels, position_um=m.position_um, sign=m.sign, model=m.model, extra=m.neuron_extra),
        tile=cells.tile.astype(np.uint32),
        row=cells.row.astype(np.uint16),
        column=cells.column.astype(np.uint16),
        layer=table.layer[cells.tile],
        target_siemens=cells.target_siemens.astype(np.float32),
        programmed_siemens=written.g_siemens.astype(np.float32),
        pulses=written.pulses,
        flags=flags.astype(np.uint8),
        pre=m.pre[synapse],
        post=m.post[synapse],
        delay_ns=to_ns(m.delay_s[synapse]),
        sign=np.where(cells.is_negative, -1, 1).astype(np.int8),
        kind=m.kind[synapse],
        part=cells.part,
        synapse=synapse.astype(np.int32),
        n_left_out=m.n_synapses - origin.size,
        log=(),
        provenance=provenance,
        chip=chip,
        beside={name: m.extra[name] for name in BESIDE} if all(name in m.extra for name in BESIDE) else {},
    )


def _is_clipped(m: SynapseMap, origin: Int64[ndarray, " pasted"], encoding: Encoding) -> Bool[ndarray, " synapses"]:
    """Return which synapses of the map have a weight beyond what their cells can hold together."""
    top = encoding.code.full_scale_v * np.array(encoding.part_gain)
    room = np.zeros(m.n_synapses)
    np.add.at(room, origin[encoding.synapse], top[encoding.part])
    return np.abs(m.weight_v) > room * (1 + _ROUNDING)


def _parameters(options: PasteOptions) -> dict[str, JsonValue]:
    """Return the options as JSON values; objects that do a step are named by their class."""
    named = {name: type(getattr(options, name)).__name__ for name in ("scaling", "signs", "order", "verify")}
    return cast("dict[str, JsonValue]", asdict(options) | {f"{name}_by": kind for name, kind in named.items()})
