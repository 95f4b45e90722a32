"""Full-rate averages that calls rest on: read at once, or kept up with the recording."""

import numpy as np
from test_triggered import growing, recorded

from neurograft.copying.intracellular.judging import _calls
from neurograft.copying.intracellular.judging._calls import AFTER_S, BEFORE_S, _full_rate, with_own
from neurograft.copying.intracellular.judging._triggered import RunningAverages, Span
from neurograft.copying.intracellular.neurons._detect import Events
from neurograft.copying.intracellular.neurons._neurons import Neurons
from neurograft.progress import silent


def cells_of(channel, frames):
    """Neurons whose action potentials are these."""
    neuron = np.argsort(channel)
    segment, frame = np.concatenate([frames[int(i)] for i in neuron]).T
    where = np.repeat(channel[neuron], [len(frames[int(i)]) for i in neuron])
    nothing, n = np.full(len(frame), np.nan), len(channel)
    return Neurons(
        channel=channel,
        merged_into=np.arange(n),
        events=Events(where, segment, frame, nothing, nothing, nothing),
        artefact=np.empty((0, 2), dtype=np.int64),
        is_bad=np.zeros(n, dtype=bool),
        is_outside=np.zeros(n, dtype=bool),
        shared=np.zeros((n, n), dtype=bool),
    )


def test_what_was_kept_up_is_not_read_again_and_the_rest_is():
    samples, frames, pairs, channel = growing(1)
    recording, cells = recorded(samples), cells_of(channel, frames)
    asked = with_own(pairs)
    assert asked.tolist() == [*pairs.tolist(), [0, 0], [1, 1], [2, 2], [3, 3]]
    whole = _full_rate(recording, cells, asked, None, 1, silent)
    running = RunningAverages(recording, channel, asked[:6], before_s=BEFORE_S, after_s=AFTER_S)
    running.add(recording, frames, [Span(0, 0, 5000), Span(1, 0, 2500)])
    for known in (running, RunningAverages(recording, channel, asked[:0], before_s=BEFORE_S, after_s=AFTER_S)):
        kept = _full_rate(recording, cells, asked, known, 1, silent)
        for found, expected in zip(kept, whole, strict=True):
            assert np.array_equal(found, expected, equal_nan=True)


def test_pairs_that_were_kept_up_ask_for_no_samples(monkeypatch):
    samples, frames, pairs, channel = growing(2)
    recording, cells = recorded(samples), cells_of(channel, frames)
    running = RunningAverages(recording, channel, pairs, before_s=BEFORE_S, after_s=AFTER_S)
    running.add(recording, frames, [Span(0, 0, 5000)])
    monkeypatch.setattr(_calls, "averages", None)
    found = _full_rate(recording, cells, pairs[::-1], running, 1, silent)
    assert np.array_equal(found.mean_v, running.averages().mean_v[::-1], equal_nan=True)
