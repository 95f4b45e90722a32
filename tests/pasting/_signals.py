"""Small recordings of membrane potentials whose synapses are put in by hand."""

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from neurograft.recordings import ArrayRecording, Signal, array_recording
from neurograft.units import MV

RATE_HZ = 5000.0
EXCITES, INHIBITS = (0, 1), (2, 3)


class Seen(NamedTuple):
    recording: ArrayRecording
    spikes: tuple[ndarray, ...]  # frames of each channel's action potentials
    volts: ndarray


def potential(peak_v: float, *, onset_s: float = 0.0015, rise_s: float = 0.003, decay_s: float = 0.010) -> ndarray:
    t = np.arange(0.0, 0.06, 1 / RATE_HZ) - onset_s
    late = np.maximum(t, 0.0)
    shape = np.where(t > 0, np.exp(-late / decay_s) - np.exp(-late / rise_s), 0.0)
    return peak_v * shape / shape.max()


def seen(
    n: int = 8, seconds: float = 60.0, *, seed: int = 0, synapses: dict | None = None, gain: ndarray | float = 1.0
) -> Seen:
    """Return Poisson neurons of 8 Hz with 0.1-mV-scale membrane noise of 10 ms, and potentials for the synapses."""
    rng = np.random.default_rng(seed)
    synapses = {EXCITES: 1.0 * MV, INHIBITS: -1.0 * MV} if synapses is None else synapses
    total = round(seconds * RATE_HZ)
    volts = _noise(rng, total, n)
    times = tuple(_times(rng, total) for _ in range(n))
    for (pre, post), peak_v in synapses.items():
        kernel = potential(peak_v)
        for frame in times[pre]:
            stop = min(frame + kernel.size, total)
            volts[frame:stop, post] += kernel[: stop - frame]
    shape = np.concatenate((np.linspace(0, 100, 4), np.linspace(75, -8, 5), -8 * np.exp(-np.arange(60) / 15))) * MV
    for c, mine in enumerate(times):
        for frame in mine:
            first, stop = max(frame - 2, 0), min(frame - 2 + shape.size, total)
            volts[first:stop, c] += shape[first - (frame - 2) : stop - (frame - 2)]
    recorded = ((volts - 65 * MV) * gain).astype(np.float32)
    labels = tuple(f"n{i}" for i in range(n))
    signal = Signal.MEMBRANE_V if np.all(np.asarray(gain) == 1.0) else Signal.INTRACELLULAR_V
    return Seen(array_recording(recorded, rate_hz=RATE_HZ, signal=signal, channel_labels=labels), times, volts)


def _noise(rng: np.random.Generator, total: int, n: int) -> ndarray:
    from scipy.signal import lfilter

    keep = np.exp(-1 / (0.010 * RATE_HZ))
    slow = lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], rng.standard_normal((total, n)), axis=0)
    return 0.2 * MV * slow + 0.02 * MV * rng.standard_normal((total, n))


def _times(rng: np.random.Generator, total: int) -> ndarray:
    gaps = rng.exponential(0.105, round(total / RATE_HZ * 20)) + 0.02
    frames = np.round(np.cumsum(gaps) * RATE_HZ).astype(np.int64)
    return frames[frames < total - 100]
