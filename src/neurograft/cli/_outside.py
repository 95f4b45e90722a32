"""What ``neurograft run`` does to neurons from outside: a protocol's stimuli, and replay of a recording."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from neurograft.cli._files import open_activity
from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Stimulus
    from neurograft.spikes import SpikeTrains

StimulusFile = Annotated[
    Path | None, typer.Option("--stimulus", help="Protocol of stimuli, CSV or JSON: currents, kicks, spikes, silence.")
]
Replay = Annotated[
    Path | None, typer.Option(help="Recording or spikes that the clamped neurons replay; the copy fills in the rest.")
]
Clamp = Annotated[
    str,
    typer.Option(
        help="Which neurons replay: labels with commas between, a fraction such as 0.5, or 'each': every "
        "neuron in turn is free and all others are clamped."
    ),
]
EACH = "each"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outside:
    """What is done from outside; ``recording`` is what is replayed, ``clamped`` by which neurons."""

    stimulus: "Stimulus | None"
    recording: "SpikeTrains | None"
    clamped: tuple[str, ...]


def outside_of(m: "SynapseMap", *, protocol: Path | None, replay: Path | None, clamp: str, seed: int) -> Outside:
    """Return the stimuli of a protocol file and of a replay, for this network."""
    import numpy as np

    from neurograft.network import choose_clamped, clamped, indices_of, load_protocol, merge_stimuli

    stimuli = [] if protocol is None else [load_protocol(protocol, m.labels, seed=seed)]
    if replay is None:
        return Outside(stimulus=stimuli[0] if stimuli else None, recording=None, clamped=())
    recording = open_activity(replay)
    if clamp == EACH:
        if stimuli:
            raise OptionError("--clamp each runs every neuron alone and takes no --stimulus. Leave one of them out.")
        return Outside(stimulus=None, recording=recording, clamped=())
    fraction = _fraction(clamp)
    if fraction is not None and clamp not in m.labels:
        neurons = choose_clamped(m, fraction, np.random.default_rng(seed))
    else:
        neurons = indices_of([label.strip() for label in clamp.split(",") if label.strip()], m.labels).astype(np.int64)
    stimuli.append(clamped(m, recording, neurons))
    labels = tuple(m.labels[i] for i in neurons.tolist())
    return Outside(stimulus=merge_stimuli(stimuli), recording=recording, clamped=labels)


def _fraction(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1 else None
