"""Drives beside the clear network: filters against a linear network played in time, and what they are worth."""

import numpy as np
import pytest
from _synthetic_spikes import LifNet, lif_net
from scipy.signal import lfilter
from sklearn.metrics import average_precision_score

from neurograft.copying import SpikesOptions, copy_spikes
from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._coupling import BoxOptions, boxes
from neurograft.copying.spikes._latent import DriveOptions, Drives, Undriven, remove_drives
from neurograft.copying.spikes._network import drives_beside, effects_of, network_of, sent_through, unexplained

GRID = LagGrid(bin_s=1e-3)
N, STEPS = 16, 200_000
SYNAPSES = ((0, 1, 1, 0.3), (1, 2, 2, 0.3), (0, 3, 1, -0.25), (4, 2, 4, 0.25))  # pre, post, box, effect
OWN = -0.2  # of every neuron's own last box


def correlograms(x):
    """Return sum_t x_i(t) x_j(t + lag) over root of steps, without the unit a white row has with itself."""
    answer = np.stack(
        [x[:, GRID.n_half : -GRID.n_half] @ x[:, GRID.n_half + k : x.shape[1] - GRID.n_half + k].T for k in lags()],
        axis=2,
    )
    answer /= np.sqrt(x.shape[1])
    answer[np.arange(len(x)), np.arange(len(x)), GRID.n_half] -= np.sqrt(x.shape[1])
    return answer.astype(np.float32)


def lags():
    return range(-GRID.n_half, GRID.n_half + 1)


def effects():
    effect = np.zeros((N, N, GRID.n_half + 1))
    found = boxes(GRID, BoxOptions())
    for pre, post, box, size in SYNAPSES:
        effect[pre, post, found[box]] = size / found[box].size
    effect[np.arange(N), np.arange(N), 1] = OWN
    return effect


@pytest.fixture(scope="module")
def played():
    """Return what drives the neurons of a linear network (noise and one slow common input), and what they do."""
    rng = np.random.default_rng(7)
    common = np.convolve(rng.standard_normal(STEPS + 50), np.exp(-np.arange(50) / 8.0), mode="valid")[:STEPS]
    loading = np.linspace(0.15, 0.35, N)
    inputs = rng.standard_normal((N, STEPS)) + loading[:, None] * common / common.std()
    effect, outputs = effects(), np.zeros((N, STEPS))
    for j in (0, 1, 3, 4, 2, *range(5, N)):  # a neuron after those that act on it
        sent = [np.convolve(outputs[i], effect[i, j])[:STEPS] for i in range(N) if i != j and effect[i, j].any()]
        outputs[j] = lfilter([1.0], [1.0, -OWN], inputs[j] + sum(sent))
    return correlograms(inputs), correlograms(outputs), loading


def clear_synapses():
    clear = np.zeros((N, N), dtype=bool)
    for pre, post, _, _ in SYNAPSES:
        clear[pre, post] = True
    return clear


def true_network():
    return network_of(effects().astype(np.float32), GRID, float(STEPS))


def test_effects_are_those_that_the_network_was_played_with(played):
    found = effects_of(played[1], clear_synapses(), GRID, BoxOptions(), float(STEPS))
    for pre, post, box, size in SYNAPSES:
        assert found[pre, post, boxes(GRID, BoxOptions())[box]].sum() == pytest.approx(size, abs=0.05)
    assert np.all(found[5, 6] == 0)


def test_what_the_network_leaves_has_the_correlograms_of_its_inputs(played):
    inputs, outputs, _ = played
    left = unexplained(outputs, true_network())
    near = np.abs(GRID.lag_s) < 30e-3  # further out the correlograms themselves were cut off
    np.testing.assert_allclose(left[:, :, near], inputs[:, :, near], atol=0.5)  # in standard deviations of counts
    assert np.abs(outputs - inputs).max() > 50


def test_inputs_sent_through_the_network_are_its_outputs(played):
    inputs, outputs, _ = played
    known = true_network()
    white = np.zeros_like(inputs)
    white[np.arange(N), np.arange(N), GRID.n_half] = known.unit
    through = sent_through(Drives(np.eye(N), inputs + white), known) - white
    near = np.abs(GRID.lag_s) < 30e-3
    np.testing.assert_allclose(through[:, :, near], outputs[:, :, near], atol=0.5)


def test_a_drive_is_taken_away_and_synapses_with_their_detours_stay(played):
    inputs, outputs, _ = played
    before = remove_drives(outputs, GRID, DriveOptions())
    assert before.n_drives == 1
    clear = clear_synapses()
    found = drives_beside(
        outputs, before, clear, GRID, drives=DriveOptions(), lags=BoxOptions(), n_bins_seen=float(STEPS)
    )
    detour = 0, 2, slice(GRID.n_half + 3, GRID.n_half + 6)  # over neuron 1
    expected = (outputs - inputs)[detour].mean()
    assert expected > 10
    assert found.values[detour].mean() == pytest.approx(expected, rel=0.2)
    calm = np.abs(found.values[8:, 8:][~np.eye(N - 8, dtype=bool)])  # neurons with the drive alone
    assert calm.max() < 0.25 * np.abs(outputs[8:, 8:][~np.eye(N - 8, dtype=bool)]).max()


def test_without_clear_synapses_only_histories_are_filtered_out(played):
    _, outputs, _ = played
    nothing = Undriven(outputs, 1, None)
    found = drives_beside(
        outputs,
        nothing,
        np.zeros((N, N), dtype=bool),
        GRID,
        drives=DriveOptions(),
        lags=BoxOptions(),
        n_bins_seen=float(STEPS),
    )
    plain = remove_drives(outputs, GRID, DriveOptions())
    quiet = slice(8, None)
    np.testing.assert_allclose(found.values[quiet, quiet].std(), plain.values[quiet, quiet].std(), rtol=0.2)


def test_a_network_that_would_fire_by_itself_changes_nothing(played, monkeypatch):
    _, outputs, _ = played
    before = remove_drives(outputs, GRID, DriveOptions())
    runaway = effects().astype(np.float32)
    runaway[np.arange(N), np.arange(N), 1] = 0.97
    monkeypatch.setattr("neurograft.copying.spikes._network.effects_of", lambda *_: runaway)
    found = drives_beside(
        outputs, before, clear_synapses(), GRID, drives=DriveOptions(), lags=BoxOptions(), n_bins_seen=float(STEPS)
    )
    assert found is before


def test_strong_dense_networks_are_copied_better_beside_their_clear_synapses():
    truth = lif_net(
        LifNet(n_neurons=32, n_observed=32, probability=0.15, psp_mv=1.2, mean_mv=12.0, n_drives=2, seconds=60.0),
        seed=5,
    )
    off = ~np.eye(32, dtype=bool)
    score = {}
    for most in (0, 300):
        found = copy_spikes(truth.trains, options=SpikesOptions(most_network_neurons=most))
        score[most] = average_precision_score((truth.weight != 0)[off], np.abs(found.evidence.z)[off])
    assert score[300] > score[0] + 0.01
