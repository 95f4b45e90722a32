"""Opening whatever a user names: a recording, spike trains, a map or an image."""

from pathlib import Path
from typing import TYPE_CHECKING

from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.maps import SynapseMap
    from neurograft.recordings import Recording
    from neurograft.spikes import SpikeTrains


def open_network(path: Path, *, age_s: float, seed: int) -> "SynapseMap":
    """Return a map, or what a memory image holds ``age_s`` after programming."""
    import numpy as np

    from neurograft.cells import image_to_map, load_image
    from neurograft.maps import load_map
    from neurograft.recordings import FileKind, kind_of

    kind = kind_of(path)
    if kind is FileKind.IMAGE:
        return image_to_map(load_image(path), age_s=age_s, rng=np.random.default_rng(seed))
    if kind is not FileKind.MAP:
        raise OptionError(f"{path} is no network (its kind: {kind.value}). Give a map.h5 or an image.h5.")
    return load_map(path)


def is_network(path: Path) -> bool:
    """Tell whether a path is a map or an image."""
    from neurograft.recordings import FileKind, kind_of

    return kind_of(path) in (FileKind.MAP, FileKind.IMAGE)


def open_activity(path: Path, *, signal: str | None = None, part: str | None = None) -> "SpikeTrains":
    """Return spike trains: those of a file, or those found in a recording of membrane potentials."""
    source = open_source(path, signal=signal, part=part)
    from neurograft.spikes import SpikeTrains

    if isinstance(source, SpikeTrains):
        return source
    from neurograft.copying import detect_spikes

    return detect_spikes(source)


def open_source(
    path: Path, *, signal: str | None = None, part: str | None = None, time_unit: str | None = None
) -> "SpikeTrains | Recording":
    """Return what can be copied: spike trains, or a recording."""
    from neurograft.recordings import FileKind, OpenOptions, kind_of, open_recording, signal_named
    from neurograft.spikes import SpikeOptions, open_spikes, tick_named

    kind = kind_of(path)
    if kind is FileKind.SPIKES:
        tick_s = None if time_unit is None else tick_named(time_unit)
        return open_spikes(path, options=SpikeOptions(part=part, tick_s=tick_s))
    if time_unit is not None:
        raise OptionError(f"{path} is a {kind.value}; --time-unit is for spike times. Leave it out.")
    if kind in (FileKind.MAP, FileKind.IMAGE, FileKind.TABLE):
        raise OptionError(f"{path} is a {kind.value}. Give a recording or spike trains here.")
    named = None if signal is None else signal_named(signal)
    return open_recording(path, signal=named, options=OpenOptions(part=part))
