"""Pads, neighbours, noise, AC coupling and converter against slow twins and the figures of Ham 2021."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter, welch

from neurograft.culture import (
    PSEUDO_CURRENT_CLAMP,
    PSEUDO_VOLTAGE_CLAMP,
    ArrayOptions,
    Culture,
    CultureOptions,
    CultureRecording,
    PadGrid,
    PadState,
    WiringOptions,
    grow,
    record,
    record_membrane,
)
from neurograft.culture._amplifier import Amplifier, amplifier, digitise, hear, leak_between
from neurograft.culture._lanes import LANES, N_DESK_ROWS, draw_pairs
from neurograft.culture._pads import Pads
from neurograft.culture._recorder import recorder
from neurograft.errors import CultureError
from neurograft.recordings import Signal

CLEAN = ArrayOptions(
    readout=replace(PSEUDO_CURRENT_CLAMP, white_u=1e-12, flicker_u=1e-12, n_bits=16),
    coupling_log_spread=0.0,
    drift_log_spread=0.0,
    extracellular_fraction=0.0,
    dead_fraction=0.0,
    saturated_fraction=0.0,
    second_pad_probability=0.0,
    crosstalk=0.0,
    highpass_hz=0.0,
)


def pads_of(n: int, state: PadState = PadState.INTRACELLULAR) -> Pads:
    nobody = np.full((n, 3), -1)
    return Pads(np.full(n, state, dtype=np.uint8), nobody[:, :2].copy(), np.zeros((n, 2)), nobody, np.zeros((n, 3)))


def quiet_samples(options: ArrayOptions, seconds: float, state: PadState = PadState.INTRACELLULAR) -> np.ndarray:
    """Return what four pads without cells record, in the readout's unit."""
    amp = amplifier(options, pads_of(4, state), rest_v=np.zeros(1), step_s=1e-4, rng=np.random.default_rng(1))
    n = round(seconds * 1e4)
    out = np.empty((n, 4), dtype=np.int16)
    digitise(np.zeros((4, n), dtype=np.float32), amp, 0, 4, out)
    return out * options.readout.lsb_u


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_what_pads_hear_equals_the_slow_twin(seed: int, begin: int) -> None:
    rng = np.random.default_rng(seed)
    n_cells, n_pads, n_steps = 4, 6, 7
    trace = rng.normal(-0.06, 0.02, (n_cells, n_steps)).astype(np.float32)
    rest, before = rng.normal(-0.06, 0.001, n_cells), rng.normal(-0.06, 0.01, n_cells)
    inside, near = rng.integers(-1, n_cells, (n_pads, 2)), rng.integers(-1, n_cells, (n_pads, 3))
    gain, near_gain = rng.random((n_pads, 2)), rng.random((n_pads, 3))
    drift, rise = rng.random(n_pads), 0.01 * rng.random(n_pads)
    pads = Pads(np.zeros(n_pads, dtype=np.uint8), inside, gain, near, near_gain)
    out = np.empty((n_pads, n_steps - begin), dtype=np.float32)
    hear(trace, begin, rest, before, pads, drift, rise, out, 0, n_pads)
    wanted = np.zeros((n_pads, n_steps))
    steps = np.diff(trace.astype(float), axis=1, prepend=before[:, None])
    for p in range(n_pads):
        for i, g in zip(inside[p], gain[p], strict=True):
            if i >= 0:
                wanted[p] += g * (drift[p] + rise[p] * np.arange(n_steps)) * (trace[i] - rest[i])
        for i, g in zip(near[p], near_gain[p], strict=True):
            if i >= 0:
                wanted[p] -= g * steps[i]
    assert out == pytest.approx(wanted[:, begin:], abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5), st.floats(0, 0.2), st.integers(0, 99))
def test_neighbours_leak_as_in_the_slow_twin(rows: int, columns: int, share: float, seed: int) -> None:
    heard = np.random.default_rng(seed).standard_normal((rows * columns, 3)).astype(np.float32)
    out = np.empty_like(heard)
    leak_between(heard, rows, columns, share, out, 0, rows * columns)
    padded = np.pad(heard.reshape(rows, columns, 3).astype(float), ((1, 1), (1, 1), (0, 0)))
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    assert out.reshape(rows, columns, 3) == pytest.approx(padded[1:-1, 1:-1] + share * around, abs=1e-5)


def normals_of(words: np.ndarray, p: int, n: int) -> np.ndarray:
    """Return pairs of the normal numbers that channel ``p`` draws next (test_lanes.py tests them)."""
    lane = np.zeros(4 * LANES, dtype=np.uint32)
    lane[::LANES] = words[:, p]
    bits, z = np.empty(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    out = np.empty((n, 2))
    for i in range(n):
        draw_pairs(lane, 1, bits, bits.view(np.int32), bits.view(np.float32), z)
        out[i] = z[0], z[LANES]
    return out


@pytest.mark.parametrize("n_pads", [1, pytest.param(LANES + 5, marks=pytest.mark.compiled)])
def test_samples_equal_those_of_filters_from_scipy(n_pads: int) -> None:
    options = ArrayOptions(highpass_hz=20.0)
    amp = amplifier(options, pads_of(n_pads), rest_v=np.zeros(1), step_s=1e-4, rng=np.random.default_rng(3))
    amp = Amplifier(*(x.copy() if isinstance(x, np.ndarray) else x for x in amp))
    amp.memory[:] = 0
    n = 120
    signal = (30 * np.random.default_rng(0).standard_normal((n_pads, n))).astype(np.float32)
    z = normals_of(amp.words, n_pads - 1, n)
    out = np.empty((n, n_pads), dtype=np.int16)
    digitise(signal, amp, 0, n_pads, out)
    flicker = z[:, 0]
    white, gain, _ = amp.scale[:, -1].astype(float)
    for pole, zero in zip(amp.pole, amp.zero, strict=True):
        flicker = lfilter([1, -zero], [1, -pole], flicker)
    keep = amp.highpass_keep
    passed = lfilter([keep, -keep], [1, -keep], signal[-1] + gain * flicker)
    wanted = np.clip(passed + white * z[:, 1], -amp.limit, amp.limit)
    assert np.abs(out[:, -1] - wanted).max() < 0.5 + 1e-3  # the converter rounds


@pytest.mark.compiled
def test_32_bit_filters_follow_large_signals_to_far_less_than_a_step() -> None:
    n_pads, n = 8, 30_000
    readout = replace(PSEUDO_CURRENT_CLAMP, white_u=0.0, flicker_u=0.0)
    amp = amplifier(
        ArrayOptions(readout=readout), pads_of(n_pads), rest_v=np.zeros(1), step_s=1e-4, rng=np.random.default_rng(0)
    )
    rng = np.random.default_rng(1)
    slow = 2000 * np.sin(2 * np.pi * 1e-4 * np.arange(n) * rng.uniform(0.3, 30, (n_pads, 1)))
    signal = (slow + 300 * rng.standard_normal((n_pads, n))).astype(np.float32)
    keep, worst = amp.highpass_keep, 0.0
    wanted = lfilter([keep, -keep], [1, -keep], signal.astype(float), axis=1)
    out = np.empty((n, n_pads), dtype=np.int16)
    for begin in range(0, n, 100):
        digitise(signal[:, begin : begin + 100].copy(), amp, 0, n_pads, out[begin : begin + 100])
        worst = max(worst, np.abs(amp.memory[5] - wanted[:, begin + 99]).max())  # row 5: last output
    # Half a unit in the last place of 4,000 is 2.4e-4, kept for 1 / sqrt(1 - keep^2) = 40 steps' worth: 0.01.
    assert worst < 0.03
    assert np.abs(out - wanted.T).max() < 0.53


@pytest.mark.compiled
def test_noise_has_the_stated_size_and_falls_as_one_over_f() -> None:
    readout = replace(PSEUDO_CURRENT_CLAMP, lsb_u=0.1e-6, n_bits=16)
    both = quiet_samples(ArrayOptions(readout=readout, highpass_hz=0.0), 20.0)
    assert both.std() == pytest.approx(np.hypot(10e-6, 8e-6), rel=0.05)
    assert 20e-6 < 2 * both.std() < 30e-6  # Ham 2021, figure 2: a baseline within about +-25 uV
    white = quiet_samples(ArrayOptions(readout=replace(readout, flicker_u=0.0), highpass_hz=0.0), 5.0)
    assert white.std() == pytest.approx(10e-6, rel=0.02)
    pink = quiet_samples(ArrayOptions(readout=replace(readout, white_u=0.0), highpass_hz=0.0), 40.0)
    f, power = welch(pink, fs=1e4, nperseg=1 << 14, axis=0)
    band = (f > 3) & (f < 1000)
    slope = np.polyfit(np.log(f[band]), np.log(power[band].mean(axis=1)), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.1)  # poles and zeros a decade apart ripple by some per cent


@pytest.mark.compiled
def test_noise_is_the_same_from_the_first_sample_on() -> None:
    amps = (
        amplifier(ArrayOptions(), pads_of(3000), rest_v=np.zeros(1), step_s=1e-4, rng=np.random.default_rng(seed))
        for seed in (1, 2)
    )
    out = np.empty((200, 3000), dtype=np.int16)
    for amp in amps:
        flicker = amp.scale[1, 0]
        amp.scale[0] = 0  # no white noise
        assert amp.last_in.std() == pytest.approx(8e-6 / PSEUDO_CURRENT_CLAMP.lsb_u, rel=0.06)
        digitise(np.zeros((3000, 200), dtype=np.float32), amp, 0, 3000, out)
        assert amp.last_in.std() == pytest.approx(8e-6 / PSEUDO_CURRENT_CLAMP.lsb_u, rel=0.06)
        # One step of 0.1 ms changes it by less than its size: the two are neighbours in time.
        assert np.abs(out[0]).max() < 6 * flicker


@pytest.mark.compiled
def test_ac_coupling_takes_slow_signals_away() -> None:
    readout = replace(PSEUDO_CURRENT_CLAMP, white_u=0.0, lsb_u=0.1e-6, n_bits=16)
    slow, fast = (quiet_samples(ArrayOptions(readout=readout, highpass_hz=hz), 20.0) for hz in (0.0, 100.0))
    assert fast.std() < 0.7 * slow.std()


def test_dead_pads_are_quieter_and_saturated_ones_stand_at_the_rail() -> None:
    readout = PSEUDO_CURRENT_CLAMP
    dead = quiet_samples(ArrayOptions(), 0.1, PadState.DEAD)
    assert dead.std() < 0.4 * quiet_samples(ArrayOptions(), 0.1).std()
    rail = readout.lsb_u * (2 ** (readout.n_bits - 1) - 1)
    assert np.all(np.abs(quiet_samples(ArrayOptions(), 0.1, PadState.SATURATED)) == pytest.approx(rail))


@pytest.mark.compiled
def test_samples_are_whole_steps_inside_the_converters_range(tiny: Culture) -> None:
    coarse = replace(PSEUDO_CURRENT_CLAMP, lsb_u=1e-6, n_bits=6)
    seen = record(tiny, ArrayOptions(readout=coarse), seconds=0.05)
    steps = seen.recording.read(0, 0, 500) / 1e-6
    assert np.abs(steps - np.rint(steps)).max() < 1e-3
    assert np.rint(np.abs(steps)).max() == 31


@pytest.mark.compiled
def test_an_ideal_array_shows_the_membrane_times_the_coupling(culture: Culture) -> None:
    far = replace(CLEAN, readout=replace(CLEAN.readout, extracellular=0.0))
    seen = record(culture, far, seconds=1.0, seed=4)
    true = record_membrane(culture, seconds=1.0, seed=4, noise_v=0.0)
    samples = seen.recording.read(0, 0, 10_000)[:, culture.pad]
    wanted = 0.045 * (true.recording.read(0, 0, 10_000) - culture.cells.rest_v[: culture.n_recorded])
    # AC coupling starts from the first sample; half a step of the converter is 1 uV.
    assert np.abs(samples - (wanted - wanted[0])).max() < 1.1e-6
    assert np.array_equal(seen.spikes.time_s, true.spikes.time_s)


@pytest.mark.compiled
def test_spikes_and_potentials_have_the_sizes_of_the_published_figure(recorded: CultureRecording) -> None:
    """Ham 2021, figure 2 (eyeballed): some 4 mV inside and 0.2 mV outside from spikes of some 100 mV."""
    samples = recorded.recording.read(0, 0, recorded.recording.segment_frames[0])
    inside = (recorded.channel_state == PadState.INTRACELLULAR) & (samples.max(axis=0) > 0)
    peaks = np.percentile(samples[:, inside], 99.99, axis=0)
    assert 2e-3 < np.median(peaks) < 8e-3
    gains = recorded.coupling[inside, 0]
    largest = recorded.truth.weight_v.max()
    assert 2e-3 < largest < 10e-3  # single potentials of up to about 7 mV
    # A vesicle of 0.5 mV is some 20-25 uV at the pad; the figure's quantum is 45 uV.
    quantum_v = recorded.truth.weight_v / (
        recorded.truth.extra["release_sites"] * recorded.truth.extra["release_probability"]
    )
    assert 10e-6 < np.median(np.abs(quantum_v)) * np.median(gains) < 60e-6


@pytest.mark.compiled
def test_pads_outside_cells_show_spikes_of_a_fifth_of_a_millivolt(culture: Culture) -> None:
    outside = replace(CLEAN, extracellular_fraction=1.0)
    seen = record(culture, outside, seconds=5.0, seed=2)
    samples = seen.recording.read(0, 0, 50_000)
    assert set(seen.channel_state) == {PadState.EXTRACELLULAR}
    deepest = samples.min(axis=0)[culture.pad]
    fired = seen.spikes.counts() > 0
    assert 0.1e-3 < np.median(-deepest[fired]) < 0.4e-3


@pytest.mark.compiled
def test_coupling_differs_between_pads_and_drifts_over_tens_of_seconds(culture: Culture) -> None:
    made = recorder(culture, ArrayOptions(coupling_log_spread=0.4, drift_log_spread=0.25), seconds=600.0, seed=1)
    gains = made.pads.inside_gain[made.pads.inside[:, 0] >= 0, 0]
    assert np.log(gains).std() == pytest.approx(0.4, rel=0.3)
    log_drift = np.log(made.drift)
    assert log_drift.std() == pytest.approx(0.25, rel=0.1)
    lag = round(30.0 / 0.5)
    later = np.mean(log_drift[:-lag] * log_drift[lag:]) / np.mean(log_drift**2)
    assert later == pytest.approx(np.exp(-1), abs=0.15)
    faster = recorder(culture, ArrayOptions(drift_s=3.0), seconds=600.0, seed=1)
    assert np.abs(np.diff(np.log(faster.drift), axis=0)).mean() > 2 * np.abs(np.diff(log_drift, axis=0)).mean()


@pytest.mark.compiled
def test_lost_frames_repeat_the_last_one_and_are_listed(culture: Culture) -> None:
    options = ArrayOptions(drops_per_minute=120.0, drop_s=0.06)
    seen = record(culture, options, seconds=3.0, seed=1)
    whole = record(culture, replace(options, drops_per_minute=0.0), seconds=3.0, seed=1)
    samples, wanted = (r.recording.read(0, 0, 30_000) for r in (seen, whole))
    assert len(seen.drops) > 1
    lost = np.zeros(30_000, dtype=bool)
    for first, stop in seen.drops:
        lost[first:stop] = True
        assert np.all(samples[first:stop] == samples[first - 1])  # also across pieces of 50 ms
    assert np.array_equal(samples[~lost], wanted[~lost])


@pytest.mark.compiled
def test_shared_pads_and_second_pads_are_known() -> None:
    options = CultureOptions(
        n_neurons=24,
        pads=PadGrid(n_rows=6, n_columns=6, shared_fraction=0.25),
        wiring=WiringOptions(inputs_per_neuron=4),
    )
    culture = grow(options, seed=1)
    seen = record(culture, replace(CLEAN, second_pad_probability=1.0), seconds=0.1)
    shared = seen.channel_neuron[:, 1] >= 0
    assert shared.sum() == 6
    assert np.sum([label.endswith("b") for label in seen.truth.labels]) == 6
    named = [seen.recording.channel_labels.index(label.rstrip("b")) for label in seen.truth.labels]
    assert np.array_equal(named, culture.pad)
    assert all(i in seen.channel_neuron[channel] for i, channel in enumerate(named))
    heard = np.bincount(seen.channel_neuron[seen.channel_neuron >= 0], minlength=24)
    assert heard.max() >= 2


@pytest.mark.compiled
def test_the_current_mode_gives_amperes(tiny: Culture) -> None:
    seen = record(tiny, ArrayOptions(readout=PSEUDO_VOLTAGE_CLAMP), seconds=0.05)
    assert seen.recording.signal is Signal.MEMBRANE_A
    assert 1e-13 < np.abs(seen.recording.read(0, 0, 500)).max() < 2e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ArrayOptions(dead_fraction=0.6, saturated_fraction=0.6), "above 1 together"),
        (ArrayOptions(crosstalk=0.5), r"crosstalk is 0\.5, outside 0 to 0\.2"),
        (ArrayOptions(readout=replace(PSEUDO_CURRENT_CLAMP, n_bits=20)), r"readout\.n_bits is 20"),
    ],
)
def test_an_array_that_cannot_be_is_refused(tiny: Culture, options: ArrayOptions, message: str) -> None:
    with pytest.raises(CultureError, match=message):
        record(tiny, options, seconds=0.1)
