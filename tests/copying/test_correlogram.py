"""Correlograms against SpikeInterface, a slow twin and the laws that counts obey."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.spikes._correlogram import LagGrid, block_stops, count_block, count_pair, events
from neurograft.errors import CopyError
from neurograft.spikes import spike_trains

GRID = LagGrid(bin_s=1e-3, half_window_s=10e-3)
# Times on a 50 us sampling grid meet bin edges exactly, the hardest case for half-open bins.
TIMES = st.lists(st.integers(0, 6000).map(lambda k: k * 50e-6), max_size=40)


def correlogram_reference(pre_s, post_s, *, grid, is_reversed):
    """The slow twin: all differences, in nanoseconds, edges included below (above when read backwards)."""
    lag_ns = np.rint(np.subtract.outer(np.asarray(post_s), np.asarray(pre_s)).ravel() * 1e9)
    if is_reversed:
        lag_ns = -lag_ns
    k = np.floor((lag_ns + 0.5 * grid.bin_s * 1e9 * grid.n_bins) / (grid.bin_s * 1e9)).astype(int)
    counts = np.bincount(k[(k >= 0) & (k < grid.n_bins)], minlength=grid.n_bins)
    return counts[::-1] if is_reversed else counts


def trains_of(*times, epochs_s=None):
    return spike_trains(
        time_s=np.concatenate([np.asarray(t, dtype=np.float64) for t in times]),
        neuron=np.concatenate([np.full(len(t), i, dtype=np.int64) for i, t in enumerate(times)]),
        n_neurons=len(times),
        epochs_s=np.array([[0.0, 1.0]]) if epochs_s is None else epochs_s,
    )


@settings(deadline=None)
@given(st.lists(TIMES, min_size=1, max_size=4), st.integers(1, 20))
def test_block_counts_equal_the_slow_twin(times, n_half):
    grid = LagGrid(bin_s=0.5e-3, half_window_s=n_half * 0.5e-3)
    spikes = events(trains_of(*times), grid)
    for first, stop in block_stops(len(times), grid.n_bins, block_bytes=600 * grid.n_bins):
        counts = count_block(spikes, grid, first, stop)
        for i in range(first, stop):
            for j in range(i, len(times)):
                twin = correlogram_reference(times[i], times[j], grid=grid, is_reversed=False)
                twin[n_half] -= len(times[i]) if i == j else 0
                assert np.array_equal(counts[i - first, j - first], twin)
            assert not counts[i - first, : i - first].any()


@settings(deadline=None)
@given(TIMES, TIMES)
def test_the_other_direction_is_the_same_counts_read_backwards(a, b):
    trains = trains_of(a, b)
    forward, back = count_pair(trains, GRID, 0, 1), count_pair(trains, GRID, 1, 0)
    assert np.array_equal(forward, back[::-1])
    assert np.array_equal(back, correlogram_reference(b, a, grid=GRID, is_reversed=True))


def test_counts_equal_those_of_spikeinterface_up_to_their_edges_at_zero():
    si = pytest.importorskip("spikeinterface")
    from spikeinterface.postprocessing import compute_correlograms

    rng = np.random.default_rng(1)
    fs, n = 20_000, 5
    frames = np.sort(rng.integers(0, 20 * fs, size=3000))
    units = rng.integers(0, n, size=3000)
    sorting = si.core.NumpySorting.from_samples_and_labels([frames], [units], fs, unit_ids=np.arange(n))
    theirs, _ = compute_correlograms(sorting, window_ms=40.0, bin_ms=1.0, method="numpy")  # [post, pre, bin]
    trains = spike_trains(time_s=frames / fs, neuron=units, n_neurons=n, epochs_s=np.array([[0.0, 20.0]]))
    # Their bins have edges at multiples of 1 ms, ours centres: half-millisecond bins of ours tell them apart.
    fine = LagGrid(bin_s=1e-3 / 20, half_window_s=21e-3)
    counts = count_block(events(trains, fine), fine, 0, n)
    for pre in range(n):
        for post in range(pre + 1, n):
            # A 50 us bin of ours holds exactly one lag of the sampling grid; theirs [k, k + 1) ms holds 20.
            from_minus_20_ms = counts[pre, post][fine.n_half - 400 : fine.n_half + 400]
            assert np.array_equal(from_minus_20_ms.reshape(40, 20).sum(axis=1), theirs[post, pre])


@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 60), first=st.integers(0, 59), seed=st.integers(0, 9), tile_bytes=st.integers(1, 20_000))
def test_tiles_and_blocks_of_any_size_hold_the_same_counts(n, first, seed, tile_bytes):
    rng = np.random.default_rng(seed)
    trains = trains_of(*(np.sort(rng.integers(0, 20_000, rng.integers(0, 30))) * 50e-6 for _ in range(n)))
    whole = count_block(events(trains, GRID), GRID, 0, n)
    with mock.patch("neurograft.copying.spikes._correlogram._TILE_BYTES", tile_bytes):
        part = count_block(events(trains, GRID), GRID, min(first, n - 1), n)
    assert np.array_equal(part, whole[min(first, n - 1) :, min(first, n - 1) :])


def test_a_lag_on_an_edge_belongs_to_the_later_bin():
    # Bins of 1 ms centred on whole milliseconds: 0.5 ms is the lower edge of the bin at 1 ms.
    counts = count_pair(trains_of([0.1], [0.1005]), GRID, 0, 1)
    assert GRID.lag_s[np.flatnonzero(counts)] == pytest.approx([1e-3])
    counts = count_pair(trains_of([0.1], [0.0995]), GRID, 0, 1)
    assert np.flatnonzero(counts) == [GRID.n_half]


def test_a_spike_at_a_lag_is_counted_at_that_lag():
    counts = count_pair(trains_of([0.1, 0.3], [0.104, 0.304, 0.5]), GRID, 0, 1)
    assert counts[GRID.n_half + 4] == 2
    assert counts.sum() == 2
    assert GRID.lag_s[GRID.n_half + 4] == pytest.approx(4e-3)


def test_no_pair_across_epochs_unless_the_gap_is_real_time():
    epochs_s = np.array([[0.0, 0.1], [0.1, 0.2]])
    trains = trains_of([0.099], [0.101], epochs_s=epochs_s)
    assert count_pair(trains, GRID, 0, 1).sum() == 0
    assert count_pair(trains, GRID, 0, 1, is_gap_real_time=True).sum() == 1
    inside = trains_of([0.09, 0.11], [0.092, 0.112], epochs_s=epochs_s)
    assert count_pair(inside, GRID, 0, 1)[GRID.n_half + 2] == 2


def test_silent_neurons_have_zero_counts_and_do_not_shift_the_others():
    trains = trains_of([], [0.1], [], [0.102], [])
    counts = count_block(events(trains, GRID), GRID, 0, 5)
    assert counts[1, 3, GRID.n_half + 2] == 1
    assert counts[np.triu_indices(5)].sum() == 1
    assert count_block(events(trains_of([], []), GRID), GRID, 0, 2).sum() == 0


def test_a_train_shifted_by_a_bin_shifts_its_correlogram_by_a_bin():
    rng = np.random.default_rng(2)
    a, b = np.round(rng.uniform(0.1, 0.9, size=(2, 200)), 4)
    counts = count_pair(trains_of(a, b), GRID, 0, 1)
    shifted = count_pair(trains_of(a, b + 1e-3), GRID, 0, 1)
    assert np.array_equal(shifted[1:], counts[:-1])


def test_blocks_cover_every_neuron_once_within_their_memory():
    blocks = block_stops(4096, 241)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == 4096
    assert all(a[1] == b[0] for a, b in itertools.pairwise(blocks))
    assert all((stop - first) * (4096 - first) * 241 * 4 <= 96 << 20 for first, stop in blocks)


def test_grids_and_counts_out_of_range_are_refused():
    with pytest.raises(CopyError, match="between 1 us and 0"):
        LagGrid(bin_s=0.5)
    with pytest.raises(CopyError, match="at least one bin"):
        LagGrid(bin_s=1e-3, half_window_s=1e-4)
    together = spike_trains(time_s=np.zeros(70_000), neuron=np.zeros(70_000, dtype=np.int64))
    with pytest.raises(CopyError, match="Cut the recording"):
        events(together, GRID)
