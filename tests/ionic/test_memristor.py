"""Loops that are pinched at 0, areas against frequency, memory of microseconds and of minutes, synapse-like pulses."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import SAMPLE_FIT, Adsorption, Circuit, Loop, PowerLaw, retarded_area, slit_memristor
from neurograft.units import NM

LAWS = pytest.mark.parametrize("law", [PowerLaw(), SAMPLE_FIT])
AMPLITUDE_V = 0.15 * 2.568e8 * 2e-6  # 0.15 kT/(e A) over 2 um


@LAWS
def test_the_loop_is_pinched_at_zero_and_open_elsewhere(law):
    loop = slit_memristor(Circuit(), law).loop(amplitude_v=AMPLITUDE_V, frequency_hz=3e5)
    assert np.all(loop.current_a * loop.voltage_v >= 0)
    at_zero = np.abs(loop.voltage_v) < 1e-9 * AMPLITUDE_V
    assert np.all(np.abs(loop.current_a[at_zero]) < 1e-9 * np.abs(loop.current_a).max())
    assert loop.area > 0.01


@LAWS
def test_the_falling_branch_conducts_more_than_the_rising_one(law):
    """The memory lags: as in the authors' sweep below 0.15 kT/(e A)."""
    loop = slit_memristor(Circuit(), law).loop(amplitude_v=AMPLITUDE_V, frequency_hz=1e5)
    n, quarter = loop.fraction, loop.fraction.size // 4
    falling, rising = n[:quarter], n[3 * quarter :][::-1]  # towards 0 V, and back from it
    assert np.mean(falling[quarter // 4 :] > rising[quarter // 4 :]) > 0.95


def test_the_loop_closes_at_low_and_high_frequency():
    slit = slit_memristor(Circuit(), PowerLaw())
    areas = [slit.loop(amplitude_v=AMPLITUDE_V, frequency_hz=f).area for f in (1e3, 1e5, 1e6, 1e8)]
    assert max(areas[1:3]) > 3 * max(areas[0], areas[3])


@pytest.mark.parametrize(("per_nm2", "expected_hz"), [(1e-5, 1e5), (1e-4, 3e5), (1e-3, 1e6)])
def test_denser_slits_have_their_largest_loop_at_higher_frequency(per_nm2, expected_hz):
    """Facts page: 100 kHz, 300 kHz, at or above 1 MHz for 1e-5, 1e-4, 1e-3 per nm2, read off two values a decade.

    On that grid both areas, that of the loop and that over the rectangle around it, are largest there and nowhere else.
    """
    grid = np.array([1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7])
    slit = slit_memristor(Circuit(), SAMPLE_FIT, per_m2=per_nm2 / NM**2)
    loops = [slit.loop(amplitude_v=AMPLITUDE_V, frequency_hz=float(f), n_points=800) for f in grid]
    assert grid[np.argmax([loop.area for loop in loops])] == expected_hz
    assert grid[np.argmax([loop.lobes_w for loop in loops])] == expected_hz


def test_the_area_of_a_known_loop():
    t = 2 * np.pi * np.arange(4000) / 4000
    loop = Loop(np.cos(t), np.cos(t) * (1 + 0.5 * np.sin(t)), np.ones(4000))
    # each lobe of I = cos t (1 + sin t / 2), V = cos t has the area of int sin^2 t cos t / 2 over half a period: 1/3
    assert loop.lobes_w == pytest.approx(2 / 3, rel=1e-3)
    assert loop.area == pytest.approx(loop.lobes_w / (4 * np.abs(loop.current_a).max()), rel=1e-6)


def test_a_resistor_has_no_area():
    assert slit_memristor(Circuit(), PowerLaw(exponent=0.0)).loop(amplitude_v=10, frequency_hz=1e5).area < 1e-6


def test_memory_is_the_time_in_which_a_disturbance_dies():
    slit = slit_memristor(Circuit(), PowerLaw())
    memory_s = slit.memory_s(30.0)
    _, still = slit.respond(np.full(4000, 30.0), step_s=memory_s / 100, start=0.1)
    _, moved = slit.respond(np.full(300, 30.0), step_s=memory_s / 100, start=float(still[-1]) * 1.01)
    left = (moved - still[-1]) / (0.01 * still[-1])
    assert left[99] == pytest.approx(np.exp(-1), abs=0.01)


def test_the_retarded_forms_area_peaks_where_the_period_is_the_memory():
    f = np.geomspace(1, 1e4, 400)
    assert 2 * np.pi * f[np.argmax(retarded_area(f, 1e-3))] * 1e-3 == pytest.approx(1.0, rel=0.02)


def test_adsorption_remembers_minutes_and_pulses_potentiate_and_depress():
    slow = Adsorption()
    assert 50 < slow.memory_s < 400  # published
    g = slow.pulses(20, 20)
    assert np.all(np.diff(g[:20]) > 0)
    assert np.all(np.diff(g[20:]) < 0)
    left = slow.respond(np.zeros(1), step_s=slow.memory_s, start=2.0)[0] / slow.rest_siemens
    assert left == pytest.approx(1 + np.exp(-1))


def test_a_loop_needs_voltage_and_frequency():
    with pytest.raises(IonicError, match="Give both above 0"):
        slit_memristor(Circuit(), PowerLaw()).loop(amplitude_v=0.0, frequency_hz=1.0)
