"""Exponentials without branches against SciPy's."""

import numpy as np
import pytest
from scipy.special import erfcx

from neurograft.copying.intracellular.judging._bells import decay, tail


def test_the_decay_is_the_exponential_where_that_is_a_number():
    x = -np.concatenate([[0.0], np.geomspace(1e-12, 700.0, 400)])
    assert np.array([decay(v) for v in x]) == pytest.approx(np.exp(x), rel=1e-12)
    assert decay(-1e9) == 0.0


def test_the_tail_is_the_scaled_complement_of_the_error_function():
    y = np.concatenate([[0.0], np.geomspace(1e-9, 1e6, 600)])
    assert np.array([tail(v) for v in y]) == pytest.approx(erfcx(y), rel=1e-14)
