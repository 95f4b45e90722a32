"""Anything SpikeInterface opens: its own folders and Zarr stores, and vendors' formats through neo.

SpikeInterface's ``load`` opens what SpikeInterface saved; for vendors' files it has one reader a format
and no detection, so the candidates come from neo's table of file extensions and are tried in turn.
"""

import contextlib
import inspect
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.recordings._clock import Clock, clock_of
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._maxwell import maxwell_clock
from neurograft.recordings._options import ask_signal
from neurograft.recordings._pickles import require_no_pickle
from neurograft.recordings._recording import Signal
from neurograft.recordings._zarr_chunks import missing_frames, require_chunks
from neurograft.units import UV

# Formats of devices that record outside cells and nothing else; other formats can hold either.
_EXTRACELLULAR = frozenset(
    {"biocam", "maxwell", "mcsraw", "mcsh5", "spikeglx", "compressedbinaryibl", "sinapsresearchplatformh5", "mearec"}
)
_NOT_FROM_NEO = {".cbin": ("compressedbinaryibl",), ".h5": ("mcsh5", "sinapsresearchplatformh5")}
_MAX_INFO_BYTES = 1 << 24


def open_saved(path: Path, *, signal: Signal | None = None, is_growing: bool = False) -> LazyRecording:
    """Return a recording that SpikeInterface saved as a binary folder or a Zarr store.

    Of a store that still grows frames are taken up to the first whose chunk is not there yet.
    """
    require_no_pickle(path, error=RecordingError)
    loaded = load_saved(path)
    if not hasattr(loaded, "get_traces"):
        raise RecordingError(f"{path} holds a {type(loaded).__name__}, not a recording.")
    if signal is None:
        raise ask_signal(path, "a SpikeInterface folder does not tell what its numbers are.")
    return from_spikeinterface(loaded, path=path, signal=signal, is_growing=is_growing)


def load_saved(path: Path) -> Any:
    """Return what SpikeInterface finds in its own folder; its errors become ours."""
    try:
        import spikeinterface.core as si
    except ImportError as problem:
        raise MissingExtraError(purpose="Reading SpikeInterface folders", extra="io") from problem
    folder = path / "sorting" if (path / "sorting_analyzer").exists() else path
    try:
        return si.load(folder)
    except Exception as problem:  # SpikeInterface raises whatever its parts raise
        raise RecordingError(f"SpikeInterface cannot load {path}: {problem}. Save it again.") from problem


def open_vendor(path: Path, *, signal: Signal | None = None, part: str | None = None) -> LazyRecording:
    """Return a recording in a vendor's format; ``part`` is the name of a stream where there are several."""
    try:
        import spikeinterface.extractors as se
    except ImportError as problem:
        raise MissingExtraError(purpose=f"Reading {path.suffix or 'this'} files", extra="io") from problem
    names = candidates(path)
    failures: list[str] = []
    for name in names:
        reader: Any = se.recording_extractor_full_dict[name]
        try:
            recording = reader(_asked(reader, path), **_choices(reader, part))
        except Exception as problem:  # every reader fails in its own way on a file that is not its own
            failures.append(f"  {name}: {problem}")
            continue
        _require_decodable(recording, path, name)
        if signal is None and name not in _EXTRACELLULAR:
            raise ask_signal(path, f"a file of the kind {name!r} does not tell what its numbers are.")
        clock = maxwell_clock(path, recording) if name == "maxwell" else None
        return from_spikeinterface(recording, path=path, signal=signal or Signal.EXTRACELLULAR_V, clock=clock)
    if failures:
        raise RecordingError(
            f"{path} was opened by none of its readers; where one asks for a stream, give OpenOptions(part=…):\n"
            + "\n".join(failures)
        )
    raise RecordingError(
        f"{path} is of no kind that neurograft or SpikeInterface reads. "
        "A raw binary file can be described in a TOML file: neurograft.recordings.write_template(…). "
        "A table of connections becomes a map: neurograft import."
    )


def _require_decodable(recording: Any, path: Path, name: str) -> None:
    """Read one frame: samples may be packed by a filter of the vendor's that HDF5 does not have."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # neo prints there what it raises
            recording.get_traces(segment_index=0, start_frame=0, end_frame=1)
    except OSError as problem:
        if "filter" not in str(problem) and "plugin" not in str(problem):
            raise RecordingError(f"{path}: its samples cannot be read: {problem}. Copy it again.") from problem
        where = (
            "MaxWell gives it to its customers (MaxLab Live, 'Installing Decompression Library'); with a connection, "
            "neo.rawio.maxwellrawio.auto_install_maxwell_hdf5_compression_plugin() fetches it. "
            if name == "maxwell"
            else "The maker of the recording system gives it away. "
        )
        raise RecordingError(
            f"{path}: its samples are packed by a filter that HDF5 does not have ({problem}). Install the vendor's "
            f"plugin. {where}Then set HDF5_PLUGIN_PATH to its folder and try again."
        ) from problem


def _choices(reader: Any, part: str | None) -> dict[str, Any]:
    """Return the stream that was asked for; and nothing is downloaded behind the user's back."""
    chosen: dict[str, Any] = {} if part is None else {"stream_name": part}
    if "install_maxwell_plugin" in inspect.signature(reader).parameters:
        chosen["install_maxwell_plugin"] = False
    return chosen


def _asked(reader: Any, path: Path) -> Path:
    """Return the path that a reader wants: some take the folder of the file that was named."""
    wants_folder = "folder_path" in inspect.signature(reader).parameters
    return path.parent if wants_folder and path.is_file() else path


def candidates(path: Path) -> list[str]:
    """Return the names of SpikeInterface's readers that fit a file's or folder's extensions."""
    import neo.io
    from spikeinterface.extractors.neoextractors import neo_recording_extractors_dict

    name_of = {
        cls.NeoRawIOClass: cls.__name__.replace("Recording", "").replace("Extractor", "").lower()
        for cls in neo_recording_extractors_dict
    }
    try:
        found = [io.__name__.removesuffix("IO") + "RawIO" for io in neo.io.list_candidate_ios(path)]
    except ValueError:  # neo's word for an unknown extension
        found = []
    names = [name_of[raw] for raw in found if raw in name_of]
    return [*dict.fromkeys(names), *_NOT_FROM_NEO.get(path.suffix.lower(), ())]


def from_spikeinterface(
    recording: Any, *, path: Path, signal: Signal, clock: Clock | None = None, is_growing: bool = False
) -> LazyRecording:
    """Return a SpikeInterface recording as one of ours: its segments, gains and pad positions; read lazily.

    ``path`` names the recording in errors.  A recording without gains to microvolts is refused.  Where sample times
    or the ``clock`` of its one segment jump, segments are parted.
    """
    if signal is Signal.MEMBRANE_A:
        units = recording.get_property("physical_unit")
        raise RecordingError(f"{path}: SpikeInterface gives volts only (units here: {units}). Export it as NWB or ABF.")
    gains, offsets = recording.get_channel_gains(), recording.get_channel_offsets()
    if gains is None or offsets is None:
        raise RecordingError(
            f"{path} does not tell the microvolts of a count. Set them before saving: "
            "recording.set_channel_gains(…); recording.set_channel_offsets(…)."
        )
    rate_hz, spans = _spans(recording, path, clock)
    missing = [missing_frames(recording, k) for k in range(recording.get_num_segments())]
    if is_growing and len(missing[-1]):
        spans[-1] = spans[-1]._replace(stop=max(int(missing[-1][0, 0]), spans[-1].first))

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        k, first, _, _ = spans[segment]
        require_chunks(path, missing[k], first + start, first + stop)
        return np.asarray(recording.get_traces(segment_index=k, start_frame=first + start, end_frame=first + stop))

    starts = [span.start_s for span in spans]
    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=rate_hz,
        signal=signal,
        segment_frames=[span.stop - span.first for span in spans],
        segment_start_s=[float(s) for s in starts if s is not None] if None not in starts else None,
        channel_labels=[str(x) for x in recording.get_channel_ids()],
        position_um=np.array(recording.get_channel_locations()[:, :2], np.float64) if recording.has_probe() else None,
        gain=np.asarray(gains, dtype=np.float64) * UV,
        offset=np.asarray(offsets, dtype=np.float64) * UV,
    )


class _Span(NamedTuple):
    """Frames of one of SpikeInterface's segments that are one of ours."""

    segment: int
    first: int
    stop: int
    start_s: float | None


def _spans(recording: Any, path: Path, clock: Clock | None) -> tuple[float, list[_Span]]:
    """Return the rate, that of the sample times where there are any, and the segments, parted where these jump."""
    rate_hz, out = float(recording.get_sampling_frequency()), list[_Span]()
    for k in range(recording.get_num_segments()):
        here = clock
        if clock is None and recording.has_time_vector(segment_index=k):
            here = clock_of(path, recording.get_times(segment_index=k), f"segment {k}")
            rate_hz = here.rate_hz if k == 0 else rate_hz
        if here is None:
            n = int(recording.get_num_samples(segment_index=k))
            out.append(_Span(k, 0, n, recording.get_start_time(segment_index=k)))
        else:
            out += [_Span(k, *stretch) for stretch in here.stretches]
    return rate_hz, out


def saved_kind(path: Path) -> str | None:
    """Return 'recording' or 'sorting' for a folder that SpikeInterface saved, else None; imports nothing."""
    if (path / "channel_ids").is_dir() and not (path / "unit_ids").is_dir():
        return "recording"  # a Zarr store
    if (path / "unit_ids").is_dir() or (path / "numpysorting_info.json").is_file() or (path / "npz.json").is_file():
        return "sorting"
    if (path / "binary.json").is_file():
        return "recording"
    for name in ("si_folder.json", "spikeinterface_info.json", "cached.json"):
        info = path / name
        if info.is_file() and info.stat().st_size <= _MAX_INFO_BYTES:
            try:
                told: Any = json.loads(info.read_text(encoding="utf-8"))
            except ValueError:
                return None
            words = f"{told.get('class')} {told.get('object')}" if isinstance(told, dict) else ""
            return "sorting" if "Sorting" in words else "recording" if "Recording" in words else None
    return None
