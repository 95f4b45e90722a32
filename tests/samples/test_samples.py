"""The bundled samples are what their SOURCE.md says, and each has its licence beside it."""

import numpy as np
import pytest

from neurograft import samples
from neurograft.maps import Kind
from neurograft.recordings import Signal, duration_s

FOLDERS = ["hippocampus", "multipatch", "worm", "aplysia"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sample_has_licence_and_source(folder):
    assert "Copyright (c)" in samples.sample_path(f"{folder}/LICENSE").read_text()
    assert samples.sample_path(f"{folder}/SOURCE.md").read_text().startswith("# ")


def test_multipatch_is_ten_sweeps_of_eight_cells():
    recording = samples.multipatch()
    assert recording.signal is Signal.MEMBRANE_V
    assert recording.segment_frames == (17_600,) * 10
    assert len(recording.channel_labels) == 8
    assert duration_s(recording) == pytest.approx(7.04)


def test_only_cell_three_of_multipatch_fires():
    recording = samples.multipatch()
    above_zero = [np.any(recording.read(k, 0, 17_600) > 0, axis=0) for k in range(10)]
    assert np.flatnonzero(np.all(above_zero, axis=0)).tolist() == [2]
    assert np.flatnonzero(np.any(above_zero, axis=0)).tolist() == [2]


def test_the_worm_has_the_published_counts():
    m = samples.worm()
    assert m.n_neurons == 302
    assert int(np.sum(m.kind == Kind.CHEMICAL)) == 3_709
    assert int(np.sum(m.kind == Kind.ELECTRICAL)) == 2 * 1_105 - 14


def test_the_worms_sections_add_up():
    m = samples.worm()
    chemical = m.kind == Kind.CHEMICAL
    volts = np.abs(m.weight_v[chemical]).sum()
    assert volts / samples.WORM_VOLTS_PER_SECTION == pytest.approx(20_965)


def test_the_worms_gaba_neurons_inhibit_and_no_other():
    m = samples.worm()
    chemical = m.kind == Kind.CHEMICAL
    names = {m.labels[i] for i in np.unique(m.pre[chemical & (m.weight_v < 0)])}
    assert {"DD1", "VD13", "RIS", "AVL"} <= names
    assert len(names) <= 26


def test_aplysia_has_125_neurons_and_all_spikes():
    trains = samples.aplysia()
    assert (trains.n_neurons, trains.n_spikes) == (125, 17_059)
