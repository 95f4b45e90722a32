"""Arrays on disk: whole or not at all, never unpickled, with a version."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from neurograft.errors import IonicError
from neurograft.files import written_whole

_FORMAT_VERSION: Final = 1
_LARGEST_BYTES: Final = 1 << 30


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]], *, kind: str) -> None:
    """Write named arrays to an NPZ file of a kind."""
    with written_whole(path) as part, part.open("wb") as stream:
        labelled = {"format_version": np.array(_FORMAT_VERSION), "kind": np.array(kind), **arrays}
        np.savez(stream, allow_pickle=False, **labelled)


def read_arrays(path: Path, *, kind: str) -> dict[str, NDArray[Any]]:
    """Return what ``write_arrays`` wrote; raises IonicError for a file of another kind or version."""
    if path.stat().st_size > _LARGEST_BYTES:
        raise IonicError(f"{path} has {path.stat().st_size} bytes, more than any {kind} of ours. Name another file.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise IonicError(f"{path} cannot be read as a {kind}: {error}. Start anew.") from error
    found, version = str(arrays.pop("kind", "unknown")), int(arrays.pop("format_version", -1))
    if found != kind or version != _FORMAT_VERSION:
        raise IonicError(f"{path} is a '{found}' of version {version}; a '{kind}' of version 1 is needed.")
    return arrays
