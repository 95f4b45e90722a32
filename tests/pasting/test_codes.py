"""Codes between weights and conductances: round trip, linearity, clipping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurograft.errors import OptionError
from neurograft.pasting import Scaling

WINDOW = (1e-6, 40e-6)


@given(
    weights=st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=50),
    exponent=st.sampled_from([1.0, 0.5, 0.3]),
)
def test_unclipped_weights_come_back(weights, exponent):
    w = np.array(weights)
    code = Scaling(clip_share=0.0, exponent=exponent).code(w, window_siemens=WINDOW)
    # subtracting the zero conductance loses up to eps * g_max / (g - g_min), the exponent magnifies it
    np.testing.assert_allclose(code.to_volts(code.to_siemens(w)), w, rtol=1e-6, atol=w.max() * 1e-9)


def test_a_linear_code_is_a_slope_above_the_zero():
    code = Scaling(clip_share=0.0).code(np.array([1e-3, -4e-3]), window_siemens=WINDOW)
    assert code.full_scale_v == 4e-3
    np.testing.assert_allclose(code.to_siemens(np.array([0.0, 2e-3, 4e-3])), [1e-6, 20.5e-6, 40e-6])
    assert code.volts_per_siemens == pytest.approx(4e-3 / 39e-6)


def test_at_most_the_asked_share_is_clipped():
    w = np.arange(1.0, 201.0) * 1e-5
    code = Scaling(clip_share=0.05).code(w, window_siemens=WINDOW)
    assert np.count_nonzero(w > code.full_scale_v) == 10
    few = Scaling(clip_share=0.05).code(w[:10], window_siemens=WINDOW)
    assert few.full_scale_v == w[9]  # of ten weights, 5 % is none


def test_a_companded_code_spends_more_of_the_window_on_small_weights():
    w = np.array([1e-4, 1e-2])
    linear, companded = (Scaling(clip_share=0.0, exponent=e).code(w, window_siemens=WINDOW) for e in (1.0, 0.5))
    assert companded.to_siemens(w)[0] > 2 * linear.to_siemens(w)[0]


def test_a_map_without_weights_has_a_code():
    assert Scaling().code(np.zeros(0), window_siemens=WINDOW).full_scale_v > 0
    assert Scaling().code(np.zeros(3), window_siemens=WINDOW).to_siemens(np.zeros(1))[0] == WINDOW[0]


def test_noise_below_the_zero_gives_a_negative_weight():
    code = Scaling(clip_share=0.0).code(np.array([1e-3]), window_siemens=WINDOW)
    assert code.to_volts(np.array([0.5e-6]))[0] < 0


@pytest.mark.parametrize(("option", "value"), [("clip_share", 1.0), ("clip_share", -0.1), ("exponent", 2.0)])
def test_impossible_scalings_are_refused(option, value):
    with pytest.raises(OptionError, match=f"is {value}"):
        Scaling(**{option: value})
