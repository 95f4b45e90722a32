"""A stimulus as tables that compiled code reads: kicks, forced and muted spikes of one group of neurons."""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray


class StimulusTables(NamedTuple):
    """Events of one group by step, neurons as places in the group."""

    kick_step: ndarray  # int64, rising
    kick_place: ndarray  # int64
    kick_v: ndarray  # float64
    forced_step: ndarray  # int64, rising; no two entries alike
    forced_place: ndarray  # int32, rising within a step
    muted_first: ndarray  # int64, one a neuron and the end: where its stretches begin
    muted_start: ndarray  # int64, steps
    muted_stop: ndarray  # int64, steps
    reset_v: float  # where a forced neuron goes; NaN: it stays
    hold: int  # steps for which it is then refractory
    has_spikes: bool  # there is more than kicks


def no_stimulus() -> StimulusTables:
    """Return what stands for no stimulus at all."""
    none = np.zeros(0, dtype=np.int64)
    return StimulusTables(
        none, none, np.zeros(0), none, none.astype(np.int32), none, none, none, math.nan, 0, False
    )  # fmt: skip


@njit(cache=True, nogil=True)
@no_type_check
def add_kicks(step, stimulus, inputs):
    """Add the kicks of a step to the potentials' inputs."""
    low = np.searchsorted(stimulus.kick_step, step)
    for e in range(low, stimulus.kick_step.size):
        if stimulus.kick_step[e] != step:
            break
        inputs[stimulus.kick_place[e]] += stimulus.kick_v[e]


@njit(cache=True, nogil=True)
@no_type_check
def _is_muted(step, neuron, stimulus):
    for e in range(stimulus.muted_first[neuron], stimulus.muted_first[neuron + 1]):
        if stimulus.muted_start[e] <= step < stimulus.muted_stop[e]:
            return True
    return False


@njit(cache=True, nogil=True)
@no_type_check
def force(step, stimulus, state, refractory, spiked, n):
    """Take away spikes of muted neurons, put in forced ones in rising order; return how many spikes there are then."""
    kept = 0
    for i in range(n):
        if not _is_muted(step, spiked[i], stimulus):
            spiked[kept] = spiked[i]
            kept += 1
    low = np.searchsorted(stimulus.forced_step, step)
    for e in range(low, stimulus.forced_step.size):
        if stimulus.forced_step[e] != step:
            break
        place = stimulus.forced_place[e]
        at = kept
        while at > 0 and spiked[at - 1] > place:
            at -= 1
        if at == 0 or spiked[at - 1] != place:
            for later in range(kept, at, -1):
                spiked[later] = spiked[later - 1]
            spiked[at] = place
            kept += 1
        if not math.isnan(stimulus.reset_v):
            state[0, place] = stimulus.reset_v
            refractory[place] = stimulus.hold
    return kept
