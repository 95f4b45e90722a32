"""Spoilt maps: each spoiler by its definition, and fidelity that falls with the level."""

import numpy as np
import pytest
from numba import config

from neurograft.cells import card
from neurograft.comparing import CompareOptions, aged, degradation, with_bits, with_noise, without_some
from neurograft.errors import CompareError
from neurograft.maps import synapse_map
from neurograft.network import FitOptions
from neurograft.pasting import paste
from neurograft.units import MS, MV


def net(n=20, seed=0):
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(np.delete(np.arange(n), i), 4, replace=False) for i in range(n)])
    weight_v = np.where(pre < 15, 1.0, -1.5) * 3 * MV * rng.uniform(0.5, 1.5, 4 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 4), weight_v=weight_v, delay_s=2 * MS)


def test_each_spoiler_does_what_it_says():
    m, rng = net(), np.random.default_rng(1)
    rounded = with_bits(m, 3, rng).weight_v
    step = np.abs(m.weight_v).max() / 7
    assert np.abs(rounded - m.weight_v).max() <= 0.5 * step * (1 + 1e-9)
    assert np.unique(np.rint(np.abs(rounded) / step)).max() == 7
    noisy = with_noise(m, 0.2, rng).weight_v - m.weight_v
    assert noisy.std() == pytest.approx(0.2 * np.sqrt(np.mean(m.weight_v**2)), rel=0.3)
    assert without_some(m, 0.5, rng).n_synapses == pytest.approx(40, abs=18)
    assert without_some(m, 0.0, rng).n_synapses == 80
    for spoil, level in ((with_bits, 0), (without_some, 1.5)):
        with pytest.raises(CompareError):
            spoil(m, level, rng)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")
def test_fidelity_falls_as_synapses_go_missing():
    found = degradation(
        net(), without_some, (0.0, 1.0), measures=("ms coupling",), n_draws=1, duration_s=30.0, rate_hz=10.0,
        fit=FitOptions(n_rounds=2, trial_s=4.0), compare_options=CompareOptions(n_poisson=0), n_shuffled=3, seed=3,
    )  # fmt: skip
    assert found.distance[0, 0] == pytest.approx(0.0, abs=1e-12)  # the same map, drive and noise
    assert 0 < found.ceiling[0] < found.distance[1, 0]
    assert found.null[0] > found.ceiling[0]  # a shuffled map is farther than other noise
    assert np.isnan(found.low).all()  # one draw has no interval
    assert len(found.to_lines()) == 5


def test_age_takes_the_image_and_not_the_map():
    m = net()
    image = paste(m, memory=card("pram"), seed=1)
    spoil, rng = aged(image), np.random.default_rng(0)
    young, old = (np.abs(spoil(m, age_s, rng).weight_v).sum() for age_s in (1.0, 1e8))
    assert old < 0.8 * young  # phase-change cells lose conductance by a power of time
    with pytest.raises(CompareError, match="other neurons"):
        spoil(net(n=21), 1.0, rng)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")
def test_a_curve_has_an_interval_over_draws():
    found = degradation(
        net(), with_noise, (0.05, 0.8), measures=("intervals",), n_draws=3, n_shuffled=2, duration_s=10.0,
        rate_hz=10.0, fit=FitOptions(n_rounds=1, trial_s=2.0), compare_options=CompareOptions(n_poisson=0), seed=3,
    )  # fmt: skip
    assert np.all(found.low <= found.distance)
    assert np.all(found.distance <= found.high)
    assert found.high[0, 0] < found.distance[1, 0]
    assert found.as_json()["n_draws"] == 3
