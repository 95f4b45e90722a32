"""Running a family's kernel: empty wires, fresh states, and one call that returns what was seen."""

import math

import numpy as np
from numpy.random import default_rng

from neurograft.culture._cells import Cells, Drive, NeuronFamily, Seen, State, Wires
from neurograft.culture._lanes import LANES, lane_words
from neurograft.culture._random import streams

_NEVER = 1_000_000_000  # steps since a spike that was not


def no_wires(cells: Cells, *, step_s: float, nmda_ratio: float) -> Wires:
    """Return wires of neurons that do not touch."""
    n = cells.rest_v.size
    empty_i, empty_f = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Wires(
        start=np.zeros(n + 1, dtype=np.int64),
        target=empty_i,
        delay_steps=empty_i,
        quantum_siemens=empty_f,
        n_sites=empty_i,
        release=empty_f,
        quantum_cv=0.0,
        recovery_s=0.0,
        facilitation_s=0.0,
        nmda_ratio=float(nmda_ratio),
        gap_start=np.zeros(n + 1, dtype=np.int64),
        gap_other=empty_i,
        gap_siemens=empty_f,
        n_slots=1,
        step_s=float(step_s),
    )


def at_rest(cells: Cells, wires: Wires, *, seed: int = 0) -> State:
    """Return a culture in which nothing has happened yet; the seed decides all later noise."""
    n = cells.rest_v.size
    rng = default_rng(seed)
    return State(
        clock=np.zeros(1, dtype=np.int64),
        v=cells.rest_v.copy(),
        seen_v=cells.rest_v.copy(),
        since_spike=np.full(n, _NEVER, dtype=np.int64),
        aux=np.ascontiguousarray(cells.aux_at_rest).ravel().copy(),
        excite=np.zeros(n * wires.n_slots),
        inhibit=np.zeros(n * wires.n_slots),
        is_sent=np.ones((wires.n_slots, -(-n // LANES)), dtype=np.uint8),  # 1: callers may fill the buffers
        gates=np.zeros((6, n)),
        noise=np.zeros(n),
        ready=wires.n_sites.copy(),
        facilitated=np.zeros(wires.target.size),
        last_step=np.full(wires.target.size, -_NEVER, dtype=np.int64),
        noise_words=lane_words(n, rng),
        noise_pair=np.zeros((2, n), dtype=np.float32),
        release_streams=streams(n, rng),
        channel_streams=streams(n, rng),
    )


def no_drive(cells: Cells) -> Drive:
    """Return no drive and no noise."""
    n = cells.rest_v.size
    return Drive(current_a=np.zeros((1, n)), steps_per_row=1 << 62, noise_keep=0.0, noise_a=np.zeros(n))


def noise_current_a(cells: Cells, *, noise_v: float, noise_s: float) -> np.ndarray:
    """Return the noise current's standard deviation that moves a passive membrane by ``noise_v``.

    Variance of a leaky integrator under coloured noise: R^2 s^2 tau_noise / (tau_noise + tau_membrane).
    """
    return noise_v * cells.rest_siemens * np.sqrt((noise_s + cells.membrane_s) / noise_s)


def noise_keep(noise_s: float, step_s: float) -> float:
    """Return the share of coloured noise that is left after a step."""
    return math.exp(-step_s / noise_s)


def run_steps(family: NeuronFamily, cells: Cells, wires: Wires, state: State, drive: Drive, *, n_steps: int) -> Seen:
    """Return potentials and spikes of the next steps; the state moves on."""
    n = cells.rest_v.size
    room = n * (n_steps // 4 + 2)
    seen = Seen(
        trace_v=np.empty((n, n_steps), dtype=np.float32),
        spike_step=np.empty(room, dtype=np.int64),
        spike_neuron=np.empty(room, dtype=np.int64),
    )
    n_spikes = family.advance(cells, wires, state, drive, seen, n_steps)
    return Seen(seen.trace_v, seen.spike_step[:n_spikes], seen.spike_neuron[:n_spikes])
