"""Cells whose weights change while a network runs: wanted changes become counted pulses of the card's own.

A learning rule asks for a change; what comes is what the card's ``pulse`` does to the cell as it stands.  The
strength of a pulse is taken from the mean response of the card at mid-window, which is known to the
controller beforehand; the cell is not read first.  So changes are too large near one end of the window, too
small near the other, and random: that is what a memory does to a learning rule.

Changes smaller than the smallest pulse are collected beside the cell until they are worth one (Nandakumar et al.
2020, Front. Neurosci. 14:406, do so for PCM; from memory), or lost, with ``keeps_rest`` False.  Relaxation and
drift between pulses are not modelled here.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64, UInt32
from numpy import ndarray
from numpy.random import Generator

from neurograft.arrays import turns
from neurograft.cells._protocol import MemoryCell
from neurograft.errors import CellError, OptionError

_N_DRIVES = 65
_WEAKEST = 1e-6  # of the way from the weakest pulse that moves a cell to the strongest: the table's finest step
_N_HALVINGS = 40
_N_REPEATS = 2048  # jitter of 0.3 averages to 0.7 %
_SEED = 20_210_923  # of the calibration; any other gives the same table within 1 %


class PlasticState(NamedTuple):
    """Cells of plastic synapses; a writer's ``change`` alters the arrays in place."""

    g_siemens: Float64[ndarray, " cells"]
    rest_siemens: Float64[ndarray, " cells"]  # asked for, not yet worth a pulse
    pulses_up: UInt32[ndarray, " cells"]
    pulses_down: UInt32[ndarray, " cells"]

    @property
    def pulses(self) -> Int64[ndarray, " cells"]:
        """Return pulses of either direction."""
        return self.pulses_up.astype(np.int64) + self.pulses_down


@runtime_checkable
class PlasticWriter(Protocol):
    """What a learning rule needs of a memory: the window, and a way to change cells in place."""

    @property
    def window_siemens(self) -> tuple[float, float]:
        """Lowest and highest conductance that a change can lead to."""
        ...

    def change(
        self,
        state: PlasticState,
        which: Int64[ndarray, " changes"],
        wanted_siemens: Float64[ndarray, " changes"],
        rng: Generator,
    ) -> None:
        """Change cells ``which`` by about ``wanted_siemens`` each, in order; a cell may come more than once."""
        ...


def plastic_state(g_siemens: Float64[ndarray, " cells"], writer: PlasticWriter) -> PlasticState:
    """Return the state of cells that hold ``g_siemens`` and have taken no pulse; values are kept in the window."""
    bad = np.flatnonzero(~np.isfinite(g_siemens))
    if bad.size:
        raise CellError(f"g_siemens[{bad[0]}] is {g_siemens[bad[0]]}. Give the conductance that the cell holds.")
    low, high = writer.window_siemens
    n = g_siemens.size
    none = np.zeros(n, dtype=np.uint32)
    return PlasticState(np.clip(g_siemens, low, high), np.zeros(n), none, none.copy())


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PulseWriter:
    """Changes cells by pulses of a card; made by ``pulse_writer``, which measures the card's mean response.

    ``up_siemens`` and ``down_siemens`` are mean changes at mid-window for the strengths ``drives_up`` and
    ``drives_down``, all positive; the weakest entry is the strongest pulse that does nothing.
    """

    cell: MemoryCell
    smallest_siemens: float
    keeps_rest: bool
    drives_up: Float64[ndarray, " drives"]
    up_siemens: Float64[ndarray, " drives"]
    drives_down: Float64[ndarray, " drives"]
    down_siemens: Float64[ndarray, " drives"]

    @property
    def window_siemens(self) -> tuple[float, float]:
        """Lowest and highest conductance of the card."""
        return self.cell.g_min_siemens, self.cell.g_max_siemens

    def change(
        self,
        state: PlasticState,
        which: Int64[ndarray, " changes"],
        wanted_siemens: Float64[ndarray, " changes"],
        rng: Generator,
    ) -> None:
        """Pulse the cells, at most once a change; what a change leaves over is kept, up to one strongest pulse."""
        if which.size < 2 or np.all(which[1:] > which[:-1]):
            self._change_once(state, which, wanted_siemens, rng)
            return
        turn = turns(which)
        for k in range(int(turn.max(initial=-1)) + 1):
            now = turn == k
            self._change_once(state, which[now], wanted_siemens[now], rng)

    def _change_once(self, state: PlasticState, which: ndarray, wanted: ndarray, rng: Generator) -> None:
        total = state.rest_siemens[which] + wanted
        size = np.abs(total)
        is_up = total > 0
        is_pulsed = size >= self.smallest_siemens
        up, down = (
            np.interp(size, self.up_siemens, self.drives_up),
            np.interp(size, self.down_siemens, self.drives_down),
        )
        drive = np.where(is_up, up, -down)
        most = np.where(is_up, self.up_siemens[-1], self.down_siemens[-1])
        done = np.where(is_pulsed, np.sign(total) * np.minimum(size, most), 0.0)
        rest = np.clip(total - done, -self.down_siemens[-1], self.up_siemens[-1])
        state.rest_siemens[which] = rest if self.keeps_rest else 0.0
        at = which[is_pulsed]
        low, high = self.window_siemens
        state.g_siemens[at] = np.clip(self.cell.pulse(state.g_siemens[at], drive[is_pulsed], rng), low, high)
        state.pulses_up[which[is_pulsed & is_up]] += 1
        state.pulses_down[which[is_pulsed & ~is_up]] += 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExactWriter:
    """Changes a number by exactly what is asked for: what the same rule does without a memory's faults.

    Every change counts as one pulse.
    """

    window_siemens: tuple[float, float]

    def change(
        self,
        state: PlasticState,
        which: Int64[ndarray, " changes"],
        wanted_siemens: Float64[ndarray, " changes"],
        rng: Generator,
    ) -> None:
        """Add the changes, each kept in the window."""
        low, high = self.window_siemens
        turn = turns(which)
        for k in range(int(turn.max(initial=-1)) + 1):
            now = turn == k
            at, wanted = which[now], wanted_siemens[now]
            state.g_siemens[at] = np.clip(state.g_siemens[at] + wanted, low, high)
            state.pulses_up[at[wanted > 0]] += 1
            state.pulses_down[at[wanted < 0]] += 1


def pulse_writer(cell: MemoryCell, *, smallest: float = 0.005, keeps_rest: bool = True) -> PulseWriter:
    """Return a writer that changes cells by the card's pulses; ``smallest`` is a share of the window.

    Raises CellError for a card whose cells cannot be lowered one by one (NAND flash).
    """
    if not 0 < smallest <= 1:
        raise OptionError(f"smallest is {smallest}. Give the smallest change worth a pulse, above 0 to 1 window.")
    window = cell.g_max_siemens - cell.g_min_siemens
    try:
        drives_down, down = _response(cell, -1.0)
    except CellError as error:
        raise CellError(
            f"{cell.name} cannot learn while it runs: {error} Choose rram, pram, mram, sonos or ideal."
        ) from None
    drives_up, up = _response(cell, 1.0)
    for name, size in (("raises", up), ("lowers", down)):
        if not size[-1] > 0:
            raise CellError(f"No pulse {name} a cell of {cell.name} at mid-window. Choose another card.")
    return PulseWriter(
        cell=cell,
        smallest_siemens=smallest * window,
        keeps_rest=keeps_rest,
        drives_up=drives_up,
        up_siemens=up,
        drives_down=drives_down,
        down_siemens=down,
    )


def _response(cell: MemoryCell, sign: float) -> tuple[Float64[ndarray, " drives"], Float64[ndarray, " drives"]]:
    """Return strengths and the mean change of a cell at mid-window for each, both positive and rising.

    Below a threshold a pulse may do nothing (RRAM); strengths are spaced in equal ratios from there.
    """
    weak, works = 0.0, 1.0
    for _ in range(_N_HALVINGS):
        middle = 0.5 * (weak + works)
        if _mean_change(cell, sign, np.array([middle]))[0] > 0:
            works = middle
        else:
            weak = middle
    above = weak + (1.0 - weak) * np.geomspace(_WEAKEST, 1.0, _N_DRIVES - 1)
    drives = np.concatenate(([weak], np.minimum(above, 1.0)))
    change = _mean_change(cell, sign, drives)
    change[0] = 0.0
    return drives, np.maximum.accumulate(change)


def _mean_change(cell: MemoryCell, sign: float, drives: Float64[ndarray, " drives"]) -> Float64[ndarray, " drives"]:
    low, high = cell.g_min_siemens, cell.g_max_siemens
    middle = 0.5 * (low + high)
    start = np.full(drives.size * _N_REPEATS, middle)
    after = cell.pulse(start, sign * np.repeat(drives, _N_REPEATS), np.random.default_rng(_SEED))
    return sign * (np.clip(after, low, high) - middle).reshape(drives.size, _N_REPEATS).mean(axis=1)
