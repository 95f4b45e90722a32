"""Recordings that are still being written, as they are now: raw samples, NWB in HDF5's SWMR mode, and Zarr stores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from neurograft.errors import RecordingError
from neurograft.recordings._binary import open_binary, sidecar_of
from neurograft.recordings._lazy import LazyRecording
from neurograft.recordings._nwb import open_electrical_series
from neurograft.recordings._recording import Signal
from neurograft.recordings._sniff import Format, format_of_hdf5, sniff
from neurograft.recordings._spikeinterface import open_saved

_HDF5 = b"\x89HDF\r\n\x1a\n"


def open_growing(path: Path, *, signal: Signal | None = None, part: str | None = None) -> Callable[[], LazyRecording]:
    """Return what opens a growing recording as it is now; EmptyRecordingError while it holds no frame.

    Other formats cannot be read while they are written, and are refused.
    """
    if path.suffix.lower() == ".toml" or (path.is_file() and sidecar_of(path) is not None):
        return lambda: open_binary(path, is_growing=True)
    file = _swmr(path) if path.is_file() else None
    found = sniff(path) if file is None else format_of_hdf5(file)
    if found is Format.SI_RECORDING and (path / "channel_ids").is_dir():
        return lambda: open_saved(path, signal=signal, is_growing=True)
    if found is not Format.NWB_SERIES:
        raise RecordingError(
            f"{path} ({found.value[0]}) cannot be followed (--follow). Raw samples can that a TOML file beside them "
            "describes, NWB files that are written in HDF5's SWMR mode, Zarr stores of SpikeInterface, lsl:NAME and "
            "zmq:tcp://HOST:PORT. Or copy the file when it is closed."
        )
    return lambda: _refreshed(path, file, signal, part)


def _swmr(path: Path) -> Any:
    """Return an HDF5 file opened for reading while another program writes; None for other files."""
    with path.open("rb") as stream:
        if stream.read(len(_HDF5)) != _HDF5:
            return None
    try:
        return h5py.File(path, "r", swmr=True)
    except OSError as problem:
        raise RecordingError(
            f"{path} cannot be followed: {problem}. Its writer has to open it with libver='latest' and set "
            "swmr_mode; else copy the file when it is closed."
        ) from problem


def _refreshed(path: Path, file: Any, signal: Signal | None, part: str | None) -> LazyRecording:
    """Return the series as long as it is now."""

    def refresh(name: str, item: Any) -> None:
        del name
        if isinstance(item, h5py.Dataset) and (item.maxshape or (0,))[0] is None:
            item.id.refresh()

    file.visititems(refresh)
    return open_electrical_series(path, signal=signal, part=part, file=file, is_growing=True)
