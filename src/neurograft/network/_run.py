"""Running a network: a biological map or one read back from a memory image, by the same code."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap
from neurograft.network._build import build_engine, engine_order, models_of
from neurograft.network._checkpoint import Checkpoint, restore, take
from neurograft.network._drive import Drive
from neurograft.network._engine import Engine
from neurograft.network._options import RunOptions
from neurograft.network._plasticity import Plasticity
from neurograft.network._populations import Populations
from neurograft.network._record import Recorder
from neurograft.network._rows import used_synapses
from neurograft.network._short_term import pools_only, states_short_term
from neurograft.network._stimulus import Course, Stimulus
from neurograft.network._synapse_hook import SynapseHook
from neurograft.neurons import Lif, NeuronModel, steps_of
from neurograft.progress import RUN, Progress, silent
from neurograft.provenance import Provenance
from neurograft.spikes import SpikeTrains

LARGEST_V = 1e6  # a finite potential beyond this is as broken as NaN


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """What a network did: spikes with the map's labels, chosen potentials, and what the run cost.

    A spike's time is the start of its step.  ``voltage_v`` holds one row a step, the potential at the end of
    the step after reset, one column for each neuron of ``voltage_of``; ``states`` the same for every recorded
    state by name.  Both are empty where ``record_to`` names a file: ``neurograft.spikes.open_log`` reads it.
    """

    spikes: SpikeTrains
    voltage_v: Float64[ndarray, "steps recorded"]
    voltage_of: tuple[int, ...]
    step_s: float
    wall_s: float
    n_events: int  # spikes delivered over synapses, counted at the spike
    n_synapses_left_out: int  # polysynaptic paths and undecided kinds, which are not run
    is_complete: bool
    states: Mapping[str, Float64[ndarray, "state_steps recorded"]] = field(default_factory=dict[str, ndarray])
    checkpoint: Checkpoint | None = None  # where a further run can go on; ``spikes`` then start where it did

    @property
    def real_time_factor(self) -> float:
        """Wall time over model time."""
        return self.wall_s / self.spikes.duration_s


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; ``activity`` holds what was done, None when that is nothing."""

    def __init__(self, activity: Activity | None) -> None:
        done = f"{activity.spikes.duration_s:g} s are kept" if activity is not None else "nothing was done yet"
        super().__init__(f"The run was stopped; {done}.")
        self.activity = activity


class UnstableRunError(RunError):
    """A potential stopped being a plausible number; ``activity`` holds what was done before."""

    def __init__(self, message: str, activity: Activity | None) -> None:
        super().__init__(message)
        self.activity = activity


def run(
    m: SynapseMap | Populations,
    *,
    duration_s: float,
    seed: int,
    drive: Drive,
    neuron: NeuronModel | None = None,
    options: RunOptions | None = None,
    resume: Checkpoint | None = None,
    stimulus: Stimulus | None = None,
    plasticity: Plasticity | None = None,
    synapses: SynapseHook | None = None,
    progress: Progress = silent,
) -> Activity:
    """Return what the network of a map, or populations, do up to ``duration_s``; ``neuron`` is Lif() unless given.

    With ``resume``, the checkpoint of an earlier activity of the same map, seed, drive and step, it goes on from
    there: the result holds what comes after, at the same times as if the run had never stopped.  ``stimulus`` is
    what is done to neurons from outside; give the same one when resuming.  ``plasticity`` says which synapses
    change and keeps their weights (one thread, no resuming); ``synapses`` delivers in the engine's place, see
    ``run_image``.

    Chemical synapses shift the potential, or drive the current, of the postsynaptic neuron so that one
    spike at rest peaks at ``weight_v``.  Electrical synapses pass the spikelet only: a kick of ``weight_v``
    at every spike, no current below threshold.  Polysynaptic paths are left out.  Where the map's columns state how a
    synapse depresses and facilitates it does so, ``weight_v`` being the answer after rest (``without_short_term``
    takes the columns away; ``plasticity`` says itself what changes; cells that ``synapses`` reads stay as they are).
    Where the map's ``model`` column names a model, that neuron has it (``neuron`` if it bears that name, else its
    defaults).  The same seed gives the same spikes on any number of threads and in any chunks.  Populations
    (``Populations``) are networks too large to list.

    Raises RunError for a delay below the step, an unknown model or a drive of another size; UnstableRunError
    when a state stops being finite; RunInterrupted on Ctrl-C; both keep what was done.
    """
    options = options if options is not None else RunOptions()
    neuron = neuron if neuron is not None else Lif()
    _check(m, duration_s, seed, drive, options)
    if stimulus is not None and stimulus.n_neurons != m.n_neurons:
        raise RunError(f"The stimulus is for {stimulus.n_neurons} neurons, the map has {m.n_neurons}. Make one for it.")
    if stimulus is not None and options.skip_quiet:
        raise RunError("skip_quiet cannot be used with a stimulus, which may wake any neuron. Leave one of them out.")
    if synapses is not None and (options.skip_quiet or not isinstance(m, SynapseMap)):
        raise RunError("Synapses of one's own need a map and no skip_quiet. Change these options.")
    if options.round_weights and (options.skip_quiet or plasticity is not None or synapses is not None):
        raise RunError(
            "round_weights cannot be used with skip_quiet, with plastic synapses or with cells read at every event, "
            "whose weights are kept otherwise. Leave one of them out."
        )
    if plasticity is not None:
        _check_plasticity(m, plasticity, options, resume)
    elif isinstance(m, SynapseMap) and synapses is None and states_short_term(m):
        plasticity = _pools(m, options)
    engine = build_engine(
        m, seed=seed, neuron=neuron, drive=drive, options=options, stimulus=stimulus, plasticity=plasticity,
        hook=synapses,
    )  # fmt: skip
    if resume is not None:
        restore(engine, resume, options.step_s)
    n_steps = steps_of(duration_s, options.step_s)
    if engine.step >= n_steps:
        raise RunError(f"duration_s is {duration_s}, where the checkpoint already is. Give a later end.")
    order = engine_order(models_of(m, neuron)[1])
    provenance = Provenance(
        command="run", parameters={"duration_s": duration_s, "step_s": options.step_s}, seed=seed
    )  # fmt: skip
    record = Recorder(engine, order, m.labels, options, provenance)
    reached = [take(engine, options.step_s)]
    began_s = time.perf_counter()

    def activity() -> Activity | None:
        if record.end_step == record.begin_step:
            return None
        return _activity(m, engine, record, options=options, began_s=began_s, n_steps=n_steps, checkpoint=reached[-1])

    try:
        _advance(
            engine, record, reached, n_steps=n_steps, course=Course(drive, stimulus, options.step_s), order=order,
            options=options, progress=progress,
        )  # fmt: skip
        record.finish()
    except KeyboardInterrupt:
        raise RunInterrupted(activity()) from None
    except _Unstable as found:
        at = int(order[found.place])
        raise UnstableRunError(
            f"The {found.name} of neuron {m.labels[at]} became {found.value:g} at {found.time_s:.6g} s. Use a shorter "
            f"step_s (it is {options.step_s:g} s), or look for an implausible weight or drive of this neuron.",
            activity(),
        ) from None
    finally:
        record.close()
    whole = activity()
    assert whole is not None
    return whole


class _Unstable(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, place: int, name: str, value: float, time_s: float) -> None:
        super().__init__()
        self.place, self.name, self.value, self.time_s = place, name, value, time_s


def _advance(
    engine: Engine,
    record: Recorder,
    reached: list[Checkpoint],
    *,
    n_steps: int,
    course: Course,
    order: ndarray,
    options: RunOptions,
    progress: Progress,
) -> None:
    """Run chunk after chunk; a chunk ends where the modulation or a current changes."""
    chunk = max(1, steps_of(options.chunk_s, options.step_s))
    while engine.step < n_steps:
        stop = min(n_steps, (engine.step // chunk + 1) * chunk)
        if course.changes:
            stop = min(stop, course.next_change(engine.step))
            mean_v = course.mean_v(engine.step)[order]
            for group in engine.groups:
                group.drive_v = mean_v[group.first : group.first + group.n_neurons].copy()
        piece = engine.advance(stop - engine.step)
        if _broken(engine) is not None:
            _stop_at_break(engine, record, reached, n_steps=stop - reached[-1].step, step_s=options.step_s)
        reached[:] = [take(engine, options.step_s)]
        record.add(piece)
        progress(RUN, engine.step * options.step_s, n_steps * options.step_s)


def _broken(engine: Engine) -> tuple[int, str, float] | None:
    """Return place, state and value of the first number that is implausible, None where all are well."""
    for group in engine.groups:
        bad = np.argwhere(~(np.abs(group.state.T) < LARGEST_V))
        if bad.size:
            neuron, row = int(bad[0, 0]), int(bad[0, 1])
            names = group.stepper.state_names
            name = "potential" if row == 0 else f"state {names[row] if row < len(names) else row}"
            return group.first + neuron, name, float(group.state[row, neuron])
    return None


def _stop_at_break(
    engine: Engine, record: Recorder, reached: list[Checkpoint], *, n_steps: int, step_s: float
) -> NoReturn:
    """Go back to the last good state, find the step that breaks by halving, and keep what was before it."""
    while n_steps > 1:
        restore(engine, reached[-1], step_s)
        half = n_steps // 2
        piece = engine.advance(half)
        if _broken(engine) is None:
            record.add(piece)
            reached[:] = [take(engine, step_s)]
            n_steps -= half
        else:
            n_steps = half
    restore(engine, reached[-1], step_s)
    engine.advance(1)
    found = _broken(engine)
    assert found is not None
    raise _Unstable(*found, (engine.step - 1) * step_s)


def _activity(
    m: SynapseMap | Populations,
    engine: Engine,
    record: Recorder,
    *,
    options: RunOptions,
    began_s: float,
    n_steps: int,
    checkpoint: Checkpoint,
) -> Activity:
    wall_s = time.perf_counter() - began_s
    spikes, states = record.spikes(), record.states()
    n_delays = max(1, engine.clock.delays.size)
    out_degree = sum((np.diff(group.rows.start[::n_delays]) for group in engine.groups), np.zeros(m.n_neurons, int))
    return Activity(
        spikes=spikes,
        voltage_v=states.get("v", np.empty((0, len(options.record_voltage_of)))),
        voltage_of=options.record_voltage_of,
        step_s=options.step_s,
        wall_s=wall_s,
        n_events=int(record.counts(engine) @ out_degree),
        n_synapses_left_out=0 if isinstance(m, Populations) else int(np.sum(~used_synapses(m))),
        is_complete=record.end_step == n_steps,
        states=states,
        checkpoint=checkpoint,
    )


def _check_plasticity(
    m: SynapseMap | Populations, plasticity: Plasticity, options: RunOptions, resume: Checkpoint | None
) -> None:
    if (plasticity.learns and (options.n_threads != 1 or resume is not None)) or options.skip_quiet:
        raise RunError(
            "Synapses that learn run on one thread, from the start, without skip_quiet. Change these options."
        )
    if isinstance(m, Populations):
        raise RunError("Populations have no list of synapses that could change. Give a map.")
    sizes = {plasticity.store.weight_v.size, plasticity.plastic(m).size}
    if sizes != {m.n_synapses}:
        raise RunError(f"The plasticity is for {max(sizes - {m.n_synapses})} synapses, the map has {m.n_synapses}.")
    if not np.allclose(plasticity.store.weight_v, m.weight_v, rtol=1e-6, atol=1e-12):
        raise RunError("The store's weights are not the map's. Build it from this map's weight_v, anew for each run.")


def _pools(m: SynapseMap, options: RunOptions) -> Plasticity:
    if options.skip_quiet or options.round_weights:
        raise RunError(
            "The map states how its synapses depress and facilitate, which skip_quiet and round_weights cannot do. "
            "Leave them out, or run without_short_term(map)."
        )
    return pools_only(m)


def _check(m: SynapseMap | Populations, duration_s: float, seed: int, drive: Drive, options: RunOptions) -> None:
    if m.n_neurons == 0:
        raise RunError("The map has no neurons. Give a map with at least one.")
    if not (math.isfinite(duration_s) and duration_s >= options.step_s):
        raise RunError(f"duration_s is {duration_s}. Give at least one step ({options.step_s:g} s).")
    if not 0 <= seed < 1 << 63:
        raise RunError(f"The seed is {seed}. Give a whole number from 0 to 2^63 - 1.")
    if drive.n_neurons != m.n_neurons:
        raise RunError(
            f"The drive is for {drive.n_neurons} neurons, the map has {m.n_neurons}. Make a drive for this map."
        )
    if options.start_v is not None and options.start_v.size != m.n_neurons:
        raise RunError(f"start_v has {options.start_v.size} values, the map {m.n_neurons} neurons. Give one a neuron.")
    for i in options.record_voltage_of:
        if not 0 <= i < m.n_neurons:
            raise RunError(f"record_voltage_of holds {i}, but the map has neurons 0 to {m.n_neurons - 1}.")
    if len(set(options.record_voltage_of)) != len(options.record_voltage_of):
        raise RunError(f"record_voltage_of {options.record_voltage_of} names a neuron twice. Name each once.")
