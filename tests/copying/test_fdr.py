"""False-discovery rates against scipy, published numbers and mixtures whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from neurograft.copying._fdr import (
    STANDARD_NULL,
    Null,
    benjamini_hochberg,
    empirical_null,
    local_fdr,
    signed_q_values,
    two_sided_p,
)


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)))
def test_q_values_equal_those_of_scipy(p):
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p), rtol=1e-12)


def test_the_published_example_rejects_four_hypotheses():
    # Benjamini & Hochberg 1995, section 4.1: fifteen p-values, four rejected at .05.
    bulk = [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    p = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, *bulk])
    q = benjamini_hochberg(p)
    assert np.count_nonzero(q <= 0.05) == 4
    assert q[3] == pytest.approx(0.0095 * 15 / 4)


def test_untested_pairs_stay_nan_and_do_not_count():
    p = np.array([0.01, np.nan, 0.04, np.nan])
    q = benjamini_hochberg(p)
    assert np.array_equal(np.isnan(q), np.isnan(p))
    np.testing.assert_allclose(q[[0, 2]], [0.02, 0.04])
    assert benjamini_hochberg(np.zeros(0)).size == 0


def test_p_values_outside_zero_to_one_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg(np.array([0.5, 1.5]))


def test_p_values_are_right_in_the_far_tail():
    z = np.array([0.0, 1.959963984540054, -10.0, 60.0, np.nan])
    p = two_sided_p(z)
    np.testing.assert_allclose(p[:3], [1.0, 0.05, 2 * stats.norm.sf(10.0)], rtol=1e-12)
    assert 0 < p[3] <= 1e-300
    assert np.isnan(p[4])


def test_the_empirical_null_finds_centre_and_width_under_a_few_true_effects():
    rng = np.random.default_rng(1)
    z = 0.3 + 1.7 * rng.normal(size=20_000)
    z[:400] += 12.0
    null = empirical_null(z)
    # 2 % of effects move the centre by .025 sd and widen sd by 2 %; sampling error is 1 %.
    assert null.centre == pytest.approx(0.3, abs=0.09)
    assert null.sd == pytest.approx(1.7, rel=0.045)


def test_small_sets_keep_the_theoretical_null():
    z = 3.0 * np.random.default_rng(2).normal(size=199)
    assert empirical_null(z) == STANDARD_NULL
    assert empirical_null(np.append(z, 0.0)).sd > 2.0
    assert empirical_null(z, min_tests=100).sd > 2.0
    assert empirical_null(np.zeros(500)) == STANDARD_NULL


def test_each_sign_is_a_family_of_its_own():
    strong = np.full(50, 8.0)
    weak_inhibition = -2.5
    rng = np.random.default_rng(3)
    z = np.concatenate([strong, np.abs(rng.normal(size=500)), -np.abs(rng.normal(size=500)), [weak_inhibition]])
    q = signed_q_values(z)
    pooled = benjamini_hochberg(two_sided_p(z))
    assert q[-1] > 2 * pooled[-1]
    assert np.all(q[:50] < 1e-10)


def test_q_values_follow_the_null_that_they_are_given():
    z = np.array([1.0, 5.0, np.nan, -5.0])
    assert signed_q_values(z, null=Null(0.0, 2.0))[1] > signed_q_values(z)[1]
    assert signed_q_values(z, null=Null(1.0, 1.0))[3] < signed_q_values(z)[3]
    assert np.isnan(signed_q_values(z)[2])


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_the_realised_rate_of_signed_q_values_is_below_the_nominal_one(level):
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(200):
        z = rng.normal(size=400)
        z[:20] += 4.0
        called = signed_q_values(z) <= level
        shares.append(np.count_nonzero(called[20:]) / max(np.count_nonzero(called), 1))
    # BH controls level x (share of nulls) within each sign; the mean of 200 has a standard error of .004 to .008.
    assert np.mean(shares) < level * 1.25
    assert np.mean(shares) > level * 0.2


def test_local_fdr_lies_on_the_mixture_that_made_the_statistics():
    rng = np.random.default_rng(5)
    n, share = 200_000, 0.05
    z = rng.normal(size=n)
    z[: int(share * n)] += 3.5
    truth = (1 - share) * stats.norm.pdf(z) / ((1 - share) * stats.norm.pdf(z) + share * stats.norm.pdf(z - 3.5))
    found = local_fdr(z)
    between = (z > 1.5) & (z < 4.0)
    # Taking the share of nulls as 1 within the sign (it is .905) adds up to a tenth.
    assert np.median(found[between] / truth[between]) == pytest.approx(1.06, abs=0.08)
    assert np.mean(found[z < 0]) > 0.95


def test_local_fdr_falls_with_the_statistic_and_keeps_nan():
    z = np.append(np.random.default_rng(6).normal(size=3000), [9.0, -7.0, np.nan])
    found = local_fdr(z)
    assert np.isnan(found[-1])
    assert found[-3] < 1e-10
    assert found[-2] < 1e-6
    positive = np.sort(z[z > 0])
    assert np.all(np.diff(local_fdr(positive)) <= 1e-12)
    assert local_fdr(z, null=Null(0.0, 5.0))[-3] > found[-3]
    assert local_fdr(np.zeros(0)).size == 0
