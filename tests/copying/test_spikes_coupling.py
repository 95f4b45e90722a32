"""The regression from correlograms against the design matrix itself, and its statistics against exact ones."""

import numpy as np
import pytest
from scipy import stats

from neurograft.copying.spikes import _coupling
from neurograft.copying.spikes._correlogram import LagGrid, events
from neurograft.copying.spikes._coupling import (
    BoxOptions,
    box_scores,
    boxes,
    counted_z,
    coupling,
    lift_of,
    normal_equations,
)
from neurograft.copying.spikes._duplicates import repeats, without
from neurograft.copying.spikes._joint import all_correlograms
from neurograft.copying.spikes._latent import excess
from neurograft.errors import CopyError
from neurograft.progress import silent
from neurograft.spikes import spike_trains

GRID = LagGrid(bin_s=1e-3, half_window_s=60e-3)
OPTIONS = BoxOptions()


def binned_trains(rng, *, n=3, n_bins=20_000, rate=0.02):
    """Spikes on the bins of the grid, at most one a bin, silent at both ends so that no lag is cut off."""
    spikes = rng.random((n, n_bins)) < rate
    spikes[:, :70] = spikes[:, -70:] = False
    neuron, frame = np.nonzero(spikes)
    trains = spike_trains(time_s=frame * 1e-3, neuron=neuron, n_neurons=n, epochs_s=np.array([[0.0, n_bins * 1e-3]]))
    return spikes, trains


def excess_of(trains):
    counts = all_correlograms(events(trains, GRID), GRID, threads=1, progress=silent)
    return excess(counts, np.ones(GRID.n_bins))


def test_normal_equations_from_correlograms_are_those_of_the_design_matrix():
    spikes, trains = binned_trains(np.random.default_rng(1))
    lags = boxes(GRID, OPTIONS)
    found = excess_of(trains)
    gram, right = normal_equations(found.values, lags, GRID, spikes.shape[1])
    n, total = len(spikes), spikes.shape[1]
    design = np.array([[sum(np.roll(train, lag) for lag in box) for train in spikes] for box in lags]).astype(float)
    for b in range(len(lags)):
        for i in range(n):
            for k in range(n):
                scale = np.sqrt(found.mean[i, k] * total)
                size = lags[b].size
                if i != k:
                    direct = (design[b, i] @ spikes[k] - size * found.mean[i, k]) / scale / np.sqrt(size)
                    assert right.reshape(len(lags), n, n)[b, i, k] == pytest.approx(direct, abs=1e-5)
                for c in range(len(lags)):
                    if i == k:
                        continue
                    both = size * lags[c].size
                    direct = (design[b, i] @ design[c, k] - both * found.mean[i, k]) / scale / np.sqrt(both)
                    assert gram.reshape(len(lags), n, len(lags), n)[b, i, c, k] == pytest.approx(direct, abs=1e-5)
    assert np.allclose(np.diag(gram), 1.0, atol=0.15)
    assert np.array_equal(gram, gram.T)


def test_z_of_unconnected_trains_is_standard_normal_and_a_synapse_stands_out():
    rng = np.random.default_rng(2)
    spikes, trains = binned_trains(rng, n=30, n_bins=100_000)
    found = excess_of(trains)
    z = coupling(found.values, found.mean, GRID, OPTIONS, n_bins_seen=spikes.shape[1]).z
    z = z[~np.eye(30, dtype=bool)]
    # About ten coincidences a window: moving counts by half narrows z a little.
    assert 0.8 < np.std(z) < 1.05
    assert np.mean(np.abs(z) > 2.5758) < 0.01 + 4 * np.sqrt(0.01 / 870)
    assert np.max(np.abs(z)) < 5


def test_an_indirect_path_is_no_synapse_where_the_middle_is_seen():
    rng = np.random.default_rng(3)
    spikes, _ = binned_trains(rng, n=4, n_bins=200_000)
    for pre, post in ((0, 1), (1, 2)):
        caused = np.flatnonzero(spikes[pre] & (rng.random(spikes.shape[1]) < 0.3)) + 3
        spikes[post, caused] = True
    neuron, frame = np.nonzero(spikes)
    trains = spike_trains(time_s=frame * 1e-3, neuron=neuron, n_neurons=4, epochs_s=np.array([[0.0, 200.0]]))
    found = excess_of(trains)
    z = coupling(found.values, found.mean, GRID, OPTIONS, n_bins_seen=spikes.shape[1]).z
    chain = found.values[0, 2, GRID.n_half + 6]
    assert z[0, 1] > 10
    assert z[1, 2] > 10
    assert chain > 4  # the correlogram alone shows 0 -> 2 at 6 ms
    assert abs(z[0, 2]) < 4


@pytest.mark.parametrize("expected", [0.1, 1.0, 5.0, 40.0])
def test_counted_z_is_the_poisson_tail(expected):
    counts = np.arange(0, 3 * expected + 6)
    z = counted_z((counts - expected)[None] / np.sqrt(expected), np.full((1, counts.size), expected))[0]
    p = np.where(counts > expected, stats.poisson.sf(counts - 1, expected), stats.poisson.cdf(counts, expected))
    exact = stats.norm.isf(np.minimum(p, 0.5)) * np.sign(counts - expected)
    far = np.abs(exact) > 1.0
    if expected < 1:
        assert np.all(np.abs(z[far]) < np.abs(exact[far]))  # with next to nothing expected it errs towards 0
        return
    np.testing.assert_allclose(z[far], exact[far], atol=0.25, rtol=0.05)


def test_counted_z_leaves_large_counts_alone():
    z = np.array([[-4.0, 0.5, 6.0]])
    np.testing.assert_allclose(counted_z(z, np.full((1, 3), 1e8)), z, atol=0.01)


def test_boxes_hold_the_bins_whose_centres_they_hold():
    fine = boxes(LagGrid(), OPTIONS)
    assert [0.5 * box[0] for box in fine] == [1.0, 2.0, 3.0, 4.0, 5.5, 7.5, 10.5, 15.5, 22.5]
    assert np.array_equal(np.concatenate(fine), np.arange(2, 60))
    coarse = boxes(LagGrid(bin_s=2e-3), OPTIONS)
    assert np.array_equal(np.concatenate(coarse), np.arange(1, 15))
    with pytest.raises(CopyError, match="rising lags"):
        BoxOptions(edges_s=(2e-3, 1e-3))
    with pytest.raises(CopyError, match="Raise half_window_s"):
        boxes(LagGrid(half_window_s=30e-3), OPTIONS)


def test_other_boxes_give_other_statistics():
    rng = np.random.default_rng(4)
    spikes, trains = binned_trains(rng)
    found = excess_of(trains)

    def z(options):
        return coupling(found.values, found.mean, GRID, options, n_bins_seen=spikes.shape[1]).z

    assert not np.allclose(z(OPTIONS), z(BoxOptions(edges_s=(0.75e-3, 2.75e-3, 5.75e-3))))


def test_duplicates_are_the_quieter_of_two_units_that_fire_together():
    rng = np.random.default_rng(5)
    one = np.sort(rng.uniform(0, 100, 500))
    other = np.sort(rng.uniform(0, 100, 500))
    part = one[:300] + 0.1e-3
    times = [part, one, other, one + 0.1e-3, np.zeros(0)]
    trains = spike_trains(
        time_s=np.concatenate(times),
        neuron=np.concatenate([np.full(len(t), i) for i, t in enumerate(times)]),
        n_neurons=5,
        epochs_s=np.array([[0.0, 101.0]]),
    )
    spikes = events(trains, GRID)
    dropped = repeats(spikes).is_twin
    assert dropped.tolist() == [True, False, False, True, False]
    left = without(spikes, dropped)
    assert np.diff(left.own_start).tolist() == [0, 500, 500, 0, 0]
    assert set(left.neuron.tolist()) == {1, 2}
    assert left.ticks.size == left.own.size == 1000
    assert not repeats(left).is_twin.any()


def test_single_precision_of_many_neurons_gives_the_same_z(monkeypatch):
    spikes, trains = binned_trains(np.random.default_rng(5), n=40, n_bins=50_000)
    found = excess_of(trains)
    double = coupling(found.values, found.mean, GRID, OPTIONS, n_bins_seen=spikes.shape[1]).z
    monkeypatch.setattr(_coupling, "_MOST_DOUBLE", 10)
    single = coupling(found.values, found.mean, GRID, OPTIONS, n_bins_seen=spikes.shape[1]).z
    assert not np.array_equal(single, double)
    assert np.allclose(single, double, atol=2e-3)


def test_z_is_of_unit_variance_where_a_drive_lifts_the_counts():
    # Independent Poisson counts around a bump that is known and taken away: what is left scatters with the bump.
    rng = np.random.default_rng(8)
    n, mean = 30, np.full((30, 30), 30.0)
    bump = 3 * np.exp(-0.5 * (GRID.lag_s / 12e-3) ** 2)
    counts = rng.poisson(30.0 * (1 + bump), (n, n, GRID.n_bins))
    raw = ((counts - 30.0) / np.sqrt(30.0)).astype(np.float32)
    rest = (raw - bump * np.sqrt(30.0)).astype(np.float32)
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    rest[upper.T] = rest.transpose(1, 0, 2)[upper.T][:, ::-1]
    rest[np.arange(n), np.arange(n)] = 0.0
    lift = lift_of(raw, rest, mean, GRID, OPTIONS)
    lags = boxes(GRID, OPTIONS)
    assert lift[upper][:, 0] == pytest.approx(1 + bump[GRID.n_half + lags[0]].mean(), rel=1e-4)
    plain, even = (box_scores(rest, mean, GRID, OPTIONS, n_bins_seen=1e7, lift=each).z[upper] for each in (None, lift))
    assert plain[:, 0].std() > 1.5
    assert even.std(axis=0) == pytest.approx(1.0, abs=0.12)
