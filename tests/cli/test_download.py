"""The command ``download``: a recording in, an image out that the other commands read."""

import json

import numpy as np
import pytest

from neurograft.cells import load_image
from neurograft.maps import load_map, save_map, synapse_map
from neurograft.units import MS, MV
from pasting._signals import RATE_HZ, seen


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a folder with a recording of six neurons and the truth behind it."""
    folder = tmp_path_factory.mktemp("recorded")
    made = seen(6, 30.0)
    np.rint(made.volts / 1e-5 - 6500).astype("<i2").tofile(folder / "recording.raw")
    (folder / "recording.toml").write_text(
        f"""format_version = 1
[samples]
files = ["recording.raw"]
dtype = "int16"
byte_order = "little"
order = "frames"
n_channels = 6
[time]
rate_hz = {RATE_HZ}
[signal]
kind = "membrane_v"
gain_v = 1e-5
[layout]
labels = ["n0", "n1", "n2", "n3", "n4", "n5"]
"""
    )
    truth = synapse_map(
        n_neurons=6,
        pre=np.array([0, 2]),
        post=np.array([1, 3]),
        weight_v=np.array([1.0, -1.0]) * MV,
        delay_s=1.5 * MS,
        labels=[f"n{i}" for i in range(6)],
    )
    save_map(truth, folder / "truth.h5")
    return folder


def test_a_recording_becomes_an_image_that_info_run_and_score_read(neurograft, recorded, tmp_path):
    image, m = tmp_path / "image.h5", tmp_path / "map.h5"
    said = neurograft("download", recorded / "recording.toml", "-o", image, "--map", m, "--memory", "rram", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["synapses"] == 2
    assert result["cells"] == load_image(image).n_cells == 8
    assert any("recording.toml" in name for name in load_image(image).provenance.inputs)
    assert load_map(m).evidence is not None
    assert "driven by a recording" in neurograft("info", image).out
    assert neurograft("run", image, "-o", tmp_path / "activity.h5", "--seconds", "1").code == 0
    for file in (image, m):
        scored = neurograft("score", file, recorded / "truth.h5", "--json")
        assert scored.code == 0, scored.err
        assert json.loads(scored.out)["recall"]["value"] == 1.0


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--memory", "flash"), "flash has 8 levels"),
        (("--memory", "rrma"), "Did you mean 'rram'"),
        (("--cells", "0"), "cells_per_pair is 0"),
        (("--fdr", "2"), "fdr is 2"),
    ],
)
def test_options_that_cannot_be_are_refused_and_leave_nothing(neurograft, recorded, tmp_path, words, answer):
    said = neurograft("download", recorded / "recording.toml", "-o", tmp_path / "image.h5", *words)
    assert said.code == 2
    assert answer in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_map_or_a_damaged_recording_is_refused_by_name(neurograft, recorded, tmp_path):
    said = neurograft("download", recorded / "truth.h5", "-o", tmp_path / "image.h5")
    assert said.code == 2
    assert "truth.h5" in said.err
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "recording.toml").write_text((recorded / "recording.toml").read_text())
    said = neurograft("download", cut / "recording.toml", "-o", tmp_path / "image.h5")
    assert said.code == 2
    assert "recording.raw" in said.err
    assert not (tmp_path / "image.h5").exists()


def test_spikes_alone_cannot_drive_cells(neurograft, tmp_path):
    table = tmp_path / "spikes.csv"
    table.write_text("time_s,neuron\n0.1,a\n0.2,b\n0.3,a\n")
    said = neurograft("download", table, "-o", tmp_path / "image.h5")
    assert said.code == 2
    assert "spikes" in said.err


def test_ctrl_c_leaves_no_image(neurograft, recorded, tmp_path, monkeypatch):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurograft.pasting._download.ticks", stop)
    said = neurograft("download", recorded / "recording.toml", "-o", tmp_path / "image.h5")
    assert said.code == 130
    assert list(tmp_path.iterdir()) == []
