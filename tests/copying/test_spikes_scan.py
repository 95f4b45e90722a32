"""Peaks and troughs of correlograms: what contrasts see, what they are blind to, and that noise stays noise."""

import numpy as np
import pytest

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._scan import Baseline, contrasts, courses, extremes, onset_s, spectra, whitened

GRID = LagGrid()
each_baseline = pytest.mark.parametrize("baseline", list(Baseline))
each_grid = pytest.mark.parametrize("grid", [LagGrid(), LagGrid(bin_s=1e-3)], ids=["half", "one"])


@each_baseline
@each_grid
def test_contrasts_have_unit_norm_and_look_at_causal_lags_only(baseline, grid):
    tests = contrasts(grid, baseline)
    assert np.allclose(np.sum(tests.weights.astype(float) ** 2, axis=0), 1.0, atol=1e-5)
    assert tests.lag_s.min() >= 0.99e-3
    assert tests.lag_s.max() <= 24e-3
    assert set(np.round(tests.width_s * 1e3)) >= {1.0, 2.0, 4.0, 8.0}
    largest = tests.weights.argmax(axis=0)
    assert np.all(grid.lag_s[largest] >= 0.74e-3)
    if baseline != Baseline.FLAT:
        assert np.allclose(tests.weights.sum(axis=0), 0.0, atol=1e-4)


@each_grid
def test_the_sharp_contrast_sees_a_peak_and_not_a_slow_wave(grid):
    wave = np.exp(-0.5 * (grid.lag_s / 30e-3) ** 2)
    peak = (np.abs(grid.lag_s - 4e-3) < 1.2e-3).astype(float)
    z = {
        b: extremes((wave[None, None] * 3).astype(np.float32), contrasts(grid, b).weights).peak[0, 0] for b in Baseline
    }
    assert z[Baseline.FLAT] > 8
    assert z[Baseline.SHARP] < 1.0
    assert z[Baseline.HOLLOW] < z[Baseline.FLAT] / 4
    for baseline in Baseline:
        tests = contrasts(grid, baseline)
        found = extremes((10 * peak[None, None]).astype(np.float32), tests.weights)
        assert tests.lag_s[found.peak_window[0, 0]] == pytest.approx(4e-3, abs=1e-3)
        assert found.peak[0, 0] > 10


@each_baseline
def test_extremes_equal_the_slow_search(baseline):
    tests = contrasts(GRID, baseline)
    values = np.random.default_rng(1).standard_normal((3, 4, GRID.n_bins)).astype(np.float32)
    found = extremes(values, tests.weights)
    back = extremes(values[:, :, ::-1].copy(), tests.mirrored)
    for i in range(3):
        for j in range(4):
            z = [float(np.dot(values[i, j].astype(float), column)) for column in tests.weights.T.astype(float)]
            assert found.peak[i, j] == pytest.approx(max(z), abs=1e-4)
            assert found.trough[i, j] == pytest.approx(-min(z), abs=1e-4)
            assert found.peak_window[i, j] == int(np.argmax(z))
            assert back.peak[i, j] == pytest.approx(max(z), abs=1e-4)


def test_whitening_makes_the_noise_of_bursty_trains_white_and_of_unit_variance():
    # Filtering white noise by two trains' spectra is what bursts do to their correlogram.
    rng = np.random.default_rng(2)
    n = 6
    decay = np.exp(-np.abs(GRID.lag_s) / 5e-3)
    decay[GRID.n_half] = 0.0
    autos = (0.2 * decay[None, :] * np.linspace(0, 1, n)[:, None]).astype(np.float32)
    spectrum = spectra(autos, GRID)
    assert np.allclose(spectrum[0], 1.0, atol=1e-5)
    size = 2 * (spectrum.shape[1] - 1)
    noise = rng.standard_normal((400, n, n, size))
    shaped = np.fft.irfft(
        np.fft.rfft(noise, axis=3) * np.sqrt(spectrum)[:, None, :] * np.sqrt(spectrum)[None, :, :], n=size, axis=3
    )
    assert np.std(shaped[:, n - 1, n - 1]) > 1.1
    clean = np.array([whitened(one[:, :, : GRID.n_bins].astype(np.float32), spectrum, 0) for one in shaped])
    inner = clean[:, n - 1, n - 1, 60:-60]
    assert np.std(inner) == pytest.approx(1.0, abs=0.03)
    assert abs(np.mean(inner[:, 1:] * inner[:, :-1])) < 0.05
    assert np.mean(shaped[:, n - 1, n - 1, 1:] * shaped[:, n - 1, n - 1, :-1]) > 0.2


def test_whitening_of_poisson_trains_changes_nothing():
    values = np.random.default_rng(3).standard_normal((2, 2, GRID.n_bins)).astype(np.float32)
    flat = spectra(np.zeros((2, GRID.n_bins), dtype=np.float32), GRID)
    np.testing.assert_allclose(whitened(values, flat, 0), values, atol=1e-5)


@each_grid
def test_a_synapses_course_fits_better_than_a_bump_and_the_other_way_round(grid):
    table = courses(grid)
    for columns in (table.synapse, table.lead, table.bump, table.backward):
        np.testing.assert_allclose(np.sum(columns.astype(np.float64) ** 2, axis=0), 1.0, rtol=1e-5)
        assert np.abs(columns.sum(axis=0)).max() < 0.5  # blind to a constant, up to the ends of the lags
    for delay_s in (1.3e-3, 8.2e-3, 19.6e-3):
        after_s = np.maximum(grid.lag_s - delay_s, 0.0)
        synapse = np.exp(-after_s / 3e-3) - np.exp(-after_s / 0.8e-3)
        assert (synapse @ table.synapse).max() > 1.02 * (synapse @ table.bump).max()
        bump = np.exp(-0.5 * ((grid.lag_s - delay_s) / 3e-3) ** 2)
        assert (bump @ table.bump).max() > 1.02 * (bump @ table.synapse).max()
        # Before a synapse's course there is nothing, before the middle of a bump there is.
        best = (synapse @ table.synapse).argmax()
        assert synapse @ table.lead[:, best] < 0.1 * (synapse @ table.synapse[:, best])
        assert (synapse @ table.synapse).max() > 1.05 * (synapse @ table.backward).max()
    # About the middle of the lags a bump read backwards is the same.
    bump = np.exp(-0.5 * ((grid.lag_s - 12.25e-3) / 3e-3) ** 2)
    assert (bump @ table.synapse).max() == pytest.approx((bump @ table.backward).max(), rel=0.02)


@each_grid
@pytest.mark.parametrize("delay_s", [1.1e-3, 4.3e-3, 12.6e-3, 20e-3])
def test_the_onset_is_the_delay_and_not_the_peak(grid, delay_s):
    after_s = np.maximum(grid.lag_s - delay_s, 0.0)
    rise = np.exp(-after_s / 5e-3) - np.exp(-after_s / 1.5e-3)
    for is_trough in (False, True):
        counts = 200.0 + (-150.0 if is_trough else 300.0) * rise
        peak_s = float(grid.lag_s[rise.argmax()])
        assert peak_s - delay_s > 1.5e-3
        assert onset_s(counts, grid, peak_s, is_trough=is_trough) == pytest.approx(delay_s, abs=0.8e-3)
