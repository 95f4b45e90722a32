"""What frames of molecules say of a slit: diffusion, permittivity, layers, pairs; each with its standard error.

Permittivities come from fluctuations of the water's dipoles.  Along the slit, where the box repeats,
(eps - 1) h = var(M_x) / (eps0 kT A).  Across it the box repeats with its vacuum, and with C = var(M_z) / A the field of
the images counts: 1 - 1/eps(z) = c(z) / (eps0 kT + C / L_z) (Stern and Feller, J. Chem. Phys. 118, 3401, 2003).
Ions that move across carry a dipole which the water follows to nine tenths; what follows is taken off M_z, and what is
left fluctuates as with ions at rest (normal fluctuations given their cause), so that eps is the water's.
The height h is that of the slit, wall to wall; what counts for ions is eps h, which has no such choice in it.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.files import written_whole
from neurograft.ionic._interaction import LogRatio, fitted
from neurograft.ionic._molecules import Atoms, MolecularSlit
from neurograft.ionic._salt import Ion, Salt, thermal_energy_j
from neurograft.ionic._slit import BORON_NITRIDE, GRAPHITE_LIKE, Slit, slit_of_layers
from neurograft.units import ELEMENTARY_CHARGE_C, NM, PS, VACUUM_PERMITTIVITY_F_PER_M

Frames = Float32[ndarray, "frames atoms 3"]
_PARTS: Final = 5  # of a run, whose scatter is the error
_BIN_NM: Final = 0.02
_LAYER_NM: Final = 0.24  # least distance of two layers
_PAIR_NM: Final = 0.02
_FURTHEST_NM: Final = 1.5
_LOOSE: Final = 0.5  # relative error beyond which a number is flagged
_CONTACT: Final = {("Na", "Cl"): 0.38, ("Ca", "Cl"): 0.38, ("Ca", "SO4"): 0.45, ("Na", "SO4"): 0.45}
_LARGEST_BYTES: Final = 1 << 20
_FORMAT: Final = "neurograft slit, measured on molecules"


class Estimate(NamedTuple):
    """A number and its standard error; None where the run is too short to tell."""

    value: float | None
    error: float | None

    @property
    def is_loose(self) -> bool:
        """Tell whether it is worth little."""
        return self.value is None or self.error is None or not self.error < _LOOSE * abs(self.value)


class Profile(NamedTuple):
    """Means over the plane at heights above its middle."""

    height_nm: Float64[ndarray, " heights"]
    water_per_nm3: Float64[ndarray, " heights"]
    permittivity_along: Float64[ndarray, " heights"]
    inverse_across: Float64[ndarray, " heights"]  # 1 / eps; beyond 0 to 1 it is overscreening, or too short a run

    @property
    def n_layers(self) -> int:
        """Peaks of the water's density, both halves taken together, at least a third as high as the highest.

        A molecule is 0.28 nm wide: peaks nearer than 0.24 nm are one layer, buckled.
        """
        from scipy.signal import find_peaks

        smooth = np.convolve(self.water_per_nm3 + self.water_per_nm3[::-1], np.ones(5) / 5, mode="same")
        apart = round(_LAYER_NM / float(self.height_nm[1] - self.height_nm[0]))
        return find_peaks(smooth, height=smooth.max() / 3, distance=apart)[0].size


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SlitMeasured:
    """What the Brownian model takes from molecules."""

    layers: int
    wall: str
    salt: str
    height_m: float
    temperature_k: float
    duration_s: float
    thermostat_k: Estimate  # mean temperature found
    water_layers: int  # peaks found
    water_m2_s: Estimate
    cation: str
    cation_m2_s: Estimate
    anion: str
    anion_m2_s: Estimate
    permittivity: Estimate  # along the slit
    permittivity_across: Estimate
    pair_fraction: Estimate  # cations in contact with an anion
    contact_m: Estimate  # distance within the plane at which an anion is most often found next to a cation

    def flags(self) -> tuple[str, ...]:
        """Return what a reader must know of numbers that the run was too short for."""
        names = ("cation_m2_s", "anion_m2_s", "permittivity", "permittivity_across", "pair_fraction", "contact_m")
        loose = [name for name in names if getattr(self, name).is_loose]
        if not loose:
            return ()
        return (f"{self.duration_s / 1e-9:.3g} ns are too short for {', '.join(loose)}: errors beyond half the value.",)

    def interaction(self, *, cut_m: float = 20 * NM) -> LogRatio:
        """Return the Brownian model's form: permittivity and height of the molecules, their contact as its core.

        Walls of fixed charges have a permittivity of 1 in the run, real ones have that of ``Slit``.  Ions of the
        model may lie on each other; ``core_m`` puts the energy of contact there.
        """
        wall = BORON_NITRIDE if self.wall == "hbn" else GRAPHITE_LIKE
        eps = 80.0 if self.permittivity.is_loose else self.permittivity.value
        slit = Slit(height_m=self.height_m, wall=wall, permittivity=eps or 80.0, temperature_k=self.temperature_k)
        contact = self.contact_m.value
        return fitted(slit, core_m=0.4 * NM if contact is None or self.contact_m.is_loose else contact, cut_m=cut_m)

    def salt_of(self, known: Salt) -> Salt:
        """Return a salt whose ions diffuse as those of the molecules do, where their names are the same."""
        found = {self.cation: self.cation_m2_s, self.anion: self.anion_m2_s}
        ions = tuple(
            Ion(name=ion.name, valence=ion.valence, diffusion_m2_s=found[ion.name].value or ion.diffusion_m2_s)
            if ion.name in found and not found[ion.name].is_loose
            else ion
            for ion in known.ions
        )
        return Salt(ions=ions, counts=known.counts)


def measured(
    slit: MolecularSlit, atoms: Atoms, frames: Frames, *, frame_s: float, temperatures_k: list[float]
) -> tuple[SlitMeasured, Profile]:
    """Return what the frames say; at least two frames for each of five parts."""
    if frames.shape[0] < 2 * _PARTS:
        raise IonicError(f"{frames.shape[0]} frames are too few to measure anything; {2 * _PARTS} are needed.")
    (cation, _), (anion, _) = slit.ion_counts
    height_m = slit_of_layers(slit.layers).height_m
    oxygen = np.arange(0, 3 * atoms.n_water, 3)
    dipoles = water_dipoles(atoms, frames)
    along = _in_parts(frames, lambda part: permittivity_along(slit, dipoles[part]))
    moment = moment_across(atoms, frames, dipoles)
    across = _in_parts(frames, lambda part: permittivity_across(slit, moment[part]))
    profile = profile_of(slit, atoms, frames, dipoles)
    paired, contact = _pairs(slit, frames, atoms.cation, atoms.anion, (cation, anion))
    late = np.array(temperatures_k[-frames.shape[0] :])
    found = SlitMeasured(
        layers=slit.layers, wall=slit.wall, salt=slit.salt, height_m=height_m, temperature_k=slit.temperature_k,
        duration_s=frames.shape[0] * frame_s,
        thermostat_k=_in_parts(frames, lambda part: float(late[part].mean())),
        water_layers=profile.n_layers,
        water_m2_s=_diffusion(frames[:, oxygen, :2], frame_s),
        cation=cation, cation_m2_s=_diffusion(frames[:, atoms.cation, :2], frame_s),
        anion=anion, anion_m2_s=_diffusion(frames[:, atoms.anion, :2], frame_s),
        permittivity=along, permittivity_across=across, pair_fraction=paired, contact_m=contact,
    )  # fmt: skip
    return found, profile


def _in_parts(frames: Frames, of: Callable[[slice], float]) -> Estimate:
    """Return a value over all frames, and an error from the scatter of its values over parts of them."""
    cuts = np.linspace(0, frames.shape[0], _PARTS + 1).astype(int)
    values = np.array([of(slice(a, b)) for a, b in pairwise(cuts.tolist())])
    whole = of(slice(None))
    error = float(values.std(ddof=1) / math.sqrt(_PARTS)) if np.all(np.isfinite(values)) else None
    return Estimate(float(whole), error) if math.isfinite(whole) else Estimate(None, None)


def water_dipoles(atoms: Atoms, frames: Frames) -> Float64[ndarray, "frames waters 3"]:
    """Return each molecule's dipole (e nm)."""
    place = frames[:, : 3 * atoms.n_water].astype(np.float64).reshape(frames.shape[0], atoms.n_water, 3, 3)
    charge = np.array([kind.touch.charge for kind in atoms.kinds[:3]])
    return np.einsum("k,fwkd->fwd", charge, place)


def _thermal(slit: MolecularSlit) -> float:
    """Return eps0 kT in e^2 / nm."""
    return VACUUM_PERMITTIVITY_F_PER_M * thermal_energy_j(slit.temperature_k) * NM / ELEMENTARY_CHARGE_C**2


def permittivity_along(slit: MolecularSlit, dipoles: Float64[ndarray, "frames waters 3"]) -> float:
    """Return eps of the slit's height from the dipole of all water along it (mean 0 by symmetry)."""
    x, y, _ = slit.box_nm
    total = dipoles[:, :, :2].sum(axis=1)
    return 1 + float((total**2).mean()) / (_thermal(slit) * x * y * slit.gap_nm)


def moment_across(
    atoms: Atoms, frames: Frames, dipoles: Float64[ndarray, "frames waters 3"]
) -> Float64[ndarray, " frames"]:
    """Return the water's dipole across the slit (e nm) about its mean, less what follows the ions' own."""
    n_water = 3 * atoms.n_water
    charge = np.array([kind.touch.charge for kind in atoms.kinds[n_water:]])
    ions = frames[:, n_water:, 2].astype(np.float64) @ charge
    ions -= ions.mean()
    water = dipoles[:, :, 2].sum(axis=1)
    water -= water.mean()
    spread = float((ions**2).mean())
    return water - ions * float((water * ions).mean()) / spread if spread > 1e-12 else water


def permittivity_across(slit: MolecularSlit, moment: Float64[ndarray, " frames"]) -> float:
    """Return eps across the slit's height from ``moment_across``; infinite where the run is too short to tell."""
    x, y, z = slit.box_nm
    c = float(moment.var()) / (x * y)
    share = c / (_thermal(slit) + c / z) / slit.gap_nm
    return 1 / (1 - share) if share < 1 else math.inf


def profile_of(
    slit: MolecularSlit, atoms: Atoms, frames: Frames, dipoles: Float64[ndarray, "frames waters 3"]
) -> Profile:
    """Return profiles over height: water, eps along (dipoles where their oxygen is), 1/eps across (from charges)."""
    x, y, z = slit.box_nm
    n_bins = 2 * math.ceil(0.5 * slit.gap_nm / _BIN_NM)
    edges = (np.arange(n_bins + 1) - n_bins / 2) * _BIN_NM
    total, across = dipoles.sum(axis=1), moment_across(atoms, frames, dipoles)
    n_water = 3 * atoms.n_water
    charge = np.array([kind.touch.charge for kind in atoms.kinds[:n_water]])
    density, with_along, p_sum, p_with = np.zeros(n_bins), np.zeros(n_bins), np.zeros(n_bins), np.zeros(n_bins)
    for k in range(frames.shape[0]):
        height = frames[k, :n_water, 2]
        bins = np.clip(np.searchsorted(edges, height[::3]) - 1, 0, n_bins - 1)
        density += np.bincount(bins, minlength=n_bins)
        for axis in (0, 1):
            with_along += np.bincount(bins, dipoles[k, :, axis], n_bins) * total[k, axis] / 2
        per_bin = np.histogram(height, edges, weights=charge)[0]
        polarisation = -(np.cumsum(per_bin) - 0.5 * per_bin) / (x * y)  # at the bins' middles
        p_sum += polarisation
        p_with += polarisation * across[k]
    n = frames.shape[0]
    volume = x * y * _BIN_NM
    covariance = p_with / n - p_sum / n * across.mean()
    c = float(across.var()) / (x * y)
    return Profile(
        0.5 * (edges[1:] + edges[:-1]),
        density / n / volume,
        1 + with_along / n / volume / _thermal(slit),
        1 - covariance / (_thermal(slit) + c / z),
    )


def _diffusion(place_nm: Float32[ndarray, "frames atoms 2"], frame_s: float) -> Estimate:
    """Return D along the slit: slope of the squared displacement between a tenth and a fifth of each part."""
    n_frames = place_nm.shape[0] // _PARTS
    low, high = max(1, n_frames // 10), max(2, n_frames // 5)
    if place_nm.shape[1] == 0 or high >= n_frames or high * frame_s < 2 * PS:
        return Estimate(None, None)
    values: list[float] = []
    for k in range(_PARTS):
        part = place_nm[k * n_frames : (k + 1) * n_frames].astype(np.float64)
        square = [float(((part[lag:] - part[:-lag]) ** 2).sum(axis=2).mean()) for lag in (low, high)]
        values.append((square[1] - square[0]) / (4 * (high - low) * frame_s) * NM**2)
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(_PARTS)))


def _pairs(
    slit: MolecularSlit, frames: Frames, cations: ndarray, anions: ndarray, names: tuple[str, str]
) -> tuple[Estimate, Estimate]:
    """Return the share of cations with an anion within contact, and the distance in the plane found most there."""
    if cations.size == 0 or anions.size == 0:
        return Estimate(None, None), Estimate(None, None)
    box = np.array(slit.box_nm)
    apart = frames[:, cations, None, :] - frames[:, None, anions, :]
    apart = apart - box * np.rint(apart / box)
    near = np.sqrt((apart**2).sum(axis=3)).min(axis=2) < _CONTACT[names]
    share = _in_parts(frames, lambda part: float(near[part].mean()))
    flat = np.sqrt((apart[..., :2] ** 2).sum(axis=3))
    edges = np.arange(0.0, _CONTACT[names] + _PAIR_NM, _PAIR_NM)

    def most_found(part: slice) -> float:
        counts = np.histogram(flat[part], edges)[0] / (edges[1:] ** 2 - edges[:-1] ** 2)
        return (float(edges[int(np.argmax(counts))]) + 0.5 * _PAIR_NM) * NM if counts.sum() else math.nan

    contact = _in_parts(frames, most_found)
    if contact.error is not None:
        contact = Estimate(contact.value, math.hypot(contact.error, _PAIR_NM * NM / math.sqrt(12)))
    return share, contact


def pair_distances(
    slit: MolecularSlit, atoms: Atoms, frames: Frames
) -> tuple[Float64[ndarray, " distances"], Float64[ndarray, " distances"]]:
    """Return distances in the plane (nm) and how often a cation has an anion there, over an even spread of them."""
    x, y, _ = slit.box_nm
    edges = np.arange(0.0, min(_FURTHEST_NM, 0.5 * min(x, y)) + 1e-9, _PAIR_NM)
    a, b = atoms.cation, atoms.anion
    apart = (frames[:, a, None, :2] - frames[:, None, b, :2]).astype(np.float64)
    apart -= np.array([x, y]) * np.rint(apart / np.array([x, y]))
    counts = np.histogram(np.sqrt((apart**2).sum(axis=3)), edges)[0]
    even = frames.shape[0] * a.size * b.size * math.pi * (edges[1:] ** 2 - edges[:-1] ** 2) / (x * y)
    return 0.5 * (edges[1:] + edges[:-1]), counts / np.maximum(even, 1e-300)


def save_measured(path: Path, found: SlitMeasured) -> None:
    """Write what was measured as JSON, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(json.dumps({"format": _FORMAT, "format_version": 1, **asdict(found)}, indent=1) + "\n")


def load_measured(path: Path) -> SlitMeasured:
    """Return what ``save_measured`` wrote; another file is refused."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError("it is too large")
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("format", None) != _FORMAT or told.pop("format_version", None) != 1:
            raise ValueError("it has another format")
        for key, value in told.items():
            if isinstance(value, list):
                number, error = value
                told[key] = Estimate(*(None if v is None else float(v) for v in (number, error)))
        return SlitMeasured(**told)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise IonicError(f"{path} holds no slit measured by ionic md: {error}. Make one with its -o option.") from error
