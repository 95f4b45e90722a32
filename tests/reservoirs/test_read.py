"""Series of files: every format gives the same table, and each mistake its message."""

import numpy as np
import pytest

from neurograft.errors import OptionError, SeriesError
from neurograft.reservoirs import forecast_held_out, population_series, read_series
from neurograft.spikes import spike_trains

VALUES = np.column_stack([np.sin(np.arange(40) * 0.3), np.cos(np.arange(40) * 0.3)])


@pytest.fixture
def csv(tmp_path):
    def write(text, name="a.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def lines(values, header="time,a,b"):
    return header + "\n" + "\n".join(f"{0.5 * i!r},{a!r},{b!r}" for i, (a, b) in enumerate(values.tolist()))


def test_csv_npz_and_parquet_are_the_same_table(csv, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    time = 0.5 * np.arange(40)
    np.savez(tmp_path / "a.npz", time=time, a=VALUES[:, 0], b=VALUES[:, 1])
    parquet.write_table(pa.table({"time": time, "a": VALUES[:, 0], "b": VALUES[:, 1]}), tmp_path / "a.parquet")
    for path in (csv(lines(VALUES)), tmp_path / "a.npz", tmp_path / "a.parquet"):
        table = read_series(path)
        assert table.names == ("a", "b")
        assert table.dt == pytest.approx(0.5)
        assert np.array_equal(table.values, VALUES)
    assert read_series(csv(lines(VALUES)), columns=("b",)).values.shape == (40, 1)


def test_no_header_semicolons_and_empty_cells(csv):
    table = read_series(csv("1;2\n3;\n5;6\n"))
    assert table.names == ("x0", "x1")
    assert np.isnan(table.values[1, 1])
    assert not table.is_timed


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n3\n", "Row 2 of .* has 1 cells, the first has 2"),
        ("a,b\n1,2\n3,four\n", "column 'b' .* is 'four'"),
        ("a,a\n1,2\n", "two columns of one name"),
        ("time,a\n0,1\n1,2\n5,3\n6,4\n", "step of 4 after row 1"),
        ("time,a\n1,1\n0,2\n", "does not grow"),
        ("time\n0\n1\n", "nothing else"),
    ],
)
def test_mistakes_in_a_csv_are_named(csv, text, match):
    with pytest.raises(SeriesError, match=match):
        read_series(csv(text))


def test_other_files_are_refused(csv, tmp_path):
    with pytest.raises(SeriesError, match="There is no file"):
        read_series(tmp_path / "none.csv")
    with pytest.raises(SeriesError, match="is none of"):
        read_series(csv("x", "a.xyz"))
    with pytest.raises(SeriesError, match="cannot be read as NPZ"):
        read_series(csv("not a zip", "a.npz"))
    with pytest.raises(SeriesError, match=r"no column 'bb'.*Did you mean 'b'"):
        read_series(csv(lines(VALUES)), columns=("bb",))


def test_held_out_scores_have_persistence_and_say_who_was_refused():
    from neurograft.reservoirs import Nvar

    models = {"good": Nvar(n_taps=1, degree=1, ridge=1e-12), "greedy": Nvar(n_taps=90)}
    scores = {s.name: s for s in forecast_held_out(VALUES, n_held_out=10, models=models)}
    assert scores["good"].nrmse < 1e-6 < scores["persistence"].nrmse
    assert scores["good"].valid_steps == 10
    assert "needs at least" in scores["greedy"].refused
    with pytest.raises(OptionError, match="Leave at least 6"):
        forecast_held_out(VALUES, n_held_out=39, models=models)


def test_population_activity_finds_the_rhythm_that_neurons_share():
    rng = np.random.default_rng(0)
    time, neuron = [], []
    for n in range(20):
        t = np.sort(rng.uniform(0, 60, 1500))
        keep = rng.random(t.size) < 0.5 + 0.5 * np.sin(2 * np.pi * 0.5 * t + (n % 2) * np.pi)
        time.append(t[keep])
        neuron.append(np.full(keep.sum(), n))
    order = np.argsort(np.concatenate(time), kind="stable")
    trains = spike_trains(
        time_s=np.concatenate(time)[order], neuron=np.concatenate(neuron)[order], n_neurons=20,
        epochs_s=np.array([[0.0, 60.0]]),
    )  # fmt: skip
    x = population_series(trains, bin_s=0.05, n_components=2)
    assert x.shape == (1200, 2)
    power = np.abs(np.fft.rfft(x[:, 0])) ** 2
    assert np.argmax(power) == 30  # 0.5 Hz in 60 s
    with pytest.raises(OptionError, match="Take smaller bins"):
        population_series(trains, bin_s=30.0)
