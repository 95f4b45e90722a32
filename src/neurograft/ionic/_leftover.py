"""Why some neurons only swing: mean rates when a share of the ions has no partner within reach.

Ions spread at random leave stripes with more cations and stripes with more anions (``_stripes``).  Take as many of
either kind, the excess everywhere the same share e of the mean density: m of the minority and m + e of the majority
are single, n = m + e / 2 on the mean, and m' = (1 - n) k_d - k_a rho m (m + e).  With e = 0 these are the mean rates.
An excess holds the slits open between spikes: the rest becomes stable by a Hopf bifurcation at some e, and on the way
there the cycle grows small and fast.  The excess dies by diffusion, as t^-1/4.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, final, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from scipy.optimize import brentq

from neurograft.errors import IonicError
from neurograft.ionic._circuit import Circuit
from neurograft.ionic._rates import RateLaw
from neurograft.ionic._stripes import Rates, Stripes, rates_at
from neurograft.units import NM, NS

_STEP_S: Final = 50 * NS
_N_LOOKED: Final = 100


class Rest(NamedTuple):
    """A steady state; perturbations grow as exp(growth t) and turn with a frequency."""

    voltage_v: float
    n_na: float
    n_k: float
    growth_hz: float  # negative: stable
    turn_hz: float


class Cycle(NamedTuple):
    """Where the potential ends up: a cycle, or one voltage and no period (NaN)."""

    lowest_v: float
    highest_v: float
    period_s: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A neuron in whose slits shares ``na`` and ``k`` of the ions of each kind are in excess in their stripe."""

    circuit: Circuit
    law: RateLaw
    na: float
    k: float

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        if not (0 <= self.na <= 1 and 0 <= self.k <= 1):
            raise IonicError(f"The shares in excess are {self.na:g} and {self.k:g}. Give shares from 0 to 1.")

    def rests(self) -> list[Rest]:
        """Return the steady states with potentials between the batteries', by voltage."""
        low, high = self.circuit.reversal_k_v, self.circuit.reversal_na_v
        tables, constants = self._rates(), self._constants()

        def drift(v: float) -> float:
            return float(slopes(self._settled(v, tables), constants, *tables)[0])

        v = np.linspace(low, high, _N_LOOKED)
        at = np.array([drift(float(x)) for x in v])
        found: list[Rest] = []
        for i in np.flatnonzero(np.sign(at[1:]) != np.sign(at[:-1])):
            state = self._settled(float(brentq(drift, v[i], v[i + 1], xtol=1e-6)), tables)
            leading = _leading(state, constants, tables)
            n_na, n_k = state[1] + 0.5 * self.na, state[2] + 0.5 * self.k
            found.append(Rest(float(state[0]), float(n_na), float(n_k), leading.real, abs(leading.imag) / 2 / math.pi))
        return found

    def cycle(self, *, duration_s: float = 3e-3, start_v: float = 0.5) -> Cycle:
        """Return what the second half of a run from all ions free does."""
        rows = np.zeros((round(duration_s / _STEP_S), 3))
        state = np.array([start_v, 1 - 0.5 * self.na, 1 - 0.5 * self.k])
        _run(state, self._constants(), *self._rates(), rows)
        v = rows[rows.shape[0] // 2 :, 0]
        middle = 0.5 * (v.min() + v.max())
        ups = np.flatnonzero((v[:-1] < middle) & (v[1:] >= middle))
        swings = v.max() - v.min() > 0.1 and ups.size > 2
        period_s = float(np.diff(ups).mean()) * _STEP_S if swings else math.nan
        return Cycle(float(v.min()), float(v.max()), period_s)

    def course(self, state: Float64[ndarray, " three"], n_steps: int) -> Float64[ndarray, "times three"]:
        """Return potential and minorities' shares step by step (50 ns) from a state."""
        rows = np.zeros((n_steps, 3))
        _run(state.copy(), self._constants(), *self._rates(), rows)
        return rows

    def _settled(self, v: float, tables: tuple[Rates, Rates]) -> Float64[ndarray, " three"]:
        """Return a state whose shares are at rest at a potential."""
        field = abs(v) / self.circuit.length_m
        shares = [0.0, 0.0]
        for a, (excess, table) in enumerate(zip((self.na, self.k), tables, strict=True)):

            def gain(m: float, excess: float = excess, table: Rates = table) -> float:
                breaking, catching = rates_at(field, m + 0.5 * excess, table)
                return (1 - m - 0.5 * excess) * breaking - catching * m * (m + excess)

            shares[a] = float(brentq(gain, 0.0, 1 - 0.5 * excess, xtol=1e-12))
        return np.array([v, *shares])

    def _rates(self) -> tuple[Rates, Rates]:
        """Return the rates of both slits for a step; catching for the mean density."""
        c = self.circuit
        top_v_m = 1.25 * max(abs(c.reversal_na_v), abs(c.reversal_k_v)) / c.length_m
        made: list[Rates] = []
        for width_m in (c.na_width_m, c.k_width_m):
            slit = Stripes(
                law=self.law, n_pairs=c.n_pairs, length_m=c.length_m, width_m=width_m, cell_m=0.5 * width_m,
                diffusion_m2_s=c.diffusion_m2_s, step_s=_STEP_S,
            )  # fmt: skip
            per_v_m, breaking, catching = slit.rates(top_v_m)
            made.append(Rates(per_v_m, breaking, catching * c.n_pairs / slit.n_cells))
        return made[0], made[1]

    def _constants(self) -> Float64[ndarray, " constants"]:
        c = self.circuit
        charge = _STEP_S / c.capacitance_f
        values = (
            charge * c.current_a, c.na_gain, charge * c.free_siemens, c.reversal_na_v, c.reversal_k_v, c.length_m,
            self.na, self.k,
        )  # fmt: skip
        return np.array(values)


def _leading(
    state: Float64[ndarray, " three"], constants: Float64[ndarray, " constants"], tables: tuple[Rates, Rates]
) -> complex:
    """Return the eigenvalue with the largest real part, a second, by central differences."""
    jacobian = np.zeros((3, 3))
    for q, h in enumerate((1e-3, 1e-6, 1e-6)):
        up, down = state.copy(), state.copy()
        up[q] += h
        down[q] -= h
        jacobian[:, q] = (slopes(up, constants, *tables) - slopes(down, constants, *tables)) / (2 * h)
    values = np.linalg.eigvals(jacobian) / _STEP_S
    return complex(values[np.argmax(values.real)])


@njit(cache=True, error_model="numpy")
@no_type_check
def slopes(state, constants, na, k):
    """Return the changes of potential and minorities' shares in a step, were it short."""
    push, gain, g, e_na, e_k, length, left_na, left_k = constants
    v, m_na, m_k = state
    field = abs(v) / length
    n_na, n_k = m_na + 0.5 * left_na, m_k + 0.5 * left_k
    break_na, catch_na = rates_at(field, n_na, na)
    break_k, catch_k = rates_at(field, n_k, k)
    out = np.empty(3)
    out[0] = push - gain * g * n_na * (v - e_na) - g * n_k * (v - e_k)
    out[1] = (1.0 - n_na) * break_na - catch_na * m_na * (m_na + left_na)
    out[2] = (1.0 - n_k) * break_k - catch_k * m_k * (m_k + left_k)
    return out


@njit(cache=True, error_model="numpy")
@no_type_check
def _run(state, constants, na, k, rows):
    """Take steps by Heun's rule, four to a row."""
    for t in range(rows.shape[0]):
        for _ in range(4):
            first = 0.25 * slopes(state, constants, na, k)
            other = 0.25 * slopes(state + first, constants, na, k)
            state += 0.5 * (first + other)
        rows[t] = state


def excess_share(
    cation_m: Float64[ndarray, " cations"],
    anion_m: Float64[ndarray, " anions"],
    *,
    n_pairs: int,
    width_m: float,
    cell_m: float = 300 * NM,
) -> float:
    """Return the mean excess of one sign in cells across the field, as a share of the mean density.

    ``n_pairs`` ions of each kind are in the slit, those in pairs too.  An ion diffuses across 300 nm in some 45 us.
    """
    edges = np.linspace(0.0, width_m, max(round(width_m / cell_m), 1) + 1)
    more = np.histogram(cation_m, edges)[0] - np.histogram(anion_m, edges)[0]
    return float(np.abs(more).sum()) / n_pairs
