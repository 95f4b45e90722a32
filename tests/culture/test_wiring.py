"""Measured statistics of wiring against those asked for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neurograft.culture import CultureOptions, PadGrid, SynapseOptions, WiringOptions
from neurograft.culture._strengths import draw_strengths
from neurograft.culture._wiring import connect, pad_centres_um, place_on_pads
from neurograft.progress import silent

N = 900
GRID = CultureOptions(n_neurons=N, pads=PadGrid(n_rows=30, n_columns=30))


def wired(wiring: WiringOptions, seed: int = 1):
    rng = np.random.default_rng(seed)
    _, position_um = place_on_pads(GRID, rng)
    is_excitatory = np.arange(N) < 0.8 * N
    graph = connect(position_um=position_um, is_excitatory=is_excitatory, wiring=wiring, progress=silent, rng=rng)
    return graph, position_um, is_excitatory


def test_the_mean_number_of_inputs_is_the_one_asked_for() -> None:
    graph, _, _ = wired(WiringOptions(inputs_per_neuron=20))
    # Independent draws: a Poisson number of some 18,000.
    assert graph.pre.size / N == pytest.approx(20, abs=4 * np.sqrt(20 / N))


@pytest.mark.parametrize(("excites", "length_um"), [(True, 120.0), (False, 70.0)])
def test_connections_get_rarer_with_distance_as_asked(excites: bool, length_um: float) -> None:
    wiring = WiringOptions(inputs_per_neuron=20, excitatory_length_um=120.0, inhibitory_length_um=70.0)
    graph, position_um, is_excitatory = wired(wiring)
    apart = np.hypot(*(position_um[:, None, :2] - position_um[None, :, :2]).transpose(2, 0, 1))
    senders = np.flatnonzero(is_excitatory == excites)
    edges = np.array([10, 60, 120, 180, 260, 340])
    pairs = np.histogram(apart[senders], edges)[0]
    mine = is_excitatory[graph.pre] == excites
    made = np.histogram(apart[graph.pre[mine], graph.post[mine]], edges)[0]
    middle = [apart[senders][(apart[senders] >= a) & (apart[senders] < b)] for a, b in pairwise(edges)]
    shape = np.array([np.exp(-d / length_um).mean() for d in middle])
    scale = made.sum() / (pairs * shape).sum()
    expected = pairs * shape * scale
    assert np.sum((made - expected) ** 2 / expected) < 20  # chi square, 4 degrees of freedom: p = 5e-4
    assert not np.any(graph.pre == graph.post)


def test_delays_grow_with_distance_from_the_latency_to_the_limit() -> None:
    graph, position_um, _ = wired(WiringOptions(inputs_per_neuron=20, delay_cv=0.0, speed_m_per_s=0.1))
    apart_um = np.hypot(*(position_um[graph.pre, :2] - position_um[graph.post, :2]).T)
    assert graph.delay_s == pytest.approx(0.7e-3 + 1e-6 * apart_um / 0.1)
    slow, _, _ = wired(WiringOptions(inputs_per_neuron=20, speed_m_per_s=0.02))
    assert slow.delay_s.max() == 20e-3
    assert slow.delay_s.min() >= 0.7e-3
    spread, _, _ = wired(WiringOptions(inputs_per_neuron=20, delay_cv=0.3, speed_m_per_s=0.1))
    detour = (spread.delay_s - 0.7e-3) / (graph.delay_s - 0.7e-3)
    assert np.log(detour).std() == pytest.approx(0.3, rel=0.05)


def test_gap_junctions_join_near_inhibitory_neurons_as_many_as_asked() -> None:
    graph, position_um, is_excitatory = wired(WiringOptions(gap_junctions_per_neuron=4))
    assert not is_excitatory[graph.gap_pre].any()
    assert not is_excitatory[graph.gap_post].any()
    assert np.all(graph.gap_pre < graph.gap_post)
    assert 2 * graph.gap_pre.size / np.sum(~is_excitatory) == pytest.approx(4, rel=0.25)
    apart_um = np.hypot(*(position_um[graph.gap_pre, :2] - position_um[graph.gap_post, :2]).T)
    assert np.median(apart_um) < 150  # of a culture of 600 um
    assert wired(WiringOptions())[0].gap_pre.size == 0


def test_recorded_neurons_sit_on_pads_of_their_own_unless_shared() -> None:
    pad, position_um = place_on_pads(GRID, np.random.default_rng(0))
    assert np.unique(pad).size == N
    off_um = position_um[:, :2] - pad_centres_um(GRID.grid)[pad]
    assert off_um.std() == pytest.approx(3.0, rel=0.1)
    shared = replace(GRID, pads=PadGrid(n_rows=30, n_columns=30, shared_fraction=0.2))
    pad, _ = place_on_pads(shared, np.random.default_rng(0))
    assert np.sum(np.bincount(pad) == 2) == 180
    assert np.bincount(pad).max() == 2


def test_hidden_neurons_lie_anywhere_on_the_array() -> None:
    options = CultureOptions(n_neurons=1000, hidden_fraction=0.9, pads=PadGrid(n_rows=10, n_columns=10))
    pad, position_um = place_on_pads(options, np.random.default_rng(0))
    assert pad.size == options.n_recorded == 100
    assert position_um[100:, :2].min() > -10.0
    assert position_um[100:, :2].max() < 190.0
    assert np.histogram(position_um[100:, 0], 4)[0].min() > 150


def test_strengths_are_lognormal_and_made_of_vesicles() -> None:
    excites = np.arange(40_000) < 30_000
    options = SynapseOptions(excitatory_v=0.6e-3, inhibitory_v=0.4e-3, log_spread=0.8, quantum_v=0.5e-3)
    drawn = draw_strengths(is_excitatory=excites, synapses=options, rng=np.random.default_rng(0))
    for mask, median_v, largest_v in ((excites, 0.6e-3, 8e-3), (~excites, 0.4e-3, 3e-3)):
        size = np.abs(drawn.weight_v[mask])
        assert np.median(size) == pytest.approx(median_v, rel=0.03)
        assert np.log(size).std() == pytest.approx(0.8, rel=0.05)
        assert size.max() <= largest_v
    assert np.array_equal(drawn.weight_v > 0, excites)
    strong, weak = (drawn.n_sites[np.abs(drawn.weight_v) > 3e-3], drawn.n_sites[np.abs(drawn.weight_v) < 0.3e-3])
    assert strong.mean() > 5 * weak.mean()
    quantum_v = np.abs(drawn.weight_v) / (drawn.n_sites * drawn.release)
    assert np.median(quantum_v[drawn.n_sites > 3]) == pytest.approx(options.quantum_v, rel=0.15)
    assert drawn.release.mean() == pytest.approx(0.5, abs=0.01)
    assert drawn.release.std() == pytest.approx(0.15, rel=0.05)
