"""Running a kernel over slices of cells on all cores; kernels release the interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_SLICE = 1 << 14  # a few columns of this length stay in a core's cache; a multiple of 2 * LANES


def in_slices(n: int, work: Callable[[slice], None]) -> None:
    """Call ``work`` with slices that cover 0 to n - 1; slices may run at the same time."""

    def quiet(part: slice) -> None:
        with np.errstate(over="ignore"):  # wrapping is what the streams want; only seen without numba
            work(part)

    parts = [slice(i, min(i + _SLICE, n)) for i in range(0, n, _SLICE)]
    if len(parts) < 2:
        for part in parts:
            quiet(part)
        return
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(quiet, parts))
