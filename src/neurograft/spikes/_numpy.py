"""Spikes in NumPy archives, loaded without unpickling.

- ours: ``time_s``, ``neuron`` (0 to n - 1); if wanted ``n_neurons`` or ``labels``, and ``epochs_s``;
- CellExplorer's cut: ``time_s``, ``unit``, and arrays of one entry a unit (``firing_rate_hz``, …);
- spycon's: ``times``, ``ids``, and ``nodes``, the ids of all neurons;
- SpikeInterface's NPZ sorting: ``unit_ids``, ``sampling_frequency``, ``num_segment``, ``spike_indexes_seg0``, ….
"""

from pathlib import Path

import numpy as np
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings._lazy import GAP_S
from neurograft.recordings._numpy_files import load_npz, npz_names
from neurograft.spikes._read import Read

_PER_UNIT = ("firing_rate_hz", "putative_cell_type", "brain_region")


def read_npz(path: Path) -> Read:
    """Return the spikes of an archive in one of the four layouts."""
    names = npz_names(path, error=SpikeError)
    if {"time_s", "neuron"} <= names:
        return _ours(path)
    if {"time_s", "unit"} <= names:
        return _units(path)
    if {"times", "ids"} <= names:
        held = load_npz(path, ("times", "ids", "nodes"), error=SpikeError)
        return Read(held["times"], _whole(path, held["ids"], "ids"), known=held.get("nodes"), is_unit_told=False)
    if {"unit_ids", "sampling_frequency", "num_segment"} <= names:
        return _sorting(path, names)
    raise SpikeError(
        f"{path} holds {sorted(names)}. Spikes need time_s and neuron (or unit); or times and ids; "
        "or a SpikeInterface sorting."
    )


def _ours(path: Path) -> Read:
    held = load_npz(path, ("time_s", "neuron", "n_neurons", "labels", "epochs_s"), error=SpikeError)
    neuron, labels, n = _whole(path, held["neuron"], "neuron"), held.get("labels"), held.get("n_neurons")
    if n is None:
        n = len(labels) if labels is not None else int(neuron.max(initial=-1)) + 1
    elif n.size != 1 or n.dtype.kind not in "iu":
        raise SpikeError(f"{path}: n_neurons is {n}. Give one whole number.")
    if labels is not None and labels.shape != (int(n),):
        raise SpikeError(f"{path}: labels has shape {labels.shape}, for {int(n)} neurons. Give one each.")
    known = _numbered(path, int(n), n_spikes=neuron.size, told=labels is not None)
    texts = None if labels is None else [str(x) for x in labels]
    return Read(held["time_s"], neuron, known=known, epochs_s=_epochs(path, held), labels=texts)


def _units(path: Path) -> Read:
    held = load_npz(path, ("time_s", "unit", "epochs_s", *_PER_UNIT), error=SpikeError)
    unit = _whole(path, held["unit"], "unit")
    sizes = [len(held[name]) for name in _PER_UNIT if name in held]
    n = sizes[0] if sizes else int(unit.max(initial=-1)) + 1
    return Read(
        held["time_s"],
        unit,
        known=_numbered(path, n, n_spikes=unit.size, told=bool(sizes)),
        epochs_s=_epochs(path, held),
    )


def _sorting(path: Path, names: frozenset[str]) -> Read:
    told = load_npz(path, ("unit_ids", "sampling_frequency", "num_segment"), error=SpikeError)
    rate_hz, n_segments = float(told["sampling_frequency"].ravel()[0]), int(told["num_segment"].ravel()[0])
    needed = {
        f"{kind}_seg{k}" for kind in ("spike_indexes", "spike_labels") for k in range(min(n_segments, len(names)))
    }
    if not 0 < n_segments <= len(names) or not needed <= names or not rate_hz > 0:
        raise SpikeError(f"{path}: {n_segments} segments at {rate_hz} Hz are told, but it lacks some. Save it again.")
    held = load_npz(path, needed, error=SpikeError)
    frames = [held[f"spike_indexes_seg{k}"] for k in range(n_segments)]
    ids = np.concatenate([held[f"spike_labels_seg{k}"] for k in range(n_segments)])
    time_s, epochs_s = joined_segments(frames, rate_hz)
    return Read(time_s, ids, known=told["unit_ids"], epochs_s=epochs_s)


def joined_segments(frames: list[ndarray], rate_hz: float) -> tuple[ndarray, ndarray | None]:
    """Return times, and epochs where there are several segments: one after the other, a second apart.

    A sorting does not tell how long its segments are: each ends with its last spike.
    """
    if len(frames) == 1:
        return frames[0] / rate_hz, None
    length_s = np.array([(f.max(initial=0) + 1) / rate_hz for f in frames], dtype=np.float64)
    start_s = np.cumsum([0.0, *(length_s[:-1] + GAP_S)])
    times = [
        np.minimum(f / rate_hz + s, np.nextafter(s + d, 0)) for f, s, d in zip(frames, start_s, length_s, strict=True)
    ]
    return np.concatenate(times), np.column_stack([start_s, start_s + length_s])


def _whole(path: Path, ids: ndarray, name: str) -> ndarray:
    if ids.dtype.kind not in "iu" or ids.ndim != 1:
        raise SpikeError(f"{path}: {name} is {ids.dtype} of shape {ids.shape}. Give a list of whole numbers.")
    return ids.astype(np.int64)


def _numbered(path: Path, n: int, *, n_spikes: int, told: bool) -> ndarray:
    """Return 0 to n - 1; without a list of neurons a number far above the spikes' is refused as a mistake."""
    if n < 0 or (not told and n > 1_000_000 + 1000 * n_spikes):
        raise SpikeError(f"{path} asks for {n} neurons with {n_spikes} spikes. Correct the neuron numbers.")
    return np.arange(n, dtype=np.int64)


def _epochs(path: Path, held: dict[str, ndarray]) -> ndarray | None:
    epochs_s = held.get("epochs_s")
    if epochs_s is None:
        return None
    if epochs_s.dtype.kind not in "iuf" or epochs_s.ndim != 2 or epochs_s.shape[1] != 2:
        raise SpikeError(
            f"{path}: epochs_s is {epochs_s.dtype} of shape {epochs_s.shape}. Give rows of start and stop."
        )
    return epochs_s.astype(np.float64)
