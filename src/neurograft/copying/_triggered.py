"""Averages of full-rate traces around spikes: what the eye checks, and what tells cross-talk from a synapse."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying._chunks import affordable_frames, chunks, flat_frames, marked, n_chunks
from neurograft.errors import CopyError
from neurograft.progress import Progress, silent
from neurograft.recordings import Recording
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

_CHUNK_S = 10.0
_OWN_S = (2 * MS, 8 * MS)  # an own action potential spoils this long before and after itself
_NORMAL_975 = 1.959963984540054


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
    progress: Progress = silent,
) -> Averages:
    """Return the averages of all pairs (pre, post); reads the recording once.

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
    posts = np.unique(pairs[:, 1])
    needed, place = channel[posts], {int(post): k for k, post in enumerate(posts)}
    size = affordable_frames(recording, _CHUNK_S)
    n = n_chunks(recording, chunk_frames=size)
    for done, chunk in enumerate(chunks(recording, chunk_frames=size, margin_frames=before + after + 1)):
        progress("averaging traces around spikes", done, n)
        start = chunk.first - chunk.before
        local = {i: f[f[:, 0] == chunk.segment, 1] - start for i, f in frames.items()}
        good = marked(chunk.volts[:, needed], flat_frames(recording))
        by_channel, ok_by_channel = np.ascontiguousarray(good.volts.T), np.ascontiguousarray(good.is_ok.T)
        for k, (pre, post) in enumerate(pairs):
            mine = local[pre][(local[pre] >= chunk.before) & (local[pre] < chunk.stop - start)]
            spoilt = local[post] if pre != post else np.empty(0, dtype=np.int64)
            volts, is_ok = by_channel[place[post]], ok_by_channel[place[post]]
            count[k] += _add_snippets(volts, is_ok, mine, spoilt, before, own, base, total[k], square[k])
    some = np.maximum(count, 1)[:, None]
    mean_v = np.where(count[:, None] > 0, total / some, np.nan)
    variance = np.maximum(square / some - mean_v**2, 0.0) * some / np.maximum(some - 1, 1)
    se_v = np.where(count[:, None] > 1, np.sqrt(variance / some), np.nan)
    return Averages(np.arange(-before, after + 1) / rate_hz, mean_v, se_v, count)


@njit(cache=True, nogil=True)
@no_type_check
def _add_snippets(volts, is_ok, spikes, spoilt, before, own, base, total, square):
    """Add the snippets that are whole, good and far from own spikes; return how many."""
    n_lags, count = len(total), 0
    for f in spikes:
        if f < before or f - before + n_lags > len(volts):
            continue
        k = np.searchsorted(spoilt, f - own[0])
        if k < len(spoilt) and spoilt[k] <= f + own[1]:
            continue
        good = True
        for q in range(n_lags):
            good = good and is_ok[f - before + q]
        if not good:
            continue
        level = 0.0
        for q in range(f - base[0], f - base[1] + 1):
            level += volts[q]
        level /= base[0] - base[1] + 1
        for q in range(n_lags):
            v = volts[f - before + q] - level
            total[q] += v
            square[q] += v * v
        count += 1
    return count


def _frames(recording: Recording, time_s: Float64[ndarray, " spikes"]) -> Int64[ndarray, "spikes 2"]:
    """Return segment and frame of times, those outside every segment left out."""
    start_s = np.array(recording.segment_start_s)
    segment = np.searchsorted(start_s, time_s + 0.5 / recording.rate_hz, side="right") - 1
    frame = np.round((time_s - start_s[np.maximum(segment, 0)]) * recording.rate_hz).astype(np.int64)
    inside = (segment >= 0) & (frame >= 0) & (frame < np.array(recording.segment_frames)[segment])
    return np.column_stack([segment[inside], frame[inside]])
