"""One pass over all correlograms, each reduced at once to the few numbers that decisions need.

Memory is one block of correlograms and some square arrays of neurons by neurons, so that 4,096 neurons
need about 1 GB; axes of all results are pre, post.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8
from numpy import ndarray

from neurograft.copying.spikes._correlogram import Events, LagGrid, block_stops, count_block, count_listed
from neurograft.copying.spikes._hollow import (
    HollowOptions,
    WindowTest,
    window_correlation,
    window_tests,
    z_of_sums,
    zero_lag_test,
)
from neurograft.copying.spikes._windows import Selection, selection_table, strongest
from neurograft.progress import Progress

_SMALLEST_DISPERSION = 0.5  # a regular train's counts vary less than Poisson; half is the most that we credit
_PAIRS_AT_ONCE = 20_000
_COLUMNS = 4


class PairStatistics(NamedTuple):
    """What the correlogram of each ordered pair says; the diagonal is NaN."""

    z: Float32[ndarray, "neurons neurons"]  # hollow test, best window, signed
    window: Int8[ndarray, "neurons neurons"]  # which of ``windows`` that is
    zero_z: Float32[ndarray, "neurons neurons"]  # lags too short for a synapse
    zero_ratio: Float32[ndarray, "neurons neurons"]  # counts there over those expected
    asymmetry_z: Float32[ndarray, "neurons neurons"]  # causal against acausal counts, in the best window
    expected: Float32[ndarray, "neurons neurons"]  # counts expected in a window
    variance: Float32[ndarray, "neurons neurons"]  # of observed minus expected there
    windows: Bool[ndarray, "windows bins"]
    table: Selection  # from the largest |z| of the windows to z


class _Plan(NamedTuple):
    grid: LagGrid
    tests: list[WindowTest]
    zero: WindowTest
    columns: Float64[ndarray, "bins columns"]
    table: Selection
    dispersion: Float32[ndarray, "windows neurons neurons"]


def pair_statistics(
    spikes: Events, grid: LagGrid, options: HollowOptions, *, n_bins_seen: float, threads: int, progress: Progress
) -> PairStatistics:
    """Return the statistics of all ordered pairs; ``n_bins_seen`` is the recorded time in bins."""
    plan = _plan(spikes, grid, options, n_bins_seen)
    n = spikes.n_neurons
    result = PairStatistics(
        z=_unknown(n),
        window=np.zeros((n, n), dtype=np.int8),
        zero_z=_unknown(n),
        zero_ratio=_unknown(n),
        asymmetry_z=_unknown(n),
        expected=_unknown(n),
        variance=_unknown(n),
        windows=np.array([test.inside for test in plan.tests]),
        table=plan.table,
    )
    blocks = block_stops(n, grid.n_bins)
    total = n * (n + 1) / 2
    done = 0.0

    def reduce(block: tuple[int, int]) -> float:
        _reduce_block(count_block(spikes, grid, *block), block[0], plan, result)
        return sum(n - i for i in range(*block))

    with ThreadPoolExecutor(max_workers=threads) as pool:
        for size in pool.map(reduce, blocks):
            done += size
            progress("cross-correlograms", done, total)
    return result


def _unknown(n: int) -> Float32[ndarray, "neurons neurons"]:
    return np.full((n, n), np.nan, dtype=np.float32)


def _plan(spikes: Events, grid: LagGrid, options: HollowOptions, n_bins_seen: float) -> _Plan:
    tests, zero = window_tests(grid, options), zero_lag_test(grid, options)
    both = [*tests, *(test.mirrored() for test in tests), zero]
    n_spikes = np.diff(spikes.own_start)
    autos = np.array([count_listed(spikes, grid, i, i) for i in range(spikes.n_neurons)], dtype=np.float64)
    return _Plan(
        grid=grid,
        tests=tests,
        zero=zero,
        columns=np.concatenate([test.columns() for test in both], axis=1),
        table=selection_table(window_correlation(tests)),
        dispersion=np.array([_dispersion(autos, n_spikes, test, grid, n_bins_seen) for test in tests]),
    )


def _dispersion(
    autos: Float64[ndarray, "neurons bins"], n_spikes: ndarray, test: WindowTest, grid: LagGrid, n_bins_seen: float
) -> Float32[ndarray, "neurons neurons"]:
    """Return the variance of a window's contrast over that of Poisson trains, for independent neurons.

    Bursts raise it, refractoriness lowers it: sum over lags of the two autocovariances and of the
    contrast's own correlation (Bartlett's formula for point processes; Brillinger 1976, Biol. Cybern. 22, 213).
    """
    auto = (autos + autos[:, ::-1]) / 2 - (n_spikes**2 / n_bins_seen)[:, None]
    auto[:, grid.n_half] += n_spikes
    auto /= np.maximum(n_spikes, 1)[:, None]
    contrast = test.inside - test.reference
    own = np.correlate(contrast, contrast, mode="full")  # lags -(n_bins - 1) to n_bins - 1
    lag = np.arange(grid.n_bins)
    kernel = own[lag[:, None] - lag[None, :] + grid.n_bins - 1] / own[grid.n_bins - 1]
    return np.maximum(auto @ kernel @ auto.T, _SMALLEST_DISPERSION).astype(np.float32)


def _reduce_block(counts: ndarray, first: int, plan: _Plan, result: PairStatistics) -> None:
    """Write the statistics of both directions of every pair that the block holds."""
    i, j = np.nonzero(np.arange(counts.shape[1])[None, :] > np.arange(counts.shape[0])[:, None])
    for start in range(0, i.size, _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        sums = counts[i[part], j[part]].astype(np.float64) @ plan.columns
        _reduce_pairs(sums.reshape(len(sums), -1, _COLUMNS), i[part] + first, j[part] + first, plan, result)


def _reduce_pairs(sums: ndarray, low: ndarray, high: ndarray, plan: _Plan, result: PairStatistics) -> None:
    n_tests = len(plan.tests)
    zero_z = z_of_sums(sums[:, -1], plan.zero)
    zero_ratio = sums[:, -1, 0] / np.maximum(sums[:, -1, 1], 1e-9)
    spread = np.sqrt(plan.dispersion[:, low, high]).T
    causal = np.stack([z_of_sums(sums[:, w], t) for w, t in enumerate(plan.tests)], axis=1) / spread
    acausal = np.stack([z_of_sums(sums[:, n_tests + w], t) for w, t in enumerate(plan.tests)], axis=1) / spread
    for pre, post, z, ahead in ((low, high, causal, 0), (high, low, acausal, n_tests)):
        chosen, window = strongest(z, plan.table)
        own = sums[np.arange(len(z)), ahead + window, 0]
        other = sums[np.arange(len(z)), (n_tests - ahead) + window, 0]
        dispersion = plan.dispersion[window, low, high]
        result.z[pre, post] = chosen
        result.window[pre, post] = window
        result.zero_z[pre, post] = zero_z
        result.zero_ratio[pre, post] = zero_ratio
        result.asymmetry_z[pre, post] = (own - other) / np.sqrt(np.maximum((own + other) * dispersion, 1.0))
        result.expected[pre, post] = sums[:, ahead, 1]
        result.variance[pre, post] = (sums[:, ahead, 1] + sums[:, ahead, 2]) * plan.dispersion[0, low, high]
