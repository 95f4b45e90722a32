"""Poisson input: the distribution of counts, where it arrives, the same numbers on any threads, refusals."""

from itertools import pairwise

import numpy as np
import pytest
from numba import config
from scipy import stats

from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import Drive, Poisson, RunOptions, run
from neurograft.network._poisson import add_poisson, count_of, poisson_input
from neurograft.network._random import LANES, STREAM_POISSON, words_of
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.units import MS, MV

STEP_S = 0.1 * MS
N_STEPS = 4000 if not config.DISABLE_JIT else 100


def unconnected(n):
    return synapse_map(n_neurons=n, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS)


def driven(rate_hz, weight_v):
    n = rate_hz.size
    return Drive(mean_v=np.zeros(n), noise_sd_v=np.zeros(n), poisson=Poisson(rate_hz=rate_hz, weight_v=weight_v))


def counts_of(rate_hz, *, first=0, n_steps=N_STEPS):
    n = rate_hz.size
    given = poisson_input(rate_hz, STEP_S, amplitude=np.ones(n), place=np.arange(n))
    counts, words = np.zeros((n_steps, n), dtype=np.float32), np.empty(4 * LANES, dtype=np.uint64)
    for k in range(n_steps):
        add_poisson(3, k, first, given, counts[k], words)
    return counts


@pytest.mark.parametrize("n_rates", [3, 100])
def test_counts_have_the_poisson_distribution(n_rates):
    rate_hz = np.geomspace(200.0, 60_000.0, n_rates)
    counts = counts_of(rate_hz, n_steps=N_STEPS * 3 // n_rates + 50)
    for mean, column in zip(rate_hz * STEP_S, counts.T, strict=True):
        edges = [0, *stats.poisson.ppf(np.arange(0.1, 0.95, 0.1), mean).astype(int), 10_000]
        bins = [(a, b) for a, b in pairwise(sorted(set(edges))) if b > a]
        seen = np.array([np.sum((column >= a) & (column < b)) for a, b in bins])
        share = np.array([stats.poisson.cdf(b - 1, mean) - stats.poisson.cdf(a - 1, mean) for a, b in bins])
        if len(bins) > 1:
            # One of a hundred columns may have this p by chance with probability 1e-4.
            assert stats.chisquare(seen, share / share.sum() * seen.sum()).pvalue > 1e-6
        else:
            assert column.sum() == pytest.approx(mean * column.size, abs=5 * np.sqrt(mean * column.size) + 1)


@pytest.mark.parametrize("first", [0, 70])
def test_neighbours_of_one_rate_have_each_its_own_words_count_and_together_the_distribution(first):
    rate_hz = np.repeat([500.0, 12_000.0, 40_000.0, 12_000.0], [3, 300, 200, 1])
    counts = counts_of(rate_hz, first=first, n_steps=40)
    given = poisson_input(rate_hz, STEP_S, amplitude=np.ones(504), place=np.arange(504))
    words = np.empty(504, dtype=np.uint64)
    for k in range(3):
        words_of(3, STREAM_POISSON, k, first, words)
        own = [
            count_of(word, given.begin[c], given.edges[c], given.shift)
            for word, c in zip(words, given.rate_class, strict=True)
        ]
        assert counts[k].tolist() == own
    pooled = counts[:, 3:303].ravel()
    seen = np.bincount(np.minimum(pooled, 5).astype(int), minlength=6)
    share = np.append(stats.poisson.pmf(np.arange(5), 1.2), stats.poisson.sf(4, 1.2))
    assert stats.chisquare(seen, share * pooled.size).pvalue > 1e-3  # one fixed draw, of 12,000 numbers


def test_neurons_and_steps_are_independent_and_any_part_gives_the_same_numbers():
    rate_hz = np.full(300, 12_000.0)
    counts = counts_of(rate_hz, n_steps=400)
    assert abs(np.corrcoef(counts[:, 0], counts[:, 1])[0, 1]) < 5 / 20
    assert abs(np.corrcoef(counts[1:].ravel(), counts[:-1].ravel())[0, 1]) < 5 / np.sqrt(counts.size)
    np.testing.assert_array_equal(counts_of(rate_hz[70:], first=70, n_steps=50), counts[:50, 70:])


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="a hundred neuron-seconds")
def test_spikes_from_outside_move_the_potential_through_the_neurons_own_synapse():
    n, rate, weight_v = 400, 8000.0, 0.1 * MV
    for neuron in (Lif(threshold_v=1.0), Lif(threshold_v=1.0, synapse=ExponentialSynapse())):
        options = RunOptions(start_v=np.zeros(n), record_voltage_of=tuple(range(n)))
        drive = driven(np.full(n, rate), np.full(n, weight_v))
        v = run(unconnected(n), duration_s=0.2, seed=5, neuron=neuron, drive=drive, options=options).voltage_v[-1]
        area_s = neuron.area_s(np.array([weight_v]))[0]
        # Campbell's theorem: mean rate times area (1 - exp(-10) of it after ten time constants).
        assert v.mean() == pytest.approx(rate * weight_v * area_s, abs=4 * v.std() / np.sqrt(n) + 1e-6)
        if not isinstance(neuron.synapse, ExponentialSynapse):
            assert v.var() == pytest.approx(weight_v**2 * rate * neuron.tau_m_s / 2, rel=0.3)  # 4 sd of 400


def test_threads_skipping_and_both_signs_give_the_same_spikes():
    n = 90
    rng = np.random.default_rng(0)
    pair = rng.choice(n * n, 400, replace=False)
    m = synapse_map(
        n_neurons=n, pre=pair // n, post=pair % n, weight_v=rng.integers(-3, 9, 400) * 2.0**-10, delay_s=1 * MS
    )  # fmt: skip
    rate_hz, weight_v = rng.choice([0.0, 3000.0, 9000.0], n), rng.choice([-1, 4], n) * 2.0**-10
    drive = driven(rate_hz, weight_v)
    one, two, lazy = (
        run(m, duration_s=0.1, seed=5, drive=drive, options=options).spikes
        for options in (RunOptions(), RunOptions(n_threads=2, chunk_s=3 * MS), RunOptions(skip_quiet=True))
    )
    assert one.n_spikes > 20
    for other in (two, lazy):
        assert np.array_equal(one.time_s, other.time_s)
        assert np.array_equal(one.neuron, other.neuron)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Poisson(rate_hz=np.array([-1.0]), weight_v=np.zeros(1)), r"rate_hz\[0\] is -1.0 Hz"),
        (lambda: Poisson(rate_hz=np.array([np.nan]), weight_v=np.zeros(1)), r"rate_hz\[0\] is nan"),
        (lambda: run(unconnected(1), duration_s=0.1, seed=0, drive=driven(np.array([2e6]), np.ones(1))), "be drawn"),
        (lambda: Drive(mean_v=np.zeros(2), noise_sd_v=np.zeros(2), poisson=Poisson(
            rate_hz=np.ones(1), weight_v=np.ones(1))), "2 means and 1 Poisson rates"),
    ],
)  # fmt: skip
def test_impossible_input_is_refused(make, message):
    with pytest.raises(RunError, match=message):
        make()
