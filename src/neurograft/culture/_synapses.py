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
_TABLE_LOW_V, _TABLE_STEP_V, _TABLE_SIZE = -0.15, 2.5e-4, 1001  # to +100 mV
_PER_TABLE_STEP = 1.0 / _TABLE_STEP_V
# Share of NMDA receptors free of magnesium (Jahr and Stevens 1990, 1 mM).
_UNBLOCKED = 1.0 / (1.0 + np.exp(-62.0 * (_TABLE_LOW_V + _TABLE_STEP_V * np.arange(_TABLE_SIZE))) / 3.57)
_TINY = 1e-25  # added and taken away: what has decayed below 1e-41 S is 0, not a slow subnormal number
_NO_CONDUCTANCE = 1e-17  # siemens: moves no membrane by a nanovolt; the magnesium block is then not computed


@njit(cache=True)
@no_type_check
def _keep(step_s, time_s):
    return math.exp(-step_s / time_s)


@njit(cache=True)
@no_type_check
def synaptic_input(cells, wires, state, siemens, current_a):
    """Fill each neuron's synaptic conductance and its current at 0 V (I = current - siemens v); conductances age."""
    n = siemens.size
    step_s = wires.step_s
    keep_ar, keep_ad = _keep(step_s, _AMPA_RISE), _keep(step_s, _AMPA_DECAY)
    keep_nr, keep_nd = _keep(step_s, _NMDA_RISE), _keep(step_s, _NMDA_DECAY)
    keep_gr, keep_gd = _keep(step_s, _GABA_RISE), _keep(step_s, _GABA_DECAY)
    slow = wires.nmda_ratio * _NMDA_NORM
    n_slots = wires.n_slots
    now = (state.clock[0] & (n_slots - 1)) * n
    excite, inhibit, g, v = state.excite, state.inhibit, state.gates, state.v
    inhibition_v = cells.inhibition_v
    for i in range(n):
        arrived = excite[now + i] * _AMPA_NORM
        g[i] = g[i] * keep_ar + arrived + _TINY - _TINY
        g[n + i] = g[n + i] * keep_ad + arrived + _TINY - _TINY
    for i in range(n):
        arrived = excite[now + i] * slow
        g[2 * n + i] = g[2 * n + i] * keep_nr + arrived + _TINY - _TINY
        g[3 * n + i] = g[3 * n + i] * keep_nd + arrived + _TINY - _TINY
        excite[now + i] = 0.0
    for i in range(n):
        arrived = inhibit[now + i] * _GABA_NORM
        g[4 * n + i] = g[4 * n + i] * keep_gr + arrived + _TINY - _TINY
        g[5 * n + i] = g[5 * n + i] * keep_gd + arrived + _TINY - _TINY
        inhibit[now + i] = 0.0
    for i in range(n):
        exciting = g[n + i] - g[i]
        nmda = g[3 * n + i] - g[2 * n + i]
        if nmda > _NO_CONDUCTANCE:
            exciting += nmda * unblocked(v[i])
        inhibiting = g[5 * n + i] - g[4 * n + i]
        siemens[i] = exciting + inhibiting
        current_a[i] = exciting * EXCITATION_V + inhibiting * inhibition_v[i]


@njit(cache=True)
@no_type_check
def unblocked(v):
    """Return the share of NMDA receptors free of magnesium, from a table; right to 1e-5."""
    x = min(max((v - _TABLE_LOW_V) * _PER_TABLE_STEP, 0.0), _TABLE_SIZE - 1.000001)
    row = int(x)
    return _UNBLOCKED[row] + (x - row) * (_UNBLOCKED[row + 1] - _UNBLOCKED[row])


@njit(cache=True)
@no_type_check
def outside_input(wires, state, drive, row, siemens, current_a):
    """Add drive, noise and gap junctions to each neuron's conductance and current."""
    driven, noise_a, noise = drive.current_a, drive.noise_a, state.noise
    keep = drive.noise_keep
    fresh = math.sqrt(1.0 - keep * keep)
    a, b, c, k = state.noise_streams
    for i in range(siemens.size):
        current_a[i] += driven[row, i]
        if noise_a[i] > 0.0:
            bits = draw_bits(a, b, c, k, i)
            z = quick_normal(bits)
            if z == SLOW:
                z = slow_normal(a, b, c, k, i, bits)
            noise[i] = noise[i] * keep + fresh * z
            current_a[i] += noise_a[i] * noise[i]
    start, other, gap, seen_v = wires.gap_start, wires.gap_other, wires.gap_siemens, state.seen_v
    if gap.size > 0:
        for i in range(siemens.size):
            for j in range(start[i], start[i + 1]):
                siemens[i] += gap[j]
                current_a[i] += gap[j] * seen_v[other[j]]


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
                slot = ((now + delay[s]) & mask) * n + target[s]
                waiting[slot] += quantum[s] * max(size, 0.0)
