"""Copy of a copy: a copier that is right, one that finds nothing, and the real one against shuffled maps."""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from neurograft.comparing import compare_recopied, shuffled_map
from neurograft.copying import copy_spikes
from neurograft.errors import CompareError
from neurograft.maps import Evidence, synapse_map
from neurograft.network import run, steady_drive
from neurograft.spikes import spike_trains
from neurograft.units import MS, MV


def living(n=10, seed=0):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(np.delete(np.arange(n), i), 2, replace=False) for i in range(n)])
    weight_v = np.where(pre < 0.7 * n, 1.0, -1.5) * 5 * MV * rng.uniform(0.7, 1.3, 2 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 2), weight_v=weight_v, delay_s=2 * MS)


def few_spikes(n=10):
    return spike_trains(time_s=np.array([0.5]), neuron=np.array([0]), n_neurons=n, epochs_s=np.array([[0.0, 1.0]]))


def test_a_copier_that_finds_the_very_map_scores_one_everywhere():
    m, spikes = living(), few_spikes()
    weight_v = np.zeros((10, 10))
    weight_v[m.pre, m.post] = m.weight_v
    evidence = Evidence(
        z=weight_v.astype(np.float32), limit_v=np.zeros((10, 10), np.float32), undecidable=np.zeros((10, 10), np.uint8)
    )
    found = compare_recopied(m, spikes, spikes, [], copier=lambda _: replace(m, evidence=evidence), seed=1)
    assert (found.n_first, found.n_called) == (20, 20)
    assert [row.value for row in found.rows] == pytest.approx([1.0] * 5)
    assert found.rows[0].low < 1.0  # 20 of 20 by Wilson: 0.84
    assert all(np.isnan(row.p) for row in found.rows)  # no null


def test_a_wrong_sign_is_not_found_again_and_an_empty_map_finds_nothing():
    m, spikes = living(), few_spikes()
    found = compare_recopied(m, spikes, spikes, [], copier=lambda _: replace(m, weight_v=-m.weight_v), seed=1)
    assert [found.rows[k].value for k in (0, 1)] == [0.0, 0.0]
    found = compare_recopied(m, spikes, spikes, [], copier=lambda _: m.select(m.pre < 0), seed=1)
    assert found.rows[0].value == 0.0
    assert found.rows[2].value == 0.5  # equal scores rank as chance
    assert found.rows[3].value == 0.0


def test_other_neurons_are_refused():
    with pytest.raises(CompareError, match="not those of the map"):
        compare_recopied(living(), few_spikes(), few_spikes(n=9), [], copier=copy_spikes, seed=1)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="minutes of model time need compiled code")
def test_the_map_comes_back_out_of_the_copys_activity_and_not_out_of_shuffled_maps():
    m, drive = living(), steady_drive(10, mean_v=9 * MV, noise_sd_v=4 * MV)

    def activity(other, seed):
        return run(other, duration_s=150.0, seed=seed, drive=drive).spikes

    shuffled = [activity(shuffled_map(m, rng), 3) for rng in np.random.default_rng(9).spawn(3)]
    found = compare_recopied(m, activity(m, 1), activity(m, 2), shuffled, copier=copy_spikes, seed=1)
    recall, right, rank, strengths, functional = found.rows
    assert recall.value > recall.nulls.max()  # of so few pairs a shuffled map shares a fifth by chance
    assert right.value > right.nulls.max()
    assert rank.value > 0.9 > rank.nulls.max()
    assert strengths.value > 0.8 > strengths.nulls.max()
    assert functional.value > 0.8 > functional.nulls.max()
    assert np.isnan(functional.itself)
    assert all(row.low <= row.value <= row.high for row in found.rows)
    assert rank.p == 1 / 4
