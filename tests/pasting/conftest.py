"""Maps to paste."""

import numpy as np
import pytest

from neurograft.maps import Kind, synapse_map


def make_map(n_neurons=40, n_synapses=300, seed=0, *, is_dale=True, kinds=(Kind.CHEMICAL,)):
    """A random signed map with log-normal weights, the form that connectomes have."""
    rng = np.random.default_rng(seed)
    pair = rng.choice(n_neurons * n_neurons, min(n_synapses, n_neurons * n_neurons), replace=False)
    pre, post = pair // n_neurons, pair % n_neurons
    inhibitory = rng.random(n_neurons) < 0.3
    negative = inhibitory[pre] if is_dale else rng.random(pair.size) < 0.5
    return synapse_map(
        n_neurons=n_neurons,
        pre=pre,
        post=post,
        weight_v=rng.lognormal(np.log(5e-4), 0.8, pair.size) * np.where(negative, -1, 1),
        delay_s=rng.integers(5, 50, pair.size) / 1e4,  # exact decimals, as files give them
        kind=np.array([kinds[i % len(kinds)] for i in range(pair.size)], dtype=np.uint8),
        sign=np.where(inhibitory, -1, 1).astype(np.int8) if is_dale else None,
        position_um=rng.uniform(0, 100, (n_neurons, 3)),
        model="lif",
    )


@pytest.fixture
def random_map():
    return make_map()
