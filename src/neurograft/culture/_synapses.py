"""Kernels that all neuron families share: currents of synapses, gap junctions and noise; release of vesicles.

Conductances rise and fall as differences of exponentials, normalised to a peak of 1.  NMDA receptors are
blocked by 1 mM magnesium as in Jahr and Stevens (1990).  Vesicles deplete and facilitate as in Tsodyks and
Markram (1997), release by release: the mean over many runs is their equation.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.culture._blocks import CURRENT, EXP_A, GATES, INHIBITION, SIEMENS, V, raise_e
from neurograft.culture._lanes import LANES
from neurograft.culture._random import SLOW, draw_binomial, draw_bits, quick_normal, slow_normal

# Rise and decay, s.  AMPA and GABA-A: fast receptors near 34 degrees; NMDA: slow part.  From memory.
AMPA_S = (0.4e-3, 2.5e-3)
NMDA_S = (4e-3, 60e-3)
GABA_S = (0.5e-3, 6e-3)
EXCITATION_V = 0.0  # reversal potential of AMPA and NMDA receptors


def peak_norm(times_s: tuple[float, float]) -> float:
    """Return what scales exp(-t/decay) - exp(-t/rise) to a peak of 1."""
    rise, decay = times_s
    peak_at = rise * decay / (decay - rise) * math.log(decay / rise)
    return 1.0 / (math.exp(-peak_at / decay) - math.exp(-peak_at / rise))


_AMPA_NORM, _NMDA_NORM, _GABA_NORM = peak_norm(AMPA_S), peak_norm(NMDA_S), peak_norm(GABA_S)
_AMPA_RISE, _AMPA_DECAY = AMPA_S
_NMDA_RISE, _NMDA_DECAY = NMDA_S
_GABA_RISE, _GABA_DECAY = GABA_S
_TINY = 1e-25  # added and taken away: what has decayed below 1e-41 S is then 0
_MAGNESIUM_PER_V, _MAGNESIUM = -62.0, 1.0 / 3.57  # Jahr and Stevens 1990, 1 mM


@njit(cache=True)
@no_type_check
def receptors(wires):
    """Return what a step leaves of AMPA, NMDA and GABA-A (rise and decay each), and NMDA's share and scale."""
    step_s = wires.step_s
    return (
        math.exp(-step_s / _AMPA_RISE),
        math.exp(-step_s / _AMPA_DECAY),
        math.exp(-step_s / _NMDA_RISE),
        math.exp(-step_s / _NMDA_DECAY),
        math.exp(-step_s / _GABA_RISE),
        math.exp(-step_s / _GABA_DECAY),
        wires.nmda_ratio * _NMDA_NORM,
    )


@njit(cache=True)
@no_type_check
def age_gates(row, kept, excite, inhibit, n_lanes):
    """Let a block's conductances age by a step and take up what arrives; the arrivals are then 0."""
    keep_ar, keep_ad, keep_nr, keep_nd, keep_gr, keep_gd, slow = kept
    g = row[GATES * LANES :]
    for q in range(n_lanes):
        fast, late, calm = excite[q] * _AMPA_NORM, excite[q] * slow, inhibit[q] * _GABA_NORM
        g[q] = g[q] * keep_ar + fast
        g[LANES + q] = g[LANES + q] * keep_ad + fast
        g[2 * LANES + q] = g[2 * LANES + q] * keep_nr + late
        g[3 * LANES + q] = g[3 * LANES + q] * keep_nd + late
        g[4 * LANES + q] = g[4 * LANES + q] * keep_gr + calm
        g[5 * LANES + q] = g[5 * LANES + q] * keep_gd + calm
        excite[q] = 0.0
        inhibit[q] = 0.0


@njit(cache=True)
@no_type_check
def settle_gates(row):
    """Set conductances that have decayed to 0 before they become subnormal numbers, which are slow."""
    g = row[GATES * LANES : (GATES + 6) * LANES]
    for q in range(g.size):
        g[q] = g[q] + _TINY - _TINY


@njit(cache=True)
@no_type_check
def arrivals(excite, inhibit, is_sent, slot, block, n, n_lanes, quiet):
    """Return what reaches a block in a step; ``quiet``, two rows of zeros, where nothing was sent to it."""
    if is_sent[slot, block] == 0:
        return quiet[0, :n_lanes], quiet[1, :n_lanes]
    is_sent[slot, block] = 0
    first = slot * n + block * LANES
    return excite[first : first + n_lanes], inhibit[first : first + n_lanes]


@njit(cache=True, error_model="numpy")
@no_type_check
def receive(row, whole, kept, excite, inhibit, n_lanes):
    """Fill a block's synaptic conductances and currents at 0 V (I = current - siemens v)."""
    age_gates(row, kept, excite, inhibit, n_lanes)
    for q in range(n_lanes):
        row[EXP_A * LANES + q] = _MAGNESIUM_PER_V * row[V * LANES + q]
    raise_e(row, whole, EXP_A, n_lanes)
    g = row[GATES * LANES :]
    for q in range(n_lanes):
        unblocked = 1.0 / (1.0 + _MAGNESIUM * row[EXP_A * LANES + q])
        exciting = g[LANES + q] - g[q] + (g[3 * LANES + q] - g[2 * LANES + q]) * unblocked
        inhibiting = g[5 * LANES + q] - g[4 * LANES + q]
        row[SIEMENS * LANES + q] = exciting + inhibiting
        row[CURRENT * LANES + q] = exciting * EXCITATION_V + inhibiting * row[INHIBITION * LANES + q]


@njit(cache=True)
@no_type_check
def send(cells, wires, state, fired_step, fired, n_fired, n_steps, seen, begin, n_spikes):
    """Send vesicles of what fired in ``n_steps`` steps, step by step, note the spikes and return how many there are.

    The clock moves on by the steps.
    """
    together = np.empty(n_fired, dtype=np.int64)
    for s in range(n_steps):
        n_together = 0
        for f in range(n_fired):
            if fired_step[f] == s:
                together[n_together] = fired[f]
                n_together += 1
        release(cells, wires, state, together, n_together)
        for f in range(n_together):
            seen.spike_step[n_spikes] = begin + s
            seen.spike_neuron[n_spikes] = together[f]
            n_spikes += 1
        state.clock[0] += 1
    return n_spikes


@njit(cache=True)
@no_type_check
def release(cells, wires, state, fired, n_fired):
    """Send vesicles of the neurons that fire in this step on their way."""
    now, step_s, mask = state.clock[0], wires.step_s, wires.n_slots - 1
    start, target, delay = wires.start, wires.target, wires.delay_steps
    rest_p, left_p, last = wires.release, state.facilitated, state.last_step
    n_sites, ready, quantum = wires.n_sites, state.ready, wires.quantum_siemens
    a, b, c, k = state.release_streams
    n = state.v.size
    for f in range(n_fired):
        pre = fired[f]
        waiting = state.excite if cells.is_excitatory[pre] else state.inhibit
        for s in range(start[pre], start[pre + 1]):
            elapsed_s = (now - last[s]) * step_s
            last[s] = now
            p = rest_p[s]
            if wires.facilitation_s > 0.0:
                left = left_p[s] * math.exp(-elapsed_s / wires.facilitation_s)
                p = left + p * (1.0 - left)
                left_p[s] = p
            full = ready[s]
            refill = 1.0 if wires.recovery_s <= 0.0 else 1.0 - math.exp(-elapsed_s / wires.recovery_s)
            if refill < 1.0:
                full += draw_binomial(a, b, c, k, pre, n_sites[s] - full, refill)
            else:
                full = n_sites[s]
            released = draw_binomial(a, b, c, k, pre, full, p)
            ready[s] = full - released
            if released > 0:
                bits = draw_bits(a, b, c, k, pre)
                z = quick_normal(bits)
                if z == SLOW:
                    z = slow_normal(a, b, c, k, pre, bits)
                size = released + wires.quantum_cv * math.sqrt(released) * z
                slot = (now + delay[s]) & mask
                waiting[slot * n + target[s]] += quantum[s] * max(size, 0.0)
                state.is_sent[slot, target[s] // LANES] = 1
