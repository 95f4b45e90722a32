"""The strongest peak and trough of correlograms, looked for at many lags, in several widths, over three baselines.

A contrast is a window of lags minus what its baseline leads one to expect, as weights of the bins with unit
norm: applied to an excess of unit variance it is a z.  Baselines: none (``FLAT``, the excess is already over the
mean of all lags), the Gaussian surround (``HOLLOW``), the two flanks (``SHARP``: blind to whatever is wider than
the window).
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.copying._correlogram import LagGrid
from neurograft.units import MS

_FIRST_S = 0.5 * MS  # a chemical synapse is not faster
_LAST_S = 24 * MS  # the slowest axon, 20 ms, and its potential's rise
_WIDTHS_S = (1 * MS, 2 * MS, 4 * MS, 8 * MS)
_SURROUND_SD_S = 10 * MS


class Baseline(IntEnum):
    """What a window is compared with."""

    FLAT = 0
    HOLLOW = 1
    SHARP = 2


class Contrasts(NamedTuple):
    """Contrasts of all windows, causal side; ``mirrored`` look at the same lags before the spike."""

    weights: Float32[ndarray, "bins windows"]
    lag_s: Float64[ndarray, " windows"]  # middle of the window
    width_s: Float64[ndarray, " windows"]

    @property
    def mirrored(self) -> Float32[ndarray, "bins windows"]:
        """The acausal side."""
        return np.ascontiguousarray(self.weights[::-1])


class Extremes(NamedTuple):
    """Of each pair the strongest peak and trough; axes pre, post."""

    peak: Float32[ndarray, "pre post"]
    peak_window: ndarray
    trough: Float32[ndarray, "pre post"]  # positive where there is a trough
    trough_window: ndarray


def contrasts(grid: LagGrid, baseline: Baseline) -> Contrasts:
    """Return the contrasts on this grid; windows of a millisecond or a bin, whichever is longer, and up."""
    lag_s = grid.lag_s
    spans = sorted({max(1, round(width_s / grid.bin_s)) for width_s in _WIDTHS_S})
    first = grid.n_half + int(np.floor(_FIRST_S / grid.bin_s + 0.5)) + 1 - (grid.bin_s >= 2 * _FIRST_S - 1e-9)
    last = grid.n_half + min(round(_LAST_S / grid.bin_s), grid.n_half - 1)
    rows: list[ndarray] = []
    middle: list[float] = []
    width: list[float] = []
    for span in spans:
        for start in range(first, last - span + 2, max(1, span // 2)):
            inside = np.zeros(grid.n_bins)
            inside[start : start + span] = 1.0
            row = inside - _expected(inside, start, span, grid, baseline)
            rows.append(row / np.sqrt(np.sum(row**2)))
            middle.append(float(lag_s[start : start + span].mean()))
            width.append(span * grid.bin_s)
    return Contrasts(np.array(rows, dtype=np.float32).T.copy(), np.array(middle), np.array(width))


def extremes(values: Float32[ndarray, "pre post bins"], weights: Float32[ndarray, "bins windows"]) -> Extremes:
    """Return the largest contrast of either sign of every correlogram, and its window."""
    z = values @ weights
    high, low = z.argmax(axis=2), z.argmin(axis=2)
    peak = np.take_along_axis(z, high[..., None], axis=2)[..., 0]
    trough = -np.take_along_axis(z, low[..., None], axis=2)[..., 0]
    return Extremes(peak, high, trough, low)


def whitened(
    values: Float32[ndarray, "pre post bins"],
    spectrum: Float32[ndarray, "neurons frequencies"],
    first: int,
) -> Float32[ndarray, "pre post bins"]:
    """Return correlograms from which both autocorrelograms are removed, noise white and of unit variance.

    The noise of the correlogram of two independent trains has the product of their spectra as spectrum
    (Bartlett; Brillinger 1976), so dividing by its root makes it white; a burst's echoes of a peak go
    with it.  (Spivak 2022 divide by the product, which amplifies noise.)
    """
    from scipy.fft import irfft, rfft

    n_bins = values.shape[2]
    size = 2 * (spectrum.shape[1] - 1)
    root = np.sqrt(spectrum)
    part = rfft(values, n=size, axis=2)
    part /= root[first : first + len(values), None, :]
    part /= root[None, :, :]
    return irfft(part, n=size, axis=2)[:, :, :n_bins]


def spectra(
    autos: Float32[ndarray, "neurons bins"], grid: LagGrid, *, smallest: float = 0.2
) -> Float32[ndarray, "neurons frequencies"]:
    """Return each train's spectrum over that of a Poisson train, from its unit-variance autocorrelogram excess.

    ``autos`` is (counts - mean) / rate of the neuron's spikes: what is added to 1 at lag 0.  Tapered, so that the
    end of the lags makes no ripples, and never below ``smallest``.
    """
    from scipy.fft import next_fast_len, rfft

    size = 2 * (next_fast_len(int(1.5 * grid.n_bins) // 2 + 1))
    taper = np.cos(0.5 * np.pi * np.arange(-grid.n_half, grid.n_half + 1) / (grid.n_half + 1)) ** 2
    both = (autos + autos[:, ::-1]) / 2 * taper
    around = np.zeros((len(autos), size), dtype=np.float32)
    around[:, : grid.n_half + 1] = both[:, grid.n_half :]
    around[:, size - grid.n_half :] = both[:, : grid.n_half]
    around[:, 0] += 1.0
    return np.maximum(rfft(around, axis=1).real, smallest).astype(np.float32)


def _expected(inside: ndarray, start: int, span: int, grid: LagGrid, baseline: Baseline) -> ndarray:
    if baseline == Baseline.FLAT:
        return np.zeros(grid.n_bins)
    if baseline == Baseline.SHARP:
        flanks = np.zeros(grid.n_bins)
        gap = max(1, span // 2)
        flanks[max(0, start - gap - span) : start - gap] = 1.0
        flanks[start + span + gap : start + 2 * span + gap] = 1.0
        return flanks * (span / flanks.sum())
    distance = (np.flatnonzero(inside)[:, None] - np.arange(grid.n_bins)[None, :]) * grid.bin_s
    weight = np.exp(-0.5 * (distance / _SURROUND_SD_S) ** 2) * (inside == 0)
    return np.sum(weight / weight.sum(axis=1, keepdims=True), axis=0)
