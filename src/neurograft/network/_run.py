"""Running a network: a biological map or one read back from a memory image, by the same code."""

import math
import time
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap
from neurograft.network._build import build_engine, engine_order, models_of
from neurograft.network._checkpoint import Checkpoint, restore, take
from neurograft.network._drive import Drive
from neurograft.network._engine import Engine, Piece
from neurograft.network._options import RunOptions
from neurograft.network._rows import used_synapses
from neurograft.network._stimulus import Course, Stimulus
from neurograft.neurons import Lif, NeuronModel, steps_of
from neurograft.progress import Progress, silent
from neurograft.provenance import Provenance
from neurograft.spikes import SpikeTrains, spike_trains

LARGEST_V = 1e6  # a finite potential beyond this is as broken as NaN


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """What a network did: spikes with the map's labels, chosen potentials, and what the run cost.

    A spike's time is the start of its step.  ``voltage_v`` holds one row a step, the potential at the end of
    the step after reset, one column for each neuron of ``voltage_of``.
    """

    spikes: SpikeTrains
    voltage_v: Float64[ndarray, "steps recorded"]
    voltage_of: tuple[int, ...]
    step_s: float
    wall_s: float
    n_events: int  # spikes delivered over synapses, counted at the spike
    n_synapses_left_out: int  # polysynaptic paths, which are not run
    is_complete: bool
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
    m: SynapseMap,
    *,
    duration_s: float,
    seed: int,
    drive: Drive,
    neuron: NeuronModel | None = None,
    options: RunOptions | None = None,
    resume: Checkpoint | None = None,
    stimulus: Stimulus | None = None,
    progress: Progress = silent,
) -> Activity:
    """Return what the network of a map does up to ``duration_s``; ``neuron`` is Lif() unless given.

    With ``resume``, the checkpoint of an earlier activity of the same map, seed, drive and step, it goes on from
    there: the result holds what comes after, at the same times as if the run had never stopped.  ``stimulus`` is
    what is done to neurons from outside; give the same one when resuming.

    Chemical synapses shift the potential, or drive the current, of the postsynaptic neuron so that one
    spike at rest peaks at ``weight_v``.  Electrical synapses pass the spikelet only: a kick of ``weight_v``
    at every spike, no current below threshold.  Polysynaptic paths are left out.  Where the map's ``model``
    column names a model, that neuron has it (``neuron`` if it bears that name, else its defaults).  The same
    seed gives the same spikes on any number of threads and in any chunks.

    Raises RunError for a delay below the step, an unknown model or a drive of another size; UnstableRunError
    when a state stops being finite; RunInterrupted on Ctrl-C; both keep what was done.
    """
    options = options if options is not None else RunOptions()
    neuron = neuron if neuron is not None else Lif()
    _check(m, duration_s, seed, drive, options)
    if stimulus is not None and stimulus.n_neurons != m.n_neurons:
        raise RunError(f"The stimulus is for {stimulus.n_neurons} neurons, the map has {m.n_neurons}. Make one for it.")
    engine = build_engine(m, seed=seed, neuron=neuron, drive=drive, options=options, stimulus=stimulus)
    if resume is not None:
        restore(engine, resume, options.step_s)
    if engine.step >= steps_of(duration_s, options.step_s):
        raise RunError(f"duration_s is {duration_s}, where the checkpoint already is. Give a later end.")
    order = engine_order(models_of(m, neuron)[1])
    pieces: list[Piece] = []
    reached: list[Checkpoint] = []
    begin_s = engine.step * options.step_s
    began_s = time.perf_counter()

    def activity() -> Activity | None:
        wall_s = time.perf_counter() - began_s
        if not pieces:
            return None
        return _activity(
            m, pieces, order=order, begin_s=begin_s, duration_s=duration_s, options=options, wall_s=wall_s,
            checkpoint=reached[-1],
        )  # fmt: skip

    try:
        _advance(
            engine, pieces, reached, duration_s=duration_s, course=Course(drive, stimulus, options.step_s), order=order,
            options=options, progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise RunInterrupted(activity()) from None
    except _Unstable as found:
        at = int(order[found.place])
        raise UnstableRunError(
            f"The potential of neuron {m.labels[at]} became {found.value:g} V between {found.since_s:g} and "
            f"{found.until_s:g} s. Use a shorter step_s (it is {options.step_s:g} s), or look for an implausible "
            "weight or drive of this neuron. What was done before is kept.",
            activity(),
        ) from None
    whole = activity()
    assert whole is not None
    return whole


class _Unstable(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, place: int, value: float, since_s: float, until_s: float) -> None:
        super().__init__()
        self.place, self.value, self.since_s, self.until_s = place, value, since_s, until_s


def _advance(
    engine: Engine,
    pieces: list[Piece],
    reached: list[Checkpoint],
    *,
    duration_s: float,
    course: Course,
    order: ndarray,
    options: RunOptions,
    progress: Progress,
) -> None:
    """Run chunk after chunk; a chunk ends where the modulation or a current changes."""
    n_steps = steps_of(duration_s, options.step_s)
    chunk = max(1, steps_of(options.chunk_s, options.step_s))
    while engine.step < n_steps:
        stop = min(n_steps, (engine.step // chunk + 1) * chunk)
        if course.changes:
            stop = min(stop, course.next_change(engine.step))
            mean_v = course.mean_v(engine.step)[order]
            for group in engine.groups:
                group.drive_v = mean_v[group.first : group.first + group.n_neurons].copy()
        since_s = engine.step * options.step_s
        piece = engine.advance(stop - engine.step)
        for group in engine.groups:
            bad = np.flatnonzero(~(np.abs(group.state).max(axis=0) < LARGEST_V))
            if bad.size:
                value = float(group.state[0, bad[0]])
                raise _Unstable(group.first + int(bad[0]), value, since_s, engine.step * options.step_s)
        reached[:] = [take(engine, options.step_s)]
        pieces.append(piece)
        progress("run", engine.step * options.step_s, duration_s)


def _activity(
    m: SynapseMap,
    pieces: list[Piece],
    *,
    order: ndarray,
    begin_s: float,
    duration_s: float,
    options: RunOptions,
    wall_s: float,
    checkpoint: Checkpoint,
) -> Activity:
    done = pieces[-1].stop_step
    is_complete = done == steps_of(duration_s, options.step_s)
    neuron = order[np.concatenate([piece.neuron for piece in pieces])].astype(np.int32)
    time_s = np.concatenate([piece.step for piece in pieces]) * options.step_s
    used = used_synapses(m)
    recorded = np.argsort(np.argsort(order)[np.array(options.record_voltage_of, dtype=np.int64)], kind="stable")
    voltage_v = np.concatenate([piece.voltage_v for piece in pieces])
    by_option = np.empty_like(voltage_v)
    by_option[:, recorded] = voltage_v
    spikes = spike_trains(
        time_s=time_s,
        neuron=neuron,
        n_neurons=m.n_neurons,
        epochs_s=np.array([[begin_s, done * options.step_s]]),
        labels=m.labels,
        provenance=Provenance(
            command="run", parameters={"duration_s": duration_s, "step_s": options.step_s}, seed=checkpoint.seed
        ),
    )
    out_degree = np.bincount(m.pre[used], minlength=m.n_neurons)
    return Activity(
        spikes=spikes,
        voltage_v=by_option,
        voltage_of=options.record_voltage_of,
        step_s=options.step_s,
        wall_s=wall_s,
        n_events=int(out_degree[neuron].sum()),
        n_synapses_left_out=int(np.sum(~used)),
        is_complete=is_complete,
        checkpoint=checkpoint,
    )


def _check(m: SynapseMap, duration_s: float, seed: int, drive: Drive, options: RunOptions) -> None:
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
