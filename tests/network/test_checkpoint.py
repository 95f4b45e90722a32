"""A run that was stopped, saved and resumed gives the spikes of one that was not."""

from dataclasses import replace

import numpy as np
import pytest
from numba import config

from neurograft.errors import RunError
from neurograft.maps import synapse_map
from neurograft.network import RunOptions, load_checkpoint, run, save_checkpoint, steady_drive
from neurograft.units import MS, MV

END_S = 0.12 if not config.DISABLE_JIT else 0.03


def mixed_map():
    rng = np.random.default_rng(5)
    pair = rng.choice(400, 80, replace=False)
    return synapse_map(
        n_neurons=20, pre=pair // 20, post=pair % 20, weight_v=rng.normal(0.5 * MV, 1 * MV, 80),
        delay_s=rng.uniform(0.5, 6, 80) * MS, model=["", "adex"] * 10,
    )  # fmt: skip


DRIVE = steady_drive(20, mean_v=30 * MV, noise_sd_v=2 * MV)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_resumed_equals_uninterrupted(tmp_path, n_threads):
    m = mixed_map()
    whole = run(m, duration_s=END_S, seed=3, drive=DRIVE)
    first = run(m, duration_s=0.37 * END_S, seed=3, drive=DRIVE)
    save_checkpoint(first.checkpoint, tmp_path / "state.npz")
    resume = load_checkpoint(tmp_path / "state.npz")
    rest = run(m, duration_s=END_S, seed=3, drive=DRIVE, resume=resume, options=RunOptions(n_threads=n_threads))
    assert first.spikes.n_spikes > 0
    assert np.array_equal(np.concatenate([first.spikes.time_s, rest.spikes.time_s]), whole.spikes.time_s)
    assert np.array_equal(np.concatenate([first.spikes.neuron, rest.spikes.neuron]), whole.spikes.neuron)
    assert rest.spikes.epochs_s[0, 0] == first.spikes.epochs_s[0, 1]


def test_another_run_cannot_be_resumed(tmp_path):
    m = mixed_map()
    checkpoint = run(m, duration_s=10 * MS, seed=3, drive=DRIVE).checkpoint
    with pytest.raises(RunError, match="checkpoint's seed is 3, the run's 4"):
        run(m, duration_s=20 * MS, seed=4, drive=DRIVE, resume=checkpoint)
    with pytest.raises(RunError, match="where the checkpoint already is"):
        run(m, duration_s=10 * MS, seed=3, drive=DRIVE, resume=checkpoint)
    with pytest.raises(RunError, match="Resume with the map"):
        run(m, duration_s=20 * MS, seed=3, drive=DRIVE, resume=replace(checkpoint, step_s=0.2 * MS))
    (tmp_path / "broken.npz").write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match="cannot be read as a checkpoint"):
        load_checkpoint(tmp_path / "broken.npz")
