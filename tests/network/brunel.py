"""The network with which engines are compared: 10,000 neurons, 1e7 synapses, all numbers dyadic, so sums are exact.

Balanced random network after Brunel (2000): 8,000 excitatory and 2,000 inhibitory neurons, each with 800 and
200 inputs drawn with replacement.  Potentials are in millivolts called volts, because 0.125 mV is a dyadic
number in millivolts and none in volts; a linear neuron does not mind the scale.
"""

import numpy as np

from neurograft.maps import SynapseMap, synapse_map
from neurograft.neurons import Lif
from neurograft.units import MS

SEED = 20261122
N_E, N_I, K_E, K_I = 8000, 2000, 800, 200
J, G, DRIVE = 0.125, 5.0, 30.0
NEURON = Lif(tau_m_s=20 * MS, threshold_v=20.0, reset_v=10.0, refractory_s=2 * MS)


def brunel_inputs(scale: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pre, post, weight (drawn pairs that repeat stay separate rows) and start potentials; 1/scale the size."""
    rng = np.random.Generator(np.random.Philox(SEED))
    n_e, n_i, k_e, k_i = (x // scale for x in (N_E, N_I, K_E, K_I))
    n = n_e + n_i
    pre = np.concatenate([rng.integers(0, n_e, (n, k_e)), rng.integers(n_e, n, (n, k_i))], axis=1).astype(np.int32)
    post = np.repeat(np.arange(n, dtype=np.int32), k_e + k_i)
    weight = np.tile(np.repeat([J * scale, -G * J * scale], [k_e, k_i]), n)
    start = rng.integers(0, 20 * 256, n) / 256.0
    return pre.ravel(), post, weight, start


def brunel_map(scale: int = 1, *, delay_s: float = 1.5 * MS) -> tuple[SynapseMap, np.ndarray]:
    """Return the map (repeated pairs added) and start potentials."""
    pre, post, weight, start = brunel_inputs(scale)
    n = start.size
    pair, index = np.unique(pre.astype(np.int64) * n + post, return_inverse=True)
    total = np.bincount(index, weights=weight)
    m = synapse_map(n_neurons=n, pre=pair // n, post=pair % n, weight_v=total, delay_s=delay_s)
    return m, start
