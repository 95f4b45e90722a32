"""Energy of two ions in a slit: exact, exact for a thin slab, and the logarithmic form that simulations use.

All are U / (kT z_i z_j), for charges in the middle plane.
"""

import math
from dataclasses import dataclass
from typing import Final, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._slit import Slit, slit_of_layers
from neurograft.units import NM

_CORE_M: Final = 0.1 * NM  # the authors' C
_CUT_M: Final = 20 * NM
_PRECISION: Final = 1e-12
Distances = Float64[ndarray, " distances"]


@runtime_checkable
class Interaction(Protocol):
    """Energy and force of two elementary charges of one sign at a distance."""

    @property
    def cut_m(self) -> float:
        """Distance beyond which a simulation takes the force as 0."""
        ...

    @property
    def contact_force_per_m(self) -> float:
        """Force (kT/m) of two unit charges that touch, for the check of the time step."""
        ...

    def energy_kt(self, distance_m: Distances) -> Distances:
        """Return U / kT."""
        ...

    def force_per_m(self, distance_m: Distances) -> Distances:
        """Return -dU/dr / kT, positive where like charges repel."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """The authors' form U = strength ln((r + reach) / (r + core)), cut off and not shifted.

    Between core and reach it is the logarithm of a plane; the core keeps it finite at contact.
    """

    strength: float
    reach_m: float
    core_m: float = _CORE_M
    cut_m: float = _CUT_M

    def __post_init__(self) -> None:
        """Refuse lengths out of order."""
        if not (self.strength >= 0 and 0 < self.core_m < self.reach_m and self.cut_m > self.core_m):
            raise IonicError(f"{self}: give a strength of 0 or more and 0 < core_m < reach_m, core_m < cut_m.")

    @property
    def contact_force_per_m(self) -> float:
        """Force of two unit charges that touch."""
        return self.strength * (1 / self.core_m - 1 / self.reach_m)

    def energy_kt(self, distance_m: Distances) -> Distances:
        """Return U / kT, without the cut."""
        return self.strength * np.log((distance_m + self.reach_m) / (distance_m + self.core_m))

    def force_per_m(self, distance_m: Distances) -> Distances:
        """Return -dU/dr / kT, without the cut."""
        return self.strength * (1 / (distance_m + self.core_m) - 1 / (distance_m + self.reach_m))


# xi 13.83 nm, xT 6.0 nm, C 0.1 nm, cut 20 nm: the authors' input; Gamma of two divalent ions is 9.22.
PAPER: Final = LogRatio(strength=13.83 / 6.0, reach_m=13.83 * NM)
# C = 0.4 nm, with which short steps give about what the authors' 5 ps give with 0.1 nm (fitted by our runs).
WIDE_CORE: Final = LogRatio(strength=13.83 / 6.0, reach_m=13.83 * NM, core_m=0.4 * NM)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """The potential of ``exact_kt`` with its core rounded off at ``core_m``, for simulations beside the fitted form."""

    slit: Slit
    core_m: float = _CORE_M
    cut_m: float = 60 * NM

    @property
    def contact_force_per_m(self) -> float:
        """Force of two unit charges that touch."""
        return float(self.force_per_m(np.zeros(1))[0])

    def energy_kt(self, distance_m: Distances) -> Distances:
        """Return U / kT at the distance plus the core."""
        return exact_kt(self.slit, distance_m + self.core_m)

    def force_per_m(self, distance_m: Distances) -> Distances:
        """Return -dU/dr / kT at the distance plus the core."""
        return _image_sum(self.slit, distance_m + self.core_m, power=3) * (distance_m + self.core_m)


def thin_slab_kt(slit: Slit, distance_m: Distances) -> Distances:
    """Return the Keldysh-Rytova energy, (pi lB / (eps h)) (H0(r/xi) - Y0(r/xi)): right where r exceeds the height."""
    from scipy.special import struve, y0

    x = distance_m / slit.reach_m
    # Beyond x = 20 the difference cancels: 2/pi (1/x - 1/x^3 + 9/x^5) (Abramowitz and Stegun 12.1.30) is right to 1e-6.
    near = struve(0, np.minimum(x, 20.0)) - y0(np.minimum(x, 20.0))
    far = 2 / math.pi * (1 / x - 1 / x**3 + 9 / x**5)
    return 0.5 * math.pi * slit.strength * np.where(x < 20.0, near, far)


def exact_kt(slit: Slit, distance_m: Distances) -> Distances:
    """Return the energy in a slab of any height, isotropic or not: a series of image charges.

    With eps_g = sqrt(eps_along eps_across), images lie n h sqrt(eps_along / eps_across) above and below and carry
    delta^n, delta = (eps_g - eps_wall) / (eps_g + eps_wall).
    """
    return _image_sum(slit, distance_m, power=1)


def _image_sum(slit: Slit, distance_m: Distances, *, power: int) -> Distances:
    across = slit.permittivity if slit.permittivity_across is None else slit.permittivity_across
    mean = math.sqrt(slit.permittivity * across)
    delta = (mean - slit.wall.permittivity) / (mean + slit.wall.permittivity)
    pitch_m = slit.height_m * math.sqrt(slit.permittivity / across)
    n = np.arange(1, math.ceil(math.log(_PRECISION) / math.log(delta)) + 1)
    away_m = np.hypot(distance_m[:, None], pitch_m * n[None, :])
    total = distance_m**-power + 2 * (delta**n / away_m**power).sum(axis=1)
    return slit.bjerrum_vacuum_m / mean * total


def fitted(slit: Slit, *, core_m: float = _CORE_M, cut_m: float = _CUT_M) -> LogRatio:
    """Return the logarithmic form nearest to the thin slab from 0.3 to 20 nm: xi exact, strength by least squares.

    >>> fitted(slit_of_layers(1)).strength  # doctest: +ELLIPSIS
    2.2...
    """
    r = np.geomspace(0.3, 20.0, 60) * NM
    shape = LogRatio(strength=1.0, reach_m=slit.reach_m, core_m=core_m).energy_kt(r)
    strength = float(shape @ thin_slab_kt(slit, r) / (shape @ shape))
    return LogRatio(strength=strength, reach_m=slit.reach_m, core_m=core_m, cut_m=cut_m)


def fitted_for_layers(n_layers: int) -> LogRatio:
    """Return the fitted form of a slit of one, two or three layers between the authors' walls."""
    return fitted(slit_of_layers(n_layers))
