"""MaxWell files: read where HDF5 can, and a clear word where the vendor's filter is missing."""

import h5py
import numpy as np
import pytest

from neurograft.errors import RecordingError
from neurograft.recordings import Signal, open_recording
from neurograft.units import UV

VENDOR_FILTER = 32_013  # of a number that no library here has


def write(path, *, is_packed):
    """A file of the layout of 2016, the oldest that neo reads: one well, channels by frames."""
    samples = np.random.default_rng(0).integers(400, 600, (4, 200)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["version"] = np.array([b"20160704"])
        file["settings/lsb"] = np.array([6e-6])
        mapping = np.zeros(4, [("channel", "i4"), ("electrode", "i4"), ("x", "f8"), ("y", "f8")])
        mapping["channel"], mapping["electrode"], mapping["x"] = np.arange(4), np.arange(4) * 3, np.arange(4) * 17.5
        file["mapping"] = mapping
        if not is_packed:
            file["sig"] = samples
            return samples
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((4, 200))
        plan.set_filter(VENDOR_FILTER, h5py.h5z.FLAG_OPTIONAL, ())
        space, kind = h5py.h5s.create_simple((4, 200)), h5py.h5t.STD_U16LE
        data = h5py.h5d.create(file.id, b"sig", kind, space, dcpl=plan)
        data.write_direct_chunk((0, 0), samples.tobytes(), filter_mask=0)
    return samples


def test_a_file_that_hdf5_can_read_opens(tmp_path):
    pytest.importorskip("spikeinterface")
    samples = write(tmp_path / "a.raw.h5", is_packed=False)
    recording = open_recording(tmp_path / "a.raw.h5")
    assert recording.signal is Signal.EXTRACELLULAR_V
    np.testing.assert_allclose(recording.read(0, 5, 9), samples.T[5:9] * 6 * UV, rtol=1e-5)
    assert recording.position_um[2, 0] == 35.0


def test_a_missing_filter_is_named_with_what_to_do(tmp_path, capsys):
    pytest.importorskip("spikeinterface")
    write(tmp_path / "a.raw.h5", is_packed=True)
    with pytest.raises(RecordingError, match=r"packed by a filter that HDF5 does not have.*HDF5_PLUGIN_PATH"):
        open_recording(tmp_path / "a.raw.h5")
    assert capsys.readouterr().out == ""
