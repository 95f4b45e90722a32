"""Hodgkin-Huxley neurons whose sodium and potassium channels are counted, so that they are never still.

C dv/dt = g_L (E_L - v) + g_Na (m^3 h + noise) (E_Na - v) + g_K (n^4 + noise) (E_K - v) + g_M p (E_K - v) + I.
Membrane and densities: Brette et al. (2007), benchmark 3 (Traub and Miles), with a leak twice as large (time
constant 10 ms), rest at -66 mV and V_T at -58 mV (our choice); the slow current g_M adapts excitatory cells
(Pospischil et al. 2008).  The number of channels is conductance / ``channel_siemens``: 20 pS is usual (Hille 2001).
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Bool, Float64
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
    push,
    scatter_blocks,
    show_block,
    steps_alone,
)
from neurograft.culture._cells import Advance, Cells
from neurograft.culture._channels import (
    N_POTASSIUM_TERMS,
    N_SODIUM_TERMS,
    TABLE_SIZE,
    fill_normals,
    fill_table,
    gate_rates,
    potassium_noise,
    slow_gate,
    sodium_noise,
    table_place,
)
from neurograft.culture._lanes import LANES, N_DESK_ROWS
from neurograft.culture._synapses import arrivals, receive, receptors, send, settle_gates
from neurograft.units import MV

_INHIBITION_V = -82 * MV
_SODIUM_V, _POTASSIUM_V = 50 * MV, -90 * MV
_CAPACITANCE_F_PER_UM2 = 1e-14  # 1 uF/cm^2
# area (um^2), leak, sodium, potassium, slow potassium (S per um^2), leak's reversal, V_T
_EXCITATORY = (10_000.0, 1e-12, 1e-9, 0.3e-9, 0.5e-12, -66e-3, -58e-3)
_INHIBITORY = (7_000.0, 1.2e-12, 1e-9, 0.3e-9, 0.0, -66e-3, -58e-3)
_SPIKE_V, _REFRACTORY_S = -10 * MV, 1.5e-3  # a rise through this potential is a spike, once a refractory time
_THRESHOLD_ABOVE_VT = 9 * MV  # about where a slow ramp fires it
_FIRST_NOISE = 4  # rows of aux: m h n p, then the noise of sodium and potassium channels
_N_AUX = _FIRST_NOISE + N_SODIUM_TERMS + N_POTASSIUM_TERMS
_N_ROWS = N_SHARED


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HodgkinHuxley:
    """Conductance-based neurons with channel noise; ``n_substeps`` shorter steps are made within each step."""

    log_spread: float = 0.12  # standard deviation of ln(area) between neurons
    spread_v: float = 1.0 * MV  # of rest and threshold
    channel_siemens: float = 20e-12  # of one open channel; larger is noisier, 0 switches the noise off
    n_substeps: int = 2

    @property
    def name(self) -> str:
        """The name by which the command line asks for it."""
        return "hh"

    def cells(self, is_excitatory: Bool[ndarray, " neurons"], rng: Generator) -> Cells:
        """Return parameters of neurons, every one a little different.

        Rows of ``own``: capacitance, g_L, g_Na, g_K, g_M, E_L, V_T, channels of Na, of K, substeps.
        """
        n = is_excitatory.size
        chosen = np.where(is_excitatory, np.array(_EXCITATORY)[:, None], np.array(_INHIBITORY)[:, None])
        area = chosen[0] * np.exp(self.log_spread * rng.standard_normal(n))
        g = chosen[1:5] * area
        reversal = chosen[5:7] + self.spread_v * np.clip(rng.standard_normal((2, n)), -3, 3)
        count = g[1:3] / self.channel_siemens if self.channel_siemens > 0 else np.zeros((2, n))
        substeps = np.full((1, n), float(self.n_substeps))
        own = np.concatenate([_CAPACITANCE_F_PER_UM2 * area[None], g, reversal, np.rint(count), substeps])
        rest_v = _rest_v(own)
        slope = (steady_current_a(own, rest_v + 1e-5) - steady_current_a(own, rest_v - 1e-5)) / 2e-5
        aux = np.zeros((_N_AUX, n))
        aux[:4] = gates_at(rest_v, own[6])
        return Cells(
            is_excitatory=is_excitatory,
            rest_v=rest_v,
            rest_siemens=slope,
            membrane_s=own[0] / slope,
            threshold_v=own[6] + _THRESHOLD_ABOVE_VT,
            inhibition_v=np.full(n, _INHIBITION_V),
            own=own,
            aux_at_rest=aux,
        )

    @property
    def advance(self) -> Advance:
        """The kernel."""
        return _advance


def gates_at(v: Float64[ndarray, " neurons"], v_t: Float64[ndarray, " neurons"]) -> Float64[ndarray, "4 neurons"]:
    """Return open probabilities of m, h, n, p at a potential held for long."""
    columns: list[list[float]] = []
    for potential, shift in zip(v, v_t, strict=True):
        up_m, down_m, up_h, down_h, up_n, down_n = gate_rates(1e3 * float(potential - shift))
        slow = slow_gate(1e3 * float(potential))[0]
        columns.append([up_m / (up_m + down_m), up_h / (up_h + down_h), up_n / (up_n + down_n), slow])
    return np.array(columns).T


def steady_current_a(own: ndarray, v: Float64[ndarray, " neurons"]) -> Float64[ndarray, " neurons"]:
    """Return the current out of the membrane at a potential held for long, without noise."""
    m, h, n, p = gates_at(v, own[6])
    potassium = own[3] * n**4 + own[4] * p
    return own[1] * (v - own[5]) + own[2] * m**3 * h * (v - _SODIUM_V) + potassium * (v - _POTASSIUM_V)


def _rest_v(own: ndarray) -> Float64[ndarray, " neurons"]:
    """Return where the steady current is zero, by bisection below threshold."""
    low, high = np.full(own.shape[1], -0.09), own[6] + 4 * MV
    for _ in range(60):
        middle = 0.5 * (low + high)
        outward = steady_current_a(own, middle) > 0
        low, high = np.where(outward, low, middle), np.where(outward, middle, high)
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
@no_type_check
def _advance(cells, wires, state, drive, seen, n_steps):
    n, mask = state.v.size, wires.n_slots - 1
    rows, words, pair = gather_blocks(cells, state, drive, _N_ROWS)
    n_substeps = int(cells.own[9, 0])
    table = np.empty((TABLE_SIZE, 6))
    fill_table(wires.step_s / n_substeps, table)
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
                for q in range(n_lanes):
                    row[SINCE * LANES + q] += 1.0
                    row[SHOWN * LANES + q] = row[V * LANES + q]
                for _ in range(n_substeps):
                    _substep(row, own, table, step_s / n_substeps, state, start, n_lanes)
                n_fired = _fire(row, step_s, start, n_lanes, s, fired_step, fired, n_fired)
                keep_shown(row, tile[s], n_lanes)
            settle_gates(row)
            show_block(tile, start, n_lanes, begin, n_now, seen.trace_v)
            next_v[start : start + n_lanes] = row[SHOWN * LANES : SHOWN * LANES + n_lanes]
        state.seen_v[:] = next_v
        n_spikes = send(cells, wires, state, fired_step, fired, n_fired, n_now, seen, begin, n_spikes)
    scatter_blocks(state, rows, words, pair)
    return n_spikes


@njit(cache=True)
@no_type_check
def _fire(row, step_s, start, n_lanes, s, fired_step, fired, n_fired):
    """Note the lanes that rose through the spike potential, and show the new potential of all."""
    for q in range(n_lanes):
        before, v = row[SHOWN * LANES + q], row[V * LANES + q]
        row[SHOWN * LANES + q] = v
        if before < _SPIKE_V <= v and row[SINCE * LANES + q] * step_s > _REFRACTORY_S:
            row[SINCE * LANES + q] = 0.0
            fired_step[n_fired], fired[n_fired] = s, start + q
            n_fired += 1
    return n_fired


@njit(cache=True, error_model="numpy")
@no_type_check
def _substep(row, own, table, step_s, state, start, n_lanes):
    """Advance a block by a substep: gates first, then the potential, both by exponential Euler.

    ``aux`` holds all m, then all h, n and p, then the noise of sodium and of potassium channels by neuron.
    """
    capacitance, leak, g_na, g_k, g_m = own[0], own[1], own[2], own[3], own[4]
    leak_v, v_t, n_na, n_k = own[5], own[6], own[7], own[8]
    aux, n = state.aux, state.v.size
    a, b, c, k = state.channel_streams
    z = np.empty(N_SODIUM_TERMS + N_POTASSIUM_TERMS)
    for q in range(n_lanes):
        i, v = start + q, row[V * LANES + q]
        place, share = table_place(v - v_t[i])
        here, above = table[place], table[place + 1]
        keep_m = here[1] + share * (above[1] - here[1])
        keep_h = here[3] + share * (above[3] - here[3])
        keep_n = here[5] + share * (above[5] - here[5])
        goal_m = here[0] + share * (above[0] - here[0])
        goal_h = here[2] + share * (above[2] - here[2])
        goal_n = here[4] + share * (above[4] - here[4])
        gate_m = goal_m + (aux[i] - goal_m) * keep_m
        gate_h = goal_h + (aux[n + i] - goal_h) * keep_h
        gate_n = goal_n + (aux[2 * n + i] - goal_n) * keep_n
        aux[i], aux[n + i], aux[2 * n + i] = gate_m, gate_h, gate_n
        sodium, potassium = gate_m**3 * gate_h, gate_n**4
        if n_na[i] > 0.0:
            fill_normals(a, b, c, k, i, z)
            at = _FIRST_NOISE * n + i * z.size
            noise = aux[at : at + z.size]
            sodium += sodium_noise(z, noise, gate_m, gate_h, keep_m, keep_h, n_na[i])
            potassium += potassium_noise(z[N_SODIUM_TERMS:], noise[N_SODIUM_TERMS:], gate_n, keep_n, n_k[i])
            sodium, potassium = min(max(sodium, 0.0), 1.0), min(max(potassium, 0.0), 1.0)
        slow = 0.0
        if g_m[i] > 0.0:
            goal_p, tau_ms = slow_gate(1e3 * v)
            aux[3 * n + i] += (goal_p - aux[3 * n + i]) * 1e3 * step_s / tau_ms
            slow = g_m[i] * aux[3 * n + i]
        sodium, potassium = sodium * g_na[i], potassium * g_k[i] + slow
        total = leak[i] + sodium + potassium + row[SIEMENS * LANES + q]
        driven = leak[i] * leak_v[i] + sodium * _SODIUM_V + potassium * _POTASSIUM_V + row[CURRENT * LANES + q]
        goal = driven / total
        row[V * LANES + q] = goal + (v - goal) * math.exp(-step_s * total / capacitance[i])
