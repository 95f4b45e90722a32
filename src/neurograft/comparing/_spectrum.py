"""Spectrum of the population's spike count against that of a Poisson population."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.comparing._align import binned
from neurograft.spikes import SpikeTrains

_BANDS_PER_OCTAVE = 3
MIN_SEGMENTS = 2


def population_spectrum(
    trains: SpikeTrains, *, bin_s: float, segment_s: float
) -> tuple[Float64[ndarray, " bands"], Float64[ndarray, " bands"]]:
    """Return the centres of third-octave bands in hertz, and the population count's power in each.

    Welch (1967): Hann windows of ``segment_s``, half overlapping, inside epochs, the overall mean taken
    off.  Power is divided by the mean rate, so that a Poisson population has 1 at every frequency.
    Bands without a frequency line are left out.  All NaN with under two segments or without spikes.
    """
    size = round(segment_s / bin_s)
    line_hz = np.fft.rfftfreq(size, bin_s)[1:]
    band = np.floor(np.log2(line_hz / line_hz[0]) * _BANDS_PER_OCTAVE + 0.5).astype(int)
    used, index = np.unique(band, return_inverse=True)
    n_lines = np.bincount(index)
    band_hz = np.exp(np.bincount(index, np.log(line_hz)) / n_lines)
    bin_of, n_bins = binned(trains, bin_s)
    count = np.bincount(bin_of[bin_of >= 0], minlength=int(n_bins.sum())).astype(np.float64)
    mean = count.mean() if count.size else 0.0
    stop = np.cumsum(n_bins)
    starts = np.concatenate([np.arange(b - n, b - size + 1, size // 2) for n, b in zip(n_bins, stop, strict=True)])
    if starts.size < MIN_SEGMENTS or mean == 0:
        return band_hz, np.full(used.size, np.nan)
    window = np.hanning(size + 1)[:-1]
    power = np.zeros(size // 2 + 1)
    for start in starts:
        power += np.abs(np.fft.rfft((count[start : start + size] - mean) * window)) ** 2
    power /= starts.size * float(window @ window) * mean
    return band_hz, np.bincount(index, power[1:]) / n_lines


def spectrum_distance_db(a: Float64[ndarray, " bands"], b: Float64[ndarray, " bands"]) -> float:
    """Return the root mean square over bands of the two powers' ratio in decibels; NaN where one is unknown."""
    if np.isnan(a).any() or np.isnan(b).any():
        return np.nan
    floor = 1e-6  # 60 dB below Poisson: keeps an empty band of a short recording finite
    ratio_db = 10 * np.log10(np.maximum(a, floor) / np.maximum(b, floor))
    return float(np.sqrt(np.mean(ratio_db**2)))
