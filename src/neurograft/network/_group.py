"""A stretch of neurons of one model that one thread advances: their states, inputs and incoming synapses."""

from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt64
from numba import config
from numpy import ndarray

from neurograft.network._any_kernel import ADVANCES, run_any
from neurograft.network._forced import StimulusTables, add_kicks, force, no_stimulus
from neurograft.network._kernels import deliver, run_lif
from neurograft.network._lazy import Quiet, run_lazy
from neurograft.network._learning_kernel import BEGIN, learn_stretch
from neurograft.network._poisson import PoissonInput, add_poisson, no_poisson
from neurograft.network._random import LANES, add_noise, fill_noise
from neurograft.network._reading import no_reading
from neurograft.network._rows import Rows
from neurograft.network._synapse_hook import GroupSynapses, LearningSynapses, ReadSynapses
from neurograft.neurons import Lif, NeuronModel, Stepper
from neurograft.neurons._lif import advance_delta, advance_exponential


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Spikes:
    """Spikes by step: those of step k are ``neuron[start[k - origin] : start[k - origin + 1]]``."""

    origin: int
    neuron: Int32[ndarray, " capacity"]
    start: Int64[ndarray, " steps_and_end"]

    def room(self, n: int, used: int) -> None:
        """Make room for ``n`` more spikes after ``used``."""
        if self.neuron.size < used + n:
            larger = np.empty(max(2 * self.neuron.size, used + n), dtype=np.int32)
            larger[:used] = self.neuron[:used]
            self.neuron = larger


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """Neurons ``first`` to ``first + n - 1`` in the engine's order, all of one model."""

    model: NeuronModel
    stepper: Stepper
    first: int
    rows: Rows
    state: Float64[ndarray, "states neurons"]
    refractory: Int32[ndarray, " neurons"]
    noise_v: Float64[ndarray, " neurons"]  # sd of the kick of one step
    recorded: Int64[ndarray, " recorded"]  # places in the flat state
    drive_v: Float64[ndarray, " neurons"]
    poisson: PoissonInput = field(default_factory=no_poisson)
    stimulus: StimulusTables | None = None
    synapses: GroupSynapses | None = None  # who delivers in the engine's place
    quiet: Quiet | None = None  # with it quiet neurons are skipped; ``state`` is then a view of its cells
    inputs: Float32[ndarray, "channels neurons"] = field(init=False)
    spiked: Int32[ndarray, " neurons"] = field(init=False)
    words: UInt64[ndarray, " four_lanes"] = field(init=False)
    voltage_v: Float64[ndarray, "steps recorded"] = field(init=False)

    def __post_init__(self) -> None:
        """Make the arrays that a step works in."""
        self.inputs = np.zeros((self.stepper.n_channels + self.stepper.n_noise, self.n_neurons), dtype=np.float32)
        self.spiked = np.empty(self.n_neurons, dtype=np.int32)
        self.words = np.empty(4 * LANES, dtype=np.uint64)
        self.voltage_v = np.empty((0, self.recorded.size))

    @property
    def n_neurons(self) -> int:
        """Number of its neurons."""
        return self.state.shape[1]

    @property
    def has_poisson(self) -> bool:
        """Tell whether spikes come from outside."""
        return self.poisson.place.size > 0

    @property
    def is_compiled(self) -> bool:
        """Tell whether whole stretches of steps run in the fastest compiled call, which threads share too."""
        is_known = isinstance(self.model, Lif) and self.stepper.advance in (advance_delta, advance_exponential)
        return is_known and self.stimulus is None and self.synapses is None

    @property
    def which(self) -> int:
        """Number of its model's step for ``run_any`` and its like; -1 where steps must be done from Python."""
        if self.synapses is not None and not isinstance(self.synapses, ReadSynapses | LearningSynapses):
            return -1
        return next((k for k, advance in enumerate(ADVANCES) if advance is self.stepper.advance), -1)


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Clock:
    """What a stretch of steps needs to know beside the group; ``step`` is the next one."""

    step: int
    step_s: float
    seed: int
    delays: Int32[ndarray, " delays"]


@runtime_checkable
class Runner(Protocol):
    """Advances a group; returns how many steps were done before the output was full."""

    def __call__(self, group: Group, clock: Clock, n_steps: int, *, past: Spikes, out: Spikes) -> int:
        """Advance from the clock's step on, reading the past and writing spikes to ``out``."""
        ...


def runner_of(group: Group) -> Runner:
    """Return the fastest way to advance a group."""
    if group.quiet is not None:
        return run_quiet
    if group.is_compiled:
        return run_compiled
    if group.which < 0 or getattr(config, "DISABLE_JIT", False):
        return run_stepwise
    return run_learning if isinstance(group.synapses, LearningSynapses) else run_model


def run_quiet(group: Group, clock: Clock, n_steps: int, *, past: Spikes, out: Spikes) -> int:
    """Advance in one compiled call that leaves quiet neurons out."""
    assert group.quiet is not None
    rows = group.rows
    group.voltage_v = np.empty((n_steps, group.recorded.size))
    return run_lazy(
        clock.step, n_steps, past.origin, group.first, clock.delays, past.neuron, past.start, out.neuron, out.start,
        out.origin, rows.start, rows.target, rows.weight, group.refractory, group.noise_v, group.poisson,
        group.has_poisson, clock.seed, group.stepper.constants, group.spiked, group.recorded, group.voltage_v,
        group.quiet,
    )  # fmt: skip


def run_compiled(group: Group, clock: Clock, n_steps: int, *, past: Spikes, out: Spikes) -> int:
    """Advance in one compiled call."""
    group.voltage_v = np.empty((n_steps, group.recorded.size))
    return run_lif(
        clock.step, n_steps, past.origin, group.first, clock.delays, past.neuron, past.start, out.neuron, out.start,
        out.origin, group.rows, group.inputs, group.state, group.refractory,
        group.drive_v, group.noise_v, bool(np.any(group.noise_v)), group.poisson, group.has_poisson, clock.seed,
        group.stepper.constants, group.spiked, group.words, group.recorded, group.voltage_v,
    )  # fmt: skip


def run_model(group: Group, clock: Clock, n_steps: int, *, past: Spikes, out: Spikes) -> int:
    """Advance any built-in model, under a stimulus or with cells that are read, in compiled calls."""
    done = 0
    stimulus = group.stimulus if group.stimulus is not None else no_stimulus()
    group.voltage_v = np.empty((n_steps, group.recorded.size))
    while done < n_steps:
        step = clock.step + done
        reading, until = no_reading(), step + n_steps
        if isinstance(group.synapses, ReadSynapses):
            reading, until = group.synapses.reading(step)
        wanted = min(n_steps - done, until - step)
        did = run_any(
            group.which, step, wanted, past.origin, group.first, clock.delays, past.neuron, past.start, out.neuron,
            out.start, out.origin, group.rows, reading, stimulus, group.inputs,
            group.stepper.n_channels, group.state, group.refractory, group.drive_v, group.noise_v,
            bool(np.any(group.noise_v)), group.poisson, group.has_poisson, clock.seed, group.stepper.constants,
            group.spiked, group.words, group.recorded, group.voltage_v[done:],
        )  # fmt: skip
        done += did
        if did < wanted:
            break
    return done


def run_learning(group: Group, clock: Clock, n_steps: int, *, past: Spikes, out: Spikes) -> int:
    """Advance any built-in model whose synapses learn; Python is asked where a cell is pulsed."""
    learner, done, phase = group.synapses, 0, BEGIN
    assert isinstance(learner, LearningSynapses)
    rows, pools, traces, changes, kept = learner.tables()
    stimulus = group.stimulus if group.stimulus is not None else no_stimulus()
    group.voltage_v = np.empty((n_steps, group.recorded.size))
    while done < n_steps:
        step = clock.step + done
        until = learner.until(step)
        wanted = min(n_steps - done, until - step)
        did, phase = learn_stretch(
            group.which, phase, step, wanted, past.origin, group.first, clock.delays, past.neuron, past.start,
            out.neuron, out.start, out.origin, rows, clock.step_s, pools, traces, changes, kept, stimulus, group.inputs,
            group.stepper.n_channels, group.state, group.refractory, group.drive_v, group.noise_v,
            bool(np.any(group.noise_v)), group.poisson, group.has_poisson, clock.seed, group.stepper.constants,
            group.spiked, group.words, group.recorded, group.voltage_v[done:],
        )  # fmt: skip
        done += did
        if phase != BEGIN:
            learner.change(int(changes.held[1]))
        elif did < wanted:
            break
        elif clock.step + done == until:
            learner.rest(until - 1)
    return done


def run_stepwise(group: Group, clock: Clock, n_steps: int, *, past: Spikes, out: Spikes) -> int:
    """Advance step by step from Python, with any model; the same operations in the same order."""
    inputs, inner = group.inputs, group.inputs[: group.stepper.n_channels].reshape(-1)
    has_noise = bool(np.any(group.noise_v))
    group.voltage_v = np.empty((n_steps, group.recorded.size))
    step = clock.step
    for k in range(step, step + n_steps):
        at = int(out.start[k - out.origin])
        if at + group.n_neurons > out.neuron.size:
            return k - step
        if group.synapses is not None:
            group.synapses.deliver(k, clock, past, inputs.reshape(-1))
        else:
            deliver(k, past.origin, clock.delays, past.neuron, past.start, group.rows, inner)
        if has_noise:
            add_noise(clock.seed, k, group.first, group.noise_v, inputs[0], group.words)
        if group.has_poisson:
            add_poisson(clock.seed, k, group.first, group.poisson, inputs.reshape(-1), group.words)
        if group.stimulus is not None:
            add_kicks(k, group.stimulus, inputs.reshape(-1))
        if group.stepper.n_noise:
            fill_noise(clock.seed, k, group.first, inputs[group.stepper.n_channels :], group.words)
        n = group.stepper.advance(
            group.state, group.refractory, group.drive_v, inputs, group.stepper.constants, group.spiked
        )
        if group.stimulus is not None:
            n = force(k, group.stimulus, group.state, group.refractory, group.spiked, n)
        if group.synapses is not None:
            group.synapses.learn(k, group.spiked[:n])
        out.neuron[at : at + n] = group.first + group.spiked[:n]
        out.start[k - out.origin + 1] = at + n
        group.voltage_v[k - step] = group.state.reshape(-1)[group.recorded]
    return n_steps
