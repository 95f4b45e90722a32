"""Amplifiers' copies told from potentials, all pairs at once, against one pair after another."""

import numpy as np
import pytest

from neurograft.copying.intracellular.judging._crosstalk import _explained, cross_talk
from neurograft.copying.intracellular.judging._triggered import Averages

LAG_S = np.arange(-30, 81) / 10_000


def averaged(mean_v, se_v=2e-6):
    mean_v = np.atleast_2d(mean_v)
    return Averages(LAG_S, mean_v, np.full(mean_v.shape, se_v), np.full(len(mean_v), 500))


def spike(at_s=0.0):
    since_s = LAG_S - at_s
    return 0.1 * np.exp(-0.5 * ((since_s - 0.3e-3) / 0.25e-3) ** 2)


def psp(at_s):
    since_s = np.maximum(LAG_S - at_s, 0.0)
    return 0.5e-3 * (np.exp(-since_s / 10e-3) - np.exp(-since_s / 1e-3))


@pytest.mark.parametrize("seed", range(4))
def test_what_two_courses_explain_is_that_of_least_squares(seed):
    rng = np.random.default_rng(seed)
    answer, one, other = rng.standard_normal((3, 6, 30))
    other[0], one[1] = 2 * one[0], 0.0  # one a multiple of the other; none
    for k, share in enumerate(_explained(answer, one, other)):
        basis = np.column_stack([one[k], other[k]])
        left = answer[k] - basis @ np.linalg.lstsq(basis, answer[k], rcond=None)[0]
        assert share == pytest.approx(1 - np.sum(left**2) / np.sum(answer[k] ** 2), rel=1e-9)


def test_copies_are_told_and_potentials_are_not():
    rng = np.random.default_rng(1)
    copies = [0.01 * spike(), -0.005 * spike(0.1e-3), 3e-6 * np.gradient(spike()) / np.gradient(LAG_S)]
    others = [psp(1e-3), -psp(2e-3), np.zeros_like(LAG_S), psp(0.7e-3) + 0.001 * spike()]
    both = np.array([*copies, *others]) + 2e-6 * rng.standard_normal((7, len(LAG_S)))
    found = cross_talk(averaged(both), averaged([spike()] * 7))
    assert found.is_cross_talk.tolist() == [True] * 3 + [False] * 4
    assert found.peak_v[0] == pytest.approx(1e-3, rel=0.02)
    assert found.peak_s[0] == pytest.approx(0.3e-3, abs=0.11e-3)


def test_pairs_that_were_not_seen_are_no_cross_talk():
    unseen = averaged([np.full(len(LAG_S), np.nan), 0.01 * spike()])
    found = cross_talk(unseen, averaged([spike(), np.full(len(LAG_S), np.nan)]))
    assert not found.is_cross_talk.any()
    assert np.isnan(found.peak_v).all()
