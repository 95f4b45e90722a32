"""Channels that show two neurons, and the single ones that might be taken for it."""

from pathlib import Path

import numpy as np
import pytest
from _synthetic_traces import Bench, grow
from numpy import ndarray
from numpy.random import Generator, default_rng

from neurograft.copying import IntracellularCopy, copy_intracellular
from neurograft.copying.intracellular.neurons._two_in_one import sizes
from neurograft.maps import describe, load_map, save_map
from neurograft.recordings import Signal, array_recording


def poisson_s(rate_hz: float, seconds: float, rng: Generator) -> ndarray:
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate_hz * seconds)))


def drift(time_s: ndarray) -> ndarray:
    """Within tens of seconds, as pads do (Ham 2021, figure 2)."""
    return np.exp(0.25 * np.sin(time_s / 6.0))


def two(ratio: float, rates_hz: tuple[float, float], seed: int) -> tuple[ndarray, ndarray]:
    rng = default_rng(seed)
    parts = [poisson_s(rate, 100.0, rng) for rate in rates_hz]
    time_s = np.concatenate(parts)
    size = np.concatenate([np.full(len(parts[0]), 1.0), np.full(len(parts[1]), ratio)])
    order = np.argsort(time_s)
    noise = np.exp(0.04 * rng.standard_normal(len(time_s)))
    return time_s[order], (size * noise)[order] * drift(time_s[order])


@pytest.mark.parametrize("ratio", [0.35, 0.5, 0.7])
@pytest.mark.parametrize("rates_hz", [(4.0, 4.0), (4.0, 0.6), (0.6, 4.0)])
def test_two_sizes_that_take_turns_are_two_neurons(ratio: float, rates_hz: tuple[float, float]) -> None:
    found = sizes(*two(ratio, rates_hz, seed=1))
    assert found is not None
    assert found.is_two
    assert found.ratio == pytest.approx(ratio, rel=0.1)


def test_twenty_single_neurons_on_drifting_pads_are_one_each() -> None:
    for seed in range(20):
        time_s, size = two(1.0, (4.0, 0.1), seed=seed)
        for faster in (0.0, 0.1):
            found = sizes(time_s, size * np.exp(faster * np.sin(time_s / 1.7)))
            assert found is not None
            assert not found.is_two


def test_a_pad_that_loses_half_its_coupling_at_once_shows_one_neuron() -> None:
    time_s, size = two(1.0, (4.0, 0.1), seed=2)
    found = sizes(time_s, np.where(time_s < 40.0, size, 0.5 * size))
    assert found is not None
    assert not found.is_two


def test_a_burst_whose_later_action_potentials_are_smaller_shows_one_neuron() -> None:
    rng = default_rng(3)
    first_s = poisson_s(2.0, 100.0, rng)
    time_s = np.sort(np.concatenate([first_s, first_s + 5e-3]))
    size = np.where(np.diff(time_s, prepend=-1.0) < 10e-3, 0.6, 1.0) * np.exp(0.04 * rng.standard_normal(len(time_s)))
    found = sizes(time_s, size)
    assert found is not None
    assert found.turns > 0.7  # as two neurons would; the pauses tell
    assert not found.is_two


def test_too_few_events_say_nothing() -> None:
    time_s, size = two(0.5, (4.0, 4.0), seed=1)
    assert sizes(time_s[:29], size[:29]) is None


def mixed(*, rate_hz: float, noise_v: float) -> IntracellularCopy:
    """A culture on twelve pads of which the first is inside of two neurons."""
    truth = grow(Bench(n=13, seconds=15.0, rate_hz=rate_hz, psp_median_v=1.5e-3, seed=4))
    volts = truth.recording.samples[0]
    volts = volts - np.median(volts, axis=0)
    pads = 0.04 * volts[:, :12]
    pads[:, 0] += 0.02 * volts[:, 12]
    pads += (noise_v * default_rng(1).standard_normal(pads.shape)).astype(np.float32)
    return copy_intracellular(array_recording(pads, rate_hz=rate_hz, signal=Signal.INTRACELLULAR_V))


def flagged(copied: IntracellularCopy) -> list[str]:
    return [c.label for c in copied.channels if any("likely two neurons" in flag for flag in c.flags)]


def test_a_shared_pad_is_flagged_and_its_synapses_are_marked(tmp_path: Path) -> None:
    copied = mixed(rate_hz=10_000.0, noise_v=20e-6)
    assert flagged(copied) == ["0"]
    m = copied.map
    assert np.array_equal(m.extra["shared_pad"], (m.pre == 0) + 2.0 * (m.post == 0))
    assert np.any(m.extra["shared_pad"] > 0)
    save_map(m, tmp_path / "map.h5")
    assert any("likely two neurons in one channel: 0." in line for line in describe(load_map(tmp_path / "map.h5")))


def test_heights_that_noise_or_few_samples_scatter_are_no_two_neurons() -> None:
    assert set(flagged(mixed(rate_hz=10_000.0, noise_v=100e-6))) <= {
        "0"
    }  # a fortieth of an action potential, at every sample
    assert flagged(mixed(rate_hz=2000.0, noise_v=20e-6)) == []  # one sample each
