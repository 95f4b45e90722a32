"""The engine: groups of neurons advanced in stretches no longer than the shortest delay, then merged."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray

from neurograft.network._group import Clock, Group, Spikes, runner_of
from neurograft.network._team import is_team, run_team


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """What one stretch of steps brought: spikes by step and neuron, and the recorded potentials."""

    stop_step: int
    step: Int64[ndarray, " spikes"]
    neuron: Int32[ndarray, " spikes"]
    voltage_v: Float64[ndarray, "steps recorded"]


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Engine:
    """All groups of a network, its past spikes as far back as the longest delay, and the clock."""

    groups: list[Group]
    clock: Clock
    past: Spikes
    n_threads: int
    columns: Int64[ndarray, "recorded 2"]  # of ``voltage_v``: place of the neuron, which of the recorded states
    outs: list[Spikes] = field(default_factory=list[Spikes])

    @property
    def step(self) -> int:
        """The next step."""
        return self.clock.step

    @property
    def n_neurons(self) -> int:
        """Number of neurons of all groups."""
        return sum(group.n_neurons for group in self.groups)

    @property
    def max_delay(self) -> int:
        """Longest delay in steps, 0 without synapses."""
        return int(self.clock.delays.max(initial=0))

    def advance(self, n_steps: int) -> Piece:
        """Do ``n_steps`` steps and return what happened in them."""
        begin = self.step
        self._forget(n_steps)
        if len(self.groups) == 1:
            voltage_v = self._advance_one(n_steps)
        elif is_team(self.groups, self.n_threads):
            voltage_v = self._advance_team(n_steps)
        else:
            voltage_v = self._advance_many(n_steps)
        start = self.past.start[begin - self.past.origin : self.step - self.past.origin + 1]
        steps = np.repeat(np.arange(begin, self.step), np.diff(start))
        return Piece(
            stop_step=self.step, step=steps, neuron=self.past.neuron[start[0] : start[-1]].copy(), voltage_v=voltage_v
        )

    def _forget(self, n_steps: int) -> None:
        """Keep of the past only what can still arrive, and make room for the steps to come."""
        keep = min(self.max_delay, self.step - self.past.origin)
        old = self.past
        at = self.step - keep - old.origin
        start = np.zeros(keep + n_steps + 1, dtype=np.int64)
        start[: keep + 1] = old.start[at : at + keep + 1] - old.start[at]
        used = int(start[keep])
        neuron = np.empty(max(used + 4 * self.n_neurons, old.neuron.size), dtype=np.int32)
        neuron[:used] = old.neuron[old.start[at] : old.start[at] + used]
        self.past = Spikes(origin=self.step - keep, neuron=neuron, start=start)

    def _advance_one(self, n_steps: int) -> ndarray:
        group = self.groups[0]
        run = runner_of(group)
        voltages: list[ndarray] = []
        stop = self.step + n_steps
        while self.step < stop:
            done = run(group, self.clock, stop - self.step, past=self.past, out=self.past)
            voltages.append(group.voltage_v[:done])
            self.clock.step += done
            if self.step < stop:
                self.past.room(self.n_neurons, int(self.past.start[self.step - self.past.origin]))
        return np.concatenate(voltages)

    def _advance_team(self, n_steps: int) -> ndarray:
        """Advance all groups side by side in compiled code that exchanges spikes by itself."""
        voltages: list[ndarray] = []
        stop = self.step + n_steps
        at_once = int(self.clock.delays.min(initial=n_steps))
        room = (at_once + 2) * len(self.groups) * max(group.n_neurons for group in self.groups)
        with ThreadPoolExecutor(len(self.groups) - 1) as pool:
            while self.step < stop:
                self.past.room(room, int(self.past.start[self.step - self.past.origin]))
                done = run_team(self.groups, self.clock, self.past, stop - self.step, pool=pool)
                voltages.append(np.concatenate([group.voltage_v[:done] for group in self.groups], axis=1))
                self.clock.step += done
        return np.concatenate(voltages)

    def _advance_many(self, n_steps: int) -> ndarray:
        """Advance all groups by the shortest delay at a time, so that none needs what another does meanwhile."""
        at_once = int(self.clock.delays.min(initial=n_steps))
        voltages: list[ndarray] = []
        stop = self.step + n_steps
        with ThreadPoolExecutor(max(1, self.n_threads - 1)) as pool:
            while self.step < stop:
                block = min(at_once, stop - self.step)
                self._prepare_outs(block)
                jobs = [self._job(group, out, block) for group, out in zip(self.groups, self.outs, strict=True)]
                if self.n_threads > 1:
                    waiting = [pool.submit(job) for job in jobs[1:]]
                    jobs[0]()
                    for future in waiting:
                        future.result()
                else:
                    for job in jobs:
                        job()
                voltages.append(np.concatenate([group.voltage_v for group in self.groups], axis=1))
                self._merge(block)
        return np.concatenate(voltages)

    def _job(self, group: Group, out: Spikes, block: int) -> Callable[[], int]:
        run = runner_of(group)
        return lambda: run(group, self.clock, block, past=self.past, out=out)

    def _prepare_outs(self, block: int) -> None:
        if not self.outs or self.outs[0].start.size < block + 1:
            self.outs = [
                Spikes(
                    origin=0,
                    neuron=np.empty(group.n_neurons * (block + 1), dtype=np.int32),
                    start=np.zeros(block + 1, dtype=np.int64),
                )
                for group in self.groups
            ]
        for out in self.outs:
            out.origin = self.step

    def _merge(self, block: int) -> None:
        at = self.step - self.past.origin
        self.past.room(sum(int(out.start[block]) for out in self.outs), int(self.past.start[at]))
        for k in range(block):
            n = int(self.past.start[at + k])
            for out in self.outs:
                first, last = int(out.start[k]), int(out.start[k + 1])
                self.past.neuron[n : n + last - first] = out.neuron[first:last]
                n += last - first
            self.past.start[at + k + 1] = n
        self.clock.step += block
