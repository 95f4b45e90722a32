"""A log of a running network: spikes and recorded states, appended block by block.

What is whole stays readable whenever the program stops, also by a kill: a block that is not all there, or whose
checksum is wrong, ends the log.  Layout: 8 bytes magic, then blocks of kind (4 bytes), CRC-32, length and content;
HEAD holds JSON, DATA the steps first to stop, spikes (step int64, neuron int32) and states (float64, one row a step).
"""

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import SpikeError
from neurograft.provenance import Provenance, provenance_from_json
from neurograft.spikes._trains import SpikeTrains, spike_trains

MAGIC = b"NGRAFTL1"
FORMAT_VERSION = 1
_BLOCK = struct.Struct("<4sIQ")
_SPAN = struct.Struct("<qqq")
_LARGEST_HEAD = 1 << 30
_HEAD, _DATA, _DONE = b"HEAD", b"DATA", b"DONE"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """What is known before the first step; ``columns`` names each recorded state: neuron and name."""

    n_neurons: int
    labels: tuple[str, ...]
    step_s: float
    columns: tuple[tuple[int, str], ...]
    provenance: Provenance | None


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeLog:
    """What a log holds; ``states`` has one row a step and one column for each of ``columns``."""

    spikes: SpikeTrains
    states: Float64[ndarray, "steps columns"]
    columns: tuple[tuple[int, str], ...]
    step_s: float
    is_complete: bool


@final
class LogWriter:
    """Writes a log; every block is handed to the system before ``append`` returns."""

    def __init__(self, path: Path, head: LogHead) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: BinaryIO = path.open("wb")
        self._stream.write(MAGIC)
        text = {
            "format_version": FORMAT_VERSION,
            "n_neurons": head.n_neurons,
            "labels": head.labels,
            "step_s": head.step_s,
            "columns": head.columns,
            "provenance": head.provenance.to_json() if head.provenance is not None else None,
        }
        self._write(_HEAD, json.dumps(text, ensure_ascii=False).encode())

    def append(self, first: int, stop: int, *, step: ndarray, neuron: ndarray, states: ndarray) -> None:
        """Add the steps ``first`` to ``stop - 1``."""
        parts = (step.astype("<i8"), neuron.astype("<i4"), states.astype("<f8"))
        self._write(_DATA, _SPAN.pack(first, stop, step.size) + b"".join(part.tobytes() for part in parts))

    def finish(self) -> None:
        """Say that nothing is missing."""
        self._write(_DONE, b"")

    def _write(self, kind: bytes, content: bytes) -> None:
        self._stream.write(_BLOCK.pack(kind, zlib.crc32(content), len(content)))
        self._stream.write(content)
        self._stream.flush()

    def close(self) -> None:
        """Close the file, whole or not."""
        self._stream.close()


def open_log(path: Path) -> SpikeLog:
    """Return all that is whole in a log."""
    blocks, is_complete = _blocks(path)
    if not blocks or blocks[0][0] != _HEAD:
        raise SpikeError(f"{path} has no whole head: it stopped before the first step. Nothing can be read from it.")
    try:
        return _read(path, blocks, is_complete=is_complete)
    except (KeyError, ValueError, TypeError, struct.error) as problem:
        raise SpikeError(f"{path} is damaged: {problem}. Record the run again.") from problem


def _read(path: Path, blocks: list[tuple[bytes, bytes]], *, is_complete: bool) -> SpikeLog:
    head = json.loads(blocks[0][1])
    if head["format_version"] > FORMAT_VERSION:
        raise SpikeError(f"{path} is of format {head['format_version']}, newer than {FORMAT_VERSION}. Update.")
    columns = tuple((int(neuron), str(name)) for neuron, name in head["columns"])
    data = [_unpack(content, len(columns)) for kind, content in blocks[1:] if kind == _DATA]
    if not data:
        raise SpikeError(f"{path} holds no whole block of steps: it stopped before the first was done.")
    step_s = float(head["step_s"])
    spikes = spike_trains(
        time_s=np.concatenate([d[2] for d in data]) * step_s,
        neuron=np.concatenate([d[3] for d in data]),
        n_neurons=int(head["n_neurons"]),
        epochs_s=np.array([[data[0][0] * step_s, data[-1][1] * step_s]]),
        labels=head["labels"],
        provenance=provenance_from_json(head["provenance"]) if head["provenance"] is not None else None,
    )
    states = np.concatenate([d[4] for d in data])
    return SpikeLog(spikes=spikes, states=states, columns=columns, step_s=step_s, is_complete=is_complete)


def _blocks(path: Path) -> tuple[list[tuple[bytes, bytes]], bool]:
    """Return the whole blocks, and whether the last one says that all is there."""
    size, found = path.stat().st_size, list[tuple[bytes, bytes]]()
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise SpikeError(f"{path} is not a log of neurograft. Give the file that a run was recorded to.")
        while True:
            head = stream.read(_BLOCK.size)
            if len(head) < _BLOCK.size:
                return found, False
            kind, checksum, length = _BLOCK.unpack(head)
            if length > size - stream.tell() or (kind == _HEAD and length > _LARGEST_HEAD):
                return found, False
            content = stream.read(length)
            if zlib.crc32(content) != checksum:
                return found, False
            if kind == _DONE:
                return found, True
            found.append((kind, content))


def _unpack(content: bytes, n_columns: int) -> tuple[int, int, ndarray, ndarray, ndarray]:
    first, stop, n = _SPAN.unpack_from(content)
    step = np.frombuffer(content, dtype="<i8", count=n, offset=_SPAN.size)
    neuron = np.frombuffer(content, dtype="<i4", count=n, offset=_SPAN.size + 8 * n)
    states = np.frombuffer(content, dtype="<f8", offset=_SPAN.size + 12 * n, count=(stop - first) * n_columns)
    return first, stop, step, neuron.astype(np.int32), states.reshape(stop - first, n_columns)
