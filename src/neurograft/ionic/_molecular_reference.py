"""The slow twin of the sheets' field: OpenMM's system with every wall atom in it, of mass 0, the usual way."""

from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.ionic._molecular_run import make_system
from neurograft.ionic._molecules import CUT_NM, Atoms, MolecularSlit


def system_with_wall_atoms(
    slit: MolecularSlit, atoms: Atoms, *, is_excluding: bool = True
) -> tuple[Any, Float64[ndarray, "walls 3"]]:
    """Return the system and where its wall atoms are; their pairs within the cut are excluded, or computed in vain."""
    import openmm as mm
    from scipy.spatial import KDTree

    system = make_system(slit, atoms)
    for k in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(k), mm.CustomCompoundBondForce):
            system.removeForce(k)
    pairs = next(force for force in system.getForces() if isinstance(force, mm.NonbondedForce))
    n_x, n_y = (round(side / cell) for side, cell in zip(slit.box_nm[:2], slit.sheet.cell_nm, strict=True))
    places: list[tuple[float, float, float]] = []
    first = system.getNumParticles()
    for height in (-0.5 * slit.gap_nm, 0.5 * slit.gap_nm):
        for kind, where in zip(slit.sheet.kinds, slit.sheet.atoms_nm(n_x, n_y), strict=True):
            for x, y in where.tolist():
                system.addParticle(0.0)
                pairs.addParticle(kind.charge, kind.sigma_nm, kind.epsilon_kj)
                places.append((x, y, height))
    walls = np.array(places)
    if is_excluding:
        box = np.array(slit.box_nm)
        for i, j in KDTree(np.mod(walls + 0.5 * box, box), boxsize=box).query_pairs(CUT_NM):
            pairs.addException(first + int(i), first + int(j), 0.0, 0.1, 0.0)
    return system, walls
