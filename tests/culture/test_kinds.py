"""Kinds of cultures: each can be grown, and together they span what was asked for."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.culture import KINDS, ArrayOptions, Culture, culture_named, grow, record, record_membrane
from neurograft.errors import CultureError
from neurograft.maps import Kind


def quick(name: str, n_neurons: int = 40) -> Culture:
    options = culture_named(name, n_neurons=n_neurons, inputs_per_neuron=6)
    return grow(replace(options, activity=replace(options.activity, settle_s=0.5, settle_rounds=3)), seed=4)


@pytest.mark.compiled
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_grows_and_is_recorded(name: str) -> None:
    culture = quick(name)
    seen = record(culture, seconds=0.5, seed=1)
    assert seen.truth.n_neurons == culture.n_recorded == seen.spikes.n_neurons
    assert np.isfinite(seen.recording.read(0, 0, 5000)).all()


def test_kinds_span_rates_delays_hidden_parts_and_families() -> None:
    options = [culture_named(name) for name in KINDS]
    assert {o.family.name for o in options} == {"adex", "izhikevich", "hh"}
    rates_hz = [o.activity.rate_hz for o in options]
    assert (min(rates_hz), max(rates_hz)) == (0.2, 30.0)
    hidden = [o.hidden_fraction for o in options]
    assert (min(hidden), max(hidden)) == (0.0, 0.95)
    assert min(o.activity.burst_rate_hz for o in options) == 0
    assert max(o.synapses.facilitation_s for o in options) > 0


@pytest.mark.compiled
def test_late_cultures_have_delays_up_to_twenty_milliseconds() -> None:
    delay_s = quick("late", n_neurons=100).map.delay_s
    assert delay_s.min() < 2e-3
    assert 10e-3 < delay_s.max() <= 20e-3


@pytest.mark.compiled
def test_electrical_synapses_are_in_the_truth_both_ways_and_cross_within_half_a_millisecond() -> None:
    truth = quick("electrical").map
    gaps = truth.kind == Kind.ELECTRICAL
    pairs = set(zip(truth.pre[gaps].tolist(), truth.post[gaps].tolist(), strict=True))
    assert pairs
    assert pairs == {(b, a) for a, b in pairs}
    assert truth.weight_v[gaps].min() > 0.05e-3
    assert truth.delay_s[gaps].max() <= 0.5e-3


@pytest.mark.compiled
def test_hidden_neurons_are_in_the_culture_but_not_in_the_recording() -> None:
    culture = quick("mostly-hidden", n_neurons=200)
    assert culture.n_recorded == 10
    assert culture.map.n_neurons == 200
    assert culture.options.grid.n_pads < 20
    seen = record(culture, ArrayOptions(), seconds=0.3)
    assert seen.truth.n_neurons == 10
    assert seen.channel_neuron.max() < 10
    whole = culture.map
    kept = (whole.pre < 10) & (whole.post < 10)
    assert seen.truth.n_synapses == kept.sum()
    assert record_membrane(culture, seconds=0.1).recording.read(0, 0, 10).shape == (10, 10)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CultureError, match=r"no kind of culture 'burstin'\. Did you mean 'bursting'"):
        culture_named("burstin")
