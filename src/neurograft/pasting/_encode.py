"""How weights are laid out on cells: one cell or several a synapse, linear, companded, in levels or in digits.

The largest weights of a brain's map are far from its usual ones: with the largest at the end of the
window the usual ones drown in the spread of the cells, with a smaller full scale the largest are clipped.
``Overflow`` and ``Digits`` have neither fault and pay in cells.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray

from neurograft.cells import Code, MemoryCell
from neurograft.errors import OptionError

_MOST_GROUPS = 1024
_MANY_LEVELS = 8
_DEFAULT_BITS = 7
_DEFAULT_FULL_SCALE_V = 1e-3  # of a map without weights


class Encoding(NamedTuple):
    """Cells before they have a place: whose weight, which part of it, at which conductance.

    The weight of a synapse is the sum over its cells of part_gain[part] * code.to_volts(target).
    """

    code: Code
    part_gain: tuple[float, ...]
    synapse: Int64[ndarray, " cells"]
    part: UInt8[ndarray, " cells"]
    target_siemens: Float64[ndarray, " cells"]


@runtime_checkable
class Encoder(Protocol):
    """Lays weights out on cells."""

    def encode(self, weight_v: Float64[ndarray, " synapses"], *, memory: MemoryCell) -> Encoding:
        """Return the cells of every synapse, those of one synapse next to each other."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """One cell a synapse; at most ``clip_share`` of the synapses lie beyond full scale and are clipped.

    NeuRRAM clips at the 95th percentile (code), which is clip_share=0.05.  An exponent below 1 spends
    more of the window on small weights, but such cells have to be read one by one and decoded.
    """

    clip_share: float = 0.01
    exponent: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that make no code."""
        _require_share(self.clip_share)
        if not 0.1 <= self.exponent <= 1:
            raise OptionError(f"exponent is {self.exponent}. Give 1 (linear) or less, down to 0.1 (companded).")

    def code(self, weight_v: Float64[ndarray, " synapses"], *, window_siemens: tuple[float, float]) -> Code:
        """Return the code for these weights in this window; a map without weights gets 1 mV full scale."""
        return Code(
            full_scale_v=_full_scale_v(weight_v, self.clip_share),
            exponent=self.exponent,
            zero_siemens=window_siemens[0],
            top_siemens=window_siemens[1],
        )

    def encode(self, weight_v: Float64[ndarray, " synapses"], *, memory: MemoryCell) -> Encoding:
        """Return a cell a synapse."""
        code = self.code(weight_v, window_siemens=(memory.g_min_siemens, memory.g_max_siemens))
        return _one_each(code, weight_v)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """One cell a synapse on a cell with levels, each level standing for the weight that suits the map best.

    The levels' weights have the least squared error; level 0 is weight 0.  They are unevenly spaced, so
    cells have to be read one by one and decoded.
    """

    clip_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an impossible share."""
        _require_share(self.clip_share)

    def encode(self, weight_v: Float64[ndarray, " synapses"], *, memory: MemoryCell) -> Encoding:
        """Return a cell a synapse, on the level whose weight is nearest."""
        n = _levels(memory, "Levels")
        full = _full_scale_v(weight_v, self.clip_share)
        size = np.minimum(np.abs(weight_v), full)
        levels = _best_levels(size, full, n)
        code = Code(
            full_scale_v=full,
            exponent=1.0,
            zero_siemens=memory.g_min_siemens,
            top_siemens=memory.g_max_siemens,
            levels_v=tuple(levels.tolist()),
        )
        nearest = np.searchsorted(0.5 * (levels[1:] + levels[:-1]), size)
        share = nearest / (n - 1)
        target = code.zero_siemens + share * (code.top_siemens - code.zero_siemens)
        return Encoding(code, (1.0,), np.arange(size.size), np.zeros(size.size, dtype=np.uint8), target)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Several cells a synapse, each a digit: four binary MRAM cells hold 16 weights, two TLC cells 64."""

    n_cells: int
    clip_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        _require_cells(self.n_cells)
        _require_share(self.clip_share)

    def encode(self, weight_v: Float64[ndarray, " synapses"], *, memory: MemoryCell) -> Encoding:
        """Return ``n_cells`` cells a synapse, the lowest digit first."""
        base = _levels(memory, "Digits")
        code = Scaling(clip_share=self.clip_share).code(weight_v, window_siemens=_window(memory))
        steps = base**self.n_cells - 1
        value = np.rint(np.minimum(np.abs(weight_v) / code.full_scale_v, 1.0) * steps).astype(np.int64)
        place = base ** np.arange(self.n_cells, dtype=np.int64)
        digit = (value[:, None] // place[None, :]) % base
        target = code.zero_siemens + digit / (base - 1) * (code.top_siemens - code.zero_siemens)
        gain = tuple(float(p) * (base - 1) / steps for p in place)
        return _several(code, gain, target)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """The same weight on several cells whose mean counts: errors of cells fall with the root of their number."""

    n_cells: int
    clip_share: float = 0.01

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        _require_cells(self.n_cells)
        _require_share(self.clip_share)

    def encode(self, weight_v: Float64[ndarray, " synapses"], *, memory: MemoryCell) -> Encoding:
        """Return ``n_cells`` alike cells a synapse."""
        code = Scaling(clip_share=self.clip_share).code(weight_v, window_siemens=_window(memory))
        target = np.repeat(code.to_siemens(weight_v)[:, None], self.n_cells, axis=1)
        return _several(code, (1.0 / self.n_cells,) * self.n_cells, target)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """Weights beyond full scale take further cells that share them evenly, up to ``max_cells``.

    ``large_share`` of the synapses are beyond full scale: the larger it is, the more of the window the
    small weights get, and the more cells are used.  Sums stay linear.
    """

    large_share: float = 0.25
    max_cells: int = 32

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        _require_cells(self.max_cells)
        _require_share(self.large_share)

    def encode(self, weight_v: Float64[ndarray, " synapses"], *, memory: MemoryCell) -> Encoding:
        """Return as many cells a synapse as its weight needs."""
        code = Scaling(clip_share=self.large_share).code(weight_v, window_siemens=_window(memory))
        size = np.abs(weight_v)
        n_cells = np.clip(np.ceil(size / code.full_scale_v * (1 - 1e-12)), 1, self.max_cells).astype(np.int64)
        synapse = np.repeat(np.arange(size.size), n_cells)
        first = np.cumsum(n_cells) - n_cells
        part = np.arange(synapse.size) - first[synapse]
        target = code.to_siemens((size / n_cells)[synapse])
        return Encoding(code, (1.0,) * self.max_cells, synapse, part.astype(np.uint8), target)


def default_encoder(memory: MemoryCell) -> Encoder:
    """Return ``Overflow`` for analog cells and cells of many levels, seven bits in ``Digits`` for the others.

    On heavy-tailed maps Overflow's cells, half as many again, cut the error tenfold; two levels are too few for it.
    """
    if memory.levels is None or memory.levels >= _MANY_LEVELS:
        return Overflow()
    return Digits(n_cells=math.ceil(_DEFAULT_BITS / math.log2(memory.levels)))


def _window(memory: MemoryCell) -> tuple[float, float]:
    return memory.g_min_siemens, memory.g_max_siemens


def _one_each(code: Code, weight_v: Float64[ndarray, " synapses"]) -> Encoding:
    n = weight_v.size
    return Encoding(code, (1.0,), np.arange(n), np.zeros(n, dtype=np.uint8), code.to_siemens(weight_v))


def _several(code: Code, gain: tuple[float, ...], target: Float64[ndarray, "synapses parts"]) -> Encoding:
    n, n_parts = target.shape
    synapse = np.repeat(np.arange(n), n_parts)
    return Encoding(code, gain, synapse, np.tile(np.arange(n_parts, dtype=np.uint8), n), target.ravel())


def _full_scale_v(weight_v: Float64[ndarray, " synapses"], clip_share: float) -> float:
    size = np.sort(np.abs(weight_v))
    full = float(size[size.size - 1 - int(clip_share * size.size)]) if size.size else 0.0
    return full if full > 0 else _DEFAULT_FULL_SCALE_V


def _best_levels(size: Float64[ndarray, " synapses"], full: float, n: int) -> Float64[ndarray, " levels"]:
    """Return n rising values from 0 on with the least squared distance to all sizes.

    One-dimensional clustering by dynamic programming (Wang and Song 2011), exact up to ``_MOST_GROUPS``
    distinct sizes; more are grouped by rank first.
    """
    value, count = np.unique(size, return_counts=True)
    if value.size > _MOST_GROUPS:
        group = np.arange(value.size) * _MOST_GROUPS // value.size
        total = np.bincount(group, weights=count)
        value, count = np.bincount(group, weights=value * count) / total, total
    if value.size < n:
        known = np.union1d(0.0, value)[:n]
        return np.concatenate((known, full * (1 + 1e-9 * np.arange(1, n - known.size + 1))))
    s0, s1, s2 = (np.concatenate(([0.0], np.cumsum(count * value**k))) for k in (0, 1, 2))
    first, last = np.arange(value.size)[:, None], np.arange(value.size)[None, :]
    mass = np.where(first <= last, s0[last + 1] - s0[first], np.inf)
    cost = np.where(first <= last, s2[last + 1] - s2[first] - (s1[last + 1] - s1[first]) ** 2 / mass, np.inf)
    best, starts = s2[1:], list[ndarray]()  # the first level stays at 0
    for _ in range(n - 1):
        total = np.concatenate(([0.0], best[:-1]))[:, None] + cost
        starts.append(np.argmin(total, axis=0))
        best = np.min(total, axis=0)
    levels, end = np.zeros(n), value.size
    for k in range(n - 1, 0, -1):
        start = int(starts[k - 1][end - 1]) if end else 0
        levels[k] = (s1[end] - s1[start]) / (s0[end] - s0[start]) if end > start else levels[min(k + 1, n - 1)]
        end = start
    return np.maximum.accumulate(levels)


def _levels(memory: MemoryCell, name: str) -> int:
    if memory.levels is None:
        raise OptionError(f"{name} needs a cell with levels, but {memory.name} is analog. Use Scaling or Overflow.")
    return memory.levels


def _require_share(share: float) -> None:
    if not 0 <= share < 1:
        raise OptionError(f"The share is {share}. Give the share of synapses beyond full scale, 0 to below 1.")


def _require_cells(n: int) -> None:
    if not 1 <= n <= 64:
        raise OptionError(f"The number of cells a synapse is {n}. Give 1 to 64.")
