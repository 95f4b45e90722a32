"""Slits in which each free ion and each pair has a place across the field; between rate equations and moving ions.

Rate equations multiply mean densities.  But where ions were spread at random, some stripes along the field have more
cations and some more anions; drift mixes a stripe along itself, and only diffusion mixes stripes.  What is left over
of one sign cannot pair: after a time t in a weak field a share of (2 pi rho L sqrt(2 pi D t))^-1/2 stays free,
rho ions of a species on an area, L the length along the field (Toussaint and Wilczek, J. Chem. Phys. 78, 2642, 1983,
in one dimension).  Every spike breaks pairs anew, and their halves drift apart.

Here free ions and pairs diffuse across, pairs break at k_d(E), and in each cell of ``cell_m`` cations and anions are
caught at k_a(E), taken at the density of those that are free.  Rates come from any law: nothing is fitted.  A cell is
about as wide as an ion diffuses while it drifts once around: with 100 nm the free share of moving ions is met best
(docs/background/ionic.md).  A field is supposed to mix along itself, so times without any field are not described well.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._circuit import Circuit, NeuronTrace
from neurograft.ionic._rates import RateLaw
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S, thermal_energy_j
from neurograft.units import NM, NS, US

_N_FIELDS: Final = 256
_N_SHARES: Final = 24
_LEAST_SHARE: Final = 1e-3
_START_V: Final = 0.5


class Rates(NamedTuple):
    """Of fields evenly from 0, and shares of free ions evenly in their logarithm; both times the step."""

    per_v_m: float
    breaking: Float64[ndarray, " fields"]
    catching: Float64[ndarray, "shares fields"]  # a cation and an anion of one cell


class Placed(NamedTuple):
    """Places across the field (m) of single cations, single anions, and pairs."""

    cation_m: Float64[ndarray, " single"]
    anion_m: Float64[ndarray, " single"]
    pair_m: Float64[ndarray, " pairs"]


class NeuronStart(NamedTuple):
    """Where a neuron stands: time since its ions were spread, potential, both slits."""

    time_s: float
    voltage_v: float
    na: Placed
    k: Placed


class _Crowd(NamedTuple):
    """Places across the field: free cations, free anions, pairs; when pairs formed; scratch space."""

    place_m: Float64[ndarray, "three ions"]
    born: Int64[ndarray, " ions"]
    listed: Int64[ndarray, "two ions"]
    begin: Int64[ndarray, "two cells_and_end"]
    is_caught: ndarray
    width_m: float
    spread_m: float  # of a free ion in a step


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stripes:
    """One slit: ``n_pairs`` cations and as many anions on ``length_m`` (along the field) by ``width_m``."""

    law: RateLaw
    n_pairs: int
    length_m: float
    width_m: float
    diffusion_m2_s: float = PAPER_DIFFUSION_M2_S
    cell_m: float = 100 * NM
    step_s: float = 50 * NS

    def __post_init__(self) -> None:
        """Refuse a slit that its cells do not resolve."""
        kick_m = math.sqrt(2 * self.diffusion_m2_s * self.step_s)
        fits = 2 * self.cell_m <= self.width_m * (1 + 1e-9)
        if not (self.n_pairs >= 1 and kick_m < self.cell_m and fits and self.length_m > 0):
            raise IonicError(
                f"cell_m is {self.cell_m:g}, the width {self.width_m:g} m: a cell must be wider than an ion diffuses "
                f"in a step ({kick_m:.2g} m), and two must fit into the width."
            )

    def rates(self, top_v_m: float) -> Rates:
        """Return the law's rates up to a field, for a step and a cell."""
        field = np.linspace(0.0, top_v_m, _N_FIELDS)
        share = np.geomspace(_LEAST_SHARE, 1.0, _N_SHARES)
        per_m2 = self.n_pairs / (self.length_m * self.width_m)
        caught = np.array([self.law.catching_m2_s(field, per_m2=per_m2 * float(n)) for n in share])
        room_m2 = self.length_m * self.width_m / self.n_cells
        return Rates(
            (_N_FIELDS - 1) / top_v_m, self.law.breaking_hz(field) * self.step_s, caught * self.step_s / room_m2
        )

    @property
    def n_cells(self) -> int:
        """Number of stripes that are told apart."""
        return round(self.width_m / self.cell_m)

    def start(self, placed: Placed) -> _Crowd:
        """Return the ions at their places."""
        n, free, bound = self.n_pairs, placed.cation_m.size, placed.pair_m.size
        if not free == placed.anion_m.size == n - bound:
            raise IonicError(
                f"{free} single cations, {placed.anion_m.size} single anions and {bound} pairs are not {n} ions of "
                "each kind. Give places of as many as the slit has."
            )
        place_m = np.zeros((3, n))
        place_m[0, :free], place_m[1, :free], place_m[2, :bound] = placed
        return _Crowd(
            place_m=place_m,
            born=np.zeros(n, dtype=np.int64),
            listed=np.zeros((2, n), dtype=np.int64),
            begin=np.zeros((2, self.n_cells + 1), dtype=np.int64),
            is_caught=np.zeros((2, n), dtype=np.bool_),
            width_m=self.width_m,
            spread_m=math.sqrt(2 * self.diffusion_m2_s * self.step_s),
        )

    def spread(self, rng: Generator) -> Placed:
        """Return ions spread at random, all of them free."""
        cation_m, anion_m = rng.random((2, self.n_pairs)) * self.width_m
        return Placed(cation_m, anion_m, np.zeros(0))

    def relax(
        self, field_v_m: Float64[ndarray, " steps"], rng: Generator, *, start: Placed | None = None
    ) -> Float64[ndarray, " steps"]:
        """Return the free share after each step in a prescribed field, from a random start or a given one."""
        share = np.zeros(field_v_m.size)
        rates = self.rates(max(1.0, 1.01 * float(np.abs(field_v_m).max())))
        begin = self.spread(rng) if start is None else start
        _relax(np.abs(field_v_m), self.start(begin), begin.cation_m.size, rates, rng, share)
        return share


def simulate_stripes(
    circuit: Circuit,
    law: RateLaw,
    *,
    duration_s: float,
    rng: Generator,
    quiet_s: float = 5.05 * US,
    step_s: float = 50 * NS,
    cell_m: float = 100 * NM,
    start: NeuronStart | None = None,
) -> NeuronTrace:
    """Return the course of the neuron until ``duration_s``.

    Without ``start`` from the particles' start: ions at random, at first the circuit off.
    """
    slits = [
        Stripes(
            law=law, n_pairs=circuit.n_pairs, length_m=circuit.length_m, width_m=width_m, cell_m=cell_m, step_s=step_s,
            diffusion_m2_s=circuit.diffusion_m2_s,
        )
        for width_m in (circuit.na_width_m, circuit.k_width_m)
    ]  # fmt: skip
    top_v_m = 1.25 * max(abs(circuit.reversal_na_v), abs(circuit.reversal_k_v)) / circuit.length_m
    na, k = (slit.rates(top_v_m) for slit in slits)
    charge = step_s / circuit.capacitance_f
    g_step = charge * circuit.free_siemens
    thermal_v = math.sqrt(2 * thermal_energy_j(circuit.temperature_k) * circuit.free_siemens * step_s)
    constants = np.array(
        [
            charge * circuit.current_a, circuit.na_gain, g_step, circuit.reversal_na_v, circuit.reversal_k_v,
            thermal_v / circuit.capacitance_f, circuit.length_m,
        ]
    )  # fmt: skip
    if start is None:
        start = NeuronStart(0.0, _START_V, *(slit.spread(rng) for slit in slits))
    first = round(start.time_s / step_s)
    rows = np.zeros((max(0, round(duration_s / step_s) - first), 3))
    crowds = [slit.start(placed) for slit, placed in zip(slits, (start.na, start.k), strict=True)]
    begin = (start.voltage_v, start.na.cation_m.size, start.k.cation_m.size)
    n_quiet = max(0, round(quiet_s / step_s) - first)
    _run_neuron(crowds[0], crowds[1], na, k, constants, begin, n_quiet, rng, rows)
    return NeuronTrace((1 + first + np.arange(rows.shape[0])) * step_s, *rows.T.copy())


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def rates_at(field, share, rates):
    x = min(field * rates.per_v_m, rates.breaking.size - 2.0)
    i = int(x)
    p = x - i
    top = rates.catching.shape[0] - 1
    y = (1.0 - math.log(max(share, _LEAST_SHARE)) / math.log(_LEAST_SHARE)) * top
    j = min(int(y), top - 1)
    q = y - j
    low = rates.catching[j, i] + p * (rates.catching[j, i + 1] - rates.catching[j, i])
    high = rates.catching[j + 1, i] + p * (rates.catching[j + 1, i + 1] - rates.catching[j + 1, i])
    return rates.breaking[i] + p * (rates.breaking[i + 1] - rates.breaking[i]), low + q * (high - low)


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def _folded(y, width):
    """Return a place after reflection at both walls."""
    y -= 2.0 * width * np.floor(y / (2.0 * width))
    return 2.0 * width - y if y > width else y


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def _wait(rate, rng):
    """Return after what share of the step the next event comes, 2 for never."""
    return -math.log(1.0 - rng.random()) / rate if rate > 0.0 else 2.0


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def step_crowd(crowd, n_free, now, rates, rng):
    """Diffuse free ions, break pairs, catch ions cell by cell; return how many of a kind are free then.

    ``rates`` are those of breaking and catching, times the step.
    """
    breaking, catching = rates
    place, width, spread = crowd.place_m, crowd.width_m, crowd.spread_m
    for kind in range(2):
        for i in range(n_free):
            place[kind, i] = _folded(place[kind, i] + spread * rng.standard_normal(), width)
    n_bound = place.shape[1] - n_free
    when = _wait(breaking * n_bound, rng)
    while when < 1.0:
        k = int(rng.random() * n_bound)
        # a pair diffuses half as fast as an ion, and all at once when it breaks
        away = spread * math.sqrt(0.5 * (now - crowd.born[k])) * rng.standard_normal()
        place[0, n_free] = place[1, n_free] = _folded(place[2, k] + away, width)
        n_free += 1
        n_bound -= 1
        place[2, k], crowd.born[k] = place[2, n_bound], crowd.born[n_bound]
        when += _wait(breaking * n_bound, rng)
    _list_cells(crowd, n_free)
    _catch(crowd, n_bound, now, catching, rng)
    for kind in range(2):
        left = 0
        for i in range(n_free):
            if not crowd.is_caught[kind, i]:
                place[kind, left] = place[kind, i]
                left += 1
    return left


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _list_cells(crowd, n_free):
    """List free ions by cell."""
    n_cells = crowd.begin.shape[1] - 1
    per_m = n_cells / crowd.width_m
    for kind in range(2):
        begin, listed, place = crowd.begin[kind], crowd.listed[kind], crowd.place_m[kind]
        begin[:] = 0
        for i in range(n_free):
            crowd.is_caught[kind, i] = False
            begin[min(int(place[i] * per_m), n_cells - 1) + 1] += 1
        for c in range(n_cells):
            begin[c + 1] += begin[c]
        for i in range(n_free):
            c = min(int(place[i] * per_m), n_cells - 1)
            listed[begin[c]] = i
            begin[c] += 1
        for c in range(n_cells, 0, -1):
            begin[c] = begin[c - 1]
        begin[0] = 0


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _catch(crowd, n_bound, now, catching, rng):
    """Join cations and anions of each cell at random, one after the other (Gillespie 1977); a pair lies between."""
    for c in range(crowd.begin.shape[1] - 1):
        first, other = crowd.begin[0, c], crowd.begin[1, c]
        n_first, n_other = crowd.begin[0, c + 1] - first, crowd.begin[1, c + 1] - other
        when = _wait(catching * n_first * n_other, rng)
        while when < 1.0:
            a, b = first + int(rng.random() * n_first), other + int(rng.random() * n_other)
            i, j = crowd.listed[0, a], crowd.listed[1, b]
            n_first -= 1
            n_other -= 1
            crowd.listed[0, a], crowd.listed[1, b] = crowd.listed[0, first + n_first], crowd.listed[1, other + n_other]
            crowd.is_caught[0, i] = crowd.is_caught[1, j] = True
            crowd.place_m[2, n_bound] = 0.5 * (crowd.place_m[0, i] + crowd.place_m[1, j])
            crowd.born[n_bound] = now
            n_bound += 1
            when += _wait(catching * n_first * n_other, rng)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _relax(field, crowd, n_free, rates, rng, share):
    n = crowd.place_m.shape[1]
    for t in range(field.size):
        n_free = step_crowd(crowd, n_free, t, rates_at(field[t], n_free / n, rates), rng)
        share[t] = n_free / n


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _run_neuron(na, k, na_rates, k_rates, constants, begin, n_quiet, rng, rows):
    """Advance potential and both slits; ``constants`` as ``simulate_stripes`` lists them."""
    push, gain, g, e_na, e_k, thermal, length = constants
    n = na.place_m.shape[1]
    v, free_na, free_k = begin
    for t in range(rows.shape[0]):
        if t >= n_quiet:
            g_na, g_k = gain * g * free_na / n, g * free_k / n
            kick = thermal * math.sqrt(gain * gain * free_na / n + free_k / n) * rng.standard_normal()
            v = (v + kick + push + g_na * e_na + g_k * e_k) / (1.0 + g_na + g_k)
        free_na = step_crowd(na, free_na, t, rates_at(abs(v) / length, free_na / n, na_rates), rng)
        free_k = step_crowd(k, free_k, t, rates_at(abs(v) / length, free_k / n, k_rates), rng)
        rows[t, 0], rows[t, 1], rows[t, 2] = v, free_na / n, free_k / n
