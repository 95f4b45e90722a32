import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.judging._null_width import _middle_half, null_width

N = 60
OPEN = ~np.eye(N, dtype=bool)


def test_widths_of_both_sides_are_found_and_none_is_over_one():
    rng = np.random.default_rng(1)
    pre, post = rng.uniform(0.6, 1.2, N), rng.uniform(0.7, 1.0, N)
    z = pre[:, None] * post * rng.standard_normal((7, N, N))
    found = null_width(z, OPEN)
    asked = np.minimum(1.05 * pre[:, None] * post, 1.0)
    assert np.median(np.abs(found / asked - 1)) < 0.06  # 7 x 59 numbers give a quartile range to 4 %, two of them 6
    assert found.max() == 1.0


def test_synapses_hardly_move_the_width():
    rng = np.random.default_rng(2)
    z = 0.7 * rng.standard_normal((7, N, N))
    z[:, rng.random((N, N)) < 0.1] += 8.0
    assert np.median(null_width(z, OPEN)) == pytest.approx(1.05 * 0.7, rel=0.15)  # a share c widens by about c


def test_what_is_as_wide_as_stated_stays():
    z = np.random.default_rng(3).standard_normal((7, N, N))
    assert null_width(z, OPEN).mean() > 0.98


def test_neurons_with_few_pairs_keep_what_is_stated():
    z = 0.5 * np.random.default_rng(4).standard_normal((7, 12, 12))
    assert np.all(null_width(z, ~np.eye(12, dtype=bool)) == 1.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 30))
def test_the_middle_half_is_that_of_numpy(seed, n_templates, n):
    rng = np.random.default_rng(seed)
    z, width = rng.standard_normal((n_templates, 40)), rng.uniform(0.5, 2.0, 40)
    known = np.sort(rng.choice(40, n, replace=False))
    low, high = np.quantile(z[:, known] / width[known], [0.25, 0.75])
    assert _middle_half(z, width, known) == pytest.approx(high - low, rel=1e-12, abs=1e-15)
