"""``neurograft run map.h5|image.h5 -o activity.h5 --seconds S``: the network runs."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._background import DriveOf, Like, RateHz, StepMs, fitted_drive
from neurograft.cli._files import open_network
from neurograft.cli._options import AgeDays, AsJson, Out, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import DAY, MS

if TYPE_CHECKING:
    from neurograft.network import Activity


class EngineName(StrEnum):
    """Who runs a network."""

    BUILTIN = "builtin"
    NEST = "nest"
    BRIAN2 = "brian2"
    PYNN = "pynn"


def run_command(
    network: Annotated[Path, typer.Argument(help="A map or a memory image.")],
    out: Out,
    seconds: Annotated[float, typer.Option(help="How long the network runs, in model time.")],
    like: Like = None,
    rate_hz: RateHz = 5.0,
    drive_of: DriveOf = None,
    step_ms: StepMs = 0.1,
    threads: Annotated[int, typer.Option(min=1, help="Threads; the spikes do not depend on them.")] = 1,
    age_days: AgeDays = 0.0,
    engine: Annotated[
        EngineName, typer.Option(help="Who runs it; the others need that simulator.")
    ] = EngineName.BUILTIN,
    engine_python: Annotated[
        Path | None, typer.Option(help="The python in whose environment the other simulator is.")
    ] = None,
    ranks: Annotated[int, typer.Option(min=1, help="MPI processes of the other simulator, if it was built so.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run a map, or the network that a memory image holds, by the same engine."""
    from neurograft.network import RunInterrupted, RunOptions, run
    from neurograft.network.peers import Peer, run_in_peer
    from neurograft.spikes import save_spikes

    m = open_network(network, age_s=age_days * DAY, seed=seed)
    on = m if drive_of is None else open_network(drive_of, age_s=0.0, seed=seed)
    options = RunOptions(step_s=step_ms * MS, n_threads=threads)
    with shown_progress() as progress:
        drive = fitted_drive(on, like=like, rate_hz=rate_hz, seed=seed, progress=progress)
        try:
            if engine is EngineName.BUILTIN:
                activity = run(m, duration_s=seconds, seed=seed, drive=drive, options=options, progress=progress)
            else:
                activity = run_in_peer(
                    m, peer=Peer(engine), duration_s=seconds, seed=seed, drive=drive, options=options,
                    python=engine_python, n_ranks=ranks, progress=progress,
                )  # fmt: skip
        except RunInterrupted as stop:
            if stop.activity is not None:
                save_spikes(stop.activity.spikes, out)
            raise
    given = [path for path in (network, like, drive_of) if path is not None]
    provenance = Provenance(
        command="run",
        parameters={"seconds": seconds, "rate_hz": rate_hz, "step_ms": step_ms, "age_days": age_days, "engine": engine},
        seed=seed,
        inputs={path.name: fingerprint(path) for path in given},
    )
    save_spikes(replace(activity.spikes, provenance=provenance), out)
    show(*_told(activity, out), as_json=as_json)


def _told(activity: "Activity", out: Path) -> tuple[list[str], dict[str, str | int | float]]:
    spikes = activity.spikes
    rate_hz = float(spikes.rates_hz().mean())
    lines = [
        f"{spikes.n_spikes} spikes of {spikes.n_neurons} neurons in {spikes.duration_s:g} s, {rate_hz:.3g} Hz each",
        f"{activity.n_events} synaptic events; {activity.real_time_factor:.3g} s of wall time a second of model time",
        f"written: {out}",
    ]
    result: dict[str, str | int | float] = {
        "activity": str(out),
        "spikes": spikes.n_spikes,
        "mean_rate_hz": rate_hz,
        "synaptic_events": activity.n_events,
        "real_time_factor": activity.real_time_factor,
    }
    return lines, result
