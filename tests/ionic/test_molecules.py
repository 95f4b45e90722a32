"""Molecules: the sheets' field against all their atoms, the start, measures on frames whose answer is known."""

import numpy as np
import pytest

from neurograft.errors import IonicError
from neurograft.ionic import (
    Estimate,
    MolecularSlit,
    Profile,
    load_measured,
    measured,
    pair_distances,
    salt,
    save_measured,
    write_molecules,
)
from neurograft.ionic._molecular_measures import moment_across, permittivity_across, permittivity_along, water_dipoles
from neurograft.ionic._molecules import CHLORIDE, OXYGEN, SODIUM, SULFUR, built
from neurograft.ionic._sheets import COULOMB_KJ_NM, GRAPHENE, HBN, attraction, energy_at, potential
from neurograft.units import BOLTZMANN_J_PER_K, ELEMENTARY_CHARGE_C, NM, PS, VACUUM_PERMITTIVITY_F_PER_M

SHEETS = pytest.mark.parametrize("sheet", [GRAPHENE, HBN], ids=lambda sheet: sheet.name)


def all_atoms(sheet, place, gap_nm, of_distance2):
    """Sum over every atom within 10 nm of both sheets: the slow twin."""
    n_x, n_y = 2 * round(10 / sheet.cell_nm[0]) + 1, 2 * round(10 / sheet.cell_nm[1]) + 1
    middle = np.array(sheet.cell_nm) * [n_x // 2, n_y // 2]
    total = np.zeros(place.shape[0])
    for kind, atoms in zip(sheet.kinds, sheet.atoms_nm(n_x, n_y), strict=True):
        for height in (-0.5 * gap_nm, 0.5 * gap_nm):
            flat2 = ((place[:, None, :2] + middle - atoms[None]) ** 2).sum(axis=2)
            total += of_distance2(kind, flat2 + (place[:, None, 2] - height) ** 2).sum(axis=1)
    return total


@SHEETS
@pytest.mark.parametrize("atom", [OXYGEN, SODIUM, CHLORIDE], ids=lambda kind: kind.name)
def test_the_field_is_the_sum_over_the_sheets_atoms(sheet, atom):
    rng = np.random.default_rng(0)
    place = np.column_stack([rng.random((60, 2)) * 3, rng.uniform(-0.16, 0.16, 60)])

    def lennard_jones(kind, r2):
        s6 = ((0.5 * (kind.sigma_nm + atom.touch.sigma_nm)) ** 2 / r2) ** 3
        return 4 * np.sqrt(kind.epsilon_kj * atom.touch.epsilon_kj) * (s6**2 - s6)

    expected = all_atoms(sheet, place, 0.7, lennard_jones)
    parts = attraction(sheet, atom.touch, place[:, 2], gap_nm=0.7)
    found = energy_at(sheet, parts, place[:, :2])
    goes = expected < 10.0  # kJ/mol, 4 kT: where an atom goes; nearer, the harmonics left out count
    assert goes.sum() > 10
    assert found[goes] == pytest.approx(expected[goes], abs=0.1)  # kT / 25, what the third harmonic would add at 4 kT


def test_charged_sheets_pull_a_charge_as_all_their_atoms_do():
    """By atoms out to a distance, with a smooth end, since a sum of charges that is cut does not converge."""
    rng = np.random.default_rng(1)
    place = np.column_stack([rng.random((20, 2)), rng.uniform(-0.15, 0.15, 20)])

    def coulomb(kind, r2):
        r = np.sqrt(r2)
        return COULOMB_KJ_NM * kind.charge / r * np.exp(-((r / 3.0) ** 4))

    expected = all_atoms(HBN, place, 0.7, coulomb)
    found = energy_at(HBN, potential(HBN, place[:, 2], gap_nm=0.7), place[:, :2])
    assert found == pytest.approx(expected, abs=0.02)
    assert np.ptp(expected) > 0.3


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["NaCl", "CaSO4", "CaCl2"])
def test_the_start_is_neutral_and_in_layers(layers, name):
    slit = MolecularSlit(layers=layers, salt=name, n_units=3, side_m=3 * NM)
    atoms = built(slit, np.random.default_rng(0))
    assert sum(kind.touch.charge for kind in atoms.kinds) == pytest.approx(0, abs=1e-9)
    assert atoms.n_water + slit.n_ions == slit.n_places
    x, y, _ = slit.box_nm
    assert slit.n_places / (layers * x * y) == pytest.approx(11.7, rel=0.01)  # authors: 11.5 to 11.7 a layer
    oxygen = atoms.place_nm[: 3 * atoms.n_water : 3, 2]
    assert np.unique(np.round(oxygen, 6)).size == layers
    bonds = np.linalg.norm(atoms.place_nm[1 : 3 * atoms.n_water : 3] - atoms.place_nm[: 3 * atoms.n_water : 3], axis=1)
    assert bonds == pytest.approx(np.full(atoms.n_water, 0.1))
    if name == "CaSO4":
        assert sum(kind is SULFUR for kind in atoms.kinds) == 3


FLATTER = 0.2


def still_slit(n_frames, rng):
    """Return a slit whose water is turned at random in each frame, its dipoles a fifth of theirs across the slit.

    Whole dipoles without correlation would screen more than all of a field.
    """
    slit = MolecularSlit(layers=1, n_units=2, side_m=3 * NM)
    atoms = built(slit, rng)
    frames = np.stack([built(slit, rng).place_nm for _ in range(n_frames)])
    height = frames[:, : 3 * atoms.n_water, 2].reshape(n_frames, -1, 3)
    height[:, :, 1:] = height[:, :, :1] + FLATTER * (height[:, :, 1:] - height[:, :, :1])
    height += 0.03 * rng.standard_normal(height.shape[:2])[:, :, None]  # as water does, so that bins are used evenly
    return slit, atoms, frames.astype(np.float32)


def test_permittivities_of_free_dipoles_are_those_of_the_formula():
    slit, atoms, frames = still_slit(250, np.random.default_rng(2))
    dipoles = water_dipoles(atoms, frames)
    moment_c_m = 0.8476 * 0.1 * np.cos(np.radians(109.47 / 2)) * ELEMENTARY_CHARGE_C * NM
    x, y, z = slit.box_nm
    thermal = VACUUM_PERMITTIVITY_F_PER_M * BOLTZMANN_J_PER_K * 298.0
    per_axis = atoms.n_water * moment_c_m**2 / 3
    area_m2, gap_m = x * y * NM**2, slit.gap_nm * NM
    along = 1 + per_axis / (thermal * area_m2 * gap_m)
    c = FLATTER**2 * per_axis / area_m2
    across = 1 / (1 - c / (thermal + c / (z * NM)) / gap_m)
    error = np.sqrt(2 / 250)  # of a variance from 250 frames, one axis
    assert permittivity_along(slit, dipoles) - 1 == pytest.approx(along - 1, rel=4 * error / np.sqrt(2))
    found = permittivity_across(slit, moment_across(atoms, frames, dipoles))
    assert 1 - 1 / found == pytest.approx(1 - 1 / across, rel=4 * error)


def test_ions_that_move_across_do_not_count_as_water():
    """Water that follows the ions' dipole to nine tenths, as in two layers, has the permittivity it has without."""
    slit, atoms, frames = still_slit(150, np.random.default_rng(7))
    ions = np.concatenate([atoms.cation, atoms.anion])
    apart = frames.copy()
    apart[:, ions, 2] += 0.15 * np.random.default_rng(8).standard_normal((150, ions.size)).astype(np.float32)
    charge = np.repeat([1.0, -1.0], ions.size // 2)
    follows = -0.9 * (apart[:, ions, 2] @ charge) / (2 * 0.4238 * atoms.n_water)  # nm, each hydrogen against its oxygen
    for hydrogen in (1, 2):
        apart[:, hydrogen : 3 * atoms.n_water : 3, 2] += follows[:, None]
    whole = water_dipoles(atoms, apart)[:, :, 2].sum(axis=1)
    alone, found = (
        permittivity_across(slit, moment_across(atoms, f, water_dipoles(atoms, f))) for f in (frames, apart)
    )
    assert 1 - 1 / found == pytest.approx(1 - 1 / alone, rel=4 / np.sqrt(150))  # one of 150 degrees is taken off
    assert whole.var() > 2 * moment_across(atoms, frames, water_dipoles(atoms, frames)).var()


def test_profiles_integrate_to_the_whole():
    slit, atoms, frames = still_slit(100, np.random.default_rng(3))
    found, profile = measured(slit, atoms, frames, frame_s=PS, temperatures_k=[298.0] * 100)
    step = profile.height_nm[1] - profile.height_nm[0]
    x, y, _ = slit.box_nm
    assert profile.water_per_nm3.sum() * step * x * y == pytest.approx(atoms.n_water)
    along = 1 + (profile.permittivity_along - 1).sum() * step / slit.gap_nm
    share = (1 - profile.inverse_across).sum() * step / slit.gap_nm
    assert along == pytest.approx(found.permittivity.value, rel=1e-3)
    charge = np.array([kind.touch.charge for kind in atoms.kinds[: 3 * atoms.n_water]])
    height = frames[:, : charge.size, 2].astype(float)
    exact, binned = height @ charge, (np.floor(height / step) + 0.5) * step @ charge  # e nm
    thermal = VACUUM_PERMITTIVITY_F_PER_M * BOLTZMANN_J_PER_K * 298.0 * NM / ELEMENTARY_CHARGE_C**2
    c = np.cov(binned, exact, bias=True)[0, 1] / (x * y)
    assert share == pytest.approx(c / (thermal + exact.var() / (x * y) / slit.box_nm[2]) / slit.gap_nm, rel=1e-3)
    assert found.water_layers == 1


@pytest.mark.parametrize(
    ("middles", "expected"), [((0.0,), 1), ((-0.18, 0.18), 2), ((-0.37, 0.0, 0.37), 3), ((-0.37, -0.09, 0.09, 0.37), 3)]
)
def test_layers_are_counted_a_buckled_one_once(middles, expected):
    height = (np.arange(70) - 34.5) * 0.02
    water = sum(np.exp(-0.5 * ((height - m) / 0.04) ** 2) for m in middles)
    ones = np.ones(70)
    assert Profile(height, water, ones, ones).n_layers == expected


def test_diffusion_and_pairs_of_a_random_walk_are_its_own():
    slit = MolecularSlit(layers=1, n_units=8, side_m=4 * NM)
    rng = np.random.default_rng(4)
    atoms = built(slit, rng)
    steps = rng.standard_normal((2000, *atoms.place_nm.shape)) * np.sqrt(2 * 1.5e-9 * 1e-12) / NM
    steps[:, :, 2] = 0
    frames = (atoms.place_nm + np.cumsum(steps, axis=0)).astype(np.float32)
    found, _ = measured(slit, atoms, frames, frame_s=PS, temperatures_k=[298.0] * 2000)
    assert found.water_m2_s.value == pytest.approx(1.5e-9, rel=0.05)
    assert found.cation_m2_s.value == pytest.approx(1.5e-9, abs=4 * found.cation_m2_s.error)
    area = np.prod(slit.box_nm[:2])
    even = 1 - (1 - np.pi * 0.38**2 / area) ** 8  # in contact with any of eight anions by chance
    assert found.pair_fraction.value == pytest.approx(even, abs=4 * found.pair_fraction.error)
    r, often = pair_distances(slit, atoms, frames)
    assert often[r > 0.5].mean() == pytest.approx(1.0, abs=0.1)


@pytest.fixture
def dump(tmp_path):
    slit = MolecularSlit(layers=1, n_units=2, side_m=2.3 * NM)
    atoms = built(slit, np.random.default_rng(7))
    frames = np.stack([atoms.place_nm, atoms.place_nm + 3.0]).astype(np.float32)
    path = tmp_path / "slit.lammpstrj"
    write_molecules(path, slit, atoms, frames)
    return slit, atoms, path


def test_a_trajectory_of_molecules_holds_the_sheets_and_wraps_the_rest(dump):
    slit, atoms, path = dump
    lines = path.read_text().splitlines()
    n = len(atoms.kinds) + 4 * 2 * round(np.prod(slit.box_nm[:2]) / np.prod(slit.sheet.cell_nm))
    assert len(lines) == 2 * (9 + n)
    second = [line.split() for line in lines[9 + n + 9 :]]
    assert [row[1] for row in second].count("C") == n - len(atoms.kinds)
    x = np.array([float(row[3]) for row in second])
    assert np.all((x >= 0) & (x <= 10 * slit.box_nm[0] + 1e-3))
    charge = np.array([float(row[2]) for row in second])
    assert charge.sum() == pytest.approx(0, abs=1e-6)


def test_mdanalysis_opens_molecules(dump):
    mda = pytest.importorskip("MDAnalysis")
    slit, atoms, path = dump
    universe = mda.Universe(str(path), format="LAMMPSDUMP")
    assert len(universe.trajectory) == 2
    assert universe.atoms.positions[0, 2] == pytest.approx(10 * (atoms.place_nm[0, 2] + 0.5 * slit.box_nm[2]), abs=1e-2)


def test_ovito_opens_molecules(dump):
    io = pytest.importorskip("ovito.io")
    _, atoms, path = dump
    pipeline = io.import_file(str(path))
    assert pipeline.source.num_frames == 2
    assert pipeline.compute(0).particles.count > len(atoms.kinds)


def test_what_was_measured_goes_to_the_ions_and_comes_back_from_its_file(tmp_path):
    slit, atoms, frames = still_slit(50, np.random.default_rng(5))
    found, _ = measured(slit, atoms, frames, frame_s=PS, temperatures_k=[298.0] * 50)
    save_measured(tmp_path / "slit.json", found)
    again = load_measured(tmp_path / "slit.json")
    assert again == found
    changed = {
        "permittivity": Estimate(40.0, 4.0), "contact_m": Estimate(0.28 * NM, 0.02 * NM),
        "cation_m2_s": Estimate(0.7e-9, 0.1e-9), "anion_m2_s": Estimate(None, None),
    }  # fmt: skip
    told = type(found)(**{name: changed.get(name, getattr(found, name)) for name in found.__dataclass_fields__})
    form = told.interaction()
    assert form.core_m == 0.28 * NM
    assert form.reach_m == pytest.approx(40 * 0.7 * NM / 4)
    ions = told.salt_of(salt(NaCl=5)).ions
    assert ions[0].diffusion_m2_s == 0.7e-9
    assert ions[1].diffusion_m2_s == salt(NaCl=5).ions[1].diffusion_m2_s  # not measured: as it was
    assert any("too short for" in flag for flag in told.flags())


OURS = '"format": "neurograft slit, measured on molecules", "format_version": 1'


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', f'{{{OURS}, "layers": [1]}}', f"{{{OURS}}}"])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "slit.json").write_text(text)
    with pytest.raises(IonicError, match="holds no slit measured"):
        load_measured(tmp_path / "slit.json")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers": 4}, "1, 2 and 3 layers"),
        ({"wall": "graphine"}, "Did you mean 'graphene'"),
        ({"salt": "KBr"}, "has no force field here"),
        ({"side_m": 1 * NM}, "a box needs 2.2 nm"),
        ({"n_units": 90}, "at most a quarter may be ions"),
        ({"temperature_k": 500.0}, "Water is liquid"),
    ],
)
def test_a_slit_that_cannot_be_built_is_refused(change, told):
    with pytest.raises(IonicError, match=told):
        MolecularSlit(**change)


def test_two_frames_measure_nothing():
    slit, atoms, frames = still_slit(2, np.random.default_rng(6))
    with pytest.raises(IonicError, match="too few"):
        measured(slit, atoms, frames, frame_s=PS, temperatures_k=[298.0] * 2)
