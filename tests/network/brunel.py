"""The network with which engines are compared: all numbers dyadic, so sums are exact in any order.

Balanced random network after Brunel (2000), at full size 8,000 excitatory and 2,000 inhibitory neurons with
800 and 200 inputs each, drawn with replacement (repeated pairs are added).  Potentials are in millivolts called
volts, because 0.125 mV is a dyadic number in millivolts and none in volts; a linear neuron does not mind.
"""

import hashlib

import numpy as np

from neurograft.maps import SynapseMap, synapse_map
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.neurons._synapses import exponential_peak
from neurograft.spikes import SpikeTrains
from neurograft.units import MS

SEED = 20261122
STEP_S = 0.1 * MS
J, G, DRIVE = 0.125, 5.0, 30.0
DELTA = Lif(tau_m_s=20 * MS, threshold_v=20.0, reset_v=10.0, refractory_s=2 * MS)
EXPONENTIAL = Lif(
    tau_m_s=20 * MS,
    threshold_v=20.0,
    reset_v=10.0,
    refractory_s=2 * MS,
    synapse=ExponentialSynapse(tau_excitatory_s=0.5 * MS, tau_inhibitory_s=0.5 * MS),
)
CURRENT_PER_KICK = 40.0  # tau_m / tau_s: the current's jump that carries the charge of a kick


def brunel_map(
    scale: int = 1, *, has_mixed_delays: bool = False, is_current: bool = False
) -> tuple[SynapseMap, np.ndarray]:
    """Return the map and start potentials of the network with 1/scale of its neurons and inputs."""
    rng = np.random.Generator(np.random.Philox(SEED))
    n_e, n_i, k_e, k_i = (x // scale for x in (8000, 2000, 800, 200))
    n = n_e + n_i
    pre = np.concatenate([rng.integers(0, n_e, (n, k_e)), rng.integers(n_e, n, (n, k_i))], axis=1)
    start = rng.integers(0, 20 * 256, n) / 256.0
    weight = np.repeat([J * scale, -G * J * scale], [k_e, k_i])
    total, times = np.zeros(n * n), np.zeros(n * n, dtype=np.int8)
    for post in range(n):
        np.add.at(total, pre[post] * n + post, weight)
        times[pre[post] * n + post] = 1
    pair = np.flatnonzero(times)
    delay_s = rng.integers(8, 24, pair.size) * STEP_S if has_mixed_delays else np.full(pair.size, 1.5 * MS)
    peak = exponential_peak(tau_m_s=20 * MS, tau_syn_s=0.5 * MS) * CURRENT_PER_KICK if is_current else 1.0
    m = synapse_map(n_neurons=n, pre=pair // n, post=pair % n, weight_v=total[pair] * peak, delay_s=delay_s)
    return m, start


def spike_hash(spikes: SpikeTrains) -> str:
    """Return the SHA-256 of (step, neuron) pairs as little-endian int32."""
    step = np.rint(spikes.time_s / STEP_S).astype("<i4")
    return hashlib.sha256(np.column_stack([step, spikes.neuron.astype("<i4")]).tobytes()).hexdigest()
