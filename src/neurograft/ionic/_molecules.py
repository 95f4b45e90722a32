"""Molecules in a slit: which atoms, with which force field, where they start.

Water is SPC/E (Berendsen et al., J. Phys. Chem. 91, 6269, 1987), ions and walls have the numbers of the authors' public
inputs, where ions meet each other and water by Lorentz's and Berthelot's rules.  The sulfate ion of those inputs is
kept in shape by springs of ours.  Lengths in nm, energies in kJ/mol, masses in g/mol, as in OpenMM.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import IonicError, did_you_mean
from neurograft.ionic._sheets import SHEETS, Sheet, Touch
from neurograft.ionic._slit import TEMPERATURE_K, slit_of_layers
from neurograft.units import NM

_KCAL: Final = 4.184
WATER_PER_NM2: Final = 11.7  # a layer: the authors have 11.5 to 11.7
_LAYER_NM: Final = 0.34
_OH_NM: Final = 0.1
_HOH_DEGREES: Final = 109.47
SO_NM: Final = 0.137
CUT_NM: Final = 1.0  # the authors'


class Kind(NamedTuple):
    """A kind of atom."""

    name: str
    mass: float
    touch: Touch


OXYGEN: Final = Kind("O", 15.9994, Touch(0.1554 * _KCAL, 0.31655, -0.8476))
HYDROGEN: Final = Kind("H", 1.008, Touch(0.0, 0.1, 0.4238))
SODIUM: Final = Kind("Na", 22.98977, Touch(0.1230 * _KCAL, 0.235, 1.0))
CHLORIDE: Final = Kind("Cl", 35.453, Touch(0.1001 * _KCAL, 0.440, -1.0))
CALCIUM: Final = Kind("Ca", 40.078, Touch(0.1000 * _KCAL, 0.3224, 2.0))
SULFUR: Final = Kind("S", 32.06, Touch(0.250 * _KCAL, 0.355, 2.0))
SULFATE_OXYGEN: Final = Kind("OS", 15.9994, Touch(0.200 * _KCAL, 0.315, -1.0))
_TETRAHEDRON: Final = SO_NM / math.sqrt(3) * np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
_IONS: Final[dict[str, tuple[tuple[Kind, ...], int]]] = {
    "Na": ((SODIUM,), 1),
    "Ca": ((CALCIUM,), 2),
    "Cl": ((CHLORIDE,), -1),
    "SO4": ((SULFUR, *(SULFATE_OXYGEN,) * 4), -2),
}
_SALTS: Final = {"NaCl": ("Na", "Cl"), "CaCl2": ("Ca", "Cl"), "CaSO4": ("Ca", "SO4"), "Na2SO4": ("Na", "SO4")}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MolecularSlit:
    """Water layers between two sheets, and how much of which salt; ``side_m`` is rounded to whole cells of a sheet."""

    layers: int = 1
    wall: str = "graphene"
    salt: str = "NaCl"
    n_units: int = 4  # formula units of salt
    side_m: float = 4 * NM
    is_corrugated: bool = True  # False: the sheets' mean over the plane, the 10-4 potential
    temperature_k: float = TEMPERATURE_K

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        slit_of_layers(self.layers)
        if self.wall not in SHEETS:
            raise IonicError(f"wall is {self.wall!r}. {did_you_mean(self.wall, SHEETS)}")
        if self.salt not in _SALTS:
            raise IonicError(f"{self.salt!r} has no force field here. {did_you_mean(self.salt, _SALTS)}")
        if not 2.2 * NM <= self.side_m <= 40 * NM:
            raise IonicError(
                f"side_m is {self.side_m:g} m. Forces reach {CUT_NM:g} nm, so a box needs 2.2 nm; above 40 nm "
                "a run takes months. Give 2.2e-9 to 40e-9."
            )
        if not 273.15 <= self.temperature_k <= 373.15:
            raise IonicError(f"temperature_k is {self.temperature_k:g}. Water is liquid from 273.15 to 373.15 K.")
        room = self.n_places // 4
        if not 0 <= self.n_ions <= room:
            raise IonicError(
                f"{self.n_units} {self.salt} are {self.n_ions} ions, but of {self.n_places} places in a slit of this "
                f"side at most a quarter may be ions. Give fewer, or a longer side."
            )

    @property
    def sheet(self) -> Sheet:
        """The wall's lattice."""
        return SHEETS[self.wall]

    @property
    def gap_nm(self) -> float:
        """Distance of the two sheets, from atom centres to atom centres."""
        return slit_of_layers(self.layers).height_m / NM

    @property
    def box_nm(self) -> tuple[float, float, float]:
        """Sides of the periodic box; across it lies vacuum as wide as the box is long, so that images do not meet."""
        a, long = self.sheet.cell_nm
        n_x, n_y = round(self.side_m / NM / a), round(self.side_m / NM / long)
        return n_x * a, n_y * long, self.gap_nm + max(n_x * a, n_y * long)

    @property
    def n_places(self) -> int:
        """Molecules and ions in all: a place holds one or the other."""
        x, y, _ = self.box_nm
        return self.layers * round(WATER_PER_NM2 * x * y)

    @property
    def ion_counts(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Names and numbers of cations and anions."""
        cation, anion = _SALTS[self.salt]
        plus, minus = _IONS[cation][1], -_IONS[anion][1]
        shared = math.gcd(plus, minus)
        return (cation, self.n_units * minus // shared), (anion, self.n_units * plus // shared)

    @property
    def n_ions(self) -> int:
        """Ions of both kinds."""
        return sum(n for _, n in self.ion_counts)


class Atoms(NamedTuple):
    """All atoms: waters first, three atoms each, then cations, then anions."""

    kinds: tuple[Kind, ...]
    place_nm: Float64[ndarray, "atoms 3"]
    n_water: int
    cation: Int64[ndarray, " cations"]  # number of each ion's first atom
    anion: Int64[ndarray, " anions"]


def built(slit: MolecularSlit, rng: Generator) -> Atoms:
    """Return atoms on a jittered grid of places, water turned at random; to be relaxed before it is run."""
    x, y, _ = slit.box_nm
    n_layer = slit.n_places // slit.layers
    n_rows = round(math.sqrt(n_layer * y / x * 2 / math.sqrt(3)))
    per_row = math.ceil(n_layer / n_rows)
    row, column = np.divmod(np.arange(n_rows * per_row), per_row)
    grid = np.stack([(column + 0.5 * (row % 2)) * x / per_row, row * y / n_rows], axis=1)
    places: list[ndarray] = []
    for k in range(slit.layers):
        chosen = grid[np.sort(rng.permutation(grid.shape[0])[:n_layer])] + (0.15 * k)
        height = np.full((n_layer, 1), (k - 0.5 * (slit.layers - 1)) * _LAYER_NM)
        places.append(np.hstack([chosen + 0.01 * rng.standard_normal(chosen.shape), height]))
    where = np.concatenate(places)
    ions = _spread(where, slit.n_ions, np.array([x, y]), rng)
    water = np.delete(np.arange(where.shape[0]), ions)
    kinds: list[Kind] = [OXYGEN, HYDROGEN, HYDROGEN] * water.size
    atoms: list[ndarray] = [where[k] + _turned(_water_shape(), rng) for k in water]
    first: list[list[int]] = []
    at, used = 3 * water.size, 0
    for name, n in slit.ion_counts:
        shape = _IONS[name][0]
        first.append([])
        for k in ions[used : used + n]:
            offset = np.zeros((1, 3)) if len(shape) == 1 else np.vstack([np.zeros((1, 3)), _turned(_TETRAHEDRON, rng)])
            atoms.append(where[k] + offset)
            kinds += shape
            first[-1].append(at)
            at += len(shape)
        used += n
    cation, anion = (np.array(numbers, dtype=np.int64) for numbers in first)
    return Atoms(tuple(kinds), np.concatenate(atoms), water.size, cation, anion)


def _spread(where: ndarray, n: int, box: ndarray, rng: Generator) -> ndarray:
    """Return ``n`` places in turn as far as can be from those before, so that no ions start as a pair."""
    chosen: list[int] = []
    nearest = np.full(where.shape[0], np.inf)
    for _ in range(n):
        best = int(np.argmax(nearest)) if chosen else int(rng.integers(where.shape[0]))
        chosen.append(best)
        apart = where[:, :2] - where[best, :2]
        apart -= box * np.rint(apart / box)
        nearest = np.minimum(nearest, (apart**2).sum(axis=1))
    return rng.permutation(np.array(chosen, dtype=np.int64))


def _water_shape() -> ndarray:
    half = math.radians(_HOH_DEGREES / 2)
    side, up = _OH_NM * math.sin(half), _OH_NM * math.cos(half)
    return np.array([[0.0, 0, 0], [side, 0, up], [-side, 0, up]])


def _turned(shape: ndarray, rng: Generator) -> ndarray:
    """Return points after a random rotation (QR of a normal matrix, its determinant made 1)."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q *= np.sign(np.diag(r))
    return shape @ (q * np.sign(np.linalg.det(q)))
