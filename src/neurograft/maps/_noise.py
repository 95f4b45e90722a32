"""The background noise for which a map states its weights, which a run of it must give to neurons."""

from typing import Final

from neurograft.maps._map import SynapseMap
from neurograft.provenance import JsonValue, Provenance

NOISE_KEY: Final = "noise_sd_v"  # among the parameters of provenance, of a map and of an image that holds it


def stated_noise_v(made: SynapseMap | Provenance | None) -> float | None:
    """Return the noise (standard deviation of the potential) in which a map's weights mean what they say.

    Spikes tell what a synapse does to firing; how many millivolts do that depends on the noise of the neuron, which
    nobody saw.  So copying from spikes assumes a noise and says which.  None for weights that were measured as
    potentials, or counted: they do not depend on noise.
    """
    provenance = made.provenance if isinstance(made, SynapseMap) else made
    if provenance is None:
        return None
    value = provenance.parameters.get(NOISE_KEY, _of_older(provenance.parameters.get("standard")))
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _of_older(standard: JsonValue) -> JsonValue:
    """Return the noise where versions before 0.1.0's release kept it."""
    return standard.get(NOISE_KEY) if isinstance(standard, dict) else None
