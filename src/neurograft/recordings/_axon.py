"""Axon ABF files, versions 1 and 2, through neo's header reader; one sweep is one segment."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._options import ask_signal
from neurograft.recordings._recording import Signal

_VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6}
_AMPERES = {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "µA": 1e-6, "nA": 1e-9, "pA": 1e-12}


def open_axon(path: Path, *, signal: Signal | None = None) -> LazyRecording:
    """Return the channels in volts (membrane potential), or those in amperes (membrane current).

    Where a file has both, ``signal`` chooses.  A channel that records the stimulus looks like any other:
    leave it out with ``OpenOptions(channels=…)``.
    """
    try:
        from neo.rawio import AxonRawIO
    except ImportError as problem:
        raise MissingExtraError(purpose="Reading ABF files", extra="io") from problem
    reader: Any = AxonRawIO(filename=str(path))
    try:
        reader.parse_header()
    except Exception as problem:  # a damaged header fails anywhere in neo
        raise RecordingError(f"{path} is not a whole ABF file: {problem}. Copy it again.") from problem
    told = reader.header["signal_channels"]
    units = [str(u) for u in told["units"]]
    signal = _signal(path, units, signal)
    si_of = _AMPERES if signal is Signal.MEMBRANE_A else _VOLTS
    keep = np.array([k for k, unit in enumerate(units) if unit in si_of], dtype=np.int64)
    to_si = np.array([si_of[units[k]] for k in keep])

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        return np.asarray(
            reader.get_analogsignal_chunk(
                block_index=0, seg_index=segment, i_start=start, i_stop=stop, stream_index=0, channel_indexes=keep
            )
        )

    segments = range(reader.header["nb_segment"][0])
    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=float(reader.get_signal_sampling_rate(stream_index=0)),
        signal=signal,
        segment_frames=[int(reader.get_signal_size(block_index=0, seg_index=k, stream_index=0)) for k in segments],
        segment_start_s=[
            float(reader.get_signal_t_start(block_index=0, seg_index=k, stream_index=0)) for k in segments
        ],
        channel_labels=[str(told["name"][k]) for k in keep],
        gain=told["gain"][keep] * to_si,
        offset=told["offset"][keep] * to_si,
    )


def _signal(path: Path, units: list[str], signal: Signal | None) -> Signal:
    """Return what to read, checked against the units that the file has."""
    volts, amperes = any(u in _VOLTS for u in units), any(u in _AMPERES for u in units)
    if signal is None:
        if volts and amperes:
            raise ask_signal(path, f"it has channels in {', '.join(sorted(set(units)))}.")
        signal = Signal.MEMBRANE_A if amperes else Signal.MEMBRANE_V
    if not (amperes if signal is Signal.MEMBRANE_A else volts):
        wanted = "amperes" if signal is Signal.MEMBRANE_A else "volts"
        raise RecordingError(
            f"{path} has no channel in {wanted}, only {', '.join(sorted(set(units)))}. Choose another signal."
        )
    return signal
