"""The engine: against its slow twin, Siegert, one neuron by hand; invariant to threads and chunks; refuses clearly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from neurograft.errors import RunError
from neurograft.maps import Kind, synapse_map
from neurograft.network import (
    Drive,
    Modulation,
    RunInterrupted,
    RunOptions,
    UnstableRunError,
    run,
    steady_drive,
)
from neurograft.neurons import AlphaSynapse, ExponentialSynapse, Lif, Stepper, siegert_rate_hz
from neurograft.spikes import open_log
from neurograft.units import MS, MV

STEP_S = 0.1 * MS
DYADIC_V = 2.0**-10  # about 1 mV: sums of multiples are exact, so the order of summing cannot matter
IS_JIT = not config.DISABLE_JIT


def random_map(rng, n=12, n_synapses=60, longest=8, **changes):
    pair = rng.choice(n * n, n_synapses, replace=False)
    given = {
        "n_neurons": n,
        "pre": pair // n,
        "post": pair % n,
        "weight_v": rng.integers(-3, 9, n_synapses) * DYADIC_V,
        "delay_s": rng.integers(1, longest + 1, n_synapses) * STEP_S,
        "labels": [f"unit {i}" for i in range(n)],
    }
    return synapse_map(**(given | changes))


def same(a, b):
    return np.array_equal(a.spikes.time_s, b.spikes.time_s) and np.array_equal(a.spikes.neuron, b.spikes.neuron)


def reference_run(m, *, neuron, mean_v, start_v, n_steps):
    """Return (step, neuron) pairs: the same equations, dense, one matrix product a delay and step."""
    delays = np.floor(m.delay_s / STEP_S + 0.5).astype(int)
    weights = {d: np.zeros((m.n_neurons, m.n_neurons)) for d in set(delays.tolist())}
    for pre, post, w, d in zip(m.pre, m.post, m.weight_v.astype(np.float32), delays, strict=True):
        weights[d][post, pre] += w
    v, hold = start_v.copy(), np.zeros(m.n_neurons, dtype=int)
    fired = np.zeros((n_steps, m.n_neurons))
    for k in range(n_steps):
        kick = sum((w @ fired[k - d] for d, w in weights.items() if k >= d), np.zeros(m.n_neurons))
        moved = mean_v * -np.expm1(-STEP_S / neuron.tau_m_s) + np.exp(-STEP_S / neuron.tau_m_s) * v + kick
        v = np.where(hold > 0, neuron.reset_v, moved)
        hold = np.maximum(hold - 1, 0)
        over = v >= neuron.threshold_v
        fired[k] = over
        v[over] = neuron.reset_v
        hold[over] = round(neuron.refractory_s / STEP_S)
    return np.argwhere(fired)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), longest=st.integers(1, 20))
def test_engine_equals_its_slow_twin_spike_for_spike(seed, longest):
    rng = np.random.default_rng(seed)
    m = random_map(rng, longest=longest)
    neuron, n_steps = Lif(threshold_v=16 * DYADIC_V, refractory_s=0.5 * MS), 250
    mean_v, start_v = rng.uniform(10, 40, 12) * DYADIC_V, rng.integers(0, 16, 12) * DYADIC_V
    expected = reference_run(m, neuron=neuron, mean_v=mean_v, start_v=start_v, n_steps=n_steps)
    done = run(
        m, duration_s=n_steps * STEP_S, seed=0, neuron=neuron, drive=steady_drive(12, mean_v=mean_v),
        options=RunOptions(start_v=start_v),
    )  # fmt: skip
    assert expected.shape[0] > 0
    got = np.column_stack([np.rint(done.spikes.time_s / STEP_S).astype(int), done.spikes.neuron])
    assert got.tolist() == expected.tolist()


SYNAPSES = [Lif(), Lif(synapse=ExponentialSynapse()), Lif(synapse=AlphaSynapse())]


@pytest.mark.parametrize("neuron", SYNAPSES, ids=["delta", "exponential", "alpha"])
def test_threads_and_chunks_change_nothing(neuron):
    rng = np.random.default_rng(1)
    m = random_map(
        rng, n=70, n_synapses=500, weight_v=rng.normal(0.5 * MV, 1 * MV, 500), delay_s=rng.uniform(0.5, 3, 500) * MS
    )  # weights that do not sum exactly
    drive = steady_drive(70, mean_v=18 * MV, noise_sd_v=3 * MV)
    duration_s = 0.1 if IS_JIT else 0.02
    recorded = (69, 0, 33)
    one = run(
        m, duration_s=duration_s, seed=7, neuron=neuron, drive=drive, options=RunOptions(record_voltage_of=recorded)
    )
    assert one.spikes.n_spikes > 5
    for n_threads, chunk_s in [(1, 3.3 * MS), (2, 0.25), (4, 7.7 * MS)]:
        options = RunOptions(n_threads=n_threads, chunk_s=chunk_s, record_voltage_of=recorded)
        other = run(m, duration_s=duration_s, seed=7, neuron=neuron, drive=drive, options=options)
        assert same(one, other)
        assert np.array_equal(one.voltage_v, other.voltage_v)


def test_seed_changes_the_spikes_and_the_same_seed_does_not():
    m = random_map(np.random.default_rng(1))
    drive = steady_drive(12, mean_v=14 * MV, noise_sd_v=3 * MV)
    first, again, other = (run(m, duration_s=0.1, seed=s, drive=drive) for s in (3, 3, 4))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.skipif(not IS_JIT, reason="two thousand neuron-seconds")
@pytest.mark.parametrize(("mean_v", "sd_v"), [(10 * MV, 4 * MV), (14 * MV, 3 * MV), (18 * MV, 5 * MV)])
def test_noise_driven_rate_is_siegerts(mean_v, sd_v):
    n, seconds, skipped_s = 400, 5.5, 0.5
    m = synapse_map(n_neurons=n, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS)
    done = run(m, duration_s=seconds, seed=11, drive=steady_drive(n, mean_v=mean_v, noise_sd_v=sd_v))
    rates = done.spikes.between(skipped_s, seconds).rates_hz()
    expected = siegert_rate_hz(np.array([mean_v]), np.array([sd_v]), neuron=Lif(), step_s=STEP_S)[0]
    error = rates.std() / np.sqrt(n)
    # Four standard errors, and 0.5 % for the grid correction, which is of first order in sqrt(step).
    assert abs(rates.mean() - expected) < 4 * error + 0.005 * expected


def test_a_spike_arrives_after_its_delay_with_its_weight_under_the_maps_labels():
    m = synapse_map(
        n_neurons=3, pre=np.array([0, 0]), post=np.array([1, 2]), weight_v=np.array([2.0, -1.0]) * MV,
        delay_s=np.array([1 * MS, 2.5 * MS]), labels=["a", "b", "c"],
    )  # fmt: skip
    options = RunOptions(start_v=np.array([16 * MV, 0.0, 0.0]), record_voltage_of=(1, 2))
    done = run(m, duration_s=5 * MS, seed=0, drive=steady_drive(3), options=options)
    assert done.spikes.time_s.tolist() == [0.0]
    assert done.spikes.labels == ("a", "b", "c")
    assert np.flatnonzero(done.voltage_v[:, 0])[0] == 10
    assert np.flatnonzero(done.voltage_v[:, 1])[0] == 25
    assert done.voltage_v[10, 0] == np.float32(2 * MV)
    assert done.voltage_v[25, 1] == np.float32(-1 * MV)


@pytest.mark.parametrize("kind", [Kind.POLYSYNAPTIC, Kind.UNDECIDED])
def test_polysynaptic_paths_and_undecided_kinds_do_not_run_and_electrical_synapses_kick(kind):
    kinds = np.array([kind, Kind.ELECTRICAL], dtype=np.uint8)
    m = synapse_map(
        n_neurons=2, pre=np.array([0, 0]), post=np.array([1, 1]), weight_v=np.array([8.0, 0.5]) * MV, delay_s=1 * MS,
        kind=kinds,
    )  # fmt: skip
    for neuron in SYNAPSES:
        options = RunOptions(start_v=np.array([16 * MV, 0.0]), record_voltage_of=(1,))
        done = run(m, duration_s=2 * MS, seed=0, neuron=neuron, drive=steady_drive(2), options=options)
        assert done.voltage_v[10, 0] == np.float32(0.5 * MV)
        assert done.n_synapses_left_out == 1
        assert done.n_events == 1


def test_modulation_moves_the_potential_bin_by_bin_and_starts_again():
    m = synapse_map(n_neurons=2, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS)
    modulation = Modulation(course=np.array([1.0, 0.0]), bin_s=5 * MS, gain_v=np.array([1 * MV, 0.0]))
    drive = Drive(mean_v=np.zeros(2), noise_sd_v=np.zeros(2), modulation=modulation)
    options = RunOptions(start_v=np.zeros(2), record_voltage_of=(0, 1), chunk_s=1.2 * MS)
    v = run(m, duration_s=15 * MS, seed=0, drive=drive, options=options).voltage_v
    expected = [0.0]
    for k in range(150):
        on = k // 50 in (0, 2)
        expected.append(expected[-1] * np.exp(-STEP_S / (20 * MS)) + on * 1 * MV * -np.expm1(-STEP_S / (20 * MS)))
    np.testing.assert_allclose(v[:, 0], expected[1:], rtol=1e-12)
    assert not v[:, 1].any()


def test_ctrl_c_keeps_what_was_done():
    def impatient(what, done, total):
        if done > 0.05:
            raise KeyboardInterrupt

    m = random_map(np.random.default_rng(2))
    drive = steady_drive(12, mean_v=20 * MV)
    with pytest.raises(RunInterrupted, match="are kept") as caught:
        run(m, duration_s=0.2, seed=1, drive=drive, options=RunOptions(chunk_s=10 * MS), progress=impatient)
    part = caught.value.activity
    assert not part.is_complete
    assert part.spikes.duration_s == pytest.approx(0.06)
    whole = run(m, duration_s=0.2, seed=1, drive=drive)
    assert whole.is_complete
    until = whole.spikes.between(0, 0.06)
    assert part.spikes.time_s.tolist() == until.time_s.tolist()
    assert part.spikes.neuron.tolist() == until.neuron.tolist()


@pytest.mark.parametrize("skip_quiet", [False, True])
def test_a_state_that_is_not_finite_stops_the_run_with_neuron_and_time(tmp_path, skip_quiet):
    m = synapse_map(
        n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([-1e30]), delay_s=1 * MS,
        labels=["a", "b"],
    )  # fmt: skip
    given = {"seed": 0, "drive": steady_drive(2, mean_v=np.array([20 * MV, 0.0]))}
    first_s = run(
        m.select(np.zeros(1, dtype=bool)), duration_s=0.1, options=RunOptions(start_v=np.zeros(2)), **given
    ).spikes.time_s[0]  # fmt: skip
    broken_s = first_s + 1 * MS
    with pytest.raises(UnstableRunError, match=rf"potential of neuron b became -1e\+30 at {broken_s:.6g} s") as caught:
        run(
            m, duration_s=0.1, options=RunOptions(
                chunk_s=10 * MS, start_v=np.zeros(2), record_to=tmp_path / "log", skip_quiet=skip_quiet
            ), **given,
        )  # fmt: skip
    kept = caught.value.activity
    assert kept.spikes.duration_s == pytest.approx(broken_s)
    assert kept.spikes.time_s.tolist() == [first_s]
    log = open_log(tmp_path / "log")
    assert log.spikes.duration_s == kept.spikes.duration_s
    assert not log.is_complete


def test_progress_is_told_until_the_end():
    told = []
    m = random_map(np.random.default_rng(2))
    options = RunOptions(chunk_s=10 * MS)
    run(m, duration_s=0.05, seed=1, drive=steady_drive(12), options=options, progress=lambda *a: told.append(a))
    assert [t[1] for t in told] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05])
    assert {t[2] for t in told} == {0.05}


def test_a_network_without_synapses_or_with_one_neuron_runs():
    m = synapse_map(n_neurons=1, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS)
    assert run(m, duration_s=0.05, seed=0, drive=steady_drive(1, mean_v=30 * MV)).spikes.n_spikes > 0


@pytest.mark.parametrize(
    ("changes", "call", "message"),
    [
        ({"delay_s": 0.02 * MS}, {}, r"unit 0 -> unit \d+ has a delay of 2e-05 s, below the step of 0.0001 s"),
        ({"model": "lyf"}, {}, r"Neuron unit 0 of the map cannot run. The neuron model 'lyf' is unknown. Did you mean"),
        ({}, {"drive": steady_drive(3)}, "drive is for 3 neurons, the map has 12"),
        ({}, {"duration_s": 0.0}, "duration_s is 0.0"),
        ({}, {"seed": -1}, "The seed is -1"),
        ({}, {"options": RunOptions(record_voltage_of=(12,))}, "record_voltage_of holds 12"),
        ({}, {"options": RunOptions(record_voltage_of=(1, 1))}, "names a neuron twice"),
        ({}, {"options": RunOptions(record_voltage_of=(1,), record_states=("w",))}, "'lif' has no state 'w' to record"),
        ({}, {"options": RunOptions(start_v=np.zeros(3))}, "start_v has 3 values"),
    ],
)
def test_what_cannot_run_is_refused(changes, call, message):
    m = random_map(np.random.default_rng(0), **changes)
    with pytest.raises(RunError, match=message):
        run(m, **({"duration_s": 0.1, "seed": 0, "drive": steady_drive(12)} | call))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RunOptions(step_s=0.0), "step_s is 0.0"),
        (lambda: RunOptions(n_threads=0), "n_threads is 0"),
        (lambda: RunOptions(record_states=("v", "v")), "record_states is"),
        (lambda: RunOptions(chunk_s=1e-6), "chunk_s is 1e-06 s, shorter"),
        (lambda: steady_drive(2, noise_sd_v=-1.0), r"noise_sd_v\[0\] is -1.0"),
        (lambda: steady_drive(2, mean_v=np.nan), r"mean_v\[0\] is nan"),
        pytest.param(
            lambda: Drive(mean_v=np.zeros(2), noise_sd_v=np.zeros(3)), "2 means, 3 noise", marks=pytest.mark.plain
        ),
        (lambda: Modulation(course=np.zeros(0), bin_s=0.1, gain_v=np.zeros(1)), "at least one bin"),
        (lambda: Modulation(course=np.zeros(1), bin_s=0.1, gain_v=np.array([np.inf])), r"gain_v\[0\]"),
    ],
)
def test_impossible_options_and_drives_are_refused(make, message):
    with pytest.raises(RunError, match=message):
        make()


def test_kinds_mix_as_the_maps_model_column_says_and_order_and_threads_do_not_matter():
    rng = np.random.default_rng(3)
    models = ["adex", "", "izhikevich", "lif", "hh", "lif-conductance", "adex", "", "hh-channels", "lif", "hh", ""]
    m = random_map(rng, weight_v=np.full(60, 0.3 * MV), delay_s=1 * MS, model=models)
    drive = steady_drive(12, mean_v=34 * MV)
    options = RunOptions(start_v=np.zeros(12), record_voltage_of=(4, 0, 2, 1))
    duration_s = 0.1 if IS_JIT else 0.03
    mixed = run(m, duration_s=duration_s, seed=1, drive=drive, options=options)
    assert np.all(mixed.spikes.counts() > 0)
    # A neuron alone, of the same kind, does the same until the first spike of another reaches it.
    first = round(mixed.spikes.time_s[0] / STEP_S) + 10
    for column, (i, name) in enumerate([(4, "hh"), (0, "adex"), (2, "izhikevich"), (1, "lif")]):
        alone = synapse_map(
            n_neurons=1, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS, model=name
        )
        lone = run(
            alone, duration_s=duration_s, seed=1, drive=steady_drive(1, mean_v=34 * MV),
            options=RunOptions(start_v=np.zeros(1), record_voltage_of=(0,)),
        )  # fmt: skip
        np.testing.assert_array_equal(mixed.voltage_v[:first, column], lone.voltage_v[:first, 0], err_msg=f"neuron {i}")
    threaded = run(
        m, duration_s=duration_s, seed=1, drive=drive,
        options=RunOptions(start_v=np.zeros(12), record_voltage_of=(4, 0, 2, 1), n_threads=2, chunk_s=7 * MS),
    )  # fmt: skip
    assert same(mixed, threaded)
    assert np.array_equal(mixed.voltage_v, threaded.voltage_v)


def test_a_model_of_the_given_name_has_the_given_parameters():
    m = random_map(np.random.default_rng(0), model="lif", weight_v=np.zeros(60))
    drive = steady_drive(12, mean_v=20 * MV)
    slow = run(m, duration_s=0.1, seed=0, drive=drive, neuron=Lif(tau_m_s=40 * MS))
    assert slow.spikes.n_spikes < run(m, duration_s=0.1, seed=0, drive=drive).spikes.n_spikes


class Perfect:
    """An integrator without a leak: a user's model in plain Python."""

    name = "perfect"
    threshold_v = 15 * MV

    def stepper(self, step_s):
        constants = np.array([step_s / (20 * MS)])
        return Stepper(advance=self.advance, constants=constants, n_states=1, n_channels=1, noise_kick=0.1)

    @staticmethod
    def advance(state, refractory, drive_v, inputs, constants, spiked):
        state[0] += constants[0] * drive_v + inputs[0]
        inputs[0] = 0.0
        over = np.flatnonzero(state[0] >= 15 * MV)
        state[0, over] = 0.0
        spiked[: over.size] = over
        return over.size

    def start(self, fraction):
        return np.zeros((1, fraction.size))

    def amplitude(self, weight_v):
        return weight_v, np.zeros(weight_v.size, dtype=np.int32)


def test_a_users_own_model_runs():
    m = synapse_map(n_neurons=1, pre=np.zeros(0, int), post=np.zeros(0, int), weight_v=np.zeros(0), delay_s=1 * MS)
    done = run(m, duration_s=0.1, seed=0, neuron=Perfect(), drive=steady_drive(1, mean_v=30.001 * MV))
    assert np.diff(done.spikes.time_s) == pytest.approx(10 * MS)  # 15 mV at 30 mV in 20 ms


def test_a_gap_junction_without_delay_passes_its_spikelet_in_the_next_step():
    """Copies from potentials give gap junctions no delay; a chemical synapse without one is refused."""
    given = {"n_neurons": 2, "pre": np.array([0]), "post": np.array([1]), "weight_v": np.array([1e-3]), "delay_s": 0.0}
    m = synapse_map(**given, kind=np.array([Kind.ELECTRICAL], dtype=np.uint8))
    options = RunOptions(record_voltage_of=(1,), start_v=np.array([0.0149, 0.0]))
    ran = run(m, duration_s=2e-3, seed=0, drive=steady_drive(2, mean_v=np.array([0.1, 0.0])), options=options)
    spike = round(ran.spikes.time_s[0] / ran.step_s)
    assert ran.voltage_v[spike, 0] == 0.0
    assert ran.voltage_v[spike + 1, 0] == pytest.approx(1e-3)
    with pytest.raises(RunError, match="delay of 0 s"):
        run(synapse_map(**given), duration_s=2e-3, seed=0, drive=steady_drive(2))
