"""The neuron in three variables: potential and the free share of each slit's ions; deterministic or with noise.

C V' = I - 5 g n_Na (V - E_Na) - g n_K (V - E_K),  n_a' = (1 - n_a) k_d(|V| / L) - k_a rho_a n_a^2.
Rates come from a table over |V| with straight lines between; n takes semi-implicit steps, V an implicit one, so
that no step length is unstable.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, no_type_check

import numpy as np
from jaxtyping import Float64
from numba import njit
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._circuit import Circuit, NeuronTrace
from neurograft.ionic._rates import RateLaw
from neurograft.ionic._salt import thermal_energy_j
from neurograft.units import NS, US

_N_TABLE: Final = 4096
_HEAD: Final = 10  # constants before the table
_LONGEST_STEP_S: Final = 1 * US
SPIKE_V: Final = 25.0
REARM_V: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """A circuit with a law of rates."""

    circuit: Circuit
    law: RateLaw

    def constants(self, step_s: float) -> Float64[ndarray, " constants"]:
        """Return what the kernel needs for one step length: ten numbers, then three rates times the step a row."""
        if not 0 < step_s <= _LONGEST_STEP_S:
            raise IonicError(
                f"A step of {step_s:g} s is beyond 0 to {_LONGEST_STEP_S:g} s, where spikes "
                "keep their shape. Shorten it."
            )
        c = self.circuit
        top_v = 1.25 * max(abs(c.reversal_na_v), abs(c.reversal_k_v))
        v = np.linspace(0.0, top_v, _N_TABLE)
        broken = self.law.breaking_hz(v / c.length_m)
        caught = [self.law.catching_m2_s(v / c.length_m, per_m2=rho) * rho for rho in (c.na_per_m2, c.k_per_m2)]
        table = np.stack([broken, *caught], axis=1) * step_s
        charge = step_s / c.capacitance_f
        thermal = math.sqrt(2 * thermal_energy_j(c.temperature_k) * c.free_siemens * step_s) / c.capacitance_f
        head = [
            (_N_TABLE - 1) / top_v, charge * c.current_a, charge * c.na_gain * c.free_siemens, charge * c.free_siemens,
            c.reversal_na_v, c.reversal_k_v, thermal, c.na_gain, 2 / (2 * c.n_pairs), charge,
        ]  # fmt: skip
        return np.concatenate([np.array(head), table.ravel()])


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def rates_at(v, constants):
    """Return k_d, k_a rho of sodium and of potassium, each times the step."""
    x = min(abs(v) * constants[0], float((constants.size - _HEAD) // 3 - 2))
    k = int(x)
    part, at = x - k, _HEAD + 3 * k
    kd = constants[at] + part * (constants[at + 3] - constants[at])
    na = constants[at + 1] + part * (constants[at + 4] - constants[at + 1])
    return kd, na, constants[at + 2] + part * (constants[at + 5] - constants[at + 2])


@njit(cache=True, inline="always", error_model="numpy")
@no_type_check
def step_reduced(v, n_na, n_k, extra_v, constants):
    """Return potential and free shares one step later; ``extra_v`` is current times step over capacitance."""
    kd, caught_na, caught_k = rates_at(v, constants)
    under_na, under_k = 1.0 + kd + caught_na * n_na, 1.0 + kd + caught_k * n_k
    both = 1.0 / (under_na * under_k)
    n_na = (n_na + kd) * under_k * both
    n_k = (n_k + kd) * under_na * both
    g_na, g_k = constants[2] * n_na, constants[3] * n_k
    v = (v + extra_v + g_na * constants[4] + g_k * constants[5]) / (1.0 + g_na + g_k)
    return v, n_na, n_k


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def run_reduced(state, n_steps, every, constants, rows):
    """Advance one neuron (V, n_Na, n_K in ``state``), writing each ``every``-th step to ``rows``."""
    v, n_na, n_k = state[0], state[1], state[2]
    extra_v, row = constants[1], 0
    for k in range(n_steps):
        v, n_na, n_k = step_reduced(v, n_na, n_k, extra_v, constants)
        if (k + 1) % every == 0:
            rows[row, 0], rows[row, 1], rows[row, 2] = v, n_na, n_k
            row += 1
    state[0], state[1], state[2] = v, n_na, n_k


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def run_noisy(state, normals, every, constants, rows):
    """Advance as ``run_reduced`` with noise: of breaking and forming pairs, and thermal of both currents.

    A pair that breaks frees two of N ions: the variance of n in a step is 2/N times the sum of both rates.
    """
    v, n_na, n_k = state[0], state[1], state[2]
    row = 0
    for k in range(normals.shape[0]):
        kd, caught_na, caught_k = rates_at(v, constants)
        sd_na = math.sqrt(constants[8] * ((1.0 - n_na) * kd + caught_na * n_na * n_na))
        sd_k = math.sqrt(constants[8] * ((1.0 - n_k) * kd + caught_k * n_k * n_k))
        noise_v = constants[6] * math.sqrt(constants[7] * constants[7] * n_na + n_k) * normals[k, 0]
        v, n_na, n_k = step_reduced(v, n_na, n_k, constants[1] + noise_v, constants)
        n_na = min(max(n_na + sd_na * normals[k, 1], 0.0), 1.0)
        n_k = min(max(n_k + sd_k * normals[k, 2], 0.0), 1.0)
        if (k + 1) % every == 0:
            rows[row, 0], rows[row, 1], rows[row, 2] = v, n_na, n_k
            row += 1
    state[0], state[1], state[2] = v, n_na, n_k


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_many(state, extra_v, constants):
    """Advance all neurons of ``state`` (V, n_Na, n_K by neurons) by one step, each with its own current.

    Neurons do not wait for each other, so the processor overlaps them: a step takes a third of that of a lone one.
    """
    v, n_na, n_k = state[0], state[1], state[2]
    for i in range(v.size):
        v[i], n_na[i], n_k[i] = step_reduced(v[i], n_na[i], n_k[i], extra_v[i], constants)


def simulate(
    neuron: Reduced,
    *,
    duration_s: float,
    step_s: float = 50 * NS,
    start: tuple[float, float, float] = (0.5, 1.0, 1.0),
    rng: Generator | None = None,
    every: int = 1,
) -> NeuronTrace:
    """Return the neuron's course from ``start`` (V, n_Na, n_K), with noise where a generator is given."""
    n_steps = round(duration_s / step_s)
    constants, state = neuron.constants(step_s), np.array(start)
    rows = np.zeros((n_steps // every, 3))
    if rng is None:
        run_reduced(state, n_steps, every, constants, rows)
    else:
        run_noisy(state, rng.standard_normal((n_steps, 3)), every, constants, rows)
    return NeuronTrace((1 + np.arange(rows.shape[0])) * step_s * every, *rows.T.copy())


def with_current(neuron: Reduced, current_a: float) -> Reduced:
    """Return the neuron under another current."""
    return replace(neuron, circuit=replace(neuron.circuit, current_a=current_a))
