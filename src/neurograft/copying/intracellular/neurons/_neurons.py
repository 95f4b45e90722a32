"""From channels to neurons: artefacts out, pads that see one neuron merged, pads that share one flagged."""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.neurons._detect import Detected, Events
from neurograft.recordings import Recording, Signal, n_channels
from neurograft.units import MS

COINCIDENCE_S = 0.3 * MS  # either side; two samples where the rate is too low for it
DUPLICATE_SHARE = 0.5  # of the smaller train: one neuron on two pads
SHARED_SHARE = 0.2  # coupling alone makes no two neurons fire together this often
ARTEFACT_SHARE, ARTEFACT_CHANNELS = 0.5, 4  # events on this share of the channels (and so many) are a stimulus
ONE_NEURON_SHARE = 0.9
RING = 8  # windows on either side that tell how often neurons fire together by chance
BAD_SHARE = 0.5  # of samples usable while a channel is there; below it the channel is left out
# An electrode outside of every cell (Ham 2021, figure 2: 0.2 mV where the inside shows 4 mV) sees the slope of
# potentials, so a trough goes before the peak; a dead one sees an amplifier's share of its neighbours.
OUTSIDE_AMPLITUDE, OUTSIDE_DIP, ARRAY_CHANNELS = 0.1, 0.3, 4  # of the array's median; of the peak; from so many on


class Neurons(NamedTuple):
    """Which channel speaks for which neuron, and what was set aside."""

    channel: Int64[ndarray, " neurons"]
    merged_into: Int64[ndarray, " channels"]  # neuron that a channel shows
    events: Events  # of all channels, artefacts removed
    artefact: Int64[ndarray, "artefacts 2"]  # segment, frame
    is_bad: Bool[ndarray, " channels"]
    is_outside: Bool[ndarray, " channels"]  # bad ones that work, and are inside of no cell
    shared: Bool[ndarray, "neurons neurons"]  # pairs that fire together too often for two neurons

    def frames(self, neuron: int) -> Int64[ndarray, "spikes 2"]:
        """Return segment and frame of a neuron's action potentials."""
        mine = slice(*np.searchsorted(self.events.channel, self.channel[neuron] + np.arange(2)))
        return np.column_stack([self.events.segment[mine], self.events.frame[mine]])


def neurons(recording: Recording, found: Detected) -> Neurons:
    """Return the neurons; of several pads on one, that with the highest action potentials over noise stands."""
    n = n_channels(recording)
    is_bad = (found.presence.present_share < BAD_SHARE) | (found.noise_v <= 0)
    is_outside = _outside(found.events, n)
    if recording.signal is not Signal.INTRACELLULAR_V:
        is_outside[:] = False
    is_bad |= is_outside
    events = found.events.select(~is_bad[found.events.channel])
    window = coincidence_frames(recording.rate_hz)
    events, artefact = without_artefacts(events, window, n_active=len(np.unique(events.channel)))
    together, counts = _coincidences(events, window, recording, n)
    smaller = np.maximum(np.minimum(counts[:, None], counts), 1)
    share = together / smaller
    enough = np.minimum(counts[:, None], counts) >= 3
    quality = np.zeros(n)
    for c in np.flatnonzero(counts):
        mine = events.amplitude_v[slice(*np.searchsorted(events.channel, [c, c + 1]))]
        quality[c] = np.median(mine) / found.noise_v[c]
    stands_for = np.arange(n)
    for c in np.argsort(-quality, kind="stable"):
        if counts[c] and stands_for[c] == c:
            twins = np.flatnonzero((share[c] > DUPLICATE_SHARE) & enough[c] & (stands_for == np.arange(n)))
            stands_for[twins[quality[twins] <= quality[c]]] = c
    channel = np.unique(stands_for)
    number = np.full(n, -1)
    number[channel] = np.arange(len(channel))
    shared = ((share > SHARED_SHARE) & enough)[np.ix_(channel, channel)]
    np.fill_diagonal(shared, False)
    return Neurons(channel, number[stands_for], events, artefact, is_bad, is_outside, shared)


def coincidence_frames(rate_hz: float) -> int:
    """Return how many frames apart, either side, events count as one moment."""
    return max(round(COINCIDENCE_S * rate_hz), 1)


def _outside(events: Events, n: int) -> Bool[ndarray, " channels"]:
    """Tell which channels' events are far smaller than the other channels' or begin with a trough."""
    amplitude_v, dip = np.full(n, np.nan), np.full(n, np.nan)
    for c in np.unique(events.channel):
        mine = slice(*np.searchsorted(events.channel, [c, c + 1]))
        amplitude_v[c] = np.median(events.amplitude_v[mine])
        dip[c] = np.median(events.dip_v[mine] / events.amplitude_v[mine])
    usual_v = np.nanmedian(amplitude_v) if np.count_nonzero(~np.isnan(dip)) >= ARRAY_CHANNELS else 0.0
    return (dip > OUTSIDE_DIP) | (amplitude_v < OUTSIDE_AMPLITUDE * usual_v)


def without_artefacts(events: Events, window: int, *, n_active: int) -> tuple[Events, Int64[ndarray, "artefacts 2"]]:
    """Drop events that half of the active channels (at least four) have at one moment."""
    order = np.lexsort((events.frame, events.segment))
    segment, frame = events.segment[order], events.frame[order]
    far = np.int64(frame.max(initial=0) + 10 * window)
    key = segment * far + frame
    low, high = np.searchsorted(key, key - window), np.searchsorted(key, key + window, side="right")
    wide = np.searchsorted(key, key + RING * window, side="right") - np.searchsorted(key, key - RING * window)
    needed = max(ARTEFACT_CHANNELS, ARTEFACT_SHARE * n_active)
    # in a burst events crowd for longer than a stimulus lasts
    crowded = np.flatnonzero((high - low >= needed) & (high - low > ARTEFACT_SHARE * wide))
    is_artefact = np.zeros(len(key), dtype=np.bool_)
    for k in crowded:
        if len(np.unique(events.channel[order[low[k] : high[k]]])) >= needed:
            is_artefact[low[k] : high[k]] = True
    if np.count_nonzero(is_artefact) > ONE_NEURON_SHARE * len(key):
        is_artefact[:] = False  # nothing fires on its own: this is one neuron on many pads, not a stimulus
    keep = np.ones(len(key), dtype=np.bool_)
    keep[order[is_artefact]] = False
    places = np.column_stack([segment[is_artefact], frame[is_artefact]])
    return events.select(keep), np.unique(places, axis=0)


def _coincidences(
    events: Events, window: int, recording: Recording, n: int
) -> tuple[Float64[ndarray, "channels channels"], Int64[ndarray, " channels"]]:
    """Return how many events each two channels share beyond chance, and each channel's events.

    Chance is what the ring around the window holds: neurons of one burst fire within milliseconds of each other.
    """
    order = np.lexsort((events.frame, events.segment))
    longest = max(recording.segment_frames) + 10 * window
    key, channel = events.segment[order] * longest + events.frame[order], events.channel[order]
    together = np.zeros((n, n))
    chance = (2 * window + 1) / (2 * (RING - 1) * window)
    _count_together(key, channel, window, RING * window, chance, together)
    np.fill_diagonal(together, 0.0)
    return together + together.T, np.bincount(events.channel, minlength=n)


@njit(cache=True, nogil=True)
@no_type_check
def _count_together(key, channel, window, ring, chance, together):
    """Add 1 for every two events within the window, and take off ``chance`` for every two in the ring around it."""
    for a in range(len(key)):
        b = a + 1
        while b < len(key) and key[b] - key[a] <= ring:
            together[channel[a], channel[b]] += 1.0 if key[b] - key[a] <= window else -chance
            b += 1
