"""Recordings of small cultures held in memory, with the truth in the same numbering."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray
from numpy.random import default_rng

from neurograft.arrays import frozen
from neurograft.culture._grow import Culture
from neurograft.culture._pads import ArrayOptions
from neurograft.culture._play import n_frames, play
from neurograft.culture._recorder import frames, recorder
from neurograft.culture._wiring import pad_centres_um
from neurograft.errors import CultureError
from neurograft.maps import Layout, SynapseMap, synapse_map
from neurograft.progress import Progress, silent
from neurograft.recordings import ArrayRecording, Signal, array_recording
from neurograft.spikes import SpikeTrains, spike_trains

_LARGEST_BYTES = 4 << 30  # beyond this, write to a file


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CultureRecording:
    """A recording and the truth behind it, both without hidden neurons.

    ``layout`` tells which neurons each channel is inside of; ``score`` needs it, because a copy may name a neuron by
    another of its channels.  A neuron's label in ``truth`` and ``spikes`` is that of the channel it sits on, the
    second neuron of a shared pad with "b" behind it.
    """

    recording: ArrayRecording
    spikes: SpikeTrains
    truth: SynapseMap
    layout: Layout
    channel_state: UInt8[ndarray, " channels"]  # PadState codes
    coupling: ndarray  # channels by two: sample unit per volt of membrane potential, before drift
    drops: Int64[ndarray, "drops 2"]  # frames lost: first, and one after the last

    @property
    def channel_neuron(self) -> Int64[ndarray, "channels two"]:
        """Return for each channel the (up to two) neurons that it is inside of, -1 for none."""
        return self.layout.channel_neuron


def record(
    culture: Culture, array: ArrayOptions | None = None, *, seconds: float, seed: int = 0, progress: Progress = silent
) -> CultureRecording:
    """Return what an array records of a culture, in memory; use ``write_culture`` for long or large recordings.

    Without options the array has the usual flaws.  One ``seed`` is one life of the culture on one array.
    """
    array = array if array is not None else ArrayOptions()
    grid, total = culture.options.grid, n_frames(culture.options, seconds)
    _require_room(total * grid.n_pads * 2)
    made = recorder(culture, array, seconds=seconds, seed=seed)
    samples = np.empty((total, grid.n_pads), dtype=np.int16)
    when: list[ndarray] = []
    who: list[ndarray] = []
    for part in frames(made, seconds=seconds, seed=seed):
        samples[part.start : part.start + len(part.samples)] = part.samples
        when.append(part.spike_frame)
        who.append(part.spike_neuron)
        progress("recording the culture", part.start + len(part.samples), total)
    labels = channel_labels(culture)
    names = neuron_labels(culture)
    return CultureRecording(
        recording=array_recording(
            samples,
            rate_hz=1.0 / culture.options.step_s,
            signal=array.readout.signal,
            channel_labels=labels,
            position_um=pad_centres_um(grid),
            gain=array.readout.lsb_u,
        ),
        spikes=recorded_spikes(culture, np.concatenate(when), np.concatenate(who), seconds=seconds, labels=names),
        truth=recorded_truth(culture, names),
        layout=_layout(culture, labels, made.pads.inside),
        channel_state=frozen(made.pads.state),
        coupling=frozen(made.pads.inside_gain),
        drops=frozen(made.drops),
    )


def record_membrane(
    culture: Culture, *, seconds: float, noise_v: float = 50e-6, seed: int = 0, progress: Progress = silent
) -> CultureRecording:
    """Return true membrane potentials, as by patch electrodes, channel i from neuron i, with white noise."""
    n, total = culture.n_recorded, n_frames(culture.options, seconds)
    _require_room(total * n * 4)
    rng = default_rng([culture.seed, seed, 2])
    samples = np.empty((total, n), dtype=np.float32)
    when: list[ndarray] = []
    who: list[ndarray] = []
    for piece in play(culture, seconds=seconds, seed=seed):
        trace = piece.trace_v[:n].T
        part = samples[piece.start : piece.start + len(trace)]
        part[:] = trace + noise_v * rng.standard_normal(trace.shape, dtype=np.float32)
        when.append(piece.spike_frame)
        who.append(piece.spike_neuron)
        progress("recording the culture", piece.start + len(trace), total)
    names = neuron_labels(culture)
    return CultureRecording(
        recording=array_recording(
            samples,
            rate_hz=1.0 / culture.options.step_s,
            signal=Signal.MEMBRANE_V,
            channel_labels=names,
            position_um=culture.map.position_um[:n, :2].copy(),
        ),
        spikes=recorded_spikes(culture, np.concatenate(when), np.concatenate(who), seconds=seconds, labels=names),
        truth=recorded_truth(culture, names),
        layout=_layout(culture, names, np.stack([np.arange(n), np.full(n, -1)], axis=1)),
        channel_state=frozen(np.zeros(n, dtype=np.uint8)),
        coupling=frozen(np.stack([np.ones(n), np.zeros(n)], axis=1)),
        drops=frozen(np.zeros((0, 2), dtype=np.int64)),
    )


def channel_labels(culture: Culture) -> tuple[str, ...]:
    """Return the name of every pad: its row and column."""
    grid = culture.options.grid
    return tuple(f"r{row}c{column}" for row in range(grid.n_rows) for column in range(grid.n_columns))


def neuron_labels(culture: Culture) -> tuple[str, ...]:
    """Return the name of every recorded neuron: that of its pad, with "b" behind it for the second on a pad."""
    names = channel_labels(culture)
    seen: set[int] = set()
    labels: list[str] = []
    for pad in culture.pad:
        labels.append(names[pad] + ("b" if int(pad) in seen else ""))
        seen.add(int(pad))
    return tuple(labels)


def recorded_truth(culture: Culture, labels: tuple[str, ...]) -> SynapseMap:
    """Return the synapses between recorded neurons."""
    whole, n = culture.map, culture.n_recorded
    keep = (whole.pre < n) & (whole.post < n)
    return synapse_map(
        n_neurons=n,
        pre=whole.pre[keep],
        post=whole.post[keep],
        weight_v=whole.weight_v[keep],
        delay_s=whole.delay_s[keep],
        kind=whole.kind[keep],
        labels=labels,
        position_um=whole.position_um[:n],
        sign=whole.sign[:n],
        model=whole.model[:n],
        extra={name: column[keep] for name, column in whole.extra.items()},
        provenance=whole.provenance,
    )


def hidden_input_share(culture: Culture) -> Float64[ndarray, " recorded"]:
    """Return for each recorded neuron the share of its summed |input| that comes from hidden neurons."""
    whole, n = culture.map, culture.n_recorded
    mine, size_v = whole.post < n, np.abs(whole.weight_v)
    hidden = mine & (whole.pre >= n)
    total_v = np.bincount(whole.post[mine], size_v[mine], minlength=n)
    hidden_v = np.bincount(whole.post[hidden], size_v[hidden], minlength=n)
    return np.divide(hidden_v, total_v, out=np.zeros(n), where=total_v > 0)


def _layout(culture: Culture, channels: tuple[str, ...], inside: Int64[ndarray, "channels two"]) -> Layout:
    return Layout(
        channel_labels=channels,
        channel_neuron=inside,
        n_hidden=culture.options.n_neurons - culture.n_recorded,
        hidden_input_share=hidden_input_share(culture),
    )


def recorded_spikes(
    culture: Culture, frame: ndarray, neuron: ndarray, *, seconds: float, labels: tuple[str, ...]
) -> SpikeTrains:
    """Return the true spikes of the recorded neurons; a spike's time is that of its frame."""
    step_s = culture.options.step_s
    mine = neuron < culture.n_recorded
    return spike_trains(
        time_s=frame[mine] * step_s,
        neuron=neuron[mine],
        n_neurons=culture.n_recorded,
        epochs_s=np.array([[0.0, n_frames(culture.options, seconds) * step_s]]),
        labels=labels,
    )


def _require_room(n_bytes: int) -> None:
    if n_bytes > _LARGEST_BYTES:
        raise CultureError(
            f"The recording has {n_bytes / 1e9:.1f} GB, more than the {_LARGEST_BYTES / 1e9:.1f} GB kept in memory. "
            "Record fewer seconds or write it to a file with write_culture."
        )
