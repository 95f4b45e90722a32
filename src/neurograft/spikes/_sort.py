"""Sorting an extracellular recording with one of SpikeInterface's sorters: their job, our call.

Only sorters that install from the package index and run on a CPU are offered; ``electrodes`` takes every
electrode for a unit, in less time than the recording took.
"""

import contextlib
import io
import re
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np

from neurograft.errors import MissingExtraError, SpikeError, did_you_mean
from neurograft.progress import Progress, silent
from neurograft.provenance import Provenance
from neurograft.recordings import Recording, Signal, epochs_s, n_channels
from neurograft.spikes._counts import counts_of
from neurograft.spikes._peaks import detect_peaks
from neurograft.spikes._trains import SpikeTrains, spike_trains
from neurograft.units import UV

ELECTRODES: Final = "electrodes"
USUAL_SORTER: Final = "tridesclous2"
_COPY_SAMPLES: Final = 1 << 24


class _Known(NamedTuple):
    module: str  # without which it cannot run
    accuracy: str  # mean over units; synthetic recordings of SpikeInterface, 60 s, one run each, 2 cores


# Measured with SpikeInterface 0.105.3, November 2026: 64 channels with 16 units, 256 with 60.
_SORTERS: Final = {
    "tridesclous2": _Known("hdbscan", "0.94 on 64 channels, 0.97 on 256"),
    "spykingcircus2": _Known("hdbscan", "0.94 on 64 channels"),
    "simple": _Known("sklearn", "0.87 on 64 channels, 0.61 on 256"),
    "mountainsort5": _Known("mountainsort5", "0.81 on 64 channels"),
}
SORTERS: Final = (*_SORTERS, ELECTRODES)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Units, and what a user has to know of how they were made."""

    trains: SpikeTrains
    sorter: str
    version: str
    lines: tuple[str, ...]


def sort_spikes(recording: Recording, *, sorter: str = USUAL_SORTER, progress: Progress = silent) -> Sorted:
    """Return the units that a sorter finds in an extracellular recording.

    ``sorter`` is one of ``SORTERS``.  Sorters work in a temporary folder that is removed; the provenance of the
    trains names the sorter, its version and SpikeInterface's.
    """
    require_sorter(sorter)
    if recording.signal is not Signal.EXTRACELLULAR_V:
        raise SpikeError(
            f"The recording holds '{recording.signal.value}', and sorting is for extracellular potentials. "
            "Copy it as it is, or say what the signal is when opening it."
        )
    if sorter == ELECTRODES:
        return _by_electrode(recording, progress)
    if not np.isfinite(recording.position_um).all():
        raise SpikeError(
            "Sorters need the place of every electrode, and the recording does not tell it. "
            f"Give the distance of electrodes when opening it, or sort by {ELECTRODES!r}."
        )
    progress(f"sorting with {sorter}", 0, 1)
    found, version = _run(recording, sorter)
    trains = _trains(recording, found, sorter, version)
    progress(f"sorting with {sorter}", 1, 1)
    told = (
        f"sorted by {sorter} {version}: {trains.n_neurons} units, {trains.n_spikes} spikes on {n_channels(recording)} "
        f"channels; its mean accuracy on synthetic recordings with known units: {_SORTERS[sorter].accuracy}",
        "errors of sorting (missed spikes, two neurons in one unit) are not in the map's error rate",
    )
    return Sorted(trains=trains, sorter=sorter, version=version, lines=told)


def require_sorter(sorter: str) -> None:
    """Raise where a sorter is unknown or cannot run here."""
    if sorter not in SORTERS:
        raise SpikeError(f"The sorter {sorter!r} is unknown. {did_you_mean(sorter, SORTERS)}")
    if sorter == ELECTRODES:
        return
    if find_spec("spikeinterface") is None or find_spec(_SORTERS[sorter].module) is None:
        if sorter == "mountainsort5" and find_spec("spikeinterface") is not None:
            raise SpikeError("The sorter mountainsort5 is not installed. Install it: pip install mountainsort5.")
        raise MissingExtraError(
            purpose=f"Sorting with {sorter} (the sorter {ELECTRODES!r} needs nothing and takes electrodes for units)",
            extra="sorters",
        )


def version_of(sorter: str) -> str:
    """Return a sorter's version, with SpikeInterface's."""
    from neurograft.version import VERSION

    if sorter == ELECTRODES:
        return VERSION
    import spikeinterface
    from spikeinterface.sorters import sorter_dict

    version = sorter_dict[sorter].get_sorter_version()
    return f"{version} (SpikeInterface {spikeinterface.__version__})"


def _run(recording: Recording, sorter: str) -> tuple[Any, str]:
    from spikeinterface.core import set_global_job_kwargs
    from spikeinterface.sorters import run_sorter

    said = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="neurograft-sorting-") as folder:
        # Their progress bars and prints go nowhere.
        set_global_job_kwargs(n_jobs=1, progress_bar=False, pool_engine="thread")
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                written = _written(recording, Path(folder))
                asked = _parameters(sorter, recording.rate_hz)
                found: Any = run_sorter(
                    sorter, written, folder=str(Path(folder) / "out"), verbose=False, raise_error=True, **asked
                )
                # The folder goes away: keep the spikes themselves.
                found = found.to_numpy_sorting() if hasattr(found, "to_numpy_sorting") else _in_memory(found)
        except Exception as problem:  # a sorter raises whatever its parts raise
            raise SpikeError(
                f"The sorter {sorter} failed: {_reason(problem)}. "
                f"Try another one ({', '.join(SORTERS)}), or a longer recording."
            ) from problem
    return found, version_of(sorter)


def _written(recording: Recording, folder: Path) -> Any:
    """Return a SpikeInterface recording of the samples, written as they are: sorters open them by their path."""
    from spikeinterface.core import BinaryRecordingExtractor

    counts = counts_of(recording, largest=1 << 24)
    dtype = counts.fetch(0, 0, 1).dtype.newbyteorder("=")
    n, n_bytes = n_channels(recording), sum(recording.segment_frames) * n_channels(recording) * dtype.itemsize
    free = shutil.disk_usage(folder).free
    if 3 * n_bytes > free:  # the sorter keeps a filtered copy
        raise SpikeError(
            f"Sorting needs {3 * n_bytes / 1e9:.1f} GB in {folder.parent}, which has {free / 1e9:.1f} GB free. "
            "Set TMPDIR to a larger disk."
        )
    files: list[str | Path] = []
    size = max(_COPY_SAMPLES // n, 1)
    for segment, n_frames in enumerate(recording.segment_frames):
        file = folder / f"segment{segment}.raw"
        files.append(file)
        with file.open("wb") as out:
            for start in range(0, n_frames, size):
                counts.fetch(segment, start, min(start + size, n_frames)).astype(dtype).tofile(out)
    made: Any = BinaryRecordingExtractor(
        files,
        recording.rate_hz,
        dtype.str,
        num_channels=n,
        channel_ids=list(recording.channel_labels),
        gain_to_uV=counts.gain_v / UV,
        offset_to_uV=np.zeros(n),
    )
    made.set_dummy_probe_from_locations(np.array(recording.position_um))
    return made


def _parameters(sorter: str, rate_hz: float) -> dict[str, Any]:
    """Return what has to differ from the sorter's own choice: no filter above what the sampling rate can hold."""
    from spikeinterface.sorters import get_default_sorter_params

    usual: Any = get_default_sorter_params(sorter)
    highest = 0.45 * rate_hz
    if usual.get("freq_max", 0) > highest:
        return {"freq_max": highest}
    filtering = usual.get("filtering")
    if isinstance(filtering, dict) and filtering.get("freq_max", 0) > highest:
        return {"filtering": {**filtering, "freq_max": highest}}
    return {}


def _reason(problem: Exception) -> str:
    """Return the line that names the error in a sorter's long story."""
    lines = str(problem).strip().splitlines()
    named = [line for line in lines if re.match(r"^[\w.]*(Error|Exception): ", line)]
    return (named or lines or [type(problem).__name__])[-1].rstrip(".")


def _in_memory(found: Any) -> Any:
    from spikeinterface.core import NumpySorting

    return NumpySorting.from_sorting(found)


def _trains(recording: Recording, found: Any, sorter: str, version: str) -> SpikeTrains:
    """Return a SpikeInterface sorting as trains; spikes outside a segment, as some sorters give, are dropped."""
    units = list(found.unit_ids)
    times: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    for segment, n_frames in enumerate(recording.segment_frames):
        for k, unit in enumerate(units):
            frame = np.asarray(found.get_unit_spike_train(unit_id=unit, segment_index=segment), dtype=np.int64)
            frame = np.unique(frame[(frame >= 0) & (frame < n_frames)])
            times.append(recording.segment_start_s[segment] + frame / recording.rate_hz)
            owners.append(np.full(frame.size, k, dtype=np.int64))
    if not units:
        raise SpikeError(
            f"The sorter {sorter} found no unit on {n_channels(recording)} channels. Look at the recording "
            f"(neurograft info), or sort by {ELECTRODES!r}."
        )
    return spike_trains(
        time_s=np.concatenate(times),
        neuron=np.concatenate(owners),
        n_neurons=len(units),
        epochs_s=epochs_s(recording),
        labels=[f"unit {unit}" for unit in units],
        provenance=Provenance(command="sort_spikes", parameters={"sorter": sorter, "sorter_version": version}),
    )


def _by_electrode(recording: Recording, progress: Progress) -> Sorted:
    peaks = detect_peaks(recording, progress=progress)
    trains = peaks.as_trains(recording)
    version = version_of(ELECTRODES)
    told = (
        f"not sorted: each of {trains.n_neurons} electrodes is taken for a unit ({peaks.n_peaks} spikes); several "
        "neurons at one electrode count as one",
        *peaks.warnings,
    )
    parameters = Provenance(command="sort_spikes", parameters={"sorter": ELECTRODES, "sorter_version": version})
    kept = spike_trains(
        time_s=trains.time_s,
        neuron=trains.neuron,
        n_neurons=trains.n_neurons,
        epochs_s=np.array(trains.epochs_s),
        labels=trains.labels,
        provenance=parameters,
    )
    return Sorted(trains=kept, sorter=ELECTRODES, version=version, lines=told)
