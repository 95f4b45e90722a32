"""Who is on which channel, read back from what a culture writes."""

import h5py
import numpy as np
import pytest

from neurograft.culture import ActivityOptions, CultureOptions, PadGrid, grow, record, write_culture
from neurograft.errors import MapError
from neurograft.maps import load_layout, load_map, save_map, synapse_map


@pytest.fixture(scope="module")
def culture():
    options = CultureOptions(
        n_neurons=16,
        hidden_fraction=0.5,
        pads=PadGrid(n_rows=3, n_columns=4, shared_fraction=0.25),
        activity=ActivityOptions(settle_s=0.5, settle_rounds=2),
    )
    return grow(options, seed=3)


@pytest.fixture(scope="module")
def truth_file(culture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layout") / "grown"
    write_culture(culture, folder, seconds=0.5, seed=1)
    return folder / "truth.h5"


def test_the_layout_is_that_of_the_recording(culture, truth_file):
    layout, seen = load_layout(truth_file), record(culture, seconds=0.5, seed=1)
    assert layout is not None
    assert layout.channel_labels == seen.recording.channel_labels
    assert layout.channel_neuron.tolist() == seen.channel_neuron.tolist()
    assert layout.n_hidden == 8
    names = load_map(truth_file).labels
    assert sum(name.endswith("b") for name in names) == 2  # a quarter of eight sit on another's pad


def test_hidden_input_is_the_share_of_strengths_from_hidden_neurons(culture, truth_file):
    weight_v = np.abs(culture.map.weight_matrix_v())
    expected = weight_v[8:, :8].sum(axis=0) / weight_v[:, :8].sum(axis=0)
    layout = load_layout(truth_file)
    assert layout is not None
    assert 0 < expected.mean() < 1
    assert layout.hidden_input_share == pytest.approx(expected)


def test_a_plain_map_has_no_layout(tmp_path):
    nothing = np.zeros(0)
    m = synapse_map(n_neurons=2, pre=nothing.astype(int), post=nothing.astype(int), weight_v=nothing, delay_s=nothing)
    save_map(m, tmp_path / "map.h5")
    assert load_layout(tmp_path / "map.h5") is None


def test_a_damaged_layout_is_refused(truth_file, tmp_path):
    bad = tmp_path / "truth.h5"
    bad.write_bytes(truth_file.read_bytes())
    with h5py.File(bad, "r+") as file:
        file["culture/channel_neuron"][0, 0] = 99
    with pytest.raises(MapError, match=r"channel_neuron\[0, 0\] is 99, but the truth has neurons 0 to 7"):
        load_layout(bad)
    with h5py.File(bad, "r+") as file:
        del file["culture/hidden_input_share"]
    with pytest.raises(MapError, match="hidden_input_share"):
        load_layout(bad)
