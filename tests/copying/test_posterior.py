"""Pairs judged side by side, with 32 bits, against the same judgement written out with 64."""

import numpy as np
import pytest
from _written_out import judge_written_out, learn_written_out
from test_mixture import KINDS, OPEN, N, made
from test_scores import uneven

from neurograft.copying.intracellular.judging import _side_by_side
from neurograft.copying.intracellular.judging._amplitude import scores
from neurograft.copying.intracellular.judging._mixture import DIRECT_SD_V, RIVAL_SD_V, Mixture, learn
from neurograft.copying.intracellular.judging._posterior import judge_all
from neurograft.copying.intracellular.judging._templates import Family


def mixed(seed):
    """A mixture in which synapses are common, with latencies before and after the bulk."""
    rng, is_direct = np.random.default_rng(seed), KINDS.family == Family.DIRECT
    direct, rival = (
        rng.exponential(size=(k, len(sizes))) / k / len(sizes)
        for k, sizes in ((np.count_nonzero(is_direct), DIRECT_SD_V), (np.count_nonzero(~is_direct), RIVAL_SD_V))
    )
    latency_s = KINDS.latency_s[is_direct]
    return Mixture(0.8, 0.1 * direct, 0.1 * rival, (latency_s > 1.5e-3) & (latency_s < 7.5e-3))


def both(fit, mixture, *, is_dale=True, is_sure=OPEN):
    quick = judge_all(fit, KINDS, OPEN, mixture, sd=1.2, is_dale=is_dale, is_sure=is_sure)
    found = scores(fit, KINDS, np.arange(N))
    return quick, judge_written_out(found, KINDS, OPEN, mixture, sd=1.2, is_dale=is_dale, is_sure=is_sure)


@pytest.mark.parametrize(("seed", "is_dale"), [(0, True), (1, False), (2, True)])
@pytest.mark.parametrize("size", [1.0, 10.0])
def test_pairs_judged_side_by_side_are_judged_as_written_out(seed, is_dale, size):
    fit = uneven(seed)
    fit = fit._replace(beta=size * fit.beta)
    is_sure = OPEN & (np.random.default_rng(seed).random((N, N)) < 0.7)
    quick, slow = both(fit, mixed(seed), is_dale=is_dale, is_sure=is_sure)
    seen = OPEN & (fit.noise > 0)
    assert quick.direct[seen] == pytest.approx(slow.direct[seen], abs=1e-4)
    for one, other in zip(quick.family, slow.family, strict=True):
        assert one[seen] == pytest.approx(other[seen], abs=1e-4)
    assert quick.excitatory == pytest.approx(slow.excitatory, abs=1e-4)
    assert quick.excitatory_alone[seen] == pytest.approx(slow.excitatory_alone[seen], abs=1e-4)
    assert quick.latency_s[seen] == pytest.approx(slow.latency_s[seen], abs=1e-6)
    # where a sign is half known, the likeliest template is that of a neighbouring certainty, but in no likely synapse
    known = np.min(np.abs(slow.excitatory[:, None] - [0.0, 0.5, 1.0]), axis=1) < 1e-3
    for one, other in ((quick.amplitude_v, slow.amplitude_v), (quick.se_v, slow.se_v)):
        same = np.isclose(one, other, rtol=1e-4, atol=1e-9)
        assert same[(slow.direct > 0.5) & seen].all()
        assert same[known[:, None] & seen].mean() > 0.99  # two are as likely in a few pairs
    assert known.any()


def test_how_many_are_taken_side_by_side_changes_nothing_beyond_rounding(monkeypatch):
    fit, mixture = uneven(3), mixed(3)
    whole = judge_all(fit, KINDS, OPEN, mixture, sd=1.0, is_dale=False, is_sure=OPEN)
    monkeypatch.setattr(_side_by_side, "LANES", 7)
    cut = judge_all(fit, KINDS, OPEN, mixture, sd=1.0, is_dale=False, is_sure=OPEN, n_threads=2)
    assert cut.log_odds == pytest.approx(whole.log_odds, abs=1e-5, nan_ok=True)


def test_silent_neurons_are_not_judged():
    fit, mixture = uneven(4), mixed(4)
    fit = fit._replace(n_spikes=np.where(np.arange(N) == 3, 0, fit.n_spikes))
    found = judge_all(fit, KINDS, OPEN & (np.arange(N)[:, None] != 3), mixture, sd=1.0, is_dale=True, is_sure=OPEN)
    assert np.isnan(found.direct[3]).all()
    assert found.excitatory[3] == 0.5
    assert np.isfinite(found.direct[4, np.arange(N) != 4]).all()


def test_a_mixture_that_was_learnt_calls_the_same():
    fit, _ = made(5)
    mixture = learn(scores(fit, KINDS, np.arange(N)), KINDS, OPEN, sd=1.0, is_dale=True)
    quick, slow = both(fit, mixture)
    assert quick.direct[OPEN] == pytest.approx(slow.direct[OPEN], abs=1e-4)
    assert np.array_equal(quick.sign[OPEN][quick.direct[OPEN] > 0.5], slow.sign[OPEN][quick.direct[OPEN] > 0.5])
    known = OPEN & (slow.log_odds < 600)  # more is no number when it is not a logarithm
    assert quick.log_odds[known] == pytest.approx(slow.log_odds[known], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(("seed", "is_dale"), [(6, True), (7, False)])
def test_shares_are_those_learnt_with_64_bits(seed, is_dale):
    fit, _ = made(seed)
    found = scores(fit, KINDS, np.arange(N))
    mixture = learn(found, KINDS, OPEN, sd=1.1, is_dale=is_dale)
    nothing, direct, rival = learn_written_out(found, KINDS, OPEN, sd=1.1, is_dale=is_dale)
    assert mixture.nothing == pytest.approx(nothing, abs=1e-6)
    assert mixture.direct == pytest.approx(direct, rel=1e-3, abs=1e-6)
    assert mixture.rival == pytest.approx(rival, rel=1e-3, abs=1e-6)
    assert mixture.direct.max() > 0.01
