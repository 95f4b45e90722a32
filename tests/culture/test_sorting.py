"""Sorted units: each kind of error at the rate asked for, and a truth that follows the units."""

import numpy as np
import pytest

from neurograft.culture import SortedUnits, SortingOptions, sort_with_errors
from neurograft.errors import CultureError
from neurograft.maps import SynapseMap, synapse_map
from neurograft.spikes import SpikeTrains, spike_trains

N, SECONDS = 40, 400.0
PERFECT = SortingOptions(
    missed_fraction=0.0,
    false_hz=0.0,
    foreign_fraction=0.0,
    merged_fraction=0.0,
    split_fraction=0.0,
    shadow_s=0.0,
    jitter_s=0.0,
)


def network(seed: int = 0) -> tuple[SpikeTrains, SynapseMap]:
    rng = np.random.default_rng(seed)
    count = rng.poisson(2 * SECONDS, N)
    trains = spike_trains(
        time_s=rng.random(count.sum()) * SECONDS,
        neuron=np.repeat(np.arange(N), count),
        n_neurons=N,
        epochs_s=np.array([[0.0, SECONDS]]),
    )
    pre, post = np.nonzero(rng.random((N, N)) < 0.1)
    off = pre != post
    sign = np.where(np.arange(N) < 32, 1, -1)
    truth = synapse_map(
        n_neurons=N,
        pre=pre[off],
        post=post[off],
        weight_v=1e-3 * sign[pre[off]] * (1 + rng.random(off.sum())),
        delay_s=1e-3,
        position_um=np.column_stack([np.arange(N) * 20.0, np.zeros(N), np.zeros(N)]),
        sign=sign.astype(np.int8),
    )
    return trains, truth


def changed(**options: float) -> SortedUnits:
    from dataclasses import replace

    trains, truth = network()
    return sort_with_errors(trains, truth, seed=1, options=replace(PERFECT, **options))


def test_a_perfect_sorter_gives_back_spikes_and_truth() -> None:
    trains, truth = network()
    units = changed()
    assert np.array_equal(units.spikes.time_s, trains.time_s)
    assert np.array_equal(units.spikes.neuron, trains.neuron)
    assert np.array_equal(units.truth.weight_matrix_v(), truth.weight_matrix_v())
    assert np.array_equal(units.truth.sign, truth.sign)
    assert np.array_equal(units.share, np.eye(N))


def test_spikes_are_missed_from_some_units_more_than_from_others() -> None:
    trains, _ = network()
    kept = changed(missed_fraction=0.2).spikes.counts() / trains.counts()
    # Beta shares of mean 0.2 and variance 0.16 / 3: four standard errors over 40 units.
    assert kept.mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 3 / N))
    assert kept.std() > 0.1


def test_false_spikes_come_at_their_rate() -> None:
    trains, _ = network()
    added = changed(false_hz=0.5).spikes.n_spikes - trains.n_spikes
    assert added == pytest.approx(0.5 * SECONDS * N, abs=4 * np.sqrt(0.5 * SECONDS * N))


def test_foreign_spikes_come_from_the_nearest_neighbour() -> None:
    units = changed(foreign_fraction=0.1)
    assert units.share.max(axis=1).mean() == pytest.approx(0.9, abs=0.02)
    assert units.spikes.n_spikes == network()[0].n_spikes


def test_merged_units_hold_two_neurons_and_both_their_synapses() -> None:
    _, truth = network()
    units = changed(merged_fraction=0.3)
    assert units.spikes.n_neurons == N - 6
    two = np.flatnonzero(np.sum(units.share > 0.1, axis=1) == 2)
    assert two.size >= 1
    matrix, whole = units.truth.weight_matrix_v(), truth.weight_matrix_v()
    for unit in two:
        members = np.flatnonzero(units.share[unit] > 0.1)
        others = [u for u in range(units.spikes.n_neurons) if u not in two]
        owners = units.share[others].argmax(axis=1)
        reached = np.any(whole[np.ix_(members, owners)] != 0, axis=0)
        assert np.array_equal(matrix[unit, others] != 0, reached)


def test_split_units_are_two_with_the_same_synapses_and_none_between_them() -> None:
    units = changed(split_fraction=0.25)
    assert units.spikes.n_neurons == N + 10
    owner = units.share.argmax(axis=1)
    twice = np.flatnonzero(np.bincount(owner) == 2)
    matrix = units.truth.weight_matrix_v()
    for neuron in twice:
        first, second = np.flatnonzero(owner == neuron)
        assert np.array_equal(matrix[first] != 0, matrix[second] != 0)
        assert matrix[first, second] == matrix[second, first] == 0
    assert units.spikes.n_spikes == network()[0].n_spikes


def test_a_spike_in_the_shadow_of_a_neighbours_is_lost() -> None:
    trains, _ = network()
    lost = trains.n_spikes - changed(shadow_s=2e-3, shadow_um=30.0).spikes.n_spikes
    # Each spike is lost when one of about two neighbours (2 Hz) fired in the 2 ms before.
    assert lost == pytest.approx(trains.n_spikes * 2 * 2 * 2e-3, rel=0.25)
    wider = trains.n_spikes - changed(shadow_s=2e-3, shadow_um=100.0).spikes.n_spikes
    assert wider > 3 * lost


def test_times_are_jittered_and_stay_inside_the_recording() -> None:
    trains, _ = network()
    moved = changed(jitter_s=1e-3).spikes
    assert moved.n_spikes == trains.n_spikes
    shift = np.concatenate([a - b for a, b in zip(moved.by_neuron(), trains.by_neuron(), strict=True)])
    assert shift.std() == pytest.approx(1e-3, rel=0.1)


def test_units_with_few_spikes_are_left_out() -> None:
    trains, _ = network()
    least = int(np.median(trains.counts()))
    assert changed(least_spikes=least).spikes.n_neurons == np.sum(trains.counts() >= least)
    with pytest.raises(CultureError, match="No unit has 1000000 spikes"):
        changed(least_spikes=1_000_000)


def test_the_same_seed_gives_the_same_sorting() -> None:
    trains, truth = network()
    one, same, other = (sort_with_errors(trains, truth, seed=seed).spikes.time_s for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_wrong_input_is_refused() -> None:
    trains, _ = network()
    with pytest.raises(CultureError, match="missed_fraction is 1"):
        changed(missed_fraction=1.0)
    with pytest.raises(CultureError, match="jitter_s is -1"):
        changed(jitter_s=-1.0)
    fewer = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=1e-3)
    with pytest.raises(CultureError, match="The spikes have 40 neurons and the truth 2"):
        sort_with_errors(trains, fewer, seed=1)
