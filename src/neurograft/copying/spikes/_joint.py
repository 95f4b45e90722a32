"""Statistics of all pairs from all correlograms together: drives removed, each neuron regressed on all.

For as many neurons as leave room to keep every correlogram.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt32
from numpy import ndarray

from neurograft.copying.spikes._correlogram import Events, LagGrid, block_stops, count_block
from neurograft.copying.spikes._coupling import BoxOptions, best_windows, counted_z
from neurograft.copying.spikes._features import Described, describe
from neurograft.copying.spikes._hollow import first_causal_bin
from neurograft.copying.spikes._latent import DriveOptions, are_drives_told
from neurograft.copying.spikes._pairs import PairStatistics
from neurograft.progress import Progress


class Joint(NamedTuple):
    """The statistics, what was taken away, and the correlograms without it, for strengths."""

    statistics: PairStatistics
    described: Described
    is_drive_separable: bool

    def cleaned(self, pre: int, post: int) -> Float64[ndarray, " bins"]:
        """Return the correlogram of one pair as it would be without the common drive."""
        mean = self.described.mean[pre, post]
        return mean + self.described.clean[pre, post].astype(np.float64) * np.sqrt(mean)


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
    clear: Bool[ndarray, "pre post"] | None = None,
) -> Joint:
    """Return the statistics of all ordered pairs after common drive has been taken away, beside ``clear`` synapses."""
    counts = all_correlograms(spikes, grid, threads=threads, progress=progress)
    near = np.abs(np.arange(-grid.n_half, grid.n_half + 1)) < first_causal_bin(grid, first_lag_s)
    zero_counts = counts[:, :, near].sum(axis=2, dtype=np.float64)
    described = describe(
        counts,
        np.diff(spikes.own_start),
        grid,
        exposed=exposed,
        n_bins_seen=n_bins_seen,
        drives=drives,
        boxes=boxes,
        progress=progress,
        clear=clear,
    )
    del counts
    values, mean = described.clean, described.mean
    found = best_windows(described.scores)
    n_near = int(near.sum())
    ahead = _in_window(values, found.window, found.windows)
    behind = _in_window(values[:, :, ::-1], found.window, found.windows)
    zero_z = counted_z(values[:, :, near].sum(axis=2, dtype=np.float64) / np.sqrt(n_near), mean * n_near)
    width = found.windows.sum(axis=1)[found.window]
    expected = _off_diagonal(mean * width)
    statistics = PairStatistics(
        z=_off_diagonal(found.z),
        window=found.window.astype(np.int8),
        zero_z=_off_diagonal(zero_z),
        zero_ratio=_off_diagonal(zero_counts / (mean * n_near)),
        asymmetry_z=_off_diagonal((ahead - behind) / np.sqrt(2.0)),
        expected=expected,
        variance=expected,  # of a flat correlogram; the regression's own is that within a few per cent
        windows=found.windows,
        table=found.table,
    )
    return Joint(statistics, described, are_drives_told(len(values), drives))


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
