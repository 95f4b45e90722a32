"""What a background takes over from a recording: how irregular each neuron is, and how all rise and fall together."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.network._drive import Modulation
from neurograft.neurons import Lif, siegert_cv, siegert_mean_v
from neurograft.spikes import SpikeTrains
from neurograft.units import MV

MIN_INTERVALS = 20  # fewer say nothing about irregularity
_SD_V = np.geomspace(0.5, 20.0, 12) * MV
_LOG_RATE = np.linspace(np.log(0.05), np.log(200.0), 12)


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
    target: SpikeTrains, rate_hz: ndarray, *, bin_s: float, neuron: Lif, noise_sd_v: ndarray
) -> Modulation | None:
    """Return the log of the relative population rate as course, and each neuron's gain; None with one neuron.

    Near a neuron's working point a step of the log rate takes d(mean)/d(log rate) volts (Siegert).
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
    lower, upper = (siegert_mean_v(rate_hz * f, noise_sd_v, neuron=neuron) for f in (0.8, 1.25))
    per_log_v = (upper - lower) / np.log(1.25 / 0.8)
    course = np.log(relative)
    return Modulation(course=course - course.mean(), bin_s=bin_s, gain_v=np.clip(share, -1.0, 2.0) * per_log_v)


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
