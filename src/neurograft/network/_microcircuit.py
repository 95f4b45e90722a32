"""The cortical microcircuit of Potjans and Diesmann (2014): eight populations, 77,169 neurons, 3e8 synapses.

Cerebral Cortex 24:785, tables 4 and 5; numbers of synapses from connection probabilities by their equation 1.
Smaller copies keep each neuron's mean and variance of input (van Albada, Helias and Diesmann 2015, eq. 5): fewer
synapses, stronger by the square root, and a steady drive for the missing mean.
"""

import math
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import OptionError
from neurograft.network._drive import Drive, Poisson
from neurograft.network._populations import Populations, Projection
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.units import MS, MV

NAMES: Final = ("L2/3e", "L2/3i", "L4e", "L4i", "L5e", "L5i", "L6e", "L6i")
SIZES: Final = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
EXTERNAL: Final = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)  # synapses from outside
PROBABILITY: Final = (  # rows: target, columns: source
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443),
)
RATES_HZ: Final = (0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523)
"""Mean rates of the full model with Poisson input: those that NEST 2's example keeps for scaling."""
LATER_RATES_HZ: Final = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)
"""The same in the model's own later repository (INM-6, microcircuit-PD14-model)."""

_EXTERNAL_HZ, _WEIGHT_V, _G, _SPREAD = 8.0, 0.15 * MV, -4.0, 0.1
_DELAY_S, _DELAY_SPREAD = (1.5 * MS, 0.75 * MS), 0.5  # excitatory, inhibitory; spread over mean
_START_V, _START_SD_V = 7 * MV, 10 * MV  # above the rest of -65 mV
NEURON: Final = Lif(
    tau_m_s=10 * MS,
    threshold_v=15 * MV,
    reset_v=0.0,
    refractory_s=2 * MS,
    synapse=ExponentialSynapse(tau_excitatory_s=0.5 * MS, tau_inhibitory_s=0.5 * MS),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Microcircuit:
    """What ``run`` needs: ``run(c.net, neuron=c.neuron, drive=c.drive, options=RunOptions(start_v=c.start_v), …)``."""

    net: Populations
    neuron: Lif
    drive: Drive
    start_v: Float64[ndarray, " neurons"]


def microcircuit(*, rng: Generator, scale: float = 1.0, is_poisson: bool = True) -> Microcircuit:
    """Return the microcircuit, or a smaller one with ``scale`` of its neurons and of each one's synapses.

    Without ``is_poisson`` the input from outside is a steady current of the same mean.  ``rng`` draws start
    potentials and the seed of the wiring.
    """
    if not 0.0 < scale <= 1.0:
        raise OptionError(f"scale is {scale}. Give more than 0 and at most 1.")
    sizes = tuple(max(1, round(size * scale)) for size in SIZES)
    stronger = 1.0 / math.sqrt(scale)
    projections: list[Projection] = []
    missing_v = np.zeros(8)  # mean input of the full model, seconds times hertz times volts
    for post in range(8):
        for pre in range(8):
            mean_v = _weight_v(pre, post)
            n = _n_synapses(pre, post)
            missing_v[post] += n / SIZES[post] * RATES_HZ[pre] * _area_vs(mean_v)
            delay_s = _DELAY_S[pre % 2]
            projections.append(
                Projection(
                    pre=pre,
                    post=post,
                    n_synapses=round(n * sizes[post] / SIZES[post] * scale),
                    weight_v=mean_v * stronger,
                    weight_sd_v=abs(mean_v) * _SPREAD * stronger,
                    delay_s=delay_s,
                    delay_sd_s=delay_s * _DELAY_SPREAD,
                )
            )
    outside = np.array(EXTERNAL) * _EXTERNAL_HZ
    missing_v = (1.0 - math.sqrt(scale)) * (missing_v + outside * _area_vs(_WEIGHT_V))
    poisson = None
    if is_poisson:
        n_neurons = sum(sizes)
        poisson = Poisson(
            rate_hz=np.repeat(outside * scale, sizes), weight_v=np.full(n_neurons, _WEIGHT_V * stronger)
        )  # fmt: skip
    else:
        missing_v += math.sqrt(scale) * outside * _area_vs(_WEIGHT_V)
    seed = int(rng.integers(1 << 62))
    net = Populations(names=NAMES, sizes=sizes, projections=tuple(p for p in projections if p.n_synapses), seed=seed)
    drive = Drive(mean_v=np.repeat(missing_v, sizes), noise_sd_v=np.zeros(net.n_neurons), poisson=poisson)
    start_v = rng.normal(_START_V, _START_SD_V, net.n_neurons)
    return Microcircuit(net=net, neuron=NEURON, drive=drive, start_v=start_v)


def _weight_v(pre: int, post: int) -> float:
    """Return the mean weight; layer 4 excites layer 2/3 excitatory neurons twice as strongly (table 5)."""
    if pre % 2:
        return _G * _WEIGHT_V
    return 2.0 * _WEIGHT_V if (pre, post) == (2, 0) else _WEIGHT_V


def _n_synapses(pre: int, post: int) -> int:
    """Return how many synapses with repetition connect a pair with the stated probability (eq. 1)."""
    pairs = float(SIZES[pre]) * SIZES[post]
    return round(math.log1p(-PROBABILITY[post][pre]) / math.log1p(-1.0 / pairs))


def _area_vs(weight_v: float) -> float:
    """Return the area under a synapse's potential: volts times seconds."""
    one = np.array([weight_v])
    return weight_v * float(NEURON.area_s(one)[0])
