"""The image file: HDF5 whose every byte of content is covered by SHA-256, readable tile by tile.

    /                 format, format_version, manifest_sha256
    /manifest         JSON: card, code, geometry, log, provenance, and the digests of all that follows
    /cells/<column>   one value a used cell, sorted by (tile, row, column), not compressed
    /digests/<column> SHA-256 of each block of 2**18 cells of a column
    /tiles/<column>   one value a tile
    /nodes/...        labels and models (JSON), positions, signs; /nodes/extra/NAME further columns
    /synapses/NAME    columns of the pasted map's synapses that no cell holds; absent where there are none

The attribute covers the manifest, the manifest the small tables and the digests, the digests the cells:
so some tiles are read and checked without reading the rest.  Nothing is compressed, so no dataset can be
larger than the file, and this is checked before memory is taken.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy import ndarray

from neurograft.cells._card_files import card_from_json, card_sha256, card_to_json
from neurograft.cells._codes import Code
from neurograft.cells._image import CELL_COLUMNS, Chip, LogEntry, MemoryImage, Nodes, TileTable
from neurograft.cells._protocol import Defects
from neurograft.errors import ImageError, NeurograftError
from neurograft.files import written_whole
from neurograft.provenance import provenance_from_json

if TYPE_CHECKING:
    import h5py

FORMAT = "neurograft image"
FORMAT_VERSION = 1
_BLOCK = 1 << 18  # cells that share a digest
_TILE_COLUMNS = {
    "layer": np.dtype(np.uint8),
    "first_cell": np.dtype(np.int64),
    "n_cells": np.dtype(np.int64),
    "n_rows": np.dtype(np.int32),
    "n_columns": np.dtype(np.int32),
}
_NODE_EXTRA, _BESIDE = "nodes/extra/", "synapses/"
_OVERHEAD = 1 << 17  # bytes of groups, attributes and headers
_DAMAGE = "The file is damaged or was changed: make the image again or restore a copy."


def save_image(image: MemoryImage, path: Path | str) -> None:
    """Write an image whole or not at all; the same image gives the same bytes."""
    import h5py

    if image.is_partial:
        raise ImageError("Only some tiles of this image are loaded. Load all of it before saving.")
    cells = {name: np.ascontiguousarray(getattr(image, name)) for name in CELL_COLUMNS}
    with ThreadPoolExecutor() as pool:
        digests = dict(zip(cells, pool.map(_block_digests, cells.values()), strict=True))
    small = _small_tables(image)
    manifest = json.dumps(_manifest(image, digests, small), sort_keys=True).encode()
    n_bytes = len(manifest) + sum(a.nbytes for a in (*small.values(), *digests.values(), *cells.values())) + _OVERHEAD
    with written_whole(path, n_bytes=n_bytes) as part, h5py.File(part, "w", libver=("v110", "v110")) as file:
        file.attrs["format"] = np.bytes_(FORMAT)
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["manifest_sha256"] = np.bytes_(hashlib.sha256(manifest).hexdigest())
        _put(file, "manifest", np.frombuffer(manifest, dtype=np.uint8))
        for name, table in small.items():
            _put(file, name, table)
        for name, column in cells.items():
            _put(file, f"digests/{name}", digests[name])
            _put(file, f"cells/{name}", column)


def load_image(path: Path | str, *, tiles: Sequence[int] | None = None) -> MemoryImage:
    """Return an image, or only the cells of some tiles; every byte that is used is checked against its digest."""
    path = Path(path)
    with _opened(path) as file:
        manifest = _read_manifest(file, path)
        names = (*_small_names(), *_optional_names(manifest))
        small = {name: _checked(_get(file, name, path), manifest["small"][name], name, path) for name in names}
        table = _tile_table(manifest, small)
        spans, kept = _spans(table, tiles, int(manifest["n_cells"]), path)
        digests = {
            name: _checked(_get(file, f"digests/{name}", path), manifest["digests"][name], f"digests/{name}", path)
            for name in CELL_COLUMNS
        }
        columns = {name: _cells(file, name, digests[name], spans, path) for name in CELL_COLUMNS}
    return _assembled(path, manifest, small, kept, columns, is_partial=tiles is not None)


def image_format(path: Path) -> str:
    """Return what the file says it is, '' when it is no HDF5 file or says nothing."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _word(file, "format")
    except OSError:
        return ""


def _small_names() -> tuple[str, ...]:
    nodes = ("nodes/labels", "nodes/model", "nodes/position_um", "nodes/sign")
    return nodes + tuple(f"tiles/{name}" for name in _TILE_COLUMNS)


def _optional_names(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Return the tables that not every image has: older files have none of them."""
    parts = {name: name.rsplit("/", 1) for name in manifest["small"]}
    known = (_NODE_EXTRA.rstrip("/"), _BESIDE.rstrip("/"))
    return tuple(name for name, (*place, last) in parts.items() if place and place[0] in known and last.isidentifier())


def _columns(small: dict[str, ndarray], place: str) -> dict[str, ndarray]:
    return {name.removeprefix(place): table for name, table in small.items() if name.startswith(place)}


def _small_tables(image: MemoryImage) -> dict[str, ndarray]:
    nodes = image.nodes
    return {
        "nodes/labels": np.frombuffer(json.dumps(nodes.labels).encode(), dtype=np.uint8),
        "nodes/model": np.frombuffer(json.dumps(nodes.model).encode(), dtype=np.uint8),
        "nodes/position_um": np.ascontiguousarray(nodes.position_um),
        "nodes/sign": np.ascontiguousarray(nodes.sign),
        **{f"{_NODE_EXTRA}{name}": np.ascontiguousarray(column) for name, column in nodes.extra.items()},
        **{f"{_BESIDE}{name}": np.ascontiguousarray(column) for name, column in image.beside.items()},
    } | {f"tiles/{name}": np.ascontiguousarray(getattr(image.tiles, name)) for name in _TILE_COLUMNS}


def _manifest(image: MemoryImage, digests: dict[str, ndarray], small: dict[str, ndarray]) -> dict[str, Any]:
    return {
        "card": card_to_json(image.cell),
        "card_name": image.cell.name,
        "card_sha256": card_sha256(image.cell),
        "code": asdict(image.code),
        "volts_per_siemens": image.volts_per_siemens,
        "part_gain": list(image.part_gain),
        "geometry": {
            "rows": image.tiles.rows,
            "columns": image.tiles.columns,
            "spare_rows": image.tiles.spare_rows,
        },
        "n_cells": image.n_cells,
        "n_left_out": image.n_left_out,
        "chip": None if image.chip is None else {"defects": asdict(image.chip.defects), "key": image.chip.key},
        "log": [asdict(entry) for entry in image.log],
        "provenance": image.provenance.to_json(),
        "small": {name: _digest(table) for name, table in small.items()},
        "digests": {name: _digest(table) for name, table in digests.items()},
    }


def _digest(array: ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _block_digests(column: ndarray) -> ndarray:
    blocks = [hashlib.sha256(column[i : i + _BLOCK].data).digest() for i in range(0, column.size, _BLOCK)]
    return np.frombuffer(b"".join(blocks), dtype=np.uint8).reshape(len(blocks), 32)


def _put(file: "h5py.File", name: str, array: ndarray) -> None:
    # early allocation, and no times, so that the same content gives the same bytes
    file.create_dataset(name, data=array, track_times=False)


@contextmanager
def _opened(path: Path) -> "Generator[h5py.File]":
    import h5py

    if not path.is_file():
        raise ImageError(f"{path} is not a file. Give the path of an image written by paste.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except NeurograftError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ImageError(f"{path} cannot be read as a memory image: {error}. {_DAMAGE}") from error


def _read_manifest(file: "h5py.File", path: Path) -> dict[str, Any]:
    found = _word(file, "format")
    if found != FORMAT:
        raise ImageError(f"{path} is not a memory image: its format is {found!r}. Give a file written by paste.")
    version = file.attrs.get("format_version", 0)
    if not isinstance(version, int | np.integer) or not 1 <= version <= FORMAT_VERSION:
        raise ImageError(
            f"{path} has format_version {version}; this neurograft reads 1 to {FORMAT_VERSION}. Install a newer one."
        )
    raw = _get(file, "manifest", path)
    _checked(raw, _word(file, "manifest_sha256"), "manifest", path)
    return cast("dict[str, Any]", json.loads(raw.tobytes()))


def _word(file: "h5py.File", name: str) -> str:
    """Return a text attribute.

    Texts have a fixed length since 0.1: HDF5 looks for one of variable length in a heap, and a damaged heap can
    keep it looking for ever.  Older files have such texts.
    """
    found = file.attrs.get(name, "")
    return found.decode("ascii", "replace") if isinstance(found, bytes) else str(found)


def _get(file: "h5py.File", name: str, path: Path) -> ndarray:
    return cast("ndarray", _plain(file, name, path)[()])


def _plain(file: "h5py.File", name: str, path: Path) -> "h5py.Dataset":
    """Return a dataset; only a plain one whose size the file itself bounds."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ImageError(f"{path}: /{name} is missing or lies outside the file. {_DAMAGE}")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual or data.chunks is not None:
        raise ImageError(f"{path}: /{name} is not stored as one plain block. {_DAMAGE}")
    if data.dtype.kind not in "uif" or data.nbytes > path.stat().st_size:
        raise ImageError(f"{path}: /{name} claims {data.nbytes} bytes of {data.dtype}, more than fits. {_DAMAGE}")
    return data


def _checked(array: ndarray, digest: str, name: str, path: Path) -> ndarray:
    if _digest(array) != digest:
        raise ImageError(f"{path}: /{name} does not match its SHA-256. {_DAMAGE}")
    return array


def _tile_table(manifest: dict[str, Any], small: dict[str, ndarray]) -> TileTable:
    geometry = manifest["geometry"]
    return TileTable(
        rows=int(geometry["rows"]),
        columns=int(geometry["columns"]),
        spare_rows=int(geometry["spare_rows"]),
        **{name: small[f"tiles/{name}"] for name in _TILE_COLUMNS},
    )


def _spans(table: TileTable, tiles: Sequence[int] | None, n_cells: int, path: Path) -> tuple[list[slice], TileTable]:
    """Return where the asked tiles' cells lie in the file, neighbours joined."""
    if tiles is None:
        return [slice(0, n_cells)], table
    asked = sorted(set(tiles))
    bad = [t for t in asked if not 0 <= t < table.n_tiles]
    if bad:
        raise ImageError(f"Tile {bad[0]} was asked for, but {path} has {table.n_tiles}. Give tiles that it has.")
    spans: list[slice] = []
    for t in asked:
        first = int(table.first_cell[t])
        last = first + int(table.n_cells[t])
        if spans and spans[-1].stop == first:
            spans[-1] = slice(spans[-1].start, last)
        else:
            spans.append(slice(first, last))
    return spans, table


def _cells(file: "h5py.File", name: str, digests: ndarray, spans: list[slice], path: Path) -> ndarray:
    """Return a column's cells in the spans; whole blocks are read, checked and cut."""
    data = _plain(file, f"cells/{name}", path)
    n = int(data.shape[0])
    if digests.shape != (-(-n // _BLOCK), 32):
        raise ImageError(f"{path}: /digests/{name} has {digests.shape[0]} entries for {n} cells. {_DAMAGE}")
    pieces: list[ndarray] = []
    for span in spans:
        low, high = span.start // _BLOCK, -(-span.stop // _BLOCK)
        whole = cast("ndarray", data[low * _BLOCK : min(high * _BLOCK, n)])
        _check_blocks(
            whole,
            digests[low:high],
            low,
            lambda k: (
                f"{path}: /cells/{name}, cells {k * _BLOCK} to "
                f"{min((k + 1) * _BLOCK, n) - 1}, do not match their SHA-256. {_DAMAGE}"
            ),
        )
        pieces.append(whole[span.start - low * _BLOCK : span.stop - low * _BLOCK])
    return np.concatenate(pieces) if len(pieces) != 1 else pieces[0]


def _sha256(block: ndarray) -> bytes:
    return hashlib.sha256(block.data).digest()


def _check_blocks(whole: ndarray, digests: ndarray, first: int, message: Callable[[int], str]) -> None:
    blocks = [whole[i : i + _BLOCK] for i in range(0, whole.size, _BLOCK)]
    if len(blocks) < 2:
        found = [_sha256(block) for block in blocks]
    else:
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(_sha256, blocks))
    for k, digest in enumerate(found):
        if digest != digests[k].tobytes():
            raise ImageError(message(first + k))


def _code(raw: dict[str, Any]) -> Code:
    levels_v = tuple(float(v) for v in raw.pop("levels_v", ()))
    return Code(**raw, levels_v=levels_v)


def _chip(raw: dict[str, Any] | None) -> Chip | None:
    return None if raw is None else Chip(Defects(**raw["defects"]), int(raw["key"]))


def _assembled(
    path: Path,
    manifest: dict[str, Any],
    small: dict[str, ndarray],
    tiles: TileTable,
    columns: dict[str, ndarray],
    *,
    is_partial: bool,
) -> MemoryImage:
    cell = card_from_json(manifest["card"])
    if hashlib.sha256(manifest["card"].encode()).hexdigest() != manifest["card_sha256"]:  # as written then
        raise ImageError(f"{path}: the card {cell.name!r} does not match its SHA-256. {_DAMAGE}")
    return MemoryImage(
        cell=cell,
        code=_code(manifest["code"]),
        part_gain=tuple(manifest["part_gain"]),
        tiles=tiles,
        nodes=Nodes(
            labels=tuple(json.loads(small["nodes/labels"].tobytes())),
            position_um=small["nodes/position_um"],
            sign=small["nodes/sign"],
            model=tuple(json.loads(small["nodes/model"].tobytes())),
            extra=_columns(small, _NODE_EXTRA),
        ),
        n_left_out=int(manifest["n_left_out"]),
        log=tuple(LogEntry(**entry) for entry in manifest["log"]),
        provenance=provenance_from_json(manifest["provenance"]),
        is_partial=is_partial,
        chip=_chip(manifest.get("chip")),
        beside=_columns(small, _BESIDE),
        **columns,
    )
