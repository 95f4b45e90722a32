"""True membrane potentials on disk, as a patch electrode in every recorded neuron would have them.

Like ``write_culture``, but channel i is neuron i, and there are no pads: samples are potentials in steps of
10 uV with white noise.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy import ndarray
from numpy.random import default_rng

from neurograft.culture._grow import Culture
from neurograft.culture._options import CultureOptions, require_possible
from neurograft.culture._play import n_frames, play
from neurograft.culture._record import neuron_labels, recorded_spikes, recorded_truth
from neurograft.culture._truth_file import require_place, save_truth
from neurograft.culture._write import RawBinary, RecordingFormat, folder_appears_whole
from neurograft.progress import Progress, silent
from neurograft.spikes import save_spikes
from neurograft.units import UV

STEP_V = 10 * UV  # of the converter; int16 then reaches from -328 to +328 mV
_SPARE_BYTES = 64 << 20


def write_membrane(
    culture: Culture,
    folder: Path,
    *,
    seconds: float,
    noise_v: float = 50 * UV,
    seed: int = 0,
    form: RecordingFormat | None = None,
    progress: Progress = silent,
) -> None:
    """Write the membrane potentials of all recorded neurons, the truth and the spikes into a new folder."""
    form = form or RawBinary()
    require_membrane(culture.options, folder, seconds=seconds, form=form)
    names, n = neuron_labels(culture), culture.n_recorded
    with folder_appears_whole(folder) as part:
        with (part / "recording.raw").open("wb") as samples_to:
            when, who = _write_samples(
                culture, samples_to, seconds=seconds, noise_v=noise_v, seed=seed, progress=progress
            )
        (part / "recording.toml").write_text(_sidecar(culture, names), encoding="utf-8")
        told = {"seconds": seconds, "recording_seed": seed, "noise_v": noise_v}
        alone = np.stack([np.arange(n), np.full(n, -1)], axis=1)
        columns = {"channel_neuron": alone, "neuron_pad": culture.pad}
        save_truth(recorded_truth(culture, names), part / "truth.h5", culture=culture, told=told, columns=columns)
        save_spikes(recorded_spikes(culture, when, who, seconds=seconds, labels=names), part / "spikes.h5")
        form.finish(part, progress)


def require_membrane(options: CultureOptions, folder: Path, *, seconds: float, form: RecordingFormat) -> None:
    """Raise ``CultureError`` for what cannot be grown or stored; call it before growing."""
    require_possible(options)
    require_place(folder, form.copies * 2.0 * n_frames(options, seconds) * options.n_recorded + _SPARE_BYTES)


def _write_samples(
    culture: Culture, samples_to: BinaryIO, *, seconds: float, noise_v: float, seed: int, progress: Progress
) -> tuple[ndarray, ndarray]:
    rng = default_rng([culture.seed, seed, 2])
    when: list[ndarray] = []
    who: list[ndarray] = []
    total = n_frames(culture.options, seconds)
    for piece in play(culture, seconds=seconds, seed=seed):
        trace = piece.trace_v[: culture.n_recorded].T
        noisy = trace + noise_v * rng.standard_normal(trace.shape, dtype=np.float32)
        np.clip(np.rint(noisy / STEP_V), -32767, 32767).astype("<i2").tofile(samples_to)
        when.append(piece.spike_frame)
        who.append(piece.spike_neuron)
        progress("recording the culture", piece.start + len(trace), total)
    return np.concatenate(when), np.concatenate(who)


def _sidecar(culture: Culture, names: tuple[str, ...]) -> str:
    """Return the TOML text that tells how to read the samples."""
    places = ", ".join(f"[{x:.3f}, {y:.3f}]" for x, y, _ in culture.map.position_um[: culture.n_recorded])
    labels = ", ".join(f'"{name}"' for name in names)
    return f"""# Written by neurograft culture; the template of neurograft.recordings explains the keys.
format_version = 1

[samples]
files = ["recording.raw"]
dtype = "int16"
byte_order = "little"
order = "frames"
n_channels = {culture.n_recorded}

[time]
rate_hz = {1.0 / culture.options.step_s!r}

[signal]
kind = "membrane_v"
gain_v = {STEP_V!r}

[layout]
positions_um = [{places}]
labels = [{labels}]
"""
