"""Background drive that makes a map's neurons fire as fast as a recording's, and rise and fall together like them."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap, measured_noise, stated_noise_v
from neurograft.network._drive import Drive, DriveFit, steady_drive
from neurograft.network._from_recording import noise_sd_of, noise_sd_of_membranes, shared_modulation
from neurograft.network._options import RunOptions
from neurograft.network._rows import used_synapses
from neurograft.network._run import run
from neurograft.network._short_term import steady_share
from neurograft.neurons import (
    AlphaConductance,
    AlphaSynapse,
    ConductanceLif,
    ExponentialSynapse,
    Lif,
    NeuronModel,
    siegert_mean_v,
)
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains
from neurograft.units import MS, MV

UNKNOWN_NOISE_V = 4 * MV  # guessed: potentials in vivo fluctuate by 2 to 6 mV


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How long and how often trial runs are made, and what background noise is assumed."""

    # None: stated by the map, else measured with it, else from each neuron's irregularity, else UNKNOWN_NOISE_V
    noise_sd_v: float | None = None
    modulation_bin_s: float | None = 50 * MS  # None: no shared modulation
    n_rounds: int = 6
    trial_s: float = 20.0
    step_s: float = 0.1 * MS

    def __post_init__(self) -> None:
        """Refuse values with which nothing can be fitted."""
        if self.noise_sd_v is not None and not self.noise_sd_v > 0:
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
    neuron: NeuronModel | None = None,
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> Drive:
    """Return the drive with which each neuron of the running map has the rate that it has in ``target``.

    The steady part starts where a lone neuron in noise would have that rate (Siegert) less what the map's own
    synapses bring, and is corrected by short runs; ``drive.fit`` holds the rates wanted and reached: look at
    ``drive.fit.worst_relative_error``, for a map so strong that it ignites has no such drive.  A
    neuron without a spike is driven to half a spike in the recording.

    The noise is, unless given, the one for which the map states its weights (a map from spikes), else the one that was
    measured of its membranes (a map from potentials), else the one with which each neuron is as irregular as in
    ``target``.

    The shared part, unless switched off, is the recording's own population rate over time: it is *given* to
    the network, so slow co-modulation says nothing about the map.  Each neuron's share is its regression on
    the rate of all other neurons.
    """
    neuron, options = neuron if neuron is not None else Lif(), options if options is not None else FitOptions()
    lif = _steering(neuron)
    if m.labels != target.labels:
        raise RunError(
            f"The map's neurons ({', '.join(m.labels[:3])} …, {m.n_neurons} in all) are not those of the recording "
            f"({', '.join(target.labels[:3])} …, {target.n_neurons} in all). Fit to the recording that was copied."
        )
    wanted_hz = np.maximum(target.counts(), 0.5) / target.duration_s
    _require_reachable(m, wanted_hz, lif)
    sd_v = _known_noise_v(m, lif, options)
    if sd_v is None:
        sd_v = noise_sd_of(target, wanted_hz, neuron=lif, unknown_v=UNKNOWN_NOISE_V)
    shared, share = None, np.ones(m.n_neurons)
    if options.modulation_bin_s is not None:
        shared = shared_modulation(
            target, wanted_hz, bin_s=options.modulation_bin_s, neuron=lif, noise_sd_v=sd_v,
            brought_v=lambda rate_hz: _mean_input_v(m, rate_hz, lif),
        )  # fmt: skip
    background = steady_drive(m.n_neurons, noise_sd_v=sd_v)
    if shared is not None:
        background, share = replace(background, modulation=shared.modulation), shared.share_in(options.trial_s)
    return _fit(m, wanted_hz, share, background, seed=seed, neuron=neuron, lif=lif, options=options, progress=progress)


def fit_drive_to_rates(
    m: SynapseMap,
    rate_hz: float | Float64[ndarray, " neurons"],
    *,
    seed: int,
    neuron: NeuronModel | None = None,
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> Drive:
    """Return a drive without modulation that gives each neuron of the running map a stated mean rate.

    For connectomes, which come without a recording: firing is irregular, near Poisson at low rates.
    """
    wanted_hz = np.array(np.broadcast_to(np.asarray(rate_hz, dtype=np.float64), (m.n_neurons,)))
    neuron, options = neuron if neuron is not None else Lif(), options if options is not None else FitOptions()
    lif = _steering(neuron)
    _require_reachable(m, wanted_hz, lif)
    sd_v = _known_noise_v(m, lif, options)
    background = steady_drive(m.n_neurons, noise_sd_v=UNKNOWN_NOISE_V if sd_v is None else sd_v)
    return _fit(
        m,
        wanted_hz,
        np.ones(m.n_neurons),
        background,
        seed=seed,
        neuron=neuron,
        lif=lif,
        options=options,
        progress=progress,
    )


def _known_noise_v(m: SynapseMap, lif: Lif, options: FitOptions) -> Float64[ndarray, " neurons"] | None:
    """Return the noise that is asked for, stated by the map, or measured with it; None where nothing of it is known."""
    given_v = options.noise_sd_v if options.noise_sd_v is not None else stated_noise_v(m)
    if given_v is not None:
        return np.full(m.n_neurons, given_v)
    measured = measured_noise(m)
    return None if measured is None else noise_sd_of_membranes(measured, neuron=lif)


def _fit(
    m: SynapseMap,
    wanted_hz: Float64[ndarray, " neurons"],
    share: Float64[ndarray, " neurons"],
    background: Drive,
    *,
    seed: int,
    neuron: NeuronModel,
    lif: Lif,
    options: FitOptions,
    progress: Progress,
) -> Drive:
    """Start from Siegert less the map's mean input, then correct means after each of some trial runs of ``neuron``.

    A neuron that fired at r needed Siegert's mean for r, and had it from its drive and from what the others
    sent at their rates.  Once all fire as wanted they send something else; so the drive moves by the
    difference of both.  A count of n spikes is only trusted as far as n / (n + 1), and once the
    network is near the wanted rate corrections are averaged over rounds (Robbins and Monro 1951): slow neurons
    would else follow chance.
    """
    sd_v = np.sqrt(background.noise_sd_v**2 + _input_variance_v2(m, wanted_hz, lif))
    wanted_v = siegert_mean_v(wanted_hz, sd_v, neuron=lif, step_s=options.step_s)
    sent_v = _mean_input_v(m, wanted_hz, lif)
    drive = replace(background, mean_v=wanted_v - sent_v)
    achieved_hz = wanted_hz
    n_settled = 0
    expected = wanted_hz * share * options.trial_s  # a trial may hold more of the modulation's bursts than usual
    for round_ in range(options.n_rounds + 1):
        activity = run(
            m, duration_s=options.trial_s, seed=seed + round_, drive=drive, neuron=neuron,
            options=RunOptions(step_s=options.step_s, chunk_s=1.0),
        )  # fmt: skip
        counts = activity.spikes.counts()
        achieved_hz = counts / (share * options.trial_s)
        progress("fit the drive", round_ + 1, options.n_rounds + 1)
        if round_ == options.n_rounds:
            break
        trust = (counts + expected) / (counts + expected + 2.0)
        # A network that ran away or fell silent says little about its working point: hence the bounds.
        ratio = np.clip((counts + 0.5) / (expected + 0.5), 0.1, 10.0)
        seen_hz = np.minimum(ratio * wanted_hz, 0.9 / max(lif.refractory_s, 1e-3))
        seen_v = siegert_mean_v(seen_hz, sd_v, neuron=lif, step_s=options.step_s)
        more_sent_v = sent_v - _mean_input_v(m, np.clip(ratio, 0.5, 2.0) * wanted_hz, lif)
        move_v = trust * (wanted_v - seen_v) - more_sent_v
        n_settled += bool(0.5 < achieved_hz.sum() / wanted_hz.sum() < 2.0)
        drive = replace(drive, mean_v=drive.mean_v + move_v / max(1, n_settled - 2))
    error_hz = np.sqrt(np.maximum(expected, 1.0)) / (share * options.trial_s)
    fit = DriveFit(wanted_hz=wanted_hz, achieved_hz=achieved_hz, standard_error_hz=error_hz, n_rounds=options.n_rounds)
    return replace(drive, fit=fit)


def _steering(neuron: NeuronModel) -> Lif:
    """Return the neuron by whose formulas a fit is steered: the one given, one with currents for conductances."""
    if isinstance(neuron, Lif):
        return neuron
    if not isinstance(neuron, ConductanceLif):
        return Lif()
    shape = AlphaSynapse if isinstance(neuron.synapse, AlphaConductance) else ExponentialSynapse
    taus = neuron.synapse.tau_excitatory_s, neuron.synapse.tau_inhibitory_s
    return Lif(
        tau_m_s=neuron.tau_m_s, threshold_v=neuron.threshold_v, reset_v=neuron.reset_v,
        refractory_s=neuron.refractory_s, synapse=shape(tau_excitatory_s=taus[0], tau_inhibitory_s=taus[1]),
    )  # fmt: skip


def _mean_input_v(m: SynapseMap, rate_hz: ndarray, neuron: Lif) -> Float64[ndarray, " neurons"]:
    """Return the steady depolarisation by the map's own synapses at these rates: area of a potential times rate."""
    used = used_synapses(m)
    area = m.weight_v[used] * neuron.area_s(m.weight_v[used]) * steady_share(m, rate_hz)[used]
    return np.bincount(m.post[used], weights=area * rate_hz[m.pre[used]], minlength=m.n_neurons)


def _input_variance_v2(m: SynapseMap, rate_hz: ndarray, neuron: Lif) -> Float64[ndarray, " neurons"]:
    """Return the variance that the map's synapses add at these rates (shot noise of kicks of the same area)."""
    used = used_synapses(m)
    kick_v = m.weight_v[used] * neuron.area_s(m.weight_v[used]) / neuron.tau_m_s * steady_share(m, rate_hz)[used]
    power = kick_v**2 * rate_hz[m.pre[used]] * neuron.tau_m_s / 2.0
    return np.bincount(m.post[used], weights=power, minlength=m.n_neurons)


def _require_reachable(m: SynapseMap, wanted_hz: ndarray, neuron: Lif) -> None:
    bad = np.flatnonzero(~((wanted_hz > 0) & (wanted_hz * neuron.refractory_s < 0.9)))
    if bad.size:
        raise RunError(
            f"Neuron {m.labels[bad[0]]} shall fire at {wanted_hz[bad[0]]:g} Hz, but this neuron model reaches "
            f"0 to {0.9 / neuron.refractory_s if neuron.refractory_s else np.inf:g} Hz. Shorten refractory_s or lower "
            "the rate."
        )
