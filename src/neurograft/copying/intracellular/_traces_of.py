"""From neurons and their coupling to what the regression works on, and which pairs it cannot test."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray

from neurograft.copying.intracellular._options import IntracellularOptions, read_options
from neurograft.copying.intracellular.neurons._coupling import Coupling, coupling
from neurograft.copying.intracellular.neurons._detect import Detected, detect
from neurograft.copying.intracellular.neurons._neurons import Neurons, neurons
from neurograft.copying.intracellular.neurons._usable import require_spikes
from neurograft.copying.intracellular.reading._gather import Work
from neurograft.copying.intracellular.reading._read import Reading
from neurograft.copying.intracellular.reading._thin import Thin, thin_of
from neurograft.copying.intracellular.reading._timeline import Timeline, timeline
from neurograft.copying.intracellular.regression._design import LagBoxes, lag_boxes
from neurograft.copying.intracellular.regression._over_mean import coupling_over_mean
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import Traces
from neurograft.maps import Undecidable
from neurograft.progress import Progress
from neurograft.recordings import Recording, epochs_s
from neurograft.spikes import SpikeTrains, spike_trains

MIN_SPIKES = 8.0  # after which the target was seen: a mean over fewer potentials is not normal


class Sources(NamedTuple):
    """What the regression works on, and where it comes from."""

    found: Detected
    cells: Neurons
    gains: Coupling
    over_mean: Float64[ndarray, " channels"]  # what gains told by the running amplitude were divided by
    boxes: LagBoxes
    traces: Traces


def sources(
    recording: Recording, reading: Reading, options: IntracellularOptions, work: Work, progress: Progress
) -> Sources:
    """Return neurons, their action potentials and coupling, and their traces, of a recording that was read."""
    found = detect(recording, reading, options.detection)
    cells = neurons(recording, found)
    require_spikes(found, cells)
    gains = coupling(
        recording, cells.events, action_potential_v=options.action_potential_v, window_s=options.coupling_window_s
    )
    factor = read_options(recording, options).factor
    boxes = lag_boxes(recording.rate_hz / factor)
    line = timeline(recording, factor=factor, gap_rows=boxes.reach + 1)
    traces = replace(
        traces_of(thin_of(recording, reading, factor), line, cells, gains, options),
        memory=work.memory,
        n_threads=work.n_threads,
        library=work.library,
    )
    final = coupling_over_mean(traces, action_potential_v=options.action_potential_v, progress=progress)
    higher = np.array([before[0] / after[0] for before, after in zip(gains.gain, final.gain, strict=True)])
    return Sources(found, cells, final, higher, boxes, replace(traces, coupling=final))


def traces_of(thin: Thin, line: Timeline, cells: Neurons, gains: Coupling, options: IntracellularOptions) -> Traces:
    """Return every neuron's trace and the rows of its action potentials."""
    rows: list[ndarray] = []
    for neuron in range(len(cells.channel)):
        segment, frame = cells.frames(neuron).T
        mine = line.row_of(segment, frame)
        rows.append(np.unique(mine))  # a second spike within one row is a doublet at most: one entry
    artefact = line.row_of(cells.artefact[:, 0], cells.artefact[:, 1])
    return Traces(
        thin=thin,
        line=line,
        channel=cells.channel,
        coupling=gains,
        spike_row=tuple(rows),
        artefact_row=np.unique(artefact),
        options=options.whitening,
    )


def scale_v(found: Detected, cells: Neurons, gains: Coupling) -> Float64[ndarray, " neurons"]:
    """Return how much each neuron's trace moves in 2 ms, in membrane volts; 1 V where it does not move."""
    volts = [found.noise_v[c] * float(np.median(gains.gain[c])) for c in cells.channel]
    return np.where(np.array(volts) > 0, volts, 1.0)


def untestable(cells: Neurons, gains: Coupling, fit_: Fit) -> UInt8[ndarray, "pre post"]:
    """Return the reason for every pair that cannot be tested at all, and DECIDED for the others."""
    n = len(cells.channel)
    code = np.full((n, n), Undecidable.DECIDED, dtype=np.uint8)
    code[fit_.n_seen() < MIN_SPIKES] = Undecidable.TOO_FEW_SPIKES
    code[fit_.n_spikes == 0, :] = Undecidable.SILENT
    code[:, ~gains.is_known[cells.channel]] = Undecidable.SILENT
    code[cells.shared] = Undecidable.SHARED_PAD
    bad = cells.is_bad[cells.channel]
    code[bad, :] = code[:, bad] = Undecidable.BAD_CHANNEL
    np.fill_diagonal(code, Undecidable.DECIDED)
    return code


def spikes_of(recording: Recording, cells: Neurons) -> SpikeTrains:
    """Return the action potentials of all neurons, labelled by channel."""
    start_s = np.array(recording.segment_start_s)
    per = [cells.frames(neuron) for neuron in range(len(cells.channel))]
    return spike_trains(
        time_s=np.concatenate([start_s[f[:, 0]] + f[:, 1] / recording.rate_hz for f in per]),
        neuron=np.repeat(np.arange(len(per)), [len(f) for f in per]),
        n_neurons=len(per),
        epochs_s=epochs_s(recording),
        labels=[recording.channel_labels[c] for c in cells.channel],
    )
