"""From neurons and their coupling to what the regression works on, and which pairs it cannot test."""

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray

from neurograft.copying.intracellular._options import IntracellularOptions
from neurograft.copying.intracellular.neurons._coupling import Coupling
from neurograft.copying.intracellular.neurons._detect import Detected
from neurograft.copying.intracellular.neurons._neurons import Neurons
from neurograft.copying.intracellular.reading._thin import Thin
from neurograft.copying.intracellular.reading._timeline import Timeline
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.copying.intracellular.regression._whiten import Traces
from neurograft.maps import Undecidable
from neurograft.recordings import Recording, epochs_s
from neurograft.spikes import SpikeTrains, spike_trains

MIN_SPIKES = 8.0  # after which the target was seen: a mean over fewer potentials is not normal


def traces_of(thin: Thin, line: Timeline, cells: Neurons, gains: Coupling, options: IntracellularOptions) -> Traces:
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
    start_s = np.array(recording.segment_start_s)
    per = [cells.frames(neuron) for neuron in range(len(cells.channel))]
    return spike_trains(
        time_s=np.concatenate([start_s[f[:, 0]] + f[:, 1] / recording.rate_hz for f in per]),
        neuron=np.repeat(np.arange(len(per)), [len(f) for f in per]),
        n_neurons=len(per),
        epochs_s=epochs_s(recording),
        labels=[recording.channel_labels[c] for c in cells.channel],
    )
