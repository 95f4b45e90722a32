"""Weights as whole numbers of a unit: when there is one, and that they arrive as the 32-bit floats do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import Populations, Projection, RunOptions, run, steady_drive
from neurograft.network._build import build_engine
from neurograft.network._kernels import deliver
from neurograft.network._levels import rounded_units, unit_of, units_of
from neurograft.network._rows import Synapses, Units
from neurograft.neurons import ExponentialSynapse, Lif
from neurograft.units import MS, MV


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.25, -0.625, 0.0], 0.125),
        (0.275e-3 * np.array([1, 7, -3, 1900]), 0.275e-3),
        (1e-4 / 3 * np.array([6, -9, 15]), 1e-4),
        ([2e-3, 2e-3], 2e-3),
        (np.array([32_767, 1]) * 0.1e-6, 0.1e-6),
        (np.array([32_768, 1]) * 0.1e-6, 0.0),  # one unit too many for 16 bits
        ([1e-3, 1e-3 * (1 + 1e-6)], 0.0),
        (np.array([3.0, 1.0 + 1e-8]), 0.0),  # near a multiple is not one: 32-bit floats tell them apart
        ([0.0, 0.0], 0.0),
    ],
)
def test_unit_is_the_greatest_common_divisor_or_nothing(values, unit):
    assert unit_of(np.asarray(values, dtype=np.float64)) == pytest.approx(unit, rel=1e-12)


def test_random_weights_have_no_unit():
    assert unit_of(np.random.default_rng(0).normal(1e-3, 1e-4, 1000)) == 0.0


def test_units_are_refused_where_sums_or_targets_would_not_fit():
    one = np.ones(600)
    onto_one = np.zeros(600, dtype=np.int32)
    many = one * 32_767
    many[0] = 1.0
    spread = np.arange(600, dtype=np.int32)
    assert units_of(many, onto_one, spread, n_neurons=600, n_channels=1) == np.float32([1.0])
    assert units_of(many, onto_one, onto_one, n_neurons=600, n_channels=1) is None  # 599 * 32,767 > 2^24
    assert units_of(one, onto_one, spread, n_neurons=65_536, n_channels=1) is not None
    many = np.where(spread == 0, 1.0, 32_767.0)
    assert units_of(many, onto_one, spread, n_neurons=65_536, n_channels=1) is not None
    assert units_of(many, onto_one, spread, n_neurons=65_537, n_channels=1) is None  # 15 bits are left
    assert units_of(many, onto_one, spread, n_neurons=22_000, n_channels=3) is None
    assert units_of(one, onto_one, spread, n_neurons=1 << 22, n_channels=1) is not None
    assert units_of(one, onto_one, spread, n_neurons=(1 << 22) + 1, n_channels=1) is None


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 30), n=st.integers(1, 40), n_synapses=st.integers(1, 3000), n_delays=st.integers(1, 3),
    n_channels=st.sampled_from([1, 3]),
)  # fmt: skip
def test_words_deliver_what_their_slow_twin_adds_up(seed, n, n_synapses, n_delays, n_channels):
    rng = np.random.default_rng(seed)
    level = rng.integers(-9, 10, n_synapses)
    channel = rng.integers(0, n_channels, n_synapses).astype(np.int32)
    unit = np.array([0.1e-3, 0.25, 3.7])[:n_channels].astype(np.float32)
    delays = np.sort(rng.choice(np.arange(1, 6), n_delays, replace=False)).astype(np.int32)
    synapses = Synapses(
        pre=rng.integers(0, n, n_synapses).astype(np.int32), post=rng.integers(0, n, n_synapses).astype(np.int32),
        amplitude=level * unit[channel].astype(np.float64), channel=channel,
        delay_index=rng.integers(0, n_delays, n_synapses).astype(np.int32), delays=delays, n_neurons=n,
    )  # fmt: skip
    rows = synapses.rows(first=0, last=n, n_channels=n_channels, units=Units(unit, 16))
    fired = [np.flatnonzero(rng.random(n) < 0.5).astype(np.int32) for _ in range(6)]  # in steps 0 to 5; now is 5
    start = np.concatenate([[0], np.cumsum([len(f) for f in fired])]).astype(np.int64)
    inputs = np.zeros(n * n_channels, dtype=np.float32)
    deliver(5, 0, delays, np.concatenate(fired), start, rows, inputs)
    units = np.zeros((n_channels, n), dtype=np.int64)
    for pre, post, k, c, d in zip(
        synapses.pre, synapses.post, level, channel, delays[synapses.delay_index], strict=True
    ):  # fmt: skip
        units[c, post] += k if pre in fired[5 - d] else 0
    assert np.array_equal(inputs.reshape(n_channels, n), unit[:, None] * units.astype(np.float32))


def counted(n: int = 300, unit_v: float = 0.1 * MV, seed: int = 3):
    """Return a map whose weights are counts of synapses times a strength that is not exact in binary."""
    rng = np.random.default_rng(seed)
    pair = np.unique(rng.integers(0, n * n, n * n // 6))
    sign = np.where(pair // n < 4 * n // 5, 1.0, -5.0)
    return synapse_map(
        n_neurons=n, pre=pair // n, post=pair % n, weight_v=sign * rng.integers(1, 9, pair.size) * unit_v,
        delay_s=rng.integers(3, 9, pair.size) * 0.5 * MS,
    )  # fmt: skip


@pytest.mark.parametrize("synapse", [Lif().synapse, ExponentialSynapse()])
def test_counted_weights_take_four_bytes_and_the_same_spikes_on_any_threads(synapse):
    m, neuron = counted(), Lif(synapse=synapse)
    drive = steady_drive(m.n_neurons, mean_v=16 * MV, noise_sd_v=2 * MV)
    keys = []
    for n_threads in (1, 2, 4):
        options = RunOptions(n_threads=n_threads, chunk_s=0.03)
        engine = build_engine(m, seed=1, neuron=neuron, drive=drive, options=options)
        rows = [group.rows for group in engine.groups]
        assert sum(r.n_bytes - r.start.nbytes - r.unit.nbytes for r in rows) == 4 * m.n_synapses
        spikes = run(m, duration_s=0.1, seed=1, drive=drive, neuron=neuron, options=options).spikes
        keys.append(np.rint(spikes.time_s * 1e4).astype(int) * m.n_neurons + spikes.neuron)
    assert keys[0].size > 200
    assert np.array_equal(keys[0], keys[1])
    assert np.array_equal(keys[0], keys[2])


def test_weights_without_unit_stay_floats():
    m = jittered()
    engine = build_engine(m, seed=1, neuron=Lif(), drive=steady_drive(m.n_neurons), options=RunOptions())
    rows = engine.groups[0].rows
    assert rows.word.size == 0
    assert rows.weight.size == m.n_synapses


def jittered():
    m = counted()
    wide = np.random.default_rng(0).uniform(0.9, 1.1, m.n_synapses)
    return replace(m, weight_v=m.weight_v * wide)


def test_rounded_weights_are_right_to_half_a_unit_and_run_alike():
    m, drive = jittered(), steady_drive(300, mean_v=16 * MV, noise_sd_v=2 * MV)
    options = RunOptions(round_weights=True, n_threads=2)
    engine = build_engine(m, seed=1, neuron=Lif(), drive=drive, options=options)
    got = np.zeros((m.n_neurons, m.n_neurons))
    for group in engine.groups:
        assert group.rows.unit[0] == pytest.approx(np.abs(m.weight_v).max() / 32_767)
        pre = np.repeat(np.arange(m.n_neurons), np.diff(group.rows.start[:: engine.clock.delays.size]))
        got[pre, group.first + (group.rows.word & 0xFFFF)] = (group.rows.word >> 16) * group.rows.unit[0]
    error = np.abs(got[m.pre, m.post] - m.weight_v)
    assert 0.4 < error.max() / group.rows.unit[0] < 0.51
    exact = run(m, duration_s=0.3, seed=1, drive=drive).spikes
    rounded = run(m, duration_s=0.3, seed=1, drive=drive, options=options).spikes
    early = [np.column_stack([s.time_s, s.neuron])[s.time_s < 0.02] for s in (exact, rounded)]
    assert np.array_equal(*early)  # later the network is chaotic
    assert rounded.n_spikes == pytest.approx(exact.n_spikes, rel=0.05)


def test_rounded_populations_have_the_drawn_weights():
    net = Populations(
        names=("e", "i"), sizes=(30_000, 8_000), seed=4,
        projections=(
            Projection(pre=0, post=1, n_synapses=20_000, weight_v=1 * MV, weight_sd_v=0.1 * MV, delay_sd_s=0.3 * MS),
            Projection(pre=1, post=0, n_synapses=20_000, weight_v=-4 * MV, weight_sd_v=0.4 * MV),
        ),
    )  # fmt: skip
    neuron, drive = Lif(synapse=ExponentialSynapse()), steady_drive(net.n_neurons)
    made = {
        is_rounded: build_engine(net, seed=1, neuron=neuron, drive=drive, options=RunOptions(round_weights=is_rounded))
        for is_rounded in (False, True)
    }
    exact, rounded = (made[k].groups[0].rows for k in (False, True))
    assert rounded.bits == 17  # 38,000 neurons and three channels
    assert np.array_equal(exact.start, rounded.start)
    target = rounded.word & ((1 << 17) - 1)
    assert np.array_equal(target, exact.target)
    unit = rounded.unit[target // net.n_neurons]
    assert np.abs((rounded.word >> 17) * unit - exact.weight).max() <= 0.5001 * rounded.unit.max()
    assert np.abs(rounded.word >> 17).max() < 1 << 14
    a, b = (np.zeros(3 * net.n_neurons, dtype=np.float32) for _ in range(2))
    fired = np.arange(0, net.n_neurons, 2, dtype=np.int32)
    start = np.array([0, fired.size] + [fired.size] * 40)
    for rows, inputs in ((exact, a), (rounded, b)):
        deliver(12, 0, made[True].clock.delays, fired, start, rows, inputs)
    assert np.count_nonzero(a) > 100
    assert np.abs(a - b).max() < 20 * rounded.unit.max()  # at most 40 at one neuron


def test_rounding_is_refused_where_weights_are_kept_otherwise():
    with pytest.raises(RunError, match="round_weights cannot be used with skip_quiet"):
        run(
            jittered(), duration_s=0.01, seed=0, drive=steady_drive(300),
            options=RunOptions(round_weights=True, skip_quiet=True),
        )  # fmt: skip
    with pytest.raises(RunError, match="cannot be rounded to fit beside 5000000 targets"):
        rounded_units(np.ones(1), n_neurons=5_000_000, most_incoming=3)


def test_dyadic_weights_spike_the_same_as_words_and_as_floats():
    m = counted(unit_v=0.125)
    drive = steady_drive(m.n_neurons, mean_v=25.0)
    neuron = Lif(threshold_v=20.0, reset_v=10.0)
    engine = build_engine(m, seed=1, neuron=neuron, drive=drive, options=RunOptions())
    assert engine.groups[0].rows.word.size == m.n_synapses
    as_words = engine.advance(1000)
    engine = build_engine(m, seed=1, neuron=neuron, drive=drive, options=RunOptions())
    group = engine.groups[0]
    word = group.rows.word
    group.rows = group.rows._replace(
        target=(word & 0xFFFF).astype(np.uint16), weight=((word >> 16) * group.rows.unit[0]).astype(np.float32),
        word=word[:0],
    )  # fmt: skip
    as_floats = engine.advance(1000)
    assert as_words.step.size > 500
    assert np.array_equal(as_words.step, as_floats.step)
    assert np.array_equal(as_words.neuron, as_floats.neuron)
