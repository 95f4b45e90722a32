"""Spikes in text tables with the header ``neuron,time_s``; neurons may be numbers or names."""

import csv
from pathlib import Path

import numpy as np

from neurograft.errors import SpikeError, did_you_mean
from neurograft.spikes._read import Read

_COLUMNS = ("neuron", "time_s")


def read_csv(path: Path) -> Read:
    """Return the spikes of a table, in the order of the neurons' first lines where these are names."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream)
            header = [name.strip() for name in next(rows, [])]
            if sorted(header) != sorted(_COLUMNS):
                wrong = next((name for name in header if name not in _COLUMNS), "nothing more")
                raise SpikeError(
                    f"{path}: the header is {header}; {wrong!r} is not known. {did_you_mean(wrong, _COLUMNS)}"
                )
            at_neuron, at_time = header.index("neuron"), header.index("time_s")
            names, times = _columns(path, rows, at_neuron, at_time)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise SpikeError(f"{path} is not a text table: {problem}. Save it as CSV in UTF-8.") from problem
    labels = list(dict.fromkeys(names))
    if all(label.lstrip("-").isdecimal() for label in labels):
        labels.sort(key=int)
    index_of = {label: k for k, label in enumerate(labels)}
    ids = np.array([index_of[name] for name in names], dtype=np.int64)
    return Read(np.array(times, dtype=np.float64), ids, known=np.arange(len(labels)), labels=labels)


def _columns(path: Path, rows: object, at_neuron: int, at_time: int) -> tuple[list[str], list[float]]:
    names: list[str] = []
    times: list[float] = []
    for line, row in enumerate(rows, start=2):  # type: ignore[call-overload]
        if not row:
            continue
        try:
            names.append(row[at_neuron].strip())
            times.append(float(row[at_time]))
        except (IndexError, ValueError) as problem:
            raise SpikeError(
                f"{path}, line {line}: {','.join(row)!r} is not a neuron and a time in seconds."
            ) from problem
        if not np.isfinite(times[-1]) or not names[-1]:
            raise SpikeError(
                f"{path}, line {line}: neuron {names[-1]!r} at {times[-1]} s. Remove the line or correct it."
            )
    return names, times
