"""The exponential of vector code against the library's, one number at a time."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from neurograft.neurons._exponential import exponential


@njit
def filled(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = exponential(x[i])
    return out


@settings(deadline=None)
@given(st.lists(st.floats(-700, 700), min_size=1, max_size=40))
def test_exponential_is_the_librarys_to_four_units_of_the_last_place(values):
    found = filled(np.array(values))
    for x, y in zip(values, found, strict=True):
        assert abs(y / math.exp(x) - 1.0) <= 4 * np.finfo(float).eps


def test_exponential_on_a_fine_grid_and_at_its_ends():
    x = np.linspace(-20.0, 20.0, 20_001)
    assert np.abs(filled(x) / np.exp(x) - 1.0).max() < 5e-16
    assert filled(np.array([0.0]))[0] == 1.0
    assert filled(np.array([-1e9, 1e9])).tolist() == filled(np.array([-700.0, 700.0])).tolist()
