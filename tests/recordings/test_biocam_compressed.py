"""Compressed BRW 4 files, written here by the public description: events with noise between, and wavelets."""

import struct
import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.errors import RecordingError
from neurograft.recordings import OpenOptions, Signal, open_recording
from neurograft.recordings._biocam_wavelet import decoded, synthesised
from neurograft.units import UV
from recordings.test_biocam import write_v4

PITCH = OpenOptions(pitch_um=42.0)
# pywt.idwt(low, high, "sym7", "periodization") of PyWavelets 1.9, six digits
PYWT_LOW, PYWT_HIGH = [1.0, 0, 2, 0, 0, 0, 0, -1], [0.0, 1, 0, 0, 3, 0, 0, 0]
PYWT_OUT = [
    *(0.437931, -0.280993, 0.522678, 1.083098, 1.833622, -0.360612, -0.036522, 0.394934, 0.107097, -1.647857),
    *(2.419275, -0.716468, -0.813898, -0.583339, -0.227542, 0.697024),
]


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_recording(path, options=PITCH)


def test_the_inverse_transform_is_that_of_pywavelets():
    out = synthesised(np.array([PYWT_LOW], np.float32), np.array([PYWT_HIGH], np.float32))
    np.testing.assert_allclose(out[0], PYWT_OUT, atol=1e-6)


def analysis(half, level):
    """The encoder's matrix: the transform is orthogonal, so it is the decoder's read backwards."""
    return decoded(np.eye(2 * half, dtype=np.float32), level)


def write_wavelets(path, samples, *, level, length, toc):
    """Encode frames x channels: each stretch in chunks, each chunk channel by channel."""
    half = -(-length // (1 << level))
    matrix, full = analysis(half, level), half << level
    parts, begin, at = [], [], 0
    for start, stop in np.cumsum([[b - a] for a, b in toc], axis=0).repeat(2, axis=1).tolist():
        n = toc[len(begin)][1] - toc[len(begin)][0]
        part = samples[stop - n : stop].T
        begin.append(at)
        step = full if n % full == 0 else length
        for k in range(0, n, step):
            chunk = np.zeros((part.shape[0], full))
            own = part[:, k : k + step]
            chunk[:, : own.shape[1]] = own
            chunk[:, own.shape[1] :] = own[:, -1:]
            parts.append((chunk @ matrix.T).ravel())
            at += parts[-1].size
        assert start == stop
    write_v4(path, np.zeros((0, samples.shape[1])), toc=toc, well="x")
    with h5py.File(path, "r+") as file:
        del file["Well_A1/x"]
        data = file.create_dataset("Well_A1/WaveletBasedEncodedRaw", data=np.concatenate(parts).astype(np.float32))
        data.attrs["CompressionLevel"], data.attrs["DataChunkLength"] = level, length
        file["Well_A1/WaveletBasedEncodedRawTOC"] = np.array(begin)


def slow_waves(n, channels, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None]
    return 2048 + 300 * np.sin(2 * np.pi * t / rng.integers(150, 400, channels) + rng.uniform(0, 6, channels))


@pytest.mark.parametrize(("level", "length"), [(1, 64), (2, 256), (3, 500)])
def test_slow_signals_come_back_from_wavelets_in_all_pieces(tmp_path, level, length):
    toc = [[0, 2 * 512], [2 * 512, 3 * 512], [5000, 5000 + 512]]
    samples = slow_waves(2048, 3)
    write_wavelets(tmp_path / "a.brw", samples, level=level, length=length, toc=toc)
    recording = opened(tmp_path / "a.brw")
    assert recording.signal is Signal.EXTRACELLULAR_V
    assert recording.segment_frames == (1536, 512)
    volts = (samples * 2 - 4095) * UV
    read = recording.read(0, 0, 1536)
    # what is dropped of a slow sine is little, except where the chunk's periodic border makes a step
    assert np.median(np.abs(read - volts[:1536])) < 3 * UV
    np.testing.assert_allclose(recording.read(0, 700, 1111), read[700:1111], rtol=0, atol=1e-12)
    assert np.median(np.abs(recording.read(1, 0, 512) - volts[1536:])) < 3 * UV


def test_what_the_encoder_keeps_is_decoded_exactly(tmp_path):
    kept = np.random.default_rng(1).normal(0, 50, (4, 2 * 32))
    samples = decoded(kept, 2).T + 0.0
    write_wavelets(tmp_path / "a.brw", samples, level=2, length=128, toc=[[0, 128]])
    np.testing.assert_allclose(opened(tmp_path / "a.brw").read(0, 0, 128), (samples * 2 - 4095) * UV, atol=1e-9)


def test_wavelets_that_do_not_fit_are_refused(tmp_path):
    write_wavelets(tmp_path / "a.brw", slow_waves(512, 2), level=2, length=256, toc=[[0, 512]])
    with h5py.File(tmp_path / "a.brw", "r+") as file:
        whole = file["Well_A1/WaveletBasedEncodedRaw"][:]
        level = dict(file["Well_A1/WaveletBasedEncodedRaw"].attrs)
        del file["Well_A1/WaveletBasedEncodedRaw"]
        cut = file.create_dataset("Well_A1/WaveletBasedEncodedRaw", data=whole[: whole.size // 2])
        cut.attrs.update(level)
    with pytest.raises(RecordingError, match="It is cut off"):
        opened(tmp_path / "a.brw")
    with h5py.File(tmp_path / "a.brw", "r+") as file:
        file["Well_A1/WaveletBasedEncodedRaw"].attrs["CompressionLevel"] = 60
    with pytest.raises(RecordingError, match="CompressionLevel is 60"):
        opened(tmp_path / "a.brw")


def write_events(path, events, toc, n_channels, *, noise=None):
    """``events``: a list for every row of the table of contents of (channel, first frame, samples)."""
    rows, begin, at = [], [], 0
    for row in events:
        begin.append(at)
        for channel in sorted({c for c, _, _ in row}):
            ranges = b"".join(
                struct.pack("<qq", f, f + len(x)) + np.asarray(x, "<u2").tobytes() for c, f, x in row if c == channel
            )
            rows.append(struct.pack("<ii", channel, len(ranges)) + ranges)
            at += len(rows[-1])
    write_v4(path, np.zeros((0, n_channels)), toc=toc, well="x")
    with h5py.File(path, "r+") as file:
        del file["Well_A1/x"]
        file["Well_A1/EventsBasedSparseRaw"] = np.frombuffer(b"".join(rows), np.uint8)
        file["Well_A1/EventsBasedSparseRawTOC"] = np.array(begin)
        if noise is not None:
            for name, values in zip(("NoiseChIdxs", "NoiseMean", "NoiseStdDev"), noise, strict=True):
                file[f"Well_A1/{name}"] = np.asarray(values)


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_events_are_where_they_were_and_gaps_are_at_zero_volts(data, tmp_path_factory):
    toc = [[0, 40], [40, 90], [200, 230]]
    events = [
        [
            (
                data.draw(st.integers(0, 3)),
                data.draw(st.integers(a, b - 8)),
                data.draw(st.lists(st.integers(0, 4095), max_size=8)),
            )
            for _ in range(data.draw(st.integers(0, 4)))
        ]
        for a, b in toc
    ]
    path = tmp_path_factory.mktemp("b") / "a.brw"
    write_events(path, events, toc, 4)
    counts = np.full((230, 4), 2047.5)
    for row in events:
        for channel in sorted({c for c, _, _ in row}):
            for c, f, x in row:
                if c == channel:
                    counts[f : f + len(x), c] = x
    counts = np.where(counts == 2047.5, 2048, counts)  # 0 V lies between two counts; gaps hold a whole one
    recording = opened(path)
    assert recording.segment_frames == (90, 30)
    np.testing.assert_allclose(recording.read(0, 0, 90), (counts[:90] * 2 - 4095) * UV, atol=1e-9)
    np.testing.assert_allclose(recording.read(1, 5, 30), (counts[205:] * 2 - 4095) * UV, atol=1e-9)
    np.testing.assert_allclose(recording.read(0, 37, 55), (counts[37:55] * 2 - 4095) * UV, atol=1e-9)


def test_between_events_there_is_the_noise_that_the_file_tells_the_same_at_every_reading(tmp_path):
    write_events(
        tmp_path / "a.brw",
        [[(1, 100, [9, 8])]],
        [[0, 5000]],
        3,
        noise=([0, 1, 2], [2050, 2040, 2045], [5.0, 10.0, 20.0]),
    )
    with pytest.warns(UserWarning, match="noise is drawn as the file tells it"):
        recording = open_recording(tmp_path / "a.brw", options=PITCH)
    read = recording.read(0, 0, 5000)
    np.testing.assert_allclose(read[200:].std(axis=0) / (2 * UV), [5, 10, 20], rtol=0.05)
    np.testing.assert_allclose(read[200:].mean(axis=0), (np.array([2050, 2040, 2045]) * 2 - 4095) * UV, atol=2 * UV)
    np.testing.assert_array_equal(recording.read(0, 990, 2345), read[990:2345])
    np.testing.assert_allclose(read[100:102, 1], (np.array([9, 8]) * 2 - 4095) * UV, atol=1e-9)


def test_torn_records_are_named_by_their_byte(tmp_path):
    write_events(tmp_path / "a.brw", [[(1, 10, [5, 6, 7])], [(2, 60, [1])]], [[0, 50], [50, 90]], 3)
    with h5py.File(tmp_path / "a.brw", "r+") as file:
        whole = file["Well_A1/EventsBasedSparseRaw"][:]
        del file["Well_A1/EventsBasedSparseRaw"]
        file["Well_A1/EventsBasedSparseRaw"] = whole[:-1]
    recording = opened(tmp_path / "a.brw")
    recording.read(0, 0, 50)
    with pytest.raises(RecordingError, match="byte 30 of EventsBasedSparseRaw does not begin a whole record"):
        recording.read(0, 0, 90)
