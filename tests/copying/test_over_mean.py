"""What a pad is worth is told by the peak over the mean potential, however the membrane gets to its threshold."""

import os

import numpy as np
import pytest

from neurograft.copying import IntracellularOptions
from neurograft.copying.intracellular._options import read_options
from neurograft.copying.intracellular._traces_of import traces_of
from neurograft.copying.intracellular.neurons._coupling import coupling
from neurograft.copying.intracellular.neurons._detect import detect
from neurograft.copying.intracellular.neurons._neurons import neurons
from neurograft.copying.intracellular.reading._gather import Work, read_all
from neurograft.copying.intracellular.reading._thin import thin_of
from neurograft.copying.intracellular.reading._timeline import timeline
from neurograft.copying.intracellular.regression._design import lag_boxes
from neurograft.copying.intracellular.regression._over_mean import coupling_over_mean
from neurograft.progress import silent
from neurograft.recordings import Signal, array_recording

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels")
COUPLING = np.array([0.045, 0.02, 0.06])


def cells(rng, *, seconds=20.0, rate_hz=10_000.0):
    """Return potentials of three cells whose peaks are 90 mV over a mean of 0: from the mean, a slow foot, a dip."""
    n = round(seconds * rate_hz)
    volts = 2e-4 * rng.standard_normal((n, 3))
    shape = np.exp(-(((np.arange(60) - 20) / 5.0) ** 2))
    for cell in range(3):
        for at in range(3000 + 400 * cell, n - 3000, 1500 + 70 * cell):
            foot = (0.0, 0.025, -0.010)[cell]  # reached over 15 ms, left at once
            ramp = foot * np.minimum(np.arange(200) / 150.0, 1.0)
            volts[at - 200 : at, cell] += ramp
            volts[at : at + 60, cell] += 0.090 * shape
            volts[at : at + 20, cell] += foot * (1 - shape[:20])
    return volts


def gains_of(volts, signal):
    recording = array_recording(volts, rate_hz=10_000.0, signal=signal)
    options = IntracellularOptions()
    reading_options = read_options(recording, options)
    reading = read_all(recording, reading_options, Work(), silent)
    found = detect(recording, reading, options.detection)
    cells_ = neurons(recording, found)
    foot = coupling(recording, cells_.events, action_potential_v=0.1, window_s=30.0)
    boxes = lag_boxes(1000.0)
    line = timeline(recording, factor=reading_options.factor, gap_rows=boxes.reach + 1)
    traces = traces_of(thin_of(recording, reading, reading_options.factor), line, cells_, foot, options)
    mean = coupling_over_mean(traces, action_potential_v=0.1, progress=silent)
    return np.array([[np.median(g.gain[c]) for c in range(3)] for g in (foot, mean)])


def test_cells_of_equal_peaks_have_equal_coupling_whatever_comes_before():
    foot, mean = gains_of(cells(np.random.default_rng(1)) * COUPLING, Signal.INTRACELLULAR_V) * COUPLING * 0.9
    assert foot[1] == pytest.approx(90 / 65, rel=0.03)  # its foot of 25 mV is there 4 to 8 ms before
    # Feet and dips move the mean itself by up to 1.5 mV, in a tenth of the time.
    assert mean == pytest.approx([1.0, 1.0, 1.0], abs=0.04)


def test_a_potential_that_is_known_stays_as_it_is():
    assert np.array_equal(gains_of(cells(np.random.default_rng(1)), Signal.MEMBRANE_V), np.ones((2, 3)))
