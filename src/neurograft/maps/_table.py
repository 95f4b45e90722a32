"""Tables as columns: CSV and TSV by the standard library, NPZ by numpy, Parquet and Feather by pyarrow."""

import csv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, final

import numpy as np
from numpy import ndarray

from neurograft.errors import MapError, MissingExtraError, did_you_mean

_TEXT_SUFFIXES: Final = (".csv", ".tsv", ".txt")
_ARROW_SUFFIXES: Final = (".parquet", ".feather", ".arrow")
_MAX_DEFLATE: Final = 1032  # no honest zip entry expands more


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of one file by name, in the file's order; text cells are ``object`` arrays of ``str``."""

    name: str
    columns: Mapping[str, ndarray]
    first_row: int = 0  # what a person calls row 0 of the data: 2 below a header line

    def texts(self, column: str) -> list[str]:
        """Return a column as text, without blanks around it; an empty cell is named and refused."""
        texts = ["" if cell is None else str(cell).strip() for cell in self.columns[column].tolist()]
        if "" in texts:
            raise MapError(f"{self.place(texts.index(''), column)} is empty. Fill it in or remove the row.")
        return texts

    def numbers(self, column: str) -> ndarray:
        """Return a column as finite float64; the first cell that is no number is named."""
        values = self._parsed(column)
        self._require_numbers(column, values, np.isfinite(values))
        return values

    def numbers_with_gaps(self, column: str) -> ndarray:
        """Return a column as float64, NaN where a cell is empty or says nan."""
        values = self._parsed(column)
        gaps = np.array([cell is None or str(cell).strip().lower() in ("", "nan") for cell in self.columns[column]])
        self._require_numbers(column, values, np.isfinite(values) | gaps)
        return values

    def _parsed(self, column: str) -> ndarray:
        cells = self.columns[column]
        try:
            return cells.astype(np.float64)
        except (TypeError, ValueError):
            return np.array([_number(cell) for cell in cells.tolist()])

    def _require_numbers(self, column: str, values: ndarray, good: ndarray) -> None:
        if not np.all(good):
            i = int(np.argmin(good))
            raise MapError(
                f"{self.place(i, column)} is {str(self.columns[column][i])!r}, not a finite number. "
                "Correct it or remove the row."
            )

    def place(self, row: int, column: str) -> str:
        """Return how to find a cell."""
        return f"Row {row + self.first_row}, column {column!r} of {self.name}"


def read_table(path: Path, *, has_header: bool = True, delimiter: str | None = None) -> Table:
    """Return the columns of a CSV, TSV, NPZ, Parquet or Feather file.

    A text file without a header gets the columns "0", "1", …; a header that is all numbers is taken for a
    missing one and refused.  Without ``delimiter`` it is the one of comma, tab, semicolon and blank that
    stands most often in the first line.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise MapError(f"There is no table {path}." + (" It is a folder." if path.is_dir() else " Check the path."))
    if path.stat().st_size == 0:
        raise MapError(f"{path} is empty.")
    if suffix in _TEXT_SUFFIXES:
        return _read_text(path, has_header=has_header, delimiter=delimiter)
    if suffix == ".npz":
        return _read_npz(path)
    if suffix in _ARROW_SUFFIXES:
        return _read_arrow(path)
    known = (*_TEXT_SUFFIXES, ".npz", *_ARROW_SUFFIXES)
    raise MapError(f"{path} is of unknown type {suffix!r}. {did_you_mean(suffix, known)}")


def _read_text(path: Path, *, has_header: bool, delimiter: str | None) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first_line = stream.readline()
            stream.seek(0)
            rows = [row for row in csv.reader(stream, delimiter=delimiter or _delimiter(first_line)) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise MapError(f"{path} is not a text table: {error}. Save it as CSV in UTF-8.") from error
    if not rows:
        raise MapError(f"{path} has no row.")
    if has_header:
        _require_header(rows[0], path)
    names = [cell.strip() for cell in rows[0]] if has_header else [str(i) for i in range(len(rows[0]))]
    cells = rows[1:] if has_header else rows
    first_row = 2 if has_header else 1
    if not cells:
        raise MapError(f"{path} has a header and no row.")
    for i, row in enumerate(cells):
        if len(row) != len(names):
            raise MapError(f"Row {i + first_row} of {path} has {len(row)} cells, but the first has {len(names)}.")
    columns = {name: np.array(cell, dtype=object) for name, cell in zip(names, zip(*cells, strict=True), strict=True)}
    return Table(name=path.name, columns=columns, first_row=first_row)


def _require_header(header: Sequence[str], path: Path) -> None:
    if all(np.isfinite(_number(cell)) for cell in header):
        raise MapError(
            f"The first row of {path} is all numbers ({', '.join(header[:4])}): it has no header. "
            "Say so with has_header=False; its columns are then called 0, 1, 2 and so on."
        )
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise MapError(f"The header of {path} has {min(twice)!r} twice. Rename one of these columns.")


def _delimiter(line: str) -> str:
    return max(",\t; ", key=line.count)


def _number(cell: object) -> float:
    try:
        return float(cast("str", cell))
    except (TypeError, ValueError):
        return float("nan")


def _read_npz(path: Path) -> Table:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _require_npy_size(archive, entry, path)
        with np.load(path, allow_pickle=False) as arrays:
            columns = {name: cast("ndarray", arrays[name]) for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise MapError(f"{path} cannot be read as NPZ: {error}. Save plain arrays with numpy.savez.") from error
    return Table(name=path.name, columns={name: column for name, column in columns.items() if column.ndim == 1})


def _require_npy_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    """Refuse an array whose header claims more than its entry can hold, before numpy makes room for it."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    claimed = int(np.prod(shape, dtype=object)) * int(dtype.itemsize)
    if claimed > entry.file_size or entry.file_size > _MAX_DEFLATE * max(entry.compress_size, 1):
        raise MapError(f"{entry.filename} in {path} claims {claimed} bytes, more than the file holds. It is damaged.")


def _read_arrow(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(purpose=f"Reading {path.name}", extra="tables") from error
    try:
        read = pyarrow.parquet.read_table if path.suffix.lower() == ".parquet" else pyarrow.feather.read_table
        table = read(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise MapError(f"{path} cannot be read: {error}. It is damaged or of another format.") from error
    if table.num_rows == 0:
        raise MapError(f"{path} has no row.")
    return Table(name=path.name, columns={name: _cells(table.column(name)) for name in table.column_names})


def _cells(column: Any) -> ndarray:
    """Return a column's cells; one with gaps as objects, because floats would round 64-bit ids."""
    if column.null_count:
        return np.array(column.to_pylist(), dtype=object)
    return np.asarray(column.to_numpy())
