"""The neuron families by name."""

from neurograft.culture._adex import AdaptiveExponential
from neurograft.culture._cells import NeuronFamily
from neurograft.culture._hodgkin_huxley import HodgkinHuxley
from neurograft.culture._izhikevich import Izhikevich
from neurograft.errors import CultureError, did_you_mean

FAMILIES: tuple[NeuronFamily, ...] = (AdaptiveExponential(), Izhikevich(), HodgkinHuxley())


def family_named(name: str) -> NeuronFamily:
    """Return the neuron family of that name, with its usual parameters."""
    for family in FAMILIES:
        if family.name == name:
            return family
    raise CultureError(
        f"There is no neuron family {name!r}. {did_you_mean(name, [family.name for family in FAMILIES])}"
    )
