"""The neuron with every ion moving: it goes on from its checkpoint, and the stored run is this code's."""

from pathlib import Path

import numpy as np
import pytest

from neurograft.ionic import (
    Circuit,
    ParticleOptions,
    authors_start,
    load_neuron,
    run_particles,
    spikes_of,
    start_neuron,
    stored_authors_start,
    stored_particle_run,
)
from neurograft.units import UM, US

SMALL = Circuit(n_pairs=200, na_width_m=1 * UM, k_width_m=10 * UM, current_a=5e-12, capacitance_f=5e-18)


def test_a_run_that_was_stopped_is_the_whole_one_bit_for_bit(tmp_path: Path):
    options = ParticleOptions(block_steps=1000, quiet_blocks=2)
    whole = start_neuron(SMALL, options, np.random.default_rng(7))
    run_particles(whole, duration_s=12 * 5e-9)
    begun = start_neuron(SMALL, options, np.random.default_rng(7))
    run_particles(begun, duration_s=5 * 5e-9, checkpoint=tmp_path / "n.npz")
    gone_on = load_neuron(tmp_path / "n.npz", SMALL, options)
    run_particles(gone_on, duration_s=12 * 5e-9)
    assert gone_on.rows == whole.rows
    assert gone_on.rows[-1][0] != options.start_v
    for one, other in zip(gone_on.slits, whole.slits, strict=True):
        np.testing.assert_array_equal(one.x_nm, other.x_nm)
        np.testing.assert_array_equal(one.words, other.words)


def test_the_start_is_kept_before_the_first_block(tmp_path: Path):
    neuron = start_neuron(SMALL, ParticleOptions(), np.random.default_rng(7))
    assert run_particles(neuron, duration_s=0.0, checkpoint=tmp_path / "n.npz").time_s.size == 0
    kept = load_neuron(tmp_path / "n.npz", SMALL, ParticleOptions())
    np.testing.assert_array_equal(kept.slits[1].y_nm, neuron.slits[1].y_nm)


def test_the_stored_run_swings_at_first_and_then_spikes_as_high_as_the_authors():
    """Their 13 spikes peak at 40.6 +- 2.2 V, 44.5 V at most, after troughs of 2.8 to 12.3 V."""
    run = stored_particle_run()
    early, late = ((run.time_s > a * US) & (run.time_s <= b * US) for a, b in ((40, 150), (180, 1e6)))
    assert np.ptp(run.voltage_v[early]) < 0.6 * np.ptp(run.voltage_v[late])
    assert 40.6 < run.voltage_v[late].max() < 44.5
    train = spikes_of(run)
    assert train.n_spikes == 10
    settled = train.time_s > 540 * US  # once what is in excess has died down, the authors' numbers
    assert np.diff(train.time_s[settled]).mean() == pytest.approx(87.7 * US, abs=15.5 * US)
    assert train.peak_v[settled].mean() == pytest.approx(40.6, abs=2.2)
    assert 2.8 < train.trough_v[settled[1:]].mean() < 12.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "stored"), [(start_neuron, stored_particle_run), (authors_start, stored_authors_start)]
)
def test_the_stored_runs_are_what_this_code_computes(start, stored):
    """Their first microsecond, 200,000 steps of 16,000 ions, to the digits stored; nothing is fused or reordered."""
    trace = run_particles(start(Circuit(), ParticleOptions(), np.random.default_rng(5)), duration_s=1 * US)
    kept = stored()
    assert trace.n_na.mean() == pytest.approx(kept.n_na[0], abs=6e-5)
    assert trace.n_k.mean() == pytest.approx(kept.n_k[0], abs=6e-5)
    assert trace.voltage_v.mean() == pytest.approx(kept.voltage_v[0], abs=6e-4)
