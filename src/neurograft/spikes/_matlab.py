"""Spikes in MATLAB files: a matrix of (neuron, time in s) rows, or a cell array with one neuron's times a cell.

Version 5 to 7 files are read with scipy, version 7.3 (HDF5) with h5py.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings._hdf5_files import read_whole
from neurograft.spikes._read import Read

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
            f"{path} has {len(fitting)} variables that can be spikes, of {shapes}. Give one n x 2 matrix (whole neuron "
            "number, time in s) or one cell array of times, or choose with SpikeOptions(part=…)."
        )
    chosen = fitting[part or next(iter(fitting))]
    return _matrix(chosen) if _is_matrix(chosen) else _cells(path, chosen)


def _variables_5(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat, whosmat

    try:
        size = path.stat().st_size
        for name, shape, kind in whosmat(path):
            if np.prod(shape, dtype=float) > _MAX_RATIO * size:
                raise SpikeError(
                    f"{path}: {name} ({kind}) claims shape {shape} in a file of {size} bytes. It is damaged."
                )
        return {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    except SpikeError:
        raise
    except Exception as problem:  # scipy's parser fails anywhere on a damaged file
        raise SpikeError(f"{path} is not a whole MATLAB file: {problem}. Save it again.") from problem


def _variables_73(path: Path) -> dict[str, Any]:
    """Return matrices, and cell arrays as object arrays of matrices; MATLAB stores them transposed."""
    out: dict[str, Any] = {}
    try:
        with h5py.File(path, "r") as file:
            for name in file:
                item: Any = file[name]
                if not isinstance(item, h5py.Dataset) or str(name).startswith("#"):
                    continue
                if item.dtype == h5py.ref_dtype:
                    references = read_whole(item, path=path, error=SpikeError).ravel(order="F")
                    cells = np.empty(len(references), dtype=object)
                    for k, reference in enumerate(references):
                        cell: Any = file[reference]
                        cells[k] = (
                            np.empty(0)
                            if cell.attrs.get("MATLAB_empty", 0)
                            else read_whole(cell, path=path, error=SpikeError)
                        )
                    out[str(name)] = cells
                else:
                    out[str(name)] = read_whole(item, path=path, error=SpikeError).T
    except OSError as problem:
        raise SpikeError(f"{path} is not a whole MATLAB file: {problem}. Save it again.") from problem
    return out


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


def _cells(path: Path, value: ndarray) -> Read:
    times = [np.asarray(cell, dtype=np.float64).ravel() for cell in value.flat]
    ids = np.repeat(np.arange(len(times)), [t.size for t in times])
    if not ids.size:
        raise SpikeError(f"{path}: all {len(times)} cells are empty. Check that it is the variable you mean.")
    return Read(np.concatenate(times), ids, known=np.arange(len(times)))
