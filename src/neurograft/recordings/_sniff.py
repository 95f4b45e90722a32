"""What a path is, from its first bytes and its names; opens nothing large and imports no reader."""

import math
import tomllib
from enum import Enum
from pathlib import Path
from typing import Any

import h5py

from neurograft.errors import RecordingError
from neurograft.files import url_of
from neurograft.recordings._binary import sidecar_of
from neurograft.recordings._icephys import TYPES as ICEPHYS_TYPES
from neurograft.recordings._npz import RECORDING_KEYS
from neurograft.recordings._numpy_files import npz_names
from neurograft.recordings._nwb import series_of_type
from neurograft.recordings._spikeinterface import saved_kind

IMAGE_FORMAT = "neurograft image"  # root attribute ``format`` of a memory image
_FIRST_BYTES = 1 << 12
_HDF5_SUFFIXES = frozenset({".h5", ".hdf5", ".nwb", ".brw", ".bxr"})


class FileKind(Enum):
    """What the verbs can do with a file."""

    RECORDING = "recording"
    SPIKES = "spike trains"
    MAP = "synaptic map"
    IMAGE = "memory image"
    TABLE = "connectome table"
    UNKNOWN = "unknown"


class Format(Enum):
    """The file formats that are told apart before a reader is chosen; the second word is their kind."""

    BIOCAM = ("3Brain BRW", FileKind.RECORDING)
    NWB_SERIES = ("NWB, extracellular", FileKind.RECORDING)
    NWB_ICEPHYS = ("NWB, intracellular", FileKind.RECORDING)
    NWB_UNITS = ("NWB, sorted units", FileKind.SPIKES)
    ABF = ("Axon ABF", FileKind.RECORDING)
    HEKA = ("HEKA Patchmaster", FileKind.RECORDING)
    BINARY = ("raw binary with a TOML file", FileKind.RECORDING)
    NPZ_RECORDING = ("NPZ, samples", FileKind.RECORDING)
    SI_RECORDING = ("SpikeInterface recording", FileKind.RECORDING)
    VENDOR = ("a vendor's format", FileKind.RECORDING)
    NPZ_SPIKES = ("NPZ, spikes", FileKind.SPIKES)
    PHY = ("Phy or Kilosort folder", FileKind.SPIKES)
    SI_SORTING = ("SpikeInterface sorting", FileKind.SPIKES)
    MATLAB = ("MATLAB table", FileKind.SPIKES)
    CSV_SPIKES = ("CSV, spikes", FileKind.SPIKES)
    TEXT_SPIKES = ("folder of text files, one a neuron", FileKind.SPIKES)
    SPIKE_LOG = ("log of a run", FileKind.SPIKES)
    SONATA_SPIKES = ("SONATA spike report", FileKind.SPIKES)
    MAP = ("SONATA network", FileKind.MAP)
    IMAGE = ("neurograft image", FileKind.IMAGE)
    TABLE = ("connectome table", FileKind.TABLE)
    UNKNOWN = ("unknown", FileKind.UNKNOWN)

    @property
    def kind(self) -> FileKind:
        """What the verbs can do with a file of this format."""
        return self.value[1]


_SPIKE_KEYS = ({"time_s", "unit"}, {"time_s", "neuron"}, {"times", "ids"}, {"unit_ids", "sampling_frequency"})
# Extensions that only recording systems use; of those that anything may have, the content decides.
_VENDOR_SUFFIXES = frozenset(
    {
        ".bin",
        ".cbin",
        ".meta",
        ".oebin",
        ".continuous",
        ".openephys",
        ".rhd",
        ".rhs",
        ".ns1",
        ".ns2",
        ".ns3",
        ".ns4",
        ".ns5",
        ".ns6",
        ".nev",
        ".ncs",
        ".plx",
        ".pl2",
        ".smr",
        ".smrx",
        ".tbk",
        ".sev",
        ".tev",
        ".edf",
        ".mpx",
        ".mcd",
        ".rec",
        ".nex",
        ".nix",
        ".xdat",
        ".eeg",
        ".set",
        ".axgd",
        ".axgx",
    }
)

_TEXT_SUFFIXES = frozenset({".txt", ".csv", ".dat"})

# Groups at the root of HDF5 files of MaxWell, Multi Channel Systems, SiNAPS and MEArec, by SpikeInterface's readers.
_VENDOR_GROUPS = ("mapping", "assay", "Data", "RealTimeProcessedData", "recordings")


def kind_of(path: Path) -> FileKind:
    """Return what a file or folder is, as far as its first bytes and names tell; a missing path is refused.

    What a URL names is taken for a recording: only these are read in place.
    """
    return FileKind.RECORDING if url_of(path) is not None else sniff(path).kind


def sniff(path: Path) -> Format:
    """Return the format of a file or folder."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise RecordingError(f"There is no file or folder {path}. Check the name.")
    with path.open("rb") as stream:
        head = stream.read(_FIRST_BYTES)
    if not head:
        raise RecordingError(f"{path} is empty (0 bytes). Copy or save it again.")
    if path.suffix.lower() == ".toml":
        return Format.BINARY if _is_sidecar(path) else Format.UNKNOWN
    by_magic = _by_magic(path, head)
    if by_magic is not None:
        return by_magic
    if sidecar_of(path) is not None:
        return Format.BINARY
    if path.suffix.lower() in _HDF5_SUFFIXES:
        raise RecordingError(f"{path} is named like an HDF5 file but is none: cut short or renamed. Copy it again.")
    by_header = _table(head)
    if by_header is not Format.UNKNOWN:
        return by_header
    is_text = b"\0" not in head and path.suffix.lower() not in (".oebin", ".meta", ".set", ".openephys")
    return Format.VENDOR if path.suffix.lower() in _VENDOR_SUFFIXES and not is_text else Format.UNKNOWN


def _by_magic(path: Path, head: bytes) -> Format | None:
    if h5py.is_hdf5(path):
        return _hdf5(path, matlab=head.startswith(b"MATLAB 7.3"))
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _npz(path)
    known = (
        (b"ABF ", Format.ABF),
        (b"NGRAFTL1", Format.SPIKE_LOG),
        (b"ABF2", Format.ABF),
        (b"DAT2", Format.HEKA),
        (b"DAT1", Format.HEKA),
        (b"MATLAB 5.0", Format.MATLAB),
        (b"MATLAB 7.3", Format.MATLAB),
    )
    return next((format_ for magic, format_ in known if head.startswith(magic)), None)


def _folder(path: Path) -> Format:
    if (path / "spike_times.npy").is_file():
        return Format.PHY
    saved = saved_kind(path)
    if saved is not None:
        return Format.SI_RECORDING if saved == "recording" else Format.SI_SORTING
    held = {file.suffix.lower() for file in path.rglob("*")}
    if held & _VENDOR_SUFFIXES:
        return Format.VENDOR
    return Format.TEXT_SPIKES if len(text_trains(path)[0]) > 1 else Format.UNKNOWN


def text_trains(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the text files right in a folder that begin with a line of one number or are empty, and the others."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in _TEXT_SUFFIXES)
    lists: list[Path] = []
    for file in files:
        with file.open("rb") as stream:
            first = stream.readline(_FIRST_BYTES).decode("utf-8-sig", errors="replace")
        if is_number(first) or file.stat().st_size == 0:
            lists.append(file)
    return lists, [file for file in files if file not in lists]


def is_number(line: str) -> bool:
    """Tell whether a line is one finite number."""
    try:
        return math.isfinite(float(line))
    except ValueError:
        return False


def _hdf5(path: Path, *, matlab: bool) -> Format:
    if matlab:
        return Format.MATLAB
    try:
        with h5py.File(path, "r") as file:
            return format_of_hdf5(file)
    except (OSError, KeyError, RuntimeError) as problem:
        raise RecordingError(f"{path} is a damaged HDF5 file: {problem}. Copy it again.") from problem


def format_of_hdf5(file: Any) -> Format:
    """Return the format of an open HDF5 file."""
    told = file.attrs.get("format")
    if "3BRecInfo" in file or ("TOC" in file and any(name.startswith("Well_") for name in file)):
        found = Format.BIOCAM
    elif "nwb_version" in file.attrs:
        found = _nwb(file)
    elif told is not None and (told.decode() if isinstance(told, bytes) else str(told)) == IMAGE_FORMAT:
        found = Format.IMAGE
    elif "edges" in file:
        found = Format.MAP
    elif "spikes" in file:
        found = Format.SONATA_SPIKES
    else:
        found = Format.VENDOR if any(name in file for name in _VENDOR_GROUPS) else Format.UNKNOWN
    return found


def _nwb(file: Any) -> Format:
    """Return what an NWB file is read as; one with samples and units is a recording."""
    if series_of_type(file, *ICEPHYS_TYPES):
        return Format.NWB_ICEPHYS
    if series_of_type(file, "ElectricalSeries"):
        return Format.NWB_SERIES
    return Format.NWB_UNITS if "units" in file else Format.UNKNOWN


def _npz(path: Path) -> Format:
    names = npz_names(path, error=RecordingError)
    if names & RECORDING_KEYS:
        return Format.NPZ_RECORDING
    if any(keys <= names for keys in _SPIKE_KEYS):
        return Format.NPZ_SPIKES
    return Format.TABLE if {"pre", "post"} <= names else Format.UNKNOWN


def _table(head: bytes) -> Format:
    """Return the format of a text table by the names in its first line."""
    first = head.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    names = {word.strip().strip('"').lower() for word in first.replace("\t", ",").replace(";", ",").split(",")}
    if {"neuron", "time_s"} <= names:
        return Format.CSV_SPIKES
    return Format.TABLE if {"pre", "post"} <= names else Format.UNKNOWN


def _is_sidecar(path: Path) -> bool:
    try:
        return "samples" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return path.stat().st_size < _FIRST_BYTES * 64  # let the reader say what is wrong with it
