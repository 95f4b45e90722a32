"""The same stimulus: equal networks answer equally, a shuffled one does not, and what cannot answer is refused."""

import numpy as np
import pytest
from numba import config

from neurograft.comparing import ResponseOptions, compare_responses, shuffled_map
from neurograft.errors import CompareError
from neurograft.maps import synapse_map
from neurograft.network import FitOptions, Stimulus
from neurograft.units import MS, MV

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")
QUICK = ResponseOptions(
    trial_s=0.2, n_trials=30, n_shuffled=3, rate_hz=8.0, fit=FitOptions(n_rounds=1, trial_s=3.0)
)  # fmt: skip


def net(n=16, seed=0):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(np.delete(np.arange(n), i), 4, replace=False) for i in range(n)])
    weight_v = np.where(pre < 12, 1.0, -1.5) * 4 * MV * rng.uniform(0.5, 1.5, 4 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 4), weight_v=weight_v, delay_s=2 * MS)


def three_fire(n=16, at_s=0.05):
    return Stimulus(n_neurons=n, forced_neuron=np.array([0, 1, 2]), forced_s=np.full(3, at_s))


def test_equal_networks_answer_equally_and_a_shuffled_one_does_not():
    m = net()
    same = compare_responses(m, m, three_fire(), options=QUICK, seed=1)
    assert same.counted.tolist() == list(range(3, 16))
    assert [row.value for row in same.rows] == pytest.approx([1.0] * 3)
    for row in same.rows[:2]:
        assert row.value > row.itself > row.nulls.max()
    assert same.rows[0].low == pytest.approx(1.0)
    wrong = compare_responses(m, shuffled_map(m, np.random.default_rng(5)), three_fire(), options=QUICK, seed=1)
    assert wrong.rows[1].value < 0.5 * same.rows[1].itself
    assert same.original.sum(axis=0).argmax() == 5  # three spikes at 50 ms arrive 2 ms later


def test_the_answer_without_synapses_is_nothing():
    m = net()
    silent = compare_responses(m, m.select(m.pre < 0), three_fire(), options=QUICK, seed=1)
    assert not silent.copy.any()
    assert [row.value for row in silent.rows] == [0.0] * 3


@pytest.mark.parametrize(
    ("stimulus", "words"),
    [
        (three_fire(at_s=0.3), "a trial lasts 0.2 s"),
        (Stimulus(n_neurons=16), "every neuron or none"),
        (Stimulus(n_neurons=16, forced_neuron=np.arange(16), forced_s=np.zeros(16)), "every neuron or none"),
    ],
)
def test_a_stimulus_that_cannot_be_judged_is_refused(stimulus, words):
    with pytest.raises(CompareError, match=words):
        compare_responses(net(), net(), stimulus, options=QUICK, seed=1)


def test_one_trial_is_refused():
    with pytest.raises(CompareError, match="at least two trials"):
        ResponseOptions(n_trials=1)
