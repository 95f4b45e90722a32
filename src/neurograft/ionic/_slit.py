"""The slit: how many water layers lie between which walls, and the lengths that follow."""

import math
from dataclasses import dataclass
from typing import Final, final

from neurograft.errors import IonicError
from neurograft.units import BOLTZMANN_J_PER_K, ELEMENTARY_CHARGE_C, NM, VACUUM_PERMITTIVITY_F_PER_M

TEMPERATURE_K: Final = 298.0  # the authors'
_LAYER_NM: Final = {1: 0.70, 2: 1.04, 3: 1.38}  # derived: 0.7 (authors' input, one layer) plus 0.34 a layer


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """A wall material; its permittivity is what the field lines see outside the slit."""

    name: str
    permittivity: float


# The authors' fit amounts to walls of 2 (derived).  hBN: the geometric mean of 6.9 along and 3.8 across (calculated,
# numbers from memory: Laturia et al. 2018, npj 2D Mater. 2, 6); measured across: 3.4 +- 0.2 (Pierret et al. 2022).
GRAPHITE_LIKE: Final = Wall(name="authors", permittivity=2.0)
BORON_NITRIDE: Final = Wall(name="hbn", permittivity=5.1)
WALLS: Final = {wall.name: wall for wall in (GRAPHITE_LIKE, BORON_NITRIDE)}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Slit:
    """Water of height ``height_m`` between two walls, charges in its middle plane.

    ``permittivity_across`` is None for isotropic water; confined water has about 2 (Fumagalli et al., Science 2018).
    """

    height_m: float
    wall: Wall = GRAPHITE_LIKE
    permittivity: float = 80.0
    permittivity_across: float | None = None
    temperature_k: float = TEMPERATURE_K

    def __post_init__(self) -> None:
        """Refuse a slit that cannot be."""
        if not 0.3 * NM <= self.height_m <= 10 * NM:
            raise IonicError(
                f"height_m is {self.height_m:g} m. One water layer needs 0.3 nm; above 10 nm a slit is no plane. "
                "Give 0.3e-9 to 10e-9."
            )
        across = self.permittivity if self.permittivity_across is None else self.permittivity_across
        if not (self.permittivity >= across >= 1 and self.wall.permittivity >= 1):
            raise IonicError(
                f"permittivity {self.permittivity:g}, across {across:g}, wall {self.wall.permittivity:g}: none may be "
                "below 1, and water across the slit has no more than along it. Correct them."
            )
        if math.sqrt(self.permittivity * across) <= self.wall.permittivity:
            raise IonicError(
                f"The wall's permittivity {self.wall.permittivity:g} is not below the water's "
                f"{math.sqrt(self.permittivity * across):.3g}: charges are not "
                "confined to a plane. Choose another wall."
            )
        if not 273.15 <= self.temperature_k <= 373.15:
            raise IonicError(f"temperature_k is {self.temperature_k:g}. Water is liquid from 273.15 to 373.15 K.")

    @property
    def bjerrum_vacuum_m(self) -> float:
        """Distance at which two elementary charges in vacuum repel with 1 kT (56.07 nm at 298 K)."""
        energy_m = ELEMENTARY_CHARGE_C**2 / (4 * math.pi * VACUUM_PERMITTIVITY_F_PER_M)
        return energy_m / (BOLTZMANN_J_PER_K * self.temperature_k)

    @property
    def reach_m(self) -> float:
        """Length xi = eps h / (2 eps_wall) below which the field stays in the slit."""
        return self.permittivity * self.height_m / (2 * self.wall.permittivity)

    @property
    def strength(self) -> float:
        """Gamma of two unit charges, 2 lB / (eps h): the potential falls by it for each factor e of distance."""
        return 2 * self.bjerrum_vacuum_m / (self.permittivity * self.height_m)


def slit_of_layers(n_layers: int, *, wall: Wall = GRAPHITE_LIKE, permittivity_across: float | None = None) -> Slit:
    """Return the slit of one, two or three water layers.

    >>> [round(slit_of_layers(n).strength, 2) for n in (1, 2, 3)]
    [2.0, 1.35, 1.02]
    """
    if n_layers not in _LAYER_NM:
        raise IonicError(f"n_layers is {n_layers}. Heights are known of 1, 2 and 3 layers; else give Slit a height.")
    return Slit(height_m=_LAYER_NM[n_layers] * NM, wall=wall, permittivity_across=permittivity_across)
