"""Averages of full-rate traces around spikes: what the eye checks, and what tells cross-talk from a synapse."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

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
    n_threads: int = 1,
    progress: Progress = silent,
) -> Averages:
    """Return the averages of all pairs (pre, post); reads the recording once, in threads, and looks at spikes alone.

    ``frames`` holds segment and frame of every spike of each neuron named in ``pairs``.  A pair of a neuron
    with itself gives its action potential.
    """
    rate_hz = recording.rate_hz
    before, after = round(before_s * rate_hz), round(after_s * rate_hz)
    base = max(round(3 * MS * rate_hz), 1), max(round(0.7 * MS * rate_hz), 1)
    before = max(before, base[0])
    own = (round(_OWN_S[1] * rate_hz) + before, round(_OWN_S[0] * rate_hz) + after)
    n_lags = before + after + 1
    total, square = np.zeros((len(pairs), n_lags)), np.zeros((len(pairs), n_lags))
    count = np.zeros(len(pairs), dtype=np.int64)
    size = affordable_frames(recording, _CHUNK_S, LARGEST // n_threads)
    spans = [(k, f) for k, n in enumerate(recording.segment_frames) for f in range(0, n, size)]

    posts, place = np.unique(channel[pairs[:, 1]], return_inverse=True)

    def read(span: tuple[int, int]) -> tuple[Chunk, Float32[ndarray, "channels frames"]]:
        segment, first = span
        stop = min(first + size, recording.segment_frames[segment])
        chunk = next(cut(recording, segment, (first, stop), chunk_frames=size, margin_frames=before + after + 1))
        traces = np.empty((len(posts), len(chunk.volts)), dtype=np.float32)
        _turn(chunk.volts, posts, traces)
        return chunk._replace(volts=np.empty((0, 0), dtype=np.float32)), traces

    far = max(recording.segment_frames) + 4 * (own[0] + own[1])  # a segment's frames, and what lies near them
    keys = [f[:, 0] * far + f[:, 1] for f in (frames.get(i, _NO_FRAMES) for i in range(len(channel)))]
    spikes, start = np.concatenate(keys), np.concatenate([[0], np.cumsum([len(mine) for mine in keys])])
    for done, (chunk, traces) in enumerate(in_order(n_threads, read, spans)):
        progress("averaging traces around spikes", done, len(spans))
        first = chunk.segment * far + chunk.first - chunk.before
        own_frames = chunk.before, chunk.before + chunk.stop - chunk.first
        _add_all(
            traces, flat_frames(recording), first, own_frames, spikes, start, pairs, place, before, own, base, total,
            square, count,
        )  # fmt: skip
    some = np.maximum(count, 1)[:, None]
    mean_v = np.where(count[:, None] > 0, total / some, np.nan)
    variance = np.maximum(square / some - mean_v**2, 0.0) * some / np.maximum(some - 1, 1)
    se_v = np.where(count[:, None] > 1, np.sqrt(variance / some), np.nan)
    return Averages(np.arange(-before, after + 1) / rate_hz, mean_v, se_v, count)


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
