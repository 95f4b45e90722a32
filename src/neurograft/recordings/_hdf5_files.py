"""HDF5 datasets read whole, with their size checked before memory is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from neurograft.errors import NeurograftError

_MAX_EXPANSION = 1032  # deflate cannot shrink data more (zlib technical notes)


def read_whole(dataset: Any, *, path: Path, error: type[NeurograftError]) -> ndarray:
    """Return a dataset's values; refused where it claims more than its stored bytes can hold, or lies elsewhere."""
    if dataset.is_virtual or dataset.external:
        raise error(f"{path}: {dataset.name} points to another file. Copy the data into this file.")
    stored = int(dataset.id.get_storage_size())
    expansion = 1 if dataset.compression is None and not dataset.chunks else _MAX_EXPANSION
    if dataset.nbytes > stored * expansion:
        raise error(
            f"{path}: {dataset.name} claims {dataset.nbytes} bytes (shape {dataset.shape}), but {stored} are stored. "
            "The file is damaged; copy it again."
        )
    return np.asarray(dataset[()])
