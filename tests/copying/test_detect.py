import numpy as np
import pytest
from _pasted_spikes import detected, recording, with_spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.copying.intracellular.neurons._detect import running_amplitude_v
from neurograft.copying.intracellular.reading._peaks import DetectionOptions, find_peaks
from neurograft.recordings import Signal


def peaks_reference(volts, lag, widest, threshold_v):
    """The same rule told peak by peak, without the kernel's loops."""
    out, n, free = [], len(volts), 1
    for k in range(1, n):
        before, after = volts[max(k - lag, 0) : k], volts[k + 1 : k + lag + 1]
        is_peak = volts[k] > volts[k - 1] and volts[k] >= before.max() and volts[k] >= after.max(initial=-np.inf)
        if k < free or not is_peak or volts[k] - before.min() <= threshold_v:
            continue
        free = k + lag + 1
        base = np.median(volts[max(k - 4 * lag, 0) : max(k - 2 * lag, 0) + 1])
        high = volts[k] - base
        if high > threshold_v:
            left, right = volts[:k][::-1], volts[k + 1 :]
            steps = np.diff(volts)[max(k - lag - 1, 0) : k]
            steep = k if steps[-1] == steps.max() else max(k - lag, 1) + int(np.argmax(steps))
            rise = k - int(np.argmin(np.append(left > base + 0.5 * high, False)))
            fall = k + int(np.argmin(np.append(right > base + 0.5 * high, False)))
            fall = max(min(fall, rise + widest), k)
            out.append((steep, high, fall - rise + 1, base - before.min()))
    return out


@settings(deadline=None, max_examples=20)  # the first call compiles
@given(seed=st.integers(0, 10_000), lag=st.integers(1, 5), widest=st.integers(1, 12), n=st.integers(10, 80))
def test_peaks_are_those_of_the_slow_twin(seed, lag, widest, n):
    volts = np.random.default_rng(seed).standard_normal(n).cumsum()
    found = find_peaks(volts, lag=lag, widest=widest, threshold_v=1.0)
    expected = peaks_reference(volts, lag, widest, 1.0)
    assert found.frame.tolist() == [row[0] for row in expected]
    assert found.amplitude_v == pytest.approx([row[1] for row in expected])
    assert found.width.tolist() == [row[2] for row in expected]
    assert found.dip_v == pytest.approx([row[3] for row in expected])


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), lag=st.integers(1, 40))
def test_blocks_that_are_not_looked_at_hold_no_peak(seed, lag):
    rng = np.random.default_rng(seed)
    noise_v, high = 0.2 * rng.standard_normal(600), rng.random(600) < 0.02
    volts = noise_v + 3.0 * high
    found = find_peaks(volts, lag=lag, widest=8, threshold_v=2.5)
    assert found.frame.tolist() == [row[0] for row in peaks_reference(volts, lag, 8, 2.5)]
    assert len(found.frame) <= high.sum()  # the noise alone is far too low


def test_action_potentials_on_a_potential_that_stays_high_are_found():
    """As in a burst: the potential rises slowly by a third of an action potential, and stays there."""
    frames = np.arange(2000, 28_000, 150)  # 67 Hz
    volts = with_spikes(frames)
    volts += 0.035 * np.clip((np.arange(len(volts)) % 10_000 - 1000) / 1000, 0, 1)
    found = detected(recording(volts))
    assert found.events.frame.size == frames.size
    assert found.implausible[0] == 0


def test_every_action_potential_is_found_in_its_rise_with_its_amplitude():
    frames = np.arange(500, 29_000, 700)
    found = detected(recording(with_spikes(frames))).events
    late = found.frame - frames
    assert 0 <= late.min() <= late.max() <= 3  # the four samples of the rise are equally steep
    assert found.amplitude_v == pytest.approx(0.1, rel=0.03)  # 0.3 mV noise, largest of about 20 samples


def test_a_postsynaptic_potential_is_no_action_potential_however_large():
    volts = with_spikes([2000, 9000])
    wave = np.exp(-np.arange(3000) / 200.0) - np.exp(-np.arange(3000) / 10.0)
    volts[15_000:18_000] += 0.02 * wave  # 20 mV, 15 ms wide
    assert detected(recording(volts)).events.frame.size == 2


def test_small_copies_of_another_channels_action_potentials_are_left_out_on_a_pad_that_fires_itself():
    own, other = np.arange(1000, 29_000, 1000), np.arange(1500, 29_000, 1000)
    pad = with_spikes(own, height_v=0.01, noise_v=0.05e-3) + with_spikes(other, height_v=0.002, noise_v=0.0)
    found = detected(recording(pad, signal=Signal.INTRACELLULAR_V)).events
    assert found.frame.size == own.size
    lax = detected(recording(pad, signal=Signal.INTRACELLULAR_V), DetectionOptions(running_share=0.05)).events
    assert lax.frame.size == own.size + other.size


@pytest.mark.parametrize(
    "change",
    [{"noise_sds": 300.0}, {"rise_s": 1e-4}, {"width_s": (1e-4, 3e-4)}, {"min_membrane_v": 0.2}, {"running_s": 0.05}],
)
def test_each_option_changes_what_is_found(change):
    frames = np.arange(500, 29_000, 700)
    tall = with_spikes(frames[::2], seed=1) + with_spikes(frames[1::2], height_v=0.02, noise_v=0.0) + 0.06
    plain = detected(recording(tall)).events
    changed = detected(recording(tall), DetectionOptions(**change)).events
    assert not np.array_equal(changed.frame, plain.frame)


def test_running_amplitude_follows_drift_and_ignores_small_events_and_one_huge_artefact():
    time_s = np.arange(0, 120, 0.5)
    true_v = 0.01 * (1 + 0.5 * np.sin(time_s / 30))
    seen_v = true_v.copy()
    seen_v[::4] = 0.001
    seen_v[101] = 1.0
    running = running_amplitude_v(time_s, seen_v, window_s=20.0)
    assert np.abs(running / true_v - 1).max() < 0.2  # half a window of the steepest drift, 0.17


def test_noise_is_that_of_the_two_millisecond_rise():
    volts = 1e-3 * np.random.default_rng(3).standard_normal(200_000)
    noise_v = detected(recording(volts)).noise_v[0]
    assert noise_v == pytest.approx(np.sqrt(2) * 1e-3, rel=0.03)  # 5000 samples a chunk, 2 chunks
