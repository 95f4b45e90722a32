"""Each figure-maker: valid for plotly, labels shown as they are, small at any size, a word where there is nothing."""

import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from neurograft.maps import Evidence, Kind, SynapseMap, Undecidable, synapse_map
from neurograft.recordings import Signal, array_recording
from neurograft.report import (
    FidelityRow,
    Figure,
    LagCurve,
    Note,
    NullDistances,
    Report,
    Section,
    TilePicture,
    error_histograms,
    fidelity_figure,
    fidelity_table,
    graph_figure,
    interval_figure,
    lag_figure,
    matrix_figure,
    pairs_figure,
    raster_figure,
    rates_figure,
    report_html,
    spectrum_figure,
    tiles_figure,
    traces_figure,
)
from neurograft.report._json import figure_json
from neurograft.spikes import SpikeTrains, spike_trains
from neurograft.units import MICROSIEMENS, MS, MV

NASTY = "<b>n0</b>"


def drawn(block: object) -> dict:
    """Return a block's figure as JSON after plotly itself has found nothing wrong with it."""
    assert isinstance(block, Figure), block
    go.Figure(dict(block.plot))
    figure = json.loads(figure_json(block.plot))
    for letter in "xy":  # panels of one figure share the titles at its edge
        axes = [value for key, value in figure["layout"].items() if key.startswith(f"{letter}axis")]
        assert any(a.get("visible") is False or a["title"].get("text") for a in axes), f"{letter} has no title"
    assert len(block.caption) > 20
    return figure


def random_map(n: int, n_synapses: int, *, seed: int = 0, **changes: object) -> SynapseMap:
    rng = np.random.default_rng(seed)
    pair = rng.choice(n * n, n_synapses, replace=False)
    given = {
        "n_neurons": n,
        "pre": pair // n,
        "post": pair % n,
        "weight_v": rng.normal(size=n_synapses) * MV,
        "delay_s": MS,
        "labels": [NASTY, *(f"n{i}" for i in range(1, n))],
    }
    return synapse_map(**(given | changes))


def random_trains(n: int, n_spikes: int, *, length_s: float = 10.0, seed: int = 0) -> SpikeTrains:
    rng = np.random.default_rng(seed)
    return spike_trains(
        time_s=rng.random(n_spikes) * length_s,
        neuron=rng.integers(0, n, n_spikes),
        n_neurons=n,
        labels=[NASTY, *(f"n{i}" for i in range(1, n))],
        epochs_s=np.array([[0.0, length_s]]),
    )


def test_a_matrix_has_pre_in_rows_and_keeps_signs_and_units():
    m = synapse_map(
        n_neurons=3, pre=np.array([0, 2]), post=np.array([1, 0]), weight_v=np.array([2.0, -1.0]) * MV, delay_s=MS
    )
    z = drawn(matrix_figure(m))["data"][0]["z"]
    assert z == [[None, 2.0, None], [None, None, None], [-1.0, None, None]]


def test_a_large_matrix_shows_the_strongest_synapse_of_each_block():
    m = random_map(1000, 20_000)
    block = matrix_figure(m)
    assert isinstance(block, Figure)
    assert "3 by 3 pairs" in block.caption
    z = np.asarray(block.plot["data"][0]["z"])
    assert z.shape == (334, 334)
    assert np.nanmax(z) == pytest.approx(m.weight_v.max() / MV)
    first = (m.pre // 3 == m.pre[0] // 3) & (m.post // 3 == m.post[0] // 3)
    strongest = m.weight_v[first][np.argmax(np.abs(m.weight_v[first]))]
    assert z[m.pre[0] // 3, m.post[0] // 3] == pytest.approx(strongest / MV)


def test_undecidable_pairs_are_grey_and_counted_by_reason():
    codes = np.zeros((4, 4), dtype=np.uint8)
    codes[0, :] = Undecidable.SILENT
    codes[2, 3] = Undecidable.CROSS_TALK
    square = np.zeros((4, 4), dtype=np.float32)
    m = random_map(4, 5, evidence=Evidence(z=square, limit_v=square, undecidable=codes))
    block = matrix_figure(m)
    grey = drawn(block)["data"][0]
    z = np.asarray(block.plot["data"][0]["z"])
    assert np.argwhere(z == 1.0).tolist() == [[0, 1], [0, 2], [0, 3], [2, 3]]  # the diagonal is no pair
    assert grey["text"][2][3] == "cross talk"
    assert "3 silent, 1 cross talk" in block.caption
    assert "undecidable" not in matrix_figure(replace(m, evidence=None)).caption


@pytest.mark.parametrize("maker", [matrix_figure, graph_figure])
def test_an_empty_map_is_a_note(maker):
    nothing = np.zeros(0, dtype=np.int64)
    for n in (0, 3):
        m = synapse_map(n_neurons=n, pre=nothing, post=nothing, weight_v=np.zeros(0), delay_s=0.0)
        assert isinstance(maker(m), Note)


def test_a_graph_draws_the_strongest_synapses_and_says_how_many():
    m = random_map(50, 500)
    block = graph_figure(m, max_synapses=40)
    figure = drawn(block)
    assert "The 40 strongest of" in block.caption
    edges = [t for t in figure["data"] if t["name"] != "neuron"]
    n_drawn = sum(len(trace["text"]) for trace in edges) / 10
    assert n_drawn == 40
    assert {t["name"] for t in edges} == {"excites", "inhibits"}
    assert sum(t["showlegend"] for t in edges) == 2


def test_a_graph_stands_at_known_places_and_else_on_a_circle():
    place = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 20.0, 0.0]])
    m = random_map(3, 6, position_um=place, kind=Kind.ELECTRICAL, weight_v=np.ones(6) * MV)
    block = graph_figure(m)
    assert "at their places" in block.caption
    neurons = drawn(block)["data"][-1]
    assert neurons["x"] == [0.0, 10.0, 0.0]
    assert neurons["text"][0] == "&lt;b&gt;n0&lt;/b&gt;"
    circle = graph_figure(random_map(3, 6))
    assert "on a circle" in circle.caption
    x, y = (np.array(drawn(circle)["data"][-1][axis]) for axis in "xy")
    assert np.hypot(x, y) == pytest.approx(1.0, abs=1e-6)


def test_rasters_share_one_time_axis():
    early, late = random_trains(5, 300), random_trains(5, 200, seed=1)
    late = replace(late, time_s=late.time_s + 100.0, epochs_s=late.epochs_s + 100.0)
    block = raster_figure({"original": early, "copy": late})
    assert isinstance(block, Figure)
    drawn(block)
    first, second = (np.asarray(block.plot["data"][k]["x"]) for k in (0, 1))
    assert (first.size, second.size) == (300, 200)
    assert second.max() < 10.0
    assert block.plot["data"][0]["xaxis"] == block.plot["data"][1]["xaxis"]
    rate = np.asarray(block.plot["data"][2]["y"])
    assert rate.mean() == pytest.approx(300 / 10 / 5, rel=1e-5)


def test_a_raster_of_4096_neurons_is_cut_in_time_and_says_so():
    trains = random_trains(4096, 200_000)
    block = raster_figure({"original": trains, "copy": trains})
    assert isinstance(block, Figure)
    assert "cut from 10 s to keep the figure light" in block.caption
    n_drawn = sum(np.asarray(block.plot["data"][k]["x"]).size for k in (0, 1))
    assert 6_000 < n_drawn <= 8_000
    assert block.plot["data"][0]["type"] == "scatter"
    assert len(figure_json(block.plot)) < 1_000_000


def test_a_raster_can_start_later():
    trains = random_trains(3, 100)
    block = raster_figure({"a": trains}, length_s=2.0, start_s={"a": 5.0})
    assert isinstance(block, Figure)
    expected = trains.between(5.0, 7.0).time_s - 5.0
    assert np.asarray(block.plot["data"][0]["x"]) == pytest.approx(expected)


def test_rasters_without_spikes_are_notes():
    silent = spike_trains(time_s=np.zeros(0), neuron=np.zeros(0, dtype=int), n_neurons=2, epochs_s=np.array([[0.0, 1]]))
    assert isinstance(raster_figure({}), Note)
    assert isinstance(raster_figure({"a": silent}), Note)
    outside = raster_figure({"a": random_trains(2, 9)}, start_s={"a": 99.0})
    assert isinstance(outside, Note)


def recording_of(samples: np.ndarray, **changes: object):
    given = {"rate_hz": 10_000.0, "signal": Signal.MEMBRANE_V}
    return array_recording(samples, **(given | changes))


def test_traces_keep_every_extreme_when_drawn_small():
    samples = np.zeros((100_000, 2))
    samples[54_321, 1] = 80 * MV
    block = traces_figure(recording_of(samples), length_s=10.0)
    figure = drawn(block)
    assert isinstance(block, Figure)
    time_s, y = (np.asarray(block.plot["data"][1][axis]) for axis in "xy")
    assert y.size <= 3100
    peak = int(np.argmax(y))
    assert y[peak] - np.median(y) == pytest.approx(1 / 1.25, rel=1e-6)
    assert time_s[peak] == pytest.approx(5.4321, abs=10 / 1500)
    assert figure["layout"]["yaxis"]["ticktext"] == ["0", "1"]


def test_spikes_are_marked_on_the_channel_of_their_label():
    samples = np.random.default_rng(0).normal(size=(5000, 3)) * MV
    recording = recording_of(samples, channel_labels=(NASTY, "b", "c"))
    trains = spike_trains(
        time_s=np.array([0.1, 0.2, 0.3]), neuron=np.array([1, 1, 0]), labels=["c", NASTY], epochs_s=np.array([[0, 0.5]])
    )
    block = traces_figure(recording, trains=trains, length_s=0.25)
    assert "2 spikes" in block.caption
    marks = drawn(block)["data"][-1]
    assert marks["x"] == [0.1, 0.2]
    assert marks["y"] == pytest.approx([2.92, 2.92], abs=1e-6)  # the first channel is on top
    assert drawn(block)["layout"]["yaxis"]["ticktext"][0] == "&lt;b&gt;n0&lt;/b&gt;"


def test_a_row_height_enlarges_small_signals_and_says_that_peaks_are_cut():
    samples = np.zeros((2000, 1))
    samples[100] = 100 * MV
    samples[200] = 1 * MV
    block = traces_figure(recording_of(samples), length_s=0.2, row_height=4 * MV)
    assert "Peaks beyond their row are cut" in block.caption
    y = np.asarray(block.plot["data"][0]["y"])
    assert y[200] == pytest.approx(0.25)
    assert y.max() == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("signal", "scale", "unit"),
    [(Signal.MEMBRANE_V, 1e-2, "mV"), (Signal.EXTRACELLULAR_V, 1e-4, "µV"), (Signal.MEMBRANE_A, 1e-10, "pA")],
)
def test_traces_are_in_the_signals_unit(signal, scale, unit):
    samples = np.random.default_rng(1).normal(size=(100, 1)) * scale
    block = traces_figure(recording_of(samples, signal=signal))
    assert f" {unit}." in block.caption


def test_traces_of_nothing_are_a_note_and_nan_channels_are_drawn_empty():
    samples = np.zeros((100, 2))
    samples[:, 1] = np.nan
    assert isinstance(traces_figure(recording_of(samples), start_s=5.0), Note)
    drawn(traces_figure(recording_of(samples)))


def curve(name: str, *, is_called: bool = False, n: int = 101) -> LagCurve:
    flat = np.zeros(n)
    return LagCurve(
        name=name, lag_s=np.linspace(-0.05, 0.05, n), value=flat, lower=flat - 1, upper=flat + 1, is_called=is_called
    )


def test_called_curves_come_first_and_long_ones_are_thinned():
    curves = [curve(NASTY, n=5001), *(curve(f"c{i}", is_called=i == 3) for i in range(20))]
    block = lag_figure(curves, value_axis="mV", band="chance", max_panels=4)
    figure = drawn(block)
    titles = [a["text"] for a in figure["layout"]["annotations"]]
    assert titles == ["<b>c3</b>", "<b>&lt;b&gt;n0&lt;/b&gt;</b>", "<b>c0</b>", "<b>c1</b>"]
    assert "4 of 21 curves" in block.caption
    assert "The grey band is chance" in block.caption
    assert len(figure_json(block.plot)) < 60_000


def test_no_curve_is_a_note():
    empty = np.zeros(0)
    nothing = LagCurve(name="x", lag_s=empty, value=empty, lower=empty, upper=empty)
    assert isinstance(lag_figure([nothing], value_axis="mV", band="b"), Note)


def test_tiles_show_conductance_and_error_in_microsiemens():
    target = np.full((20, 30), np.nan, dtype=np.float32)
    target[3, 4], target[5, 6] = 10 * MICROSIEMENS, 20 * MICROSIEMENS
    tile = TilePicture(name="t", programmed_siemens=target + np.float32(1e-6), target_siemens=target)
    block = tiles_figure([tile, tile])
    drawn(block)
    assert isinstance(block, Figure)
    conductance, error = (np.asarray(block.plot["data"][k]["z"]) for k in (0, 1))
    assert conductance[3, 4] == pytest.approx(11, rel=1e-5)
    assert error[5, 6] == pytest.approx(1, rel=1e-4)
    assert np.isfinite(error).sum() == 2


def test_a_large_tile_is_averaged_over_its_used_cells():
    target = np.full((400, 400), np.nan, dtype=np.float32)
    target[0, 0], target[1, 1] = 10 * MICROSIEMENS, 20 * MICROSIEMENS
    block = tiles_figure([TilePicture(name="t", programmed_siemens=target, target_siemens=target)])
    assert isinstance(block, Figure)
    z = np.asarray(block.plot["data"][0]["z"])
    assert z.shape == (134, 134)
    assert z[0, 0] == pytest.approx(15, rel=1e-5)
    assert np.isfinite(z).sum() == 1


def test_histograms_count_every_cell_once():
    rng = np.random.default_rng(0)
    pulses = rng.integers(1, 30, 500).astype(float)
    figure = drawn(error_histograms(error_us=np.append(rng.normal(size=500), np.nan), pulses=pulses))
    block = error_histograms(error_us=np.append(rng.normal(size=500), np.nan), pulses=pulses)
    assert isinstance(block, Figure)
    assert figure["layout"]["xaxis2"]["title"]["text"] == "pulses a cell"
    assert [np.nansum(np.asarray(trace["y"])) for trace in block.plot["data"]] == [500, 500]
    assert "500 cells" in block.caption


def test_one_cell_is_seen_and_counted_as_one():
    one = np.ones((1, 1), dtype=np.float32)
    tile = TilePicture(name="t", programmed_siemens=one, target_siemens=one)
    block = error_histograms(error_us=np.array([0.1]), pulses=np.array([3.0]))
    assert isinstance(block, Figure)
    assert block.caption.startswith("1 cell: ")
    low, high = block.plot["layout"]["yaxis"]["range"]
    assert low < 0 < high  # its bar reaches up to log10(1)
    tiles = tiles_figure([tile])
    assert isinstance(tiles, Figure)
    assert tiles.caption.startswith("1 tile, ")
    assert tiles.plot["layout"]["xaxis"]["dtick"] == 1


def test_tiles_without_cells_are_notes():
    empty = np.full((3, 3), np.nan, dtype=np.float32)
    assert isinstance(tiles_figure([TilePicture(name="t", programmed_siemens=empty, target_siemens=empty)]), Note)
    assert isinstance(error_histograms(error_us=np.zeros(0), pulses=np.zeros(0)), Note)


def fidelity_row(name: str, **changes: object) -> FidelityRow:
    given = {
        "name": name,
        "unit": "Hz",
        "original": 1.0,
        "copy": 1.1,
        "distance": 0.1,
        "ceiling": 0.05,
        "nulls": {
            "shuffled": NullDistances(mean=0.4, sd=0.1, beats=True),
            "Poisson": NullDistances(mean=0.2, sd=0.1, beats=False),
        },
    }
    return FidelityRow(**(given | changes))


def test_fidelity_is_drawn_on_the_first_nulls_scale():
    rows = [fidelity_row("rate"), fidelity_row("bursts", distance=float("nan"), nulls={})]
    figure = drawn(fidelity_figure(rows))
    by_name = {trace["name"]: trace for trace in figure["data"]}
    assert by_name["copy"]["x"] == [0.25]
    assert by_name["null: shuffled"]["x"] == [1.0]
    assert by_name["null: Poisson"]["x"] == [0.5]
    assert by_name["null: Poisson"]["error_x"]["array"] == [0.5]
    assert by_name["original to itself"]["x"] == [0.125]
    table = fidelity_table(rows)
    assert not isinstance(table, Note)
    assert table.rows[0][:5] == ["rate (Hz) *", 1.0, 1.1, 0.1, 0.05]
    assert table.rows[0][6] is True
    assert table.rows[0][8] is False
    assert table.rows[1][6] is None


def test_fidelity_of_nothing_is_a_note():
    assert isinstance(fidelity_table([]), Note)
    assert isinstance(fidelity_figure([fidelity_row("rate", nulls={})]), Note)


def test_spectra_intervals_and_pairs_are_drawn_with_their_names():
    hz = np.geomspace(1, 100, 20)
    curves = {"original": np.ones(20), "copy": np.ones(20), NASTY: np.full(20, np.nan)}
    figure = drawn(spectrum_figure(hz, curves))
    assert [trace["name"] for trace in figure["data"]] == ["original", "copy"]
    figure = drawn(interval_figure(np.geomspace(1e-3, 1, 21), {NASTY: np.ones(20)}))
    assert figure["data"][0]["name"] == "&lt;b&gt;n0&lt;/b&gt;"
    drawn(pairs_figure(np.arange(30.0), {"copy": np.arange(30.0)}, quantity="correlation"))


def test_silent_neurons_stay_on_the_plot_of_rates():
    original, copied = np.array([0.0, 1.0, 10.0]), np.array([2.0, 0.0, 10.0])
    block = rates_figure(original, {"copy": copied}, labels=[NASTY, "b", "c"])
    dots = drawn(block)["data"][1]
    low = 10 ** drawn(block)["layout"]["xaxis"]["range"][0]
    assert low < dots["x"][0] < 1.0
    assert low < dots["y"][1] < 1.0
    assert dots["text"][0] == "&lt;b&gt;n0&lt;/b&gt;"
    assert "1 silent in the original" in block.caption


def test_curves_of_nothing_are_notes():
    nan = np.full(5, np.nan)
    assert isinstance(spectrum_figure(np.ones(5), {"a": nan}), Note)
    assert isinstance(interval_figure(np.geomspace(1, 2, 6), {"a": nan}), Note)
    assert isinstance(rates_figure(np.zeros(3), {"copy": np.ones(3)}, labels=["a", "b", "c"]), Note)
    assert isinstance(pairs_figure(nan, {"copy": nan}, quantity="q"), Note)


def test_a_report_of_4096_neurons_stays_small():
    m = random_map(4096, 100_000)
    trains = random_trains(4096, 120_000)
    rates = trains.rates_hz()
    tile = np.random.default_rng(0).random((1024, 1024)).astype(np.float32) * np.float32(1e-5)
    pictures = [TilePicture(name=str(k), programmed_siemens=tile, target_siemens=tile[::-1].copy()) for k in range(3)]
    blocks = [
        matrix_figure(m),
        graph_figure(m),
        raster_figure({"original": trains, "copy": trains}),
        rates_figure(rates, {"copy": rates, "shuffled": rates}, labels=trains.labels),
        tiles_figure(pictures),
        error_histograms(error_us=tile.ravel().astype(float), pulses=np.ones(tile.size)),
    ]
    html = report_html(Report(title="big", sections=[Section(title="all", blocks=blocks)]))
    assert len(html.encode()) < 12e6
