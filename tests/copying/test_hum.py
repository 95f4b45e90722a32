"""A sampling rate that the recording itself speaks against: hum beside the mains, action potentials too wide."""

import numpy as np
import pytest
from _synthetic_traces import Bench, grow
from numpy import ndarray

from neurograft.copying import copy_intracellular
from neurograft.copying.intracellular.neurons._detect import Events
from neurograft.copying.intracellular.neurons._hum import Line, hum_doubt, rate_doubts, steady_lines
from neurograft.copying.intracellular.reading._thin import Thin, thinned
from neurograft.maps import describe
from neurograft.recordings import Signal, array_recording
from neurograft.units import MS, MV, UV

TRUE_HZ = 10_000.0


def traces(hum_v: float, mains_hz: float, *, seconds: float = 20.0, n: int = 3, seed: int = 0) -> ndarray:
    """Membranes' slow noise, twice as large as real ones', under hum of any phase with its third harmonic."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(round(seconds * TRUE_HZ)) / TRUE_HZ
    slow = np.cumsum(rng.standard_normal((len(t_s), n)), axis=0) * 20 * UV
    phase = 2 * np.pi * mains_hz * t_s[:, None] + rng.uniform(0, 6.28, n)
    return slow + hum_v * (np.sin(phase) + 0.3 * np.sin(3 * phase))


def thin_read_as(volts: ndarray, stated_hz: float) -> Thin:
    recording = array_recording(volts.astype(np.float32), rate_hz=stated_hz, signal=Signal.MEMBRANE_V)
    return thinned(recording, round(stated_hz / 1000))


NO_EVENTS = Events(*(np.zeros(0, dtype=np.int64),) * 3, *(np.zeros(0),) * 3)


@pytest.mark.parametrize(("mains_hz", "stated_hz"), [(50.0, 8000.0), (60.0, 5000.0), (50.0, 20_000.0)])
def test_hum_that_stands_beside_the_mains_tells_the_true_rate(mains_hz: float, stated_hz: float) -> None:
    thin = thin_read_as(traces(0.3 * MV, mains_hz), stated_hz)
    (doubt,) = rate_doubts(thin, NO_EVENTS, rate_hz=stated_hz)
    assert f"10000 Hz (mains {mains_hz:g} Hz)" in doubt
    assert f"not at {stated_hz:g} Hz" in doubt


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_at_the_mains_and_no_hum_raise_no_doubt(mains_hz: float) -> None:
    assert rate_doubts(thin_read_as(traces(0.3 * MV, mains_hz), TRUE_HZ), NO_EVENTS, rate_hz=TRUE_HZ) == ()
    assert steady_lines(thin_read_as(traces(0.0, mains_hz, seed=3), TRUE_HZ)) == ()


def test_lines_are_found_where_they_are() -> None:
    lines = steady_lines(thin_read_as(traces(0.3 * MV, 43.21), TRUE_HZ))
    assert [line.hz for line in lines] == pytest.approx([43.21, 3 * 43.21], abs=0.03)


def test_a_neuron_that_fires_like_a_clock_in_one_channel_is_no_hum() -> None:
    volts = traces(0.0, 50.0)
    volts[::250, 0] += 80 * MV  # 40 Hz
    assert rate_doubts(thin_read_as(volts, TRUE_HZ), NO_EVENTS, rate_hz=TRUE_HZ) == ()


def test_the_second_harmonic_of_the_mains_alone_speaks_for_the_rate_and_a_lone_odd_line_for_nothing() -> None:
    assert hum_doubt((Line(100.0, 5.0),), rate_hz=10_000.0) == ()
    assert hum_doubt((Line(43.7, 5.0),), rate_hz=10_000.0) == ()  # 11,442 or 13,730 Hz: no one samples so
    assert hum_doubt((Line(40.0, 5.0),), rate_hz=10_000.0) != ()  # 12,500 Hz
    assert hum_doubt((Line(43.7, 5.0), Line(131.1, 5.0)), rate_hz=10_000.0) != ()


def test_widths_that_no_mammal_has_raise_a_doubt() -> None:
    n = 3 * 20
    channel, zero = np.repeat(np.arange(3), 20), np.zeros(n)
    quiet = thin_read_as(traces(0.0, 50.0), TRUE_HZ)
    for width_s, is_doubted in ((0.1 * MS, True), (0.8 * MS, False), (3.5 * MS, True)):
        events = Events(channel, zero.astype(np.int64), np.arange(n), zero, np.full(n, width_s), zero)
        assert bool(rate_doubts(quiet, events, rate_hz=TRUE_HZ)) is is_doubted


def test_the_map_carries_the_doubt_and_its_description_says_it() -> None:
    truth = grow(Bench(n=8, seconds=12.0, rate_hz=5000.0, seed=5))
    true_volts, t_s = truth.recording.samples[0], np.arange(60_000) / 5000.0
    hum = (0.5 * MV * np.sin(2 * np.pi * 50.0 * t_s) + 0.2 * MV * np.sin(2 * np.pi * 150.0 * t_s))[:, None]
    volts = (true_volts + hum).astype(np.float32)
    wrong = array_recording(volts, rate_hz=4000.0, signal=Signal.MEMBRANE_V)
    copied = copy_intracellular(wrong)
    assert any("5000 Hz (mains 50 Hz)" in flag for flag in copied.flags)
    assert any("sampling rate in doubt" in line for line in describe(copied.map))
    right = array_recording(volts, rate_hz=5000.0, signal=Signal.MEMBRANE_V)
    assert copy_intracellular(right).flags == ()
