import numpy as np
import pytest

from neurograft.culture import (
    ActivityOptions,
    Culture,
    CultureOptions,
    CultureRecording,
    PadGrid,
    SynapseOptions,
    WiringOptions,
    grow,
    record,
    record_membrane,
)
from neurograft.culture._play import play
from neurograft.culture._strengths import peak_potential_v
from neurograft.errors import CultureError
from neurograft.maps import Kind


def test_the_same_seed_gives_the_same_culture_and_another_one_another(tiny: Culture) -> None:
    again = grow(tiny.options, seed=tiny.seed)
    other = grow(tiny.options, seed=tiny.seed + 1)
    assert np.array_equal(again.map.weight_v, tiny.map.weight_v)
    assert np.array_equal(again.steady_v, tiny.steady_v)
    assert not np.array_equal(other.map.position_um, tiny.map.position_um)


def test_the_same_seed_gives_the_same_recording_and_another_one_another(tiny: Culture) -> None:
    first, again, other = (record(tiny, seconds=0.06, seed=seed).recording.read(0, 0, 600) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_shorter_recording_is_the_start_of_a_longer_one(tiny: Culture) -> None:
    long = record_membrane(tiny, seconds=0.11, seed=1).recording.read(0, 0, 600)
    short = record_membrane(tiny, seconds=0.06, seed=1).recording.read(0, 0, 600)
    assert np.array_equal(long[:500], short[:500])


def test_weights_are_the_peak_potentials_at_rest(tiny: Culture) -> None:
    truth = tiny.map
    mean_siemens = truth.extra["quantum_siemens"] * truth.extra["release_sites"] * truth.extra["release_probability"]
    for excites in (True, False):
        chosen = np.flatnonzero((truth.weight_v > 0) == excites)
        found = peak_potential_v(
            truth.post[chosen].astype(np.int64),
            mean_siemens[chosen],
            excites=excites,
            family=tiny.options.family,
            cells=tiny.cells,
            nmda_ratio=tiny.options.synapses.nmda_ratio,
            step_s=tiny.options.step_s,
        )
        # The curve from conductance to potential is interpolated between nine measured points.
        assert found == pytest.approx(truth.weight_v[chosen], rel=5e-3)


@pytest.mark.compiled
def test_signs_follow_the_sender_and_kinds_the_signs(culture: Culture) -> None:
    truth = culture.map
    assert np.array_equal(np.sign(truth.weight_v).astype(np.int8), truth.sign[truth.pre])
    assert set(truth.kind[truth.weight_v < 0]) == {Kind.INHIBITORY}
    assert set(truth.kind[truth.weight_v > 0]) == {Kind.EXCITATORY_WEAK, Kind.EXCITATORY_STRONG}
    strong = truth.kind == Kind.EXCITATORY_STRONG
    assert truth.weight_v[strong].min() > np.median(truth.weight_v[truth.weight_v > 0])


@pytest.mark.compiled
def test_the_culture_bursts_and_neurons_differ_in_rate(recorded: CultureRecording) -> None:
    rates_hz = recorded.spikes.rates_hz()
    assert rates_hz.std() > 0.3 * rates_hz.mean()
    busy = np.bincount((recorded.spikes.time_s / 0.1).astype(int), minlength=200) / (0.1 * 60)
    assert busy.max() > 10 * np.median(busy)


@pytest.mark.compiled
@pytest.mark.parametrize("rate_hz", [0.3, 12.0])
def test_slow_and_fast_cultures_fire_as_asked(rate_hz: float) -> None:
    activity = ActivityOptions(rate_hz=rate_hz, modulation_s=2.0)
    options = CultureOptions(n_neurons=30, wiring=WiringOptions(inputs_per_neuron=5), activity=activity)
    culture = grow(options, seed=2)
    n_spikes = sum(piece.spike_frame.size for life in (1, 2, 3) for piece in play(culture, seconds=40.0, seed=life))
    # Half of the spikes of the slow one come in about four bursts a life, which differ.
    assert n_spikes / (3 * 40.0 * 30) == pytest.approx(rate_hz, rel=0.4 if rate_hz < 1 else 0.25)


@pytest.mark.compiled
def test_membrane_recordings_show_action_potentials_where_the_spikes_are(culture: Culture) -> None:
    seen = record_membrane(culture, seconds=2.0, seed=1)
    v = seen.recording.read(0, 0, seen.recording.segment_frames[0])
    frame = np.rint(seen.spikes.time_s * seen.recording.rate_hz).astype(int)
    inner = frame < len(v) - 5
    peak = np.max([v[frame[inner] + k, seen.spikes.neuron[inner]] for k in range(5)], axis=0)
    assert peak.min() > 0
    height = peak - np.median(v, axis=0)[seen.spikes.neuron[inner]]
    assert 0.08 < np.median(height) < 0.12  # Ham 2021, figure 2: about 100 mV


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CultureOptions(n_neurons=1), "n_neurons is 1. Grow at least 2"),
        (CultureOptions(n_neurons=10, pads=PadGrid(n_rows=3, n_columns=3)), "3 x 3 = 9 pads. Raise the pads"),
        (CultureOptions(n_neurons=10, hidden_fraction=1.0), "hidden_fraction is 1, which leaves 0 of 10"),
        (CultureOptions(n_neurons=10, wiring=WiringOptions(inputs_per_neuron=10)), "only 9 others"),
        (CultureOptions(n_neurons=60, wiring=WiringOptions(excitatory_length_um=10)), "connection probability of"),
        (CultureOptions(wiring=WiringOptions(delay_limit_s=0.05)), "delay_limit_s = 0.05 s, which must lie between"),
        (CultureOptions(wiring=WiringOptions(latency_s=0.0)), "latency_s = 0 s"),
        (CultureOptions(synapses=SynapseOptions(largest_excitatory_v=1e-4)), "not above the median strength"),
        (CultureOptions(excitatory_fraction=1.5), "excitatory_fraction is 1.5, outside 0 to 1"),
    ],
)
def test_what_no_culture_can_have_is_refused_before_work_starts(options: CultureOptions, message: str) -> None:
    with pytest.raises(CultureError, match=message):
        grow(options, seed=1)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_recording_of_no_length_is_refused(tiny: Culture, seconds: float) -> None:
    with pytest.raises(CultureError, match="Give a positive number of seconds"):
        record(tiny, seconds=seconds)


def test_a_recording_too_large_for_memory_is_refused(tiny: Culture) -> None:
    with pytest.raises(CultureError, match="GB kept in memory"):
        record(tiny, seconds=1e5)
