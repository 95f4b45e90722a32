"""Whole stretches of steps with synapses that learn, in compiled code that asks Python only where cells are pulsed."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

from neurograft.network._any_kernel import advance
from neurograft.network._forced import add_kicks, force
from neurograft.network._plastic_kernels import at_arrival, at_spike, deliver_plastic
from neurograft.network._poisson import add_poisson
from neurograft.network._random import add_noise, fill_noise

BEGIN, ARRIVED, SPIKED = 0, 1, 2  # where a step is: not begun; its arrivals, or its spikes, have asked for changes
ASKED, EXACT, CELLS = 0, 1, 2  # who changes weights: Python, this code, or this code until a cell is worth a pulse


class Pools(NamedTuple):
    """Vesicles of each entry of a group's rows, as ``deliver_plastic`` takes them."""

    use: ndarray
    recovery_s: ndarray
    facilitation_s: ndarray
    utilised: ndarray
    ready: ndarray
    last: ndarray


class Traces(NamedTuple):
    """What a timing rule knows of each entry of a group's rows and of each of its neurons."""

    learns: bool
    rule: ndarray  # eight numbers, see ``at_arrival``
    most_v: float
    power: float
    is_plastic: ndarray  # one an entry, as are those down to ``seen``
    post: ndarray
    synapse: ndarray  # of the map
    per_volt: ndarray
    fast: ndarray
    slow: ndarray
    seen: ndarray
    in_start: ndarray  # one a neuron and the end: where its plastic entries are in ``in_place``
    in_place: ndarray
    post_fast: ndarray  # one a neuron, as are the next two
    post_slow: ndarray
    post_seen: ndarray
    since_scaling: ndarray  # spikes of each neuron since the last scaling


class Changes(NamedTuple):
    """Room for the changes that a step asks for: entries of the rows, and how much in units of the strongest weight."""

    arrived: ndarray
    place: ndarray
    wanted: ndarray
    held: ndarray  # spikes of the step that is begun; changes asked for


class Kept(NamedTuple):
    """Where weights are kept; what ``kind`` does not need is empty."""

    kind: int
    weight_v: ndarray  # one a synapse of the map
    most_v: ndarray  # EXACT: one a synapse
    cell: ndarray  # CELLS: one a synapse, as is the next
    siemens_per_v: ndarray
    rest_siemens: ndarray  # CELLS: one a cell
    smallest_siemens: float
    strongest: tuple[float, float]  # pulse up, pulse down
    keeps_rest: bool


def asked_of_python(weight_v: ndarray) -> Kept:
    """Return what stands for a store of which compiled code knows nothing."""
    none, nowhere = np.zeros(0), np.zeros(0, dtype=np.int64)
    return Kept(ASKED, weight_v, none, nowhere, none, none, 0.0, (0.0, 0.0), False)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def wanted_v(wanted, weight, most_v, power):
    """Return a change in volts: away from 0 where positive, weaker near the end that it leads to."""
    if power > 0.0:
        share = min(max(abs(weight) / most_v, 0.0), 1.0)
        wanted *= (1.0 - share if wanted > 0.0 else share) ** power
    return -wanted * most_v if weight < 0.0 else wanted * most_v


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def make_changes(n, changes, traces, kept, weight):
    """Make the first ``n`` changes; False, and nothing made, where Python must: a cell is worth a pulse."""
    place, wanted = changes.place, changes.wanted
    if kept.kind == ASKED:
        return not np.any(wanted[:n])
    if kept.kind == CELLS:
        for i in range(n):
            s = traces.synapse[place[i]]
            change = wanted_v(wanted[i], kept.weight_v[s], traces.most_v, traces.power) * kept.siemens_per_v[s]
            if wanted[i] != 0.0 and not abs(kept.rest_siemens[kept.cell[s]] + change) < kept.smallest_siemens:
                return False
    for i in range(n):
        if wanted[i] == 0.0:
            continue
        j = place[i]
        s = traces.synapse[j]
        old = kept.weight_v[s]
        change = wanted_v(wanted[i], old, traces.most_v, traces.power)
        if kept.kind == CELLS:
            rest = kept.rest_siemens[kept.cell[s]] + change * kept.siemens_per_v[s]
            rest = min(max(rest, -kept.strongest[1]), kept.strongest[0])
            kept.rest_siemens[kept.cell[s]] = rest if kept.keeps_rest else 0.0
        else:
            sign = -1.0 if old < 0.0 else 1.0
            kept.weight_v[s] = sign * min(max(sign * (old + change), 0.0), kept.most_v[s])
            weight[j] = kept.weight_v[s] * traces.per_volt[j]
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _hear(step, n, step_s, traces, changes):
    """Ask for depression by the ``n`` arrivals of a step; return how many changes there are."""
    place, count = changes.place, 0
    for i in range(n):
        if traces.is_plastic[changes.arrived[i]]:
            place[count] = changes.arrived[i]
            count += 1
    at_arrival(
        place[:count], traces.post, step, step_s, traces.rule, traces.fast, traces.slow, traces.seen,
        traces.post_fast, traces.post_slow, traces.post_seen, changes.wanted,
    )  # fmt: skip
    return count


@njit(cache=True, nogil=True)
@no_type_check
def _move(
    which, step, first, stimulus, flat, inputs, n_channels, state, refractory, drive_v, noise_v, has_noise, poisson,
    has_poisson, seed, constants, spiked, words,
):  # fmt: skip
    """Add what comes from outside and do one step of the neurons; return how many spike."""
    if has_noise:
        add_noise(seed, step, first, noise_v, flat[: state.shape[1]], words)
    if has_poisson:
        add_poisson(seed, step, first, poisson, flat, words)
    if stimulus.kick_step.size:
        add_kicks(step, stimulus, flat)
    if inputs.shape[0] > n_channels:
        fill_noise(seed, step, first, inputs[n_channels:], words)
    n = advance(which, state, refractory, drive_v, inputs, constants, spiked)
    return force(step, stimulus, state, refractory, spiked, n) if stimulus.has_spikes else n


@njit(cache=True, nogil=True)
@no_type_check
def learn_stretch(
    which, phase, step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    rows, step_s, pools, traces, changes, kept, stimulus, inputs, n_channels, state, refractory, drive_v, noise_v,
    has_noise, poisson, has_poisson, seed, constants, spiked, words, recorded, voltage_v,
):  # fmt: skip
    """Do up to ``n_steps`` steps of one group; return how many were done, and where the next one is.

    Where that is not BEGIN, Python makes the changes and comes back with the same phase.  The order of a step is that
    of ``run_stepwise``.
    """
    flat, values, n_local, held = inputs.reshape(inputs.size), state.reshape(state.size), state.shape[1], changes.held
    for k in range(step, step + n_steps):
        at = out_start[k - out_origin]
        if phase == BEGIN:
            if at + n_local > out_neuron.size:
                return k - step, BEGIN
            n = deliver_plastic(
                k, origin, delays, past_neuron, past_start, rows.start, rows.target, rows.weight, flat, step_s,
                pools.use, pools.recovery_s, pools.facilitation_s, pools.utilised, pools.ready, pools.last,
                changes.arrived,
            )  # fmt: skip
            if n and traces.learns:
                held[1] = _hear(k, n, step_s, traces, changes)
                if not make_changes(held[1], changes, traces, kept, rows.weight):
                    return k - step, ARRIVED
        if phase != SPIKED:
            n = _move(
                which, k, first, stimulus, flat, inputs, n_channels, state, refractory, drive_v, noise_v, has_noise,
                poisson, has_poisson, seed, constants, spiked, words,
            )  # fmt: skip
            held[0] = n
            for i in range(n):
                traces.since_scaling[spiked[i]] += 1.0
            if n and traces.learns:
                held[1] = at_spike(
                    spiked[:n], traces.in_start, traces.in_place, k, step_s, traces.rule, traces.fast, traces.seen,
                    traces.post_fast, traces.post_slow, traces.post_seen, changes.place, changes.wanted,
                )  # fmt: skip
                if not make_changes(held[1], changes, traces, kept, rows.weight):
                    return k - step, SPIKED
        phase = BEGIN
        for i in range(held[0]):
            out_neuron[at + i] = first + spiked[i]
        out_start[k - out_origin + 1] = at + held[0]
        for r in range(recorded.size):
            voltage_v[k - step, r] = values[recorded[r]]
    return n_steps, BEGIN
