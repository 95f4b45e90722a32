"""The circuit between electrodes and cells."""

import numpy as np
import pytest

from neurograft.errors import OptionError, RecordingError
from neurograft.pasting import FrontEndOptions
from neurograft.pasting._front_end import ticks
from neurograft.pasting._front_end_set import calibrated
from neurograft.progress import silent
from neurograft.recordings import Signal, array_recording
from neurograft.units import MV
from pasting._signals import RATE_HZ, seen


def _all_ticks(recording, front):
    parts = list(ticks(recording, front, silent))
    first = np.cumsum([0, *(len(p.trace) for p in parts[:-1])])
    tick = np.concatenate([p.spike_tick + f for p, f in zip(parts, first, strict=True)])
    return np.concatenate([p.trace for p in parts]), tick, np.concatenate([p.spike_channel for p in parts])


def test_every_action_potential_is_a_pulse_in_its_tick():
    made = seen(4, 20.0)
    front = calibrated(made.recording, FrontEndOptions(calibrate_s=10.0), silent)
    _, tick, channel = _all_ticks(made.recording, front)
    for c, frames in enumerate(made.spikes):
        mine = np.sort(tick[channel == c])
        assert abs(mine.size - frames.size) <= 2  # the very first may lie in the filter's start
        nearest = np.abs(mine[:, None] - frames[None, :] / RATE_HZ / front.tick_s).min(axis=1)
        assert np.quantile(nearest, 0.99) <= 1.5


def test_the_trace_is_white_has_noise_one_and_no_offset():
    made = seen(4, 30.0, synapses={})
    front = calibrated(made.recording, FrontEndOptions(calibrate_s=30.0), silent)
    trace, _, _ = _all_ticks(made.recording, front)
    free = (trace[1:] != 0) & (trace[:-1] != 0)
    for c in range(4):
        x, y = trace[:-1][free[:, c], c], trace[1:][free[:, c], c]
        assert np.std(x) == pytest.approx(1.0, abs=0.1)  # robust against plain sd; unrest divides half of the ticks
        assert abs(np.mean(x)) < 0.02
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.08  # 0.997 before the filter; half-known ticks leave a rest


def test_without_the_filter_the_trace_remembers():
    made = seen(4, 20.0, synapses={})
    front = calibrated(made.recording, FrontEndOptions(order=0, calibrate_s=20.0), silent)
    trace, _, _ = _all_ticks(made.recording, front)
    free = (trace[1:, 0] != 0) & (trace[:-1, 0] != 0)
    assert np.corrcoef(trace[:-1, 0][free], trace[1:, 0][free])[0, 1] > 0.8


def test_own_action_potentials_are_held_and_never_reach_a_cell():
    made = seen(4, 20.0)
    front = calibrated(made.recording, FrontEndOptions(calibrate_s=20.0), silent)
    trace, tick, channel = _all_ticks(made.recording, front)
    for c in range(4):
        mine = tick[channel == c]
        assert np.all(trace[mine[mine < len(trace)], c] == 0)


def test_pieces_do_not_change_what_the_cells_see(monkeypatch):
    made = seen(4, 20.0)
    options = FrontEndOptions(calibrate_s=20.0)
    front = calibrated(made.recording, options, silent)
    whole, tick, _ = _all_ticks(made.recording, front)
    monkeypatch.setattr("neurograft.pasting._front_end.CHUNK_SAMPLES", 9000)
    pieces, tick_again, _ = _all_ticks(made.recording, front)
    assert pieces.shape == whole.shape
    assert tick_again.tolist() == tick.tolist()
    # the high-pass sees 0.2 s on either side: beyond, only the mean that keeps sums small differs
    assert np.corrcoef(pieces.ravel(), whole.ravel())[0, 1] > 0.999


def test_pads_get_their_coupling_from_their_action_potentials():
    gain = np.array([0.04, 0.02, 0.08, 0.04])
    made = seen(4, 20.0, gain=gain)
    front = calibrated(made.recording, FrontEndOptions(calibrate_s=20.0), silent)
    assert front.gain * gain == pytest.approx(1.0, abs=0.25)  # the rise within 2 ms is not the whole height


def test_channels_that_cannot_be_used_say_why():
    made = seen(4, 10.0)
    samples = np.array(made.recording.samples[0])
    samples[:, 1] = 0.1
    samples[: len(samples) * 3 // 4, 2] = np.nan
    recording = array_recording(samples, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    front = calibrated(recording, FrontEndOptions(calibrate_s=10.0), silent)
    assert front.reason[:3] == ("", "constant or saturated", "mostly no numbers")
    assert front.is_usable.tolist() == [True, False, False, True]
    trace, _, channel = _all_ticks(recording, front)
    assert np.isfinite(trace).all()
    assert not np.isin(channel, (1, 2)).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signal": Signal.EXTRACELLULAR_V}, "needs the membrane potential"),
        ({"rate_hz": 1000.0}, "1000 samples a second"),
        ({"samples": np.zeros((1000, 2), dtype=np.float32)}, "lasts 0.2 s"),
        ({"samples": np.zeros((20_000, 1), dtype=np.float32)}, "1 channel"),
    ],
)
def test_recordings_that_cannot_drive_cells_are_refused(change, message):
    given = {
        "samples": np.zeros((20_000, 2), dtype=np.float32),
        "rate_hz": RATE_HZ,
        "signal": Signal.MEMBRANE_V,
    } | change
    recording = array_recording(given.pop("samples"), **given)
    with pytest.raises(RecordingError, match=message):
        calibrated(recording, FrontEndOptions(), silent)


def test_impossible_circuits_are_refused():
    for change in ({"order": 9}, {"tick_s": 0.1}, {"limit_sds": 0.0}, {"spike_share": 0.0}):
        with pytest.raises(OptionError, match=next(iter(change))):
            FrontEndOptions(**change)


def test_a_louder_network_moves_cells_less():
    made = seen(6, 20.0, synapses={})
    samples = np.array(made.recording.samples[0], dtype=np.float64)
    rng = np.random.default_rng(5)
    loud = slice(60_000, 70_000)
    samples[loud] += 1.0 * MV * rng.standard_normal((10_000, 6))
    recording = array_recording(samples, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V)
    sizes = {}
    for holds in (True, False):
        front = calibrated(recording, FrontEndOptions(holds_bursts=holds, calibrate_s=10.0), silent)
        trace, _, _ = _all_ticks(recording, front)
        sizes[holds] = np.std(trace[12_200:13_800]) / np.std(trace[:10_000])
    assert sizes[True] < 0.5 < 1.5 < sizes[False]
