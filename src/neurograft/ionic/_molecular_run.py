"""Runs of molecules with OpenMM, in parts that a checkpoint keeps: rigid water, sheets as a field, no wall atoms.

Electrostatics by particle-mesh Ewald over the box with its vacuum; the sums over images of the slab are left as they
are, and what is measured allows for it (``_molecular_measures``).  Langevin's thermostat brakes at 1 per ps; water
and ions brake themselves at kT / (m D), 50 to 100 per ps, so diffusion loses two per cent at most.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.errors import IonicError, MissingExtraError
from neurograft.ionic._checkpoint import read_arrays, write_arrays
from neurograft.ionic._molecules import CUT_NM, SO_NM, SULFUR, Atoms, Kind, MolecularSlit, built
from neurograft.ionic._pair_free_energy import (
    GAS_KJ_PER_K,
    Umbrellas,
    Visits,
    add_spring,
    load_visits,
    save_visits,
    visit_windows,
)
from neurograft.ionic._sheets import Harmonics, attraction, potential
from neurograft.progress import Progress, silent
from neurograft.units import PS

STEP_PS: Final = 0.002
_KIND: Final = "molecules"
_FRICTION_PER_PS: Final = 1.0
_N_TABLE: Final = 1200
_CLOSEST_NM: Final = 0.13  # to a sheet; no atom gets there
_BEND_KJ: Final = 520.0  # of O-S-O per rad^2: stiff enough to keep the ion's shape, ours
_LARGEST_FRAMES: Final = 4000


@final
@dataclass(slots=True, kw_only=True, eq=False)
class MolecularState:
    """Where a run stands, and the frames so far (nm, not wrapped into the box)."""

    place_nm: Float64[ndarray, "atoms 3"]
    speed_nm_ps: Float64[ndarray, "atoms 3"]
    settled_s: float = 0.0
    frame_s: float = 0.5 * PS
    frames: list[Float32[ndarray, "atoms 3"]] = field(default_factory=list[Any])
    temperatures_k: list[float] = field(default_factory=list[float])


@final
class MolecularRun:
    """A slit under OpenMM: ``settle``, then ``advance`` frame by frame."""

    def __init__(
        self, slit: MolecularSlit, *, seed: int, n_threads: int = 1, atoms: Atoms | None = None, spring: float = 0.0
    ) -> None:
        mm = _openmm()
        self.slit = slit
        self.atoms = built(slit, np.random.default_rng(seed)) if atoms is None else atoms
        system = make_system(slit, self.atoms)
        if spring > 0:  # between the first cation and the first anion, kJ/mol/nm^2
            add_spring(mm, system, self.first_pair, spring)
        self._mm = mm
        self._integrator: Any = mm.LangevinMiddleIntegrator(slit.temperature_k, _FRICTION_PER_PS, STEP_PS)
        self._integrator.setRandomNumberSeed(seed + 1)
        self._integrator.setConstraintTolerance(1e-5)
        platform = mm.Platform.getPlatformByName("CPU")
        self._context: Any = mm.Context(system, self._integrator, platform, {"Threads": str(n_threads)})
        self._n_free = 3 * system.getNumParticles() - system.getNumConstraints()
        self.state = MolecularState(place_nm=self.atoms.place_nm, speed_nm_ps=np.zeros_like(self.atoms.place_nm))
        self._is_started = False

    @property
    def first_pair(self) -> tuple[int, int]:
        """Atoms of the first cation and the first anion."""
        return int(self.atoms.cation[0]), int(self.atoms.anion[0])

    def visit(
        self,
        umbrellas: Umbrellas,
        seen: Visits,
        *,
        n_rounds: int,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress = silent,
    ) -> Visits:
        """Add visits of the first pair to windows, on a run made with their spring and settled."""
        label = json.dumps(asdict(self.slit), sort_keys=True)

        def keep(now: Visits) -> None:
            if checkpoint is not None and len(now.window) % len(umbrellas.centre_nm) == 0:
                save_visits(checkpoint, now, umbrellas, label=label)

        return visit_windows(
            self._context, self._integrator, self.first_pair, umbrellas, seen, n_rounds=n_rounds, step_ps=STEP_PS,
            seed=seed, on_visit=keep, progress=progress,
        )  # fmt: skip

    def go_on(self, path: Path, umbrellas: Umbrellas) -> Visits:
        """Return the visits of a checkpoint and take the last place."""
        seen = load_visits(path, umbrellas, label=json.dumps(asdict(self.slit), sort_keys=True))
        self.state.place_nm, self.state.speed_nm_ps = seen.place_nm[-1], seen.speed_nm_ps[-1]
        self.state.settled_s = 1.0
        return seen

    def settle(self, duration_s: float, *, progress: Progress = silent) -> None:
        """Relax the start, then warm it for so long; nothing for a run that goes on from a checkpoint."""
        if not self._is_started:
            self._start()
        n_parts = 20
        while self.state.settled_s < duration_s - 1e-18:
            self._step(duration_s / n_parts)
            self.state.settled_s += duration_s / n_parts
            progress("settling", min(self.state.settled_s, duration_s) / PS, duration_s / PS)

    def advance(self) -> None:
        """Run one frame's time and keep the frame."""
        self._step(self.state.frame_s)
        self.state.frames.append(self.state.place_nm.astype(np.float32))

    def _start(self) -> None:
        mm, state = self._mm, self.state
        self._context.setPositions(state.place_nm)
        if state.settled_s > 0:
            self._context.setVelocities(state.speed_nm_ps)
        else:
            mm.LocalEnergyMinimizer.minimize(self._context, 50.0, 400)
            self._context.setVelocitiesToTemperature(self.slit.temperature_k, 1)
        self._is_started = True

    def _step(self, duration_s: float) -> None:
        try:
            self._integrator.step(round(duration_s / PS / STEP_PS))
            self._look()
        except self._mm.OpenMMException as error:
            raise IonicError(
                f"The molecules flew apart after {len(self.state.frames) * self.state.frame_s / PS:.3g} ps: {error}. "
                "Another --seed makes another start."
            ) from error

    def _look(self) -> None:
        now = self._context.getState(getPositions=True, getVelocities=True, getEnergy=True)
        unit = self._mm.unit
        self.state.place_nm = np.array(now.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
        self.state.speed_nm_ps = np.array(
            now.getVelocities(asNumpy=True).value_in_unit(unit.nanometer / unit.picosecond)
        )
        moving_kj = float(now.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole))
        self.state.temperatures_k.append(2 * moving_kj / (self._n_free * GAS_KJ_PER_K))

    def energy_kj(self, place_nm: Float64[ndarray, "atoms 3"]) -> float:
        """Return the potential energy of an arrangement."""
        self._context.setPositions(place_nm)
        energy = self._context.getState(getEnergy=True).getPotentialEnergy()
        return float(energy.value_in_unit(self._mm.unit.kilojoule_per_mole))


def run_molecules(
    run: MolecularRun,
    *,
    duration_s: float,
    settle_s: float = 50 * PS,
    checkpoint: Path | None = None,
    save_every: int = 100,
    progress: Progress = silent,
    on_frame: Callable[[MolecularRun], None] | None = None,
) -> Float32[ndarray, "frames atoms 3"]:
    """Return the frames of ``duration_s`` after settling; a stopped run goes on from its checkpoint."""
    run.settle(settle_s, progress=progress)
    state = run.state
    if not state.frames:
        state.frame_s = max(0.5 * PS, round(duration_s / _LARGEST_FRAMES / PS, 1) * PS)
    n_frames = round(duration_s / state.frame_s)
    while len(state.frames) < n_frames:
        run.advance()
        progress("molecules", len(state.frames) * state.frame_s / PS, n_frames * state.frame_s / PS)
        if on_frame is not None:
            on_frame(run)
        if checkpoint is not None and (len(state.frames) % save_every == 0 or len(state.frames) == n_frames):
            save_molecules(checkpoint, run)
    return np.stack(state.frames[:n_frames]) if n_frames else np.zeros((0, *state.place_nm.shape), dtype=np.float32)


def save_molecules(path: Path, run: MolecularRun) -> None:
    """Write a checkpoint, whole or not at all."""
    state = run.state
    arrays = {
        "slit": np.array(json.dumps(asdict(run.slit), sort_keys=True)),
        "place_nm": state.place_nm,
        "speed_nm_ps": state.speed_nm_ps,
        "frames": np.array(state.frames, dtype=np.float32).reshape(-1, *state.place_nm.shape),
        "temperatures_k": np.array(state.temperatures_k),
        "times_s": np.array([state.settled_s, state.frame_s]),
    }
    write_arrays(path, arrays, kind=_KIND)


def load_molecules(path: Path, slit: MolecularSlit, *, seed: int, n_threads: int = 1) -> MolecularRun:
    """Return a run from its checkpoint, with its random numbers drawn anew; one of another slit is refused."""
    arrays = read_arrays(path, kind=_KIND)
    found = json.loads(str(arrays["slit"]))
    if found != asdict(slit):
        other = ", ".join(f"{k} {v} not {asdict(slit).get(k)}" for k, v in found.items() if v != asdict(slit).get(k))
        raise IonicError(f"{path} holds molecules of another slit: {other}. Ask for that one, or start anew.")
    run = MolecularRun(slit, seed=seed, n_threads=n_threads)
    settled_s, frame_s = (float(v) for v in arrays["times_s"])
    if arrays["place_nm"].shape != run.state.place_nm.shape:
        raise IonicError(f"{path} has {arrays['place_nm'].shape[0]} atoms, this slit {len(run.atoms.kinds)}.")
    run.state = MolecularState(
        place_nm=arrays["place_nm"], speed_nm_ps=arrays["speed_nm_ps"], settled_s=settled_s, frame_s=frame_s,
        frames=list(arrays["frames"]), temperatures_k=arrays["temperatures_k"].tolist(),
    )  # fmt: skip
    return run


def make_system(slit: MolecularSlit, atoms: Atoms) -> Any:
    """Return OpenMM's system: masses, rigid molecules, pair forces, the sheets' field."""
    mm = _openmm()
    system = mm.System()
    x, y, z = slit.box_nm
    system.setDefaultPeriodicBoxVectors((x, 0, 0), (0, y, 0), (0, 0, z))
    pairs = mm.NonbondedForce()
    pairs.setNonbondedMethod(mm.NonbondedForce.PME)
    pairs.setCutoffDistance(CUT_NM)
    pairs.setEwaldErrorTolerance(1e-4)  # the authors'
    pairs.setUseDispersionCorrection(False)
    for kind in atoms.kinds:
        system.addParticle(kind.mass)
        pairs.addParticle(kind.touch.charge, kind.touch.sigma_nm, kind.touch.epsilon_kj)
    shape = np.linalg.norm(atoms.place_nm[1] - atoms.place_nm[2]) if atoms.n_water else 0.0
    bond = np.linalg.norm(atoms.place_nm[0] - atoms.place_nm[1]) if atoms.n_water else 0.0
    for k in range(0, 3 * atoms.n_water, 3):
        for i, j, length in ((k, k + 1, bond), (k, k + 2, bond), (k + 1, k + 2, shape)):
            system.addConstraint(i, j, float(length))
            pairs.addException(i, j, 0.0, 0.1, 0.0)
    _add_sulfate(mm, system, pairs, atoms)
    system.addForce(pairs)
    for force in _sheet_forces(mm, slit, atoms):
        system.addForce(force)
    return system


def _add_sulfate(mm: Any, system: Any, pairs: Any, atoms: Atoms) -> None:
    bends = mm.HarmonicAngleForce()
    for k in (i for i, kind in enumerate(atoms.kinds) if kind is SULFUR):
        for a in range(k + 1, k + 5):
            system.addConstraint(k, a, SO_NM)
            pairs.addException(k, a, 0.0, 0.1, 0.0)
            for b in range(a + 1, k + 5):
                bends.addAngle(a, k, b, 1.9106332, _BEND_KJ)
                pairs.addException(a, b, 0.0, 0.1, 0.0)
    if bends.getNumAngles():
        system.addForce(bends)


def _sheet_forces(mm: Any, slit: MolecularSlit, atoms: Atoms) -> list[Any]:
    """Return a force for each kind of atom that the sheets attract, and one for all charges where they have some."""
    top_nm = 0.5 * slit.gap_nm - _CLOSEST_NM
    height = np.linspace(-top_nm, top_nm, _N_TABLE)
    by_kind: dict[Kind, list[int]] = {}
    for i, kind in enumerate(atoms.kinds):
        by_kind.setdefault(kind, []).append(i)
    forces: list[Any] = []
    for kind, members in by_kind.items():
        if kind.touch.epsilon_kj > 0:
            parts = attraction(slit.sheet, kind.touch, height, gap_nm=slit.gap_nm)
            forces.append(_field(mm, slit, parts, height, [(i, 1.0) for i in members]))
    if any(kind.charge for kind in slit.sheet.kinds) and slit.is_corrugated:
        parts = potential(slit.sheet, height, gap_nm=slit.gap_nm)
        charges = [(i, kind.touch.charge) for i, kind in enumerate(atoms.kinds)]
        forces.append(_field(mm, slit, parts, height, charges))
    return forces


def _field(mm: Any, slit: MolecularSlit, parts: Harmonics, height: ndarray, members: list[tuple[int, float]]) -> Any:
    near, following = (_phases(waves) for waves in (slit.sheet.waves_per_nm(), slit.sheet.next_waves_per_nm()))
    sums = {"flat": "1", "cosine": "+".join(f"cos{p}" for p in near), "sine": "+".join(f"sin{p}" for p in near)}
    sums["second"] = "+".join(f"cos{p}" for p in following)
    kept = [n for n, table in parts._asdict().items() if np.any(table) and (n == "flat" or slit.is_corrugated)]
    force = mm.CustomCompoundBondForce(1, "scale*(" + "+".join(f"{n}(z1)*({sums[n]})" for n in kept) + ")")
    force.addPerBondParameter("scale")
    for name in kept:
        table = mm.Continuous1DFunction(getattr(parts, name).tolist(), float(height[0]), float(height[-1]))
        force.addTabulatedFunction(name, table)
    for i, scale in members:
        force.addBond([i], [scale])
    return force


def _phases(waves: ndarray) -> list[str]:
    return [f"({float(gx)!r}*x1+({float(gy)!r})*y1)" for gx, gy in waves]


def _openmm() -> Any:
    try:
        import openmm
    except ImportError as error:
        raise MissingExtraError(purpose="Running molecules", extra="md") from error
    return openmm
