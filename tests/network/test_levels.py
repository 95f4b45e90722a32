"""Weights as whole numbers of a unit: when there is one, and that they arrive as the 32-bit floats do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.maps import synapse_map
from neurograft.network import RunOptions, run, steady_drive
from neurograft.network._build import build_engine
from neurograft.network._kernels import deliver
from neurograft.network._levels import unit_of, units_of
from neurograft.network._rows import Synapses
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
    assert units_of(one, onto_one, spread, n_neurons=65_537, n_channels=1) is None
    assert units_of(one, onto_one, spread, n_neurons=22_000, n_channels=3) is None


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
    rows = synapses.rows(first=0, last=n, n_channels=n_channels, unit=unit)
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
    m = counted()
    jitter = np.random.default_rng(0).uniform(0.9, 1.1, m.n_synapses)
    other = synapse_map(
        n_neurons=m.n_neurons, pre=m.pre, post=m.post, weight_v=m.weight_v * jitter, delay_s=m.delay_s
    )  # fmt: skip
    engine = build_engine(other, seed=1, neuron=Lif(), drive=steady_drive(m.n_neurons), options=RunOptions())
    rows = engine.groups[0].rows
    assert rows.word.size == 0
    assert rows.weight.size == m.n_synapses


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
