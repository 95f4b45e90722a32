"""The options of a network's background, and the drive that they mean; several commands share them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_activity
from neurograft.errors import RunError
from neurograft.units import MV

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Drive
    from neurograft.neurons import NeuronModel
    from neurograft.progress import Progress

Like = Annotated[Path | None, typer.Option(help="Recording or spikes whose rates the neurons shall have.")]
RateHz = Annotated[float, typer.Option(min=0, help="Mean rate of every neuron, without --like; 0: no background.")]
NoiseMv = Annotated[
    float | None,
    typer.Option(
        help="Background noise of every neuron. If not given: what the map states its weights for (a map from "
        "spikes), else what makes neurons as irregular as --like, else 4."
    ),
]
DriveOf = Annotated[
    Path | None, typer.Option(help="Fit the background on this network instead, e.g. the map of the image.")
]
StepMs = Annotated[float, typer.Option(help="Step of the clock.")]


def fitted_drive(
    m: "SynapseMap",
    *,
    like: Path | None,
    rate_hz: float,
    noise_mv: float | None,
    seed: int,
    neuron: "NeuronModel | None" = None,
    progress: "Progress",
) -> "Drive":
    """Return the drive with which the map's neurons fire as the recording's, or at the rate; none at 0 Hz."""
    from neurograft.network import FitOptions, UnstableRunError, fit_drive, fit_drive_to_rates, steady_drive

    options = FitOptions(noise_sd_v=None if noise_mv is None else noise_mv * MV)
    if like is None and rate_hz == 0:
        return steady_drive(m.n_neurons, noise_sd_v=(noise_mv or 0.0) * MV)
    try:
        if like is not None:
            return fit_drive(m, open_activity(like), seed=seed, neuron=neuron, options=options, progress=progress)
        return fit_drive_to_rates(m, rate_hz, seed=seed, neuron=neuron, options=options, progress=progress)
    except UnstableRunError as problem:
        raise RunError(f"While the background was fitted: {problem}") from problem
