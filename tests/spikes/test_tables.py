"""Spikes in MATLAB, CSV and NPZ tables: the real samples by their sources' figures, and bad tables."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurograft.errors import SpikeError
from neurograft.spikes import SpikeOptions, describe, open_spikes, tick_named


def test_aplysia_is_as_its_source_tells(shared_data: Path) -> None:
    trains = open_spikes(shared_data / "aplysia" / "Feb1312da06spks.mat")
    assert (trains.n_neurons, trains.n_spikes) == (125, 17_059)
    assert trains.labels == tuple(str(k) for k in range(1, 126))
    assert trains.epochs_s[-1, 1] == pytest.approx(89.98, abs=0.01)
    steps = trains.time_s * 1629.7  # SOURCE.md: a grid of 0.614 ms, 1629.7 Hz
    assert np.abs(np.diff(steps) - np.round(np.diff(steps))).max() < 0.01


def test_synapticonn_is_as_its_source_tells(shared_data: Path) -> None:
    trains = open_spikes(shared_data / "synapticonn" / "all_unit.mat")
    assert trains.n_neurons == 16
    assert (trains.counts().min(), trains.counts().max()) == (485, 5230)
    assert trains.epochs_s[-1, 1] == pytest.approx(998, abs=1)


def test_cellexplorer_is_as_its_source_tells(shared_data: Path) -> None:
    path = shared_data / "cellexplorer" / "mouse1_180502a_spikes.npz"
    trains = open_spikes(path)
    assert (trains.n_neurons, trains.n_spikes) == (6, 600_667)
    assert trains.duration_s == pytest.approx(13_203, abs=1)
    with np.load(path) as held:  # its own rates, computed by others; they differ by what they call the duration
        np.testing.assert_allclose(trains.rates_hz(), held["firing_rate_hz"], rtol=0.05)


@pytest.mark.parametrize(
    ("name", "spikes", "first"),
    [
        ("ren_simulation_1917_Cell1Block1_long_340_20_ei5_example.npz", 93_699, "0"),
        ("sim1917Cell1Block1_tiny.npz", 23_017, "300"),
    ],
)
def test_spycon_is_as_its_source_tells(shared_data: Path, name: str, spikes: int, first: str) -> None:
    trains = open_spikes(shared_data / "spycon" / name)
    assert (trains.n_neurons, trains.n_spikes, trains.labels[0]) == (20, spikes, first)
    assert trains.provenance is not None
    assert list(trains.provenance.inputs) == [name]


def test_a_public_struct_holds_its_spikes_twice(shared_data: Path) -> None:
    path = shared_data / "tspe" / "BA_new_sim7_100.mat"
    with pytest.raises(SpikeError, match=r"2 variables .* Choose one of \['data.TS_ms', 'data.asdf'\]"):
        open_spikes(path)
    listed, binned = (open_spikes(path, options=SpikeOptions(part=f"data.{name}")) for name in ("TS_ms", "asdf"))
    assert (listed.n_neurons, listed.n_spikes) == (100, 655_002)
    assert binned.time_s == pytest.approx(listed.time_s)
    assert binned.neuron.tolist() == listed.neuron.tolist()
    assert binned.duration_s == pytest.approx(3600.0)


def mat(path: Path, **held: Any) -> Path:
    from scipy.io import savemat

    savemat(path, held)
    return path


def cells(*times: list[float]) -> np.ndarray:
    out = np.empty(len(times), dtype=object)
    for k, t in enumerate(times):
        out[k] = np.array(t)
    return out


def test_silent_cells_of_a_cell_array_stay(tmp_path: Path) -> None:
    trains = open_spikes(mat(tmp_path / "a.mat", t=cells([0.5, 0.1], [], [0.3])))
    assert trains.counts().tolist() == [2, 0, 1]
    assert trains.time_s.tolist() == [0.1, 0.3, 0.5]


def test_of_several_matlab_variables_one_is_chosen(tmp_path: Path) -> None:
    path = mat(tmp_path / "a.mat", a=np.array([[1, 0.5]]), b=np.array([[2, 0.5], [3, 0.7]]), c="text")
    with pytest.raises(SpikeError, match="2 variables that can be spikes"):
        open_spikes(path)
    assert open_spikes(path, options=SpikeOptions(part="b")).labels == ("2", "3")
    with pytest.raises(SpikeError, match=r"no spikes in 'c'; spikes are in \['a', 'b'\]"):
        open_spikes(path, options=SpikeOptions(part="c"))


def test_matlab_7_3_files_open_too(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.mat", "w", userblock_size=512) as file:
        file["spks"] = np.array([[3.0, 1.0], [0.25, 0.5]])  # MATLAB's 2 x 2, transposed
    with (tmp_path / "m.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    trains = open_spikes(tmp_path / "m.mat")
    assert (trains.labels, trains.time_s.tolist(), trains.neuron.tolist()) == (("1", "3"), [0.25, 0.5], [1, 0])
    with h5py.File(tmp_path / "c.mat", "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        refs["a"], refs["b"] = np.array([[0.5, 0.6]]), np.zeros(2)
        refs["b"].attrs["MATLAB_empty"] = 1
        file.create_dataset("t", data=np.array([[refs["a"].ref], [refs["b"].ref]]), dtype=h5py.ref_dtype)
    with (tmp_path / "c.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    assert open_spikes(tmp_path / "c.mat").counts().tolist() == [2, 0]


def test_spikes_in_a_field_of_a_matlab_struct_open(tmp_path: Path) -> None:
    path = mat(tmp_path / "s.mat", data={"TS_ms": cells([500.0, 100.0], [], [300.0]), "rate": 1.0, "note": "text"})
    trains = open_spikes(path)
    assert trains.counts().tolist() == [2, 0, 1]
    assert trains.time_s == pytest.approx([0.1, 0.3, 0.5])
    assert any("in ms, as the name data.TS_ms says" in line for line in describe(trains))


@pytest.mark.parametrize(("unit", "tick_s"), [("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("20kHz", 5e-5), ("50 Hz", 0.02)])
def test_the_unit_of_times_can_be_told_where_the_file_does_not(tmp_path: Path, unit: str, tick_s: float) -> None:
    path = mat(tmp_path / "s.mat", data={"spk": cells([500.0, 100.0], [], [300.0])})
    trains = open_spikes(path, options=SpikeOptions(tick_s=tick_named(unit)))
    np.testing.assert_allclose(trains.time_s, np.array([100.0, 300.0, 500.0]) * tick_s)
    assert any(f"in units of {tick_s:g} s, as was asked" in line for line in describe(trains))


@pytest.mark.parametrize("unit", ["", "min", "kHz", "0Hz", "-1Hz", "1e400Hz", "1.2.3Hz"])
def test_a_unit_of_time_that_is_none_is_refused(unit: str) -> None:
    with pytest.raises(SpikeError, match=r"is no unit of time\. Give s, ms, us"):
        tick_named(unit)


def test_a_file_that_tells_its_unit_is_believed(tmp_path: Path) -> None:
    named = mat(tmp_path / "n.mat", data={"TS_ms": cells([500.0, 100.0], [300.0])})
    (tmp_path / "s.csv").write_text("neuron,time_s\n1,0.5\n2,0.7\n")
    for path in (named, tmp_path / "s.csv"):
        with pytest.raises(SpikeError, match="tells what its times are"):
            open_spikes(path, options=SpikeOptions(tick_s=1e-3))
    with pytest.raises(SpikeError, match=r"tick_s is 0\.0"):
        SpikeOptions(tick_s=0.0)


def test_a_folder_of_text_files_has_a_neuron_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "spikes"
    folder.mkdir()
    for name, text in {"cell10": "7.5\n", "cell2": "-3\n4.5\n\n", "cell3": "", "readme": "what this is\n"}.items():
        (folder / f"{name}.txt").write_text(text)
    trains = open_spikes(folder, options=SpikeOptions(tick_s=1e-3))
    assert trains.labels == ("cell2", "cell3", "cell10")
    assert trains.counts().tolist() == [2, 0, 1]
    np.testing.assert_allclose(trains.time_s, [-3e-3, 4.5e-3, 7.5e-3])
    assert any("left out, as they hold no list of numbers: readme.txt" in line for line in describe(trains))
    assert set(trains.provenance.inputs) == {"cell2.txt", "cell3.txt", "cell10.txt"}
    (folder / "cell3.txt").write_bytes(b"1.0\n2.0\n\xff\xfe 3\n")
    with pytest.raises(SpikeError, match=r"cell3.txt, line 3: .* is not one spike time"):
        open_spikes(folder)


def test_a_folder_without_lists_of_numbers_is_of_no_known_kind(tmp_path: Path) -> None:
    for name in ("a.txt", "b.csv", "c.dat"):
        (tmp_path / name).write_text("time,value\n1,2\n")
    (tmp_path / "d.txt").write_text("1.5\n")  # one alone is no folder of neurons
    with pytest.raises(SpikeError, match="is of no kind that neurograft knows"):
        open_spikes(tmp_path)


def test_cells_with_the_size_in_the_last_are_bins(tmp_path: Path) -> None:
    trains = open_spikes(mat(tmp_path / "a.mat", asdf=cells([5.0, 100.0], [], [2], [2, 200])))
    assert trains.counts().tolist() == [2, 0]
    assert trains.time_s == pytest.approx([0.01, 0.2])
    assert trains.duration_s == pytest.approx(0.402)  # bins 0 to 200


def test_a_struct_without_spikes_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(SpikeError, match=r"0 variables that can be spikes, of \{'data.rate': \(1, 1\)\}"):
        open_spikes(mat(tmp_path / "s.mat", data={"rate": 1.0}))


def test_a_struct_of_matlab_7_3_opens_too(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file["data/spikes"] = np.array([[3.0, 1.0], [0.25, 0.5]])
        file["data/deeper/matrix"] = np.eye(2)  # structs within structs are left alone
    with (tmp_path / "s.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    trains = open_spikes(tmp_path / "s.mat")
    assert (trains.labels, trains.time_s.tolist()) == (("1", "3"), [0.25, 0.5])


def csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_csv_takes_numbers_or_names_in_either_order(tmp_path: Path) -> None:
    trains = open_spikes(csv(tmp_path / "a.csv", "time_s,neuron\n0.5,10\n0.25,9\n\n0.75,10\n"))
    assert (trains.labels, trains.neuron.tolist(), trains.time_s.tolist()) == (
        ("9", "10"),
        [0, 1, 1],
        [0.25, 0.5, 0.75],
    )
    assert open_spikes(csv(tmp_path / "b.csv", "neuron,time_s\nPV,1\nSOM,2\n")).labels == ("PV", "SOM")


def test_the_observed_time_can_be_given_and_is_noted_where_it_is_not(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "neuron,time_s\n1,0.5\n1,2.0\n")
    assert open_spikes(path, options=SpikeOptions(duration_s=10.0)).rates_hz().tolist() == [0.2]
    assert any("does not tell the observed time" in line for line in describe(open_spikes(path)))
    assert len(describe(open_spikes(path))) <= 10
    with pytest.raises(SpikeError, match=r"time_s\[1\] is 2\.0 s, outside every epoch"):
        open_spikes(path, options=SpikeOptions(duration_s=1.0))
    with pytest.raises(SpikeError, match="duration_s is nan"):
        open_spikes(path, options=SpikeOptions(duration_s=float("nan")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("neuron,time_s\n", "has no spike and does not tell how long"),
        ("neuron,time_s\n1,abc\n", "line 2: '1,abc' is not a neuron and a time"),
        ("neuron,time_s\n1\n", "line 2: '1' is not a neuron"),
        ("neuron,time_s\n1,0.1\n1,nan\n", "line 3: neuron '1' at nan s"),
        ("neuron,time_s\n,0.1\n", "line 2: neuron '' at 0.1 s"),
        ("neuron,time_s,unit\n1,0.1,2\n", "'unit' is not known"),
        ("neuron,time_ms\n1,100\n", "of no kind that neurograft knows"),
    ],
)
def test_wrong_csv_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpikeError, match=message):
        open_spikes(csv(tmp_path / "a.csv", text))


def npz(path: Path, **held: Any) -> Path:
    np.savez(path, **held)
    return path


def test_our_npz_layout_keeps_silent_neurons_labels_and_epochs(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "a.npz",
        time_s=np.array([0.5, 0.1]),
        neuron=np.array([2, 0]),
        labels=np.array(["x", "y", "z"]),
        epochs_s=np.array([[0.0, 1.0], [2.0, 3.0]]),
    )
    trains = open_spikes(path)
    assert trains.labels == ("x", "y", "z")
    assert trains.counts().tolist() == [1, 0, 1]
    assert trains.duration_s == 2.0
    with pytest.raises(SpikeError, match="tells its observed time"):
        open_spikes(path, options=SpikeOptions(duration_s=3.0))
    assert (
        open_spikes(npz(tmp_path / "b.npz", time_s=np.array([0.5]), neuron=np.array([1]), n_neurons=7)).n_neurons == 7
    )
    silent = npz(tmp_path / "c.npz", time_s=np.empty(0), neuron=np.empty(0, int), n_neurons=3, epochs_s=[[0.0, 9.0]])
    assert open_spikes(silent).counts().tolist() == [0, 0, 0]


T = np.array([0.1, 0.2])


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"time_s": T, "neuron": np.array([0, 5]), "n_neurons": 2}, "belongs to neuron 5, which is not among the 2"),
        ({"time_s": T, "neuron": np.array([0, -1])}, "belongs to neuron -1"),
        ({"time_s": T, "neuron": np.array([0, 1 << 50])}, "asks for 1125899906842625 neurons with 2 spikes"),
        ({"time_s": T, "neuron": T}, "neuron is float64"),
        (
            {"time_s": T, "neuron": np.array([0, 1]), "labels": np.array(["a"]), "n_neurons": 1 << 60},
            r"labels has shape",
        ),
        ({"time_s": T, "neuron": np.array([0])}, "2 times and 1 neuron ids"),
        ({"time_s": np.array([0.1, np.nan]), "neuron": np.array([0, 0])}, "the time of spike 1 is nan"),
        ({"time_s": np.array(["a", "b"]), "neuron": np.array([0, 0])}, "the spike times are <U1"),
        ({"time_s": T, "neuron": np.array([0, 1]), "labels": np.array(["a", "a"])}, "'a' is given twice"),
        ({"time_s": T, "neuron": np.array([0, 1]), "epochs_s": np.array([0.0, 1.0])}, "Give rows of start and stop"),
        ({"time_s": T, "neuron": np.array([0, 1]), "epochs_s": np.array([[0.0, 0.15]])}, "outside every epoch"),
        ({"times": T, "ids": np.array([4, 5]), "nodes": np.array([4, 4, 5])}, "neuron id 4 is listed twice"),
        (
            {"times": T, "ids": np.array([4, 5]), "nodes": np.array([4])},
            "belongs to neuron 5, which is not among the 1",
        ),
        ({"time_s": np.empty(0), "neuron": np.empty(0, int)}, "has no spike"),
        ({"time_s": np.array([None]), "neuron": np.array([0])}, "would have to be unpickled"),
        ({"pre": T, "post": T}, r"holds a connectome table .*not spikes"),
    ],
)
def test_wrong_npz_is_refused(tmp_path: Path, held: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeError, match=message):
        open_spikes(npz(tmp_path / "a.npz", **held))


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.mat", "a.h5"])
def test_empty_missing_and_renamed_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpikeError, match="There is no file"):
        open_spikes(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(SpikeError, match="is empty"):
        open_spikes(tmp_path / name)
    (tmp_path / name).write_text("no spikes\n" * 50)
    told = "named like an HDF5 file but is none" if name.endswith(".h5") else "of no kind that neurograft knows"
    with pytest.raises(SpikeError, match=told):
        open_spikes(tmp_path / name)


def test_a_truncated_matlab_file_is_refused(tmp_path: Path) -> None:
    path = mat(tmp_path / "a.mat", t=np.column_stack([np.arange(500.0), np.arange(500.0)]))
    whole = path.read_bytes()
    path.write_bytes(whole[:1500])
    with pytest.raises(SpikeError, match="not a whole MATLAB file"):
        open_spikes(path)
