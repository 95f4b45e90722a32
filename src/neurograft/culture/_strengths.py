"""Strengths of synapses: asked for as peak potentials at rest, turned into conductances by measuring each neuron."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.culture._cells import Cells, Drive, NeuronFamily, Wires
from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps
from neurograft.culture._options import SynapseOptions
from neurograft.errors import CultureError

# Shares of the input conductance at which each neuron is measured.
_GRID = np.array([0.002, 0.01, 0.04, 0.12, 0.3, 0.6, 1.0, 1.6, 2.4])
_LONG_ENOUGH_S = 0.06  # the peak of any potential at rest comes earlier
_KICK_S, _AFTER_S = 0.02, 0.005  # a drive that fires any neuron; when the spikelet is over its peak
_KICK_V = 0.1
_AT_ONCE = 20_000  # cells measured together, which bounds the memory


class Strengths(NamedTuple):
    """What each synapse releases; the mean potential of a first release is ``weight_v``."""

    weight_v: Float64[ndarray, " synapses"]
    quantum_siemens: Float64[ndarray, " synapses"]
    n_sites: Int64[ndarray, " synapses"]
    release: Float64[ndarray, " synapses"]


def draw_strengths(
    *,
    is_excitatory: Bool[ndarray, " synapses"],
    synapses: SynapseOptions,
    rng: Generator,
) -> Strengths:
    """Return lognormal strengths and how they are made of vesicles; conductances are still to be found.

    A strong synapse has more release sites, not larger vesicles: sites = round(strength / (p quantum)).
    """
    median = np.where(is_excitatory, synapses.excitatory_v, synapses.inhibitory_v)
    largest = np.where(is_excitatory, synapses.largest_excitatory_v, synapses.largest_inhibitory_v)
    size = median * np.exp(synapses.log_spread * _bounded_normals(np.log(largest / median), synapses, rng))
    p = np.clip(synapses.release_probability + synapses.release_spread * rng.standard_normal(median.size), 0.05, 1.0)
    quantum = synapses.quantum_v * np.exp(0.3 * rng.standard_normal(median.size))
    n_sites = np.maximum(np.rint(size / (p * quantum)), 1).astype(np.int64)
    return Strengths(np.where(is_excitatory, size, -size), np.zeros(median.size), n_sites, p)


def _bounded_normals(log_room: ndarray, synapses: SynapseOptions, rng: Generator) -> ndarray:
    """Return normal numbers, drawn again where they would make a synapse stronger than the largest."""
    drawn = rng.standard_normal(log_room.size)
    while True:
        too_big = np.flatnonzero(synapses.log_spread * drawn > log_room)
        if too_big.size == 0:
            return drawn
        drawn[too_big] = rng.standard_normal(too_big.size)


def with_conductances(
    drawn: Strengths,
    *,
    post: Int64[ndarray, " synapses"],
    family: NeuronFamily,
    cells: Cells,
    nmda_ratio: float,
    step_s: float,
) -> Strengths:
    """Return the strengths with the conductance that gives each its potential at its own target, at rest."""
    siemens = np.zeros(post.size)
    for excites in (True, False):
        chosen = np.flatnonzero((drawn.weight_v > 0) == excites)
        if chosen.size == 0:
            continue
        tried = _GRID[:, None] * cells.rest_siemens[None, :]
        n = cells.rest_v.size
        which = np.tile(np.arange(n), _GRID.size)
        peaks = peak_potential_v(
            which, tried.ravel(), excites=excites, family=family, cells=cells, nmda_ratio=nmda_ratio, step_s=step_s
        ).reshape(tried.shape)
        siemens[chosen] = _inverted(drawn.weight_v[chosen], post[chosen], tried, peaks)
    return drawn._replace(quantum_siemens=siemens / (drawn.n_sites * drawn.release))


def peak_potential_v(
    target: Int64[ndarray, " tests"],
    siemens: Float64[ndarray, " tests"],
    *,
    excites: bool,
    family: NeuronFamily,
    cells: Cells,
    nmda_ratio: float,
    step_s: float,
) -> Float64[ndarray, " tests"]:
    """Return the peak potential (V, signed) that each conductance makes in a quiet copy of its target.

    The copies run through the culture's own kernel, without noise, drive or wires, beside a copy that gets
    nothing.  NaN where the potential fires the neuron.
    """
    peaks = np.zeros(target.size)
    n_steps = round(_LONG_ENOUGH_S / step_s)
    for start in range(0, target.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        copies = cells.take(target[part])
        wires = no_wires(copies, step_s=step_s, nmda_ratio=nmda_ratio)
        quiet = run_steps(family, copies, wires, at_rest(copies, wires), no_drive(copies), n_steps=n_steps)
        state = at_rest(copies, wires)
        waiting = state.excite if excites else state.inhibit
        waiting[:] = siemens[part]  # one slot: it arrives now
        hit = run_steps(family, copies, wires, state, no_drive(copies), n_steps=n_steps)
        change = hit.trace_v.astype(np.float64) - quiet.trace_v
        peak = change.max(axis=1) if excites else change.min(axis=1)
        peak[hit.spike_neuron] = np.nan
        peaks[part] = peak
    return peaks


def _inverted(weight_v: ndarray, post: ndarray, tried: ndarray, peaks: ndarray) -> ndarray:
    """Return conductances by monotone interpolation of each target's curve, in logarithms."""
    from scipy.interpolate import PchipInterpolator

    siemens = np.zeros(weight_v.size)
    order = np.argsort(post, kind="stable")
    targets, starts = np.unique(post[order], return_index=True)
    for target, mine in zip(targets, np.split(order, starts[1:]), strict=True):
        usable = np.isfinite(peaks[:, target])
        sizes = np.abs(peaks[usable, target])
        if np.abs(weight_v[mine]).max() > sizes[-1]:
            worst = np.abs(weight_v[mine]).max()
            raise CultureError(
                f"A potential of {1e3 * worst:.2f} mV at neuron {target} is out of reach: one of "
                f"{1e3 * sizes[-1]:.2f} mV is the largest found below threshold. Lower the largest strength."
            )
        curve = PchipInterpolator(np.log(sizes), np.log(tried[usable, target]), extrapolate=True)
        siemens[mine] = np.exp(curve(np.log(np.abs(weight_v[mine]))))
    return siemens


def spikelet_v(
    pre: Int64[ndarray, " gaps"],
    post: Int64[ndarray, " gaps"],
    siemens: Float64[ndarray, " gaps"],
    *,
    family: NeuronFamily,
    cells: Cells,
    wires: Wires,
) -> Float64[ndarray, " gaps"]:
    """Return the peak (V) that one spike of ``pre`` makes through a gap junction in a quiet ``post``.

    Each pair runs alone; a strong current fires ``pre``, and the peak within 5 ms of the spike counts.
    """
    n = pre.size
    if n == 0:
        return np.zeros(0)
    pair = np.stack([pre, post], axis=1).ravel()
    copies = cells.take(pair)
    joined = no_wires(copies, step_s=wires.step_s, nmda_ratio=0.0)._replace(
        gap_start=np.arange(2 * n + 1), gap_other=np.arange(2 * n) ^ 1, gap_siemens=np.repeat(siemens, 2)
    )
    kick = no_drive(copies).current_a
    kick[0, ::2] = _KICK_V * copies.rest_siemens[::2]
    drive = Drive(current_a=kick, steps_per_row=1 << 62, noise_keep=0.0, noise_a=np.zeros(2 * n))
    n_steps, after = round((_KICK_S + _AFTER_S) / wires.step_s), round(_AFTER_S / wires.step_s)
    seen = run_steps(family, copies, joined, at_rest(copies, joined), drive, n_steps=n_steps)
    first = np.full(2 * n, n_steps)
    np.minimum.at(first, seen.spike_neuron, seen.spike_step)
    if np.any(first[::2] > n_steps - after):
        raise CultureError("A neuron with gap junctions cannot be fired by a strong current. Lower gap_coupling.")
    steps = first[::2, None] + np.arange(after)
    return np.take_along_axis(seen.trace_v[1::2], steps, axis=1).max(axis=1) - copies.rest_v[1::2]
