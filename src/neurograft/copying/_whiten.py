"""Membrane potentials made ready for regression: own action potentials out, drift out, noise made white."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying._chunks import chunks, n_chunks
from neurograft.copying._coupling import Coupling
from neurograft.copying._timeline import Timeline
from neurograft.progress import Progress
from neurograft.recordings import Recording
from neurograft.units import MS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteningOptions:
    """How traces are prepared."""

    blank_s: tuple[float, float] = (2 * MS, 8 * MS)  # around an own action potential's rise: weight 0
    drift_sd_s: float = 300 * MS  # of the Gaussian that is taken for drift
    ar_order: int = 12
    chunk_s: float = 10.0


class Prepared(NamedTuple):
    """Rows of one chunk: membrane volts without drift, ``before`` rows of which come from the past."""

    first_row: int  # of the time line, of the chunk's own first row
    before: int
    volts: Float64[ndarray, "rows neurons"]
    weight: Float64[ndarray, "rows neurons"]  # 0 where blanked, else 1


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traces:
    """A recording as regression wants it: which channel is which neuron, when it fires, what a volt is worth."""

    recording: Recording
    line: Timeline
    channel: Int64[ndarray, " neurons"]
    coupling: Coupling
    spike_row: tuple[Int64[ndarray, " _"], ...]  # of every neuron, sorted
    artefact_row: Int64[ndarray, " artefacts"]
    options: WhiteningOptions


def prepared(traces: Traces, progress: Progress, what: str) -> Iterator[Prepared]:
    """Yield all rows of the time line that lie in a segment, chunk after chunk."""
    recording, line, options = traces.recording, traces.line, traces.options
    sd_rows = options.drift_sd_s * line.rate_hz
    reach = round(4 * sd_rows) + options.ar_order
    size = max(round(options.chunk_s * line.rate_hz), 1) * line.factor
    total = n_chunks(recording, chunk_frames=size)
    before_rows, after_rows = (round(t * line.rate_hz) for t in options.blank_s)
    for done, chunk in enumerate(chunks(recording, chunk_frames=size, margin_frames=reach * line.factor)):
        progress(what, done, total)
        n_rows = len(chunk.volts) // line.factor
        own_rows = min((chunk.stop - chunk.first) // line.factor, n_rows - chunk.before // line.factor)
        if own_rows <= 0:
            continue
        first = chunk.first // line.factor - chunk.before // line.factor
        row = int(line.offset[chunk.segment]) + first
        time_s = recording.segment_start_s[chunk.segment] + (first + np.arange(n_rows) + 0.5) / line.rate_hz
        volts = _row_means(chunk.volts, n_rows, line.factor)[:, traces.channel]
        volts = volts * traces.coupling.at(time_s)[:, traces.channel]
        weight = (_row_means(chunk.is_ok, n_rows, line.factor)[:, traces.channel] == 1.0).astype(np.float64)
        for j, spikes in enumerate(traces.spike_row):
            _blank(spikes - row, before_rows, after_rows, weight[:, j])
            _blank(traces.artefact_row - row, before_rows, after_rows, weight[:, j])
            volts[:, j] = bridged(volts[:, j], weight[:, j])
        volts -= _smooth(volts, sd_rows)
        own = chunk.before // line.factor
        keep = min(own, options.ar_order)
        part = slice(own - keep, own + own_rows)
        yield Prepared(row + own, keep, volts[part], weight[part])


def bridged(volts: Float64[ndarray, " rows"], weight: Float64[ndarray, " rows"]) -> Float64[ndarray, " rows"]:
    """Return the trace with a straight line over each blank (only filters see it: its own weight stays 0)."""
    known = np.flatnonzero(weight)
    if known.size in (0, len(volts)):
        return volts
    out = volts.copy()
    blank = np.flatnonzero(weight == 0)
    out[blank] = np.interp(blank, known, volts[known])
    return out


class Whitener(NamedTuple):
    """e(t) = V(t) - sum_l coefficient[l - 1] V(t - l), one column of coefficients a neuron."""

    coefficient: Float64[ndarray, "order neurons"]

    def whiten(self, part: Prepared) -> Float64[ndarray, "rows neurons"]:
        """Return the innovations of the chunk's own rows (rows without enough past take zeros for it)."""
        order = len(self.coefficient)
        volts = np.concatenate([np.zeros((order - part.before, part.volts.shape[1])), part.volts])
        out = volts[order:].copy()
        for lag in range(1, order + 1):
            out -= self.coefficient[lag - 1] * volts[order - lag : len(volts) - lag]
        return out


def yule_walker(traces: Traces, progress: Progress) -> Whitener:
    """Return each neuron's autoregressive coefficients from its kept samples (reads the recording once)."""
    order, n = traces.options.ar_order, len(traces.channel)
    products, pairs = np.zeros((order + 1, n)), np.zeros((order + 1, n))
    for part in prepared(traces, progress, "measuring each membrane's noise"):
        weighted = part.volts * part.weight
        for lag in range(min(order, len(weighted) - 1) + 1):
            now = max(part.before, lag)
            products[lag] += np.sum(weighted[now:] * weighted[now - lag : len(weighted) - lag], axis=0)
            pairs[lag] += np.sum(part.weight[now:] * part.weight[now - lag : len(weighted) - lag], axis=0)
    covariance = products / np.maximum(pairs, 1.0)
    coefficient = np.zeros((order, n))
    for j in range(n):
        if covariance[0, j] > 0:
            coefficient[:, j] = _levinson(covariance[:, j])
    return Whitener(coefficient)


def _levinson(covariance: Float64[ndarray, " lags"]) -> Float64[ndarray, " order"]:
    """Solve the Yule-Walker equations; a hair is added at lag 0 so that a noiseless trace can be solved too."""
    from scipy.linalg import solve_toeplitz

    ridge = covariance[:-1].copy()
    ridge[0] *= 1 + 1e-9
    return np.asarray(solve_toeplitz(ridge, covariance[1:]))


def _row_means(samples: ndarray, n_rows: int, factor: int) -> Float64[ndarray, "rows channels"]:
    return samples[: n_rows * factor].reshape(n_rows, factor, samples.shape[1]).mean(axis=1)


def _smooth(volts: Float64[ndarray, "rows neurons"], sd_rows: float) -> Float64[ndarray, "rows neurons"]:
    """Return the Gaussian smooth; at the recording's edges it is normalised by the part that lies inside.

    A wide Gaussian is taken of means of a tenth of its sd, linear in between: the same to 1e-3 and far quicker.
    """
    from scipy.ndimage import gaussian_filter1d

    step = max(int(sd_rows / 10), 1)
    n, n_blocks = len(volts), -(-len(volts) // step)
    start = np.arange(n_blocks) * step
    size = np.diff(np.append(start, n)).astype(np.float64)
    total = np.add.reduceat(volts, start, axis=0)
    smooth = gaussian_filter1d(total, sd_rows / step, axis=0, mode="constant")
    smooth /= gaussian_filter1d(size, sd_rows / step, mode="constant")[:, None]
    out = np.empty_like(volts)
    _interpolate(smooth, start + (size - 1) / 2, out)
    return out


@njit(cache=True)
@no_type_check
def _interpolate(values, knots, out):
    """Fill ``out`` with values linear between knots, constant outside."""
    k = 0
    for row in range(len(out)):
        while k + 2 < len(knots) and row > knots[k + 1]:
            k += 1
        share = 0.0 if len(knots) == 1 else min(max((row - knots[k]) / (knots[k + 1] - knots[k]), 0.0), 1.0)
        for c in range(out.shape[1]):
            out[row, c] = values[k, c] if share == 0.0 else (1 - share) * values[k, c] + share * values[k + 1, c]


@njit(cache=True)
@no_type_check
def _blank(rows, before, after, weight):
    """Set the weight to 0 from ``before`` rows before each row to ``after`` rows after it."""
    n = len(weight)
    for row in rows:
        for k in range(max(row - before, 0), min(row + after + 1, n)):
            weight[k] = 0.0
