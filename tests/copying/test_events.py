"""Single potentials of a recording that grows, against those of all its rows at once."""

from dataclasses import replace

import numpy as np
import pytest
from test_following_sums import BOXES, DESIGN, N_CHUNKS, PARTS, TRACES, WHITENER, WORTH

from neurograft.copying.intracellular.properties._events import RunningEvents, events
from neurograft.copying.intracellular.regression._regression import fits
from neurograft.progress import silent

PAIRS = np.array([[0, 1], [0, 2], [1, 2], [2, 0]])
COURSE = np.random.default_rng(0).standard_normal((len(PAIRS), 20))
FIT = fits(TRACES, [DESIGN], silent, whitener=WHITENER)[1][0]
ENDS = [part.first_row + len(part.volts) - part.before for part in PARTS]


def known_until(row):
    """Action potentials as they are known a little after a chunk, as far as the filter for drift sees."""
    return replace(TRACES, spike_row=tuple(train[train < row] for train in TRACES.spike_row))


@pytest.mark.parametrize("steps", [[1], [1, 2], list(range(1, N_CHUNKS))])
def test_chunks_added_as_they_come_give_what_all_at_once_give_bit_for_bit(steps):
    whole = events(TRACES, WHITENER, BOXES, FIT, WORTH, PAIRS, COURSE, silent)
    running = RunningEvents(PAIRS, COURSE)
    for first, stop in zip([0, *steps], [*steps, N_CHUNKS], strict=True):
        seen = known_until(ENDS[stop - 1] + 250)
        running.add(seen, WHITENER, BOXES, FIT, WORTH, silent, chunks=slice(first, stop))
    for found, expected in zip(running.events(TRACES, FIT), whole, strict=True):
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one, other)
        assert np.any(expected.s != 0)
