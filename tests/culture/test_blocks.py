"""Blocks of neurons: what is kept in them comes back, and living in chunks is living step by step."""

import numpy as np
import pytest

from neurograft.culture import Culture
from neurograft.culture._blocks import (
    CURRENT,
    N_SHARED,
    NOISE_A,
    gather_blocks,
    keep_of_noise,
    push,
    scatter_blocks,
    steps_alone,
)
from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps
from neurograft.culture._lanes import LANES, N_DESK_ROWS, draw_pairs, load_rows


def noisy(culture: Culture):
    """Return a drive strong enough that neurons fire within some tens of milliseconds."""
    n = culture.cells.rest_v.size
    push_a = 30e-3 * culture.cells.rest_siemens[None, :]
    return no_drive(culture.cells)._replace(current_a=push_a, noise_keep=0.98, noise_a=np.full(n, 20e-12))


@pytest.mark.compiled
def test_living_in_chunks_is_living_step_by_step(tiny: Culture) -> None:
    drive = noisy(tiny)
    whole = at_rest(tiny.cells, tiny.wires, seed=3)
    seen = run_steps(tiny.options.family, tiny.cells, tiny.wires, whole, drive, n_steps=601)
    assert np.unique(seen.spike_neuron).size > 3  # synapses had something to pass on
    assert np.all(np.diff(seen.spike_step) >= 0)
    single, traces, spikes = at_rest(tiny.cells, tiny.wires, seed=3), [], []
    for step in range(601):
        single.is_sent[:] = 1  # and all buffers are looked at
        one = run_steps(tiny.options.family, tiny.cells, tiny.wires, single, drive, n_steps=1)
        traces.append(one.trace_v[:, 0])
        spikes += [(step, neuron) for neuron in one.spike_neuron]
    assert spikes == list(zip(seen.spike_step.tolist(), seen.spike_neuron.tolist(), strict=True))
    # What has decayed is taken to 0 at the end of a chunk, which rounds: parts in 10^16 a step.
    assert seen.trace_v == pytest.approx(np.array(traces).T, abs=1e-7)
    assert single.v == pytest.approx(whole.v, abs=1e-10)


def test_a_spike_reaches_nobody_while_blocks_live_alone(tiny: Culture) -> None:
    assert steps_alone(tiny.wires) == tiny.wires.delay_steps.min() >= 7  # latency of 0.7 ms
    joined = tiny.wires._replace(gap_siemens=np.array([1e-9]))
    assert steps_alone(joined) == 1
    assert steps_alone(no_wires(tiny.cells, step_s=1e-4, nmda_ratio=0.0)) > 1


def test_state_that_goes_into_blocks_comes_back(tiny: Culture) -> None:
    cells = tiny.cells.take(np.arange(LANES + 3) % 6)
    state = at_rest(cells, no_wires(cells, step_s=1e-4, nmda_ratio=0.0))
    rng = np.random.default_rng(0)
    for field in (state.v, state.gates, state.noise):
        field[:] = rng.random(field.shape)
    state.since_spike[:] = rng.integers(0, 1000, state.v.size)
    state.noise_pair[:] = rng.random(state.noise_pair.shape)
    names = ("v", "gates", "noise", "since_spike", "noise_words", "noise_pair")
    before = {name: getattr(state, name).copy() for name in names}
    blocks = gather_blocks(cells, state, no_drive(cells), N_SHARED)
    for name in names:
        getattr(state, name)[:] = 0
    scatter_blocks(state, *blocks)
    assert all(np.array_equal(getattr(state, name), before[name]) for name in names)


def test_noise_equals_its_slow_twin(tiny: Culture) -> None:
    n, keep = 6, 0.9
    state = at_rest(tiny.cells, tiny.wires, seed=1)
    drive = no_drive(tiny.cells)._replace(noise_keep=keep, noise_a=1e-12 * (1 + np.arange(n)))
    rows, words, pair = gather_blocks(tiny.cells, state, drive, N_SHARED)
    twin_words = np.zeros(4 * LANES, dtype=np.uint32)
    load_rows(state.noise_words, 0, n, twin_words)
    bits, z = np.empty(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty(2 * LANES, dtype=np.float32)
    driven, noise = np.linspace(0, 1e-12, n), np.zeros(n)
    assert rows[0, NOISE_A * LANES + 5] == 6e-12
    for step in range(5):
        if step % 2 == 0:
            draw_pairs(twin_words, n, bits, bits.view(np.int32), bits.view(np.float32), z)
        noise = keep * noise + np.sqrt(1 - keep**2) * z.reshape(2, LANES)[step % 2, :n]
        rows[0, CURRENT * LANES : CURRENT * LANES + n] = 0
        push(rows[0], words[0], pair[0], keep_of_noise(drive), driven, bits.copy(), step % 2, n)
        assert rows[0, CURRENT * LANES : CURRENT * LANES + n] == pytest.approx(driven + drive.noise_a * noise)


def test_no_noise_is_drawn_where_no_neuron_has_any(tiny: Culture) -> None:
    assert keep_of_noise(no_drive(tiny.cells)) < 0
    assert keep_of_noise(noisy(tiny)) == 0.98
    state = at_rest(tiny.cells, tiny.wires, seed=1)
    words = state.noise_words.copy()
    run_steps(tiny.options.family, tiny.cells, tiny.wires, state, no_drive(tiny.cells), n_steps=2)
    assert np.array_equal(state.noise_words, words)
