"""SONATA spike reports in HDF5: read from any simulator, and written with what SpikeTrains adds.

Layout (SONATA developer guide, 'Spike file'): /spikes/<population>/timestamps in ms and node_ids, sorted
as the attribute ``sorting`` says.  Our group /neurograft keeps epochs, labels, provenance, and the times
in seconds where milliseconds would round them.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy import ndarray

from neurograft.errors import SpikeError, did_you_mean
from neurograft.files import written_whole
from neurograft.provenance import Provenance, provenance_from_json
from neurograft.recordings._hdf5_files import read_whole
from neurograft.spikes._read import Read
from neurograft.spikes._trains import SpikeTrains, spike_trains
from neurograft.units import MS

FORMAT_VERSION = 1
POPULATION = "neurons"
_MAGIC = 0x0A7A
_SORTING = {"none": 0, "by_id": 1, "by_time": 2}
_TO_S = {"ms": MS, "s": 1.0}
_MAX_NODES = 1 << 27
_OVERHEAD = 1 << 16  # bytes of groups, attributes and headers


def save_spikes(trains: SpikeTrains, path: Path | str, *, population: str = POPULATION) -> None:
    """Write a SONATA spike report, whole or not at all; ``open_spikes`` gives the same trains back, exactly."""
    if not population or "/" in population:
        raise SpikeError(f"The population name {population!r} cannot be a group of an HDF5 file. Give a plain name.")
    text = json.dumps(trains.labels, ensure_ascii=False).encode()
    told = "" if trains.provenance is None else trains.provenance.to_json()
    n_bytes = 24 * len(trains.time_s) + trains.epochs_s.nbytes + len(text) + 2 * len(told) + _OVERHEAD
    with written_whole(path, n_bytes=n_bytes) as part, h5py.File(part, "w") as file:
        file.attrs["magic"] = np.uint32(_MAGIC)
        file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
        group: Any = file.create_group(f"spikes/{population}")
        group.attrs.create("sorting", _SORTING["by_time"], dtype=h5py.enum_dtype(_SORTING, basetype="u1"))
        times_ms = trains.time_s / MS
        group.create_dataset("timestamps", data=times_ms).attrs["units"] = "ms"
        group.create_dataset("node_ids", data=trains.neuron.astype(np.uint64))
        ours: Any = file.create_group("neurograft")
        ours.attrs["format_version"] = FORMAT_VERSION
        ours.attrs["population"] = population
        ours.attrs["n_neurons"] = trains.n_neurons
        if trains.provenance is not None:
            ours.attrs["provenance"] = told
        ours.create_dataset("epochs_s", data=trains.epochs_s)
        # JSON in bytes: its size is known before it is read, unlike that of HDF5's own texts
        ours.create_dataset("labels", data=np.frombuffer(text, dtype=np.uint8))
        if not np.array_equal(times_ms * MS, trains.time_s):
            ours.create_dataset("time_s", data=trains.time_s)


def read_sonata(path: Path, *, part: str | None) -> SpikeTrains | Read:
    """Return our own report's trains, or what another program's report holds."""
    try:
        with h5py.File(path, "r") as file:
            root: Any = file["spikes"]
            populations = [name for name in root if isinstance(root[name], h5py.Group)]
            if not populations and "timestamps" in root:  # before populations were introduced
                return _foreign(path, root)
            if part is not None and part not in populations:
                raise SpikeError(f"{path} has no population {part!r}. {did_you_mean(part, populations)}")
            if part is None and len(populations) != 1:
                raise SpikeError(f"{path} has the populations {populations}. Choose one with SpikeOptions(part=…).")
            name = part or populations[0]
            ours: Any = file.get("neurograft")
            if ours is not None and ours.attrs.get("population") == name:
                return _ours(path, root[name], ours)
            return _foreign(path, root[name])
    except (OSError, KeyError) as problem:
        raise SpikeError(f"{path} is not a whole spike report: {problem}. Copy it again.") from problem


def _ours(path: Path, group: Any, ours: Any) -> SpikeTrains:
    version = int(ours.attrs["format_version"])
    if version > FORMAT_VERSION:
        raise SpikeError(
            f"{path} has format_version {version}; this neurograft reads up to {FORMAT_VERSION}. Update neurograft."
        )
    n, labels = int(ours.attrs["n_neurons"]), _labels(path, ours)
    if n != len(labels):
        raise SpikeError(f"{path} tells {n} neurons and {len(labels)} labels. The file is damaged; write it again.")
    times_s = _values(path, ours, "time_s") if "time_s" in ours else _values(path, group, "timestamps") * MS
    provenance: Provenance | None = None
    if "provenance" in ours.attrs:
        provenance = provenance_from_json(str(ours.attrs["provenance"]))
    return spike_trains(
        time_s=np.asarray(times_s, dtype=np.float64),
        neuron=_node_ids(path, group),
        n_neurons=n,
        epochs_s=_values(path, ours, "epochs_s").astype(np.float64).reshape(-1, 2),
        labels=labels,
        provenance=provenance,
    )


def _foreign(path: Path, group: Any) -> Read:
    """Return another program's report: node ids are the neurons, so silent ones up to the largest id are kept."""
    unit = group["timestamps"].attrs.get("units", "ms")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    if unit not in _TO_S:
        raise SpikeError(f"{path}: timestamps are in {unit!r}. {did_you_mean(unit, _TO_S)}")
    ids = _node_ids(path, group)
    n = int(ids.max(initial=-1)) + 1
    if n > 1_000_000 + 1000 * ids.size:
        raise SpikeError(f"{path}: the largest node id is {n - 1} with {ids.size} spikes. Renumber the nodes from 0.")
    times = _values(path, group, "timestamps").astype(np.float64) * _TO_S[unit]
    return Read(times, ids, known=np.arange(n), notes=(f"silent neurons above node {n - 1} are not in a spike report",))


def _values(path: Path, group: Any, name: str) -> ndarray:
    return read_whole(group[name], path=path, error=SpikeError)


def _labels(path: Path, ours: Any) -> list[str]:
    try:
        labels: Any = json.loads(_values(path, ours, "labels").tobytes())
    except ValueError as problem:
        raise SpikeError(f"{path}: its labels are damaged: {problem}. Write it again.") from problem
    return [str(x) for x in labels]


def _node_ids(path: Path, group: Any) -> ndarray:
    ids = _values(path, group, "node_ids")
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 0 or ids.max() >= _MAX_NODES)):
        raise SpikeError(
            f"{path}: node_ids are {ids.dtype} up to {ids.max(initial=0)}. Give whole numbers below {_MAX_NODES}."
        )
    return ids.astype(np.int64)
