"""Averages of full-rate traces around spikes: what the eye checks, and what tells cross-talk from a synapse."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._chunks import LARGEST, Chunk, affordable_frames, cut, flat_frames
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.errors import CopyError
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

_CHUNK_S = 10.0
_TALL, _WIDE = 256, 8  # frames and channels that are turned together: their pages and lines stay known
_OWN_S = (2 * MS, 8 * MS)  # an own action potential spoils this long before and after itself
_NORMAL_975 = 1.959963984540054
_NO_FRAMES = np.empty((0, 2), dtype=np.int64)


class Averages(NamedTuple):
    """Means of many pairs around their presynaptic spikes, in the recording's volts."""

    lag_s: Float64[ndarray, " lags"]
    mean_v: Float64[ndarray, "pairs lags"]
    se_v: Float64[ndarray, "pairs lags"]
    n_spikes: Int64[ndarray, " pairs"]

    def select(self, keep: Int64[ndarray, " some"]) -> "Averages":
        """Return the pairs at these places."""
        return Averages(self.lag_s, self.mean_v[keep], self.se_v[keep], self.n_spikes[keep])


class TriggeredAverage(NamedTuple):
    """Mean of a channel around a neuron's spikes, with the 95 % interval of that mean."""

    lag_s: Float64[ndarray, " lags"]
    mean_v: Float64[ndarray, " lags"]
    lower_v: Float64[ndarray, " lags"]
    upper_v: Float64[ndarray, " lags"]
    n_spikes: int


def triggered_average(
    recording: Recording,
    spikes: SpikeTrains,
    pre: int,
    post: int,
    *,
    before_s: float = 5 * MS,
    after_s: float = 30 * MS,
) -> TriggeredAverage:
    """Return neuron ``post``'s trace around neuron ``pre``'s spikes, each less its mean in the 3 ms before.

    Neurons are those of ``spikes``, whose labels must be labels of channels.  Spikes near one of the
    postsynaptic neuron's own are left out.
    """
    channel_of = {label: c for c, label in enumerate(recording.channel_labels)}
    for name, neuron in (("pre", pre), ("post", post)):
        if not 0 <= neuron < spikes.n_neurons:
            raise CopyError(f"{name} is {neuron}, but there are neurons 0 to {spikes.n_neurons - 1}.")
    if spikes.labels[post] not in channel_of:
        raise CopyError(
            f"Neuron {post} is labelled {spikes.labels[post]!r}, which is no channel of the recording. "
            "Give spikes whose labels are channel labels."
        )
    by_neuron = spikes.by_neuron()
    frames = {i: _frames(recording, by_neuron[i]) for i in (pre, post)}
    pairs, channel = np.array([[pre, post]]), np.full(spikes.n_neurons, channel_of[spikes.labels[post]])
    found = averages(recording, frames, channel, pairs, before_s=before_s, after_s=after_s)
    mean_v, half_v = found.mean_v[0], _NORMAL_975 * found.se_v[0]
    return TriggeredAverage(found.lag_s, mean_v, mean_v - half_v, mean_v + half_v, int(found.n_spikes[0]))


def averages(
    recording: Recording,
    frames: dict[int, Int64[ndarray, "_ 2"]],
    channel: Int64[ndarray, " neurons"],
    pairs: Int64[ndarray, "pairs 2"],
    *,
    before_s: float,
    after_s: float,
    most_s: float = np.inf,
    n_threads: int = 1,
    progress: Progress = silent,
) -> Averages:
    """Return the averages of all pairs (pre, post); reads the recording once, in threads, and looks at spikes alone.

    ``frames`` holds segment and frame of every spike of each neuron named in ``pairs``.  A pair of a neuron
    with itself gives its action potential.  Of a recording over ``most_s``, stretches all over it tell that much.
    """
    running = RunningAverages(recording, channel, pairs, before_s=before_s, after_s=after_s)
    size = round(_CHUNK_S * recording.rate_hz)
    spans = [
        Span(k, first, min(first + size, n))
        for k, n in enumerate(recording.segment_frames)
        for first in range(0, n, size)
    ]
    if len(spans) * _CHUNK_S > most_s:
        some = np.linspace(0, len(spans) - 1, max(int(most_s / _CHUNK_S), 1))
        spans = [spans[k] for k in np.unique(np.round(some).astype(np.int64))]
    running.add(recording, frames, spans, n_threads=n_threads, progress=progress)
    return running.averages()


class Span(NamedTuple):
    """Frames ``first`` to ``stop`` - 1 of one segment."""

    segment: int
    first: int
    stop: int


@final
class RunningAverages:
    """Averages of pairs that a recording is added to, span after span, as it grows.

    Spans added in the order of their frames give bit for bit what all frames at once give, wherever they are cut.
    """

    def __init__(
        self,
        recording: Recording,
        channel: Int64[ndarray, " neurons"],
        pairs: Int64[ndarray, "pairs 2"],
        *,
        before_s: float,
        after_s: float,
    ) -> None:
        """Hold nothing yet of these pairs (pre, post), neurons whose traces are those of ``channel``."""
        rate_hz = recording.rate_hz
        self.pairs, self._channel, self._rate_hz, self._after = pairs, channel, rate_hz, round(after_s * rate_hz)
        self._base = max(round(3 * MS * rate_hz), 1), max(round(0.7 * MS * rate_hz), 1)
        self._before, self._flat = max(round(before_s * rate_hz), self._base[0]), flat_frames(recording)
        self._own = (
            round(_OWN_S[1] * rate_hz) + self._before,
            round(_OWN_S[0] * rate_hz) + self._after,
        )  # fmt: skip
        shape = len(pairs), self._before + self._after + 1
        self._total, self._square = np.zeros(shape), np.zeros(shape)
        self._count = np.zeros(len(pairs), dtype=np.int64)

    @property
    def reach_frames(self) -> int:
        """So many frames, and action potentials in them, must be known beyond a span that is added."""
        return max(self._after + self._flat, self._own[1])

    def add(
        self,
        recording: Recording,
        frames: dict[int, Int64[ndarray, "_ 2"]],
        spans: Sequence[Span],
        *,
        n_threads: int = 1,
        progress: Progress = silent,
    ) -> None:
        """Add the spikes in some spans, which follow those that were added before; reads these spans alone.

        ``frames`` holds segment and frame of each neuron's spikes: all in these spans, and all that are near them.
        """
        posts, place = np.unique(self._channel[self.pairs[:, 1]], return_inverse=True)
        size, margin = affordable_frames(recording, _CHUNK_S, LARGEST // n_threads), self._before + self.reach_frames

        def read(span: Span) -> tuple[Chunk, Float32[ndarray, "channels frames"]]:
            inside = span.first, span.stop
            chunk = next(cut(recording, span.segment, inside, chunk_frames=size, margin_frames=margin))
            traces = np.empty((len(posts), len(chunk.volts)), dtype=np.float32)
            _turn(chunk.volts, posts, traces)
            return chunk._replace(volts=np.empty((0, 0), dtype=np.float32)), traces

        each = [
            Span(span.segment, first, min(first + size, span.stop))
            for span in spans
            for first in range(span.first, span.stop, size)
        ]
        far = max(recording.segment_frames) + 4 * sum(self._own)  # a segment's frames, and what lies near them
        keys = [f[:, 0] * far + f[:, 1] for f in (frames.get(i, _NO_FRAMES) for i in range(len(self._channel)))]
        spikes, start = np.concatenate(keys), np.concatenate([[0], np.cumsum([len(mine) for mine in keys])])
        for done, (chunk, traces) in enumerate(in_order(n_threads, read, each)):
            progress("averaging traces around spikes", done, len(each))
            first = chunk.segment * far + chunk.first - chunk.before
            inside = chunk.before, chunk.before + chunk.stop - chunk.first
            _add_all(
                traces, self._flat, first, inside, spikes, start, self.pairs, place, self._before, self._own,
                self._base, self._total, self._square, self._count,
            )  # fmt: skip

    def beside(self, other: "RunningAverages") -> "RunningAverages":
        """Return these pairs and others that are new, to which as much was added or less, as one."""
        out = copy(self)
        out.pairs = np.concatenate([self.pairs, other.pairs])
        out._total, out._square = (
            np.concatenate([self._total, other._total]),
            np.concatenate([self._square, other._square]),
        )  # fmt: skip
        out._count = np.concatenate([self._count, other._count])
        return out

    def places(self, pairs: Int64[ndarray, "some 2"]) -> Int64[ndarray, " some"]:
        """Return the place of each pair among these, -1 where it is none of them."""
        n = len(self._channel)
        mine, asked = (p[:, 0] * n + p[:, 1] for p in (self.pairs, pairs))
        order = np.argsort(mine, kind="stable")
        near = order[np.minimum(np.searchsorted(mine, asked, sorter=order), len(mine) - 1)] if len(mine) else asked
        return np.where(mine[near] == asked, near, -1) if len(mine) else np.full(len(pairs), -1)

    def averages(self) -> Averages:
        """Return the averages of what was added."""
        count, some = self._count, np.maximum(self._count, 1)[:, None]
        mean_v = np.where(count[:, None] > 0, self._total / some, np.nan)
        variance = np.maximum(self._square / some - mean_v**2, 0.0) * some / np.maximum(some - 1, 1)
        se_v = np.where(count[:, None] > 1, np.sqrt(variance / some), np.nan)
        return Averages(np.arange(-self._before, self._after + 1) / self._rate_hz, mean_v, se_v, count.copy())


@njit(cache=True, nogil=True)
@no_type_check
def _turn(volts, channels, traces):
    """Turn some channels into contiguous traces."""
    for top in range(0, len(volts), _TALL):
        stop = min(top + _TALL, len(volts))
        for left in range(0, len(channels), _WIDE):
            some = channels[left : left + _WIDE]
            for k in range(top, stop):
                for c in range(len(some)):
                    traces[left + c, k] = volts[k, some[c]]


@njit(cache=True, nogil=True)
@no_type_check
def _add_all(traces, flat, first, inside, spikes, start, pairs, place, before, own, base, total, square, count):
    """Add the snippets of all pairs that are whole, good and far from own spikes, which count frames from ``first``."""
    n_lags = total.shape[1]
    snippet = np.empty(n_lags)
    for p in range(len(pairs)):
        pre, post = pairs[p]
        trace = traces[place[p]]
        train = spikes[start[pre] : start[pre + 1]]
        spoilt = spikes[start[post] : start[post + 1]] if pre != post else spikes[:0]
        for s in range(np.searchsorted(train, first + inside[0]), np.searchsorted(train, first + inside[1])):
            f = train[s] - first
            if f < before or f - before + n_lags > len(trace):
                continue
            k = np.searchsorted(spoilt, train[s] - own[0])
            if k < len(spoilt) and spoilt[k] <= train[s] + own[1]:
                continue
            if not _snippet(trace, f - before, flat, snippet):
                continue
            level = 0.0
            for q in range(before - base[0], before - base[1] + 1):
                level += snippet[q]
            level /= base[0] - base[1] + 1
            for q in range(n_lags):
                v = snippet[q] - level
                total[p, q] += v
                square[p, q] += v * v
            count[p] += 1


@njit(cache=True, nogil=True)
@no_type_check
def _snippet(trace, first, flat, out):
    """Copy some samples; return whether all are finite and none lies in a run of ``flat`` equal ones.

    As ``mark_bad`` tells of a whole trace, but that only the runs at the ends are followed beyond what is copied.
    """
    n, run = len(out), 1
    for q in range(n):
        out[q] = trace[first + q]
        if not np.isfinite(out[q]):
            return False
    k = first
    while k > 0 and run < flat and trace[k - 1] == trace[first]:
        run, k = run + 1, k - 1
    for q in range(1, n):
        if run >= flat:
            return False
        run = run + 1 if out[q] == out[q - 1] else 1
    k = first + n
    while k < len(trace) and run < flat and trace[k] == trace[first + n - 1]:
        run, k = run + 1, k + 1
    return run < flat


def _frames(recording: Recording, time_s: Float64[ndarray, " spikes"]) -> Int64[ndarray, "spikes 2"]:
    """Return segment and frame of times, those outside every segment left out."""
    start_s = np.array(recording.segment_start_s)
    segment = np.searchsorted(start_s, time_s + 0.5 / recording.rate_hz, side="right") - 1
    frame = np.round((time_s - start_s[np.maximum(segment, 0)]) * recording.rate_hz).astype(np.int64)
    inside = (segment >= 0) & (frame >= 0) & (frame < np.array(recording.segment_frames)[segment])
    return np.column_stack([segment[inside], frame[inside]])
