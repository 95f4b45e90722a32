"""``neurograft culture OUT``: a ground-truth culture is grown and recorded through an array model."""

from pathlib import Path
from typing import Annotated

import typer

from neurograft.cli._options import AsJson, Seed, show
from neurograft.cli._progress import shown_progress


def culture_command(
    out: Annotated[Path, typer.Argument(help="New folder for recording.toml, its raw file, truth.h5 and spikes.h5.")],
    neurons: Annotated[int, typer.Option(min=2, help="Neurons to grow, hidden ones included.")] = 100,
    seconds: Annotated[float, typer.Option(help="How long the array records.")] = 60.0,
    hidden: Annotated[float, typer.Option(min=0, max=0.99, help="Share of the neurons that no pad sees.")] = 0.0,
    rate_hz: Annotated[float, typer.Option(help="Mean rate of the neurons.")] = 2.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Grow a culture whose synapses are known and record it through an array with flaws."""
    from neurograft.culture import ActivityOptions, CultureOptions, grow, write_culture

    options = CultureOptions(n_neurons=neurons, hidden_fraction=hidden, activity=ActivityOptions(rate_hz=rate_hz))
    with shown_progress() as progress:
        culture = grow(options, seed=seed, progress=progress)
        write_culture(culture, out, seconds=seconds, seed=seed, progress=progress)
    lines = [
        f"{culture.n_recorded} of {neurons} neurons recorded for {seconds:g} s",
        f"written: {out} (recording.toml and .raw, truth.h5, spikes.h5)",
    ]
    show(lines, {"neurons": neurons, "recorded": culture.n_recorded, "folder": str(out)}, as_json=as_json)
