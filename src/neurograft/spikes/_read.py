"""From what a file holds to ``SpikeTrains``: ids to neurons, epochs, and how the file was read."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.provenance import Provenance, fingerprint
from neurograft.spikes._options import SpikeOptions
from neurograft.spikes._trains import SpikeTrains, spike_trains

NOTES = "notes"  # key of the provenance under which a reader says what it chose


class Read(NamedTuple):
    """What a reader found.  ``ids`` names the neuron of each spike; ``known`` all neurons, also silent ones."""

    time_s: ndarray
    ids: ndarray
    known: ndarray | None = None  # None: those that fire
    epochs_s: Float64[ndarray, "epochs 2"] | None = None
    labels: Sequence[str] | None = None  # of ``known``; None: the ids as text
    notes: tuple[str, ...] = ()
    is_unit_told: bool = True  # whether the file itself says what its times are


def trains_of(read: Read, *, path: Path, format_: str, files: Sequence[Path], options: SpikeOptions) -> SpikeTrains:
    """Return checked spike trains of what a reader found; ``files`` are those it read."""
    duration_s = options.duration_s
    if options.tick_s is not None:
        read = _scaled(path, read, options.tick_s)
    time_s = _times(path, read.time_s)
    if read.ids.shape != time_s.shape:
        raise SpikeError(f"{path} has {time_s.size} times and {read.ids.size} neuron ids. Give one id a spike.")
    known = np.unique(read.ids) if read.known is None else read.known
    neuron = _index(path, read.ids, known)
    epochs_s, notes = _epochs(path, read, time_s, duration_s)
    labels = [str(x) for x in known] if read.labels is None else list(read.labels)
    inputs = {file.name: fingerprint(file) for file in files}
    return spike_trains(
        time_s=time_s,
        neuron=neuron,
        n_neurons=len(known),
        epochs_s=epochs_s,
        labels=labels,
        provenance=Provenance(command="open_spikes", parameters={"format": format_, NOTES: list(notes)}, inputs=inputs),
    )


def _scaled(path: Path, read: Read, tick_s: float) -> Read:
    """Return the spikes with times in seconds, of a file that leaves its unit to the reader."""
    if read.is_unit_told:
        raise SpikeError(f"{path} tells what its times are. Leave the unit of time ({tick_s} s) out.")
    times = _times(path, read.time_s)
    return read._replace(
        time_s=times * tick_s, notes=(*read.notes, f"times are in units of {tick_s:g} s, as was asked")
    )


def _times(path: Path, time_s: ndarray) -> Float64[ndarray, " spikes"]:
    if time_s.dtype.kind not in "iuf" or time_s.ndim != 1:
        raise SpikeError(f"{path}: the spike times are {time_s.dtype} of shape {time_s.shape}. Give a list of seconds.")
    times = np.ascontiguousarray(time_s, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise SpikeError(
            f"{path}: the time of spike {bad[0]} is {times[bad[0]]}; {bad.size} of {times.size} are not finite. "
            "Remove these spikes."
        )
    return times


def _index(path: Path, ids: ndarray, known: ndarray) -> ndarray:
    """Return the place of each id among the known ones; duplicates among these and strangers are refused."""
    order = np.argsort(known, kind="stable")
    ranked = known[order]
    twice = np.flatnonzero(ranked[1:] == ranked[:-1])
    if twice.size:
        raise SpikeError(f"{path}: the neuron id {ranked[twice[0]]} is listed twice. Give every neuron its own id.")
    place = np.searchsorted(ranked, ids)
    stranger = np.flatnonzero(ranked[np.minimum(place, len(ranked) - 1)] != ids) if len(ranked) else np.arange(ids.size)
    if stranger.size:
        first = int(stranger[0])
        raise SpikeError(
            f"{path}: spike {first} belongs to neuron {ids[first]}, which is not among the {len(ranked)} listed. "
            "List every neuron, or remove the spike."
        )
    return order[place].astype(np.int32)


def _epochs(
    path: Path, read: Read, time_s: Float64[ndarray, " spikes"], duration_s: float | None
) -> tuple[Float64[ndarray, "epochs 2"] | None, tuple[str, ...]]:
    """Return the observed time: the file's, else the caller's, else up to the last spike, which is noted."""
    if duration_s is not None:
        if read.epochs_s is not None:
            raise SpikeError(f"{path} tells its observed time. Leave duration_s ({duration_s} s) out.")
        if not (np.isfinite(duration_s) and duration_s > 0):
            raise SpikeError(f"duration_s is {duration_s}. Give the seconds during which spikes were looked for.")
        return np.array([[0.0, duration_s]]), read.notes
    if read.epochs_s is not None:
        return read.epochs_s, read.notes
    if time_s.size == 0:
        raise SpikeError(
            f"{path} has no spike and does not tell how long was recorded. Give duration_s, or another file."
        )
    return None, (*read.notes, "the file does not tell the observed time: it ends here with the last spike")
