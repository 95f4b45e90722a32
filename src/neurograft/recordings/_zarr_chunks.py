"""Zarr stores of SpikeInterface whose objects are missing or do not answer: neither may pass for silence.

Zarr reads a chunk whose object is missing as zeros, and one that an object store fails to deliver too.
"""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from neurograft.errors import RecordingError

_MOST_CHUNKS = 1 << 20  # listed when a store is opened


def insist_on_answers(loaded: Any) -> None:
    """Let failures of the store that a recording lies in be raised, and only missing objects count as missing."""
    store: Any = getattr(_traces(loaded, 0), "chunk_store", None)
    if hasattr(store, "exceptions"):
        store.exceptions = (KeyError,)  # fsspec gives it for objects that are not there


def missing_frames(loaded: Any, segment: int) -> Int64[ndarray, "chunks 2"]:
    """Return first frame and one past the last of every chunk of a segment whose object is missing."""
    array: Any = _traces(loaded, segment)
    if array is None or not hasattr(array, "chunk_store") or array.nchunks > _MOST_CHUNKS:
        return np.empty((0, 2), dtype=np.int64)
    from zarr.storage import listdir

    held, prefix = set(listdir(array.chunk_store, array.path)), f"{array.path}/" if array.path else ""
    frames = array.chunks[0]
    found = {
        at[0]
        for at in product(*(range(n) for n in array.cdata_shape))
        if (key := str(array._chunk_key(at))[len(prefix) :]) not in held and not _is_inside(array, prefix + key)
    }
    first = np.array(sorted(found), dtype=np.int64) * frames
    return np.column_stack([first, np.minimum(first + frames, array.shape[0])])


def require_chunks(path: Path, missing: Int64[ndarray, "chunks 2"], start: int, stop: int) -> None:
    """Refuse frames of which a chunk is missing."""
    here = missing[(missing[:, 0] < stop) & (missing[:, 1] > start)]
    if len(here):
        raise RecordingError(
            f"{path}: the object of the chunk of frames {here[0, 0]} to {here[0, 1]} is missing "
            f"({len(missing)} such chunks in all). Copy the store again."
        )


def _traces(loaded: Any, segment: int) -> Any:
    root: Any = getattr(loaded, "_root", None)
    name = f"traces_seg{segment}"
    return root[name] if root is not None and name in root else None


def _is_inside(array: Any, key: str) -> bool:
    """Tell whether an object is there: those of stores whose chunks lie in folders are not listed."""
    return key.count("/") > array.path.count("/") + 1 and key in array.chunk_store
