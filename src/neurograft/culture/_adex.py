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

from neurograft.culture._cells import AP_SAMPLES, Advance, Cells
from neurograft.culture._synapses import outside_input, release, synaptic_input
from neurograft.units import MV

_INHIBITION_V = -82 * MV
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


@njit(cache=True, nogil=True)
@no_type_check
def _advance(cells, wires, state, drive, seen, n_steps):
    n = state.v.size
    siemens, current_a, fired = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    step_s = wires.step_s
    per_slope_v, per_farad, per_tau_w = 1.0 / cells.own[4], step_s / cells.own[0], step_s / cells.own[8]
    n_spikes = 0
    for step in range(n_steps):
        synaptic_input(cells, wires, state, siemens, current_a)
        outside_input(wires, state, drive, step // drive.steps_per_row, siemens, current_a)
        n_fired = _step(cells.own, step_s, per_slope_v, per_farad, per_tau_w, state, siemens, current_a, fired)
        release(cells, wires, state, fired, n_fired)
        _show(cells.own, wires.step_s, state.v, state.since_spike, state.seen_v, seen.trace_v, step)
        for f in range(n_fired):
            seen.spike_step[n_spikes] = step
            seen.spike_neuron[n_spikes] = fired[f]
            n_spikes += 1
        state.clock[0] += 1
    return n_spikes


@njit(cache=True, error_model="numpy")
@no_type_check
def _step(own, step_s, per_slope_v, per_farad, per_tau_w, state, siemens, current_a, fired):
    """Advance all neurons: exponential Euler for what is linear in v, Euler for the spike's upstroke.

    exp(-x) = (12 - 6x + x^2) / (12 + 6x + x^2) to x^5 / 720 (Pade), and x is below 0.2.
    """
    leak, rest_v, threshold_v, slope_v = own[1], own[2], own[3], own[4]
    reset_v, spike_v, a, b, refractory_s = own[5], own[6], own[7], own[9], own[10]
    v, w, since_spike = state.v, state.aux, state.since_spike
    n_fired = 0
    for i in range(v.size):
        since_spike[i] += 1
        old = v[i]
        if since_spike[i] * step_s > refractory_s[i]:
            upstroke = leak[i] * slope_v[i] * math.exp((old - threshold_v[i]) * per_slope_v[i])
            total = leak[i] + siemens[i]
            x = total * per_farad[i]
            goal = leak[i] * rest_v[i] + upstroke - w[i] + current_a[i] - total * old
            v[i] = old + goal * 12.0 * x / (total * (12.0 + x * (6.0 + x)))
        w[i] += per_tau_w[i] * (a[i] * (old - rest_v[i]) - w[i])
        if v[i] > spike_v[i]:
            v[i] = reset_v[i]
            w[i] += b[i]
            since_spike[i] = 0
            fired[n_fired] = i
            n_fired += 1
    return n_fired


@njit(cache=True)
@no_type_check
def _show(own, step_s, v, since_spike, seen_v, trace_v, step):
    """Fill what a pad sees: the potential, with the action potential drawn over it."""
    rest_v, reset_v, height_v, peak_s = own[2], own[5], own[11], own[12]
    for i in range(v.size):
        shown = v[i]
        if since_spike[i] < AP_SAMPLES:
            since_s = (since_spike[i] + 1) * step_s
            shown += (height_v[i] + rest_v[i] - reset_v[i]) * drawn_height(since_s, peak_s[i])
        seen_v[i] = shown
        trace_v[i, step] = shown
