"""Recordings in object storage, against a local S3 server (moto); URLs, and stores that would run code."""

import socket
from pathlib import Path

import numpy as np
import pytest

from neurograft.errors import MissingExtraError, RecordingError
from neurograft.files import url_of
from neurograft.provenance import fingerprint
from neurograft.recordings import FileKind, Signal, describe, kind_of, open_recording
from neurograft.recordings import _remote as remote


@pytest.fixture(scope="module")
def bucket():
    """A bucket of a server of our own, and fsspec's view of it."""
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed: no object store to test")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: no object store to test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # another test's server had another address
        files = s3fs.S3FileSystem()
        files.mkdir("lab")
        yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def samples():
    return np.random.default_rng(0).integers(-500, 500, (5000, 6)).astype(np.int16)


def test_a_zarr_store_is_read_in_place(bucket, tmp_path):
    si = pytest.importorskip("spikeinterface.core")
    made = si.NumpyRecording([samples()], 10_000.0)
    made.set_channel_gains(0.5)
    made.set_channel_offsets(0.0)
    made.save(format="zarr", folder=tmp_path / "a.zarr", verbose=False, progress_bar=False)
    bucket.put(str(tmp_path / "a.zarr"), "lab/a.zarr", recursive=True)
    with pytest.raises(RecordingError, match="does not tell what its numbers are"):
        open_recording("s3://lab/a.zarr")
    recording = open_recording("s3://lab/a.zarr", signal=Signal.EXTRACELLULAR_V)
    np.testing.assert_allclose(recording.read(0, 100, 200), samples()[100:200] * 0.5e-6, rtol=1e-6)
    assert describe(recording)[1] == "channels: 6"
    same = open_recording(Path("s3://lab/a.zarr"), signal=Signal.EXTRACELLULAR_V)  # as the command line hands it on
    assert same.segment_frames == (5000,)


def test_a_store_that_would_be_unpickled_is_refused(bucket):
    bucket.pipe_file("lab/bad.zarr/.zgroup", b'{"zarr_format": 2}')
    bucket.pipe_file("lab/bad.zarr/x/.zarray", b'{"filters": [{"id": "pickle"}]}')
    with pytest.raises(RecordingError, match="asks for unpickling"):
        open_recording("s3://lab/bad.zarr", signal=Signal.EXTRACELLULAR_V)


def test_nwb_is_read_in_place(bucket, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        series = file.create_group("acquisition/es")
        series.attrs["neurodata_type"] = "ElectricalSeries"
        data = series.create_dataset("data", data=samples())
        data.attrs["conversion"], data.attrs["unit"] = 1e-6, "volts"
        series["starting_time"] = 0.0
        series["starting_time"].attrs["rate"] = 10_000.0
        series["electrodes"] = np.arange(6)
        table = file.create_group("general/extracellular_ephys/electrodes")
        table["id"] = np.arange(6)
        series["electrodes"].attrs["table"] = table.ref
    bucket.put(str(tmp_path / "a.nwb"), "lab/a.nwb")
    recording = open_recording("s3://lab/a.nwb")
    np.testing.assert_allclose(recording.read(0, 10, 20), samples()[10:20] * 1e-6, rtol=1e-6)


def test_what_is_not_there_says_so(bucket):
    with pytest.raises(RecordingError, match=r"Check the URL, the credentials"):
        open_recording("s3://lab/none.zarr", signal=Signal.EXTRACELLULAR_V)
    with pytest.raises(RecordingError, match=r"Check the URL, the credentials"):
        open_recording("s3://lab/none.nwb")


def test_urls_are_told_from_paths():
    assert url_of(Path("s3://lab/a.zarr")) == "s3://lab/a.zarr"
    assert url_of("gs://lab/a.zarr") == "gs://lab/a.zarr"
    for local in ("C:/lab/a.brw", "/lab/a.brw", "a.brw", "s3:a"):
        assert url_of(local) is None
    assert kind_of(Path("s3://lab/a.zarr")) is FileKind.RECORDING
    assert fingerprint(Path("s3://lab/a.zarr")) == "url:s3://lab/a.zarr"


def test_without_the_extra_the_message_names_it(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(fsspec.core, "url_to_fs", _no_protocol)
    with pytest.raises(MissingExtraError, match=r"neurograft\[cloud\]"):
        remote.open_remote("s3://lab/a.zarr")


def _no_protocol(url):
    raise ImportError("Install s3fs to access S3")
