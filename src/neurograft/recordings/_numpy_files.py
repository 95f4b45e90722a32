"""NumPy files (.npy, .npz) read without unpickling, with every size checked before it is allocated."""

import math
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from neurograft.errors import NeurograftError

MAX_BYTES = 16 << 30  # of one array; larger data belongs into a file that is read in pieces
_MAX_DEFLATE_RATIO = 1032  # zlib cannot compress better (zlib technical notes)
_SLACK_BYTES = 4096


def npz_names(path: Path, *, error: type[NeurograftError]) -> frozenset[str]:
    """Return the names of an archive's arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))
    except (zipfile.BadZipFile, OSError) as problem:
        raise error(f"{path} is not a whole NPZ file: {problem}. Copy or save it again.") from problem


def load_npz(path: Path, names: Iterable[str], *, error: type[NeurograftError]) -> dict[str, ndarray]:
    """Return the named arrays of an archive, those that it has; the others are left out."""
    present = npz_names(path, error=error)
    with zipfile.ZipFile(path) as archive:
        return {name: _member(archive, name, path, error) for name in names if name in present}


def load_npy(path: Path, *, error: type[NeurograftError]) -> ndarray:
    """Return the array of a .npy file, memory-mapped."""
    try:
        with path.open("rb") as stream:
            shape, dtype, header_bytes = _header(stream, str(path), error)
        held = path.stat().st_size - header_bytes
        _require_size(shape, dtype, held=held, what=str(path), error=error)
        if math.prod(shape) == 0:  # an empty file cannot be mapped
            return np.empty(shape, dtype)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as problem:
        raise error(f"{path} is not a whole NPY file: {problem}. Save it again.") from problem


def _member(archive: zipfile.ZipFile, name: str, path: Path, error: type[NeurograftError]) -> ndarray:
    info = archive.getinfo(f"{name}.npy")
    what = f"{path}: the array {name!r}"
    if info.file_size > _MAX_DEFLATE_RATIO * info.compress_size + _SLACK_BYTES:
        raise error(f"{what} claims {info.file_size} bytes in {info.compress_size}. The archive lies; do not use it.")
    try:
        with archive.open(info) as stream:
            shape, dtype, header_bytes = _header(stream, what, error)
        _require_size(shape, dtype, held=info.file_size - header_bytes, what=what, error=error)
        with archive.open(info) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as problem:
        raise error(f"{what} cannot be read: {problem}. Copy or save the file again.") from problem


def _header(stream: Any, what: str, error: type[NeurograftError]) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise error(
            f"{what} holds Python objects, which would have to be unpickled, and that can run any code. "
            "Save plain numbers or fixed-length text."
        )
    return shape, dtype, stream.tell()


def _require_size(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], *, held: int, what: str, error: type[NeurograftError]
) -> None:
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > held:
        raise error(f"{what} should have {wanted} bytes (shape {shape}, {dtype}) but has {held}: it is cut off.")
    if wanted > MAX_BYTES:
        raise error(f"{what} needs {wanted} bytes of memory, more than {MAX_BYTES}. Store it as raw binary instead.")
