"""Each measure's arithmetic: against scipy, against slow twins, and by its laws."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from comparing.nets import poisson
from neurograft.comparing import BurstRule
from neurograft.comparing._align import binned, first_part, halves, with_neurons
from neurograft.comparing._bursts import bursts_of, relative_gap
from neurograft.comparing._correlations import count_correlations, pattern_distance
from neurograft.comparing._coupling import coupling_z, lag_counts
from neurograft.comparing._intervals import intervals_of, mean_ks, wasserstein_decades
from neurograft.comparing._spectrum import population_spectrum, spectrum_distance_db
from neurograft.spikes import spike_trains

# Times on a grid of 1/1024 s are exact in binary, so that no test depends on how a border is rounded.
GRID_S = 1 / 1024


def spikes(n_neurons=4):
    """Return a strategy for what ``trains`` takes; the checker may not draw random numbers inside one."""
    one = st.tuples(st.integers(0, 2 * 1024 - 1), st.integers(0, n_neurons - 1))
    return st.tuples(st.just(n_neurons), st.lists(one, max_size=60), st.sampled_from([0.0, 0.5]))


def trains(given_spikes):
    n_neurons, listed, gap = given_spikes
    ticks, neuron = np.array(listed, dtype=np.int64).reshape(-1, 2).T
    time_s = ticks * GRID_S
    return spike_trains(
        time_s=np.where(time_s >= 1, time_s + gap, time_s),
        neuron=neuron,
        n_neurons=n_neurons,
        epochs_s=np.array([[0.0, 1.0], [1.0 + gap, 2.0 + gap]]),
    )


def lag_counts_reference(x, window_s, flank_s):
    near, far = np.zeros((2, x.n_neurons, x.n_neurons), dtype=int)
    which = [int(np.sum(t >= x.epochs_s[:, 0])) for t in x.time_s]
    for i in range(x.n_spikes):
        for j in range(x.n_spikes):
            lag = x.time_s[j] - x.time_s[i]
            # Two spikes at one time have no order; with a window from 0 the later neuron counts as after.
            if which[i] != which[j] or lag < 0 or (lag == 0 and j <= i):
                continue
            near[x.neuron[i], x.neuron[j]] += window_s[0] <= lag < window_s[1]
            far[x.neuron[i], x.neuron[j]] += window_s[1] <= lag < flank_s
    return near, far


@settings(max_examples=30, deadline=None)
@given(x=spikes(), start=st.integers(0, 3), width=st.integers(1, 20), flank=st.integers(1, 60))
def test_lag_counts_equal_the_slow_twin(x, start, width, flank):
    x = trains(x)
    window_s = (start * GRID_S, (start + width) * GRID_S)
    flank_s = window_s[1] + flank * GRID_S
    for ours, theirs in zip(
        lag_counts(x, window_s=window_s, flank_s=flank_s), lag_counts_reference(x, window_s, flank_s), strict=True
    ):
        assert ours.tolist() == theirs.tolist()


def test_coupling_points_from_pre_to_post():
    pre_s = np.arange(1, 200) * 0.1
    x = spike_trains(time_s=np.concatenate([pre_s, pre_s + 0.003]), neuron=np.repeat([0, 1], 199))
    z = coupling_z(x, window_s=(0.0005, 0.008), flank_s=0.032)
    assert z[0, 1] > 100
    assert abs(z[1, 0]) < 1


def test_coupling_of_independent_trains_has_a_spread_of_one():
    # 30 neurons of 10 Hz for 100 s: 75 counts expected in each of 870 pairs; sd of an sd is 1/sqrt(2*870) = 2.4 %.
    x = poisson(n=30, seconds=100.0, rate_hz=10.0, rng=np.random.default_rng(4))
    z = coupling_z(x, window_s=(0.0005, 0.008), flank_s=0.032)[~np.eye(30, dtype=bool)]
    assert z.std() == pytest.approx(1.0, abs=4 * 0.024)
    assert z.mean() == pytest.approx(0.0, abs=4 / np.sqrt(870))


def correlation_reference(x, bin_s):
    rows = []
    for start_s, stop_s in x.epochs_s:
        n_bins = int((stop_s - start_s) // bin_s)
        edges_s = start_s + bin_s * np.arange(n_bins + 1)
        rows.append([np.histogram(t[t < edges_s[-1]], edges_s)[0] for t in x.by_neuron()])
    counts = np.concatenate(rows, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silent neurons
        pairs = np.nan_to_num(np.corrcoef(counts))
        population = [np.corrcoef(c, counts.sum(axis=0) - c)[0, 1] for c in counts]
    np.fill_diagonal(pairs, 0.0)
    return pairs, np.nan_to_num(np.array(population))


@settings(max_examples=30, deadline=None)
@given(x=spikes(), ticks=st.integers(16, 300))
def test_count_correlations_equal_numpy(x, ticks):
    x = trains(x)
    ours, theirs = count_correlations(x, ticks * GRID_S), correlation_reference(x, ticks * GRID_S)
    assert ours[0] == pytest.approx(theirs[0], abs=1e-9)  # two roundings of sums of under 1e4
    assert ours[1] == pytest.approx(theirs[1], abs=1e-9)


def test_intervals_do_not_span_epochs():
    x = spike_trains(
        time_s=np.array([0.1, 0.3, 2.0, 2.5]), neuron=np.zeros(4, np.int64), epochs_s=np.array([[0.0, 1.0], [1.5, 3.0]])
    )
    assert intervals_of(x, min_intervals=2).sorted_s == pytest.approx([0.2, 0.5])


def test_cv_and_local_variation_of_a_clock_are_zero_and_of_poisson_one():
    clock = spike_trains(time_s=np.arange(100) * 0.1, neuron=np.zeros(100, np.int64))
    assert intervals_of(clock, min_intervals=20).cv[0] == pytest.approx(0.0, abs=1e-9)
    assert intervals_of(clock, min_intervals=20).lv[0] == pytest.approx(0.0, abs=1e-9)
    random = intervals_of(
        poisson(n=1, seconds=2000.0, rate_hz=5.0, rng=np.random.default_rng(1)), min_intervals=20
    )  # 10,000 intervals: the standard errors of both are near 0.01 to 0.02
    assert random.cv[0] == pytest.approx(1.0, abs=0.05)
    assert random.lv[0] == pytest.approx(1.0, abs=0.05)


def test_local_variation_of_alternating_intervals_is_by_hand():
    # Intervals 1, 3, 1, 3 ...: ((1 - 3) / 4)^2 = 0.25 each, times 3.
    time_s = np.cumsum(np.tile([1.0, 3.0], 20))
    x = spike_trains(time_s=time_s, neuron=np.zeros(40, np.int64))
    assert intervals_of(x, min_intervals=20).lv[0] == pytest.approx(0.75)


@settings(max_examples=30, deadline=None)
@given(a=spikes(n_neurons=2), b=spikes(n_neurons=2))
def test_interval_distances_equal_scipy(a, b):
    ia, ib = (intervals_of(trains(x), min_intervals=3) for x in (a, b))
    expected = []
    for k in range(2):
        one, two = (i.sorted_s[i.start[k] : i.start[k + 1]] for i in (ia, ib))
        if max(one.size, two.size) >= 3:
            enough = min(one.size, two.size) >= 2
            expected.append(stats.ks_2samp(one, two, method="asymp").statistic if enough else 1.0)
    assert mean_ks(ia, ib, min_intervals=3) == pytest.approx(np.mean(expected) if expected else np.nan, nan_ok=True)
    logs = [np.log10(i.sorted_s[i.sorted_s > 0]) for i in (ia, ib)]
    pooled = stats.wasserstein_distance(*logs) if min(x.size for x in logs) >= 2 else np.nan
    assert wasserstein_decades(ia, ib) == pytest.approx(pooled, nan_ok=True, abs=1e-12)
    assert mean_ks(ib, ia, min_intervals=3) == pytest.approx(mean_ks(ia, ib, min_intervals=3), nan_ok=True)


def test_spectrum_equals_scipys_welch():
    x = poisson(n=5, seconds=20.0, rate_hz=10.0, rng=np.random.default_rng(2))
    bin_of, n_bins = binned(x, 0.002)
    count = np.bincount(bin_of[bin_of >= 0], minlength=n_bins.sum()).astype(float)
    line_hz, power = signal.welch(
        count - count.mean(), fs=500.0, window="hann", nperseg=1000, detrend=False, return_onesided=False
    )
    power = (power * 500.0 / count.mean())[1:501]  # one Poisson count of mean m has variance m
    line_hz = np.abs(line_hz[1:501])
    _, ours = population_spectrum(x, bin_s=0.002, segment_s=2.0)
    assert ours[0] == pytest.approx(power[0])  # the lowest band is the first line alone, 0.5 Hz
    last = line_hz >= 0.5 * 2 ** (26.5 / 3)  # third octaves counted from 0.5 Hz; 250 Hz is in the 27th
    assert ours[-1] == pytest.approx(power[last].mean())
    assert ours.mean() == pytest.approx(1.0, abs=0.1)  # Poisson; lowest bands spread by 1/sqrt(19 segments)


def test_a_rhythm_stands_in_its_band():
    rng = np.random.default_rng(3)
    beat_s = np.repeat(np.arange(400) * 0.1, 5)  # 10 Hz
    x = spike_trains(time_s=beat_s + 0.005 * rng.random(beat_s.size), neuron=rng.integers(0, 5, beat_s.size))
    band_hz, power = population_spectrum(x, bin_s=0.002, segment_s=2.0)
    below_20 = band_hz < 15
    assert band_hz[below_20][np.argmax(power[below_20])] == pytest.approx(10.0, rel=0.13)  # half a band


def test_spectrum_distance_of_doubled_power_is_three_decibels():
    one = np.array([1.0, 2.0, 3.0])
    assert spectrum_distance_db(one, 2 * one) == pytest.approx(10 * np.log10(2))
    assert np.isnan(spectrum_distance_db(one, np.full(3, np.nan)))


def test_bursts_are_found_by_the_stated_rule():
    rng = np.random.default_rng(5)
    quiet = poisson(n=20, seconds=60.0, rate_hz=0.5, rng=rng)
    at_s = np.arange(1, 11) * 5.0 + 0.0001  # ten bursts of 100 ms in 15 neurons, five spikes each
    burst_s = np.repeat(at_s, 75) + 0.0999 * rng.random(750)
    x = spike_trains(
        time_s=np.concatenate([quiet.time_s, burst_s]),
        neuron=np.concatenate([quiet.neuron.astype(np.int64), np.tile(np.repeat(np.arange(15), 5), 10)]),
        n_neurons=20,
        epochs_s=quiet.epochs_s,
    )
    found = bursts_of(x, BurstRule())
    assert found.per_minute == pytest.approx(10.0)
    assert found.mean_duration_s == pytest.approx(0.1, abs=0.026)  # one bin of 25 ms
    assert found.participation == pytest.approx(0.75, abs=0.05)  # background adds about 20 * 0.1 s * 0.5 Hz a burst
    assert found.spike_share == pytest.approx(750 / x.n_spikes, abs=0.02)


def test_poisson_has_hardly_any_burst():
    # 4,800 bins, a chance of at most 1e-4 each: 0.48 expected.
    x = poisson(n=20, seconds=120.0, rate_hz=5.0, rng=np.random.default_rng(6))
    assert bursts_of(x, BurstRule()).per_minute <= 2


def test_each_burst_parameter_matters():
    rng = np.random.default_rng(7)
    at_s = np.sort(60 * rng.random(60))
    x = spike_trains(
        time_s=np.concatenate([np.repeat(at_s, 5), np.repeat(at_s + 0.07, 8), 60 * rng.random(200)]),
        neuron=rng.integers(0, 10, 980),
    )
    base = bursts_of(x, BurstRule())
    assert bursts_of(x, BurstRule(bin_s=0.1)) != base
    assert bursts_of(x, BurstRule(chance=1e-9)) != base
    assert bursts_of(x, BurstRule(min_spikes=7)) != base
    assert bursts_of(x, BurstRule(bridge_bins=4)) != base


def test_relative_gap_knows_missing_values():
    assert relative_gap(1.0, 3.0) == 1.0
    assert relative_gap(0.0, 0.0) == 0.0
    assert relative_gap(np.nan, 1.0) == 2.0
    assert np.isnan(relative_gap(np.nan, np.nan))


def test_pattern_distance_is_one_minus_r():
    a = np.array([1.0, 2.0, 4.0, 3.0])
    assert pattern_distance(a, 5 * a + 1) == pytest.approx(0.0, abs=1e-12)
    assert pattern_distance(a, -a) == pytest.approx(2.0)
    assert pattern_distance(a, np.zeros(4)) == 1.0
    assert np.isnan(pattern_distance(np.ones(4), np.zeros(4)))
    b = np.array([0.3, 0.1, 0.5, 0.2])
    assert pattern_distance(a, b) == pytest.approx(1 - np.corrcoef(a, b)[0, 1])


@settings(max_examples=30, deadline=None)
@given(x=spikes(), length=st.floats(0.05, 2.0))
def test_the_first_part_has_the_length_asked_for(x, length):
    x = trains(x)
    part = first_part(x, length)
    assert part.duration_s == pytest.approx(length)
    assert part.n_spikes == np.sum(x.time_s < part.epochs_s[-1, 1])


@settings(max_examples=30, deadline=None)
@given(x=spikes(), min_block_s=st.floats(0.01, 1.5))
def test_halves_share_out_all_spikes_and_half_the_time_each(x, min_block_s):
    x = trains(x)
    one, two = halves(x, min_block_s=min_block_s)
    assert one.duration_s == pytest.approx(1.0)
    assert two.duration_s == pytest.approx(1.0)
    assert sorted([*one.time_s, *two.time_s]) == x.time_s.tolist()


def test_neurons_are_renumbered_by_label():
    x = spike_trains(time_s=np.array([0.1, 0.2, 0.3]), neuron=np.array([0, 1, 2]), labels=["a", "b", "c"])
    y = with_neurons(x, ["c", "a"])
    assert y.time_s.tolist() == [0.1, 0.3]
    assert y.neuron.tolist() == [1, 0]
    assert y.labels == ("c", "a")
