"""Data in which no pair can be connected, made from a recording or spikes: what is copied from it is false."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy import ndarray

from neurograft.errors import OptionError

if TYPE_CHECKING:
    from neurograft.recordings import Recording, Signal
    from neurograft.spikes import SpikeTrains

_LEAST_SHIFT_S: Final = 1.0  # longer than any synapse acts; a quarter of the time where that is shorter
_CHUNK_FRAMES: Final = 1 << 16


def shifted_spikes(spikes: "SpikeTrains", rng: np.random.Generator) -> "SpikeTrains":
    """Return every train turned round the observed time by an amount of its own, over a second."""
    from neurograft.spikes import spike_trains

    length_s = np.diff(spikes.epochs_s, axis=1).ravel()
    before_s = np.concatenate([[0.0], np.cumsum(length_s)])
    total_s = float(before_s[-1])
    epoch = np.searchsorted(spikes.epochs_s[:, 0], spikes.time_s, side="right") - 1
    seen_s = spikes.time_s - spikes.epochs_s[epoch, 0] + before_s[epoch]
    shift_s = _shifts(spikes.n_neurons, total_s, rng)
    seen_s = (seen_s + shift_s[spikes.neuron]) % total_s
    epoch = np.minimum(np.searchsorted(before_s, seen_s, side="right") - 1, length_s.size - 1)
    last_s = np.nextafter(spikes.epochs_s[epoch, 1], -np.inf)
    return spike_trains(
        time_s=np.minimum(seen_s - before_s[epoch] + spikes.epochs_s[epoch, 0], last_s),
        neuron=spikes.neuron,
        n_neurons=spikes.n_neurons,
        epochs_s=spikes.epochs_s,
        labels=spikes.labels,
    )


@contextmanager
def shifted_recording(recording: "Recording", rng: np.random.Generator) -> "Generator[Recording]":
    """Yield the recording with every channel turned round its segment by an amount of its own, in a temporary file."""
    from neurograft.recordings import array_recording

    n = len(recording.channel_labels)
    wanted = 4 * n * sum(recording.segment_frames)
    folder = Path(tempfile.mkdtemp(prefix="neurograft-decoy-"))
    try:
        free = shutil.disk_usage(folder).free
        if wanted > free:
            raise OptionError(
                f"The time-shifted recording needs {wanted / 1e9:.1f} GB in {folder.parent}, which has "
                f"{free / 1e9:.1f} GB free. Set TMPDIR to a larger disk, or leave --recording out."
            )
        segments = tuple(_shifted(recording, k, folder / f"{k}.raw", rng) for k in range(len(recording.segment_frames)))
        yield array_recording(
            segments,
            rate_hz=recording.rate_hz,
            signal=recording.signal,
            channel_labels=recording.channel_labels,
            position_um=recording.position_um,
            segment_start_s=recording.segment_start_s,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shifted(recording: "Recording", segment: int, path: Path, rng: np.random.Generator) -> ndarray:
    """Write one segment, read once from start to end, and return it mapped from the file."""
    n, total = len(recording.channel_labels), recording.segment_frames[segment]
    out = np.memmap(path, dtype=np.float32, mode="w+", shape=(total, n))
    shift = np.rint(_shifts(n, total / recording.rate_hz, rng) * recording.rate_hz).astype(np.int64)
    for start in range(0, total, _CHUNK_FRAMES):
        piece = recording.read(segment, start, min(start + _CHUNK_FRAMES, total))
        for c in range(n):
            first = (start + shift[c]) % total
            until_end = min(total - first, len(piece))
            out[first : first + until_end, c] = piece[:until_end, c]
            out[: len(piece) - until_end, c] = piece[until_end:, c]
    return out


def _shifts(n: int, total_s: float, rng: np.random.Generator) -> ndarray:
    """Return ``n`` shifts that differ from each other, and from none at all, by as much as the time allows."""
    room_s = total_s - min(_LEAST_SHIFT_S, total_s / 4)
    even_s = min(_LEAST_SHIFT_S, room_s / max(n, 1))  # between neighbours; a random part comes on top
    loose_s = np.sort(rng.random(n)) * max(room_s - even_s * n, 0.0)
    return rng.permutation(even_s * (1 + np.arange(n)) + loose_s) % total_s


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed:
    """A recording played backwards: what follows a spike here went before it."""

    source: "Recording"

    @property
    def rate_hz(self) -> float:
        """Samples a second and channel."""
        return self.source.rate_hz

    @property
    def signal(self) -> "Signal":
        """What the samples are."""
        return self.source.signal

    @property
    def channel_labels(self) -> tuple[str, ...]:
        """One name a channel."""
        return self.source.channel_labels

    @property
    def position_um(self) -> ndarray:
        """Where each channel's pad is."""
        return self.source.position_um

    @property
    def segment_frames(self) -> tuple[int, ...]:
        """Number of frames of every segment."""
        return self.source.segment_frames

    @property
    def segment_start_s(self) -> tuple[float, ...]:
        """When each segment starts."""
        return self.source.segment_start_s

    def read(self, segment: int, start: int, stop: int) -> ndarray:
        """Return frames ``start`` to ``stop - 1`` of a segment, counted from its end."""
        total = self.source.segment_frames[segment]
        return np.ascontiguousarray(self.source.read(segment, total - stop, total - start)[::-1])
