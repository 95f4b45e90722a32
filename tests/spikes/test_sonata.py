"""SONATA spike reports: exact round trips, opened by libsonata, others' reports read."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.errors import SpikeError
from neurograft.provenance import Provenance
from neurograft.spikes import SpikeOptions, SpikeTrains, open_spikes, save_spikes, spike_trains


def trains(times: list[float], neurons: list[int], n: int = 4) -> SpikeTrains:
    return spike_trains(
        time_s=np.array(times, dtype=np.float64),
        neuron=np.array(neurons, dtype=np.int64),
        n_neurons=n,
        epochs_s=np.array([[-1.0, 2.0], [2.0, 50.0], [60.0, 100.0]]),
        labels=[f"cell {k}, µ" for k in range(n)],
        provenance=Provenance(command="test", parameters={"x": 1.5}, seed=7, inputs={"a": "b"}),
    )


def assert_same(a: SpikeTrains, b: SpikeTrains) -> None:
    assert (a.n_neurons, a.labels, a.provenance) == (b.n_neurons, b.labels, b.provenance)
    for name in ("time_s", "neuron", "epochs_s"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


spikes = st.lists(st.tuples(st.floats(0.0, 49.0), st.integers(0, 3)), max_size=30)


@settings(max_examples=25)
@given(spikes)
def test_every_float_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, listed: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.mktemp("spikes") / "a.h5"
    original = trains([t for t, _ in listed], [n for _, n in listed])
    save_spikes(original, path)
    assert_same(open_spikes(path), original)


def test_libsonata_reads_the_times_the_order_and_the_unit(tmp_path: Path) -> None:
    libsonata = pytest.importorskip("libsonata")
    original = trains([0.001, 1 / 3, 0.1, 0.1, 70.0], [3, 0, 2, 1, 3])
    save_spikes(original, tmp_path / "a.h5", population="grown")
    reader = libsonata.SpikeReader(str(tmp_path / "a.h5"))
    assert list(reader.get_population_names()) == ["grown"]
    population = reader["grown"]
    assert (population.sorting, population.time_units) == ("by_time", "ms")
    read = population.get()
    assert [n for n, _ in read] == original.neuron.tolist()
    assert [t for _, t in read] == pytest.approx(original.time_s * 1e3)


def test_bmtk_reads_the_same_spikes(tmp_path: Path) -> None:
    module = pytest.importorskip("bmtk.utils.reports.spike_trains")
    original = trains([0.001, 1 / 3, 0.1, 70.0], [3, 0, 2, 3])
    save_spikes(original, tmp_path / "a.h5")
    read = module.SpikeTrains.load(str(tmp_path / "a.h5"))
    for k, times in enumerate(original.by_neuron()):
        assert sorted(read.get_times(k)) == pytest.approx(times * 1e3)


def test_seconds_are_kept_beside_only_where_milliseconds_round(tmp_path: Path) -> None:
    save_spikes(trains([0.5, 0.25], [0, 1]), tmp_path / "even.h5")
    times = np.random.default_rng(0).uniform(0, 40, 200)
    assert np.any(times / 1e-3 * 1e-3 != times)
    save_spikes(trains(times.tolist(), [0] * 200), tmp_path / "odd.h5")
    with h5py.File(tmp_path / "even.h5") as even, h5py.File(tmp_path / "odd.h5") as odd:
        assert "time_s" not in even["neurograft"]
        assert "time_s" in odd["neurograft"]
    np.testing.assert_array_equal(open_spikes(tmp_path / "odd.h5").time_s, np.sort(times))


def test_no_spike_at_all_is_a_file_too(tmp_path: Path) -> None:
    original = trains([], [])
    save_spikes(original, tmp_path / "a.h5")
    assert_same(open_spikes(tmp_path / "a.h5"), original)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_spikes(trains([0.5], [0]), tmp_path / "a.h5")
    before = (tmp_path / "a.h5").read_bytes()

    def fail(self: Provenance) -> str:
        raise RuntimeError("stopped in the middle")

    monkeypatch.setattr(Provenance, "to_json", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        save_spikes(trains([0.75], [1]), tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def foreign(path: Path, ids: Any, times: Any, *, unit: str | None = "ms", population: str = "v1") -> Path:
    with h5py.File(path, "a") as file:
        group = file.create_group(f"spikes/{population}")
        data = group.create_dataset("timestamps", data=times)
        if unit is not None:
            data.attrs["units"] = unit
        group.create_dataset("node_ids", data=ids)
    return path


def test_another_simulators_report_keeps_node_ids_as_neurons(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.h5", np.array([5, 2], dtype=np.uint64), np.array([30.0, 10.0]))
    read = open_spikes(path, options=SpikeOptions(duration_s=2.0))
    assert read.n_neurons == 6
    assert read.neuron.tolist() == [2, 5]
    assert read.time_s == pytest.approx([0.01, 0.03])
    assert read.duration_s == 2.0
    in_s = foreign(tmp_path / "b.h5", np.array([0]), np.array([30.0]), unit="s")
    assert open_spikes(in_s).time_s.tolist() == [30.0]


def test_unclear_or_damaged_reports_are_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.h5", np.array([0]), np.array([1.0]), unit="min")
    with pytest.raises(SpikeError, match="timestamps are in 'min'"):
        open_spikes(path)
    path = foreign(tmp_path / "b.h5", np.array([1 << 40]), np.array([1.0]))
    with pytest.raises(SpikeError, match="node_ids are int64 up to 1099511627776"):
        open_spikes(path)
    foreign(path, np.array([1]), np.array([1.0]), population="lgn")
    with pytest.raises(SpikeError, match=r"populations \['lgn', 'v1'\]"):
        open_spikes(path)
    with pytest.raises(SpikeError, match=r"no population 'v2'\. Known: lgn, v1"):
        open_spikes(path, options=SpikeOptions(part="v2"))
    assert open_spikes(path, options=SpikeOptions(part="lgn")).n_spikes == 1
    path = foreign(tmp_path / "c.h5", np.array([0, 1]), np.array([1.0]))
    with pytest.raises(SpikeError, match="1 times and 2 neuron ids"):
        open_spikes(path)
    with pytest.raises(SpikeError, match="cannot be a group"):
        save_spikes(trains([], []), tmp_path / "d.h5", population="a/b")


def test_sizes_that_are_not_stored_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("spikes/v1")
        group.create_dataset("timestamps", shape=(1 << 45,), dtype=np.float64, chunks=(1024,))
        group.create_dataset("node_ids", shape=(1 << 45,), dtype=np.uint64, chunks=(1024,))
    with pytest.raises(SpikeError, match=r"node_ids claims 281474976710656 bytes .* but 0 are stored"):
        open_spikes(tmp_path / "a.h5")
    with pytest.raises(SpikeError, match="the largest node id is 9999999 with 1 spikes"):
        open_spikes(foreign(tmp_path / "b.h5", np.array([9_999_999]), np.array([1.0])))


def test_data_in_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(np.ones(4).tobytes())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("spikes/v1")
        group["node_ids"] = np.zeros(4, dtype=np.uint64)
        group.create_dataset("timestamps", (4,), np.float64, external=[(str(tmp_path / "secret"), 0, 32)])
    with pytest.raises(SpikeError, match="timestamps points to another file"):
        open_spikes(tmp_path / "a.h5")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    save_spikes(trains([0.5], [0]), tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["neurograft"].attrs["format_version"] = 2
    with pytest.raises(SpikeError, match="format_version 2; this neurograft reads up to 1"):
        open_spikes(tmp_path / "a.h5")


def test_a_truncated_report_is_refused(tmp_path: Path) -> None:
    save_spikes(trains([0.5] * 2000, [0] * 2000), tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpikeError, match="damaged HDF5 file"):
        open_spikes(tmp_path / "cut.h5")
