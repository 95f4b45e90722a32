"""Plastic synapses: pools of vesicles, timing-dependent learning, rate homeostasis, and where weights are kept.

Learning asks for changes of weight; a store makes them.  ``ExactWeights`` does what is asked; ``CellWeights``
turns it into pulses of the cells of a memory image, so that the image learns.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.cells import MemoryImage, PlasticState, PlasticWriter, PulseWriter, plastic_cells
from neurograft.errors import RunError
from neurograft.maps import Kind, SynapseMap
from neurograft.network._learning_kernel import CELLS, EXACT, Kept, asked_of_python
from neurograft.units import MS, MV


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TimingRule:
    """Spike-timing-dependent plasticity of all pairs and triplets (Pfister and Gerstner 2006), in shares of ``most_v``.

    A post spike adds most_v (a2_plus + a3_plus o2) r1, an arrival takes most_v (a2_minus + a3_minus r2) o1, with the
    traces of arrivals r (time constants plus, x) and of post spikes o (minus, y).  With both a3 at 0 this is the
    pair rule.  The time of a synapse is its arrival: the delay lies in the axon.  In one step
    arrivals come first and count as causal (NEST leaves such pairs out).
    ``power`` scales potentiation by (1 - w)^power and depression by w^power, w the weight over ``most_v`` (0:
    additive, 1: multiplicative; Guetig et al. 2003).
    """

    a2_plus: float = 5e-3  # of the usual size in models; per pair
    a2_minus: float = 5.25e-3  # depression a little stronger (Song, Miller and Abbott 2000: 1.05 times)
    a3_plus: float = 0.0
    a3_minus: float = 0.0
    tau_plus_s: float = 20 * MS
    tau_minus_s: float = 20 * MS
    tau_x_s: float = 101 * MS
    tau_y_s: float = 125 * MS
    most_v: float = 5 * MV
    power: float = 0.0

    def __post_init__(self) -> None:
        """Refuse time constants and limits that are not positive."""
        taus = (self.tau_plus_s, self.tau_minus_s, self.tau_x_s, self.tau_y_s, self.most_v)
        if not (min(taus) > 0 and self.power >= 0):
            raise RunError(f"{self}: give positive time constants and most_v, and no negative power.")

    def constants(self) -> Float64[ndarray, " eight"]:
        """Return what the kernels read."""
        taus = (self.tau_plus_s, self.tau_x_s, self.tau_minus_s, self.tau_y_s)
        return np.array([*taus, self.a2_plus, self.a3_plus, self.a2_minus, self.a3_minus])


def pair_rule(*, most_v: float = 5 * MV) -> TimingRule:
    """Return additive pair plasticity with the constants of Song, Miller and Abbott (2000)."""
    return TimingRule(most_v=most_v)


def triplet_rule(*, most_v: float = 5 * MV) -> TimingRule:
    """Return the all-to-all minimal triplet rule fitted to visual cortex (Pfister and Gerstner 2006, table 4)."""
    return TimingRule(
        a2_plus=0.0, a3_plus=6.5e-3, a2_minus=7.1e-3, a3_minus=0.0, tau_plus_s=16.8 * MS, tau_minus_s=33.7 * MS,
        tau_y_s=114 * MS, most_v=most_v,
    )  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Homeostasis:
    """Synaptic scaling (Turrigiano et al. 1998; van Rossum, Bi and Turrigiano 2000): weights grow while rates are low.

    Every ``interval_s`` each plastic synapse changes by w * strength * (1 - rate / target), rate the mean over
    about ``tau_s``.  Real scaling takes hours; the default is fast so that it can be seen.
    """

    target_hz: float
    strength: float = 0.05
    interval_s: float = 1.0
    tau_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse rates and times that are not positive."""
        if not min(self.target_hz, self.strength, self.interval_s, self.tau_s) > 0:
            raise RunError(f"{self}: give positive numbers.")


@runtime_checkable
class WeightStore(Protocol):
    """Keeps the weights of all synapses of a map and changes some of them as well as it can."""

    @property
    def weight_v(self) -> Float64[ndarray, " synapses"]:
        """The weights now."""
        ...

    def change(self, which: Int64[ndarray, " changes"], wanted_v: Float64[ndarray, " changes"]) -> None:
        """Change synapses by about so much; one may come more than once."""
        ...


@runtime_checkable
class CompiledStore(Protocol):
    """A ``WeightStore`` most of whose changes compiled code can make."""

    def kept(self) -> Kept:
        """Return the store's arrays, which compiled code changes in place."""
        ...


@final
class ExactWeights:
    """Weights as numbers: changes come as asked for, but no weight leaves 0 to ``most_v`` (by size)."""

    def __init__(self, weight_v: Float64[ndarray, " synapses"], most_v: float) -> None:
        self._weight_v = weight_v.astype(np.float64).copy()
        self._most_v = np.maximum(most_v, np.abs(self._weight_v))  # what starts above may stay there

    @property
    def weight_v(self) -> Float64[ndarray, " synapses"]:
        """The weights now."""
        return self._weight_v

    def kept(self) -> Kept:
        """Return the weights and their limits."""
        return asked_of_python(self._weight_v)._replace(kind=EXACT, most_v=self._most_v)

    def change(self, which: Int64[ndarray, " changes"], wanted_v: Float64[ndarray, " changes"]) -> None:
        """Add the changes, in order."""
        sign = np.where(self._weight_v[which] < 0, -1.0, 1.0)
        once, first = np.unique(which, return_index=True)
        if once.size == which.size:
            size = np.clip(sign * (self._weight_v[which] + wanted_v), 0.0, self._most_v[which])
            self._weight_v[which] = sign * size
            return
        self.change(which[first], wanted_v[first])
        rest = np.setdiff1d(np.arange(which.size), first)
        self.change(which[rest], wanted_v[rest])


@final
class CellWeights:
    """Weights of a memory image that learns: a change becomes pulses of the cell that counts most for the synapse."""

    def __init__(
        self, image: MemoryImage, weight_v: Float64[ndarray, " synapses"], writer: PlasticWriter, rng: Generator
    ) -> None:
        self._cells = plastic_cells(image, writer)
        self._writer, self._rng = writer, rng
        self._weight_v = weight_v.astype(np.float64).copy()
        if self._cells.cell.size != weight_v.size:
            raise RunError(
                f"The image holds {self._cells.cell.size} synapses, the map {weight_v.size}. Give image_to_map of it."
            )

    @property
    def weight_v(self) -> Float64[ndarray, " synapses"]:
        """The weights now."""
        return self._weight_v

    @property
    def state(self) -> PlasticState:
        """The cells' conductances and counted pulses, for ``image_after``."""
        return self._cells.state

    def kept(self) -> Kept:
        """Return what decides whether a cell is pulsed; only Python pulses it, by its card."""
        kept, writer = asked_of_python(self._weight_v), self._writer
        if not isinstance(writer, PulseWriter):
            return kept
        return kept._replace(
            kind=CELLS, cell=self._cells.cell, siemens_per_v=self._cells.siemens_per_v,
            rest_siemens=self._cells.state.rest_siemens, smallest_siemens=float(writer.smallest_siemens),
            strongest=(float(writer.up_siemens[-1]), float(writer.down_siemens[-1])), keeps_rest=writer.keeps_rest,
        )  # fmt: skip

    def change(self, which: Int64[ndarray, " changes"], wanted_v: Float64[ndarray, " changes"]) -> None:
        """Pulse the cells; the weight follows what the cell then holds."""
        cell, scale = self._cells.cell[which], self._cells.siemens_per_v[which]
        before = self._cells.state.g_siemens[cell].copy()
        self._writer.change(self._cells.state, cell, wanted_v * scale, self._rng)
        once, first = np.unique(which, return_index=True)
        moved = self._cells.state.g_siemens[cell[first]] - before[first]
        self._weight_v[once] += moved / scale[first]


class Snapshot(NamedTuple):
    """Weights of some synapses of the map at one moment."""

    time_s: float
    synapse: ndarray
    weight_v: ndarray


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plasticity:
    """What is plastic in a run, and how.

    ``store`` keeps the weights (and is changed by the run).  Plastic are the synapses of ``is_plastic``; without,
    all chemical ones that excite.  ``has_short_term`` uses the map's columns release_probability, recovery_s and
    facilitation_s, where they are known.
    """

    store: WeightStore
    timing: TimingRule | None = None
    homeostasis: Homeostasis | None = None
    is_plastic: Bool[ndarray, " synapses"] | None = None
    has_short_term: bool = False
    snapshot_s: float | None = 1.0  # None: no snapshots
    history: list[Snapshot] = field(default_factory=list[Snapshot])  # filled by the run

    def weights_over_time(
        self, n_synapses: int
    ) -> tuple[Float64[ndarray, " times"], Float64[ndarray, "times synapses"]]:
        """Return the snapshots of the run, as steps' ends in s and weights of all synapses (NaN where not run)."""
        times = sorted({snapshot.time_s for snapshot in self.history})
        weight_v = np.full((len(times), n_synapses), np.nan)
        for snapshot in self.history:
            weight_v[times.index(snapshot.time_s), snapshot.synapse] = snapshot.weight_v
        return np.array(times, dtype=np.float64), weight_v

    @property
    def learns(self) -> bool:
        """Tell whether weights change for good."""
        return self.timing is not None or self.homeostasis is not None

    def plastic(self, m: SynapseMap) -> Bool[ndarray, " synapses"]:
        """Return which synapses of the map learn."""
        if self.is_plastic is not None:
            return self.is_plastic
        return (m.weight_v > 0) & (m.kind != Kind.ELECTRICAL) & m.is_used
