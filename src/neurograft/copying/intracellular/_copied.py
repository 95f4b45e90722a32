"""What a copy of an intracellular recording is."""

from dataclasses import asdict, dataclass
from typing import cast, final

from jaxtyping import Float64
from numpy import ndarray

from neurograft.copying.intracellular._null import NullEvidence
from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular.judging._calls import RejectedPair
from neurograft.copying.intracellular.judging._mixture import Mixture
from neurograft.copying.intracellular.judging._templates import Shape
from neurograft.copying.intracellular.neurons._channel_reports import ChannelReport
from neurograft.copying.intracellular.neurons._detect import Detected
from neurograft.copying.intracellular.properties._properties import Properties
from neurograft.maps import PAD_KEY, SynapseMap
from neurograft.provenance import JsonValue, Provenance
from neurograft.recordings import Recording, Signal, epochs_s
from neurograft.spikes import SpikeTrains

_MOST_SPANS = 1000  # of times that a map's provenance tells


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntracellularCopy:
    """The map, the action potentials it rests on, and the evidence for its error rate."""

    map: SynapseMap
    spikes: SpikeTrains
    null: NullEvidence
    shape: Shape
    mixture: Mixture
    flags: tuple[str, ...]  # sentences on the whole recording; none when nothing is in doubt
    channels: tuple[ChannelReport, ...]
    rejected: tuple[RejectedPair, ...]
    properties: Properties
    unusable_s: Float64[ndarray, "stretches 2"]  # times in which no channel has a usable sample


def provenance_of(
    options: IntracellularOptions, flags: tuple[str, ...], recording: Recording, found: Detected
) -> Provenance:
    """Return the parameters, and which times the map rests on: segments, and stretches in them without a sample."""
    parameters = cast("dict[str, JsonValue]", asdict(options)) | {"flags": list[JsonValue](flags)}
    if recording.signal is not Signal.MEMBRANE_V:
        parameters[PAD_KEY] = options.action_potential_v
    spans_s = {"segments_s": epochs_s(recording), "unusable_s": found.presence.unusable_s}
    parameters |= cast("dict[str, JsonValue]", {name: spans[:_MOST_SPANS].tolist() for name, spans in spans_s.items()})
    return Provenance(command="copy_intracellular", parameters=parameters, seed=options.seed)
