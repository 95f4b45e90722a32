"""Series of a user's file: CSV, Parquet or NPZ, columns of numbers, rows in order of time."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import MissingExtraError, SeriesError, did_you_mean

_TIME_NAMES: Final = ("time", "t", "time_s")
_MOST_BYTES: Final = 2 << 30
_MOST_COLUMNS: Final = 4096


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Columns with their names, and the step of the time column if there was one (else 1, in rows)."""

    values: Float64[ndarray, "rows columns"]
    names: tuple[str, ...]
    dt: float
    is_timed: bool


def read_series(path: Path, *, columns: tuple[str, ...] = ()) -> Table:
    """Return the columns of a CSV, Parquet or NPZ file; a column named ``time`` or ``t`` gives the step.

    Empty cells are NaN.  In an NPZ file, arrays of one axis are columns and an array of two has many.
    """
    if not path.is_file():
        raise SeriesError(f"There is no file {path}. Check the name.")
    if path.stat().st_size > _MOST_BYTES:
        raise SeriesError(f"{path} has {path.stat().st_size} bytes; the most is {_MOST_BYTES}. Give a part of it.")
    readers = {".csv": _csv, ".tsv": _csv, ".txt": _csv, ".npz": _npz, ".parquet": _parquet, ".pq": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SeriesError(f"{path} is none of {', '.join(sorted(readers))}. Save the series as CSV, Parquet or NPZ.")
    return _table(path, reader(path), columns)


def _table(path: Path, found: dict[str, ndarray], columns: tuple[str, ...]) -> Table:
    if not found or len(found) > _MOST_COLUMNS:
        raise SeriesError(f"{path} has {len(found)} columns of numbers. Give 1 to {_MOST_COLUMNS}.")
    lengths = {name: column.size for name, column in found.items()}
    if len(set(lengths.values())) > 1:
        raise SeriesError(f"{path} has columns of different lengths: {lengths}. Give columns of one length.")
    time_name = next((n for n in found if n.lower() in _TIME_NAMES), None)
    dt = 1.0 if time_name is None else _step(path, time_name, found.pop(time_name))
    unknown = [n for n in columns if n not in found]
    if unknown:
        raise SeriesError(f"{path} has no column {unknown[0]!r}. {did_you_mean(unknown[0], found)}")
    names = columns or tuple(found)
    if not names:
        raise SeriesError(f"{path} has a time column and nothing else. Add a column of values.")
    return Table(values=np.column_stack([found[n] for n in names]), names=names, dt=dt, is_timed=time_name is not None)


def _step(path: Path, name: str, time: ndarray) -> float:
    steps = np.diff(time)
    if steps.size == 0 or not np.isfinite(steps).all() or not (steps > 0).all():
        raise SeriesError(f"Column {name!r} of {path} does not grow from row to row. Sort the rows by time.")
    dt = float(np.median(steps))
    off = np.flatnonzero(np.abs(steps - dt) > 1e-3 * dt)
    if off.size:
        raise SeriesError(
            f"Column {name!r} of {path} has a step of {steps[off[0]]:g} after row {off[0]}, elsewhere {dt:g}. "
            "Rows must be at equal distances: cut the series at the gap or interpolate."
        )
    return float(time[-1] - time[0]) / steps.size


def _csv(path: Path) -> dict[str, ndarray]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if not text.strip():
        raise SeriesError(f"{path} is empty. Give rows of numbers.")
    first = text.splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(c.strip() for c in row)]
    has_header = any(not _is_number(cell) for cell in rows[0] if cell.strip())
    names = [c.strip() for c in rows[0]] if has_header else [f"x{i}" for i in range(len(rows[0]))]
    if len(set(names)) < len(names):
        raise SeriesError(f"{path} has two columns of one name in its first row: {names}. Rename one.")
    body = rows[1:] if has_header else rows
    values = np.empty((len(body), len(names)))
    for i, row in enumerate(body):
        if len(row) != len(names):
            raise SeriesError(f"Row {i + 1} of {path} has {len(row)} cells, the first has {len(names)}. Mend the row.")
        for j, cell in enumerate(row):
            values[i, j] = _number(path, i + 1, names[j], cell)
    return dict(zip(names, values.T, strict=True))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(path: Path, row: int, name: str, cell: str) -> float:
    if not cell.strip():
        return np.nan
    try:
        return float(cell)
    except ValueError:
        raise SeriesError(
            f"Row {row}, column {name!r} of {path} is {cell!r}, which is no number. Mend it or drop the column."
        ) from None


def _npz(path: Path) -> dict[str, ndarray]:
    found: dict[str, ndarray] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise SeriesError(
            f"{path} cannot be read as NPZ: {error} Save plain arrays of numbers with numpy.savez."
        ) from None
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub" or array.ndim > 2 or array.size <= 1:
            continue
        two = array.astype(np.float64).reshape(array.shape[0], -1)
        found |= {name if array.ndim == 1 else f"{name}{j}": two[:, j] for j in range(two.shape[1])}
    return found


def _parquet(path: Path) -> dict[str, ndarray]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError(purpose="Reading Parquet", extra="tables") from None
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise SeriesError(f"{path} cannot be read as Parquet: {error} Check the file.") from None
    found: dict[str, ndarray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_numpy()
        if values.dtype.kind in "fiub":
            found[name] = values.astype(np.float64)
    return found
