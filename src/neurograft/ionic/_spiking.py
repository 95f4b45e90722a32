"""Spikes of a trace: when, how high, how deep between, at what cost; rate against current; refractoriness."""

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.ionic._circuit import Circuit, NeuronTrace
from neurograft.ionic._reduced import REARM_V, SPIKE_V, Reduced, run_reduced, simulate, with_current
from neurograft.units import MS, NS, US


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeTrain:
    """Spikes after the transient; a spike is an upward crossing of 25 V after having been below 20 V."""

    time_s: Float64[ndarray, " spikes"]
    peak_v: Float64[ndarray, " spikes"]
    trough_v: Float64[ndarray, " intervals"]

    @property
    def n_spikes(self) -> int:
        """Number of spikes."""
        return self.time_s.size

    @property
    def interval_s(self) -> float:
        """Mean interval, NaN with fewer than two spikes."""
        return float(np.diff(self.time_s).mean()) if self.n_spikes > 1 else float("nan")

    @property
    def interval_sd_s(self) -> float:
        """Standard deviation of intervals, NaN with fewer than three spikes."""
        return float(np.diff(self.time_s).std(ddof=1)) if self.n_spikes > 2 else float("nan")


def spikes_of(trace: NeuronTrace, *, transient_s: float = 35 * US) -> SpikeTrain:
    """Return the spikes of a trace without the first 35 us, in which potentials jump because all ions begin free.

    The authors' own potential jumps to 13 V and is back near 0 by then; their first spike comes at 92 us, so for their
    file anything from 0 to 90 us gives the same spikes (tests).  Other starts may jump to a spike's height.
    """
    keep = trace.time_s > transient_s
    time_s, v = trace.time_s[keep], trace.voltage_v[keep]
    ups: list[int] = []
    is_armed = False
    for k in np.flatnonzero((v >= SPIKE_V) | (v < REARM_V)):
        if v[k] < REARM_V:
            is_armed = True
        elif is_armed:
            ups.append(int(k))
            is_armed = False
    edges = [*ups, v.size]
    peaks: list[float] = []
    troughs: list[float] = []
    for a, b in pairwise(edges):
        down = a + int(np.argmax(v[a:b] < REARM_V)) if np.any(v[a:b] < REARM_V) else b
        peaks.append(float(v[a:down].max()))
        if b < v.size:
            troughs.append(float(v[down:b].min()))
    return SpikeTrain(time_s=time_s[ups], peak_v=np.array(peaks), trough_v=np.array(troughs))


def rate_against_current(
    neuron: Reduced, current_a: Float64[ndarray, " currents"], *, duration_s: float = 3 * MS
) -> Float64[ndarray, " currents"]:
    """Return the rate (Hz) at each current once the first fifth is over; 0 at rest and in block."""
    rates = np.zeros(current_a.size)
    for k, current in enumerate(current_a):
        trace = simulate(with_current(neuron, float(current)), duration_s=duration_s, every=4)
        train = spikes_of(trace, transient_s=0.2 * duration_s)
        rates[k] = 1 / train.interval_s if train.n_spikes > 1 else 0.0
    return rates


def refractory_curve(
    neuron: Reduced, delay_s: Float64[ndarray, " delays"], *, kick_v: float = 15.0, step_s: float = 50 * NS
) -> Float64[ndarray, " delays"]:
    """Return the peak that a kick of the potential reaches, given so long after a spike's peak."""
    base = simulate(neuron, duration_s=1 * MS, step_s=step_s)
    train = spikes_of(base, transient_s=0.3 * MS)
    if train.n_spikes < 2:
        return np.full(delay_s.size, np.nan)
    first, last = (int(np.searchsorted(base.time_s, t)) for t in train.time_s[:2])
    peak = first + int(np.argmax(base.voltage_v[first:last]))
    constants = neuron.constants(step_s)
    out = np.zeros(delay_s.size)
    for k, delay in enumerate(delay_s):
        at = peak + round(float(delay) / step_s)
        state = np.array([base.voltage_v[at] + kick_v, base.n_na[at], base.n_k[at]])
        rows = np.zeros((round(10 * US / step_s), 3))
        run_reduced(state, rows.shape[0], 1, constants, rows)
        out[k] = rows[:, 0].max()
    return out


def energy_per_spike_j(neuron: Reduced, *, duration_s: float = 2 * MS) -> float:
    """Return the heat of both slits and what the current source gives, an interval: sum of g (V - E)^2, i.e. the cost.

    Over a cycle the capacitor ends where it began, so batteries and source pay exactly for the heat.
    """
    trace = simulate(neuron, duration_s=duration_s)
    train = spikes_of(trace, transient_s=0.3 * duration_s)
    if train.n_spikes < 2:
        return float("nan")
    inside = (trace.time_s >= train.time_s[0]) & (trace.time_s < train.time_s[-1])
    step_s = float(trace.time_s[1] - trace.time_s[0])
    return float(heat_w(neuron.circuit, trace)[inside].sum()) * step_s / (train.n_spikes - 1)


def heat_w(circuit: Circuit, trace: NeuronTrace) -> Float64[ndarray, " times"]:
    """Return the heat of both slits, the gain's copies of the first one included."""
    na = circuit.na_gain * circuit.free_siemens * trace.n_na * (trace.voltage_v - circuit.reversal_na_v) ** 2
    k = circuit.free_siemens * trace.n_k * (trace.voltage_v - circuit.reversal_k_v) ** 2
    return na + k
