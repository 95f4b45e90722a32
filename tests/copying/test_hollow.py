"""The hollow-Gaussian test: exact tails, calibrated on Poisson trains, blind to slow drive."""

import numpy as np
import pytest
from scipy import stats

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._hollow import (
    HollowOptions,
    expected_counts,
    first_causal_bin,
    hollow_z,
    poisson_z,
    smooth_baseline,
    window_correlation,
    window_tests,
    zero_lag_test,
)
from neurograft.errors import CopyError

GRID = LagGrid()
TESTS = window_tests(GRID, HollowOptions())


@pytest.mark.parametrize("n", [0, 1, 3, 8, 30, 200])
@pytest.mark.parametrize("off", [2, 20, 200])
def test_z_gives_the_exact_binomial_tail_of_two_poisson_counts(n, off):
    # n counts 'on', `off` counts where three times as many are expected: binomial with share 1/4.
    z = float(poisson_z(np.array([float(n)]), np.array([off / 3]), np.array([off / 9]), 1 / 3)[0])
    p = stats.binom.sf(n - 1, n + off, 0.25) if z > 0 else stats.binom.cdf(n, n + off, 0.25)
    exact = stats.norm.isf(p) * np.sign(z)
    if p > 0.2:
        assert abs(z) < 1.0  # half a count either way: within noise whichever side it falls
        return
    assert z == pytest.approx(exact, abs=0.1 + 0.03 * abs(exact))


def test_z_is_normal_for_poisson_counts_of_any_size():
    rng = np.random.default_rng(1)
    for mean in (0.02, 0.2, 2.0, 50.0):
        counts = rng.poisson(mean, size=(10_000, GRID.n_bins)).astype(float)
        for test in TESTS:
            z = hollow_z(counts, test)
            if mean > 1:
                assert np.mean(z) == pytest.approx(0.0, abs=0.06)
            # Moving counts by half narrows z where few are expected; 10,000 draws give 1 % of sampling error.
            assert (0.2 if mean < 1 else 0.85) < np.std(z) < 1.02
            for level in (2.0, 3.0):
                nominal = 2 * stats.norm.sf(level)
                assert np.mean(np.abs(z) > level) < nominal + 4 * np.sqrt(nominal / 10_000)


def test_windows_start_where_chemical_synapses_do_and_weigh_what_they_hold():
    lag_ms = GRID.lag_s * 1e3
    for test, stop in zip(TESTS, (6.0, 12.0, 25.0), strict=True):
        assert lag_ms[test.inside].min() == pytest.approx(1.0)  # lower edge .75 ms, the first not below .5 ms
        assert lag_ms[test.inside].max() == pytest.approx(stop)
        assert test.reference.sum() == pytest.approx(test.inside.sum())
        assert np.all(test.reference[test.inside] == 0)
        assert np.all(test.reference[np.abs(lag_ms) < 0.75] == 0)
    assert first_causal_bin(LagGrid(bin_s=1e-3), 0.5e-3) == 1
    assert np.abs(lag_ms[zero_lag_test(GRID, HollowOptions()).inside]).max() == pytest.approx(0.5)


def test_a_peak_and_a_trough_are_found_on_their_own_side_only():
    counts = np.full((2, GRID.n_bins), 100.0)
    peak = (GRID.lag_s > 1.4e-3) & (GRID.lag_s < 3.1e-3)
    counts[0, peak] = 160.0
    counts[1, peak] = 60.0
    z, back = hollow_z(counts, TESTS[0]), hollow_z(counts, TESTS[0].mirrored())
    assert z[0] > 6
    assert z[1] < -4
    assert np.all(np.abs(back) < 2)  # the other side's baseline holds a part of the peak


def test_slow_common_drive_is_no_synapse():
    slow = 1000.0 * (1 + 0.3 * np.exp(-0.5 * (GRID.lag_s / 60e-3) ** 2))[None, :]
    assert abs(hollow_z(slow, TESTS[0])[0]) < 1.0
    # The same height and a width of a few milliseconds is seen: nothing in one correlogram tells it from a synapse.
    fast = 1000.0 * (1 + 0.3 * np.exp(-0.5 * (GRID.lag_s / 4e-3) ** 2))[None, :]
    assert hollow_z(fast, TESTS[0])[0] > 10


def test_each_option_changes_the_statistic():
    counts = np.random.default_rng(2).poisson(30, size=(1, GRID.n_bins)).astype(float)
    plain = hollow_z(counts, TESTS[0])
    for changed in (
        HollowOptions(first_lag_s=2e-3),
        HollowOptions(window_stops_s=(5e-3,)),
        HollowOptions(baseline_sd_s=20e-3),
    ):
        assert hollow_z(counts, window_tests(GRID, changed)[0]) != plain


def test_the_windows_correlate_as_simulated_flat_correlograms_do():
    counts = np.random.default_rng(3).poisson(200, size=(8_000, GRID.n_bins)).astype(float)
    simulated = np.corrcoef([hollow_z(counts, test) for test in TESTS])
    np.testing.assert_allclose(window_correlation(TESTS), simulated, atol=0.04)


def test_the_baseline_is_what_a_flat_correlogram_has_and_leaves_the_window_out():
    counts = np.full((1, GRID.n_bins), 7.0)
    counts[0, TESTS[0].inside] = 50.0
    np.testing.assert_allclose(smooth_baseline(counts[0], GRID, 10e-3, TESTS[0].inside), 7.0)
    assert expected_counts(counts, TESTS[0]) == pytest.approx(7.0 * TESTS[0].inside.sum())


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(CopyError, match="stops after the first"):
        HollowOptions(window_stops_s=(0.2e-3,))
    with pytest.raises(CopyError, match="above 0"):
        HollowOptions(baseline_sd_s=0.0)
    with pytest.raises(CopyError, match="Raise half_window_s"):
        window_tests(LagGrid(half_window_s=20e-3), HollowOptions())
