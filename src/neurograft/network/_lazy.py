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
_AHEAD = 12  # targets whose cells are fetched in advance
_FETCHED = 128  # synapses of the next row that are
AWAKE = -1.0
_DRIVE, _SINCE, _ARRIVED = 3, 4, 5  # columns of ``cells``
_SAFE = 1e-9  # of the threshold: room for rounding


class Quiet(NamedTuple):
    """What the lazy kernel works on instead of a group's arrays: one cache line a neuron.

    Columns of ``cells``: potential, both currents, drive, the next step that these have not seen (AWAKE while the
    neuron is on the list), and what has arrived for the potential and both currents.
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
def catch_up(cell, until, table):
    """Bring a sleeping neuron to ``until``; it received nothing, is not refractory and cannot have spiked."""
    left = until - np.int64(cell[_SINCE])
    while left > 0:
        n = min(left, LONGEST)
        left -= n
        keep = table[n, 0]
        cell[0] = keep * cell[0] + (1.0 - keep) * cell[_DRIVE] + table[n, 3] * cell[1] + table[n, 4] * cell[2]
        cell[1] *= table[n, 1]
        cell[2] *= table[n, 2]


@njit(cache=True, inline="always")
@no_type_check
def _part(place, n):
    """Return channel and neuron of a target."""
    channel = np.int64(0)
    while place >= n:
        channel += 1
        place -= n
    return channel, place


@njit(cache=True, nogil=True)
@no_type_check
def _deliver(step, origin, delays, past_neuron, past_start, start, target, weight, cells, awake, n_awake, table):
    """Add what arrives in the order of ``deliver``; put sleepers that it reaches on the list, return its length."""
    n_delays, n_local = delays.size, cells.shape[0]
    flat = cells.reshape(cells.size)
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        last = past_start[k + 1]
        for s in range(past_start[k], last):
            row = np.int64(past_neuron[s]) * n_delays + d
            if s + 1 < last:
                later = start[np.int64(past_neuron[s + 1]) * n_delays + d]
                for line in range(0, _FETCHED, 16):
                    prefetch(target, later + line)
                    prefetch(weight, later + line)
            end = start[row + 1]
            for j in range(start[row], end):
                if j + _AHEAD < end:
                    prefetch(flat, 8 * _part(np.int64(target[j + _AHEAD]), n_local)[1])
                channel, i = _part(np.int64(target[j]), n_local)
                if cells[i, _SINCE] != AWAKE:
                    catch_up(cells[i], step, table)
                    cells[i, _SINCE] = AWAKE
                    awake[n_awake] = i
                    n_awake += 1
                cells[i, _ARRIVED + channel] += weight[j]
    return n_awake


@njit(cache=True, nogil=True)
@no_type_check
def _outside(i, k, first, seed, noise_v, poisson, has_poisson, cells):
    """Add one neuron's noise and Poisson spikes: the numbers that it has without skipping."""
    if noise_v[i] > 0.0:
        cells[i, _ARRIVED] += noise_v[i] * bell(word_of(seed, STREAM_NOISE, k, first + i))
    if has_poisson:
        c = poisson.rate_class[i]
        word = word_of(seed, STREAM_POISSON, k, first + i)
        count = count_of(word, poisson.begin[c], poisson.edges[c], poisson.shift)
        channel = _part(np.int64(poisson.place[i]), cells.shape[0])[0]
        cells[i, _ARRIVED + channel] += poisson.amplitude[i] * count


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _move(cell, has_currents, constants):
    """Do one step with what arrived; return the potential."""
    v = constants[1] * cell[_DRIVE] + constants[0] * cell[0] + cell[_ARRIVED]
    cell[_ARRIVED] = 0.0
    if has_currents:
        v += constants[6] * cell[1] + constants[8] * cell[2]
        cell[1] = constants[5] * cell[1] + cell[_ARRIVED + 1]
        cell[2] = constants[7] * cell[2] + cell[_ARRIVED + 2]
        cell[_ARRIVED + 1] = 0.0
        cell[_ARRIVED + 2] = 0.0
    return v


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def run_lazy(
    step, n_steps, origin, first, delays, past_neuron, past_start, out_neuron, out_start, out_origin,
    start, target, weight, refractory, noise_v, poisson, has_poisson, seed, constants, spiked, recorded, voltage_v,
    quiet,
):  # fmt: skip
    """Do up to ``n_steps`` steps as ``run_lif`` does, of the neurons alone that are awake or reached."""
    cells, awake, n_local = quiet.cells, quiet.awake, quiet.cells.shape[0]
    threshold, reset, has_currents = constants[2], constants[3], constants.size > 5
    ceiling = threshold - _SAFE * abs(threshold)
    for k in range(step, step + n_steps):
        at = out_start[k - out_origin]
        if at + n_local > out_neuron.size:
            return k - step
        n_before = quiet.n_awake[0]
        n_listed = _deliver(
            k, origin, delays, past_neuron, past_start, start, target, weight, cells, awake, n_before, quiet.table
        )  # fmt: skip
        n, kept = 0, 0
        for t in range(n_listed):
            i = awake[t]
            cell = cells[i]
            stays = False
            if t < n_before:  # a neuron that slept is neither refractory nor one that never sleeps
                stays = quiet.always[i]
                if stays:
                    _outside(i, k, first, seed, noise_v, poisson, has_poisson, cells)
            v = _move(cell, has_currents, constants)
            if t < n_before and refractory[i] > 0:
                refractory[i] -= 1
                v = reset
                stays |= refractory[i] > 0
            if v >= threshold:
                v = reset
                refractory[i] = np.int32(constants[4])
                stays |= refractory[i] > 0
                spiked[n] = i
                n += 1
            cell[0] = v
            reach = max(v, cell[_DRIVE])
            if has_currents:
                reach += quiet.peaks[0] * max(cell[1], 0.0) + quiet.peaks[1] * max(cell[2], 0.0)
            if stays or reach >= ceiling:
                awake[kept] = i
                kept += 1
            else:
                cell[_SINCE] = k + 1
        quiet.n_awake[0] = kept
        spiked[:n].sort()
        for i in range(n):
            out_neuron[at + i] = first + spiked[i]
        out_start[k - out_origin + 1] = at + n
        for r in range(recorded.size):
            voltage_v[k - step, r] = cells[recorded[r] % n_local, recorded[r] // n_local]
    return n_steps
