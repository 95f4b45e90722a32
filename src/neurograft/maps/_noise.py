"""The background noise that goes with a map's weights, stated or measured, which a run of it must give to neurons."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.maps._map import SynapseMap
from neurograft.provenance import JsonValue, Provenance

NOISE_KEY: Final = "noise_sd_v"  # among the parameters of provenance, of a map and of an image that holds it
MEMBRANE_SD: Final = "membrane_noise_v"  # columns of neurons
MEMBRANE_TAU: Final = "membrane_noise_tau_s"


class MembraneNoise(NamedTuple):
    """Standard deviation and correlation time of each neuron's potential, less drift and the map's synapses.

    NaN where it could not be measured.
    """

    sd_v: Float64[ndarray, " neurons"]
    tau_s: Float64[ndarray, " neurons"]


def measured_noise(m: SynapseMap) -> MembraneNoise | None:
    """Return the neurons' noise as measured where the map was copied from potentials, None where of no neuron."""
    if not {MEMBRANE_SD, MEMBRANE_TAU} <= m.neuron_extra.keys():
        return None
    noise = MembraneNoise(m.neuron_extra[MEMBRANE_SD], m.neuron_extra[MEMBRANE_TAU])
    return noise if np.any(noise.sd_v > 0) else None


def stated_noise_v(made: SynapseMap | Provenance | None) -> float | None:
    """Return the noise (standard deviation of the potential) in which a map's weights mean what they say.

    Spikes tell what a synapse does to firing; how many millivolts do that depends on the noise of the neuron, which
    nobody saw.  So copying from spikes assumes a noise and says which.  None for weights that were measured as
    potentials, or counted: they do not depend on noise (``measured_noise`` may know it).
    """
    provenance = made.provenance if isinstance(made, SynapseMap) else made
    if provenance is None:
        return None
    value = provenance.parameters.get(NOISE_KEY, _of_older(provenance.parameters.get("standard")))
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _of_older(standard: JsonValue) -> JsonValue:
    """Return the noise where versions before 0.1.0's release kept it."""
    return standard.get(NOISE_KEY) if isinstance(standard, dict) else None
