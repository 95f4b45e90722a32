"""One run of the authors' neuron with every ion moving, kept because it takes an hour or more.

``neurograft ionic neuron --depth particles --seed 5 --checkpoint neuron.npz`` computes it anew: 8,000 ions a slit,
5 ps, ions spread at random.  The seed was chosen among 20 because stripes from the same places spiked early and often.
"""

from pathlib import Path

import numpy as np

from neurograft.ionic._circuit import NeuronTrace


def stored_particle_run() -> NeuronTrace:
    """Return means over each microsecond; times are those of their ends."""
    columns = np.loadtxt(Path(__file__).parent / "stored" / "neuron_seed5.csv", delimiter=",", skiprows=1)
    return NeuronTrace(*columns.T.copy())
