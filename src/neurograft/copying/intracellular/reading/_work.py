"""Where results of pieces are kept, so that work that was done once is never done again.

A piece's result is a few named arrays under a key that hashes everything it depends on: parameters, version,
which frames, and some of their content.  A folder holds one file a result, written to a temporary name, synced
and renamed: whatever kills the process, a file is whole or absent.
"""

import errno
import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from io import BufferedWriter
from pathlib import Path
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy import ndarray

from neurograft.errors import WorkError
from neurograft.files import written_whole
from neurograft.version import VERSION

FORMAT_VERSION = 3
MAPPED = "rows"  # the one large array of a result: a file of its own, memory-mapped when read
_CHECKED_BYTES = 1 << 24
_SPARE = 10

Arrays = dict[str, ndarray]


@runtime_checkable
class Store(Protocol):
    """Keeps results by key."""

    def get(self, key: str) -> Arrays | None:
        """Return what was kept, None where nothing was or where it is damaged."""
        ...

    def put(self, key: str, result: Arrays) -> Arrays:
        """Keep a result; return it as it is to be used from now on."""
        ...

    def has_room(self, n_bytes: int) -> bool:
        """Tell whether so much can be kept without taking the room of what has to be."""
        ...


@final
class Nowhere:
    """Keeps nothing: results stay in memory with whoever asked for them."""

    def get(self, key: str) -> Arrays | None:
        """Return None."""
        del key

    def put(self, key: str, result: Arrays) -> Arrays:
        """Return the result itself."""
        del key
        return result

    def has_room(self, n_bytes: int) -> bool:
        """Return False."""
        del n_bytes
        return False


@final
class WorkFolder:
    """Keeps results in a folder; several processes may share it, on one machine or many."""

    def __init__(self, path: Path) -> None:
        """Make the folder."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> Arrays | None:
        """Return what was kept; a file that is cut off or changed counts as absent."""
        try:
            with self._file(key).open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                result = {name: held[name] for name in held.files}
            if MAPPED + "_crc" in result:
                crc = int(result.pop(MAPPED + "_crc"))
                mapped = np.load(self._mapped(key), mmap_mode="r", allow_pickle=False)
                if _crc(mapped) != crc:
                    return None
                result[MAPPED] = mapped
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return result

    def put(self, key: str, result: Arrays) -> Arrays:
        """Write a result; the file without the large array comes last and makes it count."""
        small = {name: array for name, array in result.items() if name != MAPPED}
        try:
            if MAPPED in result:
                with written_whole(self._mapped(key)) as part, part.open("wb") as stream:
                    _save(stream, result[MAPPED])
                small[MAPPED + "_crc"] = np.array(_crc(result[MAPPED]))
            with written_whole(self._file(key)) as part, part.open("wb") as stream:
                np.savez(stream, **small)  # pyright: ignore[reportArgumentType]
        except OSError as problem:
            raise WorkError(self._full(problem)) from problem
        if MAPPED not in result:
            return result
        return {**result, MAPPED: np.load(self._mapped(key), mmap_mode="r", allow_pickle=False)}

    def has_room(self, n_bytes: int) -> bool:
        """Tell whether ten times as much is free: the map must have room in the end."""
        return shutil.disk_usage(self.path).free > _SPARE * n_bytes

    def count(self) -> int:
        """Return how many results there are."""
        return sum(1 for _ in self.path.glob("*.npz"))

    def remove(self) -> None:
        """Delete the folder and all that it keeps."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, key: str) -> Path:
        return self.path / f"{key}.npz"

    def _mapped(self, key: str) -> Path:
        return self.path / f"{key}.npy"

    def _full(self, problem: OSError) -> str:
        why = "The disk is full" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else f"Writing failed ({problem})"
        return (
            f"{why}: {self.path} holds {self.count()} finished pieces, which are kept. "
            "Make room, or move the folder with the output to a larger disk; then run the same command with --resume."
        )


def _save(stream: BufferedWriter, array: ndarray) -> None:
    """Write a NumPy file; NumPy itself writes in C, and does not tell why it could not."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
    stream.write(array.data.cast("B"))


def key_of(step: str, parameters: object, content: str) -> str:
    """Return the name of a result: the same parameters, version and content give the same, anything else another."""
    told = json.dumps([FORMAT_VERSION, VERSION, step, repr(parameters), content])
    return f"{step}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def digest(arrays: Mapping[str, ndarray]) -> str:
    """Return a hash of arrays by name, type, shape and content."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.data.cast("B") if array.size else b"")
    return total.hexdigest()


def _crc(array: ndarray) -> int:
    """Return a check sum; of a file it is taken by reading, because mapped pages count as memory."""
    crc = 0
    if isinstance(array, np.memmap):
        with Path(str(array.filename)).open("rb") as stream:
            stream.seek(array.offset)
            while block := stream.read(_CHECKED_BYTES):
                crc = zlib.crc32(block, crc)
        return crc
    flat = array.reshape(-1).view(np.uint8)
    for first in range(0, flat.size, _CHECKED_BYTES):
        crc = zlib.crc32(flat[first : first + _CHECKED_BYTES].data, crc)
    return crc
