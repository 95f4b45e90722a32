"""Exponentials without branches against SciPy's."""

import numpy as np
import pytest
from scipy.special import erfcx

from neurograft.copying.intracellular.judging._bells import decay, decay_32, tail, tail_32


def test_the_decay_is_the_exponential_where_that_is_a_number():
    x = -np.concatenate([[0.0], np.geomspace(1e-12, 700.0, 400)])
    assert np.array([decay(v) for v in x]) == pytest.approx(np.exp(x), rel=1e-12)
    assert decay(-1e9) == 0.0


def test_the_tail_is_the_scaled_complement_of_the_error_function():
    y = np.concatenate([[0.0], np.geomspace(1e-9, 1e6, 600)])
    assert np.array([tail(v) for v in y]) == pytest.approx(erfcx(y), rel=1e-14)


def test_those_of_32_bits_are_right_to_a_millionth():
    x = -np.concatenate([[0.0], np.geomspace(1e-6, 80.0, 400)]).astype(np.float32)
    found = np.array([decay_32(v) for v in x])
    expected = np.exp(x.astype(np.float64))
    assert found == pytest.approx(expected, rel=1e-6 + 2**-23 * 80)  # x itself times log2 e is rounded
    assert decay_32(np.float32(-1e9)) < 1e-37
    y = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 600)]).astype(np.float32)
    assert np.array([tail_32(v) for v in y]) == pytest.approx(erfcx(y.astype(np.float64)), rel=1e-6)
