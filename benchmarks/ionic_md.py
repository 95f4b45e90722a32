"""Speed of molecules in a slit: sheets as a field against the usual way, every wall atom in the system.

    python benchmarks/ionic_md.py [--threads 2] [--ps 4] [--side-nm 3]

Needs the extra md.  All systems have the same water, salt, cut-off, mesh and step; in the usual ones the wall's atoms
have mass 0, and their pairs within the cut are either excluded or computed in vain: the faster of the two counts.
"""

import argparse
import time

import numpy as np
import openmm as mm

from neurograft.ionic import MolecularRun, MolecularSlit
from neurograft.ionic._molecular_reference import system_with_wall_atoms
from neurograft.ionic._molecular_run import STEP_PS, make_system
from neurograft.units import NM, PS

BUDGET_NS_A_DAY = {1: 108.0, 2: 44.0, 3: 35.0}  # the prototype, wall atoms in the system, two threads


def ns_a_day(system: mm.System, place_nm: np.ndarray, duration_ps: float, threads: int) -> float:
    integrator = mm.LangevinMiddleIntegrator(298.0, 1.0, STEP_PS)
    integrator.setConstraintTolerance(1e-5)
    context = mm.Context(system, integrator, mm.Platform.getPlatformByName("CPU"), {"Threads": str(threads)})
    context.setPositions(place_nm)
    context.setVelocitiesToTemperature(298.0, 1)
    integrator.step(100)
    began = time.perf_counter()
    integrator.step(round(duration_ps / STEP_PS))
    context.getState(getEnergy=True)
    return duration_ps * 1e-3 / (time.perf_counter() - began) * 86400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ps", type=float, default=4.0)
    parser.add_argument("--side-nm", type=float, default=3.0)
    parser.add_argument("--layers", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    for layers in given.layers:
        slit = MolecularSlit(layers=layers, n_units=2, side_m=given.side_nm * NM)
        run = MolecularRun(slit, seed=1, n_threads=given.threads)
        run.settle(0.5 * PS)
        place = run.state.place_nm
        ours = ns_a_day(make_system(slit, run.atoms), place, given.ps, given.threads)
        told = f"{layers} layers, {place.shape[0]} atoms: {ours:.0f} ns a day (prototype {BUDGET_NS_A_DAY[layers]:g})"
        if not given.no_peer:
            usual = []
            for is_excluding in (True, False):
                system, walls = system_with_wall_atoms(slit, run.atoms, is_excluding=is_excluding)
                usual.append(ns_a_day(system, np.vstack([place, walls]), 0.5 * given.ps, given.threads))
            told += f"; with {walls.shape[0]} wall atoms {usual[0]:.0f} excluding, {usual[1]:.0f} in vain: "
            told += f"ours is {ours / max(usual):.1f} x"
        print(told, flush=True)


if __name__ == "__main__":
    main()
