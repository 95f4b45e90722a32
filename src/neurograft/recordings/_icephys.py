"""NWB intracellular recordings (icephys), through pynwb: sweeps joined across cells.

NWB keeps one series a cell and sweep.  Here all cells recorded at once become the channels of one
segment.  What was at once is told, in this order, by: the table of simultaneous recordings; the table of
intracellular recordings and the series' start times; sweep numbers and start times; start times alone.
Stimuli are not read.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.recordings._lazy import LazyRecording, lazy_recording
from neurograft.recordings._nwb import even_rate
from neurograft.recordings._options import ask_part, ask_signal
from neurograft.recordings._recording import Signal

TYPES = ("CurrentClampSeries", "IZeroClampSeries", "VoltageClampSeries")
_TO_SI = {"volts": 1.0, "v": 1.0, "volt": 1.0, "mv": 1e-3, "amperes": 1.0, "a": 1.0, "ampere": 1.0, "pa": 1e-12}


class _Piece(NamedTuple):
    """One cell's response in one sweep."""

    name: str
    cell: str
    data: Any
    first: int
    n_frames: int
    rate_hz: float
    start_s: float
    gain: float
    offset: float
    is_current: bool


def open_icephys(path: Path, *, signal: Signal | None = None, part: str | None = None) -> LazyRecording:
    """Return the sweeps of all cells of one clamp mode; ``part`` chooses where the sets of cells differ.

    Current clamp is the membrane potential, voltage clamp the membrane current; where a file has both,
    ``signal`` chooses.
    """
    try:
        import pynwb
    except ImportError as problem:
        raise MissingExtraError(purpose="Reading intracellular NWB files", extra="nwb") from problem
    try:
        make: Any = pynwb.NWBHDF5IO
        file = make(str(path), "r")
        nwb = file.read()
    except (OSError, KeyError, ValueError, TypeError) as problem:
        raise RecordingError(f"{path} cannot be read as NWB: {problem}. Check it with pynwb.validate.") from problem
    sweeps = _sweeps(path, nwb)
    is_current = _is_current(path, sweeps, signal)
    sweeps = [
        kept
        for sweep in sweeps
        if (kept := sorted((p for p in sweep if p.is_current == is_current), key=lambda p: p.cell))
    ]
    sweeps = _same_cells(path, sorted(sweeps, key=lambda sweep: sweep[0].start_s), part)
    for sweep in sweeps:
        _require_joined(path, sweep, sweeps[0][0].rate_hz)

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        pieces = sweeps[segment]
        return np.column_stack([p.data[p.first + start : p.first + stop] * p.gain + p.offset for p in pieces])

    fetch.__dict__["keeps_open"] = file  # pynwb closes the file when its reader is collected
    return lazy_recording(
        path=path,
        fetch=fetch,
        rate_hz=sweeps[0][0].rate_hz,
        signal=Signal.MEMBRANE_A if is_current else (signal or Signal.MEMBRANE_V),
        segment_frames=[sweep[0].n_frames for sweep in sweeps],
        segment_start_s=[sweep[0].start_s for sweep in sweeps],
        channel_labels=[p.cell for p in sweeps[0]],
    )


def _sweeps(path: Path, nwb: Any) -> list[list[_Piece]]:
    """Return the responses, those recorded at once together."""
    table = nwb.intracellular_recordings
    if table is None:
        series = [s for s in nwb.acquisition.values() if type(s).__name__ in TYPES]
        by_number = all(s.sweep_number is not None for s in series)
        return _by_key([((int(s.sweep_number) if by_number else 0), _piece(path, s, 0, None)) for s in series])
    references = table.category_tables["responses"]["response"]
    rows = [_referred(path, references[k]) for k in range(len(table.id))]
    together = nwb.icephys_simultaneous_recordings
    if together is None:
        return _by_key([(0, piece) for piece in rows if piece is not None])
    ends, members = together["recordings"], together["recordings"].target
    stops = [int(x) for x in ends.data[:]]
    starts = [0, *stops[:-1]]
    groups = [[rows[int(r)] for r in members.data[a:b]] for a, b in zip(starts, stops, strict=True)]
    return [[piece for piece in group if piece is not None] for group in groups]


def _by_key(numbered: list[tuple[int, _Piece]]) -> list[list[_Piece]]:
    """Group by sweep number and by start time, to a thousandth of a sample."""
    groups: dict[tuple[int, int], list[_Piece]] = {}
    for number, piece in numbered:
        groups.setdefault((number, round(piece.start_s * piece.rate_hz * 1000)), []).append(piece)
    return list(groups.values())


def _referred(path: Path, reference: Any) -> _Piece | None:
    """Return what a row of the table refers to; None for a row without a response in a patch-clamp series."""
    series, first, count = reference.timeseries, int(reference.idx_start), int(reference.count)
    if type(series).__name__ not in TYPES or first < 0 or count <= 0:
        return None
    return _piece(path, series, first, count)


def _piece(path: Path, series: Any, first: int, count: int | None) -> _Piece:
    data, name = series.data, str(series.name)
    held = len(data)
    n_frames = held if count is None else count
    if first + n_frames > held or len(data.shape) != 1:
        raise RecordingError(
            f"{path}: {name} has samples of shape {data.shape}, and {n_frames} from {first} are asked for. "
            "Correct the file's table."
        )
    rate_hz, start_s = series.rate, series.starting_time
    if rate_hz is None:
        rate_hz, start_s = even_rate(path, series.timestamps, name)
    unit = str(series.unit).lower()
    if unit not in _TO_SI:
        raise RecordingError(f"{path}: {name} is in {series.unit!r}. NWB wants volts or amperes; correct the file.")
    return _Piece(
        name=name,
        cell=str(series.electrode.name),
        data=data,
        first=first,
        n_frames=n_frames,
        rate_hz=float(rate_hz),
        start_s=float(start_s or 0.0) + first / float(rate_hz),
        gain=float(series.conversion) * _TO_SI[unit],
        offset=float(series.offset) * _TO_SI[unit],
        is_current=type(series).__name__ == "VoltageClampSeries",
    )


def _is_current(path: Path, sweeps: list[list[_Piece]], signal: Signal | None) -> bool:
    modes = {piece.is_current for sweep in sweeps for piece in sweep}
    if not modes:
        raise RecordingError(
            f"{path} has no current-clamp or voltage-clamp response. Check that it is the file you mean."
        )
    if signal is None:
        if len(modes) == 2:
            raise ask_signal(path, "it has current clamp and voltage clamp.")
        return modes.pop()
    wanted = signal is Signal.MEMBRANE_A
    if wanted not in modes:
        has = "voltage clamp" if True in modes else "current clamp"
        raise RecordingError(f"{path} has only {has}, which is not {signal.name.lower()}. Choose the other signal.")
    return wanted


def _same_cells(path: Path, sweeps: list[list[_Piece]], part: str | None) -> list[list[_Piece]]:
    """Return the sweeps of one set of cells: the only one, or the one that ``part`` numbers."""
    sets = list(dict.fromkeys(tuple(p.cell for p in sweep) for sweep in sweeps))
    for cells in sets:
        twice = {cell for cell in cells if cells.count(cell) > 1}
        if twice:
            raise RecordingError(
                f"{path}: the electrode {min(twice)!r} has two responses at once. The file's sweeps start at the same "
                "time and no table tells them apart; write start times or sweep numbers."
            )
    if len(sets) == 1 and part is None:
        return sweeps
    held = {str(k): cells for k, cells in enumerate(sets, start=1)}
    if part not in held:
        count = {name: sum(tuple(p.cell for p in s) == cells for s in sweeps) for name, cells in held.items()}
        listed = {name: f"{count[name]} sweeps of {', '.join(cells)}" for name, cells in held.items()}
        raise ask_part(path, "sets of cells", listed, part)
    return [sweep for sweep in sweeps if tuple(p.cell for p in sweep) == held[part]]


def _require_joined(path: Path, sweep: list[_Piece], rate_hz: float) -> None:
    """Refuse cells that do not share rate, length and start, naming the first two that differ."""
    first = sweep[0]
    for p in sweep:
        if p.rate_hz != rate_hz:
            raise RecordingError(
                f"{path}: {p.name} has {p.rate_hz} Hz, other sweeps {rate_hz} Hz. Resample or split the file."
            )
        if p.n_frames != first.n_frames:
            raise RecordingError(
                f"{path}: {p.name} has {p.n_frames} samples, {first.name}, recorded with it, {first.n_frames}. "
                "Cells recorded at once need equal lengths; cut the longer one."
            )
        if abs(p.start_s - first.start_s) > 0.5 / rate_hz:
            raise RecordingError(
                f"{path}: {p.name} starts at {p.start_s} s, but {first.name}, recorded with it, at {first.start_s} s. "
                "Correct the start times or the table."
            )
