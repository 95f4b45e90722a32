"""Recordings in NumPy archives: the documented layouts below, loaded without unpickling.

- ``samples_v`` (or ``samples_a``): frames x channels, or sweeps x frames x channels; ``rate_hz``;
  ``signal``, the name of a ``Signal`` such as ``membrane_v``; and, if wanted, ``labels``,
  ``position_um`` (channels x 2) and ``segment_start_s``.
- ``vm_mv``: sweeps x channels x samples, membrane potential in mV; ``dt_s``; if wanted ``channel``.
  The cut of the eight-cell patch-clamp recording has this form.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._numpy_files import load_npz
from neurograft.recordings._options import ask_signal, signal_named
from neurograft.recordings._recording import Signal
from neurograft.units import MV

_GENERAL = ("samples_v", "samples_a", "rate_hz", "signal", "labels", "position_um", "segment_start_s")
_PATCH = ("vm_mv", "dt_s", "channel")
RECORDING_KEYS = frozenset({"samples_v", "samples_a", "vm_mv"})


def open_npz(path: Path, *, signal: Signal | None = None) -> LazyRecording:
    """Return the recording of an archive in one of the two layouts."""
    held = load_npz(path, (*_GENERAL, *_PATCH), error=RecordingError)
    if "vm_mv" in held:
        return _patch(path, held)
    found = [name for name in ("samples_v", "samples_a") if name in held]
    if len(found) != 1 or "rate_hz" not in held:
        raise RecordingError(
            f"{path} holds {sorted(held) or 'none of the known arrays'}. "
            "A recording needs samples_v or samples_a (one of them) and rate_hz; or vm_mv and dt_s."
        )
    samples = _numeric(path, held, found[0])
    if signal is None and "signal" in held:
        signal = signal_named(str(held["signal"][()]))
    if signal is None and found[0] == "samples_v":
        raise ask_signal(path, "it has no array 'signal'.")
    signal = signal or Signal.MEMBRANE_A
    if (signal is Signal.MEMBRANE_A) != (found[0] == "samples_a"):
        raise RecordingError(f"{path}: {found[0]} does not fit {signal.name.lower()}. Rename the array or the signal.")
    if samples.ndim == 2:
        samples = samples[None]
    if samples.ndim != 3:
        raise RecordingError(f"{path}: {found[0]} has shape {samples.shape}. Give (sweeps,) frames, channels.")
    n = samples.shape[2]
    starts = held.get("segment_start_s")
    if starts is not None and starts.shape != samples.shape[:1]:
        raise RecordingError(
            f"{path}: segment_start_s has shape {starts.shape} for {len(samples)} sweeps. Give one each."
        )
    return _recording(
        path,
        samples,
        gain=1.0,
        signal=signal,
        rate_hz=_scalar(path, held, "rate_hz"),
        labels=_labels(path, held, "labels", n),
        position_um=_position(path, held, n),
        start_s=None if starts is None else starts.tolist(),
    )


def _patch(path: Path, held: Mapping[str, ndarray]) -> LazyRecording:
    samples = _numeric(path, held, "vm_mv")
    if samples.ndim != 3 or "dt_s" not in held:
        raise RecordingError(
            f"{path}: vm_mv has shape {samples.shape} and dt_s is {'there' if 'dt_s' in held else 'missing'}. "
            "Give sweeps x channels x samples, and the sampling interval."
        )
    dt_s = _scalar(path, held, "dt_s")
    labels = _labels(path, held, "channel", samples.shape[1])
    return _recording(
        path, samples.transpose(0, 2, 1), gain=MV, signal=Signal.MEMBRANE_V, rate_hz=1.0 / dt_s, labels=labels
    )


def _recording(
    path: Path,
    samples: ndarray,
    *,
    gain: float,
    signal: Signal,
    rate_hz: float,
    labels: list[str],
    position_um: ndarray | None = None,
    start_s: list[float] | None = None,
) -> LazyRecording:
    def fetch(segment: int, start: int, stop: int) -> ndarray:
        return samples[segment, start:stop]

    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=rate_hz,
        signal=signal,
        segment_frames=[samples.shape[1]] * len(samples),
        segment_start_s=start_s,
        channel_labels=labels,
        position_um=position_um,
        gain=gain,
    )


def _numeric(path: Path, held: Mapping[str, ndarray], name: str) -> ndarray:
    if held[name].dtype.kind not in "iuf":
        raise RecordingError(f"{path}: {name} is of type {held[name].dtype}. Give real numbers.")
    return held[name]


def _scalar(path: Path, held: Mapping[str, ndarray], name: str) -> float:
    value = held[name]
    if value.size != 1 or value.dtype.kind not in "iuf" or not value.reshape(()) > 0:
        raise RecordingError(f"{path}: {name} is {value}. Give one positive number.")
    return float(value.reshape(()))


def _labels(path: Path, held: Mapping[str, ndarray], name: str, n: int) -> list[str]:
    if name not in held:
        return [str(i) for i in range(n)]
    labels = [str(x) for x in held[name].ravel()]
    if len(labels) != n or len(set(labels)) != n:
        raise RecordingError(
            f"{path}: {name} has {len(labels)} names, {len(set(labels))} of them different, for {n} channels. "
            "Give every channel a name of its own."
        )
    return labels


def _position(path: Path, held: Mapping[str, ndarray], n: int) -> ndarray | None:
    position_um = held.get("position_um")
    if position_um is None:
        return None
    if position_um.shape != (n, 2) or position_um.dtype.kind not in "iuf":
        raise RecordingError(f"{path}: position_um has shape {position_um.shape}. Give x and y of {n} channels.")
    return position_um.astype(np.float64)
