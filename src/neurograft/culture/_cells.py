"""What a family of neuron models has to provide, and the state that its kernel advances."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64, UInt8, UInt32
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._random import Streams

AP_SAMPLES = 64  # length of the drawn action potential, in steps


class Cells(NamedTuple):
    """Parameters of neurons: what every family has, and in ``own`` one row for each parameter of its own."""

    is_excitatory: Bool[ndarray, " neurons"]
    rest_v: Float64[ndarray, " neurons"]
    rest_siemens: Float64[ndarray, " neurons"]  # input conductance at rest: what a drive in volts is scaled by
    membrane_s: Float64[ndarray, " neurons"]  # time constant at rest
    threshold_v: Float64[ndarray, " neurons"]  # about where a slow ramp fires it
    inhibition_v: Float64[ndarray, " neurons"]  # reversal potential of GABA-A
    own: Float64[ndarray, " parameters neurons"]
    aux_at_rest: Float64[ndarray, " variables neurons"]

    def take(self, which: Int64[ndarray, " taken"] | Int32[ndarray, " taken"]) -> "Cells":
        """Return the parameters of some neurons, in that order, repeated where asked twice."""
        return Cells(*(np.ascontiguousarray(column[..., which]) for column in self))


class Wires(NamedTuple):
    """Chemical synapses by presynaptic neuron, gap junctions by neuron, receptors' time courses."""

    start: Int64[ndarray, " neurons+1"]
    target: Int64[ndarray, " synapses"]
    delay_steps: Int64[ndarray, " synapses"]
    quantum_siemens: Float64[ndarray, " synapses"]
    n_sites: Int64[ndarray, " synapses"]
    release: Float64[ndarray, " synapses"]  # probability after long silence
    quantum_cv: float
    recovery_s: float
    facilitation_s: float
    nmda_ratio: float
    gap_start: Int64[ndarray, " neurons+1"]
    gap_other: Int64[ndarray, " gap_ends"]
    gap_siemens: Float64[ndarray, " gap_ends"]
    n_slots: int  # of the delay buffer, a power of two
    step_s: float


class State(NamedTuple):
    """Everything that changes; ``excite`` and ``inhibit`` hold, step by step, what is still on its way."""

    clock: Int64[ndarray, " one"]
    v: Float64[ndarray, " neurons"]
    seen_v: Float64[ndarray, " neurons"]  # with the action potential's shape: what a pad or a gap junction sees
    since_spike: Int64[ndarray, " neurons"]
    aux: Float64[ndarray, " variables*neurons"]
    excite: Float64[ndarray, " slots*neurons"]
    inhibit: Float64[ndarray, " slots*neurons"]
    is_sent: UInt8[ndarray, "slots blocks"]  # whether anything may be on its way to a block of neurons in a slot
    gates: Float64[ndarray, "six neurons"]  # rise and decay of AMPA, NMDA, GABA-A
    noise: Float64[ndarray, " neurons"]
    ready: Int64[ndarray, " synapses"]  # vesicles
    facilitated: Float64[ndarray, " synapses"]  # release probability right after the last spike
    last_step: Int64[ndarray, " synapses"]
    noise_words: UInt32[ndarray, "four neurons"]
    noise_pair: Float32[ndarray, "two neurons"]  # normal numbers of an even step and of the odd one after it
    release_streams: Streams
    channel_streams: Streams


class Drive(NamedTuple):
    """Currents from outside: one row for every ``steps_per_row`` steps, and each neuron's own noise."""

    current_a: Float64[ndarray, "rows neurons"]
    steps_per_row: int
    noise_keep: float  # share of the noise left after a step
    noise_a: Float64[ndarray, " neurons"]  # standard deviation of the noise current


class Seen(NamedTuple):
    """What a kernel writes: the potential of each neuron at each step, and the spikes."""

    trace_v: Float32[ndarray, "neurons steps"]
    spike_step: Int64[ndarray, " room"]
    spike_neuron: Int64[ndarray, " room"]


Advance = Callable[[Cells, Wires, State, Drive, Seen, int], int]


@runtime_checkable
class NeuronFamily(Protocol):
    """A family of neuron models: draws neurons that differ, and advances them."""

    @property
    def name(self) -> str:
        """The name by which the command line asks for it, also kept in maps."""
        ...

    def cells(self, is_excitatory: Bool[ndarray, " neurons"], rng: Generator) -> Cells:
        """Return parameters of neurons, every one a little different."""
        ...

    @property
    def advance(self) -> Advance:
        """The kernel: advances the state by a number of steps, fills ``Seen``, returns the number of spikes."""
        ...
