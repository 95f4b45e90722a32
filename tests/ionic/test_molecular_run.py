"""OpenMM's runs: energies against a system with every wall atom, rigid shapes, checkpoints, layers and temperature."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import MolecularRun, MolecularSlit, load_molecules, measured, run_molecules
from neurograft.ionic._molecular_reference import system_with_wall_atoms
from neurograft.ionic._molecular_run import make_system
from neurograft.ionic._molecules import built
from neurograft.units import NM, PS

mm = pytest.importorskip("openmm", reason="molecules need the extra md")
SMALL = MolecularSlit(layers=1, n_units=2, side_m=2.3 * NM)


@pytest.fixture(scope="module")
def settled():
    run = MolecularRun(SMALL, seed=3)
    run.settle(1 * PS)
    return run


@pytest.mark.parametrize("wall", ["graphene", "hbn"])
def test_forces_are_those_of_a_system_with_every_wall_atom(wall):
    """The pair sum ends at 1 nm, the field does not: hence a few per cent of the walls' pull (rms of it 30)."""
    slit = MolecularSlit(layers=1, n_units=1, side_m=2.3 * NM, wall=wall)
    run = MolecularRun(slit, seed=4)
    run.settle(0.2 * PS)
    place = run.state.place_nm
    forces = []
    system, walls = system_with_wall_atoms(slit, run.atoms)
    for made, at in ((make_system(slit, run.atoms), place), (system, np.vstack([place, walls]))):
        context = mm.Context(made, mm.VerletIntegrator(0.001), mm.Platform.getPlatformByName("Reference"))
        context.setPositions(at)
        unit = mm.unit.kilojoule_per_mole / mm.unit.nanometer
        found = context.getState(getForces=True).getForces(asNumpy=True).value_in_unit(unit)
        forces.append(np.array(found)[: place.shape[0]])
    apart = np.abs(forces[0] - forces[1])
    assert np.median(apart[:, :2]) < 0.5  # kJ/mol/nm, of forces of hundreds
    assert np.median(apart[:, 2]) < 3.0
    assert apart.max() < 15.0


def test_molecules_keep_their_shape_and_stay_between_the_sheets(settled):
    settled.advance()
    place = settled.state.place_nm
    n = 3 * settled.atoms.n_water
    bonds = np.linalg.norm(place[1:n:3] - place[0:n:3], axis=1)
    assert bonds == pytest.approx(np.full(bonds.size, 0.1), abs=1e-5)
    assert np.abs(place[0:n:3, 2]).max() < 0.12
    assert settled.energy_kj(place) < 0


def test_a_sulfate_keeps_its_shape():
    run = MolecularRun(MolecularSlit(layers=1, salt="CaSO4", n_units=1, side_m=2.3 * NM), seed=1)
    run.settle(0.5 * PS)
    s = int(run.atoms.anion[0])
    place = run.state.place_nm[s : s + 5]
    assert np.linalg.norm(place[1:] - place[0], axis=1) == pytest.approx(np.full(4, 0.137), abs=1e-5)
    apart = [np.linalg.norm(place[a] - place[b]) for a in range(1, 5) for b in range(a + 1, 5)]
    assert np.array(apart) == pytest.approx(np.full(6, 0.2237), abs=0.03)


def test_a_run_goes_on_from_its_checkpoint_and_another_slit_is_refused(tmp_path):
    run = MolecularRun(SMALL, seed=5)
    path = tmp_path / "run.npz"
    run_molecules(run, duration_s=2 * PS, settle_s=0.2 * PS, checkpoint=path)
    again = load_molecules(path, SMALL, seed=6)
    np.testing.assert_allclose(again.state.place_nm, run.state.place_nm)
    frames = run_molecules(again, duration_s=3 * PS, settle_s=0.2 * PS, checkpoint=path)
    assert frames.shape[0] == 6
    assert again.state.settled_s == run.state.settled_s  # not settled again
    np.testing.assert_array_equal(frames[:4], np.stack(run.state.frames))
    jump = np.abs(frames[4] - frames[3]).max()
    assert jump < 0.5  # nm in half a picosecond: the same molecules moved on
    with pytest.raises(IonicError, match="molecules of another slit: layers 1 not 2"):
        load_molecules(path, MolecularSlit(layers=2, n_units=2, side_m=2.3 * NM), seed=6)


def test_without_pattern_the_field_is_flat():
    flat = MolecularSlit(layers=1, n_units=0, side_m=2.3 * NM, is_corrugated=False)
    atoms = built(flat, np.random.default_rng(0))
    system = make_system(flat, atoms)
    fields = [f for f in system.getForces() if isinstance(f, mm.CustomCompoundBondForce)]
    assert len(fields) == 1
    assert "cos" not in fields[0].getEnergyFunction()


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_water_lies_in_as_many_layers_as_were_asked_for_and_at_its_temperature(layers):
    """Checklist: oxygen in 1, 2, 3 peaks; 298 +- 5 K, which half a nanosecond tells (docs), 30 ps to 10.

    A frame's temperature scatters by 298 sqrt(2 / 324) K, and 30 ps hold some thirty that are independent: sd 3.4 K.
    """
    slit = MolecularSlit(layers=layers, n_units=1, side_m=2.3 * NM)
    run = MolecularRun(slit, seed=layers)
    frames = run_molecules(run, duration_s=30 * PS, settle_s=10 * PS)
    found, _ = measured(slit, run.atoms, frames, frame_s=run.state.frame_s, temperatures_k=run.state.temperatures_k)
    assert found.water_layers == layers
    assert found.thermostat_k.value == pytest.approx(298, abs=10)
