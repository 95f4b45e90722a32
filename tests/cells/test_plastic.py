"""Changing cells by pulses while a network runs."""

import numpy as np
import pytest

from neurograft.cells import (
    ExactWriter,
    PlasticState,
    PlasticWriter,
    card,
    plastic_state,
    pulse_writer,
)
from neurograft.errors import CellError, OptionError

LEARNERS = ["rram", "rram_cmo", "pram", "sonos", "ideal"]


def _middle(writer: PlasticWriter, n: int) -> PlasticState:
    return plastic_state(np.full(n, float(np.mean(writer.window_siemens))), writer)


@pytest.mark.parametrize("name", [*LEARNERS, "mram"])
@pytest.mark.parametrize("share", [0.0002, -0.0002, 0.02, -0.02, 0.05, -0.05])
def test_a_change_at_mid_window_is_on_average_what_was_asked_for(name: str, share: float) -> None:
    writer = pulse_writer(card(name), smallest=1e-4)
    low, high = writer.window_siemens
    n = 20_000
    state = _middle(writer, n)
    before = state.g_siemens.copy()
    wanted = share * (high - low)
    writer.change(state, np.arange(n), np.full(n, wanted), np.random.default_rng(3))
    moved = state.g_siemens - before
    # calibration 0.7 % of jitter 0.3 plus 5 standard errors here
    assert np.mean(moved) == pytest.approx(wanted, abs=0.02 * abs(wanted) + 5 * np.std(moved) / np.sqrt(n))


@pytest.mark.parametrize("name", [*LEARNERS, "mram"])
def test_no_number_of_pulses_leaves_the_window(name: str) -> None:
    writer = pulse_writer(card(name))
    low, high = writer.window_siemens
    state = _middle(writer, 50)
    rng = np.random.default_rng(1)
    for sign in (1.0, -1.0):
        for _ in range(60):
            writer.change(state, np.arange(50), np.full(50, sign * 0.3 * (high - low)), rng)
            assert state.g_siemens.min() >= low
            assert state.g_siemens.max() <= high
        end = high if sign > 0 else low
        assert np.mean(np.abs(state.g_siemens - end)) < 0.05 * (high - low)


def test_pulses_are_counted_by_direction() -> None:
    writer = pulse_writer(card("rram"))
    state = _middle(writer, 3)
    window = writer.window_siemens[1] - writer.window_siemens[0]
    rng = np.random.default_rng(0)
    writer.change(state, np.array([0, 2]), np.array([0.1, -0.1]) * window, rng)
    writer.change(state, np.array([0]), np.array([0.1]) * window, rng)
    assert state.pulses_up.tolist() == [2, 0, 0]
    assert state.pulses_down.tolist() == [0, 0, 1]
    assert state.pulses.tolist() == [2, 0, 1]


def test_small_changes_add_up_to_a_pulse_or_are_lost() -> None:
    window = card("ideal").g_max_siemens - card("ideal").g_min_siemens
    for keeps, pulses in ((True, 1), (False, 0)):
        writer = pulse_writer(card("ideal"), smallest=0.01, keeps_rest=keeps)
        state = _middle(writer, 1)
        start = state.g_siemens[0]
        for _ in range(5):
            writer.change(state, np.array([0]), np.array([0.0021 * window]), np.random.default_rng(0))
        assert state.pulses[0] == pulses
        assert state.g_siemens[0] - start == pytest.approx(0.0105 * window * pulses, rel=1e-9)


def test_a_cell_named_twice_takes_both_changes_in_order() -> None:
    writer = pulse_writer(card("ideal"))
    window = writer.window_siemens[1] - writer.window_siemens[0]
    state = plastic_state(np.array([0.95, 0.5]) * window, writer)
    # up into the end of the window first, then down: the other order would give 0.85
    writer.change(state, np.array([0, 1, 0]), np.array([0.2, 0.1, -0.3]) * window, np.random.default_rng(0))
    assert state.g_siemens / window == pytest.approx([0.7, 0.6], rel=1e-9)
    assert state.pulses_up.tolist() == [1, 1]
    assert state.pulses_down.tolist() == [1, 0]


def test_a_change_beyond_the_strongest_pulse_is_finished_by_the_next() -> None:
    writer = pulse_writer(card("pram"))
    most = writer.up_siemens[-1]
    state = plastic_state(np.array([0.0]), writer)
    writer.change(state, np.array([0]), np.array([1.5 * most]), np.random.default_rng(0))
    assert state.rest_siemens[0] == pytest.approx(0.5 * most)
    writer.change(state, np.array([0]), np.array([0.0]), np.random.default_rng(0))
    assert state.pulses_up[0] == 2
    assert state.rest_siemens[0] == pytest.approx(0.0, abs=1e-12)


def test_an_exact_writer_adds_and_stays_in_its_window() -> None:
    writer = ExactWriter(window_siemens=(0.0, 1.0))
    state = plastic_state(np.array([0.2, 0.9]), writer)
    writer.change(state, np.array([0, 1, 1]), np.array([0.1, 0.5, -0.25]), np.random.default_rng(0))
    assert state.g_siemens == pytest.approx([0.3, 0.75])


def test_writers_follow_the_protocol() -> None:
    assert isinstance(pulse_writer(card("rram")), PlasticWriter)
    assert isinstance(ExactWriter(window_siemens=(0.0, 1.0)), PlasticWriter)


def test_flash_cannot_learn_cell_by_cell() -> None:
    with pytest.raises(CellError, match=r"flash cannot learn while it runs.*Choose rram"):
        pulse_writer(card("flash"))


def test_bad_values_are_refused_by_place() -> None:
    with pytest.raises(OptionError, match="smallest is 0"):
        pulse_writer(card("rram"), smallest=0.0)
    with pytest.raises(CellError, match=r"g_siemens\[1\] is nan"):
        plastic_state(np.array([1e-6, np.nan]), pulse_writer(card("rram")))
