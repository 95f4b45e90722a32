"""One way to open every recording: look at the file, then hand it to the reader of its format."""

from pathlib import Path

from neurograft.errors import RecordingError
from neurograft.files import url_of
from neurograft.recordings._axon import open_axon
from neurograft.recordings._binary import open_binary
from neurograft.recordings._biocam import open_biocam
from neurograft.recordings._channel_cache import cached_channels
from neurograft.recordings._heka import open_heka
from neurograft.recordings._icephys import open_icephys
from neurograft.recordings._lazy import LazyRecording, with_channels
from neurograft.recordings._npz import open_npz
from neurograft.recordings._nwb import open_electrical_series
from neurograft.recordings._options import OpenOptions
from neurograft.recordings._recording import Signal
from neurograft.recordings._remote import open_remote
from neurograft.recordings._sniff import FileKind, Format, sniff
from neurograft.recordings._spikeinterface import open_saved, open_vendor

_DEFAULT = OpenOptions()


def open_recording(path: Path | str, *, signal: Signal | None = None, options: OpenOptions = _DEFAULT) -> LazyRecording:
    """Return the recording in a file or folder, or at the URL of an object store, read in pieces and in SI units.

    ``signal`` says what the numbers are where the format does not; where the format does, a different
    ``signal`` is refused.  Raises RecordingError, with the choices, where the file leaves one.
    """
    if url_of(path) is not None:
        recording = open_remote(path, signal=signal, part=options.part)
        return _chosen(recording, options, Path(path))
    path = Path(path)
    found = sniff(path)
    if found.kind not in (FileKind.RECORDING, FileKind.UNKNOWN):
        raise RecordingError(f"{path} holds {found.kind.value} ({found.value[0]}), not a recording.")
    recording = _opened(path, found, signal, options)
    if signal is not None and recording.signal is not signal:
        raise RecordingError(
            f"{path} holds {recording.signal.name.lower()}, but signal is {signal.name.lower()}. Leave signal out."
        )
    return _chosen(recording, options, path)


def _chosen(recording: LazyRecording, options: OpenOptions, path: Path) -> LazyRecording:
    if options.channels is None:
        return recording
    if options.cache is not None:
        return cached_channels(recording, options.channels, cache=options.cache, path=path)
    return with_channels(recording, options.channels, path=path)


def _opened(path: Path, found: Format, signal: Signal | None, options: OpenOptions) -> LazyRecording:
    readers = {
        Format.BIOCAM: lambda: open_biocam(path, pitch_um=options.pitch_um, part=options.part),
        Format.NWB_SERIES: lambda: open_electrical_series(path, signal=signal, part=options.part),
        Format.NWB_ICEPHYS: lambda: open_icephys(path, signal=signal, part=options.part),
        Format.ABF: lambda: open_axon(path, signal=signal),
        Format.HEKA: lambda: open_heka(path, signal=signal, part=options.part),
        Format.BINARY: lambda: open_binary(path),
        Format.NPZ_RECORDING: lambda: open_npz(path, signal=signal),
        Format.SI_RECORDING: lambda: open_saved(path, signal=signal),
    }
    if path.suffix.lower() == ".toml":
        found = Format.BINARY  # also one that lacks its tables: its reader says which
    if found in readers:
        return readers[found]()
    return open_vendor(path, signal=signal, part=options.part)
