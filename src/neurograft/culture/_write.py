"""Cultures recorded to files, in memory that does not grow with length; a folder appears whole or not at all.

OUT/recording.raw + recording.toml   samples and their sidecar (or recording.zarr, recording.nwb)
OUT/truth.h5                         the map of the recorded neurons, and in /culture what sits where
OUT/spikes.h5                        their true spikes, a SONATA report
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from glob import escape
from pathlib import Path
from typing import Protocol, cast, final, runtime_checkable

import h5py
import numpy as np
from numpy import ndarray

from neurograft.culture._grow import Culture
from neurograft.culture._options import CultureOptions, require_possible
from neurograft.culture._pads import ArrayOptions, Pads, require_array
from neurograft.culture._play import n_frames
from neurograft.culture._record import (
    channel_labels,
    hidden_input_share,
    neuron_labels,
    recorded_spikes,
    recorded_truth,
)
from neurograft.culture._recorder import Recorder, frames, recorder
from neurograft.errors import CultureError
from neurograft.maps import save_map
from neurograft.progress import Progress, silent
from neurograft.provenance import JsonValue, Provenance
from neurograft.recordings import Signal
from neurograft.spikes import save_spikes

CULTURE_FORMAT_VERSION = 1
_SPIKE_BYTES = 16
_SPARE_BYTES = 64 << 20  # maps, spikes, and room to breathe


@runtime_checkable
class RecordingFormat(Protocol):
    """A file format for the samples: turns raw samples and their sidecar into what is left in the folder."""

    @property
    def copies(self) -> int:
        """How many times the samples lie on disk while it works."""
        ...

    def finish(self, folder: Path, progress: Progress) -> None:
        """Make the recording from ``recording.raw`` and ``recording.toml`` of a folder."""
        ...


@final
class RawBinary:
    """Raw little-endian int16 with the TOML sidecar that ``open_recording`` reads: nothing is left to do."""

    copies = 1

    def finish(self, folder: Path, progress: Progress) -> None:
        """Leave the files as they are."""


def write_culture(
    culture: Culture,
    folder: Path,
    *,
    seconds: float,
    array: ArrayOptions | None = None,
    seed: int = 0,
    form: RecordingFormat | None = None,
    n_workers: int = 1,
    progress: Progress = silent,
) -> None:
    """Write a recording of a culture and the truth behind it into a new folder.

    Raises ``CultureError`` before work starts when the folder exists, the array cannot be, or the disk is
    too small.  A killed run leaves a hidden folder ``.NAME.….part`` that nothing takes for a recording; the next
    run with the same name removes it.
    """
    array, form = array or ArrayOptions(), form or RawBinary()
    for left in _leftovers(folder):
        shutil.rmtree(left)
    require_writable(culture.options, array, folder, seconds=seconds, form=form)
    with folder_appears_whole(folder) as part:
        made = recorder(culture, array, seconds=seconds, seed=seed)
        spike_frame, spike_neuron = _write_samples(
            made, part, seconds=seconds, seed=seed, n_workers=n_workers, progress=progress
        )
        (part / "recording.toml").write_text(_sidecar(culture, array), encoding="utf-8")
        names = neuron_labels(culture)
        save_map(recorded_truth(culture, names), part / "truth.h5")
        _add_layout(part / "truth.h5", culture, made, seconds=seconds, seed=seed)
        trains = recorded_spikes(culture, spike_frame, spike_neuron, seconds=seconds, labels=names)
        save_spikes(trains, part / "spikes.h5")
        form.finish(part, progress)


def require_writable(
    options: CultureOptions, array: ArrayOptions, folder: Path, *, seconds: float, form: RecordingFormat
) -> None:
    """Raise ``CultureError`` for what cannot be grown, recorded or stored; call it before growing."""
    require_possible(options)
    require_array(array)
    if folder.exists():
        raise CultureError(f"{folder} exists already. Choose another name, or remove it first.")
    frames_asked = n_frames(options, seconds)
    samples = 2 * frames_asked * options.grid.n_pads
    spikes = _SPIKE_BYTES * seconds * options.activity.rate_hz * options.n_neurons
    wanted = form.copies * samples + 2 * spikes + _SPARE_BYTES
    parent = next(place for place in folder.absolute().parents if place.exists())
    free = shutil.disk_usage(parent).free
    if wanted > free:
        left = ", ".join(str(path) for path in _leftovers(folder))
        raise CultureError(
            f"The recording needs {wanted / 1e9:.1f} GB, but {parent} has {free / 1e9:.1f} GB free. "
            f"Record fewer seconds or pads, or choose another disk.{left and f' A killed run left {left}: remove it.'}"
        )


def _leftovers(folder: Path) -> list[Path]:
    """Return the hidden folders that killed runs for the same name left: those that no process holds."""
    return [part for part in sorted(folder.parent.glob(f".{escape(folder.name)}.*.part")) if _is_left(part)]


def _is_left(part: Path) -> bool:
    if sys.platform == "win32":
        return False  # folders cannot be locked there, so none is taken for left
    held = _hold(part)
    if held is not None:
        os.close(held)
    return held is not None


def _hold(part: Path) -> int | None:
    """Lock a folder until what is returned is closed, or the process dies; None where another one holds it."""
    if sys.platform == "win32":
        return None
    import fcntl

    handle = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def folder_appears_whole(folder: Path) -> Generator[Path]:
    """Yield a hidden folder beside ``folder`` that takes its name when the block succeeds, and goes when not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    held = _hold(part)
    try:
        yield part
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if held is not None:
            os.close(held)


def _write_samples(
    made: Recorder, part: Path, *, seconds: float, seed: int, n_workers: int, progress: Progress
) -> tuple[ndarray, ndarray]:
    """Write samples as they come; spikes go through a file as well, so that memory does not grow."""
    total = n_frames(made.culture.options, seconds)
    spikes = part / "spikes.raw"
    with (part / "recording.raw").open("wb") as samples_to, spikes.open("wb") as spikes_to:
        for piece in frames(made, seconds=seconds, seed=seed, n_workers=n_workers):
            piece.samples.tofile(samples_to)
            np.stack([piece.spike_frame, piece.spike_neuron], axis=1).tofile(spikes_to)
            progress("recording the culture", piece.start + len(piece.samples), total)
    pairs = np.fromfile(spikes, dtype=np.int64).reshape(-1, 2)
    spikes.unlink()
    return pairs[:, 0], pairs[:, 1]


def _sidecar(culture: Culture, array: ArrayOptions) -> str:
    """Return the TOML text that tells how to read the samples."""
    grid, readout = culture.options.grid, array.readout
    unit = "a" if readout.signal is Signal.MEMBRANE_A else "v"
    limit = readout.lsb_u * (2 ** (readout.n_bits - 1) - 1)
    labels = ", ".join(f'"{label}"' for label in channel_labels(culture))
    return f"""# Written by neurograft culture; the template of neurograft.recordings explains the keys.
format_version = 1

[samples]
files = ["recording.raw"]
dtype = "int16"
byte_order = "little"
order = "frames"
n_channels = {grid.n_pads}

[time]
rate_hz = {1.0 / culture.options.step_s!r}

[signal]
kind = "{readout.signal.name.lower()}"
gain_{unit} = {readout.lsb_u!r}
saturation_{unit} = [{-limit!r}, {limit!r}]

[layout]
grid_rows = {grid.n_rows}
grid_columns = {grid.n_columns}
pitch_um = {grid.pitch_um!r}
labels = [{labels}]
"""


def _add_layout(path: Path, culture: Culture, made: Recorder, *, seconds: float, seed: int) -> None:
    """Add to a map file which neurons each channel is inside of, how well, and what was lost."""
    pads: Pads = made.pads
    parameters = cast("dict[str, JsonValue]", json_ready(asdict(culture.options) | {"array": asdict(made.options)}))
    told = Provenance(
        command="culture", parameters=parameters | {"seconds": seconds, "recording_seed": seed}, seed=culture.seed
    )
    with h5py.File(path, "r+") as file:
        group = file.create_group("culture")
        group.attrs["format_version"] = CULTURE_FORMAT_VERSION
        group.attrs["family"] = culture.options.family.name
        group.attrs["n_hidden"] = culture.options.n_neurons - culture.n_recorded
        group.attrs["provenance"] = told.to_json()
        group["channel_labels"] = np.frombuffer(json.dumps(channel_labels(culture)).encode(), dtype=np.uint8)
        group["hidden_input_share"] = hidden_input_share(culture)
        group["channel_neuron"] = pads.inside
        group["channel_state"] = pads.state
        group["coupling"] = pads.inside_gain
        group["lost_frames"] = made.drops
        group["neuron_pad"] = culture.pad


def json_ready(value: object) -> JsonValue:
    """Return dataclass fields as JSON: numbers and texts stay, anything else becomes its text."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in cast("dict[object, object]", value).items()}
    return value if isinstance(value, int | float | str | bool | None) else str(value)
