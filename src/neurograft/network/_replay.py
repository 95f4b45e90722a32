"""Replaying a recording: some neurons fire as recorded, the others are left to the copy."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import RunError
from neurograft.maps import SynapseMap, synapse_map
from neurograft.network._drive import Drive, Modulation
from neurograft.network._options import RunOptions
from neurograft.network._run import Activity, run
from neurograft.network._stimulus import Stimulus, indices_of
from neurograft.neurons import NeuronModel
from neurograft.progress import Progress, silent
from neurograft.spikes import SpikeTrains, spike_trains


def clamped(m: SynapseMap, recording: SpikeTrains, neurons: Int64[ndarray, " clamped"]) -> Stimulus:
    """Return the stimulus with which ``neurons`` of the map fire as in the recording, and at no other time.

    Neurons are matched by label; the recording's first epoch starts at time 0, further ones follow without
    gaps.  A neuron of the map that the recording lacks cannot be clamped.
    """
    if neurons.size == 0:
        raise RunError("No neuron is to be clamped. Name at least one.")
    where = indices_of([m.labels[i] for i in neurons.tolist()], recording.labels)
    time_s, neuron = laid_end_to_end(recording)
    of_map = np.full(recording.n_neurons, -1, dtype=np.int64)
    of_map[where] = neurons
    is_clamped = of_map[neuron] >= 0
    return Stimulus(
        n_neurons=m.n_neurons,
        forced_neuron=of_map[neuron[is_clamped]],
        forced_s=time_s[is_clamped],
        muted_neuron=neurons.astype(np.int64),
        muted_start_s=np.zeros(neurons.size),
        muted_stop_s=np.full(neurons.size, np.inf),
    )


def choose_clamped(m: SynapseMap, fraction: float, rng: Generator) -> Int64[ndarray, " clamped"]:
    """Return a random fraction of the neurons, at least one, and never all."""
    if not 0 < fraction < 1:
        raise RunError(f"The fraction to clamp is {fraction}. Give a number between 0 and 1.")
    n = min(max(1, round(fraction * m.n_neurons)), m.n_neurons - 1)
    if n < 1:
        raise RunError("The map has one neuron: clamped, nothing is left to the copy. Give a larger map.")
    return np.sort(rng.permutation(m.n_neurons)[:n]).astype(np.int64)


def replay_each(
    m: SynapseMap,
    recording: SpikeTrains,
    *,
    seed: int,
    drive: Drive,
    neuron: NeuronModel | None = None,
    options: RunOptions | None = None,
    progress: Progress = silent,
) -> Activity:
    """Return what each neuron of the copy does while all others fire as recorded.

    Every neuron in turn is the free one, all in one run: each has a double that hears the recorded spikes of
    the others, that nobody else hears, and that speaks to itself where its original does.
    """
    if m.labels != recording.labels:
        raise RunError("The map's neurons are not those of the recording. Replay the recording that was copied.")
    n = m.n_neurons
    doubled = synapse_map(
        n_neurons=2 * n,
        pre=np.where(m.pre == m.post, m.pre + n, m.pre),
        post=m.post + np.int32(n),
        weight_v=m.weight_v,
        delay_s=m.delay_s,
        kind=m.kind,
        model=[*m.model, *m.model],
        extra=m.extra,
    )
    doubles = tuple(f"double {i} of {label}" for i, label in enumerate(m.labels))
    played = clamped(replace(doubled, labels=(*m.labels, *doubles)), recording, np.arange(n))
    both = run(
        doubled, duration_s=recording.duration_s, seed=seed, drive=_doubled(drive), neuron=neuron,
        options=options, stimulus=played, progress=progress,
    )  # fmt: skip
    mine = both.spikes.neuron >= n
    spikes = spike_trains(
        time_s=both.spikes.time_s[mine],
        neuron=both.spikes.neuron[mine] - np.int32(n),
        n_neurons=n,
        epochs_s=both.spikes.epochs_s,
        labels=m.labels,
    )
    return replace(both, spikes=spikes, checkpoint=None)


def _doubled(drive: Drive) -> Drive:
    """Return the drive for originals, which are clamped and need none, and doubles."""
    none = np.zeros(drive.n_neurons)
    shared = drive.modulation
    if drive.poisson is not None:
        raise RunError("The drive has Poisson input, which replaying each neuron does not take. Use a fitted drive.")
    return Drive(
        mean_v=np.concatenate([none, drive.mean_v]),
        noise_sd_v=np.concatenate([none, drive.noise_sd_v]),
        modulation=None
        if shared is None
        else Modulation(course=shared.course, bin_s=shared.bin_s, gain_v=np.concatenate([none, shared.gain_v])),
    )


def laid_end_to_end(recording: SpikeTrains) -> tuple[ndarray, ndarray]:
    """Return spike times with the first epoch at 0 and no gaps between epochs, and their neurons."""
    lengths_s = recording.epochs_s[:, 1] - recording.epochs_s[:, 0]
    offset_s = np.concatenate([[0.0], np.cumsum(lengths_s)])[:-1]
    epoch = np.searchsorted(recording.epochs_s[:, 0], recording.time_s, side="right") - 1
    return recording.time_s - recording.epochs_s[epoch, 0] + offset_s[epoch], recording.neuron
