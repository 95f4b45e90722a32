"""NWB units tables, with h5py alone: spike times, and the intervals in which each unit was observed."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings._hdf5_files import read_whole
from neurograft.spikes._read import Read


def read_nwb_units(path: Path) -> Read:
    """Return the spikes of /units.  Where units were observed at different times, only common time counts.

    Spikes outside the common time are left out, and the notes say how many.
    """
    try:
        with h5py.File(path, "r") as file:
            units: Any = file.get("units")
            if units is None or "spike_times" not in units:
                raise SpikeError(f"{path} has no units with spike times. Check that it is the file you mean.")
            ids = _column(path, units, "id").astype(np.int64)
            times = _column(path, units, "spike_times").astype(np.float64)
            ends = _ends(path, units, "spike_times", n_units=ids.size, n_values=times.size)
            observed = None
            if "obs_intervals" in units:
                intervals = _column(path, units, "obs_intervals").astype(np.float64).reshape(-1, 2)
                stops = _ends(path, units, "obs_intervals", n_units=ids.size, n_values=len(intervals))
                observed = [a for a in np.split(intervals, stops[:-1]) if len(a)]
    except (OSError, KeyError) as problem:
        raise SpikeError(f"{path} is not a whole NWB file: {problem}. Copy it again.") from problem
    of_spike = np.repeat(ids, np.diff([0, *ends]))
    if not observed:
        return Read(times, of_spike, known=ids)
    epochs_s = _common(path, observed)
    epochs_s[:, 1] = np.nextafter(epochs_s[:, 1], np.inf)  # NWB's intervals hold their end, ours do not
    inside = (np.searchsorted(epochs_s.ravel(), times, side="right") % 2).astype(bool) | ~np.isfinite(times)
    left_out = int(np.count_nonzero(~inside))
    notes = (f"{left_out} spikes outside the time in which all units were observed are left out",) if left_out else ()
    return Read(times[inside], of_spike[inside], known=ids, epochs_s=epochs_s, notes=notes)


def _column(path: Path, units: Any, name: str) -> ndarray:
    return read_whole(units[name], path=path, error=SpikeError)


def _ends(path: Path, units: Any, name: str, *, n_units: int, n_values: int) -> ndarray:
    """Return where each unit's values end, checked."""
    ends = _column(path, units, f"{name}_index").astype(np.int64)
    if ends.size != n_units or np.any(np.diff(ends, prepend=0) < 0) or (ends.size and ends[-1] != n_values):
        raise SpikeError(
            f"{path}: units/{name}_index has {ends.size} entries up to {ends.max(initial=0)}, "
            f"for {n_units} units and {n_values} values. The file is damaged."
        )
    return ends


def _common(path: Path, observed: list[ndarray]) -> ndarray:
    """Return the intervals in which all units were observed, joined where they touch."""
    edges_s = np.unique(np.concatenate([a.ravel() for a in observed]))
    middle_s = 0.5 * (edges_s[1:] + edges_s[:-1])
    distinct = {a.tobytes(): a for a in observed}.values()
    seen = np.ones(middle_s.size, dtype=bool)
    for intervals in distinct:
        seen &= np.any((intervals[:, :1] <= middle_s) & (middle_s <= intervals[:, 1:]), axis=0)
    if not seen.any():
        raise SpikeError(f"{path}: there is no time in which all units were observed. Choose units recorded together.")
    first = np.flatnonzero(seen & ~np.concatenate([[False], seen[:-1]]))
    last = np.flatnonzero(seen & ~np.concatenate([seen[1:], [False]]))
    return np.column_stack([edges_s[first], edges_s[last + 1]])
