"""The adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005).

tau V' = -V + D exp((V - V_T) / D) - w + drive;  tau_w w' = a V - w;  at the cut: V to reset, w up by b.
All currents are divided by the leak conductance, so they are in volts; rest is 0 V.
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
from neurograft.neurons._model import Stepper, kicks, steps_of
from neurograft.units import MS, MV, US

_LANES = 64  # neurons worked on side by side, each number of theirs in one row of a desk
_W, _DRIVE, _LEFT = _LANES, 2 * _LANES, 3 * _LANES  # where its rows begin; potentials come first
_SUBSTEP_S = 25 * US  # Heun's error there is below a step of 0.1 ms in spike time (tested)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AdEx:
    """Adaptive exponential neuron; defaults are those of the paper's section "parameters" (regular spiking).

    C 281 pF, g_L 30 nS, E_L -70.6 mV, V_T -50.4 mV, a 4 nS, b 80.5 pA, cut at 20 mV.
    """

    tau_m_s: float = 281.0 / 30.0 * MS
    soft_threshold_v: float = 20.2 * MV
    slope_v: float = 2 * MV
    cut_v: float = 90.6 * MV
    reset_v: float = 0.0
    tau_w_s: float = 144 * MS
    adaptation_gain: float = 4.0 / 30.0  # a / g_L
    adaptation_jump_v: float = 80.5 / 30.0 * MV  # b / g_L
    refractory_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse time constants that are not positive and a cut that is not above the reset."""
        if not (self.tau_m_s > 0 and self.tau_w_s > 0 and self.slope_v > 0 and self.refractory_s >= 0):
            raise OptionError(f"{self}: give positive tau_m_s, tau_w_s and slope_v, and no negative refractory_s.")
        if not self.reset_v < self.soft_threshold_v < self.cut_v:
            raise OptionError(f"{self}: put reset_v below soft_threshold_v and that below cut_v.")

    @property
    def name(self) -> str:
        """What a map's ``model`` column calls it."""
        return "adex"

    @property
    def threshold_v(self) -> float:
        """The cut: what lies above it is the spike itself."""
        return self.cut_v

    def stepper(self, step_s: float) -> Stepper:
        """Return Heun steps of at most 25 us; the exponential makes longer ones unstable."""
        n = math.ceil(step_s / _SUBSTEP_S - 1e-9)
        if step_s > self.tau_m_s:
            raise RunError(f"The step of {step_s:g} s is longer than tau_m_s of {self.tau_m_s:g} s. Use a shorter one.")
        constants = np.array(
            [
                *(n, step_s / n, self.tau_m_s, self.soft_threshold_v, self.slope_v, self.cut_v, self.reset_v),
                *(self.tau_w_s, self.adaptation_gain, self.adaptation_jump_v, steps_of(self.refractory_s, step_s)),
            ]
        )
        noise = math.sqrt(-math.expm1(-2.0 * step_s / self.tau_m_s))
        return Stepper(
            advance=advance_adex,
            constants=constants,
            n_states=2,
            n_channels=1,
            noise_kick=noise,
            state_names=("v", "w"),
        )

    def start(self, fraction: Float64[ndarray, " neurons"]) -> Float64[ndarray, "states neurons"]:
        """Return potentials between reset and soft threshold, and no adaptation."""
        v = self.reset_v + fraction * (self.soft_threshold_v - self.reset_v)
        return np.stack([v, np.zeros_like(v)])

    def amplitude(
        self, weight_v: Float64[ndarray, " synapses"]
    ) -> tuple[Float64[ndarray, " synapses"], Int32[ndarray, " synapses"]]:
        """Return kicks of the weight: below threshold the potential falls from there, so that is the peak."""
        return kicks(weight_v)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _substep(desk, n, h, tau, v_t, d, cut, tau_w, a):
    """Do a Heun step of a block's ``n`` neurons; one over the cut waits there for the end of the step."""
    for q in range(n):
        v, w, drive, is_free = desk[q], desk[_W + q], desk[_DRIVE + q], desk[_LEFT + q] <= 0.0
        dv, dw = (-v + d * exponential((min(v, cut) - v_t) / d) - w + drive) / tau, (a * v - w) / tau_w
        v1, w1 = min(v + h * dv, cut), w + h * dw
        dv1 = (-v1 + d * exponential((v1 - v_t) / d) - w1 + drive) / tau
        is_over = is_free & (v >= cut)
        desk[_W + q] = w if is_over else w + 0.5 * h * (dw + (a * v1 - w1) / tau_w)
        desk[q] = v + 0.5 * h * (dv + dv1) if is_free & (v < cut) else v


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def advance_adex(state, refractory, drive_v, inputs, constants, spiked):
    """Step adaptive exponential neurons; what arrives is added after the substeps, then the cut is looked at."""
    substeps, h = int(constants[0]), constants[1]
    tau, v_t, d, cut, reset, tau_w = constants[2], constants[3], constants[4], constants[5], constants[6], constants[7]
    a, b, hold = constants[8], constants[9], np.int32(constants[10])
    v_all, w_all, kick = state[0], state[1], inputs[0]
    desk = np.empty(4 * _LANES)
    n_spiked = 0
    for first in range(0, v_all.size, _LANES):
        n = min(_LANES, v_all.size - first)
        for q in range(n):
            i = first + q
            desk[q], desk[_W + q], desk[_DRIVE + q], desk[_LEFT + q] = v_all[i], w_all[i], drive_v[i], refractory[i]
        for _ in range(substeps):
            _substep(desk, n, h, tau, v_t, d, cut, tau_w, a)
        for q in range(n):
            i = first + q
            v, w = desk[q], desk[_W + q]
            is_free = refractory[i] == 0
            has_spiked = is_free and v >= cut
            if is_free:
                v += kick[i]
            else:
                refractory[i] -= 1
            kick[i] = 0.0
            if has_spiked or v >= cut:
                v = reset
                w += b
                refractory[i] = hold
                spiked[n_spiked] = i
                n_spiked += 1
            v_all[i], w_all[i] = v, w
    return n_spiked
