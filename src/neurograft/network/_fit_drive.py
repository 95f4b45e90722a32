"""Background drive that makes a map's neurons fire as fast as a recording's, and rise and fall together like them."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap
from neurograft.network._drive import Drive, DriveFit, Modulation, steady_drive
from neurograft.network._options import RunOptions
from neurograft.network._rows import used_synapses
from neurograft.network._run import run
from neurograft.neurons import Lif, siegert_mean_v
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains
from neurograft.units import MS, MV


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How long and how often trial runs are made, and what background noise is assumed."""

    noise_sd_v: float = 4 * MV  # guessed: in-vivo potentials fluctuate by 2 to 6 mV
    modulation_bin_s: float | None = 50 * MS  # None: no shared modulation
    n_rounds: int = 6
    trial_s: float = 20.0
    step_s: float = 0.1 * MS

    def __post_init__(self) -> None:
        """Refuse values with which nothing can be fitted."""
        if not self.noise_sd_v > 0:
            raise RunError(f"noise_sd_v is {self.noise_sd_v} V. Give some noise, else neurons are silent or clocks.")
        if self.n_rounds < 1 or not self.trial_s > 0:
            raise RunError(
                f"{self.n_rounds} rounds of {self.trial_s} s were asked for. Give at least one of some time."
            )
        if self.modulation_bin_s is not None and not self.modulation_bin_s > 0:
            raise RunError(f"modulation_bin_s is {self.modulation_bin_s}. Give a positive number of seconds, or None.")


def fit_drive(
    m: SynapseMap,
    target: SpikeTrains,
    *,
    seed: int,
    neuron: Lif | None = None,
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> Drive:
    """Return the drive with which each neuron of the running map has the rate that it has in ``target``.

    The steady part starts where a lone neuron in noise would have that rate (Siegert) less what the map's own
    synapses bring, and is corrected by short runs; ``drive.fit`` holds the rates wanted and reached.  A
    neuron without a spike is driven to half a spike in the recording.

    The shared part, unless switched off, is the recording's own population rate over time: it is *given* to
    the network, so slow co-modulation says nothing about the map.  Each neuron's share is its regression on
    the rate of all other neurons.
    """
    neuron, options = neuron if neuron is not None else Lif(), options if options is not None else FitOptions()
    if m.labels != target.labels:
        raise RunError(
            f"The map's neurons ({', '.join(m.labels[:3])} …, {m.n_neurons} in all) are not those of the recording "
            f"({', '.join(target.labels[:3])} …, {target.n_neurons} in all). Fit to the recording that was copied."
        )
    wanted_hz = np.maximum(target.counts(), 0.5) / target.duration_s
    modulation = None
    if options.modulation_bin_s is not None:
        modulation = _shared_modulation(
            target, wanted_hz, bin_s=options.modulation_bin_s, neuron=neuron, noise_sd_v=options.noise_sd_v
        )
    return _fit(m, wanted_hz, modulation=modulation, seed=seed, neuron=neuron, options=options, progress=progress)


def fit_drive_to_rates(
    m: SynapseMap,
    rate_hz: float | Float64[ndarray, " neurons"],
    *,
    seed: int,
    neuron: Lif | None = None,
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> Drive:
    """Return a drive without modulation that gives each neuron of the running map a stated mean rate.

    For connectomes, which come without a recording: firing is irregular, near Poisson at low rates.
    """
    wanted_hz = np.array(np.broadcast_to(np.asarray(rate_hz, dtype=np.float64), (m.n_neurons,)))
    neuron, options = neuron if neuron is not None else Lif(), options if options is not None else FitOptions()
    return _fit(m, wanted_hz, modulation=None, seed=seed, neuron=neuron, options=options, progress=progress)


def _fit(
    m: SynapseMap,
    wanted_hz: Float64[ndarray, " neurons"],
    *,
    modulation: Modulation | None,
    seed: int,
    neuron: Lif,
    options: FitOptions,
    progress: Progress,
) -> Drive:
    """Start from Siegert and mean-field input, then move each mean by what its trial rate was short of.

    In noise-driven firing the log of the rate is nearly linear in the mean, so a round corrects by the
    difference of Siegert's means for the wanted and the reached rate.  A count of n spikes is only worth
    n / (n + 1) of that: slow neurons would else follow chance.
    """
    _require_reachable(m, wanted_hz, neuron)
    sd_v = np.full(m.n_neurons, options.noise_sd_v)
    mean_v = siegert_mean_v(wanted_hz, sd_v, neuron=neuron, step_s=options.step_s)
    mean_v -= _mean_input_v(m, wanted_hz, neuron)
    drive = replace(steady_drive(m.n_neurons, mean_v=mean_v, noise_sd_v=sd_v), modulation=modulation)
    achieved_hz = wanted_hz
    for round_ in range(options.n_rounds + 1):
        activity = run(
            m, duration_s=options.trial_s, seed=seed + round_, drive=drive, neuron=neuron,
            options=RunOptions(step_s=options.step_s, chunk_s=1.0),
        )  # fmt: skip
        counts = activity.spikes.counts()
        achieved_hz = counts / options.trial_s
        progress("fit the drive", round_ + 1, options.n_rounds + 1)
        if round_ == options.n_rounds:
            break
        expected = wanted_hz * options.trial_s
        gain = 1.0 / max(1, round_ - 1)  # from the third round on rounds are averaged (Robbins and Monro 1951)
        trust = gain * (counts + expected) / (counts + expected + 2.0)
        seen_hz = np.minimum((counts + 0.5) / (expected + 0.5) * wanted_hz, 0.9 / max(neuron.refractory_s, 1e-3))
        now_v = siegert_mean_v(seen_hz, sd_v, neuron=neuron, step_s=options.step_s)
        goal_v = siegert_mean_v(wanted_hz, sd_v, neuron=neuron, step_s=options.step_s)
        drive = replace(drive, mean_v=drive.mean_v + trust * (goal_v - now_v))
    error_hz = np.sqrt(np.maximum(wanted_hz * options.trial_s, 1.0)) / options.trial_s
    fit = DriveFit(wanted_hz=wanted_hz, achieved_hz=achieved_hz, standard_error_hz=error_hz, n_rounds=options.n_rounds)
    return replace(drive, fit=fit)


def _mean_input_v(m: SynapseMap, rate_hz: ndarray, neuron: Lif) -> Float64[ndarray, " neurons"]:
    """Return the steady depolarisation by the map's own synapses at these rates: area of a potential times rate."""
    used = used_synapses(m)
    area = m.weight_v[used] * neuron.area_s(m.weight_v[used])
    return np.bincount(m.post[used], weights=area * rate_hz[m.pre[used]], minlength=m.n_neurons)


def _shared_modulation(
    target: SpikeTrains, rate_hz: ndarray, *, bin_s: float, neuron: Lif, noise_sd_v: float
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
    sd_v = np.full(target.n_neurons, noise_sd_v)
    lower, upper = (siegert_mean_v(rate_hz * f, sd_v, neuron=neuron) for f in (0.8, 1.25))
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


def _require_reachable(m: SynapseMap, wanted_hz: ndarray, neuron: Lif) -> None:
    bad = np.flatnonzero(~((wanted_hz > 0) & (wanted_hz * neuron.refractory_s < 0.9)))
    if bad.size:
        raise RunError(
            f"Neuron {m.labels[bad[0]]} shall fire at {wanted_hz[bad[0]]:g} Hz, but this neuron model reaches "
            f"0 to {0.9 / neuron.refractory_s if neuron.refractory_s else np.inf:g} Hz. Shorten refractory_s or lower "
            "the rate."
        )
