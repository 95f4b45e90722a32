"""What the engine asks of a neuron model, and how a map's ``model`` column finds one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int32
from numpy import ndarray

from neurograft.errors import OptionError, did_you_mean

Advance = Callable[[ndarray, ndarray, ndarray, ndarray, ndarray, ndarray], int]
"""One step of all neurons of one kind: ``advance(state, refractory, drive_v, inputs, constants, spiked)``.

``state`` is (states, neurons) with the membrane potential in row 0; ``refractory`` counts the steps left;
``drive_v`` is the steady depolarisation; ``inputs`` is (channels, neurons), what arrived during the step,
channel 0 in volts straight into the potential; the function sets ``inputs`` back to 0.  Rows after the
channels hold numbers of mean 0 and standard deviation 1, new at every step (``Stepper.n_noise``).  It writes the
neurons that spike to ``spiked`` in rising order and returns how many.  A compiled function (``numba.njit``)
is fast, any Python function is right.
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stepper:
    """A model made ready for one step length; made by ``NeuronModel.stepper``."""

    advance: Advance
    constants: Float64[ndarray, " constants"]
    n_states: int
    n_channels: int
    noise_kick: float  # sd of the kick of one step that gives the free potential an sd of 1 V
    n_noise: int = 0  # rows of ``inputs`` after the channels, which the engine fills with unit noise at every step
    state_names: tuple[str, ...] = ("v",)  # of the rows of ``state`` that may be recorded by name


@runtime_checkable
class NeuronModel(Protocol):
    """A model of a point neuron.  Potentials are in volts above rest, which is 0."""

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        ...

    @property
    def threshold_v(self) -> float:
        """Potential at or above which the neuron spikes."""
        ...

    def stepper(self, step_s: float) -> Stepper:
        """Return the constants and the compiled step; raises RunError where the step is too long."""
        ...

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return states at rest but for the potential, which lies ``fraction`` (0 to 1) of its way to a spike."""
        ...

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return what one spike adds to which channel, so that the peak potential at rest is ``weight_v``."""
        ...


def find_model(name: str, known: Mapping[str, NeuronModel]) -> NeuronModel:
    """Return the model of that name; an unknown name is refused with the closest known one.

    >>> find_model("lief", {"lif": ...})
    Traceback (most recent call last):
    neurograft.errors.OptionError: The neuron model 'lief' is unknown. Did you mean 'lif'? Known: lif.
    """
    if name not in known:
        raise OptionError(f"The neuron model {name!r} is unknown. {did_you_mean(name, known)}")
    return known[name]


def steps_of(duration_s: float, step_s: float) -> int:
    """Return how many steps a duration takes, rounded to the nearest (half a step up)."""
    return int(np.floor(duration_s / step_s + 0.5))


def kicks(
    weight_v: Float64[ndarray, " synapses"],
) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
    """Return the amplitudes and channels of synapses that shift the potential by their weight."""
    return weight_v.astype(np.float64), np.zeros(weight_v.size, dtype=np.int32)
