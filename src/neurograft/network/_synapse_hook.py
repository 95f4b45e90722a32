"""Taking over the delivery of a group's synapses: what learning and noisy reading have in common."""

from typing import Protocol, runtime_checkable

from numpy import ndarray

from neurograft.network._learning_kernel import Changes, Kept, Pools, Traces
from neurograft.network._reading import Reading
from neurograft.network._rows import Rows


@runtime_checkable
class GroupSynapses(Protocol):
    """Delivers to one group of neurons in the engine's place; called every step, so nothing here is checked."""

    def deliver(self, step: int, clock: object, past: object, inputs: ndarray) -> None:
        """Add to the flat ``inputs`` what arrives in a step."""
        ...

    def learn(self, step: int, spiked: ndarray) -> None:
        """Hear which of the group's neurons spiked in the step."""
        ...


@runtime_checkable
class ReadSynapses(Protocol):
    """``GroupSynapses`` whose delivery compiled code can do: cells that are read, and not changed, by events."""

    def reading(self, step: int) -> tuple[Reading, int]:
        """Return how cells read at a step, and from which step on they may read otherwise."""
        ...


@runtime_checkable
class LearningSynapses(Protocol):
    """``GroupSynapses`` that learn, in compiled stretches between the moments at which Python must act."""

    def tables(self) -> tuple[Rows, Pools, Traces, Changes, Kept]:
        """Return the rows to deliver, and all that compiled code changes in place."""
        ...

    def until(self, step: int) -> int:
        """Return the end of the stretch that begins with a step, after which ``rest`` is called."""
        ...

    def rest(self, step: int) -> None:
        """Do what is due after a step, if anything: scale, take a snapshot."""
        ...

    def change(self, n: int) -> None:
        """Make the first ``n`` changes that compiled code asked for."""
        ...


@runtime_checkable
class SynapseHook(Protocol):
    """Makes the ``GroupSynapses`` of one group.

    Entry j of ``rows`` is ``synapse[j]`` of the map, and ``per_volt[j]`` the amplitude of a weight of 1 V.
    """

    def __call__(
        self, rows: Rows, synapse: ndarray, per_volt: ndarray, n_local: int, step_s: float, /
    ) -> GroupSynapses:
        """Return the group's synapses."""
        ...
