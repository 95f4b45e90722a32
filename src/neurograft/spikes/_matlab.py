"""Spikes in MATLAB files: a matrix of (neuron, time in s) rows, or a cell array with one neuron's times a cell.

Either may be a field of a struct, and a name that ends in ``_ms`` says that its times are milliseconds.  A cell array
whose last cell is [neurons, bins] and whose last but one is a bin's width in ms is *another spike data format* (Ito
2011, the transfer entropy toolbox): its times are bins.  Version 5 to 7 files are read with scipy, version 7.3 (HDF5)
with h5py.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings._hdf5_files import read_whole
from neurograft.spikes._read import Read
from neurograft.units import MS

_MAX_RATIO = 1032  # zlib's best; a variable claiming more than this times the file's size is a lie


def read_matlab(path: Path, *, part: str | None) -> Read:
    """Return the spikes of the only variable that holds some, or of the variable ``part``."""
    held = _variables_73(path) if h5py.is_hdf5(path) else _variables_5(path)
    fitting = {name: value for name, value in held.items() if _fits(value)}
    if part is not None and part not in fitting:
        raise SpikeError(
            f"{path} has no spikes in {part!r}; spikes are in {sorted(fitting) or 'none'}. Choose one of these."
        )
    if part is None and len(fitting) != 1:
        shapes = {name: getattr(value, "shape", type(value).__name__) for name, value in held.items()}
        raise SpikeError(
            f"{path} has {len(fitting)} variables that can be spikes, of {shapes}. "
            + (
                f"Choose one of {sorted(fitting)} with SpikeOptions(part=…), on the command line with --part."
                if fitting
                else "Give one n x 2 matrix (whole neuron number, time in s) or one cell array of times."
            )
        )
    name = part or next(iter(fitting))
    value = fitting[name]
    if _is_matrix(value):
        found = _matrix(value)
    elif _is_binned(value):
        return _binned(path, value)
    else:
        found = _cells(path, value)
    if not name.endswith("_ms"):
        return found._replace(is_unit_told=False)
    return found._replace(time_s=found.time_s * MS, notes=(f"times are in ms, as the name {name} says",))


def _variables_5(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat, whosmat

    try:
        size = path.stat().st_size
        for name, shape, kind in whosmat(path):
            if np.prod(shape, dtype=float) > _MAX_RATIO * size:
                raise SpikeError(
                    f"{path}: {name} ({kind}) claims shape {shape} in a file of {size} bytes. It is damaged."
                )
        return _with_fields({k: v for k, v in loadmat(path).items() if not k.startswith("__")})
    except SpikeError:
        raise
    except Exception as problem:  # scipy's parser fails anywhere on a damaged file
        raise SpikeError(f"{path} is not a whole MATLAB file: {problem}. Save it again.") from problem


def _with_fields(held: dict[str, Any]) -> dict[str, Any]:
    """Return the variables with the fields of each struct as variables of their own, ``struct.field``."""
    out: dict[str, Any] = {}
    for name, value in held.items():
        if isinstance(value, ndarray) and value.dtype.names and value.size == 1:
            out |= {f"{name}.{field}": value[field].flat[0] for field in value.dtype.names}
        else:
            out[name] = value
    return out


def _variables_73(path: Path) -> dict[str, Any]:
    """Return matrices, and cell arrays as object arrays of matrices; MATLAB stores them transposed."""
    out: dict[str, Any] = {}
    try:
        with h5py.File(path, "r") as file:
            for name in file:
                item: Any = file[name]
                if str(name).startswith("#"):
                    continue
                fields = {name: item} if isinstance(item, h5py.Dataset) else {f"{name}.{k}": item[k] for k in item}
                out |= {str(k): _value_73(file, v, path) for k, v in fields.items() if isinstance(v, h5py.Dataset)}
    except OSError as problem:
        raise SpikeError(f"{path} is not a whole MATLAB file: {problem}. Save it again.") from problem
    return out


def _value_73(file: Any, item: h5py.Dataset, path: Path) -> ndarray:
    """Return a matrix as MATLAB shows it, or a cell array with an entry a cell."""
    if item.dtype != h5py.ref_dtype:
        return read_whole(item, path=path, error=SpikeError).T
    references = read_whole(item, path=path, error=SpikeError).ravel(order="F")
    cells = np.empty(len(references), dtype=object)
    for k, reference in enumerate(references):
        cell: Any = file[reference]
        is_empty = cell.attrs.get("MATLAB_empty", 0)
        cells[k] = np.empty(0) if is_empty else read_whole(cell, path=path, error=SpikeError)
    return cells


def _is_matrix(value: Any) -> bool:
    return (
        isinstance(value, ndarray)
        and value.dtype.kind in "iuf"
        and value.ndim == 2
        and value.shape[1] == 2
        and bool(np.all(value[:, 0] == np.round(value[:, 0])))
    )


def _fits(value: Any) -> bool:
    is_cells = isinstance(value, ndarray) and value.dtype == object and max(value.shape, default=0) == value.size > 0
    return _is_matrix(value) or (
        is_cells
        and all(
            isinstance(c, ndarray) and c.dtype.kind in "iuf" and max(c.shape, default=0) == c.size for c in value.flat
        )
    )


def _matrix(value: ndarray) -> Read:
    return Read(value[:, 1].astype(np.float64), value[:, 0].astype(np.int64))


def _is_binned(cells: ndarray) -> bool:
    """Tell whether the last two cells are a bin's width, and the numbers of neurons and of bins."""
    width, size = (np.ravel(cell) for cell in cells.flat[-2:]) if cells.size > 2 else (np.empty(0), np.empty(0))
    return bool(width.size == 1 and size.size == 2 and size[0] == cells.size - 2 and width[0] > 0 and size[1] > 1)


def _binned(path: Path, cells: ndarray) -> Read:
    width_s, n_bins = float(np.ravel(cells.flat[-2])[0]) * MS, float(np.ravel(cells.flat[-1])[1])
    found = _cells(path, cells.ravel()[:-2])
    return found._replace(
        time_s=found.time_s * width_s,
        epochs_s=np.array([[0.0, (n_bins + 1) * width_s]]),  # MATLAB counts from 1: the last bin is n_bins
        notes=(f"times are bins of {width_s / MS:g} ms",),
    )


def _cells(path: Path, value: ndarray) -> Read:
    times = [np.asarray(cell, dtype=np.float64).ravel() for cell in value.flat]
    ids = np.repeat(np.arange(len(times)), [t.size for t in times])
    if not ids.size:
        raise SpikeError(f"{path}: all {len(times)} cells are empty. Check that it is the variable you mean.")
    return Read(np.concatenate(times), ids, known=np.arange(len(times)))
