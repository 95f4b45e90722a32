"""Copying whole recordings: grown networks, a real multipatch recording with cross-talk, bad input."""

import os
from dataclasses import replace

import numpy as np
import pytest
from _pasted_spikes import recording as pasted
from _pasted_spikes import with_spikes
from _synthetic_traces import Bench, grow
from _written_out import judge_written_out

from neurograft.copying import Budget, IntracellularOptions, Threads, Work, copy_intracellular, triggered_average
from neurograft.copying.intracellular.judging._amplitude import scores
from neurograft.copying.intracellular.reading._peaks import DetectionOptions
from neurograft.errors import CopyError
from neurograft.maps import Kind, Undecidable, measured_noise
from neurograft.recordings import Signal, array_recording
from neurograft.spikes import spike_trains

needs_kernels = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="too long without compiled kernels"
)
CHEMICAL = (Kind.EXCITATORY_WEAK, Kind.EXCITATORY_STRONG, Kind.INHIBITORY)


@pytest.fixture(scope="module")
def truth():
    return grow(Bench(n=30, seconds=40.0, seed=11))


@pytest.fixture(scope="module")
def copied(truth):
    return copy_intracellular(truth.recording)


@pytest.fixture(scope="module")
def short(truth):
    recording = truth.recording
    return array_recording(recording.samples[0][:8000, :12], rate_hz=recording.rate_hz, signal=recording.signal)


def calls(chart, n):
    """The map's chemical synapses as a matrix of weights, by channel number."""
    at = np.array([int(label) for label in chart.labels])
    out = np.zeros((n, n))
    mine = np.isin(chart.kind, CHEMICAL)
    out[at[chart.pre[mine]], at[chart.post[mine]]] = chart.weight_v[mine]
    return out


@needs_kernels
def test_a_grown_network_is_copied_with_few_false_synapses_and_every_sign_right(truth, copied):
    found = calls(copied.map, 30)
    hit, false = (found != 0) & (truth.weight_v != 0), (found != 0) & (truth.weight_v == 0)
    large = np.abs(truth.weight_v) > 0.7e-3
    assert (hit & large).sum() >= 0.95 * large.sum()
    assert false.sum() <= 0.15 * hit.sum()  # 0.05 is promised; some 60 calls: three standard errors
    assert np.array_equal(np.sign(found[hit]), np.sign(truth.weight_v[hit]))
    assert np.median(found[hit] / truth.weight_v[hit]) == pytest.approx(1.0, abs=0.1)


@needs_kernels
def test_standard_errors_delays_and_evidence_are_those_of_the_truth(truth, copied):
    chart = copied.map
    w = truth.weight_v[chart.pre, chart.post]
    hit = np.isin(chart.kind, CHEMICAL) & (w != 0)
    assert np.median(np.abs(chart.weight_v - w)[hit] / chart.weight_se_v[hit]) < 1.5  # 0.67 without any bias
    assert np.median(np.abs(chart.delay_s - truth.delay_s[chart.pre, chart.post])[hit]) < 0.6e-3
    z, off = np.abs(chart.evidence.z), ~np.eye(30, dtype=bool)
    assert np.isnan(np.diag(z)).all()
    assert z[(truth.weight_v != 0) & off].mean() > 4 * z[(truth.weight_v == 0) & off].mean()
    known = chart.sign != 0
    assert np.array_equal(chart.sign[known] < 0, truth.is_inhibitory[known])
    drives = np.any(np.abs(truth.weight_v) > 0.7e-3, axis=1)  # at least one synapse that is found (the test above)
    assert drives.sum() > 20
    assert known[drives].all()


@needs_kernels
def test_null_evidence_is_near_what_normal_theory_says(copied):
    null = copied.null
    assert null.shift_sd == pytest.approx(1.0, abs=0.05)
    assert null.shift_tail < 0.006
    assert null.decoy_share < 0.15
    assert null.acausal_sd == pytest.approx(1.0, abs=0.15)
    nominal, shifted, _ = null.calibration.T
    assert np.abs(shifted[:4] / nominal[:4] - 1).max() < 0.15


@needs_kernels
def test_judging_side_by_side_calls_what_is_called_when_it_is_written_out(short, monkeypatch):
    quick = copy_intracellular(short).map

    def slow(fit, kinds, is_open, mixture, *, sd, is_dale, is_sure, n_threads):
        del n_threads
        found = scores(fit, kinds, np.arange(len(is_open)))
        return judge_written_out(found, kinds, is_open, mixture, sd=sd, is_dale=is_dale, is_sure=is_sure)

    monkeypatch.setattr("neurograft.copying.intracellular._judgement.judge_all", slow)
    written = copy_intracellular(short).map
    assert np.array_equal(quick.pre, written.pre)
    assert np.array_equal(quick.post, written.post)
    assert np.allclose(quick.q_value, written.q_value, atol=1e-4, equal_nan=True)
    assert np.allclose(quick.evidence.z, written.evidence.z, rtol=1e-3, atol=1e-3, equal_nan=True)


@needs_kernels
def test_less_memory_and_more_threads_make_the_same_map(truth, monkeypatch):
    seen = truth.recording
    short = array_recording(seen.samples[0][:6000], rate_hz=seen.rate_hz, signal=seen.signal)  # two blocks of targets
    whole = copy_intracellular(short).map
    monkeypatch.setattr(Budget, "require", lambda self, **size: None)  # what is never cut needs more than that
    work = Work(memory=Budget(1 << 20), workers=Threads(3, 1 << 16), n_threads=2)
    cut = copy_intracellular(short, work=work).map
    assert np.allclose(cut.evidence.z, whole.evidence.z, rtol=1e-6, atol=1e-6, equal_nan=True)  # sums in another order
    assert np.array_equal(cut.pre, whole.pre)
    assert np.array_equal(cut.post, whole.post)


@needs_kernels
def test_a_smaller_error_rate_calls_a_subset(truth, copied):
    strict = copy_intracellular(truth.recording, options=IntracellularOptions(fdr=0.001))
    few, many = calls(strict.map, 30) != 0, calls(copied.map, 30) != 0
    assert few.sum() < many.sum()
    assert not (few & ~many).any()


@needs_kernels
@pytest.mark.parametrize(
    "options",
    [
        IntracellularOptions(row_rate_hz=500.0),
        IntracellularOptions(plausible_v=0.05e-3),
        IntracellularOptions(is_dale=False),
        IntracellularOptions(seed=5),
        IntracellularOptions(detection=DetectionOptions(running_share=0.99)),
    ],
    ids=["row_rate_hz", "plausible_v", "is_dale", "seed", "detection"],
)
def test_each_option_changes_the_evidence(short, options):
    a, b = copy_intracellular(short), copy_intracellular(short, options=options)
    same = (
        np.array_equal(a.map.evidence.z, b.map.evidence.z, equal_nan=True)
        and np.array_equal(a.map.evidence.undecidable, b.map.evidence.undecidable)
        and a.null.shift_sd == b.null.shift_sd
    )
    assert not same


@needs_kernels
def test_pads_of_unknown_drifting_coupling_give_the_same_map():
    truth = grow(Bench(n=16, seconds=40.0, rate_hz=2500.0, is_drifting=True, seed=12))
    copied = copy_intracellular(truth.recording)
    found = calls(copied.map, 16)
    hit = (found != 0) & (truth.weight_v != 0)
    large = np.abs(truth.weight_v) > 0.8e-3
    assert (hit & large).sum() >= 0.9 * large.sum()
    assert ((found != 0) & (truth.weight_v == 0)).sum() <= 0.15 * hit.sum() + 1
    ratio = found[hit] / truth.weight_v[hit]
    assert np.all(ratio > 0)
    # the action potential is taken for 100 mV; here it is 87 mV, less what 2.5 kHz cuts off
    assert np.median(ratio) == pytest.approx(100 / 65, abs=0.3)
    twice = copy_intracellular(truth.recording, options=IntracellularOptions(action_potential_v=0.2))
    assert twice.map.evidence.limit_v[0, 1] == pytest.approx(2 * copied.map.evidence.limit_v[0, 1], rel=0.2)


@needs_kernels
def test_gap_junctions_are_electrical_both_ways_and_no_chemical_synapse():
    truth = grow(Bench(n=16, seconds=30.0, rate_hz=5000.0, n_gap=5, seed=13))
    chart = copy_intracellular(truth.recording).map
    found = np.zeros((16, 16), dtype=bool)
    mine = chart.kind == Kind.ELECTRICAL
    found[chart.pre[mine], chart.post[mine]] = True
    assert np.array_equal(found, found.T)
    assert (found & truth.gap).sum() >= 6  # of ten directed
    assert not (found & ~truth.gap).any()
    assert not ((calls(chart, 16) != 0) & truth.gap & (truth.weight_v == 0)).any()


@needs_kernels
def test_the_multipatch_recording_holds_no_synapse_and_its_cross_talk_is_named(shared_data):
    vm_mv = np.load(shared_data / "patchview_multipatch" / "190604s1c3r1_vm.npz")["vm_mv"]
    recording = array_recording(
        tuple(np.ascontiguousarray(sweep.T) * 1e-3 for sweep in vm_mv),
        rate_hz=25_000.0,
        signal=Signal.MEMBRANE_V,
        channel_labels=tuple(str(k) for k in range(1, 9)),
    )
    copied = copy_intracellular(recording)
    assert copied.map.n_synapses == 0
    assert {("3", "2"), ("3", "4")} <= {(r.pre, r.post) for r in copied.rejected}
    assert all("cross-talk" in r.why and r.pre == "3" for r in copied.rejected)
    codes, limit_v = copied.map.evidence.undecidable, copied.map.evidence.limit_v
    assert (codes[2, 1], codes[2, 3]) == (Undecidable.CROSS_TALK, Undecidable.CROSS_TALK)
    others = [j for j in range(8) if j != 2]
    silent = codes[np.ix_(others, range(8))]
    assert np.all(silent[~np.eye(8, dtype=bool)[others]] == Undecidable.SILENT)
    assert np.all(limit_v[2, others][codes[2, others] == Undecidable.DECIDED] < 0.3e-3)
    assert copied.spikes.counts().tolist() == [0, 0, 20, 0, 0, 0, 0, 0]
    start_s = np.array(recording.segment_start_s)
    assert copied.spikes.time_s == pytest.approx(
        np.column_stack([start_s + 0.2002, start_s + 0.3022]).ravel(), abs=3e-4
    )


def test_a_triggered_average_is_the_mean_of_the_snippets_with_its_interval():
    rng = np.random.default_rng(0)
    volts = rng.standard_normal((4000, 2)) * 1e-3
    frames = np.arange(200, 3800, 90)
    recording = array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V, channel_labels=("a", "b"))
    spikes = spike_trains(time_s=frames / 1000.0, neuron=np.zeros(len(frames), dtype=np.int64), labels=["a", "b"])
    average = triggered_average(recording, spikes, 0, 1, before_s=5e-3, after_s=20e-3)
    seen = volts.astype(np.float32).astype(np.float64)[:, 1]
    snippets = np.stack([seen[f - 5 : f + 21] - seen[f - 3 : f].mean() for f in frames])
    assert average.n_spikes == len(frames)
    assert average.lag_s == pytest.approx(np.arange(-5, 21) * 1e-3)
    assert average.mean_v == pytest.approx(snippets.mean(axis=0))
    half = 1.96 * snippets.std(axis=0, ddof=1) / np.sqrt(len(frames))
    assert average.upper_v - average.mean_v == pytest.approx(half, rel=1e-3)
    assert average.mean_v - average.lower_v == pytest.approx(half, rel=1e-3)
    with pytest.raises(CopyError, match="pre is 5"):
        triggered_average(recording, spikes, 5, 1)
    other = spike_trains(time_s=np.array([1.0]), neuron=np.array([0]), labels=["a", "z"])
    with pytest.raises(CopyError, match="'z', which is no channel"):
        triggered_average(recording, other, 0, 1)


def test_spikes_near_one_of_the_postsynaptic_neurons_own_are_left_out_of_an_average():
    volts = np.random.default_rng(0).standard_normal((3000, 2)) * 1e-3
    recording = array_recording(volts, rate_hz=1000.0, signal=Signal.MEMBRANE_V)
    spikes = spike_trains(time_s=np.array([0.5, 1.0, 1.004, 2.0]), neuron=np.array([0, 0, 1, 0]), n_neurons=2)
    assert triggered_average(recording, spikes, 0, 1).n_spikes == 2


FRAMES = np.arange(300, 49_000, 400)


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        (pasted(with_spikes([900]), signal=Signal.EXTRACELLULAR_V), "Copy its sorted spikes instead"),
        (pasted(with_spikes([900]), signal=Signal.MEMBRANE_A), "needs a membrane potential"),
        (pasted(with_spikes([900]), rate_hz=200.0), "has 200.0 samples a second"),
        (pasted(with_spikes([900], n=5000)), "lasts 0.5 s"),
        (pasted(with_spikes([], n=50_000)), "None of the 1 channels shows an action potential"),
        (pasted(np.full(50_000, -0.06), np.full(50_000, np.nan)), "All 2 channels are constant, saturated or NaN"),
        (pasted(with_spikes(FRAMES, n=50_000), rate_hz=1000.0), "Check the sampling rate"),
    ],
    ids=["extracellular", "current", "slow", "short", "no spikes", "bad channels", "wrong rate"],
)
def test_recordings_that_cannot_be_copied_say_why(recording, message):
    with pytest.raises(CopyError, match=message):
        copy_intracellular(recording)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"fdr": 0.0}, "fdr is"), ({"row_rate_hz": 5.0}, "row_rate"), ({"plausible_v": 0.0}, "plausible")],
)
def test_options_out_of_range_are_refused(change, message):
    with pytest.raises(CopyError, match=message):
        IntracellularOptions(**change)


@needs_kernels
def test_bad_and_silent_channels_are_flagged_and_nothing_is_claimed_of_them():
    rng = np.random.default_rng(0)
    fires = [np.sort(rng.choice(np.arange(300, 49_000, 90), 100, replace=False)) + 11 * k for k in range(2)]
    nan_filled = with_spikes([], n=50_000, seed=4)
    nan_filled[:40_000] = np.nan
    saturated = with_spikes(fires[0], n=50_000, seed=5, noise_v=0.6e-3)  # the worse pad of the two
    saturated[20_000:28_000] = 0.05
    channels = [with_spikes(f, n=50_000, seed=k) for k, f in enumerate(fires)]
    recording = pasted(*channels, np.full(50_000, -0.06), nan_filled, with_spikes([], n=50_000, seed=7), saturated)
    copied = copy_intracellular(recording)
    noise = measured_noise(copied.map)
    assert noise is not None
    assert np.isfinite(noise.sd_v).tolist() == [True, True, False, False, True]
    seen_by_pads = copy_intracellular(replace(recording, signal=Signal.INTRACELLULAR_V))
    noise = measured_noise(seen_by_pads.map)
    assert noise is not None
    assert np.isfinite(noise.sd_v).tolist() == [True, True, False, False, False]  # a pad without action potentials
    codes = copied.map.evidence.undecidable
    assert copied.map.n_synapses == 0
    assert copied.map.labels == ("0", "1", "2", "3", "4")  # the saturated one is neuron 0 once more
    assert np.all(codes[[0, 1]][:, [2, 3]] == Undecidable.BAD_CHANNEL)
    assert np.all(codes[4, [0, 1]] == Undecidable.SILENT)
    flags = [" ".join(report.flags) for report in copied.channels]
    assert flags[0] == flags[1] == ""
    assert "100% of its samples" in flags[2]
    assert "80% of its samples" in flags[3]
    assert "no action potential" in flags[4]
    assert "16.0% of its samples" in flags[5]
    assert "same neuron as channel 0: merged" in flags[5]


@needs_kernels
def test_one_neuron_on_all_channels_and_a_single_channel_give_one_neuron_and_no_pair():
    frames = np.arange(300, 49_000, 400)
    for channels in (1, 4):
        copied = copy_intracellular(pasted(*(with_spikes(frames, n=50_000, seed=k) for k in range(channels))))
        assert copied.map.n_neurons == 1
        assert copied.map.n_synapses == 0


@needs_kernels
def test_too_few_spikes_leave_a_pair_undecidable():
    drift = 2e-3 * np.random.default_rng(1).standard_normal((60_000, 2)).cumsum(axis=0) / 30
    volts = [
        with_spikes(f, n=60_000, seed=k, noise_v=3e-3, height_v=0.12) for k, f in enumerate(([9000, 31_000], [20_500]))
    ]
    copied = copy_intracellular(
        pasted(*(np.column_stack(volts) + drift).T), options=IntracellularOptions(plausible_v=0.2e-3)
    )
    assert copied.map.n_synapses == 0
    assert copied.map.evidence.undecidable[0, 1] == Undecidable.TOO_FEW_SPIKES
    assert copied.map.evidence.limit_v[0, 1] > 0.2e-3


@pytest.mark.slow
@needs_kernels
def test_one_hundred_and_fifty_cells_are_ranked_and_called_as_promised():
    truth = grow(Bench(n=150, seconds=200.0, seed=900))
    chart = copy_intracellular(truth.recording).map
    found = calls(chart, 150) != 0
    is_true = truth.weight_v != 0
    off = ~np.eye(150, dtype=bool)
    z, y = np.abs(chart.evidence.z)[off], is_true[off]
    order = np.argsort(-z)
    precision = np.cumsum(y[order]) / np.arange(1, len(y) + 1)
    assert precision[y[order]].mean() > 0.96
    assert 0.02 < (found & ~is_true).sum() / found.sum() < 0.065
