"""Membrane potentials made ready for regression: own action potentials out, drift out, noise made white."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.reading._budget import MOST_ROWS_OF_64_BITS, Budget
from neurograft.copying.intracellular.reading._kept import Kept
from neurograft.copying.intracellular.reading._library import ArrayLibrary
from neurograft.copying.intracellular.reading._thin import Thin
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.copying.intracellular.reading._timeline import Timeline
from neurograft.copying.intracellular.regression._prepare import Scaled, blank, blank_rows, scaled, turn, without_drift
from neurograft.progress import Progress
from neurograft.units import MS

_STILL_NEURONS = 10.0
_STILLEST = 0.5  # of the median unrest: stiller rows are worth no more
_LEAST_WEIGHT = 0.02
_HAIR = 1e-9
_LEAST_ROWS = 1000.0
_ROWS_THAT_TELL = 200_000  # a membrane's memory to two parts in a thousand
_OWN_SPIKES = 5
_SETTLING_ROWS = 2  # after a blank: as many as the filters' coefficients that count
_STILL_AFTER_S = 8 * MS  # an action potential, its reset is over
_ONSET_ROWS = 2  # before the row of the steepest rise: the last that holds nothing of the upstroke
_LANE_BYTES = 256  # of neurons that kernels take together
ALL = slice(None)  # chunks
_UNREST_NEURONS = 512  # as many, drawn at random, tell how still the network is: to a hundredth


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteningOptions:
    """How traces are prepared."""

    blank_s: tuple[float, float] = (5 * MS, 4 * MS)  # around an own action potential's rise: weight 0
    drift_sd_s: float = 300 * MS  # of the Gaussian that is taken for drift
    ar_order: int = 8
    unrest_s: float = 10 * MS  # sd of the Gaussian over which the network's unrest is averaged
    chunk_s: float = 10.0


Block = Int64[ndarray, " targets"]
"""Numbers of neurons."""


class Prepared(NamedTuple):
    """Rows of one chunk: membrane volts without drift, ``before`` rows of which come from the past."""

    first_row: int  # of the time line, of the chunk's own first row
    before: int
    volts: Float[ndarray, "rows neurons"]
    weight: Float[ndarray, "rows neurons"]  # 0 where blanked, else 1

    def settled(self) -> Float[ndarray, "rows neurons"]:
        """Return the weights of the chunk's own rows for their innovations: 0 also in the first rows after a blank.

        These are foretold from the straight line over the blank.  Membranes go on as two rows before them say, so of
        a second row after an action potential a hundred times the usual power was left, and most of all noise.
        """
        return self.blanked_for(_SETTLING_ROWS)[self.before :]

    def blanked_for(self, later: int) -> Float[ndarray, "rows neurons"]:
        """Return all rows' weights with every blank so many rows longer."""
        out = self.weight.copy()
        for lag in range(1, later + 1):
            out[lag:] *= self.weight[:-lag]
        return out


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traces:
    """A recording as regression wants it: which channel is which neuron, when it fires, what a volt is worth."""

    thin: Thin
    line: Timeline
    channel: Int64[ndarray, " neurons"]
    coupling: Coupling
    spike_row: tuple[Int64[ndarray, " _"], ...]  # of every neuron, sorted
    artefact_row: Int64[ndarray, " artefacts"]
    options: WhiteningOptions
    memory: Budget = field(default_factory=Budget)
    n_threads: int = 1
    library: ArrayLibrary | None = None  # of the regression's dense products; None is the way by pairs of spikes
    kept: tuple[Prepared, ...] = ()  # what ``prepared`` yields of all neurons, where it fits into memory
    keep: Kept = field(default_factory=Kept)  # results of steps, beside the pieces

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """What prepared rows are: of large recordings 32 bits, which lose one part in ten million of a potential."""
        is_large = self.line.n_rows * len(self.channel) > MOST_ROWS_OF_64_BITS
        return np.dtype(np.float32 if is_large else np.float64)

    def blocks(self, some: Int64[ndarray, " some"] | None = None) -> list[Block]:
        """Return neurons, all or some, in blocks whose prepared traces take some hundred megabytes."""
        neurons = np.arange(len(self.channel)) if some is None else some
        lanes = _LANE_BYTES // self.dtype.itemsize
        width = max(self.memory.block_bytes() // (2 * self.dtype.itemsize * self.line.n_rows) // lanes, 1) * lanes
        return [neurons[first : first + width] for first in range(0, len(neurons), width)]

    def select(self, neurons: Block) -> "Traces":
        """Return some neurons' traces, the time line unchanged."""
        parts = [Prepared(p.first_row, p.before, p.volts[:, neurons], p.weight[:, neurons]) for p in self.kept]
        trains = tuple(self.spike_row[j] for j in neurons)
        return replace(self, channel=self.channel[neurons], spike_row=trains, kept=tuple(parts))


def in_memory(traces: Traces, progress: Progress) -> Traces:
    """Return traces that are prepared once and kept, or these where that would take too much memory."""
    if 2 * traces.dtype.itemsize * traces.line.n_rows * len(traces.channel) > traces.memory.kept_bytes():
        return traces
    progress("preparing traces", 0, 1)
    return replace(traces, kept=tuple(prepared(traces, np.arange(len(traces.channel)))))


class _Rows(NamedTuple):
    """Membrane volts of one chunk, channel by channel, margins included; ``own`` are the chunk's own rows."""

    first_row: int  # of the time line, of the first row here
    own: slice
    traces: Scaled


def chunks_of(traces: Traces) -> list[tuple[int, int]]:
    """Return segment and first row, in it, of each chunk; those that are whole stay as they are while traces grow."""
    size = max(round(traces.options.chunk_s * traces.line.rate_hz), 1)
    return [(k, first) for k, n in enumerate(traces.thin.segment_rows) for first in range(0, n, size)]


def each_chunk(traces: Traces, margin_rows: int, block: Block, *, chunks: slice = ALL) -> Iterator[_Rows]:
    """Yield a block's traces chunk after chunk, or some chunks, with margins where the segment has them."""
    thin, line, channel = traces.thin, traces.line, traces.channel[block]
    size = max(round(traces.options.chunk_s * line.rate_hz), 1)
    knots = [traces.coupling.time_s[c] for c in channel], [traces.coupling.gain[c] for c in channel]
    for segment, first in chunks_of(traces)[chunks]:
        end = thin.segment_rows[segment]
        start, stop = max(first - margin_rows, 0), min(first + size, end)
        given = thin.by_channel(segment, start, min(stop + margin_rows, end), channel)
        time_s = thin.segment_start_s[segment] + (start + np.arange(given.shape[1]) + 0.5) / line.rate_hz
        own = slice(first - start, stop - start)
        yield _Rows(int(line.offset[segment]) + start, own, scaled(given, time_s, *knots))


def prepared(traces: Traces, block: Block, *, chunks: slice = ALL) -> Iterator[Prepared]:
    """Yield all rows of a block of neurons that lie in a segment, chunk after chunk; or those of some chunks."""
    for part in traces.kept[chunks]:
        yield Prepared(part.first_row, part.before, part.volts[:, block], part.weight[:, block])
    if traces.kept:
        return
    line, options = traces.line, traces.options
    sd_rows = options.drift_sd_s * line.rate_hz
    before, after = (round(t * line.rate_hz) for t in options.blank_s)
    late = rows_around(traces)[1]
    for rows in each_chunk(traces, round(4 * sd_rows) + options.ar_order, block, chunks=chunks):
        volts, is_ok = rows.traces
        around = rows.first_row - late - 1, rows.first_row + volts.shape[1] + before + 1
        spikes = [_between(traces.spike_row[j], *around) - rows.first_row for j in block]
        blank(rows.traces, spikes, _between(traces.artefact_row, *around) - rows.first_row, before, (after, late))
        without_drift(volts, sd_rows)
        keep = min(rows.own.start, options.ar_order)
        first, stop = rows.own.start - keep, rows.own.stop
        out = np.empty((2, stop - first, len(block)), dtype=traces.dtype)
        turn(volts, is_ok, first, *out)
        yield Prepared(rows.first_row + rows.own.start, keep, *out)


def _between(rows: Int64[ndarray, " rows"], first: int, stop: int) -> Int64[ndarray, " some"]:
    """Return the sorted rows from ``first`` to ``stop`` - 1."""
    return rows[np.searchsorted(rows, first) : np.searchsorted(rows, stop)]


class Own(NamedTuple):
    """Each neuron's own action potential, and how far under its onset the membrane is on the mean."""

    course: Float64[ndarray, "neurons rows"]  # peak 1
    below_v: Float64[ndarray, " neurons"]  # membrane volts; NaN without action potentials


def own_course(traces: Traces, first: int, last: int, progress: Progress) -> Own:
    """Return each neuron's own potential around its action potentials, from row ``first`` to ``last`` - 1.

    Of action potentials that are alone for that long; a neuron with under five of them gets the mean course of
    all.  It is what an amplifier passes on to other channels.  Reads the recording once.
    """
    n, width = len(traces.channel), last - first
    total, count = np.zeros((n, width)), np.zeros(n)
    levels = np.zeros((n, 3))
    base = slice(max(-first - 6, 0), max(-first - 2, 1))  # rows -6 to -3
    firing = np.flatnonzero([len(spikes) > 0 for spikes in traces.spike_row])
    blank = rows_around(traces)

    def fill(block: Block) -> None:
        lonely = [_alone(traces.spike_row[j], last, width, traces.line.n_rows) for j in block]
        for rows in each_chunk(traces, max(-first, last), block):
            (volts, is_ok), inside = rows.traces, (rows.own.start, rows.own.stop)
            for place, j in enumerate(block):
                spikes, mine = traces.spike_row[j] - rows.first_row, lonely[place] - rows.first_row
                count[j] += _add_own(volts[place], is_ok[place], mine, inside, first, base.start, base.stop, total[j])
                add_levels(volts[place], is_ok[place], spikes, inside, blank, _ONSET_ROWS, _ONSET_ROWS, levels[j])

    blocks = traces.blocks(firing)
    for done, _ in enumerate(in_order(traces.n_threads, fill, blocks)):
        progress("averaging action potentials", done + 1, len(blocks))
    known = count >= _OWN_SPIKES
    course = total / np.maximum(count, 1)[:, None]
    if known.any():
        course[~known] = course[known].mean(axis=0)
    peak = course.max(axis=1, keepdims=True)
    return Own(np.divide(course, peak, out=np.zeros_like(course), where=peak > 0), over_mean_v(levels))


def rows_around(traces: Traces) -> tuple[int, int]:
    """Return how many rows before and after an own action potential are none of the membrane between them."""
    before_s, after_s = traces.options.blank_s
    return round(before_s * traces.line.rate_hz), round(max(after_s, _STILL_AFTER_S) * traces.line.rate_hz)


def over_mean_v(levels: Float64[ndarray, "neurons three"]) -> Float64[ndarray, " neurons"]:
    """Return how far over its mean each membrane is before its action potentials, NaN where that was never seen."""
    return np.where(levels[:, 2] > 0, levels[:, 0] - levels[:, 1], np.nan) / np.maximum(levels[:, 2], 1.0)


def _alone(spikes: Int64[ndarray, " spikes"], last: int, width: int, n_rows: int) -> Int64[ndarray, " some"]:
    """Return the action potentials that have no other within ``last`` rows."""
    gap = np.diff(spikes, prepend=-width, append=n_rows + width)
    return spikes[(gap[:-1] >= last) & (gap[1:] >= last)]


@njit(cache=True, nogil=True)
@no_type_check
def _add_own(volts, is_ok, spikes, inside, first, base_start, base_stop, total):
    """Add what lies around a chunk's action potentials, less its base, where all rows are good; return how many."""
    count, width = 0, len(total)
    for at in spikes:
        if at < inside[0] or at >= inside[1] or at + first < 0 or at + first + width > len(volts):
            continue
        if not is_ok[at + first : at + first + width].all():
            continue
        base = volts[at + first + base_start : at + first + base_stop].mean()
        for k in range(width):
            total[k] += volts[at + first + k] - base
        count += 1
    return count


@njit(cache=True, nogil=True)
@no_type_check
def add_levels(volts, is_ok, spikes, inside, blank, first, last, levels):
    """Add a chunk's potentials from ``first`` to ``last`` rows before action potentials, and the mean of other rows.

    ``levels`` are both sums, of as many terms, and that number.  Both from the same chunk: a pad's baseline drifts.
    """
    quiet = is_ok.astype(np.float64)
    blank_rows(spikes, blank[0], blank[1], quiet)
    still, n_still = 0.0, 0
    for k in range(len(volts)):
        if quiet[k] > 0.0:
            still, n_still = still + volts[k], n_still + 1
    if n_still == 0:
        return
    for spike in spikes:
        if inside[0] <= spike < inside[1] and spike >= first and is_ok[spike - first : spike - last + 1].all():
            levels[0] += volts[spike - first : spike - last + 1].mean()
            levels[1] += still / n_still
            levels[2] += 1.0


class Whitener(NamedTuple):
    """e(t) = V(t) - sum_l coefficient[l - 1] V(t - l), one column of coefficients a neuron."""

    coefficient: Float64[ndarray, "order neurons"]

    def of(self, block: Block) -> "Whitener":
        """Return the coefficients of some neurons."""
        return Whitener(self.coefficient[:, block])

    def whiten(self, part: Prepared) -> Float[ndarray, "rows neurons"]:
        """Return the innovations of the chunk's own rows (rows without enough past take zeros for it)."""
        out = part.volts[part.before :].copy()
        _whiten(part.volts, part.before, self.coefficient.astype(out.dtype), out)
        return out


def row_weights(
    traces: Traces, scale_v: Float64[ndarray, " neurons"], progress: Progress, *, seed: int = 0
) -> Float64[ndarray, " rows"]:
    """Return what each row of the time line is worth, 1 where the network is as still as at its median.

    In a network burst all membranes are up to ten times noisier; rows are weighted by one over the variance of
    the traces' steps, averaged over neurons (each in units of ``scale_v``) and 10 ms (weighted least squares,
    Aitken 1936).  A few neurons say little of the network: ten still ones are added.  Rows between segments,
    and rows with a fiftieth of the usual worth, get 0.  Reads the recording of up to 512 neurons, drawn by ``seed``.
    """
    seen = unrest(traces, scale_v, progress, seed=seed)
    return seen.worth(traces, seen.usual(traces))


class Unrest(NamedTuple):
    """Sums over neurons of each row's squared step, in units of its trace's usual one, and how many neurons they are.

    Those of chunks add.
    """

    power: Float64[ndarray, " rows"]
    seen: Float64[ndarray, " rows"]

    def usual(self, traces: Traces) -> float:
        """Return the median, of the rows that any neuron tells of, of a neuron's mean square; 0 where none does."""
        power, seen = self._smooth(traces)
        inside = self.seen > 0
        return float(np.median(power[inside] / np.maximum(seen[inside], 1e-9))) if inside.any() else 0.0

    def worth(self, traces: Traces, usual: float) -> Float64[ndarray, " rows"]:
        """Return each row's weight, where this is the usual unrest."""
        if usual == 0.0:
            return np.zeros(len(self.power))
        power, seen = self._smooth(traces)
        relative = (power / usual + _STILL_NEURONS) / (seen + _STILL_NEURONS)
        weight = np.where(_in_segment(traces.line), 1.0 / np.maximum(relative, _STILLEST), 0.0)
        return np.where(weight < _LEAST_WEIGHT, 0.0, weight)

    def _smooth(self, traces: Traces) -> tuple[Float64[ndarray, " rows"], Float64[ndarray, " rows"]]:
        from scipy.ndimage import gaussian_filter1d

        sd = traces.options.unrest_s * traces.line.rate_hz
        return gaussian_filter1d(self.power, sd), gaussian_filter1d(self.seen, sd)


def unrest(
    traces: Traces, scale_v: Float64[ndarray, " neurons"], progress: Progress, *, seed: int = 0, chunks: slice = ALL
) -> Unrest:
    """Return the unrest of the rows of some chunks, 0 elsewhere, told by up to 512 neurons."""
    n_rows = traces.line.n_rows
    power, count = np.zeros(n_rows), np.zeros(n_rows)
    later = rows_around(traces)[1] - round(traces.options.blank_s[1] * traces.line.rate_hz)

    def unrest_of(block: Block) -> Float64[ndarray, "two rows"]:
        out = np.zeros((2, n_rows))
        for part in prepared(traces, block, chunks=chunks):
            still = part.blanked_for(later)  # a membrane that comes back is no unrest
            both = still[1:] * still[:-1]
            step = np.diff(part.volts, axis=0) / scale_v[block]
            skipped = max(part.before - 1, 0)
            rows = slice(part.first_row + skipped + 1 - part.before, part.first_row + len(part.volts) - part.before)
            out[0, rows] = np.sum(both * step**2, axis=1)[skipped:]
            out[1, rows] = np.sum(both, axis=1)[skipped:]
        return out

    n = len(traces.channel)
    some = np.arange(n)
    if n > _UNREST_NEURONS:
        some = np.sort(np.random.default_rng(seed).choice(n, _UNREST_NEURONS, replace=False))
    blocks = traces.blocks(some)
    for done, (more, seen) in enumerate(in_order(traces.n_threads, unrest_of, blocks)):
        progress("measuring the network's unrest", done + 1, len(blocks))
        power += more
        count += seen
    return Unrest(power, count)


def _in_segment(line: Timeline) -> Bool[ndarray, " rows"]:
    inside = np.zeros(line.n_rows, dtype=np.bool_)
    for offset, rows in zip(line.offset, line.rows, strict=True):
        inside[offset : offset + rows] = True
    return inside


def chunks_that_tell(n_rows: int) -> int:
    """Return of how many chunks of a long recording one will do for what is the same all over it."""
    return max(n_rows // _ROWS_THAT_TELL, 1)


def autoregression(parts: Sequence[Prepared], row_weight: Float64[ndarray, " rows"], order: int) -> Whitener:
    """Return each neuron's autoregressive coefficients by least squares.

    With a constant.  Only rows whose whole past of ``order`` rows was kept count: products across a blank
    belong to what comes before and after an action potential, and would pass for the membrane's memory.
    Of long recordings chunks all over them are taken, 200,000 to 400,000 rows; all of neurons that have few there.
    """
    every, n = chunks_that_tell(len(row_weight)), parts[0].volts.shape[1]
    product = _lag_products(parts[::every], row_weight, order)
    few = np.flatnonzero(product[-1, -1] < _LEAST_ROWS)
    if every > 1 and few.size:  # a channel may be there between the chunks that were taken
        theirs = [p._replace(volts=p.volts[:, few].copy(), weight=p.weight[:, few].copy()) for p in parts]
        product[:, :, few] = _lag_products(theirs, row_weight, order)
    coefficient = np.zeros((order, n))
    for j in range(n):
        full = product[:, :, j] + np.triu(product[:, :, j], 1).T
        if full[0, 0] > 0:
            # a hair on the diagonal, so that a noiseless trace can be solved too
            past = full[1:, 1:] + _HAIR * np.diag([*(full[0, 0],) * order, full[-1, -1]])
            coefficient[:, j] = np.linalg.solve(past, full[1:, 0])[:order]
    return Whitener(coefficient)


def _lag_products(
    parts: Sequence[Prepared], row_weight: Float64[ndarray, " rows"], order: int
) -> Float64[ndarray, "lags lags neurons"]:
    product = np.zeros((order + 2, order + 2, parts[0].volts.shape[1]))
    for part in parts:
        first = part.first_row - part.before
        _add_lag_products(part.volts, part.weight, row_weight[first : first + len(part.volts)], order, product)
    return product


@njit(cache=True, nogil=True)
@no_type_check
def _add_lag_products(volts, weight, row_weight, order, product):
    """Add w v(t - a) v(t - b) of rows whose past is whole to ``product[a, b]``, a <= b; lag order + 1 is a constant."""
    n_rows, n = volts.shape
    run, whole = np.zeros(n, dtype=np.int64), np.empty(n)
    left, one = np.empty(n), np.ones(n, dtype=volts.dtype)
    for t in range(n_rows):
        for j in range(n):
            run[j] = run[j] + 1 if weight[t, j] > 0.0 else 0
            whole[j] = row_weight[t] if run[j] > order else 0.0
        if t < order or row_weight[t] == 0.0:
            continue
        for a in range(order + 2):
            now = volts[t - a] if a <= order else one
            for j in range(n):
                left[j] = whole[j] * now[j]
            for b in range(a, order + 2):
                past = volts[t - b] if b <= order else one
                total = product[a, b]
                for j in range(n):
                    total[j] += left[j] * past[j]


@njit(cache=True, nogil=True)
@no_type_check
def _whiten(volts, before, coefficient, out):
    """Take the past out of each row."""
    order, n = coefficient.shape
    for t in range(len(out)):
        for lag in range(1, min(order, t + before) + 1):
            now, past, share = out[t], volts[t + before - lag], coefficient[lag - 1]
            for j in range(n):
                now[j] -= share[j] * past[j]
