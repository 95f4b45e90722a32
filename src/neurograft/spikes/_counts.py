"""The numbers of a recording as whole ones, which a running sum can take without rounding."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import NeurograftError
from neurograft.recordings import ArrayRecording, LazyRecording, Recording, n_channels

STEP_V = 0.1e-6  # of recordings that are not kept as whole numbers of 16 bits
_SMALL = (np.dtype(np.int16), np.dtype(np.uint16), np.dtype(np.int8), np.dtype(np.uint8))


UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, NeurograftError)  # what readers raise on a damaged stretch


class Counts(NamedTuple):
    """Whole numbers of every frame and channel; volts are these times ``gain`` and an offset that filters remove."""

    fetch: Callable[[int, int, int], ndarray]
    gain_v: Float64[ndarray, " channels"]


def counts_of(recording: Recording, *, largest: int) -> Counts:
    """Return a recording's own counts of up to 16 bits, or its volts in steps of 0.1 uV and within ``largest`` steps.

    What is not finite becomes 0.
    """
    if isinstance(recording, ArrayRecording) and all(s.dtype in _SMALL for s in recording.samples):
        samples = recording.samples

        def piece(segment: int, start: int, stop: int) -> ndarray:
            return np.asarray(samples[segment][start:stop])

        return Counts(piece, recording.gain)
    if isinstance(recording, LazyRecording):
        first = recording.fetch(0, 0, 1)
        if first.dtype.newbyteorder("=") in _SMALL:
            return Counts(recording.fetch, recording.gain)

    def fetch(segment: int, start: int, stop: int) -> ndarray:
        steps = np.nan_to_num(recording.read(segment, start, stop) * np.float32(1 / STEP_V), posinf=0.0, neginf=0.0)
        return np.clip(np.rint(steps), -largest, largest).astype(np.int32)

    return Counts(fetch, np.full(n_channels(recording), STEP_V))


def padded(counts: Counts, segment: int, start: int, stop: int, n_frames: int) -> ndarray:
    """Return frames ``start`` to ``stop`` - 1 in native order; beyond the segment's ends its end frames repeat."""
    raw = counts.fetch(segment, max(start, 0), min(stop, n_frames))
    before, after = max(-start, 0), max(stop - n_frames, 0)
    if before or after:
        raw = np.concatenate([np.repeat(raw[:1], before, axis=0), raw, np.repeat(raw[-1:], after, axis=0)])
    return np.ascontiguousarray(raw, dtype=raw.dtype.newbyteorder("="))
