"""Extracellular spikes: kernels against slow twins, the same answer for any chunk, and what bad input does."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurograft.errors import SpikeError
from neurograft.recordings import Signal, array_recording
from neurograft.recordings._lazy import lazy_recording
from neurograft.spikes import PeakOptions, detect_peaks
from neurograft.spikes._peaks_kernels import absolute_median, add_snippets, deepest, filter_and_whiten
from neurograft.spikes._peaks_options import Frames, _without
from neurograft.spikes._whitening import GATHER, neighbours_of

RATE_HZ, SIDE, PITCH_UM = 10_000.0, 6, 40.0
N = SIDE * SIDE
GRID = np.column_stack([np.arange(N) % SIDE, np.arange(N) // SIDE]) * PITCH_UM


def filter_reference(raw, n_short, n_half):
    """The slow twin: the two kernels of weights written out, in whole numbers."""
    triangle = np.array([n_short - abs(j) for j in range(-n_half, n_half + 1)]).clip(0)
    weights = (2 * n_half + 1) * triangle - n_short**2
    return sum(w * raw[j : len(raw) - 2 * n_half + j].astype(np.int64) for j, w in enumerate(weights))


@settings(deadline=None, max_examples=25)
@given(
    raw=arrays(np.int16, (40, 3), elements=st.integers(-32768, 32767)),
    n_short=st.integers(1, 4),
    n_half=st.integers(4, 12),
)
def test_the_filter_equals_its_weights_written_out(raw, n_short, n_half):
    out = np.empty((40 - 2 * n_half - 2, 3), np.float32)
    own = np.arange(3)[None, :]
    one = np.ones((1, 3), np.float32)
    filter_and_whiten(raw, n_half + 1, n_short, n_half, np.zeros(1, np.int64), own, one, out)
    np.testing.assert_array_equal(out, filter_reference(raw, n_short, n_half)[1:-1].astype(np.float32))


def test_unsigned_counts_at_both_ends_do_not_overflow():
    frames = PeakOptions().frames(50_000.0)
    raw = np.zeros((4 * frames.margin, 2), np.uint16)
    raw[2 * frames.margin :] = 65_535
    out = np.empty((2 * frames.margin, 2), np.float32)
    own, one = np.arange(2)[None, :], np.ones((1, 2), np.float32)
    filter_and_whiten(raw, frames.margin, frames.n_short, frames.n_half, np.zeros(1, np.int64), own, one, out)
    twin = filter_reference(raw, frames.n_short, frames.n_half)
    skip = frames.margin - frames.n_half
    np.testing.assert_array_equal(out, twin[skip : skip + len(out)].astype(np.float32))


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_whitening_sums_the_weighted_neighbours_on_grids_and_elsewhere(is_shuffled):
    rng = np.random.default_rng(0)
    side = 12
    grid = np.column_stack([np.arange(side**2) % side, np.arange(side**2) // side]) * PITCH_UM
    near = neighbours_of(grid[rng.permutation(side**2)] if is_shuffled else grid)
    assert (near.shift == GATHER).any() == is_shuffled
    assert near.is_near[1:].sum() == 8 * (side - 2) ** 2 + 5 * 4 * (side - 2) + 3 * 4  # inside, edges, corners
    weight = (rng.normal(size=near.channel.shape) * near.is_near).astype(np.float32)
    raw = rng.integers(-500, 500, (60, side**2)).astype(np.int16)
    out = np.empty((20, side**2), np.float32)
    filter_and_whiten(raw, 20, 2, 15, near.shift, near.channel, weight, out)
    band = filter_reference(raw, 2, 15)[5:25].astype(np.float64)
    twin = np.einsum("kc,tkc->tc", weight.astype(np.float64), band[:, near.channel])
    # float32 sums of nine products, each rounded to 2^-24 of itself
    np.testing.assert_allclose(out, twin, rtol=0, atol=18 * 2.0**-24 * np.abs(band).max() * np.abs(weight).max() * 9)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float32, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(-9, 9)))
def test_the_absolute_median_is_numpys_to_its_step(z):
    out = np.empty(3, np.float32)
    absolute_median(z, 0, 1, out)
    ordered = np.sort(np.abs(z), axis=0)
    upper = ordered[len(z) // 2]  # of an even number the upper one
    assert np.all(np.abs(out - upper) <= np.abs(z).max(axis=0) / 4096 * 1.001 + 1e-30)


def deepest_reference(z, low, near, sweep):
    """The slow twin: every sample against all of its surroundings, ties to the earlier row, then the lower lane."""
    found = []
    for t in range(sweep, len(z) - sweep):
        for c in range(z.shape[1]):
            own = (z[t, c], t, c)
            rivals = [(z[k, j], k, j) for k in range(t - sweep, t + sweep + 1) for j in [c, *near[c]]]
            if z[t, c] < low[c] and own == min(rivals):
                found.append((t, c))
    return found


@settings(deadline=None, max_examples=60)
@given(
    z=arrays(np.float32, (12, 5), elements=st.integers(-6, 2)),
    sweep=st.integers(1, 3),
    low=st.integers(-5, 0),
    data=st.data(),
)
def test_the_deepest_are_those_of_the_slow_twin(z, sweep, low, data):
    pairs = data.draw(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda p: p[0] < p[1])))
    near = [[b for a, b in pairs if a == c] + [a for a, b in pairs if b == c] for c in range(5)]
    start = np.concatenate([[0], np.cumsum([len(x) for x in near])])
    flat = np.array([j for x in near for j in x], dtype=np.int64)
    lows = np.full(5, low, np.float32)
    frame, channel, depth = np.empty(60, np.int64), np.empty(60, np.int64), np.empty(60, np.float32)
    n = deepest(z, sweep, 12 - sweep, lows, start, flat, sweep, frame, channel, depth)
    assert list(zip(frame[:n].tolist(), channel[:n].tolist(), strict=True)) == deepest_reference(z, lows, near, sweep)
    np.testing.assert_array_equal(depth[:n], -z[frame[:n], channel[:n]])


def test_snippets_are_added_as_recorded_and_the_depth_is_the_filters():
    raw = np.random.default_rng(1).integers(-900, 900, (80, 2)).astype(np.int16)
    frame, channel = np.array([40, 33]), np.array([1, 0])
    total, count, band = np.zeros((2, 31), np.int64), np.zeros(2, np.int64), np.empty(2)
    add_snippets(raw, frame, channel, 2, 15, total, count, band)
    np.testing.assert_array_equal(total[1], raw[25:56, 1])
    np.testing.assert_allclose(band * 4 * 31, [filter_reference(raw, 2, 15)[f - 15, c] for f, c in ((40, 1), (33, 0))])


def recorded(seed=0, seconds=3.0, spikes=120, depth=300):
    """A grid with white noise of 20 counts; returns samples and the true (frame, channel)."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE_HZ)
    samples = rng.normal(0, 20, (n, N)) + 400 * np.sin(np.arange(n) / 900.0)[:, None]
    frame = np.sort(rng.choice(np.arange(100, n - 100, 60), spikes, replace=False))
    channel = rng.integers(0, N, spikes)
    apart = np.hypot(*(GRID[:, None] - GRID[None]).transpose(2, 0, 1))
    wave = -np.exp(-((np.arange(-8, 9) / 1.8) ** 2))
    for f, c in zip(frame, channel, strict=True):
        samples[f - 8 : f + 9] += depth * wave[:, None] / (1 + (apart[c] / 30) ** 2)
    return np.rint(samples).astype(np.int16), frame, channel


def recording_of(samples, **more):
    position_um = more.pop("position_um", GRID)
    return array_recording(
        samples,
        rate_hz=RATE_HZ,
        signal=Signal.EXTRACELLULAR_V,
        position_um=position_um,
        gain=more.pop("gain", 1e-6),
        **more,
    )


def test_each_spike_is_found_once_on_its_channel_with_its_depth():
    samples, frame, channel = recorded()
    # 36 channels of 30,000 frames: at 5 sds a false peak is likely one time in six, at 6 one in a thousand
    peaks = detect_peaks(recording_of(samples), options=PeakOptions(noise_sds=6))
    assert peaks.n_peaks == frame.size
    assert np.abs(peaks.frame - frame).max() <= 1
    assert np.mean(peaks.channel == channel) == 1.0
    # the triangle takes a fifth of so narrow a trough; noise 20 uV on each
    assert 180e-6 < np.median(peaks.amplitude_v) < 300e-6
    assert np.all(np.argmin(peaks.mean_v[np.unique(channel)], axis=1) == 15)
    assert peaks.warnings == ()
    trains = peaks.as_trains(recording_of(samples))
    np.testing.assert_allclose(trains.time_s * RATE_HZ, peaks.frame, atol=1e-6)


@settings(deadline=None, max_examples=6)
@given(chunk_ticks=st.integers(1, 30), n_workers=st.integers(1, 3))
def test_chunks_and_threads_change_nothing(chunk_ticks, n_workers):
    samples, _, _ = recorded(seconds=1.13, spikes=60)
    usual = detect_peaks(recording_of((samples, samples[:777])))
    other = detect_peaks(recording_of((samples, samples[:777])), chunk_ticks=chunk_ticks, n_workers=n_workers)
    for name in ("segment", "frame", "channel", "amplitude_v", "depth_sds", "noise_v", "mean_v", "still_share"):
        np.testing.assert_array_equal(getattr(usual, name), getattr(other, name))
    for one, two in zip(usual.course, other.course, strict=True):
        np.testing.assert_array_equal(one, two)


def test_volts_give_the_spikes_of_counts():
    samples, _, _ = recorded()
    whole, volts = detect_peaks(recording_of(samples)), detect_peaks(recording_of(samples * 1e-6, gain=1.0))
    np.testing.assert_array_equal(whole.frame, volts.frame)
    np.testing.assert_array_equal(whole.channel, volts.channel)
    np.testing.assert_allclose(whole.amplitude_v, volts.amplitude_v, rtol=1e-5)


def test_an_inverted_channel_is_read_in_volts():
    samples, frame, _ = recorded()
    peaks = detect_peaks(recording_of(-samples, gain=-1e-6), options=PeakOptions(noise_sds=6))
    assert peaks.n_peaks == frame.size


def test_a_louder_stretch_raises_the_threshold_and_is_told():
    rng = np.random.default_rng(3)
    samples = rng.normal(0, 20, (300_000, 3))
    samples[150_000:, 2] *= 3
    position_um = np.array([[0.0, 0], [500, 0], [1000, 0]])
    peaks = detect_peaks(recording_of(np.rint(samples).astype(np.int16), position_um=position_um))
    late = (peaks.channel == 2) & (peaks.frame > 190_000)  # 64 ticks after the change half of them are loud
    assert np.count_nonzero(late) <= 3  # Gaussian: 5 sds in 110,000 frames, some 10 of them independent
    noise = peaks.course.noise_v
    assert noise.shape == (3, 3)
    assert noise[2, 2] / noise[0, 2] == pytest.approx(3, rel=0.1)
    assert noise[2, 1] / noise[0, 1] == pytest.approx(1, rel=0.1)


def test_dead_and_saturated_channels_are_named_and_silent_and_their_neighbours_work():
    samples, frame, channel = recorded()
    samples[:, 7] = 32_767
    samples[:, 14] = 3
    samples[20_000:, 21] = -32_768  # fails in mid-file
    peaks = detect_peaks(recording_of(samples))
    assert np.flatnonzero(peaks.unusable).tolist() == [7, 14]
    assert not np.isin(peaks.channel, [7, 14]).any()
    assert peaks.still_share[21] == pytest.approx(1 / 3, abs=0.05)
    assert np.count_nonzero((peaks.channel == 21) & (peaks.frame > 20_100)) == 0
    told = " ".join(peaks.warnings)
    assert "2 of 36 channels (7, 14) are constant, saturated or NaN" in told
    assert "1 of 36 channels (21) are without a signal for part of the time" in told
    kept = ~np.isin(channel, [7, 14, 21])
    near = np.abs(frame[kept][:, None] - peaks.frame[None]).min(axis=1)
    assert np.all(near <= 2)


class Torn:
    """Samples of which one stretch cannot be read."""

    def __init__(self, samples, bad):
        self.samples, self.bad = samples, bad

    def __call__(self, segment, start, stop):
        if start < self.bad[1] and stop > self.bad[0]:
            raise OSError("checksum of the chunk is wrong")
        return self.samples[start:stop]


def torn(samples, bad):
    return lazy_recording(
        path=__import__("pathlib").Path("a.h5"),
        fetch=Torn(samples, bad),
        rate_hz=RATE_HZ,
        signal=Signal.EXTRACELLULAR_V,
        segment_frames=[len(samples)],
        channel_labels=[str(c) for c in range(N)],
        position_um=GRID,
        gain=1e-6,
    )


def test_a_stretch_that_cannot_be_read_is_left_out_told_and_no_epoch():
    samples, _, _ = recorded()
    whole = detect_peaks(recording_of(samples), chunk_ticks=2)
    recording = torn(samples, (12_300, 12_500))
    peaks = detect_peaks(recording, chunk_ticks=2)
    np.testing.assert_allclose(peaks.lost_s, [[1.2, 1.3]])
    assert "1 stretches could not be read" in peaks.warnings[0]
    assert "checksum" in peaks.warnings[0]
    outside = (whole.frame < 12_000) | (whole.frame >= 13_000)
    assert np.mean(np.isin(whole.frame[outside], peaks.frame)) > 0.95  # calibration reads other pieces
    np.testing.assert_allclose(peaks.as_trains(recording).epochs_s, [[0, 1.2], [1.3, 3.0]])
    with pytest.raises(SpikeError, match="cannot be read"):
        detect_peaks(torn(samples, (10_000, 30_000)))


def test_without_positions_every_channel_stands_alone_and_it_is_said():
    samples, frame, _ = recorded()
    peaks = detect_peaks(recording_of(samples, position_um=np.full((N, 2), np.nan)))
    assert peaks.n_peaks > 1.5 * frame.size
    assert "positions of channels are not known" in peaks.warnings[0]


def test_wrong_signals_and_options_are_refused():
    samples, _, _ = recorded()
    with pytest.raises(SpikeError, match="membrane potential"):
        detect_peaks(array_recording(samples, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V))
    with pytest.raises(SpikeError, match="constant, saturated or NaN"):
        detect_peaks(recording_of(np.zeros_like(samples)))
    with pytest.raises(SpikeError, match="noise_sds is 0"):
        PeakOptions(noise_sds=0)
    with pytest.raises(SpikeError, match="short_s"):
        PeakOptions(short_s=5e-3)
    with pytest.raises(SpikeError, match="chunk_ticks 0"):
        detect_peaks(recording_of(samples), chunk_ticks=0)


def test_what_is_kept_of_a_chunk_is_its_peaks_only():
    import neurograft.spikes._peaks as module

    samples, _, _ = recorded(seconds=1.0, spikes=40)
    recording, kept = recording_of(samples), []
    whole = module._Work.peaks

    def watched(self, done, sums):
        kept.extend(done)
        return whole(self, done, sums)

    with mock.patch.object(module._Work, "peaks", watched):
        peaks = detect_peaks(recording, chunk_ticks=1)
    assert len(kept) == 20
    held = sum(f.total.size + f.n_peaks.size + f.noise.size for f in kept)
    assert held == 0
    assert sum(f.frame.size for f in kept) == peaks.n_peaks


def test_epochs_lose_what_was_lost():
    epochs = np.array([[0.0, 1.0], [2.0, 3.0]])
    lost = np.array([[0.0, 0.2], [0.4, 0.5], [2.5, 3.0]])
    np.testing.assert_array_equal(_without(epochs, lost), [[0.2, 0.4], [0.5, 1.0], [2.0, 2.5]])


def test_lengths_follow_the_sampling_rate():
    assert PeakOptions().frames(10_000.0) == Frames(2, 15, 5)
    wide = PeakOptions().frames(50_000.0)
    assert (2 * wide.n_half + 1) * wide.n_short**2 <= 32_767
