"""Shapes of the postsynaptic current, and the factor from peak potential to current.

Currents are in volts: current times membrane resistance, so that tau dV/dt = -V + I.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from neurograft.errors import OptionError

_SAME = 1e-6  # relative difference of two time constants below which the limit formula is more exact


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaSynapse:
    """A spike shifts the potential by the weight at once; it then decays with the membrane."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialSynapse:
    """A current that jumps and decays, with one time constant for each sign of the weight."""

    tau_excitatory_s: float = 2e-3
    tau_inhibitory_s: float = 5e-3

    def __post_init__(self) -> None:
        """Refuse time constants that are not positive."""
        require_positive(self.tau_excitatory_s, self.tau_inhibitory_s)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaSynapse:
    """A current that rises and falls as t exp(-t / tau), with one time constant for each sign."""

    tau_excitatory_s: float = 1e-3
    tau_inhibitory_s: float = 2.5e-3

    def __post_init__(self) -> None:
        """Refuse time constants that are not positive."""
        require_positive(self.tau_excitatory_s, self.tau_inhibitory_s)


Synapse = DeltaSynapse | ExponentialSynapse | AlphaSynapse


def exponential_peak(*, tau_m_s: float, tau_syn_s: float) -> float:
    """Return the peak potential at rest of a current that starts at 1 V and decays with ``tau_syn_s``.

    V(t) = s / (m - s) (exp(-t/m) - exp(-t/s)) peaks at t = ln(m/s) m s / (m - s), where V = (s/m)^(m/(m-s)).

    >>> round(exponential_peak(tau_m_s=20e-3, tau_syn_s=2e-3), 4)
    0.0774
    """
    ratio = tau_syn_s / tau_m_s
    if abs(ratio - 1.0) < _SAME:
        return math.exp(-1.0)
    return ratio ** (1.0 / (1.0 - ratio))


def alpha_peak(*, tau_m_s: float, tau_syn_s: float) -> float:
    """Return the peak potential at rest of the current (t/s) exp(1 - t/s) V, whose own peak is 1 V.

    The potential obeys m V' = -V + I; at its peak V = I, which is solved for t numerically.
    """
    from scipy.optimize import brentq  # half a second to import, and only this shape needs it

    m, s = tau_m_s, tau_syn_s
    a = 1.0 / s - 1.0 / m

    def potential(t: float) -> float:
        x = a * t
        if abs(x) < 1e-3:  # series of (1 - (1 + x) exp(-x)) / x^2, which loses its digits near 0
            part = t * t * (0.5 - x / 3.0 + x * x / 8.0 - x * x * x / 30.0)
        else:
            part = (1.0 - (1.0 + x) * math.exp(-x)) / (a * a)
        return math.e / (m * s) * math.exp(-t / m) * part

    def slope(t: float) -> float:
        return (t / s) * math.exp(1.0 - t / s) - potential(t)

    t_peak = float(brentq(slope, s, s + 20.0 * max(m, s)))
    return potential(t_peak)


def require_positive(*tau_s: float) -> None:
    """Refuse time constants that are not positive and finite."""
    if not all(np.isfinite(t) and t > 0 for t in tau_s):
        raise OptionError(f"A synapse has the time constants {tau_s} s. Give positive numbers of seconds.")
