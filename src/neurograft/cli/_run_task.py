"""What ``neurograft run`` does, step by step: prepare the network and what acts on it, run, write, tell."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, final

from neurograft.cli._background import fitted_drive
from neurograft.cli._files import open_network
from neurograft.cli._learn import Learning, Rule, learning_of
from neurograft.cli._living import N_TIMES, drift_beside, living_of
from neurograft.cli._memory import age_in_s, readout_of, told_energy
from neurograft.cli._neuron import SynapseName, neuron_of
from neurograft.cli._outside import Outside, outside_of
from neurograft.cli._traces import named, traces_path, write_traces
from neurograft.errors import OptionError, RunError
from neurograft.provenance import JsonValue, Provenance, fingerprint
from neurograft.units import MS

if TYPE_CHECKING:
    from numpy import ndarray

    from neurograft.maps import SynapseMap
    from neurograft.network import Activity, Checkpoint, Drive, LearningDrift, Readout, RunOptions
    from neurograft.neurons import NeuronModel
    from neurograft.progress import Progress

Told = tuple[list[str], dict[str, object]]
"""What is printed: lines for people, values for scripts."""


class EngineName(StrEnum):
    """Who runs a network."""

    BUILTIN = "builtin"
    NEST = "nest"
    BRIAN2 = "brian2"
    PYNN = "pynn"
    CORENEURON = "coreneuron"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options of the command, under their own names."""

    network: Path
    out: Path
    seconds: float | None
    like: Path | None
    rate_hz: float
    noise_mv: float | None
    drive_of: Path | None
    neuron: str | None
    synapse: SynapseName | None
    tau_excitatory_ms: float | None
    tau_inhibitory_ms: float | None
    step_ms: float
    threads: int
    round_weights: bool
    stimulus: Path | None
    replay: Path | None
    clamp: str
    learn: Rule | None
    homeostasis_hz: float | None
    short_term: bool | None
    most_mv: float
    learnt: Path | None
    living: Path | None
    age_days: float
    age: str | None
    read_noise: bool
    readout_bits: int | None
    readout_mv: float
    line_ohm: float
    drift_every_s: float | None
    engine: EngineName
    engine_python: Path | None
    ranks: int
    checkpoint: Path | None
    resume: Path | None
    trace: str | None
    trace_states: str
    watch: str | None
    seed: int

    def parameters(self) -> dict[str, JsonValue]:
        """Return what provenance keeps: the options that the spikes depend on."""
        return {
            "rate_hz": self.rate_hz,
            "noise_mv": self.noise_mv,
            "neuron": "" if self.neuron is None else self.neuron,
            "synapse": "" if self.synapse is None else str(self.synapse),
            "tau_excitatory_ms": self.tau_excitatory_ms,
            "tau_inhibitory_ms": self.tau_inhibitory_ms,
            "step_ms": self.step_ms,
            "round_weights": self.round_weights,
            "read_noise": self.read_noise,
            "readout_bits": self.readout_bits,
            "readout_mv": self.readout_mv,
            "line_ohm": self.line_ohm,
            "drift_every_s": self.drift_every_s,
            "engine": str(self.engine),
            "learn": "" if self.learn is None else str(self.learn),
            "homeostasis_hz": self.homeostasis_hz,
            "short_term": self.short_term,
            "most_mv": self.most_mv,
            "clamp": self.clamp if self.replay is not None else "",
        }


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A network ready to run, and everything that acts on it."""

    chosen: Choices
    m: "SynapseMap"
    drive_on: "SynapseMap"  # the background is fitted on it
    neuron: "NeuronModel | None"  # of neurons for which the map names none; None: as the engine has it
    duration_s: float
    age_s: float
    options: "RunOptions"
    resume: "Checkpoint | None"
    outside: Outside
    learning: Learning | None
    living: "SynapseMap | None"  # learns beside
    readout: "Readout | None"
    watched: tuple[int, ...]

    @property
    def log(self) -> Path:
        """The file beside the output that spikes go to while the network runs."""
        return self.chosen.out.with_name(self.chosen.out.name + ".log")


def prepare(chosen: Choices) -> Task:
    """Return the task that the options mean; whatever does not fit is refused here, before anything runs."""
    from neurograft.network import RunOptions, indices_of, load_checkpoint, states_short_term

    age_s = age_in_s(chosen.age, chosen.age_days)
    readout = readout_of(
        chosen.network, read_noise=chosen.read_noise, bits=chosen.readout_bits, range_mv=chosen.readout_mv,
        ohm=chosen.line_ohm, drift_every_s=chosen.drift_every_s,
    )  # fmt: skip
    m = _network(chosen, chosen.network, age_s=age_s)
    if chosen.short_term and not states_short_term(m):
        raise OptionError(
            "--short-term: the network has no columns release_probability, recovery_s and facilitation_s, or they "
            "cannot be run here (another engine, reading options, --round-weights). Leave it out."
        )
    outside = outside_of(
        m, protocol=chosen.stimulus, replay=chosen.replay, clamp=chosen.clamp, seed=chosen.seed
    )  # fmt: skip
    learning = learning_of(
        m, chosen.network, rule=chosen.learn, homeostasis_hz=chosen.homeostasis_hz, has_short_term=states_short_term(m),
        most_mv=chosen.most_mv, seed=chosen.seed,
        snapshot_s=1.0 if chosen.living is None else _duration_s(chosen.seconds, outside) / N_TIMES,
    )  # fmt: skip
    if chosen.learnt is not None and learning is None:
        raise OptionError("--learnt asks for what was learnt, but nothing learns. Add --learn or --homeostasis-hz.")
    _require_engine_can(chosen, has_more=bool(outside.stimulus or outside.recording or learning or readout))
    is_each = outside.recording is not None and not outside.clamped
    _require_can_resume(chosen, is_plain=learning is None and readout is None and not is_each)
    _require_can_trace(chosen, is_plain=readout is None and not is_each)
    traced = indices_of(named(chosen.trace), m.labels)
    task = Task(
        chosen=chosen,
        m=m,
        drive_on=m if chosen.drive_of is None else _network(chosen, chosen.drive_of, age_s=0.0),
        neuron=neuron_of(
            m,
            chosen.neuron,
            synapse=chosen.synapse,
            excitatory_ms=chosen.tau_excitatory_ms,
            inhibitory_ms=chosen.tau_inhibitory_ms,
        ),
        duration_s=_duration_s(chosen.seconds, outside),
        age_s=age_s,
        options=RunOptions(
            step_s=chosen.step_ms * MS,
            n_threads=chosen.threads,
            round_weights=chosen.round_weights,
            record_voltage_of=tuple(traced.tolist()),
            record_states=tuple(named(chosen.trace_states)),
        ),
        resume=None if chosen.resume is None else load_checkpoint(chosen.resume),
        outside=outside,
        learning=learning,
        living=None if chosen.living is None else living_of(chosen.living, m, learning, seed=chosen.seed),
        readout=readout,
        watched=tuple(indices_of(named(chosen.watch), m.labels).tolist()),
    )
    return replace(task, options=replace(task.options, record_to=task.log))


def _with_model(m: "SynapseMap", name: str | None) -> "SynapseMap":
    """Return the map with that model wherever it names none; an unknown one is refused."""
    from neurograft.neurons import find_model, known_models

    if name is None:
        return m
    find_model(name, known_models())
    return replace(m, model=tuple(known or name for known in m.model))


def _network(chosen: Choices, path: Path, *, age_s: float) -> "SynapseMap":
    """Return a network as it shall run: where nothing runs short-term plasticity, without its columns."""
    from neurograft.network import without_short_term

    m = _with_model(open_network(path, age_s=age_s, seed=chosen.seed), chosen.neuron)
    reads = chosen.read_noise or chosen.readout_bits is not None or chosen.drift_every_s is not None
    can = chosen.engine is EngineName.BUILTIN and not reads and not chosen.round_weights
    return m if can and chosen.short_term is not False else without_short_term(m)


def carry_out(task: Task, progress: "Progress") -> "tuple[Activity, LearningDrift | None]":
    """Fit the background and run; what an interrupted or unstable run had done is written before it is told.

    With a living network, that one runs too, and the drift of both comes back.
    """
    from neurograft.network import RunInterrupted, UnstableRunError
    from neurograft.spikes import save_spikes

    chosen = task.chosen
    like = chosen.replay if chosen.like is None else chosen.like
    drive = fitted_drive(
        task.drive_on, like=like, rate_hz=chosen.rate_hz, noise_mv=chosen.noise_mv, seed=chosen.seed,
        neuron=task.neuron, progress=progress,
    )  # fmt: skip
    try:
        activity = (_built_in if chosen.engine is EngineName.BUILTIN else _peer)(task, drive, progress)
    except (RunInterrupted, UnstableRunError) as stop:
        if stop.activity is not None:
            save_spikes(stop.activity.spikes, chosen.out)
            _keep(task, stop.activity)
        task.log.unlink(missing_ok=True)
        if stop.activity is None or isinstance(stop, RunInterrupted):  # which says itself what is kept
            raise
        raise RunError(f"{stop} {stop.activity.spikes.duration_s:g} s are kept in {chosen.out}.") from stop
    if task.living is None or task.learning is None:
        return activity, None
    drift = drift_beside(
        task.living, task.m, task.learning, duration_s=task.duration_s, seed=chosen.seed, drive=drive,
        neuron=task.neuron,
        options=task.options, stimulus=task.outside.stimulus, progress=progress,
    )  # fmt: skip
    return activity, drift


def write(task: Task, activity: "Activity") -> None:
    """Write the spikes with their provenance, and the network as learning left it."""
    from neurograft.spikes import save_spikes

    chosen = task.chosen
    like = chosen.replay if chosen.like is None else chosen.like
    given = [
        path for path in (chosen.network, like, chosen.drive_of, chosen.stimulus, chosen.living) if path is not None
    ]
    own: dict[str, JsonValue] = {
        "seconds": task.duration_s,
        "age_s": task.age_s,
        "clamped": [*task.outside.clamped],
    }
    provenance = Provenance(
        command="run",
        parameters=chosen.parameters() | own,
        seed=chosen.seed,
        inputs={path.name: fingerprint(path) for path in given},
    )
    save_spikes(replace(activity.spikes, provenance=provenance), chosen.out)
    _keep(task, activity)
    task.log.unlink(missing_ok=True)
    if task.learning is not None and chosen.learnt is not None:
        task.learning.write(task.m, chosen.learnt, duration_s=task.duration_s)


def _keep(task: Task, activity: "Activity") -> None:
    """Write what was asked for beside the spikes: the state to go on from, and traces."""
    from neurograft.network import save_checkpoint

    if task.chosen.checkpoint is not None and activity.checkpoint is not None:
        save_checkpoint(activity.checkpoint, task.chosen.checkpoint)
    if task.options.record_voltage_of:
        write_traces(task.log, task.chosen.out, task.m.labels)


def told(task: Task, activity: "Activity", drift: "LearningDrift | None") -> Told:
    """Return what happened, in words and for scripts."""
    from neurograft.network import n_short_term

    spikes, n_clamped = activity.spikes, len(task.outside.clamped)
    rates = spikes.rates_hz()
    rate_hz, n_pools = float(rates.mean()), n_short_term(task.m)
    watched = {task.m.labels[i]: float(rates[i]) for i in task.watched}
    energy_lines, energy = _energy(task.chosen.network, activity)
    learnt_lines, learnt = ([], {}) if task.learning is None else task.learning.told(task.m)
    lines = [
        f"{spikes.n_spikes} spikes of {spikes.n_neurons} neurons in {spikes.duration_s:g} s, {rate_hz:.3g} Hz each",
        f"{activity.n_events} synaptic events; {activity.real_time_factor:.3g} s of wall time a second of model time",
        *([f"{n_pools} synapses depress or facilitate, as the map states"] if n_pools else []),
        *([f"{n_clamped} neurons replayed the recording"] if n_clamped else []),
        *(f"{label}: {hertz:.4g} Hz" for label, hertz in watched.items()),
        f"written: {task.chosen.out}",
        *([f"states: {traces_path(task.chosen.out)}"] if task.options.record_voltage_of else []),
    ]
    result: dict[str, object] = {
        "activity": str(task.chosen.out),
        "spikes": spikes.n_spikes,
        "mean_rate_hz": rate_hz,
        "synaptic_events": activity.n_events,
        "real_time_factor": activity.real_time_factor,
        "clamped_neurons": n_clamped,
        "short_term_synapses": n_pools,
        "watched_hz": watched,
    }
    if drift is not None:
        learnt_lines = [*learnt_lines, "", *drift.to_lines()]
        learnt = {**learnt, "drift": {name: _plain(column) for name, column in drift.columns().items()}}
    return [*lines, *energy_lines, *learnt_lines], {**result, **energy, **learnt}


def _plain(values: "ndarray") -> list[float | None]:
    return [float(x) if math.isfinite(x) else None for x in values]


def _require_engine_can(chosen: Choices, *, has_more: bool) -> None:
    if chosen.engine is EngineName.BUILTIN:
        if chosen.ranks > 1:
            raise OptionError("--ranks is for --engine coreneuron or nest. Our own engine takes --threads.")
    elif has_more:
        raise OptionError(
            f"Stimuli, replay, learning and reading options run in our own engine only, not in {chosen.engine}. "
            "Leave it out."
        )


def _require_can_resume(chosen: Choices, *, is_plain: bool) -> None:
    if (chosen.checkpoint is None and chosen.resume is None) or (is_plain and chosen.engine is EngineName.BUILTIN):
        return
    raise OptionError(
        "--checkpoint and --resume do not go with learning, reading options, --clamp each or another engine. "
        "Leave them out."
    )


def _require_can_trace(chosen: Choices, *, is_plain: bool) -> None:
    if chosen.trace is not None and not (is_plain and chosen.engine is EngineName.BUILTIN):
        raise OptionError("--trace does not go with reading options, --clamp each or another engine. Leave it out.")


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


def _built_in(task: Task, drive: "Drive", progress: "Progress") -> "Activity":
    from neurograft.network import replay_each, run

    outside, seed = task.outside, task.chosen.seed
    if task.readout is not None:
        return _as_read(task, task.readout, drive, progress)
    if outside.recording is not None and not outside.clamped:
        if task.learning is not None:
            raise OptionError("--clamp each runs every neuron beside itself and cannot learn. Clamp some neurons.")
        begin_s, part = outside.recording.epochs_s[0, 0], outside.recording
        if task.duration_s < part.duration_s:
            part = part.between(begin_s, begin_s + task.duration_s)
        options = replace(task.options, record_to=None)  # its log would hold the doubles
        return replay_each(task.m, part, seed=seed, drive=drive, neuron=task.neuron, options=options, progress=progress)
    return run(
        task.m, duration_s=task.duration_s, seed=seed, drive=drive, neuron=task.neuron, options=task.options,
        stimulus=outside.stimulus, plasticity=task.learning.plasticity if task.learning is not None else None,
        resume=task.resume, progress=progress,
    )  # fmt: skip


def _as_read(task: Task, readout: "Readout", drive: "Drive", progress: "Progress") -> "Activity":
    from neurograft.cells import load_image
    from neurograft.network import run_image

    if task.learning is not None or (task.outside.recording is not None and not task.outside.clamped):
        raise OptionError("Reading options do not go with learning or --clamp each. Leave one of them out.")
    return run_image(
        load_image(task.chosen.network), duration_s=task.duration_s, seed=task.chosen.seed, drive=drive,
        age_s=task.age_s, readout=readout, neuron=task.neuron, options=task.options, stimulus=task.outside.stimulus,
        progress=progress,
    ).activity  # fmt: skip


def _peer(task: Task, drive: "Drive", progress: "Progress") -> "Activity":
    from neurograft.network.peers import Peer, run_in_peer

    chosen = task.chosen
    return run_in_peer(
        task.m, peer=Peer(chosen.engine), duration_s=task.duration_s, seed=chosen.seed, drive=drive,
        neuron=task.neuron, options=task.options, python=chosen.engine_python, n_ranks=chosen.ranks, progress=progress,
    )  # fmt: skip


def _energy(network: Path, activity: "Activity") -> Told:
    """Return the energy of reading an image's cells, nothing for a map."""
    from neurograft.cells import load_image
    from neurograft.network import reading_energy
    from neurograft.recordings import FileKind, kind_of

    if kind_of(network) is not FileKind.IMAGE:
        return [], {}
    event, second = reading_energy(load_image(network), activity.spikes)
    return [told_energy(event, second)], {"read_j_per_event": event.value, "read_w": second.value}
