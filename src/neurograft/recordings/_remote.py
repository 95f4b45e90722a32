"""Recordings in object storage: Zarr stores that SpikeInterface saved, and NWB files, read in place through fsspec.

Credentials and endpoints are those that fsspec finds in the environment (``AWS_ENDPOINT_URL``,
``AWS_ACCESS_KEY_ID``, …).
"""

from pathlib import Path
from typing import Any

import h5py

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.files import url_of
from neurograft.recordings._lazy import LazyRecording
from neurograft.recordings._nwb import open_electrical_series
from neurograft.recordings._options import ask_signal
from neurograft.recordings._recording import Signal
from neurograft.recordings._spikeinterface import from_spikeinterface
from neurograft.recordings._zarr_chunks import insist_on_answers

_BLOCK_BYTES = 8 << 20  # of an HDF5 file, fetched at once and kept
_MOST_METADATA = 10_000


def open_remote(path: Path | str, *, signal: Signal | None = None, part: str | None = None) -> LazyRecording:
    """Return the recording at a URL such as ``s3://bucket/recording.zarr`` or ``…/recording.nwb``; read lazily."""
    url = url_of(path)
    if url is None:
        raise RecordingError(f"{path} is not the URL of an object store. Give one such as s3://bucket/recording.zarr.")
    system, inside = _filesystem(url)
    if url.lower().endswith((".nwb", ".h5", ".hdf5")):
        return _nwb(url, system, inside, signal, part)
    return _zarr(url, system, inside, signal)


def _filesystem(url: str) -> tuple[Any, str]:
    scheme = url.split("://", 1)[0]
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as problem:
        raise MissingExtraError(purpose=f"Reading {scheme}:// ({problem})", extra="cloud") from problem


def _nwb(url: str, system: Any, inside: str, signal: Signal | None, part: str | None) -> LazyRecording:
    try:
        stream = system.open(inside, "rb", block_size=_BLOCK_BYTES)
        file = h5py.File(stream, "r")
    except Exception as problem:  # every store fails in its own way
        raise RecordingError(f"{url} cannot be read: {problem}. {_REMEDY}") from problem
    return open_electrical_series(Path(url), signal=signal, part=part, file=file)


def _zarr(url: str, system: Any, inside: str, signal: Signal | None) -> LazyRecording:
    try:
        import spikeinterface.core as si
    except ImportError as problem:
        raise MissingExtraError(purpose="Reading Zarr stores", extra="cloud") from problem
    try:
        _require_no_pickle(url, system, inside)
        loaded: Any = si.read_zarr(url)
    except RecordingError:
        raise
    except Exception as problem:  # every store fails in its own way
        raise RecordingError(f"{url} cannot be read: {problem}. {_REMEDY}") from problem
    if not hasattr(loaded, "get_traces"):
        raise RecordingError(f"{url} holds a {type(loaded).__name__}, not a recording.")
    if signal is None:
        raise ask_signal(Path(url), "a SpikeInterface store does not tell what its numbers are.")
    insist_on_answers(loaded)
    return from_spikeinterface(loaded, path=Path(url), signal=signal)


_REMEDY = "Check the URL, the credentials (AWS_ACCESS_KEY_ID, …) and the endpoint (AWS_ENDPOINT_URL)."


def _require_no_pickle(url: str, system: Any, inside: str) -> None:
    """Refuse a store whose arrays would be unpickled, or whose class is not SpikeInterface's: either can run code."""
    names = [name for name in system.find(inside) if name.endswith((".zarray", ".zattrs", "zarr.json", ".zmetadata"))]
    if not names:
        raise RecordingError(f"{url} holds no Zarr store. {_REMEDY}")
    if len(names) > _MOST_METADATA:
        raise RecordingError(f"{url} holds {len(names)} arrays. Save it again with fewer properties.")
    for name in names:
        text: bytes = system.cat_file(name)
        if b"pickle" in text:
            raise RecordingError(
                f"{name} asks for unpickling, which can run any code. Save the store again without it."
            )
        if b'"class"' in text and b'"spikeinterface.' not in text:
            raise RecordingError(f"{name} asks for a class that is not SpikeInterface's. Save it again as data.")
