"""What is done to neurons from outside during a run: currents, kicks, spikes forced on them, spikes taken from them.

Replaying a recording is the case in which a neuron's own spikes are taken away and the recorded ones forced.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray

from neurograft.arrays import require_finite, require_ids
from neurograft.errors import RunError
from neurograft.network._drive import Drive
from neurograft.network._forced import StimulusTables
from neurograft.neurons import Lif, NeuronModel, steps_of


def _empty_ids() -> ndarray:
    return np.empty(0, dtype=np.int64)


def _empty() -> ndarray:
    return np.empty(0)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stimulus:
    """Tables of events; times are model time, neurons the map's indices.  Tables may be in any order.

    A *current* is a steady depolarisation ``current_v`` from ``current_start_s`` to before ``current_stop_s``,
    on top of the drive.  A *kick* shifts the potential.  A *forced* spike leaves the neuron as if it had fired
    (an integrate-and-fire neuron is also reset).  A *muted* neuron goes on as before, but its spikes reach nobody
    and are not recorded, forced ones excepted.
    """

    n_neurons: int
    current_neuron: Int64[ndarray, " currents"] = field(default_factory=_empty_ids)
    current_start_s: Float64[ndarray, " currents"] = field(default_factory=_empty)
    current_stop_s: Float64[ndarray, " currents"] = field(default_factory=_empty)
    current_v: Float64[ndarray, " currents"] = field(default_factory=_empty)
    kick_neuron: Int64[ndarray, " kicks"] = field(default_factory=_empty_ids)
    kick_s: Float64[ndarray, " kicks"] = field(default_factory=_empty)
    kick_v: Float64[ndarray, " kicks"] = field(default_factory=_empty)
    forced_neuron: Int64[ndarray, " forced"] = field(default_factory=_empty_ids)
    forced_s: Float64[ndarray, " forced"] = field(default_factory=_empty)
    muted_neuron: Int64[ndarray, " muted"] = field(default_factory=_empty_ids)
    muted_start_s: Float64[ndarray, " muted"] = field(default_factory=_empty)
    muted_stop_s: Float64[ndarray, " muted"] = field(default_factory=_empty)

    def __post_init__(self) -> None:
        """Refuse neurons that are not there, lengths that differ and values that are not finite."""
        for table, columns in _TABLES.items():
            size = getattr(self, f"{table}_neuron").size
            require_ids(
                getattr(self, f"{table}_neuron"), n=self.n_neurons, name=f"{table}_neuron", things="neurons",
                error=RunError,
            )  # fmt: skip
            for name in columns:
                values = getattr(self, name)
                if values.size != size:
                    raise RunError(f"{name} has {values.size} entries, {table}_neuron {size}. Give one for each.")
                if not name.endswith("stop_s"):
                    require_finite(values, name=name, error=RunError, remedy="Give finite times and volts.")
                elif np.isnan(values).any():
                    raise RunError(f"{name} has an entry that is no number. Give the end in seconds, or infinity.")

    @property
    def acts_on_spikes(self) -> bool:
        """Tell whether there is more than currents."""
        return self.kick_neuron.size + self.forced_neuron.size + self.muted_neuron.size > 0


_TABLES = {
    "current": ("current_start_s", "current_stop_s", "current_v"),
    "kick": ("kick_s", "kick_v"),
    "forced": ("forced_s",),
    "muted": ("muted_start_s", "muted_stop_s"),
}


def merge_stimuli(stimuli: Sequence[Stimulus]) -> Stimulus:
    """Return one stimulus that does what all of them do."""
    sizes = {s.n_neurons for s in stimuli}
    if len(sizes) != 1:
        raise RunError(f"The stimuli are for {sorted(sizes)} neurons. Give at least one, all for the same map.")
    names = [name for table, columns in _TABLES.items() for name in (f"{table}_neuron", *columns)]
    merged = {name: np.concatenate([getattr(s, name) for s in stimuli]) for name in names}
    return Stimulus(n_neurons=sizes.pop(), **merged)


@final
class Course:
    """What changes the steady input of neurons during a run: the drive's modulation and the stimulus's currents."""

    def __init__(self, drive: Drive, stimulus: Stimulus | None, step_s: float) -> None:
        self._drive, self._step_s = drive, step_s
        self._stimulus = stimulus if stimulus is not None else Stimulus(n_neurons=drive.n_neurons)
        self._start = _steps(self._stimulus.current_start_s, step_s)
        self._stop = _steps(self._stimulus.current_stop_s, step_s)
        self._edges = np.unique(np.concatenate([self._start, self._stop]))

    @property
    def changes(self) -> bool:
        """Tell whether the steady input changes at all."""
        return self._drive.modulation is not None or self._edges.size > 0

    def mean_v(self, step: int) -> Float64[ndarray, " neurons"]:
        """Return each neuron's steady input at a step, in volts of depolarisation."""
        on = (self._start <= step) & (step < self._stop)
        given = self._stimulus
        level_v = np.bincount(given.current_neuron[on], weights=given.current_v[on], minlength=given.n_neurons)
        return self._drive.mean_at_v((step + 0.5) * self._step_s) + level_v

    def next_change(self, step: int) -> int:
        """Return the first step after ``step`` from which the steady input may differ; the largest integer if none."""
        at = int(np.searchsorted(self._edges, step, side="right"))
        change = int(self._edges[at]) if at < self._edges.size else np.iinfo(np.int64).max
        if self._drive.modulation is None:
            return change
        bin_steps = self._drive.modulation.bin_s / self._step_s
        bin_ = math.floor((step + 0.5) / bin_steps)
        return min(change, max(step + 1, math.ceil((bin_ + 1) * bin_steps - 0.5)))


def tables_of(
    stimulus: Stimulus, mine: Int64[ndarray, " neurons"], model: NeuronModel, step_s: float
) -> StimulusTables:
    """Return the kicks, forced and muted spikes of one group of neurons, sorted by step."""
    place = np.full(stimulus.n_neurons, -1, dtype=np.int64)
    place[mine] = np.arange(mine.size)
    kick = _table(place, stimulus.kick_neuron, _steps(stimulus.kick_s, step_s), stimulus.kick_v)
    forced = _table(place, stimulus.forced_neuron, _steps(stimulus.forced_s, step_s), stimulus.forced_s)
    once = np.unique(np.column_stack([forced[0], forced[1]]), axis=0)  # two spikes in one step are one
    inside = place[stimulus.muted_neuron] >= 0
    muted = place[stimulus.muted_neuron[inside]]
    order = np.argsort(muted, kind="stable")
    return StimulusTables(
        *kick,
        forced_step=once[:, 0].copy(),
        forced_place=once[:, 1].astype(np.int32),
        muted_first=np.searchsorted(muted[order], np.arange(mine.size + 1)),
        muted_start=_steps(stimulus.muted_start_s[inside], step_s)[order],
        muted_stop=_steps(stimulus.muted_stop_s[inside], step_s)[order],
        reset_v=model.reset_v if isinstance(model, Lif) else math.nan,
        hold=steps_of(model.refractory_s, step_s) if isinstance(model, Lif) else 0,
        has_spikes=bool(once.size or muted.size),
    )


def _steps(time_s: Float64[ndarray, " events"], step_s: float) -> Int64[ndarray, " events"]:
    """Return the step in which each time lies; a time on the grid begins its step, whatever its last digit."""
    return np.floor(np.minimum(time_s / step_s, 2.0**62) + 1e-6).astype(np.int64)


def _table(
    place: ndarray, neuron: ndarray, step: ndarray, value: ndarray
) -> tuple[Int64[ndarray, " events"], Int64[ndarray, " events"], Float64[ndarray, " events"]]:
    """Return (step, place in the group, value) of the group's own events, by step, then place."""
    own = place[neuron] >= 0
    at, step, value = place[neuron[own]], step[own], value[own]
    order = np.lexsort((at, step))
    return step[order], at[order], value[order]


def indices_of(labels: Sequence[str], known: Sequence[str]) -> Int32[ndarray, " neurons"]:
    """Return where labels are among the known ones; an unknown one is refused."""
    index = {label: i for i, label in enumerate(known)}
    missing = [label for label in labels if label not in index]
    if missing:
        raise RunError(
            f"There is no neuron {missing[0]!r} in the network (its neurons: {', '.join(known[:5])} …, {len(known)} in "
            "all). Use its labels."
        )
    return np.array([index[label] for label in labels], dtype=np.int32)
