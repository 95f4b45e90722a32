"""Sorters' results: Phy folders, SpikeInterface sortings, NWB units."""

import gc
import warnings
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurograft.errors import SpikeError
from neurograft.spikes import SpikeOptions, describe, open_spikes
from neurograft.spikes._phy import parameters

RATE_HZ = 20_000.0
FRAMES = np.array([100, 200, 300, 400, 500, 600], dtype=np.uint64)
CLUSTERS = np.array([7, 3, 7, 5, 3, 9], dtype=np.int32)


def phy(
    folder: Path, *, labels: str | None = "cluster_id\tgroup\n3\tgood\n5\tnoise\n7\tgood\n8\tgood\n9\tmua\n"
) -> Path:
    folder.mkdir()
    np.save(folder / "spike_times.npy", FRAMES[:, None])
    np.save(folder / "spike_clusters.npy", CLUSTERS)
    (folder / "params.py").write_text(
        "dat_path = r'raw.dat'\nn_channels_dat = 4\ndtype = 'int16'\noffset = 0\nsample_rate = 20000.\n"
    )
    if labels is not None:
        (folder / "cluster_group.tsv").write_text(labels)
    return folder


def test_a_phy_folder_gives_its_good_clusters_and_says_so(tmp_path: Path) -> None:
    trains = open_spikes(phy(tmp_path / "p"))
    assert trains.labels == ("3", "7", "8")  # 8 is good and silent
    assert trains.counts().tolist() == [2, 2, 0]
    assert trains.time_s.tolist() == [0.005, 0.01, 0.015, 0.025]
    assert any("kept 3 of 5 clusters, labelled good (3 good, 1 mua, 1 noise)" in line for line in describe(trains))


def test_other_qualities_can_be_asked_for(tmp_path: Path) -> None:
    folder = phy(tmp_path / "p")
    assert open_spikes(folder, options=SpikeOptions(quality=("good", "mua"))).labels == ("3", "7", "8", "9")
    with pytest.raises(SpikeError, match="no cluster is labelled fine; the labels are 3 good"):
        open_spikes(folder, options=SpikeOptions(quality=("fine",)))


def test_without_labels_all_clusters_are_kept_and_that_is_said(tmp_path: Path) -> None:
    trains = open_spikes(phy(tmp_path / "p", labels=None))
    assert trains.labels == ("3", "5", "7", "9")
    assert any("no curation labels: all 4 clusters are kept" in line for line in describe(trains))


def test_the_curators_label_wins_over_kilosorts(tmp_path: Path) -> None:
    folder = phy(tmp_path / "p", labels=None)
    (folder / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n3\tgood\n5\tgood\n7\tmua\n9\tmua\n")
    assert open_spikes(folder).labels == ("3", "5")
    (folder / "cluster_info.tsv").write_text(
        "cluster_id\tKSLabel\tgroup\n3\tgood\tnoise\n5\tgood\tgood\n7\tmua\t\n9\tmua\t\n"
    )
    assert open_spikes(folder).labels == ("5",)


def test_the_recorded_time_is_that_of_the_raw_file_where_it_lies(tmp_path: Path) -> None:
    folder = phy(tmp_path / "p")
    np.zeros((40_000, 4), dtype=np.int16).tofile(folder / "raw.dat")
    assert open_spikes(folder).duration_s == 2.0


def test_params_are_parsed_and_never_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    file = tmp_path / "params.py"
    touch = f"pathlib.Path({str(trap)!r}).touch()"
    file.write_text(f"import pathlib\nsample_rate = 3e4\nx = {touch}\n{touch}\n")
    assert parameters(file) == {"sample_rate": 3e4}
    assert not trap.exists()
    file.write_text("sample_rate = = 3")
    with pytest.raises(SpikeError, match="is not readable"):
        parameters(file)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("params.py", "sample_rate = 'fast'", "sample_rate is fast"),
        ("params.py", None, "is missing, so the sampling rate is unknown"),
        ("spike_clusters.npy", None, "neither spike_clusters.npy nor spike_templates.npy"),
        ("spike_clusters.npy", np.arange(3), "6 spike times and 3 clusters"),
        ("spike_clusters.npy", np.array([None] * 6), "would have to be unpickled"),
        ("spike_times.npy", np.full(6, np.nan), "should hold whole numbers"),
        ("spike_times.npy", np.ones((3, 2), int), "should hold one number a spike"),
        ("cluster_group.tsv", "cluster_id\tgroup\n3\tgood\n3\tmua\n", "line 3: cluster 3 is listed twice"),
        ("cluster_group.tsv", "cluster_id\tgroup\nx\tgood\n", "line 2: the cluster_id is 'x'"),
    ],
)
def test_a_wrong_phy_folder_is_refused(tmp_path: Path, file: str, content: Any, message: str) -> None:
    folder = phy(tmp_path / "p")
    if content is None:
        (folder / file).unlink()
    elif isinstance(content, str):
        (folder / file).write_text(content)
    else:
        np.save(folder / file, content, allow_pickle=True)
    with pytest.raises(SpikeError, match=message):
        open_spikes(folder)


def test_a_truncated_phy_array_is_refused(tmp_path: Path) -> None:
    folder = phy(tmp_path / "p")
    whole = (folder / "spike_times.npy").read_bytes()
    (folder / "spike_times.npy").write_bytes(whole[:-8])
    with pytest.raises(SpikeError, match=r"should have 48 bytes .* but has 40: it is cut off"):
        open_spikes(folder)


@pytest.fixture
def sorting() -> Generator[Any]:
    """Two segments of three units; 'b' is silent.  What SpikeInterface leaves open is collected here."""
    si = pytest.importorskip("spikeinterface.core")
    frames = [np.array([100, 300, 200]), np.array([50])]
    units = [np.array(["a", "c", "a"]), np.array(["c"])]
    yield si.NumpySorting.from_samples_and_labels(frames, units, RATE_HZ, unit_ids=["a", "b", "c"])
    gc.collect()


LEAKS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def check(path: Path) -> None:
    trains = open_spikes(path)
    assert trains.labels == ("a", "b", "c")
    assert trains.counts().tolist() == [2, 0, 2]
    # the first segment ends after its last spike, at frame 301; the second follows a second later
    start_s = 301 / RATE_HZ + 1.0
    np.testing.assert_allclose(trains.epochs_s, [[0, 301 / RATE_HZ], [start_s, start_s + 51 / RATE_HZ]])
    np.testing.assert_allclose(trains.time_s, [0.005, 0.01, 0.015, start_s + 50 / RATE_HZ])
    assert trains.neuron.tolist() == [0, 0, 2, 2]


@LEAKS
def test_spikeinterface_sortings_of_every_form_open(tmp_path: Path, sorting: Any) -> None:
    si = pytest.importorskip("spikeinterface.core")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The extractor is not serializable")
        sorting.save(folder=tmp_path / "folder", format="numpy_folder")
        sorting.save(folder=tmp_path / "store.zarr", format="zarr")
    si.NpzSortingExtractor.write_sorting(sorting, tmp_path / "a.npz")
    for name in ("folder", "store.zarr", "a.npz"):
        check(tmp_path / name)


@LEAKS
def test_pickles_in_a_sorting_are_refused(tmp_path: Path, sorting: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The extractor is not serializable")
        sorting.save(folder=tmp_path / "folder", format="numpy_folder")
    (tmp_path / "folder" / "properties").mkdir(exist_ok=True)
    np.save(tmp_path / "folder" / "properties" / "x.npy", np.array([None] * 3), allow_pickle=True)
    with pytest.raises(SpikeError, match="would have to be unpickled"):
        open_spikes(tmp_path / "folder")


def test_an_npz_sorting_that_lacks_a_segment_is_refused(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        unit_ids=[1],
        num_segment=[2],
        sampling_frequency=[1.0],
        spike_indexes_seg0=[1],
        spike_labels_seg0=[1],
    )
    with pytest.raises(SpikeError, match=r"2 segments at 1\.0 Hz are told, but it lacks some"):
        open_spikes(tmp_path / "a.npz")


def nwb_units(path: Path, units: list[tuple[list[float], list[list[float]] | None]]) -> Path:
    pynwb = pytest.importorskip("pynwb")
    nwb = pynwb.NWBFile(session_description="t", identifier="1", session_start_time=datetime(2020, 1, 1, tzinfo=UTC))
    for k, (times, intervals) in enumerate(units):
        more = {} if intervals is None else {"obs_intervals": intervals}
        nwb.add_unit(spike_times=times, id=10 + k, **more)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def test_nwb_units_with_observed_intervals(tmp_path: Path) -> None:
    whole = [[0.0, 2.0], [4.0, 6.0]]
    trains = open_spikes(nwb_units(tmp_path / "a.nwb", [([0.5, 5.0, 6.0], whole), ([], whole), ([1.0], whole)]))
    assert trains.labels == ("10", "11", "12")
    assert trains.counts().tolist() == [3, 0, 1]  # also the one at the very end of an interval
    np.testing.assert_allclose(trains.epochs_s, whole)
    assert trains.time_s.tolist() == [0.5, 1.0, 5.0, 6.0]


def test_only_time_common_to_all_nwb_units_counts(tmp_path: Path) -> None:
    path = nwb_units(
        tmp_path / "a.nwb", [([0.5, 1.5, 3.0], [[0.0, 2.0], [2.5, 3.5]]), ([1.2, 5.0], [[1.0, 3.0], [4.0, 6.0]])]
    )
    trains = open_spikes(path)
    np.testing.assert_allclose(trains.epochs_s, [[1.0, 2.0], [2.5, 3.0]])
    assert trains.time_s.tolist() == [1.2, 1.5, 3.0]
    assert any("2 spikes outside the time in which all units were observed" in line for line in describe(trains))
    apart = nwb_units(tmp_path / "b.nwb", [([0.5], [[0.0, 1.0]]), ([2.5], [[2.0, 3.0]])])
    with pytest.raises(SpikeError, match="no time in which all units were observed"):
        open_spikes(apart)


def test_nwb_units_without_intervals_note_it(tmp_path: Path) -> None:
    trains = open_spikes(nwb_units(tmp_path / "a.nwb", [([0.5, 1.5], None), ([1.0], None)]))
    assert trains.counts().tolist() == [2, 1]
    assert any("does not tell the observed time" in line for line in describe(trains))


def test_damaged_nwb_units_are_refused(tmp_path: Path) -> None:
    def units(name: str, ids: list[int], ends: list[int], times: list[float]) -> Path:
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["nwb_version"] = "2.6.0"
            file["units/id"], file["units/spike_times_index"], file["units/spike_times"] = ids, ends, times
        return tmp_path / name

    with pytest.raises(SpikeError, match="the neuron id 4 is listed twice"):
        open_spikes(units("a.nwb", [4, 4], [1, 2], [0.1, 0.2]))
    with pytest.raises(SpikeError, match="spike_times_index has 2 entries up to 9, for 2 units and 2 values"):
        open_spikes(units("b.nwb", [4, 5], [1, 9], [0.1, 0.2]))
    with pytest.raises(SpikeError, match="the time of spike 1 is nan"):
        open_spikes(units("c.nwb", [4, 5], [1, 2], [0.1, float("nan")]))
