"""One sign for all outputs of a neuron: Bayes' rule written out pair by pair, and what it may not do."""

import numpy as np
import pytest

from neurograft.copying.spikes._dale import by_sign_of_neuron

PRIOR = 0.05


def by_hand(up, down, is_judged, prior):
    """Sum over the two signs of the neuron, then over synapse of this sign, of the wrong sign, none."""
    base = prior / (1 - prior)
    answer = np.full((2, *up.shape), np.nan)
    for i in range(len(up)):
        targets = np.flatnonzero(is_judged[i])
        weight = {}
        for sign in (1, -1):
            weight[sign] = 0.0
            for j in targets:
                factor = {1: np.exp(up[i, j]) / base, -1: np.exp(down[i, j]) / base}
                weight[sign] += np.log((1 - prior) + prior * (0.97 * factor[sign] + 0.03 * factor[-sign]))
        excites = 1 / (1 + np.exp(-np.clip(weight[1] - weight[-1], -3, 3)))
        for j in targets:
            factor = {1: np.exp(up[i, j]) / base, -1: np.exp(down[i, j]) / base}
            chance = {1: 0.0, -1: 0.0}
            for sign, share in ((1, excites), (-1, 1 - excites)):
                total = (1 - prior) + prior * (0.97 * factor[sign] + 0.03 * factor[-sign])
                chance[sign] += share * prior * 0.97 * factor[sign] / total
                chance[-sign] += share * prior * 0.03 * factor[-sign] / total
            answer[0, i, j] = np.log(chance[1] / (1 - chance[1]))
            answer[1, i, j] = np.log(chance[-1] / (1 - chance[-1]))
    return answer


@pytest.mark.parametrize("seed", range(4))
def test_odds_are_those_of_bayes_rule_written_out(seed):
    rng = np.random.default_rng(seed)
    up, down = rng.normal(-4, 3, (2, 6, 6))
    is_judged = ~np.eye(6, dtype=bool) & (rng.random((6, 6)) < 0.9)
    found = by_sign_of_neuron(up, down, is_judged, PRIOR)
    for mine, hand in zip(found, by_hand(up, down, is_judged, PRIOR), strict=True):
        np.testing.assert_allclose(mine[is_judged], hand[is_judged], rtol=1e-9, atol=1e-9)


def test_clear_outputs_decide_the_sign_of_an_unclear_one():
    up, down = np.full((4, 4), -6.0), np.full((4, 4), -6.0)
    up[0, 1] = up[0, 2] = 6.0
    up[0, 3], down[0, 3] = 0.0, 0.5
    up[1, 3], down[1, 3] = 0.0, 0.5
    more, less = by_sign_of_neuron(up, down, ~np.eye(4, dtype=bool), PRIOR)
    assert more[0, 3] > less[0, 3]  # neuron 0 excites, so this output is read as excitation
    assert less[1, 3] > more[1, 3]
    assert more[0, 1] > 3


def test_signs_are_treated_alike():
    rng = np.random.default_rng(5)
    up, down = rng.normal(-3, 3, (2, 5, 5))
    off = ~np.eye(5, dtype=bool)
    one, two = by_sign_of_neuron(up, down, off, PRIOR), by_sign_of_neuron(down, up, off, PRIOR)
    np.testing.assert_allclose(one[0], two[1])
    np.testing.assert_allclose(one[1], two[0])


def test_one_clear_synapse_of_the_wrong_sign_survives_a_whole_row():
    # Unseen neurons can make a row of false ones; what is clear by itself is not to be voted down.
    up, down = np.full((12, 12), -6.0), np.full((12, 12), -6.0)
    up[0, 1:11] = 4.0
    down[0, 11] = 12.0
    _, less = by_sign_of_neuron(up, down, ~np.eye(12, dtype=bool), PRIOR)
    assert less[0, 11] > 0
