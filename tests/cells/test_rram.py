"""RRAM cards: the published spread, programming, ageing, and what the cards refuse."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.cells import RRAM_WAN_AIHWKIT, RRAM_WAN_CROSSSIM, Defects, MemoryCell
from neurograft.errors import CellError, OptionError
from neurograft.units import DAY, MICROSIEMENS

US = MICROSIEMENS
ROOM_K = 298.15

# facts/paste.md 1.2, values of the two fits as tabulated there (two decimals, hence abs 0.005; 2 % asked for)
SPREAD_US = [
    (RRAM_WAN_AIHWKIT, 1.0, {0: 0.35, 1: 0.72, 5: 1.75, 12: 2.30, 20: 2.02, 40: 1.10}),
    (RRAM_WAN_AIHWKIT, 1 * DAY, {0: 0.70, 1: 1.22, 5: 2.76, 12: 3.90, 20: 3.91, 40: 2.65}),
    (RRAM_WAN_CROSSSIM, 1.0, {0: 1.05, 1: 1.28, 5: 1.97, 12: 2.49, 20: 2.36}),
]


@pytest.mark.parametrize(("card", "age_s", "table"), SPREAD_US, ids=["aihwkit 1 s", "aihwkit 1 d", "CrossSim 1 s"])
def test_spread_is_the_published_one(card, age_s, table):
    g = np.array([min(v * US, card.g_max_siemens) for v in table])
    np.testing.assert_allclose(card.spread_siemens(g, age_s=age_s) / US, list(table.values()), rtol=0.02, atol=0.005)


def test_spread_after_two_days_is_the_published_polynomial():
    x = np.array([0.0, 0.025, 0.125, 0.3, 0.5, 1.0])
    sd_us = 0.782 + 20.274 * x - 43.507 * x**2 + 37.062 * x**3 - 11.934 * x**4  # facts 1.2, aihwkit at 2 d
    found = RRAM_WAN_AIHWKIT.spread_siemens(x * 40 * US, age_s=2 * DAY) / US
    np.testing.assert_allclose(found, sd_us, rtol=1e-9)


def test_the_two_fits_of_one_figure_differ_threefold_at_zero():
    zero = np.zeros(1)
    ratio = RRAM_WAN_CROSSSIM.spread_siemens(zero, age_s=1.0) / RRAM_WAN_AIHWKIT.spread_siemens(zero, age_s=1.0)
    assert ratio[0] == pytest.approx(3.03, abs=0.01)  # 1.053 / 0.348


@pytest.mark.parametrize("card", [RRAM_WAN_AIHWKIT, RRAM_WAN_CROSSSIM])
@pytest.mark.parametrize("level_us", [5.0, 12.0, 20.0, 39.0])
def test_programmed_cells_have_the_published_spread(card, level_us):
    target = np.full(50_000, level_us * US)
    sd = np.std(card.program(target, np.random.default_rng(0)))
    expected = card.spread_siemens(target[:1], age_s=1.0)[0]
    assert sd == pytest.approx(expected, rel=0.02)  # 2 % asked for; the sample's own error is 0.3 %


def test_after_a_day_the_spread_is_that_of_the_day():
    target = np.full(50_000, 20 * US)
    rng = np.random.default_rng(0)
    aged = RRAM_WAN_AIHWKIT.age(RRAM_WAN_AIHWKIT.program(target, rng), age_s=1 * DAY, temperature_k=ROOM_K, rng=rng)
    # the growth is taken at the programmed conductance, not the target: that is worth under 2 % at this level
    assert np.std(aged) == pytest.approx(3.91 * US, rel=0.03)


def test_spread_between_ages_lies_between():
    g = np.full(1, 20 * US)
    hour, second, day = (RRAM_WAN_AIHWKIT.spread_siemens(g, age_s=a)[0] for a in (3600.0, 1.0, DAY))
    assert second < hour < day


def test_an_age_within_the_first_second_changes_nothing():
    g = np.linspace(1.0, 39.0, 10) * US
    aged = RRAM_WAN_AIHWKIT.age(g, age_s=0.5, temperature_k=ROOM_K, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(aged, g)


def test_set_pulses_raise_reset_pulses_lower_and_no_drive_does_nothing():
    g, rng = np.full(100, 15 * US), np.random.default_rng(0)
    assert np.all(RRAM_WAN_AIHWKIT.pulse(g, np.full(100, 0.5), rng) > g)
    assert np.all(RRAM_WAN_AIHWKIT.pulse(g, np.full(100, -0.5), rng) < g)
    np.testing.assert_array_equal(RRAM_WAN_AIHWKIT.pulse(g, np.zeros(100), rng), g)


def test_a_stronger_pulse_moves_further():
    g = np.full(1000, 15 * US)
    weak, strong = (RRAM_WAN_AIHWKIT.pulse(g, np.full(1000, d), np.random.default_rng(0)) for d in (0.3, 0.9))
    assert np.all(strong > weak)


def test_cards_keep_the_protocol():
    assert isinstance(RRAM_WAN_AIHWKIT, MemoryCell)


def test_a_conductance_outside_the_window_is_refused():
    with pytest.raises(CellError, match=r"target_siemens\[1\] is 41 uS, outside the window 1 to 40 uS of rram"):
        RRAM_WAN_AIHWKIT.program(np.array([5.0, 41.0]) * US, np.random.default_rng(0))
    with pytest.raises(CellError, match="outside the window"):
        RRAM_WAN_AIHWKIT.program(np.array([np.nan]), np.random.default_rng(0))


def test_an_age_or_a_temperature_that_nobody_measured_is_refused():
    g, rng = np.full(1, 5 * US), np.random.default_rng(0)
    with pytest.raises(CellError, match="measured from 0 to 172800 s"):
        RRAM_WAN_AIHWKIT.age(g, age_s=3 * DAY, temperature_k=ROOM_K, rng=rng)
    with pytest.raises(CellError, match="measured from 0 to 1 s"):
        RRAM_WAN_CROSSSIM.age(g, age_s=2.0, temperature_k=ROOM_K, rng=rng)
    with pytest.raises(CellError, match=r"known from 288\.15 to 308\.15 K"):
        RRAM_WAN_AIHWKIT.age(g, age_s=1.0, temperature_k=400.0, rng=rng)


def test_a_drive_beyond_the_strongest_pulse_is_refused():
    with pytest.raises(CellError, match="outside -1 to 1"):
        RRAM_WAN_AIHWKIT.pulse(np.full(1, 5 * US), np.array([1.5]), np.random.default_rng(0))


@pytest.mark.parametrize("change", [{"unit_siemens": 80 * US}, {"polynomials_us": ((2.0,), (2.0,), (2.0,))}])
def test_parameters_of_the_spread_change_the_result(change):
    target = np.full(10, 20 * US)
    changed = replace(RRAM_WAN_AIHWKIT, spread=replace(RRAM_WAN_AIHWKIT.spread, **change))
    before, after = (c.program(target, np.random.default_rng(0)) for c in (RRAM_WAN_AIHWKIT, changed))
    assert not np.array_equal(before, after)


def test_shares_of_defects_outside_0_to_1_are_refused():
    with pytest.raises(OptionError, match=r"dead is 1\.5"):
        Defects(dead=1.5)
    with pytest.raises(OptionError, match="more than 1"):
        Defects(dead=0.6, leaky=0.6)
