"""Action potentials of every channel, among the candidates that reading the recording gave."""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._presence import Presence, presence
from neurograft.copying.intracellular.reading._read import Reading
from neurograft.recordings import Recording, Signal, n_channels


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
    presence: Presence
    implausible: Int64[ndarray, " channels"]  # steep events refused only for their width

    @property
    def noise_v(self) -> Float64[ndarray, " channels"]:
        """Robust sd of the 2 ms rise, median over the recording."""
        return self.presence.noise_v


def detect(
    recording: Recording, reading: Reading, options: DetectionOptions, there: Presence | None = None
) -> Detected:
    """Return action potentials of every channel; what ``there`` tells of channels need not be told by this reading."""
    parts = reading.results
    segment = np.repeat([p.segment for p in reading.pieces], [len(r["frame"]) for r in parts])
    channel = np.concatenate([r["channel"] for r in parts]).astype(np.int64)
    frame, values = np.concatenate([r["frame"] for r in parts]), np.concatenate([r["values"] for r in parts], axis=1)
    amplitude_v, width, dip_v = values
    candidates = Events(channel, segment.astype(np.int64), frame, amplitude_v, width / recording.rate_hz, dip_v)
    order = np.lexsort((candidates.frame, candidates.segment, candidates.channel))
    return _judge(candidates.select(order), recording, options, there or presence(recording, reading))


def running_amplitude_v(
    time_s: Float64[ndarray, " events"], amplitude_v: Float64[ndarray, " events"], *, window_s: float
) -> Float64[ndarray, " events"]:
    """Return at each event the median amplitude of the large events within about half a window on either side.

    Taken at the middles of sixths of the window.  Large is above half of the 90th percentile there: small
    false events do not pull the amplitude down, and one huge artefact does not pull it up.
    """
    out = np.empty(len(time_s))
    _running_amplitude(time_s, amplitude_v, window_s, out)
    return out


def amplitude_step(time_s: Float64[ndarray, " events"], window_s: float) -> Float64[ndarray, " events"]:
    """Return the number of the sixth of a window in which each event lies; those of one share a running amplitude."""
    return np.floor(6 * time_s / window_s)


@njit(cache=True, nogil=True)
@no_type_check
def _running_amplitude(time_s, amplitude_v, window_s, out):
    first, n = 0, len(time_s)
    while first < n:
        step = np.floor(6 * time_s[first] / window_s)
        last = first
        while last < n and np.floor(6 * time_s[last] / window_s) == step:
            last += 1
        near_s = (step + 0.5) * window_s / 6
        low, high = np.searchsorted(time_s, near_s - window_s / 2), np.searchsorted(time_s, near_s + window_s / 2)
        near = amplitude_v[low:high]
        out[first:last] = np.median(near[near >= 0.5 * np.quantile(near, 0.9)])
        first = last


def _judge(found: Events, recording: Recording, options: DetectionOptions, there: Presence) -> Detected:
    """Keep what is wide and high enough to be an action potential of its channel."""
    low_s, high_s = options.width_s
    n = n_channels(recording)
    fits = (found.width_s <= high_s) & (found.width_s >= low_s)
    if recording.signal is Signal.MEMBRANE_V:
        high = found.amplitude_v >= options.min_membrane_v
    else:
        high = found.amplitude_v >= 2 * options.noise_sds * there.noise_v[found.channel]
    kept = found.select(fits & high)
    implausible = _implausible(found.select(high & ~fits), kept, n)
    time_s = np.array(recording.segment_start_s)[kept.segment] + kept.frame / recording.rate_hz
    keep = np.zeros(len(time_s), dtype=np.bool_)
    for c in range(n):
        mine = slice(*np.searchsorted(kept.channel, [c, c + 1]))
        running_v = running_amplitude_v(time_s[mine], kept.amplitude_v[mine], window_s=options.running_s)
        keep[mine] = kept.amplitude_v[mine] >= options.running_share * running_v
    return Detected(kept.select(keep), there, implausible)


def _implausible(refused: Events, kept: Events, n: int) -> Int64[ndarray, " channels"]:
    """Return each channel's refused events that are as high as its action potentials; all where it has none.

    A potential's own slow peak is lower: it is no sign of a wrong sampling rate.
    """
    count = np.zeros(n, dtype=np.int64)
    for c in range(n):
        theirs, mine = (e.amplitude_v[slice(*np.searchsorted(e.channel, [c, c + 1]))] for e in (refused, kept))
        count[c] = np.count_nonzero(theirs > (0.5 * np.median(mine) if mine.size else 0.0))
    return count
