"""Stepping that skips quiet neurons: a neuron is touched when something arrives, or while it might spike by itself.

Between touches a linear neuron follows its equation in closed form, so nothing is approximated; only rounding
differs from stepping.  A neuron sleeps when its potential cannot reach the threshold without further input:
max(V, drive) plus the peak of what its positive currents can still bring lies below.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

from neurograft.network._poisson import count_of
from neurograft.network._prefetch import prefetch
from neurograft.network._random import STREAM_NOISE, STREAM_POISSON, bell, word_of
from neurograft.neurons import DeltaSynapse, ExponentialSynapse, Lif
from neurograft.neurons._synapses import exponential_peak

LONGEST = 4096  # steps that one look-up bridges
_AHEAD = 16  # targets whose cells are fetched in advance
_FETCHED = 128  # synapses of a row that arrives in the next step, which are fetched too
AWAKE = -1.0
_MOVED = -2.0  # woken in this step, and already at its end; only while a step is done
_DRIVE, _SINCE, _ARRIVED = 3, 4, 5  # columns of ``cells``
_SAFE = 1e-9  # of the threshold: room for rounding


class Quiet(NamedTuple):
    """What the lazy kernel works on instead of a group's arrays: one cache line a neuron.

    Columns of ``cells``: potential, both currents, drive, the next step that these have not seen (AWAKE while the
    neuron is on the list), and what has arrived there for the potential and both currents.
    """

    cells: ndarray  # float64, (neurons, 8)
    awake: ndarray  # int32, the neurons on the list; the first ``n_awake[0]``
    n_awake: ndarray  # int64, one number
    always: ndarray  # bool, one a neuron: noise, Poisson spikes or a recording keep it awake
    table: ndarray  # (LONGEST + 1, 5): decays of potential and both currents, their ways into the potential
    peaks: ndarray  # two numbers: the largest potential that a current of 1 V can bring


def can_skip(model: object) -> bool:
    """Tell whether this model's neurons can be skipped: linear ones with kicks or exponential currents."""
    return isinstance(model, Lif) and isinstance(model.synapse, DeltaSynapse | ExponentialSynapse)


def quiet_of(model: Lif, constants: ndarray, always: ndarray, *, state: ndarray, drive_v: ndarray) -> Quiet:
    """Return cells in this state with every neuron awake."""
    n = always.size
    cells = np.zeros((n, 8))
    cells[:, : state.shape[0]] = state.T
    cells[:, _DRIVE], cells[:, _SINCE] = drive_v, AWAKE
    table = np.empty((LONGEST + 1, 5))
    table[0] = 1.0, 1.0, 1.0, 0.0, 0.0
    has_currents = isinstance(model.synapse, ExponentialSynapse)
    decay_e, into_e, decay_i, into_i = constants[5:9] if has_currents else (0.0, 0.0, 0.0, 0.0)
    for k in range(LONGEST):
        v, e, i, from_e, from_i = table[k]
        gained_e, gained_i = from_e * constants[0] + into_e * e, from_i * constants[0] + into_i * i
        table[k + 1] = v * constants[0], e * decay_e, i * decay_i, gained_e, gained_i
    peaks = np.zeros(2)
    if isinstance(model.synapse, ExponentialSynapse):
        both = (model.synapse.tau_excitatory_s, model.synapse.tau_inhibitory_s)
        peaks[:] = [exponential_peak(tau_m_s=model.tau_m_s, tau_syn_s=tau_s) for tau_s in both]
    everyone = np.arange(n, dtype=np.int32)
    return Quiet(cells=cells, awake=everyone, n_awake=np.array([n]), always=always, table=table, peaks=peaks)


def asleep_since(quiet: Quiet) -> ndarray:
    """Return for each neuron the step from which it is not followed, AWAKE on the list."""
    return quiet.cells[:, _SINCE].astype(np.int64)


def fall_asleep(quiet: Quiet, since: ndarray) -> None:
    """Put the neurons to sleep that ``asleep_since`` had told to be."""
    quiet.cells[:, _SINCE] = since
    quiet.cells[:, _ARRIVED:] = 0.0
    awake = np.flatnonzero(since == AWAKE)
    quiet.awake[: awake.size] = awake
    quiet.n_awake[0] = awake.size


@njit(cache=True, nogil=True)
@no_type_check
def catch_up(flat, at, until, table):
    """Bring the sleeper whose cell begins at ``at`` to ``until``; it received nothing and cannot have spiked."""
    left = until - np.int64(flat[at + _SINCE])
    while left > 0:
        n = min(left, LONGEST)
        left -= n
        keep = table[n, 0]
        v = keep * flat[at] + (1.0 - keep) * flat[at + _DRIVE]
        flat[at] = v + table[n, 3] * flat[at + 1] + table[n, 4] * flat[at + 2]
        flat[at + 1] *= table[n, 1]
        flat[at + 2] *= table[n, 2]


@njit(cache=True, inline="always")
@no_type_check
def _part(place, n):
    """Return channel and neuron of a target."""
    channel = np.int64(0)
    while place >= n:
        channel += 1
        place -= n
    return channel, place


@njit(cache=True, inline="always")
@no_type_check
def _reach(flat, at, peaks):
    """Return a bound of the potential of a neuron that receives nothing more."""
    currents = peaks[0] * max(flat[at + 1], 0.0) + peaks[1] * max(flat[at + 2], 0.0)
    return max(flat[at], flat[at + _DRIVE]) + currents


@njit(cache=True, nogil=True)
@no_type_check
def _fetch(step, origin, delays, past_neuron, past_start, start, target, weight, flat, n_local):
    """Fetch rows that arrive in the next steps: the place of one in three, the row of one in two, then its neurons."""
    n_delays = delays.size
    for d in range(n_delays):
        k = step - delays[d] - origin
        for later in range(1, min(4, delays[d])):
            if k + later < 0:
                continue
            for s in range(past_start[k + later], past_start[k + later + 1]):
                row = np.int64(past_neuron[s]) * n_delays + d
                if later == 3:
                    prefetch(start, row)
                elif later == 2:
                    for line in range(start[row], min(start[row] + _FETCHED, start[row + 1]), 16):
                        prefetch(target, line)
                        prefetch(weight, line)
                else:
                    for j in range(start[row], min(start[row] + _AHEAD, start[row + 1])):
                        prefetch(flat, 8 * _part(np.int64(target[j]), n_local)[1])


@njit(cache=True, nogil=True)
@no_type_check
def _deliver(
    step, origin, delays, past_neuron, past_start, start, target, weight, flat, n_local, awake, n_awake, table,
    peaks, ceiling,
):  # fmt: skip
    """Add what arrives in the order of ``deliver``; return the length of the list with the neurons that it wakes.

    A sleeper is brought to the end of the step at once, and wakes if it may then reach the threshold.
    """
    n_delays = delays.size
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        for s in range(past_start[k], past_start[k + 1]):
            row = np.int64(past_neuron[s]) * n_delays + d
            end = start[row + 1]
            for j in range(start[row], end):
                if j + _AHEAD < end:
                    prefetch(flat, 8 * _part(np.int64(target[j + _AHEAD]), n_local)[1])
                channel, i = _part(np.int64(target[j]), n_local)
                at = 8 * i
                since = flat[at + _SINCE]
                if since == AWAKE:
                    flat[at + _ARRIVED + channel] += weight[j]
                    continue
                if since != _MOVED:
                    catch_up(flat, at, step + 1, table)
                    flat[at + _SINCE] = step + 1
                flat[at + channel] += weight[j]
                if since != _MOVED and _reach(flat, at, peaks) >= ceiling:
                    flat[at + _SINCE] = _MOVED
                    awake[n_awake] = i
                    n_awake += 1
    return n_awake


@njit(cache=True, nogil=True)
@no_type_check
def _outside(awake, n_awake, always, k, first, seed, noise_v, poisson, has_poisson, flat):
    """Add noise and Poisson spikes to the neurons that never sleep: the numbers that they have without skipping."""
    for t in range(n_awake):
        i = awake[t]
        if not always[i]:
            continue
        if noise_v[i] > 0.0:
            flat[8 * i + _ARRIVED] += noise_v[i] * bell(word_of(seed, STREAM_NOISE, k, first + i))
        if has_poisson:
            c = poisson.rate_class[i]
            word = word_of(seed, STREAM_POISSON, k, first + i)
            count = count_of(word, poisson.begin[c], poisson.edges[c], poisson.shift)
            channel = _part(np.int64(poisson.place[i]), noise_v.size)[0]
            flat[8 * i + _ARRIVED + channel] += poisson.amplitude[i] * count


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _step(k, awake, n_before, n_listed, n_awake, always, flat, refractory, constants, table, peaks, spiked):
    """Do one step of the neurons on the list, and keep there those that may reach the threshold; return the spikes.

    Numbers stay in variables until they are stored: reading back at once what was just written costs more.
    """
    gain, threshold, reset = constants[1], constants[2], constants[3]
    keep, keep_e, keep_i, from_e, from_i = table[1, 0], table[1, 1], table[1, 2], table[1, 3], table[1, 4]
    peak_e, peak_i, ceiling = peaks[0], peaks[1], threshold - _SAFE * abs(threshold)
    n, kept = 0, 0
    for t in range(n_listed):
        i = awake[t]
        at = 8 * np.int64(i)
        goal, stays = flat[at + _DRIVE], False
        v, e, c = flat[at], flat[at + 1], flat[at + 2]
        if t < n_before:  # one that slept is at the end of the step already, and not refractory
            v = gain * goal + keep * v + flat[at + _ARRIVED] + (from_e * e + from_i * c)
            e = keep_e * e + flat[at + _ARRIVED + 1]
            c = keep_i * c + flat[at + _ARRIVED + 2]
            flat[at + 1], flat[at + 2] = e, c
            flat[at + _ARRIVED], flat[at + _ARRIVED + 1], flat[at + _ARRIVED + 2] = 0.0, 0.0, 0.0
            stays = always[i]
            if refractory[i] > 0:
                refractory[i] -= 1
                v = reset
                stays |= refractory[i] > 0
        if v >= threshold:
            v = reset
            refractory[i] = np.int32(constants[4])
            stays |= refractory[i] > 0
            spiked[n] = i
            n += 1
        flat[at] = v
        stays |= max(v, goal) + peak_e * max(e, 0.0) + peak_i * max(c, 0.0) >= ceiling
        flat[at + _SINCE] = AWAKE if stays else k + 1
        if stays:
            awake[kept] = i
            kept += 1
    n_awake[0] = kept
    return n


@njit(cache=True, nogil=True)
@no_type_check
def _emit(k, n, first, spiked, out_neuron, out_start, recorded, cells, voltage_v):
    """Put out one step's spikes in rising order, and the recorded states."""
    if n > 1:
        spiked[:n].sort()
    at = out_start[k]
    for i in range(n):
        out_neuron[at + i] = first + spiked[i]
    out_start[k + 1] = at + n
    for r in range(recorded.size):
        voltage_v[r] = cells[recorded[r] % cells.shape[0], recorded[r] // cells.shape[0]]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def run_lazy(
    step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    start, target, weight, refractory, noise_v, poisson, has_poisson, seed, constants, spiked, recorded, voltage_v,
    quiet,
):  # fmt: skip
    """Do up to ``n_steps`` steps as ``run_lif`` does, of the neurons alone that are awake or reached."""
    cells, awake, always, peaks, table = quiet.cells, quiet.awake, quiet.always, quiet.peaks, quiet.table
    flat, n_local, has_outside = cells.reshape(cells.size), cells.shape[0], bool(np.any(always))
    ceiling = constants[2] - _SAFE * abs(constants[2])
    for k in range(step, step + n_steps):
        if out_start[k - out_origin] + always.size > out_neuron.size:
            return k - step
        n_before = quiet.n_awake[0]
        _fetch(k, origin, delays, past_neuron, past_start, start, target, weight, flat, n_local)
        n_listed = _deliver(
            k, origin, delays, past_neuron, past_start, start, target, weight, flat, n_local, awake, n_before, table,
            peaks, ceiling,
        )  # fmt: skip
        if has_outside:
            _outside(awake, n_before, always, k, first, seed, noise_v, poisson, has_poisson, flat)
        n = _step(
            k, awake, n_before, n_listed, quiet.n_awake, always, flat, refractory, constants, table, peaks, spiked
        )  # fmt: skip
        _emit(k - out_origin, n, first, spiked, out_neuron, out_start, recorded, cells, voltage_v[k - step])
    return n_steps
