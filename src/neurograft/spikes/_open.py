"""One way to open every file of spikes: look at it, then hand it to the reader of its format."""

from pathlib import Path

from neurograft.errors import RecordingError, SpikeError
from neurograft.recordings._sniff import Format, sniff
from neurograft.spikes._csv import read_csv
from neurograft.spikes._log import open_log
from neurograft.spikes._matlab import read_matlab
from neurograft.spikes._numpy import read_npz
from neurograft.spikes._nwb_units import read_nwb_units
from neurograft.spikes._options import SpikeOptions
from neurograft.spikes._phy import read_phy
from neurograft.spikes._read import Read, trains_of
from neurograft.spikes._sonata import read_sonata
from neurograft.spikes._spikeinterface import read_sorting
from neurograft.spikes._text_folder import read_text_folder
from neurograft.spikes._trains import SpikeTrains

_DEFAULT = SpikeOptions()
_NWB = (Format.NWB_UNITS, Format.NWB_SERIES, Format.NWB_ICEPHYS)  # a file with samples may have units too


def open_spikes(path: Path | str, *, options: SpikeOptions = _DEFAULT) -> SpikeTrains:
    """Return the spike trains in a file or folder; nothing is unpickled or executed.

    Silent neurons that the file lists are kept.  What the reader chose or could not know stands in the
    provenance, under 'notes', and in ``describe``.
    """
    path = Path(path)
    try:
        found = sniff(path)
    except RecordingError as problem:  # the same file, asked for its spikes
        raise SpikeError(str(problem)) from problem
    read, files = _read(path, found, options)
    if isinstance(read, SpikeTrains):
        if options.duration_s is not None:
            raise SpikeError(f"{path} tells its observed time. Leave duration_s ({options.duration_s} s) out.")
        if options.tick_s is not None:
            raise SpikeError(f"{path} tells what its times are. Leave the unit of time ({options.tick_s} s) out.")
        return read
    return trains_of(read, path=path, format_=found.value[0], files=files, options=options)


def _read(path: Path, found: Format, options: SpikeOptions) -> tuple[Read | SpikeTrains, list[Path]]:
    if found is Format.PHY:
        return read_phy(path, quality=options.quality)
    if found is Format.TEXT_SPIKES:
        return read_text_folder(path)
    if found is Format.SI_SORTING:
        return read_sorting(path), [path]
    if found in _NWB:
        return read_nwb_units(path), [path]
    readers = {
        Format.NPZ_SPIKES: lambda: read_npz(path),
        Format.MATLAB: lambda: read_matlab(path, part=options.part),
        Format.CSV_SPIKES: lambda: read_csv(path),
        Format.SPIKE_LOG: lambda: open_log(path).spikes,
        Format.SONATA_SPIKES: lambda: read_sonata(path, part=options.part),
    }
    if found in readers:
        return readers[found](), [path]
    if found is Format.UNKNOWN:
        what = "is of no kind that neurograft knows"
    else:
        what = f"holds a {found.kind.value} ({found.value[0]}), not spikes"
    raise SpikeError(
        f"{path} {what}. Spikes may come as NWB units, a Phy folder, a SpikeInterface sorting, a MATLAB table, "
        "CSV (neuron,time_s), a folder of text files (one a neuron, a time a line), NPZ (time_s, neuron), or a SONATA "
        "spike report."
    )
