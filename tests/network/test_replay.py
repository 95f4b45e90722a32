"""Replay and stimuli: a clamped half leaves the other half exactly as it was; every table does what it says."""

import json

import numpy as np
import pytest
from numba import config

from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import (
    Modulation,
    RunOptions,
    Stimulus,
    choose_clamped,
    clamped,
    load_protocol,
    merge_stimuli,
    replay_each,
    run,
    steady_drive,
)
from neurograft.network._drive import Drive
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.spikes import spike_trains
from neurograft.units import MS, MV

STEP_S = 0.1 * MS
pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")


def living(n=40, seed=0, weight_v=2.5 * MV):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(n, 6, replace=False) for _ in range(n)])
    post = np.repeat(np.arange(n), 6)
    weight = np.where(pre < 0.7 * n, 1.0, -1.5) * weight_v * rng.uniform(0.5, 1.5, 6 * n)
    return synapse_map(
        n_neurons=n, pre=pre, post=post, weight_v=weight, delay_s=rng.integers(5, 40, 6 * n) * STEP_S,
        labels=[f"u{i}" for i in range(n)],
    )  # fmt: skip


def background(n=40):
    return Drive(
        mean_v=np.full(n, 10 * MV),
        noise_sd_v=np.full(n, 4 * MV),
        modulation=Modulation(course=np.array([1.0, -1.0]), bin_s=0.25, gain_v=np.full(n, 1 * MV)),
    )


def same(a, b):
    return np.array_equal(a.time_s, b.time_s) and np.array_equal(a.neuron, b.neuron)


@pytest.fixture(scope="module")
def alive():
    return run(living(), duration_s=1.0, seed=5, drive=background()).spikes


@pytest.mark.parametrize("neuron", [Lif(), Lif(synapse=ExponentialSynapse())], ids=["delta", "exponential"])
@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_the_right_map_with_the_same_noise_fills_in_the_rest_spike_for_spike(fraction, neuron):
    m = living()
    original = run(m, duration_s=0.5, seed=5, drive=background(), neuron=neuron).spikes
    held = clamped(m, original, choose_clamped(m, fraction, np.random.default_rng(1)))
    again = run(m, duration_s=0.5, seed=5, drive=background(), neuron=neuron, stimulus=held).spikes
    assert original.n_spikes > 100
    assert same(again, original)


def test_a_wrong_map_does_not(alive):
    m = living()
    neurons = choose_clamped(m, 0.5, np.random.default_rng(1))
    wrong = living(seed=9)
    held = clamped(wrong, alive, neurons)
    again = run(wrong, duration_s=1.0, seed=5, drive=background(), stimulus=held).spikes
    of = lambda trains, who: trains.time_s[np.isin(trains.neuron, who)]  # noqa: E731
    free = np.setdiff1d(np.arange(40), neurons)
    assert np.array_equal(of(again, neurons), of(alive, neurons))  # clamped: as recorded
    assert not np.array_equal(of(again, free), of(alive, free))


@pytest.mark.parametrize("options", [RunOptions(n_threads=2), RunOptions(chunk_s=0.0333)], ids=["threads", "chunks"])
def test_replay_does_not_depend_on_threads_and_chunks(options, alive):
    m = living()
    held = clamped(m, alive, np.arange(10))
    given = {"duration_s": 0.5, "seed": 8, "drive": background(), "stimulus": held}
    assert same(run(m, options=options, **given).spikes, run(m, **given).spikes)


def test_a_replay_goes_on_from_its_checkpoint(alive):
    m = living()
    given = {"seed": 8, "drive": background(), "stimulus": clamped(m, alive, np.arange(10))}
    half = run(m, duration_s=0.3, **given)
    rest = run(m, duration_s=0.6, resume=half.checkpoint, **given).spikes
    whole = run(m, duration_s=0.6, **given).spikes
    assert np.array_equal(np.concatenate([half.spikes.time_s, rest.time_s]), whole.time_s)


def test_each_neuron_alone_under_replay_is_itself_where_it_has_no_noise():
    """Without noise and with the right map every double repeats its original; doubles hear only recorded spikes."""
    m = living()
    drive = steady_drive(40, mean_v=np.linspace(14.5, 20, 40) * MV)
    start_v = np.linspace(0, 14, 40) * MV
    original = run(m, duration_s=1.0, seed=0, drive=drive, options=RunOptions(start_v=start_v)).spikes
    options = RunOptions(start_v=np.concatenate([start_v, start_v]))
    each = replay_each(m, original, seed=3, drive=drive, options=options).spikes
    assert original.n_spikes > 500
    assert same(each, original)
    flipped = replay_each(
        synapse_map(n_neurons=40, pre=m.pre, post=m.post, weight_v=-m.weight_v, delay_s=m.delay_s, labels=m.labels),
        original, seed=3, drive=drive, options=options,
    ).spikes  # fmt: skip
    assert not same(flipped, original)


def test_epochs_are_laid_end_to_end():
    trains = spike_trains(
        time_s=np.array([10.1, 20.2]), neuron=np.array([0, 1]), n_neurons=2,
        epochs_s=np.array([[10.0, 11.0], [20.0, 21.0]]),
    )  # fmt: skip
    m = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1 * MV]), delay_s=MS)
    held = clamped(m, trains, np.array([0, 1]))
    assert held.forced_s == pytest.approx([0.1, 1.2])
    spikes = run(m, duration_s=2.0, seed=0, drive=steady_drive(2, mean_v=30 * MV), stimulus=held).spikes
    assert spikes.time_s == pytest.approx([0.1, 1.2])  # driven hard, yet nothing else


def test_a_neuron_that_was_not_recorded_cannot_be_clamped(alive):
    other = synapse_map(
        n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=MS, labels=["x", "u1"]
    )
    with pytest.raises(RunError, match="There is no neuron 'x'"):
        clamped(other, alive, np.array([0]))


def lone(**tables):
    """Run one silent neuron of tau 20 ms under a stimulus; return its potential at the end of each step, and spikes."""
    m = synapse_map(n_neurons=1, pre=np.array([], int), post=np.array([], int), weight_v=np.array([]), delay_s=MS)
    options = RunOptions(start_v=np.zeros(1), record_voltage_of=(0,))
    ran = run(
        m, duration_s=0.1, seed=0, drive=steady_drive(1), options=options,
        stimulus=Stimulus(n_neurons=1, **tables),
    )  # fmt: skip
    return ran.voltage_v[:, 0], ran.spikes.time_s


def test_a_current_charges_the_membrane_exactly_while_it_lasts():
    v, _ = lone(
        current_neuron=np.array([0, 0]), current_start_s=np.array([0.02, 0.03]), current_stop_s=np.array([0.05, 0.04]),
        current_v=np.array([4 * MV, 2 * MV]),
    )  # fmt: skip
    k = 1 + np.arange(1000)
    expected, x = [], 0.0
    for step in k - 1:
        level = 4 * MV * (200 <= step < 500) + 2 * MV * (300 <= step < 400)
        x = level + (x - level) * np.exp(-0.1 / 20)
        expected.append(x)
    assert v == pytest.approx(np.array(expected), abs=1e-12)


def test_a_kick_shifts_and_decays():
    v, spikes = lone(kick_neuron=np.array([0, 0]), kick_s=np.array([0.01, 0.01]), kick_v=np.array([2, 1]) * MV)
    assert v[99] == 0.0
    assert v[100:] == pytest.approx(3 * MV * np.exp(-np.arange(900) * 0.1 / 20), rel=1e-6)  # inputs have 32 bits
    assert spikes.size == 0


def test_a_forced_spike_resets_and_a_muted_neuron_is_not_heard():
    spikes = lone(
        kick_neuron=np.array([0]), kick_s=np.array([0.01]), kick_v=np.array([10 * MV]),
        forced_neuron=np.array([0, 0]), forced_s=np.array([0.02, 0.02003]),
    )  # fmt: skip
    assert spikes[1].tolist() == [pytest.approx(0.02)]
    assert spikes[0][200:221] == pytest.approx(np.zeros(21))
    muted = lone(
        kick_neuron=np.array([0, 0]), kick_s=np.array([0.01, 0.05]), kick_v=np.array([20, 20]) * MV,
        muted_neuron=np.array([0]), muted_start_s=np.array([0.0]), muted_stop_s=np.array([0.04]),
    )  # fmt: skip
    assert muted[1].tolist() == [pytest.approx(0.05)]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            {"kick_neuron": np.array([1]), "kick_s": np.array([0.0]), "kick_v": np.array([1.0])},
            r"kick_neuron\[0\] is 1",
        ),
        ({"kick_neuron": np.array([0]), "kick_s": np.array([np.nan]), "kick_v": np.array([1.0])}, "kick_s"),
        pytest.param(
            {"forced_neuron": np.array([0]), "forced_s": np.array([])},
            "forced_s has 0 entries",
            marks=pytest.mark.plain,
        ),
    ],
)
def test_a_wrong_table_is_refused(table, words):
    with pytest.raises(RunError, match=words):
        Stimulus(n_neurons=1, **table)


def test_stimuli_of_different_networks_do_not_merge():
    with pytest.raises(RunError, match=r"\[1, 2\]"):
        merge_stimuli([Stimulus(n_neurons=1), Stimulus(n_neurons=2)])


# Protocol files.

CSV = """kind,neurons,start_s,stop_s,level_mv,weight_mv,rate_hz,every_s
current,u1 u2,0.1,0.5,3,,,
kicks,u0,0.2,0.4,,2,,0.05
poisson,all,0,10,,1,20,
spikes,u3,0.7,,,,,
silence,fraction:0.5,0.5,1.0,,,,
"""


def test_a_protocol_file_becomes_a_stimulus(tmp_path):
    (tmp_path / "p.csv").write_text(CSV)
    s = load_protocol(tmp_path / "p.csv", ["u0", "u1", "u2", "u3"], seed=1)
    assert (s.current_neuron.tolist(), s.current_v.tolist()) == ([1, 2], [3e-3, 3e-3])
    assert s.kick_s[s.kick_v == 2e-3] == pytest.approx([0.2, 0.25, 0.3, 0.35])
    random = s.kick_v == 1e-3
    assert np.count_nonzero(random) == pytest.approx(800, abs=4 * np.sqrt(800))
    assert set(s.kick_neuron[random].tolist()) == {0, 1, 2, 3}
    assert (s.forced_neuron.tolist(), s.forced_s.tolist()) == ([3], [0.7])
    assert s.muted_neuron.size == 2
    rows = [{"kind": "spikes", "neurons": "u3", "start_s": 0.7}]
    (tmp_path / "p.json").write_text(json.dumps(rows))
    assert load_protocol(tmp_path / "p.json", ["u3"], seed=1).forced_s.tolist() == [0.7]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("curent,u0,0,1,3,,,", "Did you mean 'current'"),
        ("current,u9,0,1,3,,,", "row 1: There is no neuron 'u9'"),
        ("current,u0,0,1,,,,", "lacks level_mv"),
        ("current,u0,0,1,3,2,,", "no use for weight_mv"),
        ("current,u0,1,0.5,3,,,", "0 <= start_s < stop_s"),
        ("current,u0,0,1,three,,,", "level_mv is 'three'"),
        ("poisson,u0,0,1,,1,1e12,", "lower, positive rate"),
        ("spikes,u0,0,1,,,,0", "every_s is 0"),
        ("spikes,fraction:2,0,,,,,", "fraction:0.1"),
        ("spikes,,0,,,,,", "neurons is empty"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(row, words, tmp_path):
    (tmp_path / "p.csv").write_text(CSV.splitlines()[0] + "\n" + row + "\n")
    with pytest.raises(RunError, match=words):
        load_protocol(tmp_path / "p.csv", ["u0"], seed=0)


@pytest.mark.parametrize(
    ("name", "text"), [("p.json", "{"), ("p.json", "{}"), ("p.csv", "kind,what\nspikes,1\n"), ("q.csv", "")]
)
def test_a_file_that_is_no_protocol_is_refused(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(RunError):
        load_protocol(tmp_path / name, ["u0"], seed=0)
