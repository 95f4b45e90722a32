"""The networks of run.py beside the balanced one: the cortical microcircuit and one as sparse as a fly's brain."""

from dataclasses import dataclass

import numpy as np

from neurograft.network import Drive, Populations, Projection, microcircuit, steady_drive
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.units import MS, MV

FLY_NEURONS, FLY_SYNAPSES, FLY_ACTIVE = 138_639, 15_000_000, 400


@dataclass(frozen=True, kw_only=True)
class Case:
    net: Populations
    neuron: Lif
    drive: Drive
    start_v: np.ndarray


def fly_like() -> Case:
    """Return a network of the fly brain's size and neuron (Shiu et al. 2024), 400 of whose neurons fire at 40 Hz.

    Membrane 20 ms, currents of 5 ms, threshold 7 mV above rest, refractory 2.2 ms, delay 1.8 ms, 0.275 mV a synapse.
    108 connections a neuron as in that table; they are random here, two in five inhibit (our choice).
    """
    rest = FLY_NEURONS - FLY_ACTIVE
    sizes = (FLY_ACTIVE, rest * 3 // 5, rest - rest * 3 // 5)
    each = FLY_SYNAPSES / FLY_NEURONS
    projections = [
        Projection(
            pre=pre, post=post, n_synapses=round(sizes[pre] * each * sizes[post] / FLY_NEURONS),
            weight_v=(-0.275 if pre == 2 else 0.275) * MV, weight_sd_v=0.1 * MV, delay_s=1.8 * MS,
        )
        for pre in range(3) for post in range(3)
    ]  # fmt: skip
    net = Populations(names=("active", "excite", "inhibit"), sizes=sizes, projections=tuple(projections), seed=1)
    neuron = Lif(
        tau_m_s=20 * MS, threshold_v=7 * MV, reset_v=0.0, refractory_s=2.2 * MS,
        synapse=ExponentialSynapse(tau_excitatory_s=5 * MS, tau_inhibitory_s=5 * MS),
    )  # fmt: skip
    # tau ln(drive / (drive - threshold)) + refractory = 25 ms
    mean_v = 7 * MV / (1.0 - np.exp(-(25 - 2.2) / 20))
    drive = steady_drive(FLY_NEURONS, mean_v=np.where(np.arange(FLY_NEURONS) < FLY_ACTIVE, mean_v, 0.0))
    start_v = np.zeros(FLY_NEURONS)
    start_v[:FLY_ACTIVE] = np.random.default_rng(0).uniform(0, 7 * MV, FLY_ACTIVE)
    return Case(net=net, neuron=neuron, drive=drive, start_v=start_v)


def full_microcircuit(*, is_poisson: bool) -> Case:
    c = microcircuit(rng=np.random.default_rng(1), is_poisson=is_poisson)
    return Case(net=c.net, neuron=c.neuron, drive=c.drive, start_v=c.start_v)
