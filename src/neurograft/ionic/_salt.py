"""Ions in a slit: species, and how many of each."""

import math
from dataclasses import dataclass
from typing import Final, final

from neurograft.errors import IonicError, did_you_mean
from neurograft.units import BOLTZMANN_J_PER_K

# Authors' mobility 9.6 fs / (23 g/mol) with kT = 0.592 kcal/mol.
_AVOGADRO: Final = 6.02214076e23
PAPER_DIFFUSION_M2_S: Final = 9.6e-15 / (0.023 / _AVOGADRO) * 0.592 * 4184 / _AVOGADRO


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ion:
    """A kind of ion."""

    name: str
    valence: int
    diffusion_m2_s: float = PAPER_DIFFUSION_M2_S

    def __post_init__(self) -> None:
        """Refuse what is no ion."""
        if not (1 <= abs(self.valence) <= 3 and 1e-11 < self.diffusion_m2_s < 1e-8):
            raise IonicError(
                f"{self}: ions in water have a valence of 1 to 3 of either sign and diffuse with 1e-11 to 1e-8 m2/s. "
                "Correct it."
            )


# The model's own pair, and ions with their diffusion in dilute water at 25 degrees; within 0.5 % of the tables of
# phreeqc and of Li and Gregory (1974).
CATION: Final = Ion(name="M2+", valence=2)
ANION: Final = Ion(name="X2-", valence=-2)
_IONS: Final = {
    "Na": Ion(name="Na", valence=1, diffusion_m2_s=1.334e-9),
    "K": Ion(name="K", valence=1, diffusion_m2_s=1.957e-9),
    "Ca": Ion(name="Ca", valence=2, diffusion_m2_s=0.792e-9),
    "Mg": Ion(name="Mg", valence=2, diffusion_m2_s=0.706e-9),
    "Cl": Ion(name="Cl", valence=-1, diffusion_m2_s=2.032e-9),
    "SO4": Ion(name="SO4", valence=-2, diffusion_m2_s=1.065e-9),
}
_SALTS: Final = {
    "NaCl": ("Na", "Cl"),
    "KCl": ("K", "Cl"),
    "CaCl2": ("Ca", "Cl"),
    "MgCl2": ("Mg", "Cl"),
    "CaSO4": ("Ca", "SO4"),
    "MgSO4": ("Mg", "SO4"),
    "Na2SO4": ("Na", "SO4"),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Salt:
    """Species and how many ions of each; neutral as a whole."""

    ions: tuple[Ion, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a salt that carries charge or has a negative count."""
        if len(self.ions) != len(self.counts) or not self.ions or min(self.counts) < 1:
            raise IonicError(f"counts is {self.counts} for {len(self.ions)} species. Give one count above 0 for each.")
        charge = sum(ion.valence * n for ion, n in zip(self.ions, self.counts, strict=True))
        if charge:
            told = ", ".join(f"{n} {ion.name}({ion.valence:+d})" for ion, n in zip(self.ions, self.counts, strict=True))
            raise IonicError(f"{told} carry {charge:+d} charges together. Give numbers that make the slit neutral.")

    @property
    def n_ions(self) -> int:
        """Number of ions of all species."""
        return sum(self.counts)


def paper_salt(n_pairs: int) -> Salt:
    """Return ``n_pairs`` divalent cations and as many anions of the authors' diffusion."""
    return Salt(ions=(CATION, ANION), counts=(n_pairs, n_pairs))


def salt(**formula_units: int) -> Salt:
    """Return a salt or a mixture from the number of formula units of each.

    >>> salt(NaCl=10, CaCl2=5).counts
    (10, 20, 5)
    """
    totals: dict[str, int] = {}
    for name, units in formula_units.items():
        if name not in _SALTS:
            raise IonicError(f"{name!r} is no salt that is known here. {did_you_mean(name, _SALTS)}")
        cation, anion = (_IONS[part] for part in _SALTS[name])
        divisor = math.gcd(cation.valence, anion.valence)
        totals[cation.name] = totals.get(cation.name, 0) + units * (-anion.valence // divisor)
        totals[anion.name] = totals.get(anion.name, 0) + units * (cation.valence // divisor)
    return Salt(ions=tuple(_IONS[name] for name in totals), counts=tuple(totals.values()))


def thermal_energy_j(temperature_k: float) -> float:
    """Return kT."""
    return BOLTZMANN_J_PER_K * temperature_k
