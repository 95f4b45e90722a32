"""Many predictions at once: doubles of every neuron, of several maps, that hear a recording and are heard by nobody."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from neurograft.errors import RunError
from neurograft.maps import SynapseMap, synapse_map
from neurograft.network._drive import Drive, steady_drive
from neurograft.network._replay import laid_end_to_end
from neurograft.network._run import run
from neurograft.network._short_term import SHORT_TERM_COLUMNS
from neurograft.network._stimulus import Stimulus
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains
from neurograft.units import MS


def predicted_counts(
    maps: Sequence[SynapseMap],
    drives: Sequence[Drive],
    recording: SpikeTrains,
    *,
    n_doubles: int,
    bin_s: float,
    seed: int,
    fold: Int64[ndarray, " neurons"] | None = None,
    progress: Progress = silent,
) -> Int64[ndarray, "maps neurons bins"]:
    """Return how often the doubles of each neuron of each map fire in each bin while the recording is replayed.

    Every double has noise of its own.  All maps and doubles run together, for they only listen.  A neuron's own
    recorded spikes are not heard by its doubles; each hears its own where the map has that synapse.

    With ``fold``, the neurons of a fold are free together: each hears the doubles of its own fold, and the recorded
    spikes of all others.  Without, each neuron is a fold of its own: all others are clamped.
    """
    n = recording.n_neurons
    fold = np.arange(n) if fold is None else fold
    if any(m.labels != recording.labels for m in maps) or len(maps) != len(drives):
        raise RunError("Each map must have the recording's neurons, and a drive of its own.")
    n_copies = len(maps) * n_doubles
    time_s, neuron = laid_end_to_end(recording)
    pre, post, column = [], [], []
    for k, m in enumerate(maps):
        for double in range(n_doubles):
            at = n * (1 + k * n_doubles + double)
            pre.append(np.where(fold[m.pre] == fold[m.post], m.pre + at, m.pre))
            post.append(m.post.astype(np.int64) + at)
            column.append(np.column_stack([m.weight_v, m.delay_s, m.kind]))
    columns = np.concatenate(column)
    extra = {
        name: np.concatenate([m.extra[name] for m in maps for _ in range(n_doubles)])
        for name in SHORT_TERM_COLUMNS
        if all(name in m.extra for m in maps)
    }
    together = synapse_map(
        n_neurons=n * (1 + n_copies),
        pre=np.concatenate(pre).astype(np.int64),
        post=np.concatenate(post),
        weight_v=columns[:, 0],
        delay_s=columns[:, 1],
        kind=columns[:, 2].astype(np.uint8),
        model=[*maps[0].model, *(name for m in maps for name in m.model * n_doubles)],
        extra=extra,
    )
    muted = np.arange(n)
    held = Stimulus(
        n_neurons=together.n_neurons,
        forced_neuron=neuron.astype(np.int64),
        forced_s=time_s,
        muted_neuron=muted,
        muted_start_s=np.zeros(n),
        muted_stop_s=np.full(n, np.inf),
    )
    spikes = run(
        together, duration_s=recording.duration_s, seed=seed, drive=_together(drives, n, n_doubles), stimulus=held,
        progress=progress,
    ).spikes  # fmt: skip
    n_bins = int(recording.duration_s / bin_s + 1e-9)
    listening = (spikes.neuron >= n) & (spikes.time_s < n_bins * bin_s)
    of = (spikes.neuron[listening] - n).astype(np.int64)
    at = ((spikes.time_s[listening] + 0.01 * MS) / bin_s).astype(np.int64).clip(max=n_bins - 1)
    flat = (of // (n * n_doubles) * n + of % n) * n_bins + at
    return np.bincount(flat, minlength=len(maps) * n * n_bins).reshape(len(maps), n, n_bins)


def _together(drives: Sequence[Drive], n: int, n_doubles: int) -> Drive:
    """Return the drive of silent originals and all doubles; modulation would tell what is to be predicted."""
    if any(drive.modulation is not None or drive.poisson is not None for drive in drives):
        raise RunError("A modulation or Poisson input would tell the doubles what they shall predict. Fit without.")
    mean_v = np.concatenate([np.zeros(n), *(np.tile(drive.mean_v, n_doubles) for drive in drives)])
    noise_v = np.concatenate([np.zeros(n), *(np.tile(drive.noise_sd_v, n_doubles) for drive in drives)])
    return steady_drive(mean_v.size, mean_v=mean_v, noise_sd_v=noise_v)
