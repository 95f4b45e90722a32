"""``neurograft run map.h5|image.h5 -o activity.h5 --seconds S``: the network runs."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from neurograft.cli._background import DriveOf, Like, RateHz, StepMs, fitted_drive
from neurograft.cli._files import open_network
from neurograft.cli._learn import HomeostasisHz, Learn, Learning, Learnt, MostMv, ShortTerm, learning_of
from neurograft.cli._memory import (
    Age,
    DriftEvery,
    LineOhm,
    ReadNoise,
    ReadoutBits,
    ReadoutMv,
    age_in_s,
    readout_of,
    told_energy,
)
from neurograft.cli._options import AgeDays, AsJson, Out, Seed, show
from neurograft.cli._outside import Clamp, Outside, Replay, StimulusFile, outside_of
from neurograft.cli._progress import shown_progress
from neurograft.errors import OptionError
from neurograft.provenance import JsonValue, Provenance, fingerprint
from neurograft.units import MS

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.network import Activity, Drive, Readout, RunOptions
    from neurograft.progress import Progress


class EngineName(StrEnum):
    """Who runs a network."""

    BUILTIN = "builtin"
    NEST = "nest"
    BRIAN2 = "brian2"
    PYNN = "pynn"


def run_command(
    network: Annotated[Path, typer.Argument(help="A map or a memory image.")],
    out: Out,
    seconds: Annotated[
        float | None, typer.Option(help="How long the network runs, in model time; --replay: as long as the recording.")
    ] = None,
    like: Like = None,
    rate_hz: RateHz = 5.0,
    drive_of: DriveOf = None,
    step_ms: StepMs = 0.1,
    threads: Annotated[int, typer.Option(min=1, help="Threads; the spikes do not depend on them.")] = 1,
    stimulus: StimulusFile = None,
    replay: Replay = None,
    clamp: Clamp = "0.5",
    learn: Learn = None,
    homeostasis_hz: HomeostasisHz = None,
    short_term: ShortTerm = False,
    most_mv: MostMv = 5.0,
    learnt: Learnt = None,
    age_days: AgeDays = 0.0,
    age: Age = None,
    read_noise: ReadNoise = False,
    readout_bits: ReadoutBits = None,
    readout_mv: ReadoutMv = 20.0,
    line_ohm: LineOhm = 0.0,
    drift_every_s: DriftEvery = None,
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
    """Run a map, or the network that a memory image holds, by the same engine.

    While it runs, spikes go to OUT.log, which info, compare and every other command read as spikes: a killed run
    leaves what it had done there. Ctrl-C writes OUT itself.
    """
    from neurograft.network import RunInterrupted, RunOptions, UnstableRunError
    from neurograft.spikes import save_spikes

    age_s = age_in_s(age, age_days)
    readout = readout_of(
        network, read_noise=read_noise, bits=readout_bits, range_mv=readout_mv, ohm=line_ohm,
        drift_every_s=drift_every_s,
    )  # fmt: skip
    m = open_network(network, age_s=age_s, seed=seed)
    on = m if drive_of is None else open_network(drive_of, age_s=0.0, seed=seed)
    outside = outside_of(m, protocol=stimulus, replay=replay, clamp=clamp, seed=seed)
    like = replay if like is None else like
    learning = learning_of(
        m, network, rule=learn, homeostasis_hz=homeostasis_hz, has_short_term=short_term, most_mv=most_mv, seed=seed
    )
    if learnt is not None and learning is None:
        raise OptionError("--learnt asks for what was learnt, but nothing learns. Add --learn or --homeostasis-hz.")
    log = out.with_name(out.name + ".log")
    task = _Task(
        m=m,
        duration_s=_duration_s(seconds, outside),
        seed=seed,
        options=RunOptions(step_s=step_ms * MS, n_threads=threads, record_to=log),
        outside=outside,
        learning=learning,
        readout=readout,
        image=network,
        age_s=age_s,
    )
    with shown_progress() as progress:
        drive = fitted_drive(on, like=like, rate_hz=rate_hz, seed=seed, progress=progress)
        try:
            if engine is EngineName.BUILTIN:
                activity = _built_in(task, drive, progress)
            else:
                activity = _peer(task, drive, progress, engine=engine, python=engine_python, n_ranks=ranks)
        except (RunInterrupted, UnstableRunError) as stop:
            if stop.activity is not None:
                save_spikes(stop.activity.spikes, out)
            log.unlink(missing_ok=True)
            raise
    given = [path for path in (network, like, drive_of, stimulus) if path is not None]
    parameters: dict[str, JsonValue] = {
        "seconds": task.duration_s,
        "rate_hz": rate_hz,
        "step_ms": step_ms,
        "age_s": age_s,
        "read_noise": read_noise,
        "readout_bits": readout_bits,
        "readout_mv": readout_mv,
        "line_ohm": line_ohm,
        "drift_every_s": drift_every_s,
        "engine": str(engine),
        "learn": "" if learn is None else str(learn),
        "homeostasis_hz": homeostasis_hz,
        "short_term": short_term,
        "most_mv": most_mv,
        "clamp": clamp if replay is not None else "",
        "clamped": [*outside.clamped],
    }
    provenance = Provenance(
        command="run", parameters=parameters, seed=seed, inputs={path.name: fingerprint(path) for path in given}
    )
    save_spikes(replace(activity.spikes, provenance=provenance), out)
    log.unlink(missing_ok=True)
    lines, result = _told(activity, outside, out)
    more, told = _energy(network, activity)
    lines, result = [*lines, *more], {**result, **told}
    if learning is not None:
        if learnt is not None:
            learning.write(m, learnt, duration_s=task.duration_s)
        more, told = learning.told(m)
        lines, result = [*lines, *more], {**result, **told}
    show(lines, result, as_json=as_json)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    m: "SynapseMap"
    duration_s: float
    seed: int
    options: "RunOptions"
    outside: Outside
    learning: Learning | None
    readout: "Readout | None"
    image: Path
    age_s: float


def _duration_s(seconds: float | None, outside: Outside) -> float:
    recording = outside.recording
    if seconds is None:
        if recording is None:
            raise OptionError("--seconds is missing. Say how long the network runs, e.g. --seconds 10.")
        return recording.duration_s
    if recording is not None and seconds > recording.duration_s:
        raise OptionError(
            f"--seconds is {seconds:g}, but the replayed recording lasts {recording.duration_s:g} s. Give at most that."
        )
    return seconds


def _built_in(task: _Task, drive: "Drive", progress: "Progress") -> "Activity":
    from neurograft.network import replay_each, run

    outside = task.outside
    if task.readout is not None:
        return _as_read(task, task.readout, drive, progress)
    if outside.recording is not None and not outside.clamped:
        if task.learning is not None:
            raise OptionError("--clamp each runs every neuron beside itself and cannot learn. Clamp some neurons.")
        begin_s, part = outside.recording.epochs_s[0, 0], outside.recording
        if task.duration_s < part.duration_s:
            part = part.between(begin_s, begin_s + task.duration_s)
        options = replace(task.options, record_to=None)  # its log would hold the doubles
        return replay_each(task.m, part, seed=task.seed, drive=drive, options=options, progress=progress)
    return run(
        task.m, duration_s=task.duration_s, seed=task.seed, drive=drive, options=task.options,
        stimulus=outside.stimulus, plasticity=task.learning.plasticity if task.learning is not None else None,
        progress=progress,
    )  # fmt: skip


def _as_read(task: _Task, readout: "Readout", drive: "Drive", progress: "Progress") -> "Activity":
    from neurograft.cells import load_image
    from neurograft.network import run_image

    if task.learning is not None or (task.outside.recording is not None and not task.outside.clamped):
        raise OptionError("Reading options do not go with learning or --clamp each. Leave one of them out.")
    return run_image(
        load_image(task.image), duration_s=task.duration_s, seed=task.seed, drive=drive, age_s=task.age_s,
        readout=readout, options=task.options, stimulus=task.outside.stimulus, progress=progress,
    ).activity  # fmt: skip


def _peer(
    task: _Task, drive: "Drive", progress: "Progress", *, engine: EngineName, python: Path | None, n_ranks: int
) -> "Activity":
    from neurograft.network.peers import Peer, run_in_peer

    if task.outside.stimulus is not None or task.outside.recording is not None or task.learning or task.readout:
        raise OptionError(
            f"Stimuli, replay, learning and reading options run in our own engine only, not in {engine}. Leave it out."
        )
    return run_in_peer(
        task.m, peer=Peer(engine), duration_s=task.duration_s, seed=task.seed, drive=drive, options=task.options,
        python=python, n_ranks=n_ranks, progress=progress,
    )  # fmt: skip


def _energy(network: Path, activity: "Activity") -> tuple[list[str], dict[str, object]]:
    """Return the energy of reading an image's cells, nothing for a map."""
    from neurograft.cells import load_image
    from neurograft.network import reading_energy
    from neurograft.recordings import FileKind, kind_of

    if kind_of(network) is not FileKind.IMAGE:
        return [], {}
    event, second = reading_energy(load_image(network), activity.spikes)
    return [told_energy(event, second)], {"read_j_per_event": event.value, "read_w": second.value}


def _told(activity: "Activity", outside: Outside, out: Path) -> tuple[list[str], dict[str, str | int | float]]:
    spikes = activity.spikes
    rate_hz = float(spikes.rates_hz().mean())
    lines = [
        f"{spikes.n_spikes} spikes of {spikes.n_neurons} neurons in {spikes.duration_s:g} s, {rate_hz:.3g} Hz each",
        f"{activity.n_events} synaptic events; {activity.real_time_factor:.3g} s of wall time a second of model time",
        *([f"{len(outside.clamped)} neurons replayed the recording"] if outside.clamped else []),
        f"written: {out}",
    ]
    result: dict[str, str | int | float] = {
        "activity": str(out),
        "spikes": spikes.n_spikes,
        "mean_rate_hz": rate_hz,
        "synaptic_events": activity.n_events,
        "real_time_factor": activity.real_time_factor,
        "clamped_neurons": len(outside.clamped),
    }
    return lines, result
