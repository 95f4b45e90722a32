"""The squid axon's membrane of Hodgkin and Huxley (1952), with gates integrated by Rush and Larsen's method (1978).

C V' = -g_Na m^3 h (V - E_Na) - g_K n^4 (V - E_K) - g_L (V - E_L) + I, potentials above rest, 6.3 degrees Celsius.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from dataclasses import dataclass
from typing import final, no_type_check

import numpy as np
from jaxtyping import Float64, Int32
from numba import njit
from numpy import ndarray

from neurograft.errors import OptionError, RunError
from neurograft.neurons._model import Stepper, kicks
from neurograft.units import MS, MV, US

_SUBSTEP_S = 25 * US
_LONGEST_STEP_S = 0.5 * MS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HodgkinHuxley:
    """Hodgkin and Huxley's membrane (1952, table 3), per square centimetre; deterministic gates.

    Conductances in mS/cm^2, capacitance in uF/cm^2, so that their ratio is 1/ms.  A drive of 1 V is the
    current that the leak alone would turn into 1 V.
    """

    capacitance_uf_cm2: float = 1.0
    g_na_ms_cm2: float = 120.0
    g_k_ms_cm2: float = 36.0
    g_leak_ms_cm2: float = 0.3
    e_na_v: float = 115 * MV
    e_k_v: float = -12 * MV
    e_leak_v: float = 10.613 * MV  # what makes the rest 0
    detect_v: float = 50 * MV

    def __post_init__(self) -> None:
        """Refuse a membrane without capacitance or with negative conductances."""
        if not (self.capacitance_uf_cm2 > 0 and min(self.g_na_ms_cm2, self.g_k_ms_cm2) >= 0 < self.g_leak_ms_cm2):
            raise OptionError(f"{self}: give a positive capacitance and leak, and conductances of 0 or more.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "hh"

    @property
    def threshold_v(self) -> float:
        """Potential whose upward crossing counts as a spike."""
        return self.detect_v

    def stepper(self, step_s: float) -> Stepper:
        """Return substeps of at most 25 us."""
        if step_s > _LONGEST_STEP_S:
            raise RunError(f"The step of {step_s:g} s is too long for this model. Use at most {_LONGEST_STEP_S:g} s.")
        n = math.ceil(step_s / _SUBSTEP_S - 1e-9)
        per_ms = [g / self.capacitance_uf_cm2 for g in (self.g_na_ms_cm2, self.g_k_ms_cm2, self.g_leak_ms_cm2)]
        reversal = [e / MV for e in (self.e_na_v, self.e_k_v, self.e_leak_v)]
        constants = np.array([n, step_s / MS / n, *per_ms, *reversal, self.detect_v / MV])
        noise = math.sqrt(-math.expm1(-2.0 * step_s / MS * per_ms[2]))
        return Stepper(advance=advance_hodgkin_huxley, constants=constants, n_states=5, n_channels=1, noise_kick=noise)

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials up to 5 mV above rest (short of a spike) and the gates' resting values."""
        zero = np.zeros_like(fraction)
        rates = [opening / (opening + closing) for opening, closing in (gate_m(0.0), gate_h(0.0), gate_n(0.0))]
        return np.stack([fraction * 5 * MV, *(zero + r for r in rates), zero])

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return kicks of the weight: near rest the potential falls from there, so that is the peak."""
        return kicks(weight_v)


@njit(cache=True, inline="always")
@no_type_check
def _linear_over_exponential(x):
    """Return x / (exp(x) - 1), which is 1 at 0."""
    return 1.0 - 0.5 * x if abs(x) < 1e-6 else x / math.expm1(x)


@njit(cache=True)
@no_type_check
def gate_m(v):
    """Return opening and closing rates of sodium activation in 1/ms, v in mV above rest."""
    return _linear_over_exponential((25.0 - v) / 10.0), 4.0 * math.exp(-v / 18.0)


@njit(cache=True)
@no_type_check
def gate_h(v):
    """Return opening and closing rates of sodium inactivation in 1/ms."""
    return 0.07 * math.exp(-v / 20.0), 1.0 / (math.exp((30.0 - v) / 10.0) + 1.0)


@njit(cache=True)
@no_type_check
def gate_n(v):
    """Return opening and closing rates of potassium activation in 1/ms."""
    return 0.1 * _linear_over_exponential((10.0 - v) / 10.0), 0.125 * math.exp(-v / 80.0)


@njit(cache=True, inline="always")
@no_type_check
def _relax(gate, rates, h):
    total = rates[0] + rates[1]
    return rates[0] / total + (gate - rates[0] / total) * math.exp(-h * total)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_hodgkin_huxley(state, refractory, drive_v, inputs, constants, spiked):
    """Step membranes: in each substep gates half a step, potential a whole one at frozen gates, gates another half.

    The fifth state is 1 while the potential is above the detection level, so that a spike counts once.
    """
    substeps, dt = int(constants[0]), constants[1]
    na, k, leak, e_na, e_k, e_leak = constants[2], constants[3], constants[4], constants[5], constants[6], constants[7]
    level = constants[8]
    n_spiked = 0
    for i in range(state.shape[1]):
        v, m, h, n = 1e3 * state[0, i], state[1, i], state[2, i], state[3, i]
        current = 1e3 * drive_v[i] * leak
        for _ in range(substeps):
            m, h, n = _relax(m, gate_m(v), 0.5 * dt), _relax(h, gate_h(v), 0.5 * dt), _relax(n, gate_n(v), 0.5 * dt)
            g_na, g_k = na * m * m * m * h, k * n * n * n * n
            total = g_na + g_k + leak
            steady = (g_na * e_na + g_k * e_k + leak * e_leak + current) / total
            v = steady + (v - steady) * math.exp(-dt * total)
            m, h, n = _relax(m, gate_m(v), 0.5 * dt), _relax(h, gate_h(v), 0.5 * dt), _relax(n, gate_n(v), 0.5 * dt)
        v += 1e3 * inputs[0, i]
        inputs[0, i] = 0.0
        if v < level:
            state[4, i] = 0.0
        elif state[4, i] == 0.0:
            state[4, i] = 1.0
            spiked[n_spiked] = i
            n_spiked += 1
        state[0, i], state[1, i], state[2, i], state[3, i] = 1e-3 * v, m, h, n
    return n_spiked
