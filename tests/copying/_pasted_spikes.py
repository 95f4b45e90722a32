"""Recordings of plain noise with triangular action potentials pasted in at known frames."""

import numpy as np

from neurograft.copying.intracellular.neurons._detect import detect
from neurograft.copying.intracellular.reading._gather import Work, read_all
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.copying.intracellular.reading._read import ReadOptions
from neurograft.progress import silent
from neurograft.recordings import Signal, array_recording

RATE_HZ = 10_000.0


def with_spikes(frames, n=30_000, height_v=0.1, width=8, noise_v=0.3e-3, seed=0):
    """One channel of noise with triangular action potentials that start at ``frames``."""
    volts = -0.06 + noise_v * np.random.default_rng(seed).standard_normal(n)
    shape = np.concatenate([np.linspace(0, 1, width // 2 + 1)[1:], np.linspace(1, 0, width)])
    for f in frames:
        volts[f : f + len(shape)] += height_v * shape
    return volts


def recording(*channels, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V):
    return array_recording(np.column_stack(channels), rate_hz=rate_hz, signal=signal)


def detected(seen, options=None):
    """Action potentials of a recording that is read now."""
    options = options or DetectionOptions()
    return detect(seen, read_all(seen, ReadOptions(options, 1), Work(), silent), options)
