"""Patch-clamp recordings: HEKA against its cut, ABF made here, NPZ."""

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import LazyRecording, OpenOptions, Signal, describe, open_recording
from neurograft.units import MV

FOLDER = "patchview_multipatch"


def heka(shared_data: Path, part: str | None, **options: object) -> LazyRecording:
    with pytest.warns(UserWarning, match="myokit says.*Untested PatchMaster format version v2x90.5"):
        return open_recording(
            shared_data / FOLDER / "190604s1c3r1.dat",
            options=OpenOptions(part=part),
            **options,  # type: ignore[arg-type]
        )


def test_heka_agrees_with_its_cut(shared_data: Path) -> None:
    ours, cut = heka(shared_data, "2"), open_recording(shared_data / FOLDER / "190604s1c3r1_vm.npz")
    assert ours.segment_frames == cut.segment_frames == (17_600,) * 10
    assert ours.rate_hz == pytest.approx(25_000)
    assert ours.channel_labels == tuple(f"Vmon-{k}" for k in range(1, 9))
    assert cut.channel_labels == tuple("12345678")
    # 4e-6 mV by SOURCE.md, and half a float32 step at 125 mV for each of the two
    atol = 4e-6 * MV + float(np.spacing(np.float32(0.12)))
    for k in range(10):
        np.testing.assert_allclose(ours.read(k, 0, 17_600), cut.read(k, 0, 17_600), rtol=0, atol=atol)
    assert np.diff(ours.segment_start_s) == pytest.approx(10.0, abs=0.02)  # one sweep every ten seconds


def test_cell_3_fires_when_its_source_says(shared_data: Path) -> None:
    cut = open_recording(shared_data / FOLDER / "190604s1c3r1_vm.npz")
    vm = cut.read(4, 0, 17_600)[:, 2]
    up = np.flatnonzero((vm[1:] > 0) & (vm[:-1] <= 0)) / cut.rate_hz
    assert up == pytest.approx([0.2002, 0.3022], abs=1e-3)


def test_heka_lists_its_series_and_refuses_strangers(shared_data: Path) -> None:
    with (
        pytest.warns(UserWarning, match="myokit says"),
        pytest.raises(RecordingError, match=r"holds 4 series(?s:.)*2: .*10 sweeps of 8 traces"),
    ):
        open_recording(shared_data / FOLDER / "190604s1c3r1.dat")
    with (
        pytest.warns(UserWarning, match="myokit says"),
        pytest.raises(RecordingError, match="no '5' among them"),
    ):
        open_recording(shared_data / FOLDER / "190604s1c3r1.dat", options=OpenOptions(part="5"))
    with pytest.warns(UserWarning, match="myokit says"), pytest.raises(RecordingError, match="no trace in A"):
        open_recording(
            shared_data / FOLDER / "190604s1c3r1.dat", signal=Signal.MEMBRANE_A, options=OpenOptions(part="1")
        )


def test_a_truncated_heka_file_is_refused(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / FOLDER / "190604s1c3r1.dat").read_bytes()
    (tmp_path / "cut.dat").write_bytes(whole[: len(whole) // 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RecordingError, match="cannot be read as a Patchmaster bundle"):
            open_recording(tmp_path / "cut.dat")


# An ABF 1 file, written by the header offsets of Axon's public description (as in neo.rawio.axonrawio).


def write_abf(path: Path, sweeps: np.ndarray, units: list[str], *, rate_hz: float = 10_000.0) -> None:
    """Write sweeps x frames x channels of int16 counts; one count is 0.01 of the channel's unit."""
    n_sweeps, n_frames, n = sweeps.shape
    head = bytearray(6144)

    def put(at: int, form: str, *values: object) -> None:
        struct.pack_into("<" + form, head, at, *values)

    put(0, "4s", b"ABF ")
    put(4, "f", 1.83)
    put(8, "h", 5)  # episodic
    put(10, "i", sweeps.size)
    put(16, "i", n_sweeps)
    put(24, "i", 1)
    put(20, "i", 20200101)
    put(40, "i", 12)  # data section, blocks of 512
    data_blocks = -(-sweeps.size * 2 // 512)
    put(92, "i", 12 + data_blocks)  # synch array
    put(96, "i", n_sweeps)
    put(120, "h", n)
    put(122, "f", 1e6 / rate_hz / n)
    put(130, "f", 0.0)
    put(138, "i", n_frames * n)
    put(244, "f", 10.0)  # ADC range, V
    put(252, "i", 1000)  # counts for it: 0.01 V
    put(410, "16h", *(list(range(n)) + [-1] * (16 - n)))
    for k in range(16):
        put(442 + 10 * k, "10s", f"IN {k}".ljust(10).encode())
        put(602 + 8 * k, "8s", (units[k] if k < n else "mV").ljust(8).encode())
    for at in (730, 922, 1050):
        put(at, "16f", *[1.0] * 16)
    synch = b"".join(struct.pack("<ii", k * n_frames * n * 3, n_frames * n) for k in range(n_sweeps))
    body = sweeps.astype("<i2").tobytes().ljust(data_blocks * 512, b"\0")
    path.write_bytes(bytes(head) + body + synch.ljust(512, b"\0"))


SWEEPS = np.arange(2 * 50 * 3, dtype=np.int16).reshape(2, 50, 3) - 100


def test_abf_sweeps_are_segments_in_volts(tmp_path: Path) -> None:
    write_abf(tmp_path / "a.abf", SWEEPS, ["mV", "mV", "mV"])
    recording = open_recording(tmp_path / "a.abf")
    assert recording.signal is Signal.MEMBRANE_V
    assert recording.rate_hz == pytest.approx(10_000, rel=1e-6)
    assert recording.channel_labels == ("IN 0", "IN 1", "IN 2")
    assert recording.segment_frames == (50, 50)
    assert recording.segment_start_s[1] > recording.segment_start_s[0] + 50 / 10_000
    for k in range(2):
        np.testing.assert_allclose(recording.read(k, 10, 50), SWEEPS[k, 10:] * 0.01 * MV, rtol=1e-6)


def test_abf_units_choose_the_signal_and_both_are_asked_about(tmp_path: Path) -> None:
    write_abf(tmp_path / "a.abf", SWEEPS, ["mV", "pA", "nA"])
    with pytest.raises(RecordingError, match="it has channels in mV, nA, pA"):
        open_recording(tmp_path / "a.abf")
    current = open_recording(tmp_path / "a.abf", signal=Signal.MEMBRANE_A)
    assert current.channel_labels == ("IN 1", "IN 2")
    np.testing.assert_allclose(current.read(1, 0, 3), SWEEPS[1, :3, 1:] * 0.01 * np.array([1e-12, 1e-9]), rtol=1e-6)
    voltage = open_recording(tmp_path / "a.abf", signal=Signal.MEMBRANE_V)
    assert voltage.channel_labels == ("IN 0",)
    write_abf(tmp_path / "b.abf", SWEEPS, ["pA"] * 3)
    assert open_recording(tmp_path / "b.abf").signal is Signal.MEMBRANE_A
    assert "pA" in "\n".join(describe(open_recording(tmp_path / "b.abf")))
    with pytest.raises(RecordingError, match="has no channel in volts, only pA"):
        open_recording(tmp_path / "b.abf", signal=Signal.MEMBRANE_V)


def test_abf_channels_can_be_chosen_and_a_near_miss_is_refused(tmp_path: Path) -> None:
    write_abf(tmp_path / "a.abf", SWEEPS, ["mV"] * 3)
    one = open_recording(tmp_path / "a.abf", options=OpenOptions(channels=("IN 2", "IN 0")))
    np.testing.assert_allclose(one.read(0, 0, 5), SWEEPS[0, :5, [2, 0]].T * 0.01 * MV, rtol=1e-6)
    with pytest.raises(RecordingError, match=r"no channel 'IN2'\. Did you mean 'IN 2'"):
        open_recording(tmp_path / "a.abf", options=OpenOptions(channels=("IN2",)))
    with pytest.raises(RecordingError, match="names a channel twice"):
        open_recording(tmp_path / "a.abf", options=OpenOptions(channels=("IN 0", "IN 0")))


def test_truncated_abf_is_refused(tmp_path: Path) -> None:
    write_abf(tmp_path / "a.abf", SWEEPS, ["mV"] * 3)
    whole = (tmp_path / "a.abf").read_bytes()
    for n in (100, 6000, 6200):
        (tmp_path / "cut.abf").write_bytes(whole[:n])
        with pytest.raises(RecordingError, match="not a whole ABF file"):
            open_recording(tmp_path / "cut.abf")


def test_npz_general_layout(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(2, 30, 4))
    position_um = np.arange(8.0).reshape(4, 2)
    np.savez(
        tmp_path / "a.npz",
        samples_v=samples,
        rate_hz=500.0,
        signal="membrane_v",
        labels=np.array(list("abcd")),
        position_um=position_um,
        segment_start_s=np.array([1.0, 5.0]),
    )
    recording = open_recording(tmp_path / "a.npz")
    np.testing.assert_allclose(recording.read(1, 3, 9), samples[1, 3:9], rtol=1e-6)
    assert (recording.signal, recording.rate_hz) == (Signal.MEMBRANE_V, 500.0)
    assert (recording.channel_labels, recording.segment_start_s) == (("a", "b", "c", "d"), (1.0, 5.0))
    np.testing.assert_array_equal(recording.position_um, position_um)


def test_npz_asks_what_its_numbers_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", samples_v=np.ones((30, 1)), rate_hz=500.0)
    with pytest.raises(RecordingError, match=r"has no array 'signal'.*the choices are membrane_v"):
        open_recording(tmp_path / "a.npz")
    single = open_recording(tmp_path / "a.npz", signal=Signal.EXTRACELLULAR_V)
    assert single.signal is Signal.EXTRACELLULAR_V
    assert single.channel_labels == ("0",)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"samples_v": np.ones((3, 2))}, "needs samples_v or samples_a"),
        ({"samples_v": np.ones(3), "rate_hz": 1.0}, "has shape"),
        ({"samples_v": np.ones((0, 2)), "rate_hz": 1.0}, "has no sample"),
        ({"samples_v": np.ones((3, 0)), "rate_hz": 1.0}, "has no channel"),
        ({"samples_v": np.ones((3, 2)), "rate_hz": -1.0}, "rate_hz is -1.0"),
        ({"samples_v": np.array([["a", "b"]]), "rate_hz": 1.0}, "of type <U1"),
        (
            {"samples_v": np.ones((3, 2)), "rate_hz": 1.0, "labels": np.array(["a", "a"])},
            "2 names, 1 of them different",
        ),
        ({"samples_v": np.ones((3, 2)), "rate_hz": 1.0, "position_um": np.ones((3, 2))}, "Give x and y of 2"),
        ({"samples_a": np.ones((3, 2)), "rate_hz": 1.0}, "does not fit membrane_v"),
        ({"vm_mv": np.ones((3, 2)), "dt_s": 1.0}, "Give sweeps x channels x samples"),
    ],
)
def test_wrong_npz_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(RecordingError, match=message):
        open_recording(tmp_path / "a.npz", signal=Signal.MEMBRANE_V)
