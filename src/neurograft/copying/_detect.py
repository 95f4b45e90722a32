"""Action potentials of every channel, found by their steep rise and short width, with their amplitude.

Works on true membrane potentials and on pads of unknown coupling alike: what counts is the rise within
2 ms against its own robust noise and against the channel's running action-potential amplitude.  The
candidates are local peaks, so an action potential is found wherever it rides: in a burst the potential
underneath it stays high for long.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from dataclasses import dataclass
from typing import NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying._chunks import Chunk, Stretch, n_chunks, stretches
from neurograft.progress import Progress
from neurograft.recordings import Recording, Signal, n_channels
from neurograft.units import MS, MV

_CHUNK_S, _MARGIN_S = 10.0, 0.05
_NOISE_RISES = 5000
_MAD_TO_SD = 1.4826


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionOptions:
    """What an action potential looks like (the first three: Abbott 2020; the others hold for all neurons)."""

    noise_sds: float = 5.0
    running_share: float = 0.3  # of the running amplitude; smaller events are not action potentials
    running_s: float = 30.0
    rise_s: float = 2 * MS
    width_s: tuple[float, float] = (0.1 * MS, 5 * MS)  # at half amplitude; a postsynaptic potential is wider
    min_membrane_v: float = 15 * MV  # smallest action potential where the signal is the membrane's own


class Events(NamedTuple):
    """Events sorted by channel, segment, frame; the frame is that of the steepest rise, counted in its segment."""

    channel: Int64[ndarray, " events"]
    segment: Int64[ndarray, " events"]
    frame: Int64[ndarray, " events"]
    amplitude_v: Float64[ndarray, " events"]
    width_s: Float64[ndarray, " events"]
    dip_v: Float64[ndarray, " events"]  # how far under the baseline the 2 ms before the peak reach

    def select(self, keep: ndarray) -> "Events":
        """Return the events that a mask or an index keeps."""
        return Events(*(column[keep] for column in self))


class Detected(NamedTuple):
    """What detection found out about each channel."""

    events: Events
    noise_v: Float64[ndarray, " channels"]  # robust sd of the 2 ms rise, median over the recording
    ok_share: Float64[ndarray, " channels"]  # of samples that are neither NaN nor stuck
    implausible: Int64[ndarray, " channels"]  # steep events refused only for their width


def detect(recording: Recording, options: DetectionOptions, progress: Progress) -> Detected:
    """Return action potentials of every channel; reads the recording once."""
    rate_hz = recording.rate_hz
    lag, widest = max(round(options.rise_s * rate_hz), 1), max(round(options.width_s[1] * rate_hz), 1)
    size = max(round(_CHUNK_S * rate_hz), 1)
    total, n = n_chunks(recording, chunk_frames=size), n_channels(recording)
    found: list[Events] = []
    noise: list[ndarray] = []
    n_ok, n_frames = np.zeros(n), 0
    parts = stretches(recording, stretch_frames=size, margin_frames=round(_MARGIN_S * rate_hz))
    for done, stretch in enumerate(parts):
        progress("finding action potentials", done, total)
        noise_v = _noise_v(stretch, lag)
        n_frames += stretch.n_frames
        noise.append(noise_v)
        for chunk in stretch:
            n_ok += np.count_nonzero(chunk.is_ok[chunk.before :][: chunk.stop - chunk.first], axis=0)
            for c in np.flatnonzero(noise_v > 0):
                found.append(_candidates(chunk, int(c), lag, widest, options.noise_sds * float(noise_v[c]), rate_hz))
    candidates = Events(*(np.concatenate(column) for column in zip(*found, strict=True))) if found else _no_events()
    order = np.lexsort((candidates.frame, candidates.segment, candidates.channel))
    return _judge(candidates.select(order), recording, options, np.median(noise, axis=0), n_ok / n_frames)


def _candidates(chunk: Chunk, c: int, lag: int, widest: int, threshold_v: float, rate_hz: float) -> Events:
    """Return channel ``c``'s peaks among the chunk's own frames that are good samples."""
    volts = np.ascontiguousarray(chunk.volts[:, c])
    frame, amplitude_v, width, dip_v = find_peaks(volts, lag=lag, widest=widest, threshold_v=threshold_v)
    frame = frame - chunk.before + chunk.first
    keep = (frame >= chunk.first) & (frame < chunk.stop)
    keep &= chunk.is_ok[np.clip(frame - chunk.first + chunk.before, 0, len(chunk.is_ok) - 1), c]
    k = int(np.count_nonzero(keep))
    where = np.full(k, c), np.full(k, chunk.segment), frame[keep]
    return Events(*where, amplitude_v[keep], width[keep] / rate_hz, dip_v[keep])


class Peaks(NamedTuple):
    """Peaks of one trace: frame of the steepest rise, height over the baseline, width in frames, dip before it."""

    frame: Int64[ndarray, " events"]
    amplitude_v: Float64[ndarray, " events"]
    width: Float64[ndarray, " events"]
    dip_v: Float64[ndarray, " events"]


def find_peaks(volts: Float64[ndarray, " frames"], *, lag: int, widest: int, threshold_v: float) -> Peaks:
    """Return every peak that is the highest within ``lag`` on either side and rises over the threshold in ``lag``.

    The baseline is the median of the samples from four to two lags before the peak: neither a slow rise nor an
    earlier action potential among them moves it.  The width is taken at half amplitude (at least the time
    that one sample stands for); a peak that stays up for longer than ``widest`` gets ``widest + 1``.
    """
    most = len(volts) // (lag + 1) + 2
    frame, values = np.empty(most, dtype=np.int64), np.empty((3, most))
    n = _find_peaks(volts, lag, widest, threshold_v, frame, values)
    return Peaks(frame[:n], *values[:, :n])


@njit(cache=True)
@no_type_check
def _find_peaks(volts, lag, widest, threshold_v, frame, values):
    n, found = len(volts), 0
    peak = 1
    while peak < n:
        top = volts[peak]
        is_peak = top > volts[peak - 1] and (peak + 1 == n or top >= volts[peak + 1])
        low = top
        for q in range(max(peak - lag, 0), peak):
            if not is_peak:
                break
            low = min(low, volts[q])
            is_peak = volts[q] <= top
        for q in range(peak + 1, min(peak + lag + 1, n)):
            if not is_peak:
                break
            is_peak = volts[q] <= top
        if not is_peak or top - low <= threshold_v:
            peak += 1
            continue
        base = np.median(volts[max(peak - 4 * lag, 0) : max(peak - 2 * lag, 0) + 1])
        high = top - base
        if high > threshold_v:
            steep, rise, fall = peak, peak, peak
            for q in range(max(peak - lag, 1), peak):
                if volts[q] - volts[q - 1] > volts[steep] - volts[steep - 1]:
                    steep = q
            while rise > 0 and volts[rise - 1] > base + 0.5 * high:
                rise -= 1
            while fall + 1 < n and fall - rise < widest and volts[fall + 1] > base + 0.5 * high:
                fall += 1
            frame[found] = steep
            values[0, found] = high
            values[1, found] = fall - rise + 1
            values[2, found] = base - low
            found += 1
        peak += lag + 1
    return found


def running_amplitude_v(
    time_s: Float64[ndarray, " events"], amplitude_v: Float64[ndarray, " events"], *, window_s: float
) -> Float64[ndarray, " events"]:
    """Return at each event the median amplitude of the large events within about half a window on either side.

    Taken at the middles of sixths of the window.  Large is above half of the 90th percentile there: small
    false events do not pull the amplitude down, and one huge artefact does not pull it up.
    """
    step = np.floor(6 * time_s / window_s).astype(np.int64)
    out = np.empty(len(time_s))
    for k in np.unique(step):
        near_s = (k + 0.5) * window_s / 6
        near = amplitude_v[(time_s >= near_s - window_s / 2) & (time_s < near_s + window_s / 2)]
        out[step == k] = np.median(near[near >= 0.5 * np.quantile(near, 0.9)])
    return out


def _noise_v(stretch: Stretch, lag: int) -> Float64[ndarray, " channels"]:
    """Return each channel's robust sd of the rise over ``lag`` frames, from about 5000 of them."""
    step = max(stretch.n_frames // _NOISE_RISES, 1)
    rise = np.concatenate([(chunk.volts[lag:] - chunk.volts[:-lag])[::step] for chunk in stretch])
    if rise.size == 0:
        return np.zeros(rise.shape[1])
    return _MAD_TO_SD * np.median(np.abs(rise - np.median(rise, axis=0)), axis=0)


def _judge(found: Events, recording: Recording, options: DetectionOptions, noise_v: ndarray, ok: ndarray) -> Detected:
    """Keep what is wide and high enough to be an action potential of its channel."""
    low_s, high_s = options.width_s
    n = n_channels(recording)
    fits = (found.width_s <= high_s) & (found.width_s >= low_s)
    if recording.signal is Signal.MEMBRANE_V:
        high = found.amplitude_v >= options.min_membrane_v
    else:
        high = found.amplitude_v >= 2 * options.noise_sds * noise_v[found.channel]
    kept = found.select(fits & high)
    implausible = _implausible(found.select(high & ~fits), kept, n)
    time_s = np.array(recording.segment_start_s)[kept.segment] + kept.frame / recording.rate_hz
    keep = np.zeros(len(time_s), dtype=np.bool_)
    for c in range(n):
        mine = slice(*np.searchsorted(kept.channel, [c, c + 1]))
        running_v = running_amplitude_v(time_s[mine], kept.amplitude_v[mine], window_s=options.running_s)
        keep[mine] = kept.amplitude_v[mine] >= options.running_share * running_v
    return Detected(kept.select(keep), noise_v, ok, implausible)


def _implausible(refused: Events, kept: Events, n: int) -> Int64[ndarray, " channels"]:
    """Return each channel's refused events that are as high as its action potentials; all where it has none.

    A potential's own slow peak is lower: it is no sign of a wrong sampling rate.
    """
    count = np.zeros(n, dtype=np.int64)
    for c in range(n):
        theirs, mine = (e.amplitude_v[slice(*np.searchsorted(e.channel, [c, c + 1]))] for e in (refused, kept))
        count[c] = np.count_nonzero(theirs > (0.5 * np.median(mine) if mine.size else 0.0))
    return count


def _no_events() -> Events:
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return Events(whole, whole, whole, real, real, real)
