"""The models that a map's ``model`` column may name."""

from neurograft.neurons._adex import AdEx, advance_adex
from neurograft.neurons._conductance import ConductanceLif, advance_conductance
from neurograft.neurons._fly import FlyLif, advance_fly
from neurograft.neurons._hodgkin_huxley import HodgkinHuxley, advance_hodgkin_huxley, advance_noisy
from neurograft.neurons._ionic import IonicNeuron, advance_ionic
from neurograft.neurons._izhikevich import Izhikevich, advance_izhikevich
from neurograft.neurons._lif import Lif, advance_alpha, advance_delta, advance_exponential
from neurograft.neurons._model import Advance, NeuronModel

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


def known_steps() -> tuple[Advance, ...]:
    """Return the compiled steps of all built-in models."""
    return (
        advance_delta, advance_exponential, advance_alpha, advance_conductance, advance_adex, advance_izhikevich,
        advance_hodgkin_huxley, advance_noisy, advance_ionic, advance_fly,
    )  # fmt: skip
