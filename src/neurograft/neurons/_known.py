"""The models that a map's ``model`` column may name."""

from neurograft.neurons._adex import AdEx
from neurograft.neurons._hodgkin_huxley import HodgkinHuxley
from neurograft.neurons._ionic import IonicNeuron
from neurograft.neurons._izhikevich import Izhikevich
from neurograft.neurons._lif import Lif
from neurograft.neurons._model import NeuronModel


def known_models() -> dict[str, NeuronModel]:
    """Return every built-in model with its default parameters, by name."""
    models: tuple[NeuronModel, ...] = (Lif(), AdEx(), Izhikevich(), HodgkinHuxley(), IonicNeuron())
    return {model.name: model for model in models}
