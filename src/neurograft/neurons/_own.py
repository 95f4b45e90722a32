"""A user's own neuron: one function for a step, and a few numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int32
from numpy import ndarray

from neurograft.errors import OptionError
from neurograft.neurons._model import Advance, Stepper, kicks


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModel:
    """A neuron whose synapses shift the potential, made of a step function (``Advance``).

    ``constants(step_s)`` gives the numbers that the function gets as ``constants``; ``tau_m_s`` is the time constant
    of the membrane near rest, by which noise is scaled.  States beside the potential start at ``start_values`` (0
    unless given), potentials between rest and half the threshold.
    """

    name: str
    advance: Advance
    constants: Callable[[float], Sequence[float]]
    threshold_v: float
    tau_m_s: float
    state_names: tuple[str, ...] = ("v",)
    start_values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a model without name or time, and starts that do not fit the states."""
        if not self.name or not (math.isfinite(self.tau_m_s) and self.tau_m_s > 0):
            raise OptionError(f"The model {self.name!r} has tau_m_s {self.tau_m_s}. Give a name and positive seconds.")
        if len(self.start_values) not in (0, len(self.state_names) - 1):
            raise OptionError(
                f"The model {self.name!r} has states {self.state_names} and start_values {self.start_values}. "
                "Give one start for each state after the first, or none."
            )

    def stepper(self, step_s: float) -> Stepper:
        """Return the step function with its numbers."""
        return Stepper(
            advance=self.advance, constants=np.array(self.constants(step_s), dtype=np.float64),
            n_states=len(self.state_names), n_channels=1, state_names=self.state_names,
            noise_kick=math.sqrt(-math.expm1(-2.0 * step_s / self.tau_m_s)),
        )  # fmt: skip

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials between rest and half the threshold, and the other states' starts."""
        state = np.zeros((len(self.state_names), fraction.size))
        state[0] = 0.5 * self.threshold_v * fraction
        for row, value in enumerate(self.start_values, start=1):
            state[row] = value
        return state

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return kicks of the weight."""
        return kicks(weight_v)
