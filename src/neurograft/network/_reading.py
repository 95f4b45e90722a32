"""Delivery by cells that are read anew at every synaptic event, and the converter that rounds a neuron's sum."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

from neurograft.network._random import philox

_STREAM_READ = 9  # of the counter-based numbers; no other stream of the engine has it


class Reading(NamedTuple):
    """How the cells of one group's rows read at present; entry j is that of the rows."""

    weight: ndarray  # float32
    noise: ndarray  # float32: standard deviation of one reading
    synapse: ndarray  # int64: the map's synapse, which the noise depends on
    levels: float  # of the converter on either side of 0; 0: exact sums
    step_v: float  # between two levels


def no_reading() -> Reading:
    """Return what stands for the engine's own delivery."""
    none = np.zeros(0, dtype=np.float32)
    return Reading(none, none, np.zeros(0, dtype=np.int64), 0.0, 1.0)


@njit(cache=True, nogil=True)
@no_type_check
def convert(inputs, levels, step_v):
    """Round every sum to a level of the converter, or to its last one."""
    width, most = np.float32(step_v), np.float32(levels)
    for i in range(inputs.size):
        inputs[i] = min(max(np.rint(inputs[i] / width), -most), most - np.float32(1.0)) * width


@njit(cache=True, nogil=True)
@no_type_check
def deliver_read(
    step, origin, delays, past_neuron, past_start, start, target, weight, noise, synapse, inputs, seed
):  # fmt: skip
    """Add a fresh reading of each synapse that delivers; the noise depends on seed, step and synapse only."""
    n_delays, n = delays.size, 0
    mask = np.uint64(0xFFFFFFFF)
    low, high = np.uint64(seed) & mask, np.uint64(seed) >> np.uint64(32)
    for d in range(n_delays):
        k = step - delays[d] - origin
        if k < 0:
            continue
        for s in range(past_start[k], past_start[k + 1]):
            row = np.int64(past_neuron[s]) * n_delays + d
            for j in range(start[row], start[row + 1]):
                n += 1
                if noise[j] > 0.0:
                    a, b, _, _ = philox(
                        np.uint64(step) & mask, np.uint64(step) >> np.uint64(32), np.uint64(synapse[j]),
                        np.uint64(_STREAM_READ), low, high,
                    )  # fmt: skip
                    radius = np.sqrt(-2.0 * np.log((np.float64(a) + 1.0) / 4294967296.0))
                    inputs[target[j]] += weight[j] + noise[j] * radius * np.cos(
                        2.0 * np.pi * np.float64(b) / 4294967296.0
                    )
                else:
                    inputs[target[j]] += weight[j]
    return n
