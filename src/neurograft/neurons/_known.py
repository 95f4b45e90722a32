"""The models that a map's ``model`` column may name."""

from neurograft.neurons._lif import Lif
from neurograft.neurons._model import NeuronModel


def known_models() -> dict[str, NeuronModel]:
    """Return every built-in model with its default parameters, by name."""
    models: tuple[NeuronModel, ...] = (Lif(),)
    return {model.name: model for model in models}
