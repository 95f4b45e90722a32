"""PRAM cards: published spread and drift, read noise, and each parameter's effect."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import card
from neurograft.errors import CellError
from neurograft.units import DAY, HOUR, MICROSIEMENS, YEAR

US = MICROSIEMENS
JOSHI = card("pram")
ROOM_K = 298.15


def test_spread_is_the_published_one():
    # facts 1.1: aihwkit's fit at 0 ... 25 uS; 2 % asked for, the table is rounded to 3 decimals
    g = np.array([0, 5, 10, 15, 20, 25.0]) * US
    np.testing.assert_allclose(JOSHI.spread_siemens(g) / US, [0.263, 0.610, 0.862, 1.020, 1.085, 1.055], atol=0.002)


def test_the_two_fits_of_the_figure_agree_within_2_percent_from_5_us():
    g = np.linspace(5, 25, 50)
    crosssim = 0.28638599 + 0.07585724 * g - 0.00178767 * g**2  # facts 1.1, CrossSim's fit of the same figure
    np.testing.assert_allclose(JOSHI.spread_siemens(g * US) / US, crosssim, rtol=0.02)


def test_a_cell_programmed_to_zero_is_clipped_as_computed():
    g = JOSHI.program(np.zeros(100_000), np.random.default_rng(0)) / US
    # facts: clipping at 0 leaves sd 0.154, mean 0.105; the sample's error is 0.5 %
    assert np.std(g) == pytest.approx(0.154, rel=0.02)
    assert np.mean(g) == pytest.approx(0.105, rel=0.02)


@pytest.mark.parametrize(
    ("age_s", "expected"), [(1 * HOUR, 0.776), (1 * DAY, 0.665), (1 * YEAR, 0.500), (10 * YEAR, 0.448)]
)
def test_mean_drift_is_the_published_one(age_s, expected):
    g = np.random.default_rng(1).uniform(0.4, 1.0, 20_000) * 25 * US
    aged = JOSHI.age(g, age_s=age_s, temperature_k=ROOM_K, rng=np.random.default_rng(0))
    assert np.mean(aged / g) == pytest.approx(expected, abs=0.003)  # facts 8


def test_drift_starts_at_the_end_of_programming():
    g = np.array([5.0, 20.0]) * US
    aged = JOSHI.age(g, age_s=0.0, temperature_k=ROOM_K, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(aged, g)


@pytest.mark.parametrize(("x", "age_s"), [(0.5, 0.0), (0.5, 1 * YEAR), (0.001, 0.0)])
def test_read_noise_is_the_published_formula(x, age_s):
    g = np.full(50_000, x * 25 * US)
    seen = JOSHI.read(g, programmed_siemens=g, age_s=age_s, temperature_k=ROOM_K, rng=np.random.default_rng(0))
    q = min(0.0088 / x**0.65, 0.2)
    expected = q * np.sqrt(np.log((age_s + 20.0 + 250e-9) / 500e-9))
    assert np.std(seen / g) == pytest.approx(expected, rel=0.015)  # sampling: 0.3 %, five sd


@pytest.mark.parametrize(
    ("name", "coefficients"),
    [
        ("pram_hermes_two", (0.16603, 4.71806, -8.48101, 4.68961)),
        ("pram_hermes_one", (0.15782, 2.32444, -2.16311, 0.68842)),
    ],
)
def test_hermes_cards_have_their_published_spread_and_drift(name, coefficients):
    cell = card(name)
    x = np.array([0.2, 0.5, 0.9])
    expected = np.polynomial.polynomial.polyval(x, coefficients)
    np.testing.assert_allclose(cell.spread_siemens(x * cell.g_max_siemens) / US, expected, rtol=1e-12)
    np.testing.assert_allclose(cell.drift.mean(x), 0.0736 - 0.0126 * x - 0.0436 * x**2, rtol=1e-12)
    low = np.array([0.05])
    np.testing.assert_allclose(cell.drift.mean(low), np.clip(-0.0387 * np.log(low) - 0.0182, 0.072, 0.13))
    np.testing.assert_allclose(cell.drift.sd(x[:1]), np.clip(-0.0117 * np.log(x[:1]) - 0.0057, 0.0091, 0.04))
    np.testing.assert_allclose(cell.drift.sd(x[1:]), 0.0073 + 0.0093 * x[1:] - 0.0118 * x[1:] ** 2)


@pytest.mark.parametrize(
    "change",
    [
        {"g_max_siemens": 50 * US},
        {"spread_us": (1.0,)},
        {"drift": replace(JOSHI.drift, t0_s=200.0)},
        {"drift": replace(JOSHI.drift, mean_log=(0.0, 0.2, 0.0, 1.0))},
        {"drift": replace(JOSHI.drift, sd_log=(0.0, 0.2, 0.0, 1.0))},
        {"drift": replace(JOSHI.drift, mean_polynomial=(0.3,), mean_x_from=0.0)},
        {"drift": replace(JOSHI.drift, sd_polynomial=(0.3,), sd_x_from=0.0)},
        {"read_noise": 0.05},
        {"read_noise": None},
    ],
)
def test_every_parameter_changes_what_is_read(change):
    def seen(cell):
        rng = np.random.default_rng(0)
        programmed = cell.program(np.linspace(1.0, 24.0, 20) * US, rng)
        g = cell.age(programmed, age_s=DAY, temperature_k=ROOM_K, rng=rng)
        return cell.read(g, programmed_siemens=programmed, age_s=DAY, temperature_k=ROOM_K, rng=rng)

    assert not np.array_equal(seen(JOSHI), seen(replace(JOSHI, **change)))


def test_pulses_raise_and_lower():
    g, rng = np.full(50, 10 * US), np.random.default_rng(0)
    assert np.all(JOSHI.pulse(g, np.full(50, 0.5), rng) > g)
    assert np.all(JOSHI.pulse(g, np.full(50, -0.5), rng) < g)


def test_ages_and_temperatures_beyond_the_card_are_refused():
    g, rng = np.full(1, 5 * US), np.random.default_rng(0)
    with pytest.raises(CellError, match="age_s is"):
        JOSHI.age(g, age_s=11 * YEAR, temperature_k=ROOM_K, rng=rng)
    with pytest.raises(CellError, match="temperature_k is 400 K"):
        JOSHI.age(g, age_s=1.0, temperature_k=400.0, rng=rng)
