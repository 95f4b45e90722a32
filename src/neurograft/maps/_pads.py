"""What strengths copied from pads of unknown coupling rest on."""

from typing import Final

from neurograft.maps._map import SynapseMap

PAD_KEY: Final = "action_potential_over_mean_v"  # among the parameters of a map's provenance


def assumed_action_potential_v(m: SynapseMap) -> float | None:
    """Return for how much over the mean membrane potential pads' action potentials were taken; None for true volts.

    Every weight is proportional to it.
    """
    value = None if m.provenance is None else m.provenance.parameters.get(PAD_KEY)
    return float(value) if isinstance(value, int | float) and value > 0 else None
