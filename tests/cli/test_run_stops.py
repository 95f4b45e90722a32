"""Runs that stop and go on, and runs that cannot go on: what is written, and what is said."""

import numpy as np
import pytest

from neurograft.maps import load_map, save_map, synapse_map
from neurograft.spikes import open_spikes
from neurograft.units import MS


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(neurograft, ring, tmp_path):
    whole, first, rest, state = (tmp_path / name for name in ("whole.h5", "first.h5", "rest.h5", "state.npz"))
    words = ("run", ring, "--rate-hz", "20", "--seed", "5")
    assert neurograft(*words, "-o", whole, "--seconds", "1").code == 0
    assert neurograft(*words, "-o", first, "--seconds", "0.37", "--checkpoint", state).code == 0
    said = neurograft(*words, "-o", rest, "--seconds", "1", "--resume", state, "--threads", "2")
    assert said.code == 0, said.err
    a, b, c = (open_spikes(path) for path in (whole, first, rest))
    assert b.n_spikes > 0
    assert c.n_spikes > 0
    assert np.array_equal(a.time_s, np.concatenate([b.time_s, c.time_s]))
    assert np.array_equal(a.neuron, np.concatenate([b.neuron, c.neuron]))
    for more, message in [
        (("--seconds", "0.2", "--resume", state), "where the checkpoint already is"),
        (("--seconds", "1", "--resume", ring), "cannot be read as a checkpoint"),
        (("--seconds", "1", "--resume", tmp_path / "none"), "There is no checkpoint"),
        (("--seconds", "1", "--resume", state, "--learn", "pair"), "do not go with learning"),
    ]:
        said = neurograft(*words, "-o", tmp_path / "no.h5", *more)
        assert said.code == 2
        assert message in said.err
    said = neurograft("run", ring, "-o", tmp_path / "no.h5", "--seconds", "1", "--resume", state, "--seed", "6")
    assert "Give the same seed" in said.err
    assert not (tmp_path / "no.h5").exists()


def test_a_run_that_breaks_says_where_and_keeps_what_was_before(neurograft, tmp_path):
    n = 3
    m = synapse_map(
        n_neurons=n, pre=np.array([0]), post=np.array([1]), weight_v=np.array([-1e30]), delay_s=2 * MS,
        labels=["a", "b", "c"],
    )  # fmt: skip
    save_map(m, tmp_path / "broken.h5")
    (tmp_path / "protocol.csv").write_text("kind,neurons,start_s\nspikes,a,0.25\n")
    out = tmp_path / "out.h5"
    said = neurograft(
        "run", tmp_path / "broken.h5", "-o", out, "--seconds", "1", "--rate-hz", "0", "--stimulus",
        tmp_path / "protocol.csv",
    )  # fmt: skip
    assert said.code == 2
    assert "potential of neuron b became -1e+30 at 0.252 s. Use a shorter step_s" in said.err
    kept = open_spikes(out)
    assert kept.time_s.tolist() == [0.25]
    assert kept.duration_s == pytest.approx(0.252)
    assert f"0.252 s are kept in {out}" in said.err
    early = neurograft("run", tmp_path / "broken.h5", "-o", tmp_path / "none.h5", "--seconds", "1", "--rate-hz", "20")
    assert early.code == 2
    assert "While the background was fitted: The potential of neuron b became" in early.err
    assert "kept" not in early.err
    assert not (tmp_path / "none.h5").exists()


def test_models_and_delays_that_cannot_run_are_refused_before_anything_is_written(neurograft, ring, tmp_path):
    m = load_map(ring)
    for change, message in [
        ({"model": ["lyf", *[""] * 11]}, "Did you mean 'lif'"),
        ({"delay_s": np.full(12, 0.02 * MS)}, "below the step of 0.0001 s"),
    ]:
        given = {"delay_s": m.delay_s} | change
        bad = synapse_map(n_neurons=12, pre=m.pre, post=m.post, weight_v=m.weight_v, **given)
        save_map(bad, tmp_path / "bad.h5")
        said = neurograft("run", tmp_path / "bad.h5", "-o", tmp_path / "out.h5", "--seconds", "1")
        assert said.code == 2
        assert message in said.err
        assert not (tmp_path / "out.h5").exists()
