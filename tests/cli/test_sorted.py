"""``neurograft copy`` on unsorted extracellular recordings: sorted, said so, kept, and refused with a reason."""

import json

import numpy as np
import pytest

from neurograft.maps import load_map
from neurograft.recordings import Signal, open_recording
from neurograft.spikes import _sort, open_spikes, sort_spikes
from neurograft.spikes._sort import _reason

SIDE, RATE_HZ, SECONDS = 3, 10_000, 12


@pytest.fixture
def array(tmp_path):
    """Return a function that writes a recording of nine electrodes, each with a neuron of 8 Hz."""

    def write(seed=0, kind="extracellular_v"):
        rng = np.random.default_rng(seed)
        samples = rng.normal(0, 20, (RATE_HZ * SECONDS, SIDE**2))
        wave = -400 * np.exp(-((np.arange(-8, 9) / 2.0) ** 2))
        for c in range(SIDE**2):
            for f in rng.choice(np.arange(100, len(samples) - 100, 50), 8 * SECONDS, replace=False):
                samples[f - 8 : f + 9, c] += wave
        np.rint(samples).astype("<i2").tofile(tmp_path / "r.raw")
        (tmp_path / "r.toml").write_text(f"""format_version = 1
[samples]
files = ["r.raw"]
dtype = "int16"
byte_order = "little"
order = "frames"
n_channels = {SIDE**2}
[time]
rate_hz = {RATE_HZ}
[signal]
kind = "{kind}"
gain_v = 1e-6
[layout]
grid_rows = {SIDE}
grid_columns = {SIDE}
pitch_um = 200.0
""")
        return tmp_path / "r.toml"

    return write


def test_electrodes_are_copied_as_units_kept_and_used_again(neurograft, array, tmp_path):
    out = tmp_path / "map.h5"
    said = neurograft("copy", array(), "-o", out, "--sorter", "electrodes")
    assert said.code == 0, said.err
    assert "not sorted: each of 9 electrodes is taken for a unit" in said.err
    assert load_map(out).n_neurons == 9
    assert load_map(out).provenance.parameters["sorter"] == "electrodes"
    kept = open_spikes(tmp_path / "map.sorted.h5")
    assert np.all(np.abs(kept.counts() - 8 * SECONDS) <= 4)  # two spikes of a neuron within 5 ms may be one
    assert kept.provenance.parameters["sorter"] == "electrodes"
    again = neurograft("copy", array(), "-o", out, "--sorter", "electrodes", "--json")
    assert "used again" in again.err
    assert json.loads(again.out)["neurons"] == 9
    other = neurograft("copy", array(seed=1), "-o", out, "--sorter", "electrodes")
    assert "used again" not in other.err


def test_what_cannot_be_sorted_is_refused(neurograft, array, tmp_path, monkeypatch):
    out = tmp_path / "map.h5"
    said = neurograft("copy", array(), "-o", out, "--sorter", "kilosort")
    assert said.code == 2
    assert "The sorter 'kilosort' is unknown" in said.err
    monkeypatch.setattr(_sort, "find_spec", lambda name: None)
    said = neurograft("copy", array(), "-o", out)
    assert said.code == 2
    assert "pip install 'neurograft[sorters]'" in said.err
    assert "'electrodes' needs nothing" in said.err
    said = neurograft("copy", array(kind="intracellular_v"), "-o", out, "--sorter", "electrodes")
    assert said.code == 2
    assert "--sorter is for extracellular recordings" in said.err
    said = neurograft("copy", array(), "-o", out, "--mode", "intracellular")
    assert said.code == 2
    assert "intracellular copying needs a membrane potential" in said.err
    (tmp_path / "map.sorted.h5").write_bytes(b"mine")
    said = neurograft("copy", array(), "-o", out, "--sorter", "electrodes")
    assert said.code == 2
    assert "is in the way" in said.err
    assert not out.exists()


def test_a_sorters_long_story_becomes_the_line_that_names_the_error():
    story = "Spike sorting error trace:\nTraceback\n  File x\nValueError: too short\n\nSpike sorting failed. See log."
    assert _reason(RuntimeError(story)) == "ValueError: too short"
    assert _reason(RuntimeError("")) == "RuntimeError"


def test_a_grown_culture_keeps_its_extracellular_voltages(neurograft, tmp_path):
    words = ("--neurons", "6", "--kind", "calm", "--seconds", "2", "--mode", "extracellular")
    said = neurograft("culture", tmp_path / "c", *words, "--unsorted", "--dead", "0")
    assert said.code == 0, said.err
    recording = open_recording(tmp_path / "c" / "recording.toml")
    assert recording.signal is Signal.EXTRACELLULAR_V
    assert recording.read(0, 0, 10_000).min() < -60e-6  # spikes dip
    said = neurograft("culture", tmp_path / "d", *words, "--unsorted", "--missed", "0.1")
    assert said.code == 2
    assert "--missed does nothing" in said.err
    said = neurograft("culture", tmp_path / "d", "--neurons", "6", "--seconds", "2", "--unsorted")
    assert said.code == 2
    assert "--unsorted does nothing in --mode intracellular" in said.err


@pytest.mark.slow
def test_a_grown_extracellular_culture_is_sorted_and_copied_end_to_end(neurograft, tmp_path):
    pytest.importorskip("hdbscan")
    grown = tmp_path / "c"
    words = ("--neurons", "25", "--inputs", "5", "--rate-hz", "4", "--seconds", "60", "--pitch-um", "60")
    assert neurograft("culture", grown, *words, "--mode", "extracellular", "--unsorted", "--dead", "0").code == 0
    said = neurograft("copy", grown / "recording.toml", "-o", tmp_path / "map.h5")
    assert said.code == 0, said.err
    assert "sorted by tridesclous2" in said.err
    assert "mean accuracy" in said.err
    units, truth = open_spikes(tmp_path / "map.sorted.h5").by_neuron(), open_spikes(grown / "spikes.h5").by_neuron()
    best = [max(_agreement(t, u) for u in units) for t in truth if t.size > 30]
    assert np.mean(best) > 0.6
    assert load_map(tmp_path / "map.h5").n_neurons == len(units)


def _agreement(a, b):
    """Return matched spikes (1.5 ms) over all, the accuracy of SpikeInterface's comparisons."""
    at = np.searchsorted(b, a)
    near = np.minimum(np.abs(a - b[np.clip(at, 0, b.size - 1)]), np.abs(a - b[np.clip(at - 1, 0, b.size - 1)]))
    n = np.count_nonzero(near < 1.5e-3)
    return n / (a.size + b.size - n)


def test_sorting_without_places_asks_for_them(array):
    pytest.importorskip("hdbscan")
    path = array()
    path.write_text(path.read_text().split("[layout]")[0])
    with pytest.raises(Exception, match="the place of every electrode"):
        sort_spikes(open_recording(path))
