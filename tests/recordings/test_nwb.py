"""NWB: extracellular series, and intracellular sweeps joined across cells, with tables and without."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import FileKind, OpenOptions, Signal, kind_of, open_recording
from neurograft.units import MV, PA

pynwb = pytest.importorskip("pynwb")
RATE_HZ = 1000.0
N = 40


def written(path: Path, fill: Callable[[Any, list[Any]], None], *, cells: int = 3) -> Path:
    nwb = pynwb.NWBFile(session_description="test", identifier="1", session_start_time=datetime(2020, 1, 1, tzinfo=UTC))
    device = nwb.create_device(name="amplifier")
    electrodes = [
        nwb.create_icephys_electrode(name=f"cell {k}", description="patch", device=device) for k in range(cells)
    ]
    fill(nwb, electrodes)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def values(cell: int, sweep: int, n: int = N) -> np.ndarray:
    return np.random.default_rng([cell, sweep]).integers(-900, 900, n).astype(np.int16)


def current_clamp(name: str, electrode: Any, data: np.ndarray, **more: Any) -> Any:
    time = {} if "timestamps" in more else {"rate": RATE_HZ, "starting_time": 0.0}
    return pynwb.icephys.CurrentClampSeries(
        name=name, data=data, electrode=electrode, gain=1.0, conversion=1e-4, offset=-0.07, **{**time, **more}
    )


def voltage_clamp(name: str, electrode: Any, data: np.ndarray, **more: Any) -> Any:
    return pynwb.icephys.VoltageClampSeries(
        name=name, data=data, electrode=electrode, gain=1.0, conversion=1e-12, **{"rate": RATE_HZ, **more}
    )


def stimulus(name: str, electrode: Any) -> Any:
    return pynwb.icephys.CurrentClampStimulusSeries(
        name=name, data=np.full(N, 7e-11), electrode=electrode, gain=1.0, rate=RATE_HZ, starting_time=0.0
    )


def with_tables(nwb: Any, electrodes: list[Any]) -> None:
    """Two simultaneous sweeps of three cells, cut from longer series, rows in mixed order, all starting at 0."""
    rows: dict[tuple[int, int], int] = {}
    for sweep in (1, 0):
        for cell in (2, 0, 1):
            response = current_clamp(f"r{cell}{sweep}", electrodes[cell], values(cell, sweep, N + 10))
            rows[cell, sweep] = nwb.add_intracellular_recording(
                electrode=electrodes[cell],
                stimulus=stimulus(f"s{cell}{sweep}", electrodes[cell]),
                response=response,
                response_start_index=5,
                response_index_count=N,
                stimulus_start_index=0,
                stimulus_index_count=N,
            )
    for sweep in (0, 1):
        nwb.add_icephys_simultaneous_recording(recordings=[rows[cell, sweep] for cell in (1, 2, 0)])


def test_tables_join_cells_into_segments_and_leave_stimuli_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nwb", with_tables)
    recording = open_recording(path)
    assert kind_of(path) is FileKind.RECORDING
    assert recording.signal is Signal.MEMBRANE_V
    assert recording.channel_labels == ("cell 0", "cell 1", "cell 2")
    assert recording.segment_frames == (N, N)
    assert recording.segment_start_s == (0.0, N / RATE_HZ + 1.0)  # all say 0: one after the other, a second apart
    for sweep in range(2):
        truth = np.column_stack([values(cell, sweep, N + 10)[5 : 5 + N] for cell in range(3)]) * 1e-4 - 0.07
        np.testing.assert_allclose(recording.read(sweep, 0, N), truth, rtol=1e-6)
        np.testing.assert_allclose(recording.read(sweep, 7, 9), truth[7:9], rtol=1e-6)


def without_tables(nwb: Any, electrodes: list[Any]) -> None:
    for sweep, start_s in enumerate((2.5, 0.25)):
        for cell in (1, 0, 2):
            series = current_clamp(f"r{cell}{sweep}", electrodes[cell], values(cell, sweep), starting_time=start_s)
            nwb.add_acquisition(series)
        nwb.add_stimulus(stimulus(f"s{sweep}", electrodes[0]))


def test_equal_start_times_join_cells_where_there_is_no_table(tmp_path: Path) -> None:
    recording = open_recording(written(tmp_path / "a.nwb", without_tables))
    assert recording.segment_start_s == (0.25, 2.5)
    for segment, sweep in enumerate((1, 0)):
        truth = np.column_stack([values(cell, sweep) for cell in range(3)]) * 1e-4 - 0.07
        np.testing.assert_allclose(recording.read(segment, 0, N), truth, rtol=1e-6)


def test_sweep_numbers_tell_sweeps_apart_that_all_start_at_0(tmp_path: Path) -> None:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        for sweep in range(3):
            for cell in range(2):
                nwb.add_acquisition(
                    current_clamp(
                        f"r{cell}{sweep}", electrodes[cell], values(cell, sweep), sweep_number=np.uint64(sweep)
                    )
                )

    recording = open_recording(written(tmp_path / "a.nwb", fill))
    assert recording.segment_frames == (N,) * 3
    truth = np.column_stack([values(cell, 2) for cell in range(2)]) * 1e-4 - 0.07
    np.testing.assert_allclose(recording.read(2, 0, N), truth, rtol=1e-6)


def test_intracellular_recordings_without_simultaneous_ones_are_joined_by_start(tmp_path: Path) -> None:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        for start_s in (0.0, 4.0):
            for cell in range(3):
                nwb.add_intracellular_recording(
                    electrode=electrodes[cell],
                    response=current_clamp(
                        f"r{cell}{start_s}", electrodes[cell], values(cell, int(start_s)), starting_time=start_s
                    ),
                )

    recording = open_recording(written(tmp_path / "a.nwb", fill))
    assert recording.segment_start_s == (0.0, 4.0)
    truth = np.column_stack([values(cell, 4) for cell in range(3)]) * 1e-4 - 0.07
    np.testing.assert_allclose(recording.read(1, 0, N), truth, rtol=1e-6)


def test_clamp_modes_are_kept_apart_and_asked_about(tmp_path: Path) -> None:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        nwb.add_acquisition(current_clamp("v", electrodes[0], values(0, 0)))
        nwb.add_acquisition(voltage_clamp("i", electrodes[1], values(1, 0)))

    path = written(tmp_path / "a.nwb", fill)
    with pytest.raises(RecordingError, match="it has current clamp and voltage clamp"):
        open_recording(path)
    current = open_recording(path, signal=Signal.MEMBRANE_A)
    assert current.channel_labels == ("cell 1",)
    np.testing.assert_allclose(current.read(0, 0, N)[:, 0], values(1, 0) * PA, rtol=1e-6)
    assert open_recording(path, signal=Signal.MEMBRANE_V).channel_labels == ("cell 0",)


def test_voltage_clamp_alone_is_a_current(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nwb", lambda nwb, e: nwb.add_acquisition(voltage_clamp("i", e[0], values(0, 0))))
    assert open_recording(path).signal is Signal.MEMBRANE_A
    with pytest.raises(RecordingError, match="has only voltage clamp, which is not membrane_v"):
        open_recording(path, signal=Signal.MEMBRANE_V)


def test_sets_of_cells_that_differ_are_listed_and_chosen(tmp_path: Path) -> None:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        for sweep in range(3):
            for cell in range(3 if sweep == 1 else 2):
                series = current_clamp(
                    f"r{cell}{sweep}", electrodes[cell], values(cell, sweep), starting_time=float(sweep)
                )
                nwb.add_acquisition(series)

    path = written(tmp_path / "a.nwb", fill)
    with pytest.raises(RecordingError, match=r"2 sets of cells(?s:.)*1: 2 sweeps of cell 0, cell 1\n.*2: 1 sweeps of"):
        open_recording(path)
    assert open_recording(path, options=OpenOptions(part="1")).segment_start_s == (0.0, 2.0)
    assert open_recording(path, options=OpenOptions(part="2")).channel_labels == ("cell 0", "cell 1", "cell 2")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"data": values(1, 0, N - 1)}, "b has 39 samples, a, recorded with it, 40"),
        ({"rate": 500.0}, r"b has 500\.0 Hz, other sweeps 1000\.0 Hz"),
    ],
)
def test_cells_that_do_not_fit_together_are_refused(tmp_path: Path, second: dict[str, Any], message: str) -> None:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        nwb.add_acquisition(current_clamp("a", electrodes[0], values(0, 0)))
        nwb.add_acquisition(current_clamp("b", electrodes[1], **{"data": values(1, 0), **second}))

    with pytest.raises(RecordingError, match=message):
        open_recording(written(tmp_path / "a.nwb", fill))


def test_sweeps_of_one_cell_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        for name in "ab":
            nwb.add_acquisition(current_clamp(name, electrodes[0], values(0, 0)))

    with pytest.raises(RecordingError, match="the electrode 'cell 0' has two responses at once"):
        open_recording(written(tmp_path / "a.nwb", fill))


def test_timestamps_are_taken_when_even_and_refused_when_not(tmp_path: Path) -> None:
    def filler(times: np.ndarray) -> Callable[[Any, list[Any]], None]:
        return lambda nwb, e: nwb.add_acquisition(current_clamp("a", e[0], values(0, 0), timestamps=times))

    even = 3.0 + np.arange(N) / RATE_HZ
    recording = open_recording(written(tmp_path / "a.nwb", filler(even)))
    assert recording.rate_hz == pytest.approx(RATE_HZ)
    assert recording.segment_start_s == (3.0,)
    gap = np.where(np.arange(N) < 20, even, even + 0.5)
    with pytest.raises(RecordingError, match="a is sampled unevenly: sample 1 is at"):
        open_recording(written(tmp_path / "b.nwb", filler(gap)))


def extracellular(path: Path, *, twice: bool = False) -> Path:
    def fill(nwb: Any, electrodes: list[Any]) -> None:
        del electrodes
        device = nwb.create_device(name="array")
        group = nwb.create_electrode_group(name="g", description="g", location="x", device=device)
        for k in range(4):
            nwb.add_electrode(rel_x=10.0 * k, rel_y=5.0 * k, group=group, location="x")
        region = nwb.create_electrode_table_region([3, 1], "two of four")
        for name in ("raw", "more") if twice else ("raw",):
            nwb.add_acquisition(
                pynwb.ecephys.ElectricalSeries(
                    name=name,
                    data=np.column_stack([values(0, 0), values(1, 0)]),
                    electrodes=region,
                    rate=RATE_HZ,
                    starting_time=1.5,
                    conversion=1e-6,
                    offset=1e-3,
                    channel_conversion=[1.0, 2.0],
                )
            )

    return written(path, fill)


def test_an_electrical_series_gives_volts_and_the_places_of_its_electrodes(tmp_path: Path) -> None:
    path = extracellular(tmp_path / "a.nwb")
    recording = open_recording(path)
    assert kind_of(path) is FileKind.RECORDING
    assert (recording.signal, recording.segment_start_s) == (Signal.EXTRACELLULAR_V, (1.5,))
    assert recording.channel_labels == ("3", "1")
    np.testing.assert_array_equal(recording.position_um, [[30, 15], [10, 5]])
    truth = np.column_stack([values(0, 0) * 1e-6, values(1, 0) * 2e-6]) + 1e-3
    np.testing.assert_allclose(recording.read(0, 3, 30), truth[3:30], rtol=1e-6)


def test_spikeinterface_reads_the_same_volts(tmp_path: Path) -> None:
    extractors = pytest.importorskip("spikeinterface.extractors")
    path = extracellular(tmp_path / "a.nwb")
    theirs = extractors.read_nwb_recording(path).get_traces(return_in_uV=True) * 1e-6
    np.testing.assert_allclose(open_recording(path).read(0, 0, N), theirs, rtol=1e-5, atol=1e-10)


def test_several_electrical_series_are_listed_and_chosen(tmp_path: Path) -> None:
    path = extracellular(tmp_path / "a.nwb", twice=True)
    with pytest.raises(RecordingError, match=r"2 electrical series(?s:.)*acquisition/more: \(40, 2\) samples"):
        open_recording(path)
    assert open_recording(path, options=OpenOptions(part="acquisition/raw")).segment_frames == (N,)


def test_a_single_cell_and_a_nan_are_kept_as_they_are(tmp_path: Path) -> None:
    data = values(0, 0) * MV
    data[3] = np.nan
    path = written(tmp_path / "a.nwb", lambda nwb, e: nwb.add_acquisition(current_clamp("a", e[0], data)))
    assert np.flatnonzero(np.isnan(open_recording(path).read(0, 0, N)[:, 0])).tolist() == [3]
