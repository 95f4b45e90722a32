"""Neurons in blocks of ``LANES``: what all families keep in a block, what drives it, and what it shows.

A block holds parameters and state of its neurons as flat rows (see ``_lanes``), which fit the processor's
nearest cache, and lives alone for as many steps as no spike can reach another neuron.  Families put rows of
their own behind ``N_SHARED``.
"""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

import math
from typing import no_type_check

import numpy as np
from numba import njit

from neurograft.culture._cells import AP_SAMPLES
from neurograft.culture._lanes import LANES, draw_pairs, load_rows, store_rows

V, SHOWN, SINCE, GATES, SIEMENS, CURRENT = 0, 1, 2, 3, 9, 10
EXP_A, EXP_B, _TURNS, INHIBITION, NOISE, NOISE_A, N_SHARED = 11, 12, 13, 14, 15, 16, 17
LONGEST_ALONE = 16  # steps that a block lives alone at most: bounds what is kept of them
_HALF_TO_EVEN = 1.5 * 2.0**52  # added to a double, it leaves the nearest whole number in the lowest bits
_PER_LN2, _LARGEST = 1.0 / math.log(2.0), 1000.0
# 2^y for -1/2 <= y <= 1/2, a Chebyshev interpolant right to 3e-9.
_E0, _E1, _E2, _E3 = 1.0, 0.6931472067028329, 0.24022650922289554, 0.05550327226669895
_E4, _E5, _E6 = 0.00961805667843204, 0.0013400428177711937, 0.00015461444724808513


@njit(cache=True)
@no_type_check
def gather_blocks(cells, state, drive, n_rows):
    """Return blocks filled with what all families share; unused lanes are 0."""
    n = state.v.size
    n_blocks = (n + LANES - 1) // LANES
    rows = np.zeros((n_blocks, n_rows * LANES))
    words = np.zeros((n_blocks, 4 * LANES), dtype=np.uint32)
    pair = np.zeros((n_blocks, 2 * LANES), dtype=np.float32)
    for block in range(n_blocks):
        start = block * LANES
        n_lanes = min(LANES, n - start)
        load_rows(state.noise_words, start, n_lanes, words[block])
        load_rows(state.noise_pair, start, n_lanes, pair[block])
        load_rows(state.gates, start, n_lanes, rows[block, GATES * LANES :])
        row = rows[block]
        for q in range(n_lanes):
            i = start + q
            row[V * LANES + q], row[SINCE * LANES + q] = state.v[i], state.since_spike[i]
            row[INHIBITION * LANES + q] = cells.inhibition_v[i]
            row[NOISE * LANES + q], row[NOISE_A * LANES + q] = state.noise[i], drive.noise_a[i]
    return rows, words, pair


@njit(cache=True)
@no_type_check
def scatter_blocks(state, rows, words, pair):
    """Write the shared state of all blocks back."""
    n = state.v.size
    for block in range(rows.shape[0]):
        start = block * LANES
        n_lanes = min(LANES, n - start)
        store_rows(words[block], start, n_lanes, state.noise_words)
        store_rows(pair[block], start, n_lanes, state.noise_pair)
        store_rows(rows[block, GATES * LANES :], start, n_lanes, state.gates)
        row = rows[block]
        for q in range(n_lanes):
            i = start + q
            state.v[i], state.since_spike[i] = row[V * LANES + q], int(row[SINCE * LANES + q])
            state.noise[i] = row[NOISE * LANES + q]


@njit(cache=True)
@no_type_check
def keep_of_noise(drive):
    """Return the share of the noise that a step leaves, or -1 where no neuron has noise."""
    for noise_a in drive.noise_a:
        if noise_a > 0.0:
            return drive.noise_keep
    return -1.0


@njit(cache=True)
@no_type_check
def steps_alone(wires):
    """Return how many steps no spike can reach a neuron: the shortest delay; 1 with gap junctions."""
    if wires.gap_siemens.size > 0:
        return 1
    shortest = LONGEST_ALONE
    for delay in wires.delay_steps:
        shortest = min(shortest, delay)
    return shortest


@njit(cache=True, error_model="numpy")
@no_type_check
def raise_e(row, whole, at, n_lanes):
    """Replace numbers of row ``at`` by e to their power; ``whole`` sees the rows as int64."""
    here, there = at * LANES, _TURNS * LANES
    _split_power(row[here : here + n_lanes], row[there : there + n_lanes])
    _shift_exponent(whole[here : here + n_lanes], whole[there : there + n_lanes])


@njit(cache=True, error_model="numpy")
@no_type_check
def _split_power(x, turns):
    """Replace x by 2^y, with y what lies between x / ln 2 and the nearest whole number; that goes to ``turns``."""
    for q in range(x.size):
        power = min(max(x[q] * _PER_LN2, -_LARGEST), _LARGEST)
        turned = power + _HALF_TO_EVEN
        y = power - (turned - _HALF_TO_EVEN)
        turns[q] = turned
        x[q] = _E0 + y * (_E1 + y * (_E2 + y * (_E3 + y * (_E4 + y * (_E5 + y * _E6)))))


@njit(cache=True)
@no_type_check
def _shift_exponent(bits, turns):
    for q in range(bits.size):
        bits[q] += turns[q] << 52


@njit(cache=True, error_model="numpy")
@no_type_check
def push(row, words, pair, noise_keep, driven, bits, is_odd, n_lanes):
    """Add drive and coloured noise to a block's currents; ``bits`` is the scratch space of ``draw_pairs``.

    ``noise_keep`` is the share of the noise that a step leaves, or below 0 for no noise at all.
    """
    for q in range(n_lanes):
        row[CURRENT * LANES + q] += driven[q]
    if noise_keep < 0.0:
        return
    if not is_odd:
        draw_pairs(words, n_lanes, bits, bits.view(np.int32), bits.view(np.float32), pair)
    fresh, z = math.sqrt(1.0 - noise_keep * noise_keep), pair[LANES:] if is_odd else pair[:LANES]
    for q in range(n_lanes):
        noise = row[NOISE * LANES + q] * noise_keep + fresh * z[q]
        row[NOISE * LANES + q] = noise
        row[CURRENT * LANES + q] += row[NOISE_A * LANES + q] * noise


@njit(cache=True)
@no_type_check
def join_gaps(row, wires, seen_v, start, n_lanes):
    """Add gap junctions to a block's conductances and currents."""
    first, other, gap = wires.gap_start, wires.gap_other, wires.gap_siemens
    for q in range(n_lanes):
        for j in range(first[start + q], first[start + q + 1]):
            row[SIEMENS * LANES + q] += gap[j]
            row[CURRENT * LANES + q] += gap[j] * seen_v[other[j]]


@njit(cache=True)
@no_type_check
def n_recent(row, n_lanes):
    """Return how many lanes fired less than ``AP_SAMPLES`` ago."""
    found = 0
    for q in range(n_lanes):
        found += row[SINCE * LANES + q] < AP_SAMPLES
    return found


@njit(cache=True)
@no_type_check
def keep_shown(row, tile, n_lanes):
    """Copy what a block shows in one step to a row of ``tile``."""
    for q in range(n_lanes):
        tile[q] = row[SHOWN * LANES + q]


@njit(cache=True)
@no_type_check
def show_block(tile, start, n_lanes, begin, n_steps, trace_v):
    """Fill the traces of a block's neurons with the steps since ``begin``."""
    for q in range(n_lanes):
        for s in range(n_steps):
            trace_v[start + q, begin + s] = tile[s, q]
