"""HEKA Patchmaster bundles (.dat), through myokit; one sweep is one segment.

The channels of one amplifier board are sampled one after the other, some microseconds apart (10 µs at
25 kHz in the file of the tests); they are given here as if sampled together.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._options import ask_part, ask_signal
from neurograft.recordings._recording import Signal


def open_heka(path: Path, *, signal: Signal | None = None, part: str | None = None) -> LazyRecording:
    """Return one series; ``part`` is its number, counted through the file from 1 (see the error's list).

    The series is read into memory: patch-clamp series are small.  What myokit warns of is passed on.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of plotting libraries that myokit imports
            from myokit.formats.heka import PatchMasterFile
    except ImportError as problem:
        raise MissingExtraError(purpose="Reading HEKA Patchmaster files", extra="io") from problem
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            file: Any = PatchMasterFile(str(path))
    except Exception as problem:  # a damaged tree fails anywhere in myokit
        raise RecordingError(f"{path} cannot be read as a Patchmaster bundle: {problem}. Copy it again.") from problem
    try:
        if told:
            said = "; ".join(dict.fromkeys(str(w.message).replace("{self._version}", file.version()) for w in told))
            warnings.warn(f"{path.name}: myokit says: {said} Compare a sweep with Patchmaster.", stacklevel=5)
        return _series(path, file, signal, part)
    except (OSError, ValueError, NotImplementedError, IndexError) as problem:
        raise RecordingError(f"{path} cannot be read as a Patchmaster bundle: {problem}. Copy it again.") from problem
    finally:
        file.close()


def _series(path: Path, file: Any, signal: Signal | None, part: str | None) -> LazyRecording:
    series_of = {str(k): series for k, series in enumerate((s for group in file for s in group if len(s)), start=1)}
    if not series_of:
        raise RecordingError(f"{path} holds no series with sweeps. Check that it is the file you mean.")
    if part is None and len(series_of) == 1:
        part = "1"
    if part not in series_of:
        listed = {name: f"{s.label()!r}, {len(s)} sweeps of {len(s[0])} traces" for name, s in series_of.items()}
        raise ask_part(path, "series", listed, part)
    sweeps = list(series_of[part])
    labels, signal = _chosen(path, sweeps[0], signal)
    unit = "A" if signal is Signal.MEMBRANE_A else "V"
    traces = [[t for t in sweep if _unit(t) == unit] for sweep in sweeps]
    rate_hz = _rate_hz(path, traces)
    for k, sweep in enumerate(traces):
        if [t.label() for t in sweep] != labels or len({len(t) for t in sweep}) != 1:
            raise RecordingError(
                f"{path}: sweep {k + 1} of series {part} has traces {[(t.label(), len(t)) for t in sweep]}, "
                f"sweep 1 has {labels}. Every sweep needs the same traces, of one length."
            )
    samples = [np.column_stack([t.values() for t in sweep]).astype(np.float32) for sweep in traces]

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        return samples[segment][start:stop]

    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=rate_hz,
        signal=signal,
        segment_frames=[len(s) for s in samples],
        segment_start_s=[(sweep.time() - sweeps[0].time()).total_seconds() for sweep in sweeps],
        channel_labels=labels,
    )


def _chosen(path: Path, sweep: Any, signal: Signal | None) -> tuple[list[str], Signal]:
    """Return the labels of the traces to read, and what they are, from their units."""
    labels = {unit: [t.label() for t in sweep if _unit(t) == unit] for unit in ("V", "A")}
    if signal is None:
        if labels["V"] and labels["A"]:
            raise ask_signal(path, f"it has traces in V ({labels['V']}) and in A ({labels['A']}).")
        signal = Signal.MEMBRANE_A if labels["A"] else Signal.MEMBRANE_V
    unit = "A" if signal is Signal.MEMBRANE_A else "V"
    if not labels[unit]:
        raise RecordingError(f"{path}: this series has no trace in {unit}. Choose another signal or series.")
    return labels[unit], signal


def _unit(trace: Any) -> str:
    return str(trace.value_unit()).strip("[]")


def _rate_hz(path: Path, traces: list[list[Any]]) -> float:
    """Return the sampling rate, from the traces' times (the bundle stores an interval a trace)."""
    step_s: set[float] = set()
    for trace in (t for sweep in traces for t in sweep):
        if len(trace) < 2:
            raise RecordingError(f"{path}: trace {trace.label()!r} has {len(trace)} samples. Choose a longer series.")
        step_s.add(round(trace.duration() / len(trace), 12))
    if len(step_s) != 1:
        raise RecordingError(
            f"{path}: the traces have sampling intervals of {sorted(step_s)} s. Choose a uniform series."
        )
    return float(1.0 / step_s.pop())
