"""NWB ElectricalSeries (extracellular), with h5py alone."""

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._clock import Clock, Stretch, clock_of
from neurograft.recordings._hdf5_files import read_whole
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._options import ask_part
from neurograft.recordings._recording import Signal


def series_of_type(file: Any, *types: str) -> list[str]:
    """Return the paths of the series of these neurodata types that were acquired or processed."""
    found: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and item.attrs.get("neurodata_type") in types:
            found.append(f"{root}/{name}")

    for root in ("acquisition", "processing"):
        if root in file:
            file[root].visititems(note)
    return found


def open_electrical_series(
    path: Path,
    *,
    signal: Signal | None = None,
    part: str | None = None,
    file: Any = None,
    is_growing: bool = False,
) -> LazyRecording:
    """Return one ElectricalSeries in volts; ``part`` is its path in the file where there are several.

    ``file`` is the open HDF5 file, where it lies somewhere else than under ``path``.  Of one that still grows the
    frames are taken that have all their numbers now.
    """
    try:
        file = h5py.File(path, "r") if file is None else file
        names = series_of_type(file, "ElectricalSeries")
        if part not in names and (part is not None or len(names) != 1):
            if not names:
                raise RecordingError(f"{path} holds no ElectricalSeries. Give a recording, or open it as what it is.")
            raise ask_part(path, "electrical series", {n: f"{file[n + '/data'].shape} samples" for n in names}, part)
        return _series(path, file, part or names[0], signal or Signal.EXTRACELLULAR_V, is_growing)
    except (OSError, KeyError) as problem:
        raise RecordingError(f"{path} is not a whole NWB file: {problem}. Copy it again.") from problem


def _series(path: Path, file: Any, name: str, signal: Signal, is_growing: bool) -> LazyRecording:
    series: Any = file[name]
    data: Any = series["data"]
    n = 1 if data.ndim == 1 else data.shape[1]
    unit = str(data.attrs.get("unit", "volts"))
    if unit.lower() not in ("volts", "v", "volt"):
        raise RecordingError(f"{path}: {name} is in {unit!r}. Its 'conversion' has to lead to volts; correct the file.")
    clock = _clock(path, series, name, data.shape[0], is_growing)
    gain = np.full(n, float(data.attrs.get("conversion", 1.0)))
    if "channel_conversion" in series:
        gain = gain * np.asarray(series["channel_conversion"][()], dtype=np.float64)
    rows = read_whole(series["electrodes"], path=path, error=RecordingError).astype(np.int64)
    electrodes: Any = file[series["electrodes"].attrs["table"]]
    labels, position_um = _electrodes(path, electrodes, rows, n)

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        first = clock.stretches[segment].first
        return data[first + start : first + stop].reshape(-1, n)

    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=clock.rate_hz,
        signal=signal,
        segment_frames=[stop - first for first, stop, _ in clock.stretches],
        segment_start_s=[start_s for *_, start_s in clock.stretches],
        channel_labels=labels,
        position_um=position_um,
        gain=gain,
        offset=float(data.attrs.get("offset", 0.0)),
    )


def _electrodes(
    path: Path, table: Any, rows: ndarray, n: int
) -> tuple[list[str], Float64[ndarray, "channels 2"] | None]:
    if len(rows) != n or rows.min(initial=0) < 0 or rows.max(initial=-1) >= len(table["id"]):
        raise RecordingError(
            f"{path}: {n} channels name {len(rows)} electrodes, rows up to {rows.max(initial=-1)}, "
            f"of a table of {len(table['id'])}. Correct the file's electrodes."
        )
    name = next((c for c in ("channel_name", "label") if c in table), "id")
    labels = [
        x.decode() if isinstance(x, bytes) else str(x)
        for x in read_whole(table[name], path=path, error=RecordingError)[rows]
    ]
    for x, y in (("rel_x", "rel_y"), ("x", "y")):
        if x in table and y in table:
            columns = [read_whole(table[c], path=path, error=RecordingError)[rows] for c in (x, y)]
            return labels, np.column_stack(columns).astype(np.float64)
    return labels, None


def _clock(path: Path, series: Any, name: str, n_frames: int, is_growing: bool) -> Clock:
    """Return rate and stretches of an HDF5 time series."""
    if "starting_time" in series:
        start_s, rate_hz = float(series["starting_time"][()]), float(series["starting_time"].attrs["rate"])
        return Clock(rate_hz, (Stretch(0, n_frames, start_s),))
    if "timestamps" not in series:
        raise RecordingError(f"{path}: {name} has neither a starting_time nor timestamps. Correct the file.")
    times_s = series["timestamps"]
    if is_growing:
        n_frames = min(len(times_s), n_frames)
        times_s = times_s[:n_frames]
    if len(times_s) != n_frames:
        raise RecordingError(
            f"{path}: {name} has {len(times_s)} timestamps for {n_frames} samples. The file is cut off; copy it again."
        )
    return clock_of(path, times_s, name)


def even_rate(path: Path, timestamps: Any, name: str) -> tuple[float, float]:
    """Return rate and start of sample times, or refuse them where they jump, naming the first that does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rate_hz, (first, *later) = clock_of(path, timestamps, name)
    if later:
        k = later[0].first
        raise RecordingError(
            f"{path}: {name} is sampled unevenly: its clock jumps from {float(timestamps[k - 1])} s to "
            f"{float(timestamps[k])} s at sample {k}. Save it as one series a stretch."
        )
    return rate_hz, first.start_s
