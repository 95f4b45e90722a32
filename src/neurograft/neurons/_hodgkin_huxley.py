"""The squid axon's membrane of Hodgkin and Huxley (1952), with gates integrated by Rush and Larsen's method (1978).

With an area it has that many channels and their noise: the open fractions get Ornstein-Uhlenbeck terms whose
variances and time constants are those of independent channels at the present potential (Linaro, Storace and
Giugliano 2011, PLoS Comput. Biol. 7, e1001102): four for potassium (four gates), seven for sodium (three and one).

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
from neurograft.neurons._exponential import exponential
from neurograft.neurons._model import Stepper, kicks
from neurograft.units import MS, MV, US

_SUBSTEP_S = 25 * US
_LONGEST_STEP_S = 0.5 * MS
_SODIUM_PER_UM2, _POTASSIUM_PER_UM2 = 60.0, 18.0  # squid axon (Goldwyn and Shea-Brown 2011, table 1)
_LANES = 64  # membranes worked on side by side, each number of theirs in one row of a desk
_M, _H, _N, _CURRENT, _M_TO, _M_LEFT, _H_TO, _H_LEFT, _N_TO, _N_LEFT = (_LANES * row for row in range(1, 11))
_N_ROWS = 11  # potentials come first
N_TERMS = 11  # of noise: potassium 4, sodium 7
_FIRST_TERM = 5  # row of the state


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HodgkinHuxley:
    """Hodgkin and Huxley's membrane (1952, table 3), per square centimetre.

    Gates are deterministic unless ``area_um2`` is above 0: then it has 60 sodium and 18 potassium channels a
    square micrometre, whose opening and closing is noise, and fires by itself where the area is small.

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
    area_um2: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a membrane without capacitance or with negative conductances."""
        if not (self.capacitance_uf_cm2 > 0 and min(self.g_na_ms_cm2, self.g_k_ms_cm2) >= 0 < self.g_leak_ms_cm2):
            raise OptionError(f"{self}: give a positive capacitance and leak, and conductances of 0 or more.")
        if not (math.isfinite(self.area_um2) and self.area_um2 >= 0):
            raise OptionError(f"area_um2 is {self.area_um2}. Give an area, or 0 for a membrane without channel noise.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "hh-channels" if self.area_um2 else "hh"

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
        names = ("v", "m", "h", "n")
        if not self.area_um2:
            return Stepper(
                advance=advance_hodgkin_huxley, constants=constants, n_states=5, n_channels=1, noise_kick=noise,
                state_names=names,
            )  # fmt: skip
        channels = [self.area_um2 * _SODIUM_PER_UM2, self.area_um2 * _POTASSIUM_PER_UM2]
        return Stepper(
            advance=advance_noisy, constants=np.concatenate([constants, channels]), n_states=_FIRST_TERM + N_TERMS,
            n_channels=1, noise_kick=noise, n_noise=n * N_TERMS, state_names=names,
        )  # fmt: skip

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials up to 5 mV above rest (short of a spike) and the gates' resting values."""
        zero = np.zeros_like(fraction)
        rates = [opening / (opening + closing) for opening, closing in (gate_m(0.0), gate_h(0.0), gate_n(0.0))]
        terms = [zero] * N_TERMS if self.area_um2 else []
        return np.stack([fraction * 5 * MV, *(zero + r for r in rates), zero, *terms])

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
def _course(rates, h):
    """Return where a gate goes at these rates, and the share of the way that is left after a time ``h``."""
    total = rates[0] + rates[1]
    return rates[0] / total, math.exp(-h * total)


@njit(cache=True, inline="always")
@no_type_check
def _linear_lane(x):
    """Return x / (exp(x) - 1) in vector code; near 0 its series, because the difference loses digits."""
    is_small = abs(x) < 1e-4
    size = 1.0 if is_small else x
    return 1.0 - 0.5 * x + x * x / 12.0 if is_small else size / (exponential(size) - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _find_courses(desk, n, h):
    """Put down where each gate of a block goes, and the share of its way that is left after a time ``h``."""
    for q in range(n):
        opening, closing = _linear_lane((25.0 - desk[q]) / 10.0), 4.0 * exponential(-desk[q] / 18.0)
        desk[_M_TO + q] = opening / (opening + closing)
        desk[_M_LEFT + q] = exponential(-h * (opening + closing))
    for q in range(n):
        opening, closing = 0.07 * exponential(-desk[q] / 20.0), 1.0 / (exponential((30.0 - desk[q]) / 10.0) + 1.0)
        desk[_H_TO + q] = opening / (opening + closing)
        desk[_H_LEFT + q] = exponential(-h * (opening + closing))
    for q in range(n):
        opening, closing = 0.1 * _linear_lane((10.0 - desk[q]) / 10.0), 0.125 * exponential(-desk[q] / 80.0)
        desk[_N_TO + q] = opening / (opening + closing)
        desk[_N_LEFT + q] = exponential(-h * (opening + closing))


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _move_gates(desk, n):
    """Move gates along their courses."""
    for q in range(n):
        desk[_M + q] = desk[_M_TO + q] + (desk[_M + q] - desk[_M_TO + q]) * desk[_M_LEFT + q]
        desk[_H + q] = desk[_H_TO + q] + (desk[_H + q] - desk[_H_TO + q]) * desk[_H_LEFT + q]
        desk[_N + q] = desk[_N_TO + q] + (desk[_N + q] - desk[_N_TO + q]) * desk[_N_LEFT + q]


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _move_potentials(desk, n, dt, na, k, leak, e_na, e_k, e_leak):
    """Move potentials exactly for frozen gates."""
    for q in range(n):
        m, h, n_gate = desk[_M + q], desk[_H + q], desk[_N + q]
        g_na, g_k = na * m * m * m * h, k * n_gate * n_gate * n_gate * n_gate
        total = g_na + g_k + leak
        steady = (g_na * e_na + g_k * e_k + leak * e_leak + desk[_CURRENT + q]) / total
        desk[q] = steady + (desk[q] - steady) * exponential(-dt * total)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_hodgkin_huxley(state, refractory, drive_v, inputs, constants, spiked):
    """Step membranes: in each substep gates half a step, potential a whole one at frozen gates, gates another half.

    The fifth state is 1 while the potential is above the detection level, so that a spike counts once.
    """
    substeps, dt = int(constants[0]), constants[1]
    na, k, leak, e_na, e_k, e_leak = constants[2], constants[3], constants[4], constants[5], constants[6], constants[7]
    level = constants[8]
    desk = np.empty(_N_ROWS * _LANES)
    n_spiked = 0
    for first in range(0, state.shape[1], _LANES):
        n = min(_LANES, state.shape[1] - first)
        for q in range(n):
            i = first + q
            desk[q], desk[_M + q], desk[_H + q], desk[_N + q] = 1e3 * state[0, i], state[1, i], state[2, i], state[3, i]
            desk[_CURRENT + q] = 1e3 * drive_v[i] * leak
        _find_courses(desk, n, 0.5 * dt)
        for _ in range(substeps):
            _move_gates(desk, n)
            _move_potentials(desk, n, dt, na, k, leak, e_na, e_k, e_leak)
            _find_courses(desk, n, 0.5 * dt)  # good for the next substep's first half too
            _move_gates(desk, n)
        for q in range(n):
            i = first + q
            v = desk[q] + 1e3 * inputs[0, i]
            inputs[0, i] = 0.0
            if v < level:
                state[4, i] = 0.0
            elif state[4, i] == 0.0:
                state[4, i] = 1.0
                spiked[n_spiked] = i
                n_spiked += 1
            state[0, i], state[1, i], state[2, i], state[3, i] = 1e-3 * v, desk[_M + q], desk[_H + q], desk[_N + q]
    return n_spiked


@njit(cache=True, inline="always")
@no_type_check
def _term(before, variance, rate_h, normal):
    """Return a term of noise a substep later: exact for a fixed potential."""
    keep = math.exp(-rate_h)
    return keep * before + math.sqrt(variance * (1.0 - keep * keep)) * normal


@njit(cache=True)
@no_type_check
def channel_noise(eta, m, h, n, rates, channels, dt, normal):
    """Move the terms ``eta`` (4 of potassium, 7 of sodium) by ``dt`` ms; return their sums, sodium first.

    An open channel of k gates, each open with probability p, covaries with itself over time t as
    p^k sum_i C(k, i) p^(k-i) (1 - p)^i exp(-i t / tau), i from 1: one term for each i.
    """
    rate_m, rate_h, rate_n = rates
    potassium = 0.0
    for i in range(1, 5):
        ways = 4.0 if i in (1, 3) else (6.0 if i == 2 else 1.0)
        variance = ways * n ** (8 - i) * (1.0 - n) ** i / channels[1]
        eta[i - 1] = _term(eta[i - 1], variance, i * rate_n * dt, normal[i - 1])
        potassium += eta[i - 1]
    sodium, at = 0.0, 4
    for i in range(4):
        ways = 1.0 if i in (0, 3) else 3.0
        for j in range(2):
            if i + j > 0:
                variance = ways * m ** (6 - i) * (1.0 - m) ** i * h ** (2 - j) * (1.0 - h) ** j / channels[0]
                eta[at] = _term(eta[at], variance, (i * rate_m + j * rate_h) * dt, normal[at])
                sodium += eta[at]
                at += 1
    return sodium, potassium


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_noisy(state, refractory, drive_v, inputs, constants, spiked):
    """Step membranes with channel noise: as ``advance_hodgkin_huxley``, with terms on the open fractions."""
    substeps, dt = int(constants[0]), constants[1]
    na, k, leak, e_na, e_k, e_leak = constants[2], constants[3], constants[4], constants[5], constants[6], constants[7]
    level, channels = constants[8], constants[9:11]
    n_spiked = 0
    for i in range(state.shape[1]):
        v, m, h, n = 1e3 * state[0, i], state[1, i], state[2, i], state[3, i]
        current = 1e3 * drive_v[i] * leak
        of_m, of_h, of_n = gate_m(v), gate_h(v), gate_n(v)
        (m_to, m_left), (h_to, h_left), (n_to, n_left) = (
            _course(of_m, 0.5 * dt), _course(of_h, 0.5 * dt), _course(of_n, 0.5 * dt)
        )  # fmt: skip
        for sub in range(substeps):
            m, h, n = m_to + (m - m_to) * m_left, h_to + (h - h_to) * h_left, n_to + (n - n_to) * n_left
            rates = (of_m[0] + of_m[1], of_h[0] + of_h[1], of_n[0] + of_n[1])
            first = 1 + sub * N_TERMS
            normal = inputs[first : first + N_TERMS, i]
            eta = state[_FIRST_TERM : _FIRST_TERM + N_TERMS, i]
            more_na, more_k = channel_noise(eta, m, h, n, rates, channels, dt, normal)
            g_na = na * min(max(m * m * m * h + more_na, 0.0), 1.0)
            g_k = k * min(max(n * n * n * n + more_k, 0.0), 1.0)
            total = g_na + g_k + leak
            steady = (g_na * e_na + g_k * e_k + leak * e_leak + current) / total
            v = steady + (v - steady) * math.exp(-dt * total)
            of_m, of_h, of_n = gate_m(v), gate_h(v), gate_n(v)  # good for the next substep's first half too
            (m_to, m_left), (h_to, h_left), (n_to, n_left) = (
                _course(of_m, 0.5 * dt), _course(of_h, 0.5 * dt), _course(of_n, 0.5 * dt)
            )  # fmt: skip
            m, h, n = m_to + (m - m_to) * m_left, h_to + (h - h_to) * h_left, n_to + (n - n_to) * n_left
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
