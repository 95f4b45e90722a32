"""Izhikevich's quadratic neurons in their form with units (Izhikevich 2007, chapter 8).

C dv/dt = k (v - v_r)(v - v_t) - u + I;  du/dt = a (b (v - v_r) - u); at v_peak: v = c, u = u + d.
Parameters: regular-spiking and low-threshold-spiking cells of that chapter (from memory).
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Bool
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._blocks import (
    CURRENT,
    N_SHARED,
    SHOWN,
    SIEMENS,
    SINCE,
    V,
    gather_blocks,
    join_gaps,
    keep_of_noise,
    keep_shown,
    n_recent,
    push,
    scatter_blocks,
    show_block,
    steps_alone,
)
from neurograft.culture._cells import AP_SAMPLES, Advance, Cells
from neurograft.culture._lanes import LANES, N_DESK_ROWS
from neurograft.culture._synapses import arrivals, receive, receptors, send, settle_gates
from neurograft.units import MV

_INHIBITION_V = -80 * MV
_U, _OWN, _N_OWN = N_SHARED, N_SHARED + 1, 10
_C, _K, _V_R, _V_T, _V_PEAK, _A, _B = (_OWN + k for k in range(7))
_N_ROWS = _OWN + _N_OWN
# C, k (A per V^2), v_r, v_t, v_peak, a (1/s), b (S), c, d (A), time constant of the drawn fall
_REGULAR = (100e-12, 0.7e-6, -60e-3, -40e-3, 35e-3, 30.0, -2e-9, -50e-3, 100e-12, 0.4e-3)
_LOW_THRESHOLD = (100e-12, 1.0e-6, -56e-3, -42e-3, 40e-3, 30.0, 8e-9, -53e-3, 20e-12, 0.25e-3)
_REFRACTORY_S = 1e-3  # so that no current fires a neuron faster than its drawn action potential


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Izhikevich:
    """Quadratic neurons; spreads are standard deviations between neurons."""

    log_spread: float = 0.12  # of capacitance, and of the jump of u at a spike
    spread_v: float = 1.5 * MV  # of rest and threshold

    @property
    def name(self) -> str:
        """The name by which the command line asks for it."""
        return "izhikevich"

    def cells(self, is_excitatory: Bool[ndarray, " neurons"], rng: Generator) -> Cells:
        """Return parameters of neurons, every one a little different."""
        n = is_excitatory.size
        own = np.where(is_excitatory, np.array(_REGULAR)[:, None], np.array(_LOW_THRESHOLD)[:, None])
        for row in (0, 8, 9):
            own[row] *= np.exp(self.log_spread * rng.standard_normal(n))
        for row in (2, 3, 4):
            own[row] += self.spread_v * np.clip(rng.standard_normal(n), -2, 2)
        k, v_r, v_t, b = own[1], own[2], own[3], own[6]
        return Cells(
            is_excitatory=is_excitatory,
            rest_v=v_r.copy(),
            rest_siemens=k * (v_t - v_r) + b,
            membrane_s=own[0] / (k * (v_t - v_r)),
            threshold_v=v_t + b / k,
            inhibition_v=np.full(n, _INHIBITION_V),
            own=own,
            aux_at_rest=np.zeros((1, n)),
        )

    @property
    def advance(self) -> Advance:
        """The kernel."""
        return _advance


@njit(cache=True)
@no_type_check
def _gather(cells, state, rows):
    """Fill the family's own rows: recovery, and the parameters."""
    for i in range(state.v.size):
        row, q = rows[i // LANES], i % LANES
        row[_U * LANES + q] = state.aux[i]
        for k in range(_N_OWN):
            row[(_OWN + k) * LANES + q] = cells.own[k, i]


@njit(cache=True, nogil=True)
@no_type_check
def _advance(cells, wires, state, drive, seen, n_steps):
    n, mask = state.v.size, wires.n_slots - 1
    rows, words, pair = gather_blocks(cells, state, drive, _N_ROWS)
    _gather(cells, state, rows)
    alone, clock, noise_keep, n_spikes = steps_alone(wires), state.clock[0], keep_of_noise(drive), 0
    bits, tile = np.empty(N_DESK_ROWS * LANES, dtype=np.uint32), np.empty((alone, LANES), dtype=np.float32)
    fired_step, fired = np.empty(n * alone, dtype=np.int64), np.empty(n * alone, dtype=np.int64)
    current_a, steps_per_row, step_s, own = drive.current_a, drive.steps_per_row, wires.step_s, cells.own
    kept, has_gaps, sent = receptors(wires), wires.gap_siemens.size > 0, (state.excite, state.inhibit, state.is_sent)
    next_v, quiet = np.empty(n), np.zeros((2, LANES))
    for begin in range(0, n_steps, alone):
        n_now, n_fired = min(alone, n_steps - begin), 0
        for block in range(rows.shape[0]):
            start = block * LANES
            n_lanes, row, whole = min(LANES, n - start), rows[block], rows[block].view(np.int64)
            for s in range(n_now):
                now = clock + begin + s
                excite, inhibit = arrivals(*sent, now & mask, block, n, n_lanes, quiet)
                receive(row, whole, kept, excite, inhibit, n_lanes)
                driven = current_a[(begin + s) // steps_per_row, start : start + n_lanes]
                push(row, words[block], pair[block], noise_keep, driven, bits, now & 1, n_lanes)
                if has_gaps:
                    join_gaps(row, wires, state.seen_v, start, n_lanes)
                n_over = _step(row, step_s, n_lanes)
                if n_over > 0:
                    n_fired = _fire(row, own, start, n_lanes, s, fired_step, fired, n_fired)
                if n_recent(row, n_lanes) > 0:
                    _draw_spikes(row, own, step_s, start, n_lanes)
                keep_shown(row, tile[s], n_lanes)
            settle_gates(row)
            show_block(tile, start, n_lanes, begin, n_now, seen.trace_v)
            next_v[start : start + n_lanes] = row[SHOWN * LANES : SHOWN * LANES + n_lanes]
        state.seen_v[:] = next_v
        n_spikes = send(cells, wires, state, fired_step, fired, n_fired, n_now, seen, begin, n_spikes)
    scatter_blocks(state, rows, words, pair)
    for i in range(n):
        state.aux[i] = rows[i // LANES, _U * LANES + i % LANES]
    return n_spikes


@njit(cache=True)
@no_type_check
def _slope(k, v_r, v_t, capacitance, siemens, current, v, u):
    return (k * (v - v_r) * (v - v_t) - u + current - siemens * v) / capacitance


@njit(cache=True, error_model="numpy")
@no_type_check
def _step(row, step_s, n_lanes):
    """Advance a block by Heun's rule, which keeps the upstroke right at 0.1 ms; return how many are at the peak."""
    n_over = 0
    for q in range(n_lanes):
        c, k, v_r, v_t = row[_C * LANES + q], row[_K * LANES + q], row[_V_R * LANES + q], row[_V_T * LANES + q]
        v_peak, siemens, current = row[_V_PEAK * LANES + q], row[SIEMENS * LANES + q], row[CURRENT * LANES + q]
        old, w = row[V * LANES + q], row[_U * LANES + q]
        since = row[SINCE * LANES + q] + 1.0
        u = w + step_s * row[_A * LANES + q] * (row[_B * LANES + q] * (old - v_r) - w)
        first = _slope(k, v_r, v_t, c, siemens, current, old, w)
        second = _slope(k, v_r, v_t, c, siemens, current, min(old + step_s * first, v_peak), u)
        moved = old + 0.5 * step_s * (first + second)
        v = moved if since * step_s > _REFRACTORY_S else old
        row[_U * LANES + q] = u
        row[V * LANES + q], row[SHOWN * LANES + q], row[SINCE * LANES + q] = v, v, since
        n_over += v >= v_peak
    return n_over


@njit(cache=True)
@no_type_check
def _fire(row, own, start, n_lanes, s, fired_step, fired, n_fired):
    """Reset the lanes that are at their peak; return how many have fired in all."""
    for q in range(n_lanes):
        if row[V * LANES + q] >= row[_V_PEAK * LANES + q]:
            row[V * LANES + q] = row[SHOWN * LANES + q] = own[7, start + q]
            row[_U * LANES + q] += own[8, start + q]
            row[SINCE * LANES + q] = 0.0
            fired_step[n_fired], fired[n_fired] = s, start + q
            n_fired += 1
    return n_fired


@njit(cache=True)
@no_type_check
def _draw_spikes(row, own, step_s, start, n_lanes):
    """Draw the fall from the peak over what the lanes that fired not long ago show."""
    for q in range(n_lanes):
        since = row[SINCE * LANES + q]
        if since < AP_SAMPLES:
            i = start + q
            row[SHOWN * LANES + q] += (own[4, i] - own[7, i]) * math.exp(-since * step_s / own[9, i])
