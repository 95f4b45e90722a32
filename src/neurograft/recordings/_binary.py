"""Raw binary samples described by a TOML file beside them, memory-mapped: any array without a reader.

Written for intracellular nanoelectrode arrays of thousands of channels, whose makers publish no format.
``_template.toml`` is the documentation of the keys.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from neurograft.errors import EmptyRecordingError, RecordingError, did_you_mean
from neurograft.files import written_whole
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._options import signal_named
from neurograft.recordings._recording import Signal

_DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
_KEYS: dict[str, tuple[str, ...]] = {
    "samples": ("files", "dtype", "byte_order", "order", "n_channels", "header_bytes"),
    "time": ("rate_hz", "start_s"),
    "signal": ("kind", "gain_v", "gain_a", "offset_v", "offset_a", "saturation_v", "saturation_a"),
    "layout": ("grid_rows", "grid_columns", "pitch_um", "positions_um", "labels"),
}


class _Layout(NamedTuple):
    position_um: ndarray | None
    labels: list[str]


class _Scale(NamedTuple):
    signal: Signal
    gain: float
    offset: float
    limits: ndarray | None


def template() -> str:
    """Return the commented sidecar, ready to be filled in."""
    return resources.files("neurograft.recordings").joinpath("_template.toml").read_text(encoding="utf-8")


def write_template(path: Path) -> None:
    """Write the commented sidecar; an existing file is refused, never overwritten."""
    if path.exists():
        raise RecordingError(f"{path} exists already. Choose another name, or remove it first.")
    with written_whole(path) as part:
        part.write_text(template(), encoding="utf-8")


def sidecar_of(path: Path) -> Path | None:
    """Return the TOML file that describes a raw file, or None when there is none beside it."""
    beside = (path.with_suffix(".toml"), path.with_name(path.name + ".toml"))
    return next((candidate for candidate in beside if candidate.is_file()), None)


def open_binary(path: Path, *, is_growing: bool = False) -> LazyRecording:
    """Return the recording that a sidecar describes; ``path`` is the sidecar or a raw file beside it.

    Of files that still grow the whole frames are taken that are there now.
    """
    sidecar = path if path.suffix == ".toml" else sidecar_of(path)
    if sidecar is None:
        raise RecordingError(f"{path} has no TOML file beside it. Write one: neurograft.recordings.write_template(…).")
    told = _read(sidecar)
    samples = told["samples"]
    n = _number(samples, "n_channels", sidecar, "samples", low=1)
    files = [sidecar.parent / name for name in _texts(samples, "files", sidecar, "samples")]
    order = _choice(samples, "order", ("frames", "channels"), sidecar)
    mapped = [_map(file, samples, int(n), order, sidecar, is_growing=is_growing) for file in files]
    rate_hz = _number(told["time"], "rate_hz", sidecar, "time", low=0.0)
    start_s = told["time"].get("start_s")
    if start_s is not None and (not isinstance(start_s, list) or len(start_s) != len(files)):
        raise RecordingError(f"{sidecar}: time.start_s is {start_s}, but there are {len(files)} files. Give one each.")
    layout, scale = _layout(told.get("layout", {}), int(n), sidecar), _scale(told["signal"], int(n), sidecar)

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        held = mapped[segment]
        if order == "channels":
            if files[segment].stat().st_size < held.offset + held.nbytes:  # to read on would end the process
                raise RecordingError(f"{files[segment]} was cut off while it was read.")
            return held[:, start:stop].T
        # read instead of mapped: pages of a mapped file count as this process's memory until the system wants them
        offset = held.offset + start * held.strides[0]
        some = np.fromfile(files[segment], dtype=held.dtype, count=(stop - start) * int(n), offset=offset)
        if some.size < (stop - start) * int(n):
            raise RecordingError(f"{files[segment]} ends before frame {stop}: it was cut off while it was read.")
        return some.reshape(stop - start, int(n))

    return lazy_recording(
        path=sidecar,
        fetch=fetch,
        rate_hz=rate_hz,
        signal=scale.signal,
        segment_frames=[m.shape[0 if order == "frames" else 1] for m in mapped],
        segment_start_s=start_s,
        channel_labels=layout.labels,
        position_um=layout.position_um,
        gain=scale.gain,
        offset=scale.offset,
        limits=scale.limits,
    )


def _read(sidecar: Path) -> dict[str, dict[str, Any]]:
    try:
        told: dict[str, Any] = tomllib.loads(sidecar.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise RecordingError(f"{sidecar} is not valid TOML: {problem}. Start again from write_template().") from problem
    version = told.pop("format_version", None)
    if version != 1:
        raise RecordingError(
            f"{sidecar}: format_version is {version}; this neurograft reads 1. Set format_version = 1."
        )
    for table, content in told.items():
        if table not in _KEYS:
            raise RecordingError(f"{sidecar}: {table!r} is unknown. {did_you_mean(table, _KEYS)}")
        if not isinstance(content, dict):
            raise RecordingError(f"{sidecar}: {table} has to be a table. Write [{table}] on a line of its own.")
        for key in content:
            if key not in _KEYS[table]:
                raise RecordingError(f"{sidecar}: {table}.{key} is unknown. {did_you_mean(key, _KEYS[table])}")
    for table in ("samples", "time", "signal"):
        if table not in told:
            raise RecordingError(f"{sidecar} lacks the table [{table}]. See write_template() for its keys.")
    return told


def _map(
    file: Path, samples: Mapping[str, Any], n: int, order: str, sidecar: Path, *, is_growing: bool
) -> "np.memmap[Any, Any]":
    if is_growing and order != "frames":
        raise RecordingError(f"{sidecar}: a file of order 'channels' cannot grow in time. Write order 'frames'.")
    big = _choice(samples, "byte_order", ("little", "big"), sidecar) == "big"
    dtype = np.dtype(_choice(samples, "dtype", _DTYPES, sidecar)).newbyteorder(">" if big else "<")
    header_bytes = int(_number(samples, "header_bytes", sidecar, "samples", low=0, missing=0))
    if not file.is_file():
        raise EmptyRecordingError(
            f"{sidecar} names {file.name}, which is not beside it. Put it there or correct the name."
        )
    held = file.stat().st_size - header_bytes
    frame_bytes = n * dtype.itemsize
    if held < (frame_bytes if is_growing else 1):
        raise EmptyRecordingError(f"{file} has {max(held, 0)} bytes after a header of {header_bytes}: it is empty.")
    if held % frame_bytes and not is_growing:
        raise RecordingError(
            f"{file} has {held} bytes after a header of {header_bytes}: {held // frame_bytes} frames of {frame_bytes} "
            f"bytes ({n} channels of {dtype.name}) and {held % frame_bytes} bytes left over. "
            "The file is cut off, or n_channels, dtype or header_bytes is wrong."
        )
    n_frames = held // frame_bytes
    shape = (n_frames, n) if order == "frames" else (n, n_frames)
    return np.memmap(file, dtype=dtype, mode="r", offset=header_bytes, shape=shape)


def _scale(told: Mapping[str, Any], n: int, sidecar: Path) -> _Scale:
    kind = told.get("kind")
    if not isinstance(kind, str):
        raise RecordingError(
            f"{sidecar}: signal.kind is {kind}. Give one of {', '.join(s.name.lower() for s in Signal)}."
        )
    signal = signal_named(kind)
    unit, other = ("a", "v") if signal is Signal.MEMBRANE_A else ("v", "a")
    wrong = [key for key in told if key.endswith(f"_{other}")]
    if wrong:
        raise RecordingError(f"{sidecar}: signal.{wrong[0]} does not fit {kind}. Name it {wrong[0][:-1]}{unit}.")
    limits = told.get(f"saturation_{unit}")
    if limits is not None and (
        not isinstance(limits, list)
        or len(limits) != 2
        or not all(isinstance(x, int | float) for x in limits)
        or not limits[0] < limits[1]
    ):
        raise RecordingError(f"{sidecar}: signal.saturation_{unit} is {limits}. Give [lowest, highest].")
    return _Scale(
        signal=signal,
        gain=_number(told, f"gain_{unit}", sidecar, "signal"),
        offset=_number(told, f"offset_{unit}", sidecar, "signal", missing=0.0),
        limits=None if limits is None else np.tile(np.array(limits, dtype=np.float64), (n, 1)),
    )


def _layout(told: Mapping[str, Any], n: int, sidecar: Path) -> _Layout:
    labels = _texts(told, "labels", sidecar, "layout") if "labels" in told else [str(i) for i in range(n)]
    if len(labels) != n or len(set(labels)) != n:
        raise RecordingError(
            f"{sidecar}: layout.labels has {len(labels)} names, {len(set(labels))} different, for {n} channels. "
            "Give every channel a name of its own."
        )
    grid = ("grid_rows", "grid_columns", "pitch_um")
    if "positions_um" in told:
        if any(key in told for key in grid):
            raise RecordingError(f"{sidecar}: layout has positions_um and a grid. Keep one of the two.")
        try:
            position_um = np.array(told["positions_um"], dtype=np.float64)
        except (TypeError, ValueError):
            position_um = np.empty(0)
        if position_um.shape != (n, 2):
            raise RecordingError(f"{sidecar}: layout.positions_um is not {n} pairs. Give [x, y] for every channel.")
        return _Layout(position_um, labels)
    if not any(key in told for key in grid):
        return _Layout(None, labels)
    rows, columns, pitch_um = (_number(told, key, sidecar, "layout", low=0) for key in grid)
    if rows * columns < n:
        raise RecordingError(f"{sidecar}: a grid of {rows} rows and {columns} columns has no room for {n} channels.")
    index = np.arange(n)
    return _Layout(np.column_stack([index % int(columns), index // int(columns)]) * pitch_um, labels)


def _number(
    told: Mapping[str, Any],
    key: str,
    sidecar: Path,
    table: str,
    *,
    low: float | None = None,
    missing: float | None = None,
) -> float:
    value = told.get(key, missing)
    ok = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
    if not ok or (low is not None and value < low):  # pyright: ignore[reportOptionalOperand]
        at_least = "" if low is None else f" of at least {low}"
        raise RecordingError(f"{sidecar}: {table}.{key} is {value!r}. Give a number{at_least}.")
    assert value is not None
    return value


def _choice(told: Mapping[str, Any], key: str, known: tuple[str, ...], sidecar: Path) -> str:
    value = told.get(key)
    if value not in known:
        raise RecordingError(f"{sidecar}: samples.{key} is {value!r}. {did_you_mean(str(value), known)}")
    return str(value)


def _texts(told: Mapping[str, Any], key: str, sidecar: Path, table: str) -> list[str]:
    value = told.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(x, str) for x in value):
        raise RecordingError(f"{sidecar}: {table}.{key} is {value!r}. Give a list of texts.")
    return [str(x) for x in value]
