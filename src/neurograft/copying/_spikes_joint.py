"""Statistics of all pairs from all correlograms together: drives removed, each neuron regressed on all.

For as many neurons as leave room to keep every correlogram.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float32, Float64, UInt32
from numpy import ndarray

from neurograft.copying._correlogram import Events, LagGrid, block_stops, count_block
from neurograft.copying._hollow import first_causal_bin
from neurograft.copying._spikes_coupling import BoxOptions, counted_z, coupling
from neurograft.copying._spikes_latent import DriveOptions, excess, remove_drives
from neurograft.copying._spikes_pairs import PairStatistics
from neurograft.progress import Progress

_SD_OF_MAD = 1.4826


def all_correlograms(
    spikes: Events, grid: LagGrid, *, threads: int, progress: Progress
) -> UInt32[ndarray, "neurons neurons bins"]:
    """Return the correlograms of all ordered pairs: 0.96 kB a pair on the default grid."""
    n = spikes.n_neurons
    counts = np.zeros((n, n, grid.n_bins), dtype=np.uint32)

    def fill(block: tuple[int, int]) -> int:
        first, stop = block
        part = count_block(spikes, grid, first, stop)
        for i in range(first, stop):
            counts[i, i:] = part[i - first, i - first :]
            counts[i + 1 :, i] = part[i - first, i - first + 1 :, ::-1]
        return stop

    with ThreadPoolExecutor(max_workers=threads) as pool:
        for stop in pool.map(fill, block_stops(n, grid.n_bins)):
            progress("cross-correlograms", stop, n)
    return counts


def joint_statistics(
    spikes: Events,
    grid: LagGrid,
    *,
    first_lag_s: float,
    drives: DriveOptions,
    boxes: BoxOptions,
    exposed: Float64[ndarray, " bins"],
    n_bins_seen: float,
    threads: int,
    progress: Progress,
) -> tuple[PairStatistics, int]:
    """Return the statistics of all ordered pairs and the number of drives that were taken away."""
    counts = all_correlograms(spikes, grid, threads=threads, progress=progress)
    near = np.abs(np.arange(-grid.n_half, grid.n_half + 1)) < first_causal_bin(grid, first_lag_s)
    zero_counts = counts[:, :, near].sum(axis=2, dtype=np.float64)
    values, mean = excess(counts, exposed)
    del counts
    progress("common drive", 0, 1)
    values, n_drives = remove_drives(values, grid, drives)
    progress("regression", 0, 1)
    found = coupling(values, mean, grid, boxes, n_bins_seen=n_bins_seen)
    progress("regression", 1, 1)
    n_near = int(near.sum())
    ahead = _in_window(values, found.window, found.windows)
    behind = _in_window(values[:, :, ::-1], found.window, found.windows)
    zero_z = counted_z(values[:, :, near].sum(axis=2, dtype=np.float64) / np.sqrt(n_near), mean * n_near)
    width = found.windows.sum(axis=1)[found.window]
    expected = _off_diagonal(mean * width)
    result = PairStatistics(
        z=_off_diagonal(found.z),
        window=found.window.astype(np.int8),
        zero_z=_off_diagonal(zero_z),
        zero_ratio=_off_diagonal(zero_counts / (mean * n_near)),
        asymmetry_z=_off_diagonal((ahead - behind) / np.sqrt(2.0)),
        expected=expected,
        variance=expected,  # of a flat correlogram; the regression's own is that within a few per cent
        windows=found.windows,
    )
    return result, n_drives


def _off_diagonal(values: ndarray) -> Float32[ndarray, "neurons neurons"]:
    single = values.astype(np.float32)
    np.fill_diagonal(single, np.nan)
    return single


def _in_window(values: ndarray, window: ndarray, windows: ndarray) -> ndarray:
    """Return each pair's summed excess in its own window, with unit variance."""
    result = np.empty(window.shape)
    for w, mask in enumerate(windows):
        chosen = window == w
        result[chosen] = values[chosen][:, mask].sum(axis=1) / np.sqrt(mask.sum())
    return result
