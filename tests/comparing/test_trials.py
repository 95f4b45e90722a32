"""Running a copy beside shuffled maps: a right copy wins, a wrong one does not, and nothing else differs."""

from dataclasses import replace

import numpy as np
import pytest

from neurograft.comparing import CompareOptions, TrialOptions, compare_copy, compare_twins
from neurograft.errors import CompareError
from neurograft.maps import synapse_map
from neurograft.network import FitOptions, fit_drive_to_rates, run
from neurograft.units import MS, MV

N = 12
QUICK = TrialOptions(
    duration_s=60.0,
    n_shuffled=3,
    n_repeats=2,
    rate_hz=15.0,
    fit=FitOptions(n_rounds=2, trial_s=5.0, modulation_bin_s=None),
    compare=CompareOptions(n_poisson=0),
)


def coupled(seed: int = 0):
    """Return a sparse network strong enough that a minute of spikes shows its wiring."""
    rng = np.random.default_rng(seed)
    pre, post = np.nonzero((rng.random((N, N)) < 0.2) & ~np.eye(N, dtype=bool))
    weight_v = np.where(pre % 4 == 0, -6.0, 6.0) * MV
    return synapse_map(n_neurons=N, pre=pre, post=post, weight_v=weight_v, delay_s=2 * MS)


def scaled(m, factor: float):
    return replace(m, weight_v=m.weight_v * factor)


def test_a_right_twin_couples_like_the_original_and_unlike_shuffled_maps():
    m = coupled()
    trial = compare_twins(m, scaled(m, 0.97), options=QUICK, seed=1)
    row = trial.fidelity.row("ms coupling")
    assert row.distance < row.nulls["shuffled map"].mean / 2
    assert row.beats_all


def test_a_twin_of_another_wiring_does_not_beat_the_shuffled_null():
    m = coupled()
    trial = compare_twins(m, coupled(seed=9), options=QUICK, seed=1)
    assert not trial.fidelity.row("ms coupling").nulls["shuffled map"].is_beaten


def test_equal_twins_spike_alike():
    m = coupled()
    trial = compare_twins(m, m, options=replace(QUICK, duration_s=20.0, n_shuffled=0), seed=1)
    assert trial.original.time_s.tolist() == trial.copy.time_s.tolist()
    assert trial.fidelity.row("van Rossum").distance == pytest.approx(0, abs=1e-6)  # a root of rounding errors


def test_a_copy_is_given_the_rates_of_the_original():
    m = coupled()
    drive = fit_drive_to_rates(m, 15.0, seed=3, options=QUICK.fit)
    original = run(m, duration_s=60.0, seed=3, drive=drive).spikes
    trial = compare_copy(original, m, options=QUICK, seed=5)
    assert trial.copy.rates_hz() == pytest.approx(original.rates_hz(), rel=0.35)  # two fits, each of 5 s trials
    assert trial.fidelity.row("ms coupling").beats_all


def test_twins_of_different_neurons_are_refused():
    m = coupled()
    with pytest.raises(CompareError, match="different neurons"):
        compare_twins(m, replace(m, labels=tuple("abcdefghijkl")), options=QUICK, seed=1)


def test_the_same_seed_gives_the_same_trial():
    m = coupled()
    options = replace(QUICK, duration_s=10.0, n_shuffled=1, n_repeats=1)
    one, two = (compare_twins(m, scaled(m, 0.9), options=options, seed=4) for _ in range(2))
    assert one.fidelity.to_lines() == two.fidelity.to_lines()
