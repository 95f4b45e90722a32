"""How signals move the cells of a direct download: the rows' short-term state, the columns' traces, the pulses.

The cell is a second-order memristor as Kim et al. 2015 (Nano Letters 15:2203) and Wu et al. 2021 (Advanced
Intelligent Systems, 10.1002/aisy.202000276) describe it (both read as abstracts only): an action
potential on the row raises a short-term state that decays within milliseconds and that lets the voltage on the
column move the conductance.  Here, after an action potential at tick 0,

    state s(k) = a exp(-(k - 1) tick / decay),  k = 1 ... until the row's next one or ``reach`` decays,
    a = 1 + what is left of the state before (``adds_up``), and the wanted change is step * sum_k s(k) trace(k).

The change is made by one pulse of the card's own, stronger or weaker, up or down, when the state has decayed: its
strength is taken from the card's mean response at mid-window (``PulseWriter``), so what comes is random, bounded by
the window, and smaller the farther the cell already is.  A first-order cell has no state: it is moved during the
action potential only (``decay_s`` 0).  Decay, step and the spread of cells are ours, tuned on grown cultures.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.arrays import turns
from neurograft.cells import PlasticState, PlasticWriter
from neurograft.errors import OptionError
from neurograft.pasting._front_end import Ticks
from neurograft.units import MS

_LOUD_SHARE = 0.03
_PAD_WAIT_S = 2 * MS  # tuned on one array (seed 3): see docs/background/download.md
_FIRST_ORDER_TICKS = 2  # an action potential is about 2 ms wide


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOrder:
    """The cell's short-term state.

    ``before`` is the weight at which what the trace did just before the action potential is taken away, as in the
    depressing half of spike-timing-dependent plasticity: 1 cancels what both neurons share, at twice the noise (power).
    None takes 1 where the network bursts and 0 where it does not.  ``wait_s`` is the time before the state opens: until
    then a pad hears its neighbour's action potential itself.  None takes 2 ms for pads and 0 for true potentials.
    See ``for_recording``.
    """

    decay_s: float = 2 * MS
    reach: float = 3.0
    adds_up: bool = True
    before: float | None = None
    wait_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse a state that never starts or never ends."""
        if not 0 <= self.decay_s <= 0.1:
            raise OptionError(f"decay_s is {self.decay_s}. Give the decay of the short-term state, 0 to 0.1 s.")
        if self.wait_s is not None and not 0 <= self.wait_s <= 0.02:
            raise OptionError(f"wait_s is {self.wait_s}. Give the time before the state opens, 0 to 0.02 s.")
        if not 0 < self.reach <= 10:
            raise OptionError(f"reach is {self.reach}. Give the decays that the state is followed, above 0 to 10.")
        if self.before is not None and not 0 <= self.before <= 1:
            raise OptionError(f"before is {self.before}. Give the weight of the time before a spike, 0 to 1.")

    def for_recording(self, *, loud_share: float, is_pad: bool) -> "SecondOrder":
        """Return the state with ``before`` and ``wait_s`` decided.

        ``before`` is 1 where the network is loud for more than 3 % of the time: tuned on grown cultures, 2 % without
        bursts, 10 % with one in five seconds.
        """
        before = (1.0 if loud_share > _LOUD_SHARE else 0.0) if self.before is None else self.before
        wait_s = (_PAD_WAIT_S if is_pad else 0.0) if self.wait_s is None else self.wait_s
        return replace(self, before=before, wait_s=wait_s)

    @property
    def weight_before(self) -> float:
        """Return ``before``, 0 where it was left open."""
        return self.before or 0.0

    def kernel(self, tick_s: float) -> Float32[ndarray, " ticks"]:
        """Return the state in the ticks after an action potential, with a root sum of squares of 1."""
        if self.decay_s == 0:
            shape = np.ones(_FIRST_ORDER_TICKS)
        else:
            n = max(round(self.reach * self.decay_s / tick_s), 1)
            shape = np.exp(-np.arange(n) * tick_s / self.decay_s)
        return (shape / np.sqrt(np.sum(shape**2) * (1 + self.weight_before**2))).astype(np.float32)

    def first_tick(self, tick_s: float) -> int:
        """Return the ticks after an action potential at which the trace begins to count."""
        return 0 if self.decay_s == 0 else 1 + round((self.wait_s or 0.0) / tick_s)


class Windows(NamedTuple):
    """What each spike's window asked of its row's cells, in noises of the trace; spikes in order of time."""

    row: Int64[ndarray, " spikes"]
    asked: Float32[ndarray, "spikes channels"]
    decoy: Float32[ndarray, "spikes channels"]  # the same of the traces ``DECOY_TICKS`` before


DECOY_TICKS = 150


class Past:
    """The ticks and spikes at the end of the stretch before, which the next one's windows need."""

    def __init__(self, n_channels: int, state: SecondOrder, tick_s: float) -> None:
        self.state = state
        self.kernel = state.kernel(tick_s)
        self.first = state.first_tick(tick_s)
        self.decay = float(np.exp(-tick_s / state.decay_s)) if state.decay_s > 0 else 0.0
        self.back = DECOY_TICKS + len(self.kernel) + self.first + 1
        self.n_channels = n_channels
        self._clear()

    def _clear(self) -> None:
        self.trace = np.zeros((0, self.n_channels), dtype=np.float32)
        self.tick = np.zeros(0, dtype=np.int64)  # waiting spikes, on the trace kept
        self.channel = np.zeros(0, dtype=np.int64)
        self.last = np.full(self.n_channels, -(1 << 40), dtype=np.int64)
        self.level = np.zeros(self.n_channels)

    def windows(self, now: Ticks) -> Windows:
        """Return the windows that end in this stretch; those that do not wait for the next."""
        if now.first:
            self._clear()
        trace = np.concatenate((self.trace, now.trace))
        tick = np.concatenate((self.tick, now.spike_tick + len(self.trace)))
        channel = np.concatenate((self.channel, now.spike_channel))
        reach = len(self.kernel) + self.first
        done = tick + reach <= len(trace)
        found = self._found(trace, tick, channel, done)
        keep_from = max(len(trace) - self.back - reach, 0)
        self.trace = trace[keep_from:].copy()
        self.tick, self.channel = tick[~done] - keep_from, channel[~done]
        self.last -= keep_from
        return found

    def _found(self, trace: ndarray, tick: ndarray, channel: ndarray, done: Bool[ndarray, " spikes"]) -> Windows:
        gap = _until_next(tick, channel)[done]
        level = self._levels(tick[done], channel[done])
        enough = tick[done] >= 0
        rows, at, gap, level = channel[done][enough], tick[done][enough], gap[enough], level[enough]
        asked = np.zeros((rows.size, trace.shape[1]), dtype=np.float32)
        decoy = np.zeros_like(asked)
        for k, weight in enumerate(self.kernel):
            s = (weight * level * (gap > k)).astype(np.float32)[:, None]
            then = at + k + self.first
            asked += s * trace[then]
            decoy += s * _at(trace, then - DECOY_TICKS)
            if self.state.weight_before:
                asked -= np.float32(self.state.weight_before) * s * _at(trace, at - 1 - k)
                decoy -= np.float32(self.state.weight_before) * s * _at(trace, at - 1 - k - DECOY_TICKS)
        return Windows(rows, asked, decoy)

    def _levels(self, tick: ndarray, channel: ndarray) -> Float64[ndarray, " spikes"]:
        """Return the height of the state that each spike leaves behind."""
        out = np.ones(tick.size)
        if not self.state.adds_up or self.decay == 0.0:
            return out
        for i in range(tick.size):
            c = channel[i]
            self.level[c] = 1.0 + self.level[c] * self.decay ** min(tick[i] - self.last[c], 1000)
            self.last[c] = tick[i]
            out[i] = self.level[c]
        return out


def _at(trace: ndarray, tick: Int64[ndarray, " n"]) -> Float32[ndarray, "n channels"]:
    """Return rows of the trace, 0 before its start."""
    return np.where((tick >= 0)[:, None], trace[np.maximum(tick, 0)], np.float32(0.0))


def _until_next(tick: Int64[ndarray, " n"], channel: Int64[ndarray, " n"]) -> Int64[ndarray, " n"]:
    """Return ticks until the same channel's next spike; very many for its last."""
    order = np.lexsort((tick, channel))
    gap = np.full(tick.size, 1 << 40, dtype=np.int64)
    same = channel[order][1:] == channel[order][:-1]
    gap[order[:-1][same]] = (tick[order][1:] - tick[order][:-1])[same]
    return gap


class Crossbar(NamedTuple):
    """Cells of all rows, ``width`` a row; a cell's pulse is ``up`` or ``down`` times what the card's mean cell does."""

    state: PlasticState
    width: int
    up: Float32[ndarray, " cells"]
    down: Float32[ndarray, " cells"]


def drive(
    bar: Crossbar,
    row: Int64[ndarray, " spikes"],
    wanted_siemens: Float64[ndarray, "spikes width"],
    writer: PlasticWriter,
    rng: Generator,
) -> None:
    """Pulse the cells of the spikes' rows, each row's spikes one after the other."""
    turn = turns(row)
    for k in range(int(turn.max(initial=-1)) + 1):
        now = np.flatnonzero(turn == k)
        now = now[np.argsort(row[now])]
        which = (row[now][:, None] * bar.width + np.arange(bar.width)).ravel()
        wanted = wanted_siemens[now].ravel()
        wanted = wanted * np.where(wanted > 0, bar.up[which], bar.down[which])
        writer.change(bar.state, which, wanted, rng)
