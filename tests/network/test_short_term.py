"""Depression and facilitation that a map states: used by every run, on any threads, after a stop, and in memory."""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from neurograft.cells import card, image_to_map, load_image, save_image
from neurograft.comparing import CompareOptions, TrialOptions, compare_copy, redrawn_map, shuffled_map
from neurograft.errors import RunError
from neurograft.maps import MEMBRANE_SD, MEMBRANE_TAU, MembraneNoise, measured_noise, synapse_map
from neurograft.network import (
    ExactWeights,
    FitOptions,
    Plasticity,
    RunOptions,
    fit_drive,
    load_checkpoint,
    run,
    save_checkpoint,
    states_short_term,
    steady_drive,
    with_short_term,
    without_short_term,
)
from neurograft.network._from_recording import noise_sd_of_membranes
from neurograft.network._short_term import steady_share
from neurograft.neurons import Lif
from neurograft.pasting import paste
from neurograft.spikes import spike_trains
from neurograft.units import MS, MV

needs_kernels = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="seconds of model time need compiled code")
N = 20
DRIVE = steady_drive(N, mean_v=14 * MV, noise_sd_v=3 * MV)
QUICK = FitOptions(n_rounds=1, trial_s=1.0, modulation_bin_s=None)


def still(n=N, seed=0):
    """Return a map without columns: eight inputs a neuron."""
    rng = np.random.default_rng(seed)
    pre = np.concatenate([rng.choice(np.delete(np.arange(n), i), 8, replace=False) for i in range(n)])
    weight_v = np.where(pre < 0.8 * n, 1.5, -2.0) * MV * rng.uniform(0.5, 1.5, 8 * n)
    return synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 8), weight_v=weight_v, delay_s=2 * MS)


def depressing(m=None):
    """Return a map whose synapses depress, some differently, and one of which nothing is known."""
    m = with_short_term(still() if m is None else m, release_probability=0.5, recovery_s=0.3, facilitation_s=0.0)
    use = np.linspace(0.2, 0.9, m.n_synapses)
    use[3] = np.nan
    facilitation_s = np.where(np.arange(m.n_synapses) % 3 == 0, 0.1, 0.0)
    return replace(m, extra={**m.extra, "release_probability": use, "facilitation_s": facilitation_s})


def spikes_of(m, *, seconds=2.0, **given):
    return run(m, duration_s=seconds, seed=4, drive=DRIVE, **given).spikes


def same(a, b):
    return np.array_equal(a.time_s, b.time_s) and np.array_equal(a.neuron, b.neuron)


@needs_kernels
def test_a_map_that_states_its_pools_runs_with_them_unless_told_otherwise():
    m = depressing()
    given = Plasticity(store=ExactWeights(m.weight_v, 1.0), has_short_term=True)
    assert same(spikes_of(m), spikes_of(m, plasticity=given))
    without = spikes_of(without_short_term(m))
    assert same(without, spikes_of(still()))
    assert not same(without, spikes_of(m))
    assert states_short_term(m)
    assert not states_short_term(still())


@needs_kernels
def test_pools_do_not_depend_on_threads_or_on_a_stop(tmp_path):
    m = depressing()
    whole = spikes_of(m)
    assert same(whole, spikes_of(m, options=RunOptions(n_threads=3)))
    first = run(m, duration_s=0.83, seed=4, drive=DRIVE)
    save_checkpoint(first.checkpoint, tmp_path / "state.npz")
    kept = load_checkpoint(tmp_path / "state.npz")
    rest = spikes_of(m, resume=kept, options=RunOptions(n_threads=2))
    both = np.concatenate([first.spikes.time_s, rest.time_s])
    assert np.array_equal(both, whole.time_s)
    with pytest.raises(RunError, match="vesicles of 160 synapses, the run needs those of 0"):
        spikes_of(without_short_term(m), resume=kept)


def answers_reference(time_s, use, recovery_s, facilitation_s):
    """Return each answer over the first, by Tsodyks and Markram's differential equations solved from spike to spike."""
    ready, extra, answers = 1.0, 0.0, []
    for gap in np.diff(time_s, prepend=time_s[0] - 1e9):
        ready = 1.0 - (1.0 - ready) * np.exp(-gap / recovery_s)
        extra = extra * (np.exp(-gap / facilitation_s) if facilitation_s else 0.0)
        now = use + extra * (1.0 - use)
        answers.append(now * ready / use)
        ready *= 1.0 - now
        extra = now
    return np.array(answers)


@pytest.mark.parametrize(("use", "recovery_s", "facilitation_s"), [(0.5, 0.3, 0.0), (0.8, 0.1, 0.0), (0.2, 0.1, 0.5)])
def test_the_steady_share_is_the_mean_answer_to_a_poisson_train(use, recovery_s, facilitation_s):
    rng = np.random.default_rng(1)
    rate_hz = 12.0
    m = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=1e-3)
    m = with_short_term(m, release_probability=use, recovery_s=recovery_s, facilitation_s=facilitation_s)
    seen = answers_reference(np.cumsum(rng.exponential(1 / rate_hz, 20_000)), use, recovery_s, facilitation_s)
    # Exact for depression alone, where 20,000 answers give a mean to 1 %; with facilitation the two pools go
    # together, which mean field leaves out.
    assert steady_share(m, np.array([rate_hz, 1.0]))[0] == pytest.approx(
        seen.mean(), rel=0.02 if not facilitation_s else 0.1
    )


@needs_kernels
def test_a_copy_that_is_compared_depresses():
    m = depressing()
    original = spikes_of(m, seconds=6.0)
    options = TrialOptions(n_shuffled=1, fit=QUICK, compare=CompareOptions(n_poisson=0))
    trial = compare_copy(original, m, options=options, seed=5)
    run_seed = int(np.random.SeedSequence(5).generate_state(2, np.uint32)[0])
    given = Plasticity(store=ExactWeights(m.weight_v, 1.0), has_short_term=True)
    again = run(m, duration_s=original.duration_s, seed=run_seed, drive=trial.drive, plasticity=given).spikes
    assert same(trial.copy, again)


def test_memory_and_nulls_keep_pools_and_noise(tmp_path):
    columns = {MEMBRANE_SD: np.linspace(1, 2, N) * MV, MEMBRANE_TAU: np.full(N, 12 * MS)}
    m = replace(depressing(), neuron_extra=columns)
    save_image(paste(m, memory=card("ideal"), seed=1), tmp_path / "image.h5")
    held = image_to_map(load_image(tmp_path / "image.h5"), rng=np.random.default_rng(1))
    rng = np.random.default_rng(2)
    for name in ("release_probability", "recovery_s", "facilitation_s"):
        np.testing.assert_array_equal(held.extra[name], m.extra[name])
        for null in (shuffled_map(held, rng), redrawn_map(held, rng)):
            np.testing.assert_array_equal(np.sort(null.extra[name]), np.sort(m.extra[name]))
    for other in (held, shuffled_map(held, rng), redrawn_map(held, rng)):
        assert np.array_equal(measured_noise(other).sd_v, columns[MEMBRANE_SD])
    old = paste(still(), memory=card("ideal"), seed=1)
    assert not old.beside
    assert measured_noise(image_to_map(old, rng=rng)) is None


@pytest.mark.parametrize("change", [{"skip_quiet": True}, {"round_weights": True}])
def test_pools_go_with_no_shortcut(change):
    with pytest.raises(RunError, match=r"which skip_quiet and round_weights cannot do"):
        spikes_of(depressing(), options=RunOptions(**change))


@needs_kernels
def test_the_fitted_noise_moves_the_potential_as_the_membranes_were_seen_to_move():
    measured = MembraneNoise(np.array([1.0, 2.0, np.nan]) * MV, np.array([8.0, 20.0, np.nan]) * MS)
    sd_v = noise_sd_of_membranes(measured, neuron=Lif())
    drive = steady_drive(3, noise_sd_v=sd_v)
    never = synapse_map(
        n_neurons=3, pre=np.zeros(0, dtype=int), post=np.zeros(0, dtype=int), weight_v=np.zeros(0), delay_s=1e-3
    )
    v = run(
        never, duration_s=60.0, seed=1, drive=drive, neuron=Lif(threshold_v=1.0),
        options=RunOptions(record_voltage_of=(0, 1, 2), start_v=np.zeros(3)),
    ).voltage_v[2000:]  # fmt: skip
    moved = 0.5 * np.mean((v[100:] - v[:-100]) ** 2, axis=0)  # in 10 ms
    wanted = measured.sd_v**2 * -np.expm1(-10 * MS / measured.tau_s)
    assert moved[:2] == pytest.approx(wanted[:2], rel=0.08)  # 3,000 independent moves: three errors of 2.6 %
    assert sd_v[2] == np.median(sd_v[:2])


@needs_kernels
def test_the_drive_takes_measured_noise_and_what_is_asked_for_overrules_it():
    rng = np.random.default_rng(1)
    target = spike_trains(
        time_s=rng.uniform(0, 20.0, 100 * N), neuron=np.repeat(np.arange(N), 100), epochs_s=np.array([[0.0, 20.0]])
    )
    noise = MembraneNoise(np.linspace(1, 2, N) * MV, np.full(N, 12 * MS))
    m = replace(still(), neuron_extra={MEMBRANE_SD: noise.sd_v, MEMBRANE_TAU: noise.tau_s})
    fitted = fit_drive(m, target, seed=1, options=QUICK)
    assert np.array_equal(fitted.noise_sd_v, noise_sd_of_membranes(noise, neuron=Lif()))
    asked = fit_drive(m, target, seed=1, options=replace(QUICK, noise_sd_v=3 * MV))
    assert asked.noise_sd_v.tolist() == [3 * MV] * N
