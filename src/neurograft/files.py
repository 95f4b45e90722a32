"""Writing files whole or not at all, and telling URLs from paths."""

import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path | str, *, n_bytes: int = 0) -> Generator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced and takes the place of ``path``.

    When the block raises, or the process dies, ``path`` is as it was before: absent, or the old file.  Where
    ``n_bytes`` cannot be had, OSError is raised before the block: HDF5 may end the process on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        try:
            _require_room(handle, n_bytes)
        finally:
            os.close(handle)
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _require_room(handle: int, n_bytes: int) -> None:
    """Raise OSError where an open file cannot grow to so many bytes: the disk, a quota, or a limit of the process."""
    if n_bytes and hasattr(os, "posix_fallocate"):  # not everywhere
        os.posix_fallocate(handle, 0, n_bytes)
        os.ftruncate(handle, 0)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def url_of(path: Path | str) -> str | None:
    """Return the URL of an object store, also one whose slashes a ``Path`` has joined; None for a local path.

    >>> url_of(Path("s3://bucket/a.zarr"))
    's3://bucket/a.zarr'
    >>> url_of("C:/data/a.brw") is None
    True
    """
    found = re.match(r"([a-z][a-z0-9+]+):/{1,2}([^/].*)", str(path))
    return None if found is None else f"{found[1]}://{found[2]}"
