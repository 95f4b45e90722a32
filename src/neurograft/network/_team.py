"""Several partitions of integrate-and-fire neurons that advance side by side, one thread each, and meet by themselves.

Threads exchange spikes every shortest delay, which can be every step: too often for Python's pools.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

from concurrent.futures import ThreadPoolExecutor
from typing import no_type_check

import numpy as np
from numba import config, njit

from neurograft.network._atomic import CAN_WAIT, meet, new_gate
from neurograft.network._group import Clock, Group, Spikes
from neurograft.network._kernels import run_lif


def is_team(groups: list[Group], n_threads: int) -> bool:
    """Tell whether these groups can advance as a team: one compiled group a thread."""
    alike = all(group.is_compiled and group.quiet is None for group in groups)
    return CAN_WAIT and not getattr(config, "DISABLE_JIT", False) and 1 < len(groups) <= n_threads and alike


def run_team(groups: list[Group], clock: Clock, past: Spikes, n_steps: int, *, pool: ThreadPoolExecutor) -> int:
    """Advance all groups by up to ``n_steps``, spikes into ``past``; return how many were done before it was full."""
    block = int(min(n_steps, clock.delays.min(initial=n_steps)))
    n_most = max(group.n_neurons for group in groups)
    outs = np.empty((len(groups), n_most * (block + 1)), dtype=np.int32)
    starts = np.zeros((len(groups), block + 1), dtype=np.int64)
    gate = new_gate()

    def member(me: int) -> int:
        group = groups[me]
        group.voltage_v = np.empty((n_steps, group.recorded.size))
        return _member(
            me, gate, outs, starts, block, clock.step, n_steps, past.origin, group.first, clock.delays, past.neuron,
            past.start, group.rows, group.inputs, group.state,
            group.refractory, group.drive_v, group.noise_v, bool(np.any(group.noise_v)), group.poisson,
            group.has_poisson, clock.seed, group.stepper.constants, group.spiked, group.words, group.recorded,
            group.voltage_v,
        )  # fmt: skip

    waiting = [pool.submit(member, me) for me in range(1, len(groups))]
    done = member(0)
    for future in waiting:
        future.result()
    return done


@njit(cache=True, nogil=True)
@no_type_check
def _merge(outs, starts, block, at, past_neuron, past_start):
    """Put a block's spikes of all members into the past: by step, then by neuron."""
    for k in range(block):
        n = past_start[at + k]
        for member in range(outs.shape[0]):
            for s in range(starts[member, k], starts[member, k + 1]):
                past_neuron[n] = outs[member, s]
                n += 1
        past_start[at + k + 1] = n


@njit(cache=True, nogil=True)
@no_type_check
def _member(
    me, gate, outs, starts, block, step, n_steps, origin, first, delays, past_neuron, past_start, rows, inputs, state,
    refractory, drive_v, noise_v, has_noise, poisson, has_poisson, seed, constants, spiked, words, recorded, voltage_v,
):  # fmt: skip
    """Advance one group block by block; the first member merges what all did while the others wait."""
    n_members, done = outs.shape[0], 0
    most = outs.shape[1] * n_members
    while done < n_steps:
        n = min(block, n_steps - done)
        # all members see the same numbers here, so all stop or none
        if past_start[step + done - origin] + most > past_neuron.size:
            return done
        run_lif(
            step + done, n, origin, first, delays, past_neuron, past_start, outs[me], starts[me], step + done, rows,
            inputs, state, refractory, drive_v, noise_v, has_noise, poisson, has_poisson, seed,
            constants, spiked, words, recorded, voltage_v[done : done + n],
        )  # fmt: skip
        meet(gate, n_members)
        if me == 0:
            _merge(outs, starts, n, step + done - origin, past_neuron, past_start)
        meet(gate, n_members)
        done += n
    return done
