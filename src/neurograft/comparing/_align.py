"""Bringing activities to the same neurons and the same observed time, so that they can be compared."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from neurograft.errors import CompareError
from neurograft.spikes import SpikeTrains, spike_trains

_N_NAMED = 5  # labels named in a message


def common_labels(original: SpikeTrains, other: SpikeTrains, *, name: str, is_partial_allowed: bool) -> tuple[str, ...]:
    """Return the labels that both have, in the original's order; refuse different neurons unless allowed."""
    theirs = set(other.labels)
    shared = tuple(label for label in original.labels if label in theirs)
    if not shared:
        raise CompareError(
            f"The original's neurons ({_few(original.labels)}) and those of {name} ({_few(other.labels)}) have no "
            "label in common. Give both the same labels."
        )
    if not is_partial_allowed and (len(shared) < original.n_neurons or len(shared) < other.n_neurons):
        missing = [label for label in original.labels if label not in theirs]
        added = [label for label in other.labels if label not in set(original.labels)]
        raise CompareError(
            f"The original has {original.n_neurons} neurons and {name} has {other.n_neurons}; {len(shared)} labels are "
            f"in both (missing: {_few(missing)}; added: {_few(added)}). "
            "Give the same neurons, or allow a comparison of the common ones (is_partial_allowed)."
        )
    return shared


def with_neurons(trains: SpikeTrains, labels: Sequence[str]) -> SpikeTrains:
    """Return the activity of the neurons named, renumbered in that order."""
    if tuple(labels) == trains.labels:
        return trains
    new = np.full(trains.n_neurons, -1, dtype=np.int64)
    where = {label: i for i, label in enumerate(trains.labels)}
    new[[where[label] for label in labels]] = np.arange(len(labels))
    neuron = new[trains.neuron]
    keep = neuron >= 0
    return spike_trains(
        time_s=trains.time_s[keep],
        neuron=neuron[keep],
        n_neurons=len(labels),
        epochs_s=trains.epochs_s,
        labels=tuple(labels),
        provenance=trains.provenance,
    )


def first_part(trains: SpikeTrains, duration_s: float) -> SpikeTrains:
    """Return the first ``duration_s`` of the observed time."""
    length_s = trains.epochs_s[:, 1] - trains.epochs_s[:, 0]
    before_s = np.concatenate([[0.0], np.cumsum(length_s)])
    if duration_s >= before_s[-1]:
        return trains
    epoch = int(np.searchsorted(before_s, duration_s, side="left")) - 1
    return trains.between(float(trains.epochs_s[0, 0]), float(trains.epochs_s[epoch, 0] + duration_s - before_s[epoch]))


def halves(trains: SpikeTrains, *, min_block_s: float) -> tuple[SpikeTrains, SpikeTrains]:
    """Return two halves of alternating blocks (ten, or fewer where they would be shorter than ``min_block_s``).

    Blocks alternate so that slow drift falls on both halves alike.
    """
    n_blocks = max(2, min(10, 2 * int(trains.duration_s / min_block_s / 2)))
    edges_s = np.linspace(0.0, trains.duration_s, n_blocks + 1)
    pieces: list[tuple[float, float]] = []
    block: list[int] = []
    seen_s = 0.0
    for start_s, stop_s in trains.epochs_s:
        inner_s = edges_s[(edges_s > seen_s) & (edges_s < seen_s + stop_s - start_s)]
        cuts_s = [float(start_s), *(start_s + inner_s - seen_s).tolist(), float(stop_s)]
        first = int(np.searchsorted(edges_s, seen_s, side="right")) - 1
        for i, (a, b) in enumerate(pairwise(cuts_s)):
            if b > a:
                pieces.append((a, b))
                block.append(first + i)
        seen_s += stop_s - start_s
    of_half = np.array(block) % 2
    starts = np.array(pieces)[:, 0]
    half_of_spike = of_half[np.searchsorted(starts, trains.time_s, side="right") - 1]
    both = [_part(trains, half_of_spike == h, np.array(pieces)[of_half == h]) for h in (0, 1)]
    return both[0], both[1]


def _part(trains: SpikeTrains, keep: ndarray, epochs_s: Float64[ndarray, "epochs 2"]) -> SpikeTrains:
    return SpikeTrains(
        n_neurons=trains.n_neurons,
        time_s=trains.time_s[keep],
        neuron=trains.neuron[keep],
        epochs_s=epochs_s,
        labels=trains.labels,
        provenance=trains.provenance,
    )


def epoch_of(trains: SpikeTrains) -> Int64[ndarray, " spikes"]:
    """Return the epoch that each spike lies in."""
    return np.searchsorted(trains.epochs_s[:, 0], trains.time_s, side="right") - 1


def binned(trains: SpikeTrains, bin_s: float) -> tuple[Int64[ndarray, " spikes"], Int64[ndarray, " epochs"]]:
    """Return each spike's bin (-1 in an epoch's last, incomplete bin) and each epoch's number of whole bins.

    Bins are counted through the epochs, so that no bin spans a gap.
    """
    length_s = trains.epochs_s[:, 1] - trains.epochs_s[:, 0]
    n_bins = np.floor(length_s / bin_s * (1 + 1e-12) + 1e-9).astype(np.int64)
    epoch = epoch_of(trains)
    inside = np.floor((trains.time_s - trains.epochs_s[epoch, 0]) / bin_s).astype(np.int64)
    before = np.concatenate([[0], np.cumsum(n_bins)[:-1]])
    return np.where(inside < n_bins[epoch], inside + before[epoch], -1), n_bins


def _few(labels: Sequence[str]) -> str:
    if not labels:
        return "none"
    more = f" and {len(labels) - _N_NAMED} more" if len(labels) > _N_NAMED else ""
    return ", ".join(labels[:_N_NAMED]) + more
