"""The options of the neurons that a map leaves open: their model and the shape of their synapses."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.errors import OptionError
from neurograft.units import MS

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.neurons import NeuronModel


class SynapseName(StrEnum):
    """What a spike causes."""

    DELTA = "delta"
    EXPONENTIAL = "exponential"
    ALPHA = "alpha"


Neuron = Annotated[
    str | None,
    typer.Option(help="Model of neurons for which the map names none: lif, lif-conductance, adex, izhikevich, hh."),
]
SynapseOf = Annotated[
    SynapseName | None,
    typer.Option(
        "--synapse",
        help="What a spike causes in lif neurons: a kick (delta, if not given) or a current; in lif-conductance ones a "
        "conductance (exponential, if not given). Its peak at rest stays the map's.",
    ),
]
TauExcitatoryMs = Annotated[
    float | None, typer.Option(help="Time constant of excitatory --synapse; if not given 2, of alpha 1.")
]
TauInhibitoryMs = Annotated[
    float | None, typer.Option(help="Time constant of inhibitory --synapse; if not given 5, of alpha 2.5.")
]


def neuron_of(
    m: "SynapseMap",
    name: str | None,
    *,
    synapse: SynapseName | None,
    excitatory_ms: float | None,
    inhibitory_ms: float | None,
) -> "NeuronModel | None":
    """Return the neuron with these synapses, None where nothing is said of them; what does not fit is refused."""
    given = {"tau_excitatory_s": excitatory_ms, "tau_inhibitory_s": inhibitory_ms}
    tau_s = {key: value * MS for key, value in given.items() if value is not None}
    if synapse is None and not tau_s:
        return None
    if synapse in {None, SynapseName.DELTA} and tau_s:
        raise OptionError(
            "--tau-excitatory-ms and --tau-inhibitory-ms are of a --synapse that lasts. Add --synapse exponential or "
            "alpha, or leave them out."
        )
    assert synapse is not None
    neuron = _model(name or "lif", synapse, tau_s)
    if not any(known in {"", neuron.name} for known in m.model):
        raise OptionError(
            f"--synapse is for {neuron.name} neurons, but the map names another model for every one of its own. "
            "Leave --synapse out, or change the map's model column."
        )
    return neuron


def _model(name: str, synapse: SynapseName, tau_s: dict[str, float]) -> "NeuronModel":
    from neurograft.neurons import (
        AlphaConductance,
        AlphaSynapse,
        ConductanceLif,
        DeltaSynapse,
        ExponentialConductance,
        ExponentialSynapse,
        Lif,
    )

    currents = {SynapseName.EXPONENTIAL: ExponentialSynapse, SynapseName.ALPHA: AlphaSynapse}
    conductances = {SynapseName.EXPONENTIAL: ExponentialConductance, SynapseName.ALPHA: AlphaConductance}
    match name:
        case "lif":
            return Lif(synapse=DeltaSynapse() if synapse is SynapseName.DELTA else currents[synapse](**tau_s))
        case "lif-conductance" if synapse is not SynapseName.DELTA:
            return ConductanceLif(synapse=conductances[synapse](**tau_s))
        case _:
            raise OptionError(
                f"--synapse {synapse} does not go with --neuron {name}. lif takes delta, exponential and alpha, "
                "lif-conductance exponential and alpha; the synapses of other models are kicks."
            )
