"""A living network that learns beside its copy (``run --living``), and how far the two drift apart."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurograft.cli._files import open_network
from neurograft.cli._learn import Learning
from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Drive, LearningDrift, RunOptions, Stimulus
    from neurograft.neurons import NeuronModel
    from neurograft.progress import Progress

N_TIMES = 10  # at which the drift is told


def living_of(path: Path, m: "SynapseMap", learning: Learning | None, *, seed: int) -> "SynapseMap":
    """Return the living network; one whose synapses are not the copy's is refused."""
    if learning is None:
        raise OptionError("--living follows what a copy learns, but nothing learns. Add --learn or --homeostasis-hz.")
    living = open_network(path, age_s=0.0, seed=seed)
    alike = living.labels == m.labels and living.n_synapses == m.n_synapses
    if not alike or not (np.array_equal(living.pre, m.pre) and np.array_equal(living.post, m.post)):
        raise OptionError(f"{path} does not have the synapses of the copy. Give the map from which it was pasted.")
    return living


def drift_beside(
    living: "SynapseMap",
    copy: "SynapseMap",
    learning: Learning,
    *,
    duration_s: float,
    seed: int,
    drive: "Drive",
    neuron: "NeuronModel | None",
    options: "RunOptions",
    stimulus: "Stimulus | None",
    progress: "Progress",
) -> "LearningDrift":
    """Run the living network as the copy ran, each synapse a number that learns exactly; return the drift of both."""
    from neurograft.network import ExactWeights, learning_drift, run

    learnt = learning.plasticity
    most_v = learning.most_v
    exact = replace(learnt, store=ExactWeights(living.weight_v, most_v), history=[])
    run(
        living, duration_s=duration_s, seed=seed, drive=drive, neuron=neuron,
        options=replace(options, record_to=None), stimulus=stimulus, plasticity=exact, progress=progress,
    )  # fmt: skip
    is_plastic = learnt.plastic(copy) & exact.plastic(living)
    return learning_drift(exact, learnt, is_plastic=is_plastic, began=(living.weight_v, copy.weight_v))
