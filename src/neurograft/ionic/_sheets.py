"""What two frozen sheets of a honeycomb do to an atom between them: a field that is known before the run.

Atoms of graphene or boron nitride that stay where they are give a potential that repeats with their lattice, so a few
harmonics of it (Steele, Surface Science 36, 317, 1973) stand for all of them, and a run has no wall atoms to move,
list or pair.  With r from the middle of a hexagon, the three shortest wave vectors G_k and the three next ones K_k,

    U = u0(z) + uc(z) sum_k cos(G_k r) + us(z) sum_k sin(G_k r) + u2(z) sum_k cos(K_k r).

Both sheets are in register.  Lengths in nm, energies in kJ/mol, as in OpenMM.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

Heights = Float64[ndarray, " heights"]
COULOMB_KJ_NM: Final = 138.935458  # e^2 / (4 pi eps0) for a mole, CODATA


class Touch(NamedTuple):
    """How an atom is felt by others: Lennard-Jones depth and width (combined by Lorentz and Berthelot), charge."""

    epsilon_kj: float
    sigma_nm: float
    charge: float


class Harmonics(NamedTuple):
    """The four functions of height."""

    flat: Heights
    cosine: Heights
    sine: Heights
    second: Heights


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A honeycomb of two kinds of atoms; ``bond_nm`` from one to the next."""

    name: str
    bond_nm: float
    kinds: tuple[Touch, Touch]

    @property
    def cell_nm(self) -> tuple[float, float]:
        """Sides of the rectangle of four atoms that repeats."""
        return math.sqrt(3) * self.bond_nm, 3 * self.bond_nm

    def waves_per_nm(self) -> Float64[ndarray, "three 2"]:
        """Return the three shortest wave vectors; each meets the first kind of atom at a phase of -120 degrees."""
        a = math.sqrt(3) * self.bond_nm
        third = 1 / math.sqrt(3)
        return 2 * math.pi / a * np.array([[1.0, -third], [0.0, 2 * third], [-1.0, -third]])

    def next_waves_per_nm(self) -> Float64[ndarray, "three 2"]:
        """Return the three next wave vectors; they meet all atoms at a phase of 0."""
        g = self.waves_per_nm()
        return g - np.roll(g, 1, axis=0)

    def atoms_nm(self, n_x: int, n_y: int) -> tuple[Float64[ndarray, "atoms 2"], Float64[ndarray, "atoms 2"]]:
        """Return where the atoms of each kind are, in so many rectangles."""
        a, long = self.cell_nm
        corner = np.stack(np.meshgrid(np.arange(n_x) * a, np.arange(n_y) * long), axis=-1).reshape(-1, 1, 2)
        both = np.array([[0.0, 0.0], [a / 2, long / 2]])
        up = np.array([0.0, self.bond_nm])
        return (corner + both + up).reshape(-1, 2), (corner + both - up).reshape(-1, 2)


# Authors' input: AMBER carbon; boron nitride with charges of 0.3.  Bonds: 0.142 nm, 0.1446 nm (lattice 0.2504 nm).
_KCAL: Final = 4.184
_CARBON: Final = Touch(0.0860 * _KCAL, 0.339967, 0.0)
GRAPHENE: Final = Sheet(name="graphene", bond_nm=0.142, kinds=(_CARBON, _CARBON))
HBN: Final = Sheet(
    name="hbn",
    bond_nm=0.1446,
    kinds=(Touch(0.0951 * _KCAL, 0.34024, 0.3), Touch(0.0622 * _KCAL, 0.34904, -0.3)),
)
SHEETS: Final = {sheet.name: sheet for sheet in (GRAPHENE, HBN)}


def attraction(sheet: Sheet, atom: Touch, height_nm: Heights, *, gap_nm: float) -> Harmonics:
    """Return the Lennard-Jones field of both sheets at heights above the middle of the gap between their planes."""
    from scipy.special import kv

    g = float(np.linalg.norm(sheet.waves_per_nm()[0]))
    area_nm2 = math.prod(sheet.cell_nm) / 2  # for one atom of each kind
    flat, second, waves = (np.zeros((2, height_nm.size)) for _ in range(3))
    for z in (0.5 * gap_nm + height_nm, 0.5 * gap_nm - height_nm):
        for k, kind in enumerate(sheet.kinds):
            sigma = 0.5 * (atom.sigma_nm + kind.sigma_nm)
            depth = 4 * math.sqrt(atom.epsilon_kj * kind.epsilon_kj)
            c12, c6 = depth * sigma**12, depth * sigma**6
            # transforms of r^-12 and r^-6 over the plane at a wave vector: 0, and g
            flat[k] += math.pi * (c12 / (5 * z**10) - c6 / (2 * z**4)) / area_nm2
            for q, parts in ((g, waves), (math.sqrt(3) * g, second)):
                root = q / (2 * z)
                repelled, attracted = c12 / 120 * root**5 * kv(5, q * z), c6 / 2 * root**2 * kv(2, q * z)
                parts[k] += 2 * math.pi * (repelled - attracted) / area_nm2
    sine = -math.sqrt(3) * (waves[0] - waves[1])
    return Harmonics(flat.sum(axis=0), -waves.sum(axis=0), sine, 2 * second.sum(axis=0))


def potential(sheet: Sheet, height_nm: Heights, *, gap_nm: float) -> Harmonics:
    """Return the energy of a unit charge in the field of the sheets' charges; 0 on average, as sheets are neutral."""
    g = float(np.linalg.norm(sheet.waves_per_nm()[0]))
    area_nm2 = math.prod(sheet.cell_nm) / 2
    decay = np.exp(-g * (0.5 * gap_nm + height_nm)) + np.exp(-g * (0.5 * gap_nm - height_nm))
    first, second = (COULOMB_KJ_NM * kind.charge * 2 * math.pi / g * decay / area_nm2 for kind in sheet.kinds)
    none = np.zeros_like(height_nm)  # of all atoms in phase the charges sum to 0
    return Harmonics(none, -(first + second), -math.sqrt(3) * (first - second), none)


def energy_at(sheet: Sheet, parts: Harmonics, place_nm: Float64[ndarray, "places 2"]) -> Float64[ndarray, " places"]:
    """Return the field at places in the plane; the harmonics are those at the places' heights."""
    phase, following = place_nm @ sheet.waves_per_nm().T, place_nm @ sheet.next_waves_per_nm().T
    first = parts.cosine * np.cos(phase).sum(axis=1) + parts.sine * np.sin(phase).sum(axis=1)
    return parts.flat + first + parts.second * np.cos(following).sum(axis=1)
