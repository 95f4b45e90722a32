"""``neurograft run map.h5|image.h5 -o activity.h5 --seconds S``: the network runs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurograft.cli._files import open_activity, open_network
from neurograft.cli._options import AgeDays, AsJson, Out, Seed, show
from neurograft.cli._progress import shown_progress
from neurograft.provenance import Provenance, fingerprint
from neurograft.units import DAY, MS

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Activity, Drive
    from neurograft.progress import Progress


def run_command(
    network: Annotated[Path, typer.Argument(help="A map or a memory image.")],
    out: Out,
    seconds: Annotated[float, typer.Option(help="How long the network runs, in model time.")],
    like: Annotated[Path | None, typer.Option(help="Recording or spikes whose rates the neurons shall have.")] = None,
    rate_hz: Annotated[float, typer.Option(help="Mean rate of every neuron, without --like.")] = 5.0,
    drive_of: Annotated[
        Path | None, typer.Option(help="Fit the background on this network instead, e.g. the map of the image.")
    ] = None,
    step_ms: Annotated[float, typer.Option(help="Step of the clock.")] = 0.1,
    threads: Annotated[int, typer.Option(min=1, help="Threads; the spikes do not depend on them.")] = 1,
    age_days: AgeDays = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run a map, or the network that a memory image holds, by the same engine.

    While it runs, spikes go to OUT.log, which info, compare and every other command read as spikes: a killed run
    leaves what it had done there. Ctrl-C writes OUT itself.
    """
    from neurograft.network import RunInterrupted, RunOptions, UnstableRunError, run
    from neurograft.spikes import save_spikes

    m = open_network(network, age_s=age_days * DAY, seed=seed)
    on = m if drive_of is None else open_network(drive_of, age_s=0.0, seed=seed)
    log = out.with_name(out.name + ".log")
    options = RunOptions(step_s=step_ms * MS, n_threads=threads, record_to=log)
    with shown_progress() as progress:
        drive = _drive(on, like, rate_hz, seed, progress)
        try:
            activity = run(m, duration_s=seconds, seed=seed, drive=drive, options=options, progress=progress)
        except RunInterrupted as stop:
            if stop.activity is not None:
                save_spikes(stop.activity.spikes, out)
            log.unlink(missing_ok=True)
            raise
        except UnstableRunError as broken:
            if broken.activity is not None:
                save_spikes(broken.activity.spikes, out)
            log.unlink(missing_ok=True)
            raise
    given = [path for path in (network, like, drive_of) if path is not None]
    provenance = Provenance(
        command="run",
        parameters={"seconds": seconds, "rate_hz": rate_hz, "step_ms": step_ms, "age_days": age_days},
        seed=seed,
        inputs={path.name: fingerprint(path) for path in given},
    )
    save_spikes(replace(activity.spikes, provenance=provenance), out)
    log.unlink(missing_ok=True)
    show(*_told(activity, out), as_json=as_json)


def _drive(m: "SynapseMap", like: Path | None, rate_hz: float, seed: int, progress: "Progress") -> "Drive":
    from neurograft.network import fit_drive, fit_drive_to_rates

    if like is None:
        return fit_drive_to_rates(m, rate_hz, seed=seed, progress=progress)
    return fit_drive(m, open_activity(like), seed=seed, progress=progress)


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
