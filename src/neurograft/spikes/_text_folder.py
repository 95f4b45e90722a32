"""A folder of text files, one a neuron, with one spike time a line, as GLMCC and CoNNECT take them."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.recordings._sniff import is_number, text_trains
from neurograft.spikes._read import Read


def read_text_folder(folder: Path) -> tuple[Read, list[Path]]:
    """Return the spikes of all files that begin with a number or are empty, and these files.

    Neurons are named like their files, in the order in which a reader would count them (cell2 before cell10).
    """
    files, others = text_trains(folder)
    files = sorted(files, key=_counted)
    times = [_times(file) for file in files]
    ids = np.repeat(np.arange(len(files)), [t.size for t in times])
    notes = (f"left out, as they hold no list of numbers: {', '.join(f.name for f in others)}",) if others else ()
    labels = [file.stem for file in files]
    known = np.arange(len(files))
    read = Read(np.concatenate(times), ids, known=known, labels=labels, notes=notes, is_unit_told=False)
    return read, files


def _counted(file: Path) -> list[tuple[int, str]]:
    """Return what sorts names with their numbers in order."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", file.name)]


def _times(file: Path) -> Float64[ndarray, " spikes"]:
    lines = file.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    for k, line in enumerate(lines, start=1):
        if line.strip() and not is_number(line):
            raise SpikeError(f"{file}, line {k}: {line.strip()[:40]!r} is not one spike time. Correct or remove it.")
    return np.array([float(line) for line in lines if line.strip()], dtype=np.float64)
