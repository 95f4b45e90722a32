"""Spike trains of many neurons: the one form in which spikes travel between rooms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray

from neurograft.arrays import frozen, require_finite, require_ids
from neurograft.errors import SpikeError
from neurograft.provenance import Provenance


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeTrains:
    """Spikes sorted by time, then by neuron, seen during the epochs.

    Epochs are the intervals in which a spike would have been seen: one for a plain recording, one per
    sweep for sweeps, with time between them that belongs to no epoch.  Neurons are 0 to n_neurons - 1;
    ``labels`` keep the names that they had in their file.  Build one with ``spike_trains``.
    """

    n_neurons: int
    time_s: Float64[ndarray, " spikes"]
    neuron: Int32[ndarray, " spikes"]
    epochs_s: Float64[ndarray, "epochs 2"]
    labels: tuple[str, ...]
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        """Refuse what breaks an invariant, naming the first place."""
        if len(self.labels) != self.n_neurons:
            raise SpikeError(
                f"labels has {len(self.labels)} entries, but there are {self.n_neurons} neurons. Give one a neuron."
            )
        if len(set(self.labels)) != self.n_neurons:
            raise SpikeError(f"The neuron label {_first_twice(self.labels)!r} is given twice. Make labels unique.")
        if self.time_s.shape != self.neuron.shape:
            raise SpikeError(
                f"time_s has {self.time_s.size} entries and neuron {self.neuron.size}. Give one neuron a spike."
            )
        require_finite(self.time_s, name="time_s", error=SpikeError, remedy="Remove these spikes.")
        require_ids(self.neuron, n=self.n_neurons, name="neuron", things="neurons", error=SpikeError)
        _require_epochs(self.epochs_s)
        if np.any(np.diff(self.time_s) < 0):
            first = int(np.flatnonzero(np.diff(self.time_s) < 0)[0]) + 1
            raise SpikeError(f"time_s[{first}] is before time_s[{first - 1}]. Build with spike_trains(), which sorts.")
        outside = np.flatnonzero(~_inside(self.time_s, self.epochs_s))
        if outside.size:
            first = int(outside[0])
            raise SpikeError(
                f"time_s[{first}] is {self.time_s[first]} s, outside every epoch "
                f"({self.epochs_s[0, 0]} to {self.epochs_s[-1, 1]} s overall). Widen the epochs or remove the spike."
            )
        for name in ("time_s", "neuron", "epochs_s"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def n_spikes(self) -> int:
        """Number of spikes of all neurons."""
        return self.time_s.size

    @property
    def duration_s(self) -> float:
        """Time during which spikes would have been seen: the epochs' lengths added."""
        return float(np.sum(self.epochs_s[:, 1] - self.epochs_s[:, 0]))

    def counts(self) -> Int64[ndarray, " neurons"]:
        """Return each neuron's number of spikes."""
        return np.bincount(self.neuron, minlength=self.n_neurons)

    def rates_hz(self) -> Float64[ndarray, " neurons"]:
        """Return each neuron's spikes divided by the observed time."""
        return self.counts() / self.duration_s

    def by_neuron(self) -> list[Float64[ndarray, " spikes_of_one"]]:
        """Return one sorted array of times for every neuron, empty where it is silent."""
        order = np.argsort(self.neuron, kind="stable")
        return np.split(self.time_s[order], np.cumsum(self.counts())[:-1])

    def between(self, start_s: float, stop_s: float) -> "SpikeTrains":
        """Return the part with ``start_s <= time < stop_s``; all neurons stay, also those then silent."""
        epochs_s = np.clip(self.epochs_s, start_s, stop_s)
        keep = (self.time_s >= start_s) & (self.time_s < stop_s)
        return SpikeTrains(
            n_neurons=self.n_neurons,
            time_s=self.time_s[keep],
            neuron=self.neuron[keep],
            epochs_s=epochs_s[epochs_s[:, 1] > epochs_s[:, 0]],
            labels=self.labels,
            provenance=self.provenance,
        )


def spike_trains(
    *,
    time_s: Float64[ndarray, " spikes"],
    neuron: Int32[ndarray, " spikes"] | Int64[ndarray, " spikes"],
    n_neurons: int | None = None,
    epochs_s: Float64[ndarray, "epochs 2"] | None = None,
    labels: Sequence[str] | None = None,
    provenance: Provenance | None = None,
) -> SpikeTrains:
    """Return spike trains from spikes in any order.

    Without ``n_neurons`` there are as many as labels, else as the largest index needs.  Without epochs
    the observed time runs from 0, or from the first spike where that is earlier, to just after the last
    spike: rates of slow neurons are then too high, so give the epochs where they are known.
    """
    require_finite(time_s, name="time_s", error=SpikeError, remedy="Remove these spikes.")
    if n_neurons is None:
        n_neurons = len(labels) if labels is not None else int(neuron.max(initial=-1)) + 1
    require_ids(neuron, n=n_neurons, name="neuron", things="neurons", error=SpikeError)
    order = np.lexsort((neuron, time_s))
    if epochs_s is None:
        if time_s.size == 0:
            raise SpikeError("There is no spike, so the observed time is unknown. Give epochs_s.")
        last_s = float(time_s[order[-1]])
        epochs_s = np.array([[min(0.0, float(time_s[order[0]])), np.nextafter(last_s, np.inf)]])
    return SpikeTrains(
        n_neurons=n_neurons,
        time_s=np.ascontiguousarray(time_s[order], dtype=np.float64),
        neuron=np.ascontiguousarray(neuron[order], dtype=np.int32),
        epochs_s=np.array(epochs_s, dtype=np.float64),
        labels=tuple(labels) if labels is not None else tuple(str(i) for i in range(n_neurons)),
        provenance=provenance,
    )


def _require_epochs(epochs_s: Float64[ndarray, "epochs 2"]) -> None:
    if epochs_s.ndim != 2 or epochs_s.shape[1] != 2 or epochs_s.shape[0] == 0:
        raise SpikeError(f"epochs_s has shape {epochs_s.shape}. Give one row (start, stop) an epoch, at least one.")
    require_finite(epochs_s, name="epochs_s", error=SpikeError, remedy="Give finite starts and stops.")
    flat = epochs_s.ravel()
    empty = np.flatnonzero(epochs_s[:, 1] <= epochs_s[:, 0])
    if empty.size:
        first = int(empty[0])
        raise SpikeError(f"Epoch {first} runs from {flat[2 * first]} to {flat[2 * first + 1]} s. Give stop > start.")
    if np.any(flat[2::2] < flat[1:-1:2]):
        first = int(np.flatnonzero(flat[2::2] < flat[1:-1:2])[0])
        raise SpikeError(f"Epoch {first + 1} starts before epoch {first} ends. Sort epochs; they may not overlap.")


def _inside(time_s: Float64[ndarray, " spikes"], epochs_s: Float64[ndarray, "epochs 2"]) -> ndarray:
    """Tell for each time whether an epoch holds it (start <= time < stop)."""
    epoch = np.searchsorted(epochs_s[:, 0], time_s, side="right") - 1
    return (epoch >= 0) & (time_s < epochs_s[np.maximum(epoch, 0), 1])


def _first_twice(labels: tuple[str, ...]) -> str:
    seen: set[str] = set()
    return next(label for label in labels if label in seen or seen.add(label))
