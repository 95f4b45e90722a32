"""3Brain BRW files, versions 3 and 4: raw, event-based and wavelet-compressed samples; read with h5py alone.

Facts of the layout: the files themselves, and neo's reader (BSD-3), which the tests use as the oracle.
"""

import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import RecordingError
from neurograft.recordings._biocam_wavelet import wavelet_reader
from neurograft.recordings._hdf5_files import read_whole
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._options import ask_part
from neurograft.recordings._recording import Signal
from neurograft.units import UV

GRID = 64  # electrodes along a side; an index counts along a row (layout of one-well chips)
# Pitch by the start of the model's name; second-hand, from probeinterface 0.4 and 3Brain's product pages.
_PITCH_UM = {"accura": 60.0, "coreplate": 60.0, "stimulo": 81.0, "arena": 42.0, "prime": 42.0}


class _Converter(NamedTuple):
    gain_v: float
    offset_v: float
    limits_v: tuple[float, float]
    rate_hz: float


def open_biocam(path: Path, *, pitch_um: float | None = None, part: str | None = None) -> LazyRecording:
    """Return a BRW file's raw recording; extracellular, in volts, in the file's pieces.

    Positions are (column, row) times the pitch; without one they are NaN and a warning says so.
    A recording with pauses (version 4) has one segment a stretch.
    """
    if pitch_um is not None and not pitch_um > 0:
        raise RecordingError(f"pitch_um is {pitch_um}. Give the distance of neighbouring electrodes in micrometres.")
    try:
        file: Any = h5py.File(path, "r")
        return _version_3(path, file, pitch_um) if "3BRecInfo" in file else _version_4(path, file, pitch_um, part)
    except (OSError, KeyError, IndexError, ValueError) as problem:
        raise RecordingError(f"{path} is not a whole BRW file: {problem}. Copy or export it again.") from problem


def _version_3(path: Path, file: Any, pitch_um: float | None) -> LazyRecording:
    told: Any = file["3BRecInfo/3BRecVars"]
    raw: Any = file["3BData/Raw"]
    pads = read_whole(file["3BRecInfo/3BMeaStreams/Raw/Chs"], path=path, error=RecordingError)
    n, n_frames = len(pads), int(told["NRecFrames"][0])
    if raw.size != n * n_frames:
        raise RecordingError(
            f"{path} should hold {n_frames} frames of {n} channels, {n * n_frames} samples, but has {raw.size}. "
            "It is cut off or was not closed; export it again."
        )
    low_uv, high_uv = float(told["MinVolt"][0]), float(told["MaxVolt"][0])
    n_counts = 2 ** int(told["BitDepth"][0])
    sign = float(told["SignalInversion"][0])
    if sign not in (1.0, -1.0):
        raise RecordingError(f"{path}: SignalInversion is {sign}; known are 1 and -1. Export the file again.")
    uv_per_count = (high_uv - low_uv) / n_counts
    ends = (low_uv, low_uv + uv_per_count * (n_counts - 1))
    converter = _Converter(
        gain_v=sign * uv_per_count * UV,
        offset_v=sign * low_uv * UV,
        limits_v=(min(sign * e for e in ends) * UV, max(sign * e for e in ends) * UV),
        rate_hz=float(told["SamplingRate"][0]),
    )
    row, column = pads["Row"].astype(np.int64) - 1, pads["Col"].astype(np.int64) - 1
    labels = [f"r{r + 1}c{c + 1}" for r, c in zip(row, column, strict=True)]
    position_um = _positions(path, row, column, pitch_um=pitch_um, model=None)
    return _recording(path, raw, labels=labels, position_um=position_um, converter=converter, stretches=[(0, n_frames)])


def _version_4(path: Path, file: Any, pitch_um: float | None, part: str | None) -> LazyRecording:
    wells = [name for name in file if name.startswith("Well_")]
    if not wells:
        raise RecordingError(f"{path} has no well. It is not a recording of BrainWave 5, or it is cut off.")
    if part not in wells and (part is not None or len(wells) > 1):
        raise ask_part(path, "wells", {name: ", ".join(file[name]) for name in wells}, part)
    well: Any = file[part or wells[0]]
    kind = _kind_of_samples(path, well)
    converter, model = _told_by_version_4(path, file)
    index = _stored_channels(path, well)
    toc = read_whole(file["TOC"], path=path, error=RecordingError).reshape(-1, 2).astype(np.int64)
    stretches = _stretches(toc)
    n_frames = sum(stop - start for start, stop in stretches)
    row, column = index // GRID, index % GRID
    known_grid = len(wells) == 1 and index.max(initial=0) < GRID * GRID
    position_um = (
        _positions(path, row, column, pitch_um=pitch_um, model=model)
        if known_grid
        else np.full((len(index), 2), np.nan)
    )
    raw: Any = well[kind]
    if kind == "Raw" and raw.size != n_frames * len(index):
        raise RecordingError(
            f"{path} should hold {n_frames} frames of {len(index)} channels, {n_frames * len(index)} samples, "
            f"but has {raw.size}. It is cut off; export it again."
        )
    if kind == "WaveletBasedEncodedRaw":
        raw = wavelet_reader(path, well, toc, len(index))
    elif kind == "EventsBasedSparseRaw":
        from neurograft.recordings._biocam_sparse import sparse_reader  # compiles

        raw = sparse_reader(path, well, toc, index, -converter.offset_v / converter.gain_v)
    labels = [str(i) for i in index]
    return _recording(path, raw, labels=labels, position_um=position_um, converter=converter, stretches=stretches)


def _stored_channels(path: Path, well: Any) -> ndarray:
    """Return the numbers of the stored electrodes; files of events may tell them with the noise only."""
    for name in ("StoredChIdxs", "NoiseChIdxs"):
        if name in well:
            index = read_whole(well[name], path=path, error=RecordingError).astype(np.int64)
            return index if name == "StoredChIdxs" else np.unique(index)
    raise RecordingError(f"{path} does not tell which electrodes were stored (StoredChIdxs). Export it again.")


def _kind_of_samples(path: Path, well: Any) -> str:
    for name in ("Raw", "WaveletBasedEncodedRaw", "EventsBasedSparseRaw"):
        if name in well:
            return name
    raise RecordingError(f"{path} holds {', '.join(well)} and no samples. Export it as 'Raw' in BrainWave.")


def _told_by_version_4(path: Path, file: Any) -> tuple[_Converter, str | None]:
    """Return the converter and the chip's model from either of the two JSON texts."""
    try:
        if "ExperimentSettings" in file:
            told = json.loads(_text(file["ExperimentSettings"]))
            c, rate_hz = told["ValueConverter"], told["TimeConverter"]["FrameRate"]
            low, high, scale = c["MinAnalogValue"], c["MaxAnalogValue"], c["ScaleFactor"]
            model = told.get("MeaPlate", {}).get("Model")
        else:
            told = json.loads(_text(file["ExperimentInfo"]))
            c = told["SignalConverter"]["DigitalToAnalogConverter"]
            rate_hz = told["SignalConverter"]["SampleToTimeConverter"]["FrameRateHertz"]
            low, high, scale, model = c["MinAnalogValueMicroVolt"], c["MaxAnalogValueMicroVolt"], 1.0, None
        first, last = float(c["MinDigitalValue"]), float(c["MaxDigitalValue"])
    except (KeyError, TypeError, json.JSONDecodeError) as problem:
        raise RecordingError(
            f"{path}: its settings do not tell the voltage of a count ({problem!r}). Export it again."
        ) from problem
    uv_per_count = float(scale) * (float(high) - float(low)) / (last - first)
    offset_uv = float(low) - uv_per_count * first
    limits_v = (float(low) * UV, (offset_uv + uv_per_count * last) * UV)
    return _Converter(uv_per_count * UV, offset_uv * UV, limits_v, float(rate_hz)), model


def _text(dataset: Any) -> str:
    value = dataset[0] if dataset.shape else dataset[()]
    return value.decode() if isinstance(value, bytes) else str(value)


def _stretches(toc: ndarray) -> list[tuple[int, int]]:
    """Join the table of contents' (start, stop) rows that touch; what is left apart is a pause."""
    joined: list[tuple[int, int]] = []
    for start, stop in toc.tolist():
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _positions(
    path: Path, row: ndarray, column: ndarray, *, pitch_um: float | None, model: str | None
) -> Float64[ndarray, "channels 2"]:
    if pitch_um is None and model is not None:
        pitch_um = next((p for start, p in _PITCH_UM.items() if model.lower().startswith(start)), None)
    if pitch_um is None:
        warnings.warn(
            f"{path.name} does not tell the distance of its electrodes, so positions are unknown. "
            "Give OpenOptions(pitch_um=…).",
            stacklevel=7,
        )
        return np.full((len(row), 2), np.nan)
    return np.column_stack([column, row]) * float(pitch_um)


def _recording(
    path: Path,
    raw: Any,
    *,
    labels: list[str],
    position_um: Float64[ndarray, "channels 2"],
    converter: _Converter,
    stretches: list[tuple[int, int]],
) -> LazyRecording:
    n = len(labels)
    first_frame = np.cumsum([0, *(stop - start for start, stop in stretches)])

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        begin, end = int(first_frame[segment]) + start, int(first_frame[segment]) + stop
        if not isinstance(raw, h5py.Dataset):
            return raw(begin, end)
        return raw[begin:end] if raw.ndim == 2 else raw[n * begin : n * end].reshape(-1, n)

    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=converter.rate_hz,
        signal=Signal.EXTRACELLULAR_V,
        segment_frames=[stop - start for start, stop in stretches],
        segment_start_s=[start / converter.rate_hz for start, _ in stretches],
        channel_labels=labels,
        position_um=position_um,
        gain=converter.gain_v,
        offset=converter.offset_v,
        limits=np.tile(np.array(converter.limits_v), (n, 1)),
    )
