"""Runs of the authors' neuron with every ion moving, kept because one takes an hour and a half or more.

8,000 ions a slit, 5 ps; means over each microsecond, times are those of their ends.  ``neurograft ionic neuron --depth
particles --checkpoint neuron.npz`` computes them anew, with ``--seed 5`` and no more, or ``--authors-start``.
"""

from pathlib import Path

import numpy as np

from neurograft.ionic._circuit import NeuronTrace


def stored_authors_start() -> NeuronTrace:
    """Return the run from the places of the authors' input, noise of seed 5."""
    return _stored("neuron_authors_start.csv")


def stored_particle_run() -> NeuronTrace:
    """Return the run of seed 5, chosen among 20 because stripes from the same places spiked early and often."""
    return _stored("neuron_seed5.csv")


def _stored(name: str) -> NeuronTrace:
    columns = np.loadtxt(Path(__file__).parent / "stored" / name, delimiter=",", skiprows=1)
    return NeuronTrace(*columns.T.copy())
