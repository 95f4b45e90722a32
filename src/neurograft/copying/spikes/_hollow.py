"""The hollow-Gaussian test of one correlogram: more or fewer spikes than its own surroundings lead one to expect.

Expected counts in a window are a Gaussian-weighted mean of the counts around it (Stark & Abeles 2009,
J. Neurosci. Methods 179, 90).  Where they keep 40 % of the centre bin, we leave out the whole window and
the zero-lag bins: observed and expected counts are then independent, and the test is that of a count
against another one ('on' and 'off'), right down to a handful of coincidences.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.errors import CopyError
from neurograft.units import MS

_ROUNDING_S = 1e-9
_FEW_COUNTS = 10.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HollowOptions:
    """Where the test looks: windows from ``first_lag_s`` to each of ``window_stops_s`` after the spike."""

    first_lag_s: float = 0.5 * MS  # a chemical synapse is not faster (facts of Ham 2021: latency over 0.6 ms)
    window_stops_s: tuple[float, ...] = (6 * MS, 12 * MS, 25 * MS)
    baseline_sd_s: float = 10 * MS

    def __post_init__(self) -> None:
        """Refuse windows without a lag."""
        if not self.window_stops_s or min(self.window_stops_s) <= self.first_lag_s:
            raise CopyError(
                f"window_stops_s is {self.window_stops_s}, first_lag_s {self.first_lag_s}. Give stops after the first."
            )
        if self.baseline_sd_s <= 0:
            raise CopyError(f"baseline_sd_s is {self.baseline_sd_s}. Give a width above 0, usually 10 ms.")


class WindowTest(NamedTuple):
    """One window as weights of the bins: the window, and what is expected there from around it.

    ``flat`` is the expectation from all bins outside alike, for correlograms with few counts.
    """

    inside: Bool[ndarray, " bins"]
    reference: Float64[ndarray, " bins"]
    flat: Float64[ndarray, " bins"]

    def mirrored(self) -> "WindowTest":
        """Return the same window before the spike."""
        return WindowTest(self.inside[::-1], self.reference[::-1], self.flat[::-1])

    def columns(self) -> Float64[ndarray, "bins 4"]:
        """Return what a correlogram is multiplied with: count, expectation, its variance, flat expectation."""
        return np.stack([self.inside.astype(np.float64), self.reference, self.reference**2, self.flat], axis=1)


def first_causal_bin(grid: LagGrid, first_lag_s: float) -> int:
    """Return the bin, counted from the centre, whose lower edge is the first at or after ``first_lag_s``."""
    return int(np.ceil((first_lag_s - _ROUNDING_S) / grid.bin_s + 0.5))


def window_tests(grid: LagGrid, options: HollowOptions) -> list[WindowTest]:
    """Return the causal windows, shortest first."""
    from_centre = np.arange(-grid.n_half, grid.n_half + 1)
    first = first_causal_bin(grid, options.first_lag_s)
    tests: list[WindowTest] = []
    for stop_s in sorted(options.window_stops_s):
        last = round(stop_s / grid.bin_s)
        if not first <= last < grid.n_half:
            raise CopyError(
                f"The window to {stop_s} s does not fit in {grid.half_window_s} s of lags. Raise half_window_s."
            )
        inside = (from_centre >= first) & (from_centre <= last)
        # A synapse of the other direction is no baseline: the mirrored shortest window stays out as well.
        shortest = round(min(options.window_stops_s) / grid.bin_s)
        also_out = (np.abs(from_centre) < first) | ((from_centre < 0) & (from_centre >= -shortest))
        tests.append(_test_of(grid, inside, also_out, options.baseline_sd_s))
    return tests


def zero_lag_test(grid: LagGrid, options: HollowOptions) -> WindowTest:
    """Return the window of lags shorter than a synapse's; expected from beyond the shortest causal window."""
    from_centre = np.arange(-grid.n_half, grid.n_half + 1)
    inside = np.abs(from_centre) < first_causal_bin(grid, options.first_lag_s)
    near = np.abs(from_centre) <= round(min(options.window_stops_s) / grid.bin_s)
    return _test_of(grid, inside, near, options.baseline_sd_s)


def expected_counts(counts: Float64[ndarray, "pairs bins"], test: WindowTest) -> Float64[ndarray, " pairs"]:
    """Return the counts that the surroundings lead one to expect in the window."""
    return counts @ test.reference


def hollow_z(counts: Float64[ndarray, "pairs bins"], test: WindowTest) -> Float64[ndarray, " pairs"]:
    """Return the signed z of the window's counts, N(0, 1) for trains that know nothing of each other."""
    return z_of_sums(counts @ test.columns(), test)


def z_of_sums(sums: Float64[ndarray, "pairs 4"], test: WindowTest) -> Float64[ndarray, " pairs"]:
    """Return the signed z of correlograms that were multiplied with the test's columns.

    Where under ten counts are expected, Gaussian weights would hang on single counts: there all bins
    outside weigh the same, which makes the test the exact one of two counts.
    """
    n, near, variance, flat = sums.T
    flat_weight = float(test.flat.max())
    is_few = flat < _FEW_COUNTS
    expected = np.where(is_few, flat, near)
    return poisson_z(n, expected, np.where(is_few, flat * flat_weight, variance), flat_weight)


def poisson_z(
    n: Float64[ndarray, " pairs"],
    expected: Float64[ndarray, " pairs"],
    variance: Float64[ndarray, " pairs"],
    flat_ratio: float,
) -> Float64[ndarray, " pairs"]:
    """Return the signed z of a count against an expectation that was itself counted, with that variance.

    Signed root of the likelihood ratio (Li & Ma 1983, Astrophys. J. 272, 317, eq. 17), the expectation
    standing for expected^2 / variance counts.  The count is moved half towards its expectation, as
    counts are whole numbers: p-values stay at or above the exact binomial ones nearly everywhere.
    """
    from scipy.special import xlogy

    ratio = np.where(expected > 0, variance / np.maximum(expected, 1e-300), flat_ratio)
    off = expected / ratio
    excess = n - expected
    moved = n - np.sign(excess) * np.minimum(0.5, np.abs(excess))
    on_share = (moved + off) * ratio / (1 + ratio)
    off_share = (moved + off) / (1 + ratio)
    root = xlogy(moved, moved / np.maximum(on_share, 1e-300)) + xlogy(off, off / np.maximum(off_share, 1e-300))
    return np.copysign(np.sqrt(2 * np.maximum(root, 0.0)), excess)


def window_correlation(tests: list[WindowTest]) -> Float64[ndarray, "windows windows"]:
    """Return the correlation of the windows' z for a flat correlogram, over which counts are independent."""
    contrast = np.array([test.inside - test.reference for test in tests])
    gram = contrast @ contrast.T
    scale = np.sqrt(np.diag(gram))
    return gram / scale / scale[:, None]


def smooth_baseline(counts: Float64[ndarray, " bins"], grid: LagGrid, sd_s: float, out: ndarray) -> ndarray:
    """Return the Gaussian-weighted mean around each bin, the bins of the mask ``out`` left out."""
    distance = (np.arange(grid.n_bins)[:, None] - np.arange(grid.n_bins)[None, :]) * grid.bin_s
    weight = np.exp(-0.5 * (distance / sd_s) ** 2) * ~out
    return weight @ counts / weight.sum(axis=1)


def _test_of(grid: LagGrid, inside: ndarray, also_out: ndarray, sd_s: float) -> WindowTest:
    distance = (np.flatnonzero(inside)[:, None] - np.arange(grid.n_bins)[None, :]) * grid.bin_s
    weight = np.exp(-0.5 * (distance / sd_s) ** 2) * ~(inside | also_out)
    flat = (~(inside | also_out)).astype(np.float64)
    reference = np.sum(weight / weight.sum(axis=1, keepdims=True), axis=0)
    return WindowTest(inside, reference, flat * (inside.sum() / flat.sum()))
