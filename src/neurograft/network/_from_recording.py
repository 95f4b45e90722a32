"""What a background takes over from a recording: how irregular each neuron is, and how all rise and fall together."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.maps import MembraneNoise
from neurograft.network._drive import Modulation
from neurograft.neurons import Lif, siegert_cv, siegert_mean_v
from neurograft.spikes import SpikeTrains
from neurograft.units import MS, MV

_MOVE_S = 10 * MS  # postsynaptic potentials are gone in 10 to 15 ms (Ham 2021, fig. 2)
MIN_INTERVALS = 20  # fewer say nothing about irregularity
_N_LEVELS = 24  # of the population's rate, between which the drive is taken for linear
_QUIETEST = 0.02  # of its mean rate
_SLOWEST_HZ, _BEND_HZ, _FASTEST_HZ = 1e-3, 20.0, 500.0
_SD_V = np.geomspace(0.5, 20.0, 12) * MV
_LOG_RATE = np.linspace(np.log(0.05), np.log(200.0), 12)


class Modulated(NamedTuple):
    """A shared modulation, and how fast each neuron then fires in each bin, over its mean rate."""

    modulation: Modulation
    relative: Float64[ndarray, "bins neurons"]

    def share_in(self, duration_s: float) -> Float64[ndarray, " neurons"]:
        """Return the rates expected in the first so many seconds over the mean ones: they hold few bursts or many."""
        n_bins = self.relative.shape[0]
        return self.relative[np.arange(max(round(duration_s / self.modulation.bin_s), 1)) % n_bins].mean(axis=0)


def noise_sd_of(
    target: SpikeTrains, rate_hz: Float64[ndarray, " neurons"], *, neuron: Lif, unknown_v: float
) -> Float64[ndarray, " neurons"]:
    """Return the noise with which a lone neuron of that rate is as irregular as in the recording.

    Irregularity is CV2, the mean of 2 |a - b| / (a + b) over successive intervals (Holt, Softky, Koch and
    Douglas 1996), which slow changes of rate leave alone; it is matched to the model's coefficient of
    variation between 0.5 and 20 mV.  Neurons of fewer than 20 intervals get ``unknown_v``.
    """
    table = _cv_table(neuron)
    sd_v = np.full(target.n_neurons, unknown_v)
    for i, cv2 in enumerate(local_irregularity(target)):
        if np.isfinite(cv2):
            place = np.interp(np.log(rate_hz[i]), _LOG_RATE, np.arange(_LOG_RATE.size))
            lower = min(int(place), _LOG_RATE.size - 2)
            cv = table[lower] + (place - lower) * (table[lower + 1] - table[lower])
            sd_v[i] = np.interp(cv2, cv, _SD_V)
    return sd_v


def noise_sd_of_membranes(measured: MembraneNoise, *, neuron: Lif) -> Float64[ndarray, " neurons"]:
    """Return the white noise in which a neuron's potential moves as much within 10 ms as the membrane was seen to.

    The sd of a potential in noise with correlation time tau moves by s sqrt(1 - exp(-t / tau)) in a time t.  A
    recorded membrane has a tau of its own (its time constant, and that of what drives it); the model's is its
    ``tau_m_s``.  They are made equal over the time that a postsynaptic potential lasts, because that is what a
    potential has to stand out of.  Neurons whose noise is not known get the median.
    """
    moved = measured.sd_v**2 * -np.expm1(-_MOVE_S / measured.tau_s)
    sd_v = np.sqrt(moved / -np.expm1(-_MOVE_S / neuron.tau_m_s))
    known = sd_v > 0
    return np.where(known, sd_v, np.median(sd_v[known]))


@lru_cache
def _cv_table(neuron: Lif) -> Float64[ndarray, "rates sds"]:
    """Return the coefficient of variation by rate and noise; it takes half a second."""
    highest_hz = 0.8 / neuron.refractory_s if neuron.refractory_s > 0 else np.inf
    rate = np.minimum(np.repeat(np.exp(_LOG_RATE), _SD_V.size), highest_hz)
    sd = np.tile(_SD_V, _LOG_RATE.size)
    return siegert_cv(siegert_mean_v(rate, sd, neuron=neuron), sd, neuron=neuron).reshape(-1, _SD_V.size)


def local_irregularity(target: SpikeTrains) -> Float64[ndarray, " neurons"]:
    """Return each neuron's CV2 over intervals inside epochs, NaN with fewer than 20 pairs of them."""
    cv2 = np.full(target.n_neurons, np.nan)
    for i, time_s in enumerate(target.by_neuron()):
        epoch = np.searchsorted(target.epochs_s[:, 0], time_s, side="right")
        interval = np.diff(time_s)
        first, second = interval[:-1], interval[1:]
        keep = (np.diff(epoch)[:-1] == 0) & (np.diff(epoch)[1:] == 0) & (first + second > 0)
        if np.count_nonzero(keep) >= MIN_INTERVALS:
            cv2[i] = np.mean(2.0 * np.abs(second - first)[keep] / (first + second)[keep])
    return cv2


def shared_modulation(
    target: SpikeTrains,
    rate_hz: ndarray,
    *,
    bin_s: float,
    neuron: Lif,
    noise_sd_v: ndarray,
    brought_v: Callable[[ndarray], ndarray],
) -> Modulated | None:
    """Return the drive that makes the population rate as course, and each neuron's gain; None with one neuron.

    A neuron's share of the relative population rate is its regression on it; the drive for that comes from Siegert's
    formula, not from its slope at the mean rate: in a burst of thirty times the rate a neuron is driven far over its
    threshold, where a step of the log rate takes ten times as many volts as between bursts.
    """
    counts = _binned(target, bin_s)
    if target.n_neurons < 2 or counts.shape[1] < 4:
        return None
    total = counts.sum(axis=0)
    relative = (total + 0.5) / (total.mean() + 0.5)
    share = np.empty(target.n_neurons)
    for i in range(target.n_neurons):
        rest = total - counts[i]
        spread = float(np.var(rest))
        slope = float(np.mean((rest - rest.mean()) * (counts[i] - counts[i].mean()))) / spread if spread > 0 else 0.0
        share[i] = slope * rest.mean() / max(counts[i].mean(), 0.5 / counts.shape[1])
    share = np.clip(share, -1.0, 2.0)
    grid = np.linspace(np.log(relative.min()), np.log(relative.max()), _N_LEVELS)
    wanted_hz = rate_hz * _followed(np.exp(grid), share)
    needed_v = _needed_v(wanted_hz, noise_sd_v, neuron) - _needed_v(rate_hz, noise_sd_v, neuron)
    needed_v -= np.array([brought_v(each) for each in wanted_hz]) - brought_v(rate_hz)
    by_bin = np.array([np.interp(np.log(relative), grid, each) for each in needed_v.T])
    course = by_bin.mean(axis=0)  # one course for all: each neuron's own at its best size
    power = float(course @ course)
    gain = by_bin @ course / power if power > 0 else np.zeros(target.n_neurons)
    loudness = _followed(relative, share)
    return Modulated(
        Modulation(course=course - course.mean(), bin_s=bin_s, gain_v=gain), loudness / loudness.mean(axis=0)
    )


def _followed(relative: ndarray, share: ndarray) -> Float64[ndarray, "levels neurons"]:
    """Return each neuron's rate over its mean where the population's is ``relative``; never quite silent."""
    return np.maximum(1.0 + share * (relative[:, None] - 1.0), _QUIETEST)


def _needed_v(rate_hz: ndarray, noise_sd_v: ndarray, neuron: Lif) -> ndarray:
    """Return the drive for these rates, from a table: linear in the noise and the log of the rate, to 2 %."""
    log_rate, sd_v, table_v = _mean_table(neuron)
    x = np.clip(np.interp(np.log(rate_hz), log_rate, np.arange(log_rate.size)), 0, log_rate.size - 1.001)
    y = np.broadcast_to(np.clip(np.interp(noise_sd_v, sd_v, np.arange(sd_v.size)), 0, sd_v.size - 1.001), x.shape)
    i, j = x.astype(np.int64), y.astype(np.int64)
    p, q = x - i, y - j
    low = table_v[i, j] * (1 - q) + table_v[i, j + 1] * q
    high = table_v[i + 1, j] * (1 - q) + table_v[i + 1, j + 1] * q
    return low * (1 - p) + high * p


@lru_cache
def _mean_table(neuron: Lif) -> tuple[ndarray, ndarray, Float64[ndarray, "rates sds"]]:
    """Return log rates, noises, and the drive that each pair of them needs."""
    fastest_hz = min(0.9 / neuron.refractory_s if neuron.refractory_s > 0 else np.inf, _FASTEST_HZ)
    bend = np.log(min(_BEND_HZ, 0.5 * fastest_hz))  # above, drives grow quickly
    low, high = np.linspace(np.log(_SLOWEST_HZ), bend, 32), np.linspace(bend, np.log(fastest_hz), 29)
    log_rate = np.concatenate([low, high[1:]])
    rate, sd = np.repeat(np.exp(log_rate), _SD_V.size), np.tile(_SD_V, log_rate.size)
    return log_rate, _SD_V, siegert_mean_v(rate, sd, neuron=neuron).reshape(log_rate.size, -1)


def _binned(target: SpikeTrains, bin_s: float) -> Float64[ndarray, "neurons bins"]:
    """Return counts a bin, epochs laid end to end; a last bin that is not full is left out."""
    lengths_s = target.epochs_s[:, 1] - target.epochs_s[:, 0]
    offset_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    epoch = np.searchsorted(target.epochs_s[:, 0], target.time_s, side="right") - 1
    place_s = target.time_s - target.epochs_s[epoch, 0] + offset_s[epoch]
    n_bins = int(offset_s[-1] / bin_s)
    at = (place_s / bin_s).astype(np.int64)
    keep = at < n_bins
    flat = target.neuron[keep].astype(np.int64) * n_bins + at[keep]
    return np.bincount(flat, minlength=target.n_neurons * n_bins).reshape(target.n_neurons, n_bins).astype(np.float64)
