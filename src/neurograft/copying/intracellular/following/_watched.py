"""Full-rate averages of pairs that may be an amplifier's, kept up with the recording from when they are suspected."""

# ruff: noqa: PLR0917  (averages are told by their parts)

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from neurograft.copying.intracellular.judging._calls import AFTER_S, BEFORE_S
from neurograft.copying.intracellular.judging._crosstalk import MIN_RATE_HZ
from neurograft.copying.intracellular.judging._triggered import RunningAverages, Span
from neurograft.copying.intracellular.neurons._neurons import Neurons
from neurograft.progress import Progress
from neurograft.recordings import Recording

_LOOK_BACK_S = 60.0  # at a pair that was no suspect before


def nobody(recording: Recording, cells: Neurons) -> RunningAverages:
    """Return the averages of no pair."""
    return RunningAverages(
        recording, cells.channel, np.empty((0, 2), dtype=np.int64), before_s=BEFORE_S, after_s=AFTER_S
    )


def watched(
    before: RunningAverages,
    recording: Recording,
    cells: Neurons,
    pairs: Int64[ndarray, "pairs 2"],
    spans: list[Span],
    n_threads: int,
    progress: Progress,
) -> RunningAverages:
    """Return averages that know of these pairs too, from the last minute of the spans that were added to the others."""
    pairs = pairs[before.places(pairs) < 0]
    if not len(pairs) or recording.rate_hz < MIN_RATE_HZ:
        return before
    new = RunningAverages(recording, cells.channel, pairs, before_s=BEFORE_S, after_s=AFTER_S)
    last: list[Span] = []
    left = round(_LOOK_BACK_S * recording.rate_hz)
    for span in spans[::-1]:
        first = max(span.first, span.stop - left)
        last.append(Span(span.segment, first, span.stop))
        left -= span.stop - first
        if left <= 0:
            break
    new.add(recording, frames_of(cells), last[::-1], n_threads=n_threads, progress=progress)
    return before.beside(new)


def frames_of(cells: Neurons) -> dict[int, Int64[ndarray, "_ 2"]]:
    """Return segment and frame of each neuron's action potentials."""
    return {neuron: cells.frames(neuron) for neuron in range(len(cells.channel))}
