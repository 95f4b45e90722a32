import numpy as np
from _pasted_spikes import RATE_HZ, detected, recording, with_spikes

from neurograft.copying.intracellular.neurons._coupling import coupling
from neurograft.copying.intracellular.neurons._neurons import neurons
from neurograft.recordings import Signal

# each neuron has a phase of its own, so that no two fire together by chance
ONE = np.array([0])
OWN = [
    7 * k + np.sort(np.random.default_rng(k).choice(np.arange(300, 29_000, 60), 40, replace=False)) for k in range(8)
]


def found_in(*channels, signal=Signal.MEMBRANE_V):
    seen = recording(*channels, signal=signal)
    return seen, neurons(seen, detected(seen))


def test_two_pads_on_one_neuron_become_the_better_one():
    weak, strong = with_spikes(OWN[0], height_v=0.05, seed=1), with_spikes(OWN[0], seed=2)
    _, cells = found_in(weak, strong, with_spikes(OWN[1], seed=3))
    assert cells.channel.tolist() == [1, 2]
    assert cells.merged_into.tolist() == [0, 0, 1]


def test_neurons_that_fire_together_now_and_then_stay_two():
    _, cells = found_in(with_spikes(OWN[0], seed=1), with_spikes(np.union1d(OWN[0][:4], OWN[1][5:]), seed=2))
    assert cells.channel.tolist() == [0, 1]
    assert not cells.shared.any()


def test_a_third_of_common_spikes_is_flagged_as_a_shared_pad():
    both = np.union1d(OWN[0][:14], OWN[1][14:])
    _, cells = found_in(with_spikes(OWN[0], seed=1), with_spikes(both, seed=2))
    assert cells.shared.tolist() == [[False, True], [True, False]]


def test_a_stimulus_on_half_of_the_channels_is_no_action_potential():
    stimulus = np.array([5030, 15_030, 25_030])
    volts = [with_spikes(OWN[k][np.abs(OWN[k][:, None] - stimulus).min(axis=1) > 100], seed=k) for k in range(8)]
    for v in volts[:6]:
        for f in stimulus:
            v[f : f + 5] += 0.08
    _, cells = found_in(*volts)
    assert len(np.unique(cells.artefact[:, 1] // 100)) == 3
    assert not np.isin(cells.events.frame // 100, stimulus // 100).any()


def test_a_constant_channel_is_bad():
    _, cells = found_in(with_spikes(OWN[0]), np.full(30_000, -0.06))
    assert cells.is_bad.tolist() == [False, True]


def test_coupling_turns_running_amplitude_into_a_hundred_millivolts():
    drift = np.linspace(0.02, 0.06, 300_000)
    frames = np.arange(500, 299_000, 900)
    pad = (with_spikes(frames, n=300_000, noise_v=0.0) + 0.06) * drift
    pad += 2e-6 * np.random.default_rng(0).standard_normal(len(pad))
    seen, cells = found_in(pad, np.zeros(300_000) + pad * 0, signal=Signal.INTRACELLULAR_V)
    gains = coupling(seen, cells.events, action_potential_v=0.1, window_s=6.0)
    time_s = np.arange(2.0, 28.0)
    corrected = gains.at(time_s, ONE)[:, 0] * drift[(time_s * RATE_HZ).astype(int)]
    assert np.abs(corrected - 1).max() < 0.05  # the drift within half a window
    assert gains.is_known.tolist() == [True, False]
    half = coupling(seen, cells.events, action_potential_v=0.05, window_s=6.0)
    assert np.allclose(half.at(time_s, ONE)[:, 0], gains.at(time_s, ONE)[:, 0] / 2)


def test_a_true_membrane_potential_keeps_its_volts():
    seen, cells = found_in(with_spikes(OWN[0]))
    gains = coupling(seen, cells.events, action_potential_v=0.1, window_s=6.0)
    assert gains.at(np.array([0.0, 1.0]), ONE).tolist() == [[1.0], [1.0]]


def test_neurons_of_one_burst_fire_together_by_chance_and_stay_apart():
    rng = np.random.default_rng(0)
    bursts = np.arange(1000, 29_000, 1000)
    trains = [
        np.unique(np.concatenate([b + rng.choice(12, 4, replace=False) * 30 + 3 * k for b in bursts])) for k in range(9)
    ]
    _, cells = found_in(*(with_spikes(t + rng.integers(0, 20, len(t)), seed=k) for k, t in enumerate(trains)))
    assert len(cells.channel) == 9
    assert not cells.shared.any()
    assert cells.artefact.size == 0
