"""The models that a map's ``model`` column may name."""

from neurograft.neurons._adex import AdEx
from neurograft.neurons._conductance import ConductanceLif
from neurograft.neurons._fly import FlyLif
from neurograft.neurons._hodgkin_huxley import HodgkinHuxley
from neurograft.neurons._ionic import IonicNeuron
from neurograft.neurons._izhikevich import Izhikevich
from neurograft.neurons._lif import Lif
from neurograft.neurons._model import NeuronModel

_PATCH_UM2 = 1000.0  # of membrane with channel noise where a map only names the model: 60,000 sodium channels


def known_models() -> dict[str, NeuronModel]:
    """Return every built-in model with its default parameters, by name."""
    models: tuple[NeuronModel, ...] = (
        Lif(),
        ConductanceLif(),
        AdEx(),
        Izhikevich(),
        HodgkinHuxley(),
        HodgkinHuxley(area_um2=_PATCH_UM2),
        IonicNeuron(),
        FlyLif(),
        FlyLif(is_stimulated=True),
    )
    return {model.name: model for model in models}
