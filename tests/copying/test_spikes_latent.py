"""Common drive as the low-rank part of all correlograms: exact on what it assumes, blind to synapses."""

import numpy as np
import pytest

from neurograft.copying.spikes._correlogram import LagGrid, exposure
from neurograft.copying.spikes._latent import (
    DriveOptions,
    are_drives_told,
    excess,
    high_passed,
    low_rank,
    remove_drives,
)
from neurograft.errors import CopyError
from neurograft.spikes import spike_trains

GRID = LagGrid(bin_s=1e-3, half_window_s=40e-3)


def driven_excess(rng, *, n=32, n_drives=2, height=1.5, noise=1.0):
    """Drives with their own time courses and relative delays, plus unit noise; [j, i] is [i, j] read backwards."""
    loading = rng.standard_normal((n, n_drives))
    courses = np.empty((n_drives, n_drives, GRID.n_bins))
    for a in range(n_drives):
        for b in range(n_drives):
            shift = 0.0 if a == b else 5e-3 * (a - b)
            courses[a, b] = (1.0 if a == b else 0.3) * np.exp(-0.5 * ((GRID.lag_s - shift) / 8e-3) ** 2)
    drive = height * np.einsum("ia,abl,jb->ijl", loading, courses, loading)
    noisy = noise * rng.standard_normal(drive.shape)
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    noisy[upper.T] = noisy.transpose(1, 0, 2)[upper.T][:, ::-1]
    return (drive + noisy).astype(np.float32), drive


def test_the_fit_is_exact_for_what_is_of_low_rank_and_ignores_the_diagonal():
    rng = np.random.default_rng(1)
    _, drive = driven_excess(rng, noise=0.0)
    loading = np.linalg.svd(drive.reshape(len(drive), -1), full_matrices=False)[0][:, :2]
    spoiled = drive.astype(np.float32)
    spoiled[np.arange(32), np.arange(32)] = 1e3
    np.testing.assert_allclose(low_rank(spoiled, loading), drive, atol=1e-3 * np.abs(drive).max())


@pytest.mark.parametrize("n_drives", [1, 2, 3])
def test_drives_are_counted_and_their_part_goes(n_drives):
    rng = np.random.default_rng(2)
    values, drive = driven_excess(rng, n_drives=n_drives)
    cleaned, found, _ = remove_drives(values, GRID, DriveOptions())
    # The unknown autocorrelograms of strong drives may look like one drive more.
    assert n_drives <= found <= n_drives + 1
    off = ~np.eye(32, dtype=bool)
    left = np.sum((cleaned - (values - drive))[off] ** 2) / np.sum(drive[off] ** 2)
    assert left < 0.06  # unit noise on 32 loadings a drive


def test_noise_alone_has_no_drive_and_only_its_mean_moves():
    values, _ = driven_excess(np.random.default_rng(3), height=0.0)
    cleaned, found, _ = remove_drives(values, GRID, DriveOptions())
    assert found == 0
    np.testing.assert_allclose(cleaned, values, atol=0.5)  # centred anew, else as it was


def test_a_synapse_survives_the_removal_of_drives():
    rng = np.random.default_rng(4)
    values, _ = driven_excess(rng)
    peak = (GRID.lag_s > 1.5e-3) & (GRID.lag_s < 4.5e-3)
    values[3, 7, peak] += 6.0
    values[7, 3, peak[::-1]] += 6.0
    cleaned, _, _ = remove_drives(values, GRID, DriveOptions())
    assert cleaned[3, 7, peak].mean() > 4.5
    assert abs(cleaned[7, 3, peak].mean()) < 1.5


def test_each_option_decides_how_many_drives_go():
    values, _ = driven_excess(np.random.default_rng(5), n_drives=3)
    assert remove_drives(values, GRID, DriveOptions(most_drives=2))[1] == 2
    assert remove_drives(values, GRID, DriveOptions(neurons_per_drive=16))[1] == 2
    assert remove_drives(values, GRID, DriveOptions(strength=1e6))[1] == 0
    assert are_drives_told(16, DriveOptions())
    assert not are_drives_told(15, DriveOptions())  # too few neurons: nothing is removed
    assert not are_drives_told(16, DriveOptions(most_drives=0))
    assert remove_drives(values[:15, :15], GRID, DriveOptions())[1] == 0
    with pytest.raises(CopyError, match="out of range"):
        DriveOptions(strength=0.5)


def test_one_drive_that_reaches_twenty_neurons_at_different_moments_goes():
    """It takes several ranks: two, one for every eight neurons as before, left a third of it."""
    rng = np.random.default_rng(7)
    late_s = rng.uniform(0, 30e-3, 20)
    apart_s = GRID.lag_s - (late_s[None, :, None] - late_s[:, None, None])
    drive = 6.0 * np.exp(-0.5 * (apart_s / 8e-3) ** 2)
    values = (drive + rng.standard_normal(drive.shape)).astype(np.float32)
    off = ~np.eye(20, dtype=bool)

    def left(options: DriveOptions) -> float:
        cleaned = remove_drives(values, GRID, options)[0]
        near = np.abs(GRID.lag_s) < 20e-3
        return float(np.var(cleaned[off][:, near]))

    assert left(DriveOptions()) < 1.2  # noise is 1
    assert left(DriveOptions(neurons_per_drive=8)) > 1.5


def test_excess_of_poisson_counts_has_unit_variance_and_follows_exposure():
    rng = np.random.default_rng(6)
    counts = rng.poisson(25.0, size=(6, 6, GRID.n_bins)).astype(np.uint32)
    plain = excess(counts, np.ones(GRID.n_bins))
    assert np.std(plain.values) == pytest.approx(1.0, abs=0.03)
    np.testing.assert_allclose(plain.mean, counts.mean(axis=2))
    sloped = np.linspace(1.2, 0.8, GRID.n_bins)
    assert np.std(excess(counts, sloped).values) > 1.1


def test_exposure_falls_with_lag_in_short_epochs_only():
    def seen(epochs_s, **options):
        trains = spike_trains(time_s=np.zeros(0), neuron=np.zeros(0, dtype=np.int64), n_neurons=1, epochs_s=epochs_s)
        return exposure(trains, GRID, **options)

    short = seen(np.array([[0.0, 0.2], [0.2, 0.4]]))
    assert short[GRID.n_half] / short[-1] == pytest.approx(200 / 160, rel=1e-6)
    assert short.mean() == pytest.approx(1.0)
    joined = seen(np.array([[0.0, 0.2], [0.2, 0.4]]), is_gap_real_time=True)
    assert joined[GRID.n_half] / joined[-1] == pytest.approx(400 / 360, rel=1e-6)


def test_the_high_pass_takes_what_is_slow_and_leaves_what_is_fast():
    slow = np.exp(-0.5 * (GRID.lag_s / 30e-3) ** 2)
    fast = (np.abs(GRID.lag_s - 3e-3) < 0.6e-3).astype(float)
    values = np.stack([slow, fast, fast, slow]).reshape(2, 2, -1).astype(np.float32)
    left = high_passed(values, GRID, 5e-3)
    assert np.abs(left[0, 0, GRID.n_half - 20 : GRID.n_half + 20]).max() < 0.05
    assert left[0, 1].max() > 0.85


def test_one_strong_pair_is_no_drive_and_stays_whole():
    rng = np.random.default_rng(8)
    values, _ = driven_excess(rng, n=20, height=0.0)
    peak = np.where((GRID.lag_s > 0.5e-3) & (GRID.lag_s < 5e-3), 60.0, 0.0).astype(np.float32)
    values[2, 7] += peak
    values[7, 2] += peak[::-1]
    cleaned, found, _ = remove_drives(values, GRID, DriveOptions())
    assert found == 0
    assert cleaned[2, 7][peak > 0].mean() > 50
    # Allowed to take what two neurons share, the fit takes the synapse for a drive.
    _, taken, _ = remove_drives(values, GRID, DriveOptions(least_shared=1.0))
    assert taken > 0


def test_smoothing_by_a_matrix_is_the_filter():
    from scipy.ndimage import gaussian_filter1d

    values = np.random.default_rng(9).standard_normal((3, 3, GRID.n_bins)).astype(np.float32)
    np.testing.assert_allclose(
        values - high_passed(values, GRID, 10e-3), gaussian_filter1d(values, 10.0, axis=2, mode="reflect"), atol=1e-5
    )


def test_noise_is_even_again_where_a_drive_makes_neurons_fire_together():
    # Counts with a bump at short lags that all pairs share: their scatter follows the bump.
    rng = np.random.default_rng(7)
    n, mean = 40, 20.0
    expected = mean * (1 + 3 * np.exp(-0.5 * (GRID.lag_s / 6e-3) ** 2))
    counts = rng.poisson(expected, (n, n, GRID.n_bins)).astype(np.uint32)
    counts[np.arange(n), np.arange(n)] = round(mean)
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    counts[upper.T] = counts.transpose(1, 0, 2)[upper.T][:, ::-1]
    values, means = excess(counts, np.ones(GRID.n_bins))
    undriven = remove_drives(values, GRID, DriveOptions())
    assert undriven.n_drives >= 1
    middle, far = np.abs(GRID.lag_s) < 2e-3, np.abs(GRID.lag_s) > 30e-3
    even = undriven.even(means)[upper]
    assert undriven.values[upper][:, middle].std() > 1.3 * undriven.values[upper][:, far].std()
    assert even[:, middle].std() == pytest.approx(1.0, abs=0.08)  # loadings fitted to 40 neurons take a few per cent
    assert even[:, far].std() == pytest.approx(1.0, abs=0.08)
