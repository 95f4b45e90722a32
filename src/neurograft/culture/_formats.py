"""Recordings of cultures as Zarr and NWB, made piece by piece from the raw samples by the libraries themselves."""

from pathlib import Path
from typing import Any, final

import numpy as np

from neurograft.errors import MissingExtraError
from neurograft.progress import Progress
from neurograft.recordings import LazyRecording, open_recording


@final
class SpikeInterfaceZarr:
    """A Zarr folder ``recording.zarr`` that SpikeInterface reads and writes."""

    copies = 2

    def finish(self, folder: Path, progress: Progress) -> None:
        """Turn the raw samples into Zarr, then remove them; currents are in uA where SpikeInterface says uV."""
        try:
            import spikeinterface as si
        except ImportError as missing:
            raise MissingExtraError(purpose="writing Zarr", extra="io") from missing
        progress("writing Zarr", 0, 1)
        recording = open_recording(folder / "recording.toml")
        in_uv = 1e6 * float(recording.gain[0])
        raw: Any = si.BinaryRecordingExtractor(
            file_paths=[folder / "recording.raw"],
            sampling_frequency=recording.rate_hz,
            num_channels=len(recording.channel_labels),
            dtype="int16",
            gain_to_uV=in_uv,
            offset_to_uV=0.0,
            channel_ids=list(recording.channel_labels),
        )
        raw.set_dummy_probe_from_locations(recording.position_um)
        raw.save(format="zarr", folder=folder / "recording.zarr", n_jobs=1, chunk_duration="1s", progress_bar=False)
        _remove_raw(folder)


@final
class NwbFile:
    """One NWB file ``recording.nwb`` with an ElectricalSeries."""

    copies = 2

    def finish(self, folder: Path, progress: Progress) -> None:
        """Turn the raw samples into NWB, then remove them."""
        try:
            import pynwb
        except ImportError as missing:
            raise MissingExtraError(purpose="writing NWB", extra="nwb") from missing
        progress("writing NWB", 0, 1)
        library: Any = pynwb  # its classes are made when it is imported, out of sight of type checkers
        recording = open_recording(folder / "recording.toml")
        # A mapped file: HDF5 takes it page by page, and the pages are the system's to drop.
        memory = np.memmap(folder / "recording.raw", dtype="<i2", mode="r")
        file, region = _nwb_with_electrodes(recording, library)
        file.add_acquisition(
            library.ecephys.ElectricalSeries(
                name="ElectricalSeries",
                data=memory.reshape(-1, len(recording.channel_labels)),
                electrodes=region,
                rate=recording.rate_hz,
                conversion=float(recording.gain[0]),
                description=f"grown culture; {recording.signal.value}",
            )
        )
        with library.NWBHDF5IO(folder / "recording.nwb", "w") as out:
            out.write(file)
        _remove_raw(folder)


def _nwb_with_electrodes(recording: LazyRecording, library: Any) -> tuple[Any, Any]:
    from datetime import UTC, datetime

    file = library.NWBFile(
        session_description="Culture grown in simulation by neurograft; its truth is in truth.h5.",
        identifier="neurograft culture",
        session_start_time=datetime(2000, 1, 1, tzinfo=UTC),  # simulated: the same file for the same seed
    )
    device = file.create_device(name="array model")
    group = file.create_electrode_group(name="pads", description="all pads", location="culture", device=device)
    file.add_electrode_column("channel_name", "row and column of the pad")
    for (x, y), label in zip(recording.position_um, recording.channel_labels, strict=True):
        file.add_electrode(x=float(x), y=float(y), z=0.0, location="culture", group=group, channel_name=label)
    everywhere = list(range(len(recording.channel_labels)))
    return file, file.create_electrode_table_region(region=everywhere, description="all pads")


def _remove_raw(folder: Path) -> None:
    (folder / "recording.raw").unlink()
    (folder / "recording.toml").unlink()
