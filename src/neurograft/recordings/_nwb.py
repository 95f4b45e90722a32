"""NWB ElectricalSeries (extracellular), with h5py alone."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._hdf5_files import read_whole
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._options import ask_part
from neurograft.recordings._recording import Signal

_BLOCK = 1 << 20


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
    path: Path, *, signal: Signal | None = None, part: str | None = None, file: Any = None
) -> LazyRecording:
    """Return one ElectricalSeries in volts; ``part`` is its path in the file where there are several.

    ``file`` is the open HDF5 file, where it lies somewhere else than under ``path``.
    """
    try:
        file = h5py.File(path, "r") if file is None else file
        names = series_of_type(file, "ElectricalSeries")
        if part not in names and (part is not None or len(names) != 1):
            if not names:
                raise RecordingError(f"{path} holds no ElectricalSeries. Give a recording, or open it as what it is.")
            raise ask_part(path, "electrical series", {n: f"{file[n + '/data'].shape} samples" for n in names}, part)
        return _series(path, file, part or names[0], signal or Signal.EXTRACELLULAR_V)
    except (OSError, KeyError) as problem:
        raise RecordingError(f"{path} is not a whole NWB file: {problem}. Copy it again.") from problem


def _series(path: Path, file: Any, name: str, signal: Signal) -> LazyRecording:
    series: Any = file[name]
    data: Any = series["data"]
    n = 1 if data.ndim == 1 else data.shape[1]
    unit = str(data.attrs.get("unit", "volts"))
    if unit.lower() not in ("volts", "v", "volt"):
        raise RecordingError(f"{path}: {name} is in {unit!r}. Its 'conversion' has to lead to volts; correct the file.")
    rate_hz, start_s = rate_and_start(path, series, name)
    gain = np.full(n, float(data.attrs.get("conversion", 1.0)))
    if "channel_conversion" in series:
        gain = gain * np.asarray(series["channel_conversion"][()], dtype=np.float64)
    rows = read_whole(series["electrodes"], path=path, error=RecordingError).astype(np.int64)
    electrodes: Any = file[series["electrodes"].attrs["table"]]
    labels, position_um = _electrodes(path, electrodes, rows, n)

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        del segment  # there is one
        return data[start:stop].reshape(-1, n)

    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=rate_hz,
        signal=signal,
        segment_frames=[data.shape[0]],
        segment_start_s=[start_s],
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


def rate_and_start(path: Path, series: Any, name: str) -> tuple[float, float]:
    """Return the rate and the start of an HDF5 time series; unevenly sampled ones are refused."""
    if "starting_time" in series:
        return float(series["starting_time"].attrs["rate"]), float(series["starting_time"][()])
    if "timestamps" not in series:
        raise RecordingError(f"{path}: {name} has neither a starting_time nor timestamps. Correct the file.")
    return even_rate(path, series["timestamps"], name)


def even_rate(path: Path, timestamps: Any, name: str) -> tuple[float, float]:
    """Return rate and start of sample times, or refuse them, naming the first that is off by half a step."""
    n = len(timestamps)
    if n < 2:
        raise RecordingError(f"{path}: {name} has {n} samples. A recording needs two.")
    start_s, stop_s = float(timestamps[0]), float(timestamps[n - 1])
    step_s = (stop_s - start_s) / (n - 1)
    for begin in range(0, n, _BLOCK):
        times_s = np.asarray(timestamps[begin : begin + _BLOCK])
        off = np.flatnonzero(
            ~(np.abs(times_s - (start_s + step_s * np.arange(begin, begin + len(times_s)))) < step_s / 2)
        )
        if off.size:
            k = begin + int(off[0])
            raise RecordingError(
                f"{path}: {name} is sampled unevenly: sample {k} is at {times_s[off[0]]} s, {start_s + step_s * k} s "
                "would be even. Save it at one rate, or as one series a stretch."
            )
    return 1.0 / step_s, start_s
