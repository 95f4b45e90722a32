"""The options of a network's background, and the drive that they mean; several commands share them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_activity

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Drive
    from neurograft.progress import Progress

Like = Annotated[Path | None, typer.Option(help="Recording or spikes whose rates the neurons shall have.")]
RateHz = Annotated[float, typer.Option(help="Mean rate of every neuron, without --like.")]
DriveOf = Annotated[
    Path | None, typer.Option(help="Fit the background on this network instead, e.g. the map of the image.")
]
StepMs = Annotated[float, typer.Option(help="Step of the clock.")]


def fitted_drive(m: "SynapseMap", *, like: Path | None, rate_hz: float, seed: int, progress: "Progress") -> "Drive":
    """Return the drive with which the map's neurons fire as the recording's, or at the rate."""
    from neurograft.network import fit_drive, fit_drive_to_rates

    if like is None:
        return fit_drive_to_rates(m, rate_hz, seed=seed, progress=progress)
    return fit_drive(m, open_activity(like), seed=seed, progress=progress)
