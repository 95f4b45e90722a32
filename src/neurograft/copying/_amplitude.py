"""From lag coefficients to one postsynaptic potential a pair: amplitude, latency, and one test statistic.

Nine free coefficients spend power on shapes that no synapse has.  A postsynaptic potential is a difference of
two exponentials; its image in the whitened coefficients is known for every target (the target's own filter
applied to it), so one amplitude is fitted by generalised least squares at each of a few latencies.  Rise and
decay are common to the recording and are chosen by the strongest pairs' likelihood, without any label.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying._design import CHEMICAL, LagBoxes
from neurograft.copying._regression import MIN_SHARE, Fit
from neurograft.copying._whiten import Whitener
from neurograft.units import MS

_FINE = 20  # steps a row in which a potential is averaged


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PotentialGrid:
    """Postsynaptic potentials that are looked for (latency: from the action potential's rise)."""

    latency_s: tuple[float, ...] = tuple(k * 0.5 * MS for k in range(1, 15))
    rise_s: tuple[float, ...] = (0.3 * MS, 1 * MS, 2 * MS, 4 * MS)
    decay_s: tuple[float, ...] = (5 * MS, 10 * MS, 20 * MS, 40 * MS)


class Shape(NamedTuple):
    """Time constants of a postsynaptic potential."""

    rise_s: float
    decay_s: float


class Potentials(NamedTuple):
    """The best potential of every pair; ``z`` is its amplitude over its standard error, the largest by latency."""

    amplitude_v: Float64[ndarray, "pre post"]
    se_v: Float64[ndarray, "pre post"]
    z: Float64[ndarray, "pre post"]
    latency_s: Float64[ndarray, "pre post"]
    latency_sd_s: Float64[ndarray, "pre post"]


def potential(shape: Shape, latency_s: float, *, n_rows: int, row_rate_hz: float) -> Float64[ndarray, " rows"]:
    """Return the row means, from the spike's row on, of a potential of peak 1, the spike anywhere in its row."""
    t_s = (np.arange(n_rows * _FINE) + 0.5) / (_FINE * row_rate_hz)
    since_s = np.maximum(t_s - latency_s, 0.0)
    wave = np.exp(-since_s / shape.decay_s) - np.exp(-since_s / shape.rise_s)
    peak_s = np.log(shape.decay_s / shape.rise_s) / (1 / shape.rise_s - 1 / shape.decay_s)
    wave /= np.exp(-peak_s / shape.decay_s) - np.exp(-peak_s / shape.rise_s)
    phases = np.concatenate([np.zeros(_FINE - 1), wave])
    spread = np.convolve(phases, np.full(_FINE, 1 / _FINE), mode="valid")  # spike uniform within its row
    return spread.reshape(n_rows, _FINE).mean(axis=1)


def images(
    shape: Shape, latency_s: tuple[float, ...], whitener: Whitener, boxes: LagBoxes, row_rate_hz: float
) -> Float64[ndarray, "latencies boxes neurons"]:
    """Return what a potential of 1 V looks like in each target's chemical coefficients."""
    order, n = whitener.coefficient.shape
    reach = int(boxes.high.max())
    out = np.empty((len(latency_s), len(boxes.low) - CHEMICAL, n))
    for k, latency in enumerate(latency_s):
        wave = potential(shape, latency, n_rows=reach, row_rate_hz=row_rate_hz)
        white = np.repeat(wave[:, None], n, axis=1)
        for lag in range(1, min(order, reach - 1) + 1):
            white[lag:] -= wave[:-lag, None] * whitener.coefficient[lag - 1]
        for b in range(CHEMICAL, len(boxes.low)):
            out[k, b - CHEMICAL] = white[boxes.low[b] : boxes.high[b]].mean(axis=0)
    return out


def potentials(
    fit: Fit, image: Float64[ndarray, "latencies boxes neurons"], latency_s: tuple[float, ...]
) -> Potentials:
    """Return the best-fitting potential of every pair; NaN where pre or post cannot be used."""
    n = len(fit.n_spikes)
    columns = [np.full((n, n), np.nan) for _ in range(5)]
    grid_s = np.array(latency_s)
    noise = np.where(fit.noise > 0, fit.noise, np.nan)
    for i in np.flatnonzero(fit.n_spikes):
        share = np.sqrt(np.where(fit.share[i, CHEMICAL:] >= MIN_SHARE, fit.share[i, CHEMICAL:], 0.0))
        P = np.linalg.inv(fit.inverse_block[i, CHEMICAL:, CHEMICAL:])
        weighted = P @ (share * fit.beta[i, CHEMICAL:])
        scaled = image * share
        score = np.einsum("lbj,bj->lj", scaled, weighted) / noise[i]
        information = np.einsum("lbj,bc,lcj->lj", scaled, P, scaled, optimize=True)
        information[information <= 0] = np.nan
        z = score / np.sqrt(information)
        best = np.argmax(np.nan_to_num(np.abs(z)), axis=0)
        j = np.arange(n)
        odds = np.exp(0.5 * np.nan_to_num(z**2 - z[best, j] ** 2))
        odds /= odds.sum(axis=0)
        mean_s = grid_s @ odds
        columns[0][i] = score[best, j] * noise[i] / information[best, j]
        columns[1][i] = noise[i] / np.sqrt(information[best, j])
        columns[2][i] = z[best, j]
        columns[3][i] = mean_s
        columns[4][i] = np.sqrt(np.maximum(grid_s**2 @ odds - mean_s**2, 0.0))
    for column in columns:
        np.fill_diagonal(column, np.nan)
    return Potentials(*columns)


def choose_shape(
    fit: Fit, whitener: Whitener, boxes: LagBoxes, grid: PotentialGrid, row_rate_hz: float, *, strong_z: float = 6.0
) -> Shape:
    """Return the time constants under which the strong pairs are likeliest (the middle ones when none is strong)."""
    best, best_gain = (
        Shape(sorted(grid.rise_s)[len(grid.rise_s) // 2], sorted(grid.decay_s)[len(grid.decay_s) // 2]),
        0.0,
    )
    for rise_s in grid.rise_s:
        for decay_s in grid.decay_s:
            if rise_s < decay_s:
                shape = Shape(rise_s, decay_s)
                z = potentials(fit, images(shape, grid.latency_s, whitener, boxes, row_rate_hz), grid.latency_s).z
                gain = float(np.sum(np.nan_to_num(z[np.abs(z) > strong_z]) ** 2))
                if gain > best_gain:
                    best, best_gain = shape, gain
    return best
