"""Chosen neurons' states, which ``neurograft run --trace`` keeps beside the spikes."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from neurograft.files import written_whole

Trace = Annotated[
    str | None, typer.Option(help="Also record these neurons' states at every step, to OUT.traces.npz: labels, commas.")
]
TraceStates = Annotated[str, typer.Option(help="Which states --trace records, by the neuron model's names.")]


def named(text: str | None) -> list[str]:
    """Return the names of a list with commas."""
    return [] if text is None else [word.strip() for word in text.split(",") if word.strip()]


def traces_path(out: Path) -> Path:
    """Return where states go that were recorded beside the spikes in ``out``."""
    return out.with_name(out.name + ".traces.npz")


def write_traces(log: Path, out: Path, labels: tuple[str, ...]) -> Path:
    """Write the states of a run's log as plain arrays: ``time_s``, the ends of steps, and ``value`` [step, column]."""
    from neurograft.spikes import open_log

    kept = open_log(log)
    begin_s = float(kept.spikes.epochs_s[0, 0])
    path = traces_path(out)
    with written_whole(path) as part, part.open("wb") as stream:
        np.savez(
            stream,
            time_s=begin_s + kept.step_s * np.arange(1, kept.states.shape[0] + 1),
            value=kept.states,
            label=np.array([labels[neuron] for neuron, _ in kept.columns]),
            state=np.array([name for _, name in kept.columns]),
        )
    return path
