"""The ionic slit as a card: noise of its ions, forgetting, what is refused."""

import numpy as np
import pytest

from neurograft.cells import card
from neurograft.errors import CellError
from neurograft.units import PICOSIEMENS

CELL = card("ionic")


def test_its_noise_is_that_of_ions_that_pair_and_part():
    """Against a long simulation of the rate equation with noise, at one equilibrium (derived formula, 3 % of sd)."""
    n_ions, n, ka = 800, 0.4, 1.0
    kd = ka * n * n / (1 - n)
    rng, x, step, seen = np.random.default_rng(0), np.full(4000, n), 0.02, []
    for k in range(1500):
        event = np.sqrt(2 / n_ions * ((1 - x) * kd + ka * x * x) * step)
        x = x + step * ((1 - x) * kd - ka * x * x) + event * rng.standard_normal(4000)
        if k > 700 and k % 100 == 0:
            seen.append(x.std())
    slit = card("ionic")
    expected = slit.spread_siemens(np.array([n * slit.free_siemens]))[0] / slit.free_siemens * np.sqrt(8000 / n_ions)
    assert np.mean(seen) == pytest.approx(expected, rel=0.03)


def test_it_forgets_towards_rest_within_minutes():
    g = np.array([5.0, 20.0, 45.0]) * PICOSIEMENS
    old = CELL.age(g, age_s=200.0, temperature_k=298.0, rng=np.random.default_rng(0))
    assert (old - CELL.rest_siemens) == pytest.approx((g - CELL.rest_siemens) * np.exp(-1))


def test_a_map_pasted_into_it_reads_back():
    target = np.linspace(CELL.g_min_siemens, CELL.g_max_siemens, 200)
    got = CELL.program(target, np.random.default_rng(1))
    assert (got - target).std() < 0.02 * CELL.g_max_siemens


def test_a_conductance_outside_of_its_window_is_refused():
    with pytest.raises(CellError, match="outside the window"):
        CELL.program(np.array([1e-9]), np.random.default_rng(0))
