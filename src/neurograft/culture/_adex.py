"""Adaptive exponential integrate-and-fire neurons (Brette and Gerstner 2005), with a drawn action potential.

C dv/dt = g_L (E_L - v) + g_L D exp((v - V_T) / D) - w + I;  tau_w dw/dt = a (v - E_L) - w;
at a spike v is held at V_r for the refractory time and w grows by b.  A pad sees an action potential of
about 100 mV (Ham 2021, figure 2) drawn over the refractory time as an alpha function.

Parameters: regular-spiking excitatory and fast-spiking inhibitory cells of cultures, chosen (from memory)
inside the ranges of Naud et al. 2008, table 1; the membrane is quick (10 and 8 ms) because potentials are
gone in 10-15 ms in Ham 2021.
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
    EXP_B,
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
    raise_e,
    scatter_blocks,
    show_block,
    steps_alone,
)
from neurograft.culture._cells import AP_SAMPLES, Advance, Cells
from neurograft.culture._lanes import LANES, N_DESK_ROWS
from neurograft.culture._synapses import arrivals, receive, receptors, send, settle_gates
from neurograft.units import MV

_INHIBITION_V = -82 * MV
_W, _LEAK, _REST, _THRESHOLD, _PER_SLOPE, _UPSTROKE = (N_SHARED + k for k in range(6))
_SPIKE, _A, _STEP_PER_TAU_W, _REFRACTORY, _STEP_PER_FARAD = (N_SHARED + k for k in range(6, 11))
_N_ROWS = N_SHARED + 11
# capacitance, leak, rest, threshold, slope, reset, spike, a, tau_w, b, refractory, action potential's height, peak
_EXCITATORY = (100e-12, 10e-9, -68e-3, -50e-3, 2e-3, -60e-3, -35e-3, 1e-9, 150e-3, 25e-12, 2.5e-3, 104e-3, 0.3e-3)
_INHIBITORY = (64e-12, 8e-9, -67e-3, -51e-3, 1e-3, -62e-3, -38e-3, 0.0, 50e-3, 3e-12, 1.6e-3, 98e-3, 0.18e-3)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveExponential:
    """Adaptive exponential neurons; spreads are standard deviations between neurons."""

    log_spread: float = 0.15  # of capacitance, leak and adaptation
    spread_v: float = 1.5 * MV  # of rest and threshold

    @property
    def name(self) -> str:
        """The name by which the command line asks for it."""
        return "adex"

    def cells(self, is_excitatory: Bool[ndarray, " neurons"], rng: Generator) -> Cells:
        """Return parameters of neurons, every one a little different."""
        n = is_excitatory.size
        own = np.where(is_excitatory, np.array(_EXCITATORY)[:, None], np.array(_INHIBITORY)[:, None])
        for row in (0, 1, 9, 12):
            own[row] *= np.exp(self.log_spread * rng.standard_normal(n))
        for row in (2, 3):
            own[row] += self.spread_v * np.clip(rng.standard_normal(n), -3, 3)
        own[11] += 4 * MV * np.clip(rng.standard_normal(n), -3, 3)
        rest_siemens = own[1] + own[7]
        return Cells(
            is_excitatory=is_excitatory,
            rest_v=own[2].copy(),
            rest_siemens=rest_siemens,
            membrane_s=own[0] / own[1],
            threshold_v=own[3].copy(),
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
def drawn_height(since_s, peak_s):
    """Return the drawn action potential as a share of its height, an alpha function."""
    return since_s / peak_s * math.exp(1.0 - since_s / peak_s)


@njit(cache=True)
@no_type_check
def _gather(cells, state, wires, rows):
    """Fill the family's own rows: adaptation, and what a step needs of the parameters."""
    n, step_s, own = state.v.size, wires.step_s, cells.own
    for i in range(n):
        row, q = rows[i // LANES], i % LANES
        row[_W * LANES + q] = state.aux[i]
        row[_STEP_PER_FARAD * LANES + q] = step_s / own[0, i]
        row[_LEAK * LANES + q], row[_REST * LANES + q] = own[1, i], own[2, i]
        row[_THRESHOLD * LANES + q], row[_PER_SLOPE * LANES + q] = own[3, i], 1.0 / own[4, i]
        row[_UPSTROKE * LANES + q] = own[1, i] * own[4, i]
        row[_SPIKE * LANES + q], row[_A * LANES + q] = own[6, i], own[7, i]
        row[_STEP_PER_TAU_W * LANES + q], row[_REFRACTORY * LANES + q] = step_s / own[8, i], own[10, i] / step_s


@njit(cache=True, nogil=True)
@no_type_check
def _advance(cells, wires, state, drive, seen, n_steps):
    n, mask = state.v.size, wires.n_slots - 1
    rows, words, pair = gather_blocks(cells, state, drive, _N_ROWS)
    _gather(cells, state, wires, rows)
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
                n_over = _step(row, whole, n_lanes)
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
        state.aux[i] = rows[i // LANES, _W * LANES + i % LANES]
    return n_spikes


@njit(cache=True, error_model="numpy")
@no_type_check
def _step(row, whole, n_lanes):
    """Advance a block by a step and return how many are over their spike potential.

    Exponential Euler for what is linear in v, Euler for the spike's upstroke and for w;
    exp(-x) = (12 - 6x + x^2) / (12 + 6x + x^2) to x^5 / 720 (Pade), and x is below 0.2.
    """
    for q in range(n_lanes):
        above = row[V * LANES + q] - row[_THRESHOLD * LANES + q]
        row[EXP_B * LANES + q] = above * row[_PER_SLOPE * LANES + q]
    raise_e(row, whole, EXP_B, n_lanes)
    n_over = 0
    for q in range(n_lanes):
        old, w, leak, rest = row[V * LANES + q], row[_W * LANES + q], row[_LEAK * LANES + q], row[_REST * LANES + q]
        since = row[SINCE * LANES + q] + 1.0
        total = leak + row[SIEMENS * LANES + q]
        upstroke = row[_UPSTROKE * LANES + q] * row[EXP_B * LANES + q]
        per_farad = row[_STEP_PER_FARAD * LANES + q]
        goal = leak * rest + upstroke - w + row[CURRENT * LANES + q] - total * old
        x = total * per_farad
        moved = old + goal * 12.0 * per_farad / (12.0 + x * (6.0 + x))
        v = moved if since > row[_REFRACTORY * LANES + q] else old
        row[V * LANES + q], row[SHOWN * LANES + q], row[SINCE * LANES + q] = v, v, since
        row[_W * LANES + q] = w + row[_STEP_PER_TAU_W * LANES + q] * (row[_A * LANES + q] * (old - rest) - w)
        n_over += v > row[_SPIKE * LANES + q]
    return n_over


@njit(cache=True)
@no_type_check
def _fire(row, own, start, n_lanes, s, fired_step, fired, n_fired):
    """Reset the lanes that are over their spike potential; return how many have fired in all."""
    for q in range(n_lanes):
        if row[V * LANES + q] > row[_SPIKE * LANES + q]:
            row[V * LANES + q] = row[SHOWN * LANES + q] = own[5, start + q]
            row[_W * LANES + q] += own[9, start + q]
            row[SINCE * LANES + q] = 0.0
            fired_step[n_fired], fired[n_fired] = s, start + q
            n_fired += 1
    return n_fired


@njit(cache=True)
@no_type_check
def _draw_spikes(row, own, step_s, start, n_lanes):
    """Draw action potentials over what the lanes that fired not long ago show."""
    for q in range(n_lanes):
        since = row[SINCE * LANES + q]
        if since < AP_SAMPLES:
            i = start + q
            height = own[11, i] + own[2, i] - own[5, i]
            row[SHOWN * LANES + q] += height * drawn_height((since + 1.0) * step_s, own[12, i])
