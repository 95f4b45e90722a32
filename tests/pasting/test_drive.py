"""Windows of the short-term state, and the pulses that they make."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurograft.cells import ExactWriter, plastic_state
from neurograft.errors import OptionError
from neurograft.pasting import SecondOrder
from neurograft.pasting._drive import DECOY_TICKS, Crossbar, Past, drive
from neurograft.pasting._front_end import Ticks

TICK_S = 1e-3


def _windows_slowly(trace, tick, channel, state):
    """Return each spike's sums as the module's text says them, a spike at a time."""
    kernel, first = state.kernel(TICK_S), state.first_tick(TICK_S)
    decay = np.exp(-TICK_S / state.decay_s)
    out = []
    for i in range(tick.size):
        mine = np.flatnonzero((channel == channel[i]) & (np.arange(tick.size) > i))
        gap = tick[mine[0]] - tick[i] if mine.size else 10**9
        level, last = 0.0, None
        for j in range(i + 1):
            if channel[j] == channel[i]:
                level = 1.0 + (level * decay ** (tick[j] - last) if last is not None and state.adds_up else 0.0)
                last = tick[j]
        total = np.zeros(trace.shape[1])
        for k in range(min(kernel.size, gap)):
            total += kernel[k] * level * trace[tick[i] + first + k]
            before = tick[i] - 1 - k
            if before >= 0:
                total -= state.before * kernel[k] * level * trace[before]
        out.append(total)
    return np.array(out).reshape(-1, trace.shape[1])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    before=st.sampled_from([0.0, 0.5, 1.0]),
    adds_up=st.booleans(),
    wait_s=st.sampled_from([0.0, 2e-3]),
    cuts=st.lists(st.integers(1, 399), min_size=0, max_size=4),
)
def test_windows_equal_their_slow_twin_however_the_recording_is_cut(seed, before, adds_up, wait_s, cuts):
    rng = np.random.default_rng(seed)
    state = SecondOrder(decay_s=0.003, before=before, adds_up=adds_up, wait_s=wait_s)
    trace = rng.standard_normal((400, 3)).astype(np.float32)
    tick = np.sort(rng.integers(0, 380, 40))
    channel = rng.integers(0, 3, 40)
    keep = np.unique(np.stack((tick, channel), axis=1), axis=0)  # in order of tick, then channel
    tick, channel = keep[:, 0], keep[:, 1]
    past, edges = Past(3, state, TICK_S), [0, *sorted(set(cuts)), 400]
    rows, sums = [], []
    for low, high in pairwise(edges):
        here = (tick >= low) & (tick < high)
        found = past.windows(Ticks(low == 0, trace[low:high], tick[here] - low, channel[here]))
        rows.append(found.row)
        sums.append(found.asked)
    assert np.concatenate(rows).tolist() == channel.tolist()
    assert np.concatenate(sums) == pytest.approx(_windows_slowly(trace, tick, channel, state), abs=1e-4)


def test_decoys_see_the_trace_of_before():
    trace = np.zeros((600, 2), dtype=np.float32)
    trace[300 - DECOY_TICKS + 1, 1] = 1.0
    state = SecondOrder(before=0.0)
    found = Past(2, state, TICK_S).windows(Ticks(True, trace, np.array([300]), np.array([0])))
    assert found.asked[0].tolist() == [0.0, 0.0]
    assert found.decoy[0, 1] == pytest.approx(state.kernel(TICK_S)[0])


def test_a_new_segment_forgets_the_one_before():
    state = SecondOrder(before=0.0)
    past = Past(1, state, TICK_S)
    past.windows(Ticks(True, np.ones((50, 1), dtype=np.float32), np.array([49]), np.array([0])))
    found = past.windows(Ticks(True, np.ones((50, 1), dtype=np.float32), np.array([10]), np.array([0])))
    assert found.row.size == 1
    assert found.asked[0, 0] == pytest.approx(state.kernel(TICK_S).sum())  # level 1: nothing is left


def test_the_kernel_has_size_one_and_a_first_order_cell_lives_as_long_as_the_action_potential():
    assert np.sum(SecondOrder(before=0.0).kernel(TICK_S) ** 2) == pytest.approx(1.0)
    assert 2 * np.sum(SecondOrder(before=1.0).kernel(TICK_S) ** 2) == pytest.approx(1.0)
    first = SecondOrder(decay_s=0.0, before=0.0)
    assert first.kernel(TICK_S).size == 2
    assert first.first_tick(TICK_S) == 0
    assert SecondOrder(wait_s=2e-3).first_tick(TICK_S) == 3


def test_each_spike_moves_its_own_row_and_no_other():
    writer = ExactWriter(window_siemens=(0.0, 1.0))
    n = 6
    state = plastic_state(np.full(n, 0.5), writer)
    bar = Crossbar(state, 2, np.ones(n, dtype=np.float32), np.full(n, 0.5, dtype=np.float32))
    wanted = np.array([[0.1, -0.1], [0.1, 0.2]])
    drive(bar, np.array([2, 0]), wanted, writer, np.random.default_rng(0))
    # downward pulses have half the effect here
    assert state.g_siemens == pytest.approx([0.6, 0.7, 0.5, 0.5, 0.6, 0.45])


def test_a_rows_spikes_come_one_after_the_other():
    writer = ExactWriter(window_siemens=(0.0, 1.0))
    state = plastic_state(np.array([0.9]), writer)
    bar = Crossbar(state, 1, np.ones(1, dtype=np.float32), np.ones(1, dtype=np.float32))
    drive(bar, np.array([0, 0]), np.array([[0.3], [-0.2]]), writer, np.random.default_rng(0))
    assert state.g_siemens[0] == pytest.approx(0.8)  # up to the end first; the other order gives 1.0


@pytest.mark.parametrize("change", [{"decay_s": -1.0}, {"reach": 0.0}, {"before": 2.0}, {"wait_s": 1.0}])
def test_impossible_states_are_refused(change):
    with pytest.raises(OptionError, match=next(iter(change))):
        replace(SecondOrder(), **change)


def test_what_is_left_open_is_decided_by_the_recording():
    calm, bursting = (SecondOrder().for_recording(loud_share=x, is_pad=False) for x in (0.01, 0.1))
    assert (calm.before, bursting.before) == (0.0, 1.0)
    assert calm.wait_s == 0.0
    assert SecondOrder().for_recording(loud_share=0.0, is_pad=True).wait_s == 2e-3
    told = SecondOrder(before=0.5, wait_s=1e-3)
    assert told.for_recording(loud_share=1.0, is_pad=True) == told
