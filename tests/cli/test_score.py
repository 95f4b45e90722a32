"""``neurograft score``: the report, a swapped map that fails, decoys that are copied or named."""

import json

import numpy as np
import pytest

from neurograft.cli._decoys import Reversed, shifted_recording, shifted_spikes
from neurograft.maps import save_map, synapse_map
from neurograft.recordings import Signal, array_recording
from neurograft.spikes import save_spikes, spike_trains


def net(n=30, *, is_swapped=False):
    rng = np.random.default_rng(3)
    pre, post = np.nonzero((rng.random((n, n)) < 0.1) & ~np.eye(n, dtype=bool))
    pre, post = (post, pre) if is_swapped else (pre, post)
    return synapse_map(n_neurons=n, pre=pre, post=post, weight_v=rng.lognormal(-8, 1, pre.size), delay_s=2e-3)


@pytest.fixture
def files(tmp_path):
    """Return the files of a truth, of a right copy and of one whose pre and post are swapped."""
    for name, m in (("truth", net()), ("right", net()), ("swapped", net(is_swapped=True))):
        save_map(m, tmp_path / f"{name}.h5")
    return tmp_path


def test_a_right_map_is_scored_in_text_json_and_html(neurograft, files):
    said = neurograft("score", files / "right.h5", files / "truth.h5", "--report", files / "out.html")
    assert said.code == 0, said.err
    assert "AUC 1.0000" in said.out
    page = (files / "out.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "right.h5 scored against truth.h5" in page
    assert "src=" not in page.split("<script>")[0]  # nothing is fetched
    plain = json.loads(neurograft("score", files / "right.h5", files / "truth.h5", "--json").out)
    assert plain["orientation"]["found"] == "RIGHT"
    assert plain["is_swapped"] is False


def test_a_swapped_map_fails_after_all_was_told(neurograft, files):
    words = ("score", files / "swapped.h5", files / "truth.h5", "--report", files / "out.html")
    said = neurograft(*words)
    assert said.code == 2
    assert said.out.startswith("PRE AND POST ARE SWAPPED")
    assert "swapped.h5 fails the orientation test" in said.err
    assert "PRE AND POST ARE SWAPPED" in (files / "out.html").read_text()
    as_json = neurograft(*words, "--json")
    assert as_json.code == 2
    assert json.loads(as_json.out)["is_swapped"] is True


def test_a_named_decoy_is_counted(neurograft, files):
    said = neurograft(
        "score", files / "right.h5", files / "truth.h5", "--decoy", f"jitter={files / 'swapped.h5'}", "--json"
    )
    assert said.code == 0, said.err
    assert json.loads(said.out)["false_alarms"]["jitter"]["calls_over_real"] == 1.0
    wrong = neurograft("score", files / "right.h5", files / "truth.h5", "--decoy", "jitter")
    assert wrong.code == 2
    assert "Write NAME=MAP" in wrong.err


def driven_pair(seconds=400.0):
    """Return trains of three neurons: a drives b after 3 ms, c is alone."""
    rng = np.random.default_rng(7)
    pre, post, alone = (np.sort(rng.uniform(0, seconds - 1, int(6 * seconds))) for _ in range(3))
    post = np.concatenate([post, pre[rng.random(pre.size) < 0.3] + 3e-3])
    trains = (pre, post, alone)
    return spike_trains(
        time_s=np.concatenate(trains),
        neuron=np.repeat([0, 1, 2], [t.size for t in trains]),
        labels=["a", "b", "c"],
        epochs_s=np.array([[0.0, 150.0], [150.0, seconds]]),
    )


def test_spikes_are_copied_again_with_time_shifted(neurograft, tmp_path):
    save_spikes(driven_pair(), tmp_path / "spikes.h5")
    truth = synapse_map(
        n_neurons=3, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=3e-3, labels=[*"abc"]
    )
    save_map(truth, tmp_path / "truth.h5")
    assert neurograft("copy", tmp_path / "spikes.h5", "-o", tmp_path / "map.h5").code == 0
    said = neurograft(
        "score", tmp_path / "map.h5", tmp_path / "truth.h5", "--recording", tmp_path / "spikes.h5", "--json"
    )
    assert said.code == 0, said.err
    plain = json.loads(said.out)
    assert plain["recall"]["value"] == 1.0
    assert plain["false_alarms"]["time-shifted"]["calls_a_pair"]["count"] == 0
    refused = neurograft(
        "score", tmp_path / "map.h5", tmp_path / "truth.h5", "--recording", tmp_path / "spikes.h5",
        "--mode", "intracellular",
    )  # fmt: skip
    assert refused.code == 2
    assert "needs membrane potentials" in refused.err


def test_shifted_trains_keep_their_spikes_and_lose_each_other():
    there = driven_pair()
    shifted = shifted_spikes(there, np.random.default_rng(0))
    assert shifted.counts().tolist() == there.counts().tolist()
    assert shifted.epochs_s.tolist() == there.epochs_s.tolist()

    def driven(trains):
        a, b, _ = trains.by_neuron()
        return np.isclose(b[np.minimum(np.searchsorted(b, a + 2.9e-3), b.size - 1)], a + 3e-3, atol=5e-5).mean()

    assert driven(there) > 0.25
    assert driven(shifted) < 0.02
    # Turned round the observed time, so intervals stay but for the seam and the gap between epochs.
    before, after = (np.sort(np.diff(t.by_neuron()[0])) for t in (there, shifted))
    assert np.mean(np.isin(np.round(before, 9), np.round(after, 9))) > 0.99


def small_recording():
    """Return two segments in which every sample is one of its own."""
    one, two = (np.arange(n * 3, dtype=np.float32).reshape(n, 3) + base for n, base in ((5000, 0), (4000, 1e5)))
    return array_recording((one, two), rate_hz=1000.0, signal=Signal.MEMBRANE_V)


def test_a_shifted_recording_turns_every_channel_by_another_amount():
    source = small_recording()
    with shifted_recording(source, np.random.default_rng(1)) as turned:
        for segment, n in enumerate(source.segment_frames):
            there, here = source.read(segment, 0, n), turned.read(segment, 0, n)
            shifts = [int(np.flatnonzero(here[:, c] == there[0, c])[0]) for c in range(3)]
            for c, shift in enumerate(shifts):
                assert here[:, c].tolist() == np.roll(there[:, c], shift).tolist()
            apart = [abs(a - b) for a in [0, *shifts] for b in [0, *shifts] if a != b]
            assert len(apart) == 12
            assert min(min(d, n - d) for d in apart) >= 998


def test_a_reversed_recording_is_read_from_its_end():
    source = small_recording()
    backwards = Reversed(source=source)
    assert backwards.segment_frames == source.segment_frames
    assert backwards.read(1, 0, 4000).tolist() == source.read(1, 0, 4000)[::-1].tolist()
    assert backwards.read(0, 10, 20).tolist() == source.read(0, 4980, 4990)[::-1].tolist()
