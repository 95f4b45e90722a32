"""Pads that are inside of two neurons: action potentials of two sizes that take turns.

A pad's coupling drifts, so one neuron's action potentials change in size too, but slowly: neighbours in time are
alike, and small ones come in runs.  Two neurons fire when they will, so sizes change from one event to the next about
as often as coins do.  What also alternates is a bursting neuron, whose later action potentials are smaller: there the
small ones follow within milliseconds, and none comes after a pause.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from neurograft.copying.intracellular.neurons._detect import running_amplitude_v
from neurograft.copying.intracellular.neurons._neurons import Neurons
from neurograft.recordings import Recording
from neurograft.units import MS

_LEAST_EVENTS, _LEAST_OF_EACH, _LEAST_SHARE = 30, 8, 0.04
_WINDOW_S, _EVENTS_AROUND = 30.0, 7  # of the drift: a window, or as many events on either side
_ROUNDS = 4
_RATIO = 0.8  # of the smaller size to the larger: drift within a few events is less
_APART = 3.0  # Ashman's D, distance over mean sd; halves of one normal distribution have 2.65
_OVER_NOISE = 6.0  # of the difference in size: noise alone divides by 1.6
_LEAST_FRAMES = 3.0  # of the middle width; of narrower ones the sampled height depends on where the samples fall
_TURNS = 0.7  # changes of size over those of coins with the same shares
_PAUSE_S, _PAUSE_SHARE = 20 * MS, 0.3  # after a pause small ones are at least so common, against always


class Sizes(NamedTuple):
    """How two groups of a channel's action potentials differ."""

    ratio: float  # smaller over larger
    apart: float
    turns: float
    after_pause: float  # share of small ones after a pause, over their share
    share: float  # of small ones
    n: int

    @property
    def is_two(self) -> bool:
        """Whether two neurons are likelier than one."""
        few = min(self.share, 1 - self.share)
        return (
            self.ratio < _RATIO
            and self.apart > _APART
            and self.turns > _TURNS
            and self.after_pause > _PAUSE_SHARE
            and few > _LEAST_SHARE
            and few * self.n >= _LEAST_OF_EACH
        )


def two_in_one(
    recording: Recording, cells: Neurons, noise_v: Float64[ndarray, " channels"]
) -> Bool[ndarray, " neurons"]:
    """Tell for each neuron whether its channel likely shows two; ``noise_v`` is that of an event's height."""
    start_s = np.array(recording.segment_start_s)
    out = np.zeros(len(cells.channel), dtype=np.bool_)
    for k, c in enumerate(cells.channel):
        mine = slice(*np.searchsorted(cells.events.channel, [c, c + 1]))
        time_s = start_s[cells.events.segment[mine]] + cells.events.frame[mine] / recording.rate_hz
        amplitude_v, width_s = cells.events.amplitude_v[mine], cells.events.width_s[mine]
        found = sizes(time_s, amplitude_v)
        if found is not None and np.median(width_s) * recording.rate_hz >= _LEAST_FRAMES:
            step_v = (1 - found.ratio) * np.quantile(amplitude_v, 0.9)
            out[k] = found.is_two and step_v > _OVER_NOISE * noise_v[c]
    return out


def sizes(time_s: Float64[ndarray, " events"], amplitude_v: Float64[ndarray, " events"]) -> Sizes | None:
    """Return the best division of a channel's events, in order of time, in small and large ones; None of too few."""
    if len(time_s) < _LEAST_EVENTS:
        return None
    size = np.log(amplitude_v)
    drift = np.log(running_amplitude_v(time_s, amplitude_v, window_s=_WINDOW_S))
    tried = [_divided(time_s, size, start) for start in (drift, _around(size))]  # the second where one sort is rare
    return next((found for found in tried if found.is_two), tried[0])


def _divided(
    time_s: Float64[ndarray, " events"], size: Float64[ndarray, " events"], drift: Float64[ndarray, " events"]
) -> Sizes:
    """Return the best division of logarithmic sizes after taking out what both groups share, beginning with a guess."""
    is_small = np.zeros(len(size), dtype=np.bool_)
    for _ in range(_ROUNDS):
        level = size - drift
        is_small = level < _between(level)
        drift = drift + _around(level - np.where(is_small, np.median(level[is_small]), np.median(level[~is_small])))
    small, large = (size - drift)[is_small], (size - drift)[~is_small]
    step = float(np.median(large) - np.median(small))
    share = float(is_small.mean())
    pause = np.diff(time_s, prepend=-np.inf) >= _PAUSE_S
    turns = np.count_nonzero(is_small[1:] != is_small[:-1]) / ((len(size) - 1) * 2 * share * (1 - share))
    spread = max(float(np.sqrt(small.var() + large.var())), np.finfo(np.float64).tiny)
    return Sizes(
        ratio=float(np.exp(-step)),
        apart=float(np.sqrt(2) * step / spread),
        turns=float(turns),
        after_pause=float(is_small[pause].mean()) / share,
        share=share,
        n=len(size),
    )


def _around(values: Float64[ndarray, " events"]) -> Float64[ndarray, " events"]:
    """Return the running median over some events on either side."""
    from scipy.ndimage import median_filter

    return median_filter(values, size=2 * _EVENTS_AROUND + 1, mode="mirror")


def _between(values: Float64[ndarray, " values"]) -> float:
    """Return the bound between two groups that leaves the least variance inside of them (Otsu 1979)."""
    ordered = np.sort(values)
    n, few = len(ordered), max(3, int(0.03 * len(ordered)))
    k = np.arange(1, n)
    sums = np.cumsum(ordered)
    gain = (sums[:-1] / k - (sums[-1] - sums[:-1]) / (n - k)) ** 2 * k * (n - k)
    best = few - 1 + int(np.argmax(gain[few - 1 : n - few]))
    return 0.5 * float(ordered[best] + ordered[best + 1])
