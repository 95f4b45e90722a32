"""Sortings that SpikeInterface saved: folders, Zarr stores, analyzers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from neurograft.errors import RecordingError, SpikeError
from neurograft.recordings._pickles import require_no_pickle
from neurograft.recordings._spikeinterface import load_saved
from neurograft.spikes._numpy import joined_segments
from neurograft.spikes._read import Read


def read_sorting(path: Path) -> Read:
    """Return the spikes of a saved sorting."""
    require_no_pickle(path, error=SpikeError)
    try:
        sorting = load_saved(path)
    except RecordingError as problem:
        raise SpikeError(str(problem)) from problem
    if not hasattr(sorting, "get_unit_spike_train"):
        raise SpikeError(f"{path} holds a {type(sorting).__name__}, not a sorting.")
    return from_sorting(sorting)


def from_sorting(sorting: Any) -> Read:
    """Return the spikes of a SpikeInterface sorting; silent units stay, segments follow one another."""
    units = list(sorting.get_unit_ids())
    frames: list[ndarray] = []
    ids: list[ndarray] = []
    for segment in range(sorting.get_num_segments()):
        of_unit = [np.asarray(sorting.get_unit_spike_train(unit, segment_index=segment)) for unit in units]
        frames.append(np.concatenate([np.empty(0, np.int64), *of_unit]).astype(np.int64))
        ids.append(np.repeat(np.arange(len(units)), [f.size for f in of_unit]))
    time_s, epochs_s = joined_segments(frames, float(sorting.get_sampling_frequency()))
    return Read(
        time_s, np.concatenate(ids), known=np.arange(len(units)), epochs_s=epochs_s, labels=[str(u) for u in units]
    )
