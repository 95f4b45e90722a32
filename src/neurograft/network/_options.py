"""How a run is carried out, as against what is run."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.units import MS


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunOptions:
    """Step length, threads, what is recorded and how often the run looks up.

    The result does not depend on ``n_threads`` or ``chunk_s``.  More than one thread pays from about ten
    thousand neurons on, and only on cores that are free.

    ``skip_quiet`` leaves integrate-and-fire neurons (kicks or exponential currents) alone while nothing reaches
    them and they cannot spike; their equation is solved in closed form when something does.  It is as exact, and
    as reproducible, but rounds differently: spikes may part from those of stepping where the network is chaotic.

    ``round_weights`` keeps every weight as a whole number of 1/32,767 of the largest in the network (fewer steps above
    65,536 neurons times channels; 1/8,191 up to four times that): 4 bytes a synapse with its delay, about what a chip
    resolves.  Where all weights are multiples of some unit they are kept so anyway, unchanged.
    """

    step_s: float = 0.1 * MS
    n_threads: int = 1
    record_voltage_of: tuple[int, ...] = ()
    record_states: tuple[str, ...] = ("v",)  # of those neurons, by the names of their model's ``Stepper``
    record_to: Path | None = None  # spikes and states are written there chunk by chunk; what is whole stays readable
    skip_quiet: bool = False  # pays where few of many neurons are active; see the class
    round_weights: bool = False  # not exact; see the class
    start_v: Float64[ndarray, " neurons"] | None = None  # without: spread evenly between reset and threshold
    chunk_s: float = 0.25  # progress is told, Ctrl-C heard and states checked that often, in model time

    def __post_init__(self) -> None:
        """Refuse steps, threads and chunks that are not positive."""
        if not (np.isfinite(self.step_s) and self.step_s > 0):
            raise RunError(f"step_s is {self.step_s}. Give a positive number of seconds, e.g. 0.0001.")
        if self.n_threads < 1:
            raise RunError(f"n_threads is {self.n_threads}. Give 1 or more.")
        if not self.record_states or len(set(self.record_states)) != len(self.record_states):
            raise RunError(f"record_states is {self.record_states}. Name at least one state, and each once.")
        if not self.chunk_s >= self.step_s:
            raise RunError(f"chunk_s is {self.chunk_s} s, shorter than the step of {self.step_s} s. Give a longer one.")
