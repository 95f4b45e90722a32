"""One slit as a memristor: its loops under an alternating voltage, its memory, and its slow memory by adsorption.

I = g n V, n' = (1 - n) k_d(|V| / L) - k_a rho n^2.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._circuit import Circuit
from neurograft.ionic._rates import RateLaw, equilibrium_fraction

Volts = Float64[ndarray, " times"]


class Loop(NamedTuple):
    """One period in its steady state, from a maximum of the voltage on."""

    voltage_v: Volts
    current_a: Volts
    fraction: Volts

    @property
    def area(self) -> float:
        """Area of both lobes over that of the rectangle around them; 0 for a resistor."""
        return self.lobes_w / (4 * float(np.abs(self.voltage_v).max() * np.abs(self.current_a).max()))

    @property
    def lobes_w(self) -> float:
        """Area of both lobes, in volts times amperes."""
        whole = np.append(self.voltage_v, self.voltage_v[0]), np.append(self.current_a, self.current_a[0])
        lobes = [abs(np.trapezoid(np.where(whole[0] * side > 0, whole[1], 0.0), whole[0])) for side in (1.0, -1.0)]
        return float(sum(lobes))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Memristor:
    """A slit of the circuit: its length, density and conductance when all ions are free."""

    law: RateLaw
    per_m2: float
    length_m: float
    free_siemens: float

    def respond(self, voltage_v: Volts, *, step_s: float, start: float) -> tuple[Volts, Volts]:
        """Return current and free share under a course of voltage, from a free share at its start."""
        field = np.abs(voltage_v) / self.length_m
        kd = self.law.breaking_hz(field) * step_s
        caught = self.law.catching_m2_s(field, per_m2=self.per_m2) * self.per_m2 * step_s
        fraction, n = np.empty_like(voltage_v), start
        for k in range(voltage_v.size):
            n = (n + kd[k]) / (1 + kd[k] + caught[k] * n)
            fraction[k] = n
        return self.free_siemens * fraction * voltage_v, fraction

    def loop(self, *, amplitude_v: float, frequency_hz: float, n_points: int = 4000) -> Loop:
        """Return the loop under amplitude cos(2 pi f t); periods are repeated until they no longer change."""
        if not (amplitude_v > 0 and frequency_hz > 0):
            raise IonicError(f"amplitude_v is {amplitude_v:g}, frequency_hz {frequency_hz:g}. Give both above 0.")
        v = amplitude_v * np.cos(2 * math.pi * np.arange(n_points) / n_points)
        field = np.abs(v) / self.length_m
        start = float(equilibrium_fraction(self.law, field, per_m2=self.per_m2).mean())
        current, fraction = v, v
        for _ in range(200):
            current, fraction = self.respond(v, step_s=1 / (frequency_hz * n_points), start=start)
            if abs(fraction[-1] - start) < 1e-6:
                break
            start = float(fraction[-1])
        return Loop(v, current, fraction)

    def memory_s(self, voltage_v: float) -> float:
        """Return the time in which a small change of n dies away at a voltage: 1 / (k_d + 2 k_a rho n)."""
        field = np.array([abs(voltage_v) / self.length_m])
        n = equilibrium_fraction(self.law, field, per_m2=self.per_m2)
        caught = self.law.catching_m2_s(field, per_m2=self.per_m2) * self.per_m2
        return float(1 / (self.law.breaking_hz(field) + 2 * caught * n)[0])


def slit_memristor(circuit: Circuit, law: RateLaw, *, per_m2: float | None = None) -> Memristor:
    """Return a circuit's sodium slit, or one of another density, as a memristor."""
    density = circuit.na_per_m2 if per_m2 is None else per_m2
    return Memristor(law=law, per_m2=density, length_m=circuit.length_m, free_siemens=circuit.free_siemens)


def retarded_area(frequency_hz: Volts, memory_s: float) -> Volts:
    """Return the loop area of the retarded form, w tau / (1 + w^2 tau^2), up to a factor (Robin et al. 2023)."""
    phase = 2 * math.pi * frequency_hz * memory_s
    return phase / (1 + phase**2)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Adsorption:
    """Memory of minutes: ions stick to the walls, so that the slit fills and empties slowly (Robin et al. 2023).

    Dissolved c and adsorbed ions m exchange fast (t_a to stick, t_d to leave), ions enter by diffusion: the total
    relaxes with tau = tau_diff (1 + t_d / t_a).  The published memories are 50 to 400 s.  How much a voltage
    shifts the concentration at the mouth (``shift_per_v``) is guessed; a voltage of one sign fills, the other empties.
    """

    diffusion_time_s: float = 0.1
    leave_over_stick: float = 2000.0
    shift_per_v: float = 0.5
    rest_siemens: float = 20e-12

    @property
    def memory_s(self) -> float:
        """Time in which the conductance relaxes."""
        return self.diffusion_time_s * (1 + self.leave_over_stick)

    def target(self, voltage_v: Volts) -> Volts:
        """Return the conductance that a voltage would bring in the end, over that at rest; from 0 to 2."""
        return 1 + np.tanh(self.shift_per_v * voltage_v)

    def respond(self, voltage_v: Volts, *, step_s: float, start: float = 1.0) -> Volts:
        """Return the conductance (S) after each step under a course of voltage, exact for a voltage that holds."""
        keep = math.exp(-step_s / self.memory_s)
        goal, share, g = self.target(voltage_v), np.empty_like(voltage_v), start
        for k in range(voltage_v.size):
            g = goal[k] + (g - goal[k]) * keep
            share[k] = g
        return self.rest_siemens * share

    def pulses(self, n_up: int, n_down: int, *, pulse_v: float = 1.0, pulse_s: float = 10.0) -> Volts:
        """Return the conductance after each of ``n_up`` filling and ``n_down`` emptying pulses, as of a synapse."""
        course = np.concatenate([np.full(n_up, pulse_v), np.full(n_down, -pulse_v)])
        return self.respond(course, step_s=pulse_s)
