"""The map's columns."""

import numpy as np
import pytest

from neurograft.copying.intracellular._chart import size_of_paths


def test_paths_that_hardly_fit_are_not_stated_as_large_as_their_error():
    size_v, sd_v = size_of_paths(np.array([168e-3, 1e-3]), np.array([0.1, 1e-5]))
    assert size_v[0] == pytest.approx(168e-3 * 3.2e-3**2 / (3.2e-3**2 + 0.1**2))  # a normal prior of 3.2 mV
    assert sd_v[0] == pytest.approx(3.2e-3, rel=1e-3)
    assert size_v[1] == pytest.approx(1e-3, rel=1e-4)
    assert sd_v[1] == pytest.approx(1e-5, rel=1e-4)
