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

from neurograft.culture._cells import AP_SAMPLES, Advance, Cells
from neurograft.culture._synapses import outside_input, release, synaptic_input
from neurograft.units import MV

_INHIBITION_V = -80 * MV
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


@njit(cache=True, nogil=True)
@no_type_check
def _advance(cells, wires, state, drive, seen, n_steps):
    n = state.v.size
    siemens, current_a, fired = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    n_spikes = 0
    for step in range(n_steps):
        synaptic_input(cells, wires, state, siemens, current_a)
        outside_input(wires, state, drive, step // drive.steps_per_row, siemens, current_a)
        n_fired = _step(cells.own, wires.step_s, state.v, state.aux, state.since_spike, siemens, current_a, fired)
        release(cells, wires, state, fired, n_fired)
        _show(cells.own, wires.step_s, state.v, state.since_spike, state.seen_v, seen.trace_v, step)
        for f in range(n_fired):
            seen.spike_step[n_spikes] = step
            seen.spike_neuron[n_spikes] = fired[f]
            n_spikes += 1
        state.clock[0] += 1
    return n_spikes


@njit(cache=True)
@no_type_check
def _slope(k, v_r, v_t, capacitance, siemens, current, v, u):
    return (k * (v - v_r) * (v - v_t) - u + current - siemens * v) / capacitance


@njit(cache=True, error_model="numpy")
@no_type_check
def _step(own, step_s, v, u, since_spike, siemens, current_a, fired):
    """Advance all neurons by Heun's rule, which keeps the upstroke right at 0.1 ms."""
    capacitance, k, v_r, v_t, v_peak = own[0], own[1], own[2], own[3], own[4]
    a, b, c, d = own[5], own[6], own[7], own[8]
    n_fired = 0
    for i in range(v.size):
        since_spike[i] += 1
        old, w = v[i], u[i]
        u[i] = w + step_s * a[i] * (b[i] * (old - v_r[i]) - w)
        if since_spike[i] * step_s > _REFRACTORY_S:
            first = _slope(k[i], v_r[i], v_t[i], capacitance[i], siemens[i], current_a[i], old, w)
            guess = min(old + step_s * first, v_peak[i])
            second = _slope(k[i], v_r[i], v_t[i], capacitance[i], siemens[i], current_a[i], guess, u[i])
            v[i] = old + 0.5 * step_s * (first + second)
        if v[i] >= v_peak[i]:
            v[i] = c[i]
            u[i] += d[i]
            since_spike[i] = 0
            fired[n_fired] = i
            n_fired += 1
    return n_fired


@njit(cache=True)
@no_type_check
def _show(own, step_s, v, since_spike, seen_v, trace_v, step):
    """Fill what a pad sees: the potential, with the fall from the peak drawn after a spike."""
    v_peak, c, fall_s = own[4], own[7], own[9]
    for i in range(v.size):
        shown = v[i]
        if since_spike[i] < AP_SAMPLES:
            shown += (v_peak[i] - c[i]) * math.exp(-since_spike[i] * step_s / fall_s[i])
        seen_v[i] = shown
        trace_v[i, step] = shown
