"""What MaxWell files tell besides their samples: the counter of frames, which jumps where frames were lost."""

from pathlib import Path
from typing import Any

import h5py

from neurograft.errors import RecordingError
from neurograft.recordings._clock import Clock, told_frames
from neurograft.recordings._hdf5_files import read_whole


def maxwell_clock(path: Path, recording: Any) -> Clock | None:
    """Return the stretches without lost frames of a recording that SpikeInterface opened; None without a counter."""
    well, session = getattr(recording, "stream_id", None), getattr(recording.neo_reader, "rec_name", None)
    name = f"wells/{well}/{session}/groups/routed/frame_nos"
    with h5py.File(path, "r") as file:
        if name not in file:
            return None
        number = read_whole(file[name], path=path, error=RecordingError).ravel()
    n = int(recording.get_num_samples(segment_index=0))
    if len(number) != n:
        raise RecordingError(f"{path}: {name} counts {len(number)} frames of {n}. The file is cut off; copy it again.")
    return told_frames(path, number, float(recording.get_sampling_frequency()), "the counter of frames")
