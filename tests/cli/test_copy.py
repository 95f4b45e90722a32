"""Copying membrane potentials as a user does: the report, the JSON, and recordings that something is wrong with."""

import json
import os

import numpy as np
import pytest

from neurograft.maps import Undecidable, load_map

needs_kernels = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"
)
RATE_HZ, N = 10_000.0, 50_000


def train(seed):
    """Frames of some forty action potentials that are never near each other."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(np.arange(400, N - 800, 197), 40, replace=False)) + 7 * seed


def volts(frames, seed, noise_v=0.3e-3):
    """A membrane at rest with pasted action potentials of 100 mV."""
    trace = -0.06 + noise_v * np.random.default_rng(seed).standard_normal(N)
    shape = np.concatenate([np.array([0.1, 0.25, 0.7, 0.9]), np.linspace(1, 0, 8)])
    for frame in frames:
        trace[frame : frame + len(shape)] += 0.1 * shape
    return trace


def with_answer(trace, frames, size_v):
    """The trace with a potential 2 ms after each of these spikes."""
    t_s = np.arange(round(0.05 * RATE_HZ)) / RATE_HZ
    potential = np.exp(-t_s / 10e-3) - np.exp(-t_s / 2e-3)
    out, late = trace.copy(), round(2e-3 * RATE_HZ)
    for frame in frames:
        out[frame + late : frame + late + len(t_s)] += size_v * potential / potential.max()
    return out


@pytest.fixture
def write(tmp_path):
    """Return a function that writes channels as raw samples with the file that says what they are."""

    def put(*channels, rate_hz=RATE_HZ, kind="membrane_v"):
        np.column_stack(channels).astype("<f4").tofile(tmp_path / "seen.raw")
        (tmp_path / "seen.toml").write_text(
            "format_version = 1\n[samples]\nfiles = ['seen.raw']\ndtype = 'float32'\nbyte_order = 'little'\n"
            f"order = 'frames'\nn_channels = {len(channels)}\n[time]\nrate_hz = {rate_hz}\n"
            f"[signal]\nkind = '{kind}'\ngain_v = 1.0\n"
        )
        return tmp_path / "seen.toml"

    return put


@needs_kernels
def test_a_synapse_is_copied_with_its_properties_and_the_report_shows_the_evidence(neurograft, write, tmp_path):
    trains = [train(k) for k in range(6)]
    channels = [volts(frames, seed) for seed, frames in enumerate(trains)]
    channels[1] = with_answer(channels[1], trains[0], 1.5e-3)
    out, report = tmp_path / "map.h5", tmp_path / "report.html"
    said = neurograft("copy", write(*channels), "-o", out, "--report", report, "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    [pair] = [p for p in told["pairs"] if (p["pre"], p["post"]) == ("0", "1")]
    assert pair["weight_v"] == pytest.approx(1.5e-3, rel=0.25)
    assert abs(pair["mean_v"] - 1.5e-3) < 3 * pair["mean_se_v"]
    assert pair["delay_s"] == pytest.approx(2e-3, abs=0.7e-3)
    assert pair["quiet_v"] > 2 * pair["quiet_se_v"]
    assert pair["excitatory_alone"] > 0.99
    assert told["null"]["shift_sd"] == pytest.approx(1.0, abs=0.15)
    assert len(told["null"]["decoys"]) > 5
    assert told["null"]["n_stand"] >= 1
    text = report.read_text(encoding="utf-8")
    for words in ("Evidence for the error rate in this recording", "without bursts", "Targets and decoys", "failures"):
        assert words in text
    assert load_map(out).extra["paired_pulse_50ms"].size == len(told["pairs"])


@needs_kernels
def test_strengths_from_pads_go_with_the_height_of_an_action_potential(neurograft, write, tmp_path):
    trains = [train(k) for k in range(6)]
    channels = [volts(frames, seed) for seed, frames in enumerate(trains)]
    channels[1] = with_answer(channels[1], trains[0], 1.5e-3)
    recording, weight_v = write(*channels, kind="intracellular_v"), {}
    for height_mv in (100, 50):
        said = neurograft("copy", recording, "-o", tmp_path / "map.h5", "--action-potential-mv", height_mv, "--json")
        assert said.code == 0, said.err
        pairs = json.loads(said.out)["pairs"]
        weight_v[height_mv] = next(p["weight_v"] for p in pairs if (p["pre"], p["post"]) == ("0", "1"))
    assert weight_v[50] == pytest.approx(0.5 * weight_v[100], rel=0.01)


@needs_kernels
def test_one_neuron_on_all_channels_is_one_neuron_and_says_so(neurograft, write, tmp_path):
    said = neurograft("copy", write(*(volts(train(0), k) for k in range(4))), "-o", tmp_path / "map.h5")
    assert said.code == 0, said.err
    assert "1 neuron, 0 synapses" in said.out
    assert "shows the same neuron as channel" in said.out


@needs_kernels
def test_constant_and_saturated_channels_are_flagged_and_make_no_synapse(neurograft, write, tmp_path):
    saturated = volts(train(1), 1)
    saturated[10_000:16_000] = 0.05
    channels = [volts(train(0), 0), saturated, np.full(N, -0.06)]
    said = neurograft("copy", write(*channels), "-o", tmp_path / "map.h5", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["pairs"] == []
    assert "12.0% of its samples are constant, saturated or NaN" in told["flags"]["1"][0]
    assert "bad channel: 100%" in told["flags"]["2"][0]
    codes = load_map(tmp_path / "map.h5").evidence.undecidable
    assert codes[0, 2] == codes[2, 0] == Undecidable.BAD_CHANNEL


@needs_kernels
def test_too_few_spikes_leave_pairs_undecidable_for_that_reason(neurograft, write, tmp_path):
    said = neurograft("copy", write(volts([8000], 0), volts([24_000], 1)), "-o", tmp_path / "map.h5")
    assert said.code == 0, said.err
    assert "0 synapses" in said.out
    assert "2 too few spikes" in said.out


@pytest.mark.parametrize(
    ("channels", "rate_hz", "message"),
    [
        ([np.full(N, -0.06)] * 2, RATE_HZ, "All 2 channels are constant, saturated or NaN"),
        ([volts([], 0)], RATE_HZ, "shows an action potential"),
        ([volts(train(0), 0), volts(train(1), 1)], 1000.0, "Check the sampling rate"),
        ([volts(train(0), 0), volts(train(1), 1)], 400.0, "400.0 samples a second"),
        ([volts([], 0)[:10_000]], RATE_HZ, "lasts 1 s"),
    ],
    ids=["constant", "silent", "a tenth of the rate", "too slow", "short"],
)
def test_a_recording_that_cannot_be_copied_is_refused_in_one_sentence(
    neurograft, write, tmp_path, channels, rate_hz, message
):
    said = neurograft("copy", write(*channels, rate_hz=rate_hz), "-o", tmp_path / "map.h5")
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "map.h5").exists()
