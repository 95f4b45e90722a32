"""The strongest peak and trough of correlograms, looked for at many lags, in several widths, over three baselines.

A contrast is a window of lags minus what its baseline leads one to expect, as weights of the bins with unit
norm: applied to an excess of unit variance it is a z.  Baselines: none (``FLAT``, the excess is already over the
mean of all lags), the Gaussian surround (``HOLLOW``), the two flanks (``SHARP``: blind to whatever is wider than
the window).
"""

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.units import MS

_FIRST_S = 0.5 * MS  # a chemical synapse is not faster
_LAST_S = 24 * MS  # the slowest axon, 20 ms, and its potential's rise
_WIDTHS_S = (1 * MS, 2 * MS, 4 * MS, 8 * MS)
_SURROUND_SD_S = 10 * MS
_COURSES_S = ((0.2 * MS, 1 * MS), (0.5 * MS, 2 * MS), (1 * MS, 4 * MS), (2 * MS, 8 * MS))  # rise, decay
_AT_ONCE_S = (0.1 * MS, 0.3 * MS)  # of synapses that fire their target at once
_BUMP_SDS_S = (0.5 * MS, 1 * MS, 2 * MS, 4 * MS)
_LEAD_S = 4 * MS
_FINE = 20  # points in a bin where a course is averaged over it


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


class Courses(NamedTuple):
    """Templates of a synapse's course and of symmetric bumps, each without its 10 ms surroundings, of unit norm.

    A synapse starts at its delay and decays; what a third, unseen neuron puts into a correlogram is its course
    convolved with another one read backwards, which is symmetric and broader: on average it is no more like a course
    than like a course read backwards.
    """

    synapse: Float32[ndarray, "bins courses"]
    lead: Float32[ndarray, "bins courses"]  # the time just before each course, where a synapse does nothing yet
    decay_s: Float64[ndarray, " courses"]
    bump: Float32[ndarray, "bins bumps"]
    backward: Float32[ndarray, "bins courses"]  # the courses read backwards about 12 ms, the middle of the lags


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


def courses(grid: LagGrid) -> Courses:
    """Return the templates on this grid: delays to 24 ms, decays of 1 to 8 ms, bumps of sd 0.5 to 4 ms."""
    synapse: list[ndarray] = []
    lead: list[ndarray] = []
    bump: list[ndarray] = []
    backward: list[ndarray] = []
    decays: list[float] = []
    step = max(1, round(0.5 * MS / grid.bin_s))
    for rise_s, decay_s in _COURSES_S:
        for delay_s in _spaced(_FIRST_S, _LAST_S, max(step * grid.bin_s, decay_s / 4)):
            course = _Course(delay_s, rise_s, decay_s)
            synapse.append(_binned(grid, course))
            backward.append(_binned(grid, _Backward(course)))
            lead.append(_binned(grid, _Box(delay_s - _LEAD_S, delay_s)))
            decays.append(decay_s)
    for sd_s in _BUMP_SDS_S:
        for middle_s in _spaced(0.0, _LAST_S + 2 * MS, max(step * grid.bin_s, sd_s / 2)):
            bump.append(_binned(grid, _Bump(middle_s, sd_s)))
    tables = [_high_passed(rows, grid) for rows in (synapse, lead, bump, backward)]
    return Courses(tables[0], tables[1], np.array(decays), tables[2], tables[3])


def onset_s(counts: Float64[ndarray, " bins"], grid: LagGrid, peak_s: float, *, is_trough: bool) -> float:
    """Return the delay of the course that fits a correlogram best, no later than its peak (or trough).

    To half a bin.  A potential takes milliseconds to make a neuron fire, so the peak itself comes later: in dense
    networks by 2 ms, where the onset is right to .5 ms.
    """
    delay_s, table = _fine_courses(grid)
    fit = (counts - np.median(counts)) @ table * (-1.0 if is_trough else 1.0)
    return float(delay_s[np.argmax(np.where(delay_s <= max(peak_s, delay_s[0]), fit, -np.inf))])


@lru_cache(maxsize=4)
def usual_courses(grid: LagGrid) -> Float32[ndarray, "bins shapes delays"]:
    """Return templates of five shapes, each at delays from .5 to 24 ms in steps of .5 ms, or of a bin where longer."""
    delays_s = _spaced(_FIRST_S, _LAST_S, max(0.5 * MS, grid.bin_s))
    rows = [_binned(grid, _Course(delay_s, *shape)) for shape in (_AT_ONCE_S, *_COURSES_S) for delay_s in delays_s]
    return _high_passed(rows, grid).reshape(grid.n_bins, -1, len(delays_s))


@lru_cache(maxsize=4)
def _fine_courses(grid: LagGrid) -> tuple[Float64[ndarray, " courses"], Float32[ndarray, "bins courses"]]:
    delays_s = _spaced(_FIRST_S, _LAST_S, grid.bin_s / 2)
    shapes = (_AT_ONCE_S, *_COURSES_S)
    rows = [_binned(grid, _Course(delay_s, *shape)) for shape in shapes for delay_s in delays_s]
    return np.array(delays_s * len(shapes)), _high_passed(rows, grid)


def extremes(values: Float32[ndarray, "pre post bins"], weights: Float32[ndarray, "bins windows"]) -> Extremes:
    """Return the largest contrast of either sign of every correlogram, and its window."""
    used = np.flatnonzero(weights.any(axis=1))
    bins = slice(used[0], used[-1] + 1)  # windows without a baseline reach over a fifth of all lags
    z = values[:, :, bins] @ weights[bins]
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


class _Course(NamedTuple):
    delay_s: float
    rise_s: float
    decay_s: float

    def at(self, lag_s: ndarray) -> ndarray:
        after_s = np.maximum(lag_s - self.delay_s, 0.0)
        return np.exp(-after_s / self.decay_s) - np.exp(-after_s / self.rise_s)


class _Backward(NamedTuple):
    course: _Course

    def at(self, lag_s: ndarray) -> ndarray:
        return self.course.at(_FIRST_S + _LAST_S - lag_s)


class _Bump(NamedTuple):
    middle_s: float
    sd_s: float

    def at(self, lag_s: ndarray) -> ndarray:
        return np.exp(-0.5 * ((lag_s - self.middle_s) / self.sd_s) ** 2)


class _Box(NamedTuple):
    start_s: float
    stop_s: float

    def at(self, lag_s: ndarray) -> ndarray:
        return ((lag_s >= self.start_s) & (lag_s < self.stop_s)).astype(np.float64)


def _spaced(first_s: float, last_s: float, step_s: float) -> list[float]:
    return [float(x) for x in np.arange(first_s, last_s + step_s / 2, step_s)]


def _binned(grid: LagGrid, shape: _Course | _Backward | _Bump | _Box) -> Float64[ndarray, " bins"]:
    offset_s = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    return shape.at(grid.lag_s[:, None] + offset_s[None, :] * grid.bin_s).mean(axis=1)


def _high_passed(rows: list[ndarray], grid: LagGrid) -> Float32[ndarray, "bins templates"]:
    from scipy.ndimage import gaussian_filter1d

    table = np.array(rows)
    table = table - gaussian_filter1d(table, _SURROUND_SD_S / grid.bin_s, axis=1, mode="reflect")
    table /= np.sqrt(np.sum(table**2, axis=1, keepdims=True))
    return np.ascontiguousarray(table.T, dtype=np.float32)
