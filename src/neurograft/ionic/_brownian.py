"""Ions that diffuse in a plane, attract each other and drift in a field: overdamped Langevin dynamics.

dx = D (F + z f) dt + sqrt(2 D dt) N(0, 1), forces in kT per length, f = e E / kT, Euler-Maruyama as the authors do.
The box is periodic along the field, and across it too unless it has walls.  Between blocks all arrays are in the
order of the ions and lie in an ``IonState``, which is all that a checkpoint needs; a block always lists neighbours
anew at its start, so a run cut at blocks repeats bit for bit, on any number of threads.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Float64, Int8, UInt32
from numba import get_num_threads, set_num_threads
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._interaction import PAPER, Interaction, LogRatio
from neurograft.ionic._kernels import Desk, Law, finish, prepare, sweep, sweep_in_threads
from neurograft.ionic._listing import Ground, empty_listing
from neurograft.ionic._noise import BLOCK, noise_desk, noise_state
from neurograft.ionic._salt import Salt, thermal_energy_j
from neurograft.ionic._slit import TEMPERATURE_K
from neurograft.units import ELEMENTARY_CHARGE_C, NM, PS

# The authors' walls: 1 kcal/mol/A, in kT/nm at kT = 0.592 kcal/mol.
_WALL_PER_NM: Final = 10 / 0.592
_WALL_ROOM_NM: Final = 5.0  # beyond the walls, so that images across do not meet
_STRONGEST_V_M: Final = 1e9  # water breaks down near 1 V/nm (order of magnitude, from memory)
_SKIN_NM: Final = 5.0
_WIDEST_SKIN_NM: Final = 40.0
_N_TABLE: Final = 1 << 14
_SATURATING_V_M: Final = 1e8  # beyond 1e6 V/cm water's permittivity falls (Booth, J. Chem. Phys. 19, 391, 1951)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A slit seen from above: ``length_m`` along the field, ``width_m`` across it."""

    length_m: float
    width_m: float
    has_walls: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IonModel:
    """Which ions move where, with which interaction and step; checked once."""

    salt: Salt
    plane: Plane
    interaction: Interaction = PAPER
    step_s: float = 5 * PS
    temperature_k: float = TEMPERATURE_K

    def __post_init__(self) -> None:
        """Refuse what cannot be stepped."""
        shortest = min(self.plane.length_m, self.plane.width_m)
        if not shortest > 2 * self.interaction.cut_m:
            raise IonicError(
                f"The box is {shortest / NM:g} nm at its shortest, but forces reach "
                f"{self.interaction.cut_m / NM:g} nm: an ion would meet its own image. "
                "Make both sides longer than twice the cut."
            )
        if not 0 < self.kick_m < self.interaction.cut_m / 10:
            raise IonicError(
                f"A step of {self.step_s:g} s moves an ion by {self.kick_m / NM:.3g} nm, beyond a tenth of the forces' "
                f"range ({self.interaction.cut_m / NM:g} nm). Use at most {self.longest_step_s:.2g} s."
            )

    @property
    def _fastest(self) -> float:
        return max(ion.diffusion_m2_s for ion in self.salt.ions)

    @property
    def kick_m(self) -> float:
        """Root mean square displacement of a free ion along one axis in a step."""
        return math.sqrt(2 * self._fastest * self.step_s)

    @property
    def longest_step_s(self) -> float:
        """Step that is refused."""
        return (self.interaction.cut_m / 10) ** 2 / (2 * self._fastest)

    @property
    def contact_drift_m(self) -> float:
        """Distance that two touching ions approach by drift in one step: one ion's share."""
        strongest = max(abs(ion.valence) for ion in self.salt.ions) ** 2
        return self.interaction.contact_force_per_m * strongest * self._fastest * self.step_s

    def flags(self, *, strongest_v_m: float = 0.0) -> tuple[str, ...]:
        """Return what a reader must know of these choices: a step that shapes the result, a field beyond validity."""
        require_field(strongest_v_m)
        told: list[str] = []
        core_m = self.interaction.core_m if isinstance(self.interaction, LogRatio) else 0.1 * NM
        if self.contact_drift_m > core_m:
            told.append(
                f"Time step: at contact an ion drifts {self.contact_drift_m / NM:.2g} nm in a step of "
                f"{self.step_s:g} s, beyond the core of {core_m / NM:g} nm. The result "
                f"depends on the step; converged below "
                f"{self.step_s * core_m / self.contact_drift_m:.1g} s."
            )
        if strongest_v_m > _SATURATING_V_M:
            told.append(
                f"Field: {strongest_v_m:.3g} V/m is beyond {_SATURATING_V_M:g} V/m, where water's permittivity is no "
                "longer that of weak fields."
            )
        return tuple(told)

    def valences(self) -> Float64[ndarray, " species"]:
        """Return the charge of each species in elementary charges."""
        return np.array([float(ion.valence) for ion in self.salt.ions])

    def field_per_nm(self, field_v_m: Float64[ndarray, " steps"]) -> Float32[ndarray, " steps"]:
        """Return the force on an elementary charge in kT/nm."""
        per_nm = ELEMENTARY_CHARGE_C * NM / thermal_energy_j(self.temperature_k)
        return (field_v_m * per_nm).astype(np.float32)


def require_field(strongest_v_m: float) -> None:
    """Refuse a field at which water breaks down."""
    if not abs(strongest_v_m) <= _STRONGEST_V_M:
        raise IonicError(
            f"The field is {strongest_v_m:.3g} V/m; water breaks down near {_STRONGEST_V_M:g} V/m and ions "
            "are no longer the carriers. Use a weaker field or a longer slit."
        )


@final
@dataclass(slots=True, kw_only=True, eq=False)
class IonState:
    """Where the ions are; positions run on across the box's edges, so their differences are displacements."""

    x_nm: Float64[ndarray, " ions"]
    y_nm: Float64[ndarray, " ions"]
    species: Int8[ndarray, " ions"]
    words: UInt32[ndarray, "chunks words"]
    n_steps: int = 0

    def copy(self) -> "IonState":
        """Return a state that moves on its own."""
        return replace(self, x_nm=self.x_nm.copy(), y_nm=self.y_nm.copy(), words=self.words.copy())


def random_start(model: IonModel, rng: Generator, *, n_chunks: int = 1) -> IonState:
    """Return ions spread evenly over the plane; ``n_chunks`` as in ``start_at``."""
    n = model.salt.n_ions
    species = np.repeat(np.arange(len(model.salt.ions)), model.salt.counts).astype(np.int8)
    x, y = rng.random(n) * model.plane.length_m / NM, rng.random(n) * model.plane.width_m / NM
    return start_at(model, x_nm=x, y_nm=y, species=species, rng=rng, n_chunks=n_chunks)


def paired_start(model: IonModel, rng: Generator, *, free_fraction: float, apart_m: float = 0.3 * NM) -> IonState:
    """Return ions as a long run would leave them: a share of the cations single, the others with an anion each.

    Ions spread evenly leave patches of one sign, which a field along x does not mix across it: they live for
    L^2 / (4 pi^2 D), 5 us in 447 nm.  Pairs leave none.
    """
    if not 0 <= free_fraction <= 1:
        raise IonicError(f"free_fraction is {free_fraction:g}. Give a share from 0 to 1.")
    state = random_start(model, rng)
    positive = model.valences()[state.species] > 0
    cations, anions = np.flatnonzero(positive), np.flatnonzero(~positive)
    n = round((1 - free_fraction) * min(cations.size, anions.size))
    angle = rng.random(n) * 2 * math.pi
    x, y, width_nm = state.x_nm.copy(), state.y_nm.copy(), model.plane.width_m / NM
    x[anions[:n]] = x[cations[:n]] + apart_m / NM * np.cos(angle)
    y[anions[:n]] = y[cations[:n]] + apart_m / NM * np.sin(angle)
    y = np.clip(y, 0.0, width_nm) if model.plane.has_walls else y
    return start_at(model, x_nm=x, y_nm=y, species=state.species, rng=rng)


def start_at(
    model: IonModel,
    *,
    x_nm: Float64[ndarray, " ions"],
    y_nm: Float64[ndarray, " ions"],
    species: Int8[ndarray, " ions"],
    rng: Generator,
    n_chunks: int = 1,
) -> IonState:
    """Return ions at given places; two at one place are refused, because their force has no direction.

    Chunks are what threads share: their number is part of the result, that of the threads is not.
    """
    found = np.bincount(species, minlength=len(model.salt.ions)).tolist()
    if tuple(found) != model.salt.counts:
        raise IonicError(f"The places are of {found} ions, but the salt has {list(model.salt.counts)}. Give as many.")
    box = np.array([model.plane.length_m, model.plane.width_m]) / NM
    places = np.stack([x_nm, y_nm], axis=1)
    if not np.all(np.isfinite(places)):
        raise IonicError("A place is not a finite number. Give nanometres.")
    if model.plane.has_walls and not np.all((y_nm >= 0) & (y_nm <= box[1])):
        raise IonicError(f"An ion lies beyond the walls at 0 and {box[1]:g} nm. Move it between them.")
    _, place_of = np.unique(np.round(places % box, 9), axis=0, return_inverse=True)
    twice = np.flatnonzero(np.bincount(place_of.ravel()) > 1)
    if twice.size:
        a, b = np.flatnonzero(place_of.ravel() == twice[0])[:2]
        raise IonicError(f"Ions {a} and {b} lie at one place, ({x_nm[a]:g}, {y_nm[a]:g}) nm. Move one of them.")
    return IonState(x_nm=x_nm.copy(), y_nm=y_nm.copy(), species=species.copy(), words=noise_state(n_chunks, rng))


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Stepper:
    """Runs blocks of steps of one model; keeps the room for lists between calls."""

    model: IonModel
    n_threads: int = 1
    skin_nm: float = 0.0  # how far apart pairs are listed beyond the cut; 0 chooses
    n_listings: int = field(init=False, default=0)
    _room: int = field(init=False, default=1024)

    def __post_init__(self) -> None:
        """Choose the skin: dilute ions are listed rarely, dense ones with few pairs."""
        plane, cut_nm = self.model.plane, self.model.interaction.cut_m / NM
        per_nm2 = self.model.salt.n_ions / (plane.length_m * plane.width_m / NM**2)
        lone_nm = math.sqrt(1.0 / (math.pi * per_nm2))  # one neighbour on average
        widest = 0.5 * min(plane.length_m, plane.width_m) / NM - cut_nm
        if self.skin_nm <= 0:
            self.skin_nm = min(max(lone_nm - cut_nm, _SKIN_NM), _WIDEST_SKIN_NM, widest)

    def advance(self, state: IonState, field_v_m: Float64[ndarray, " steps"]) -> float:
        """Advance ``state`` by one block, a field a step; return the charge displacement (sum of z dx, nm)."""
        if field_v_m.size:
            require_field(float(np.max(np.abs(field_v_m))))
        fields = self.model.field_per_nm(field_v_m)
        before_nm = state.x_nm.copy()
        self._run(state, fields)
        state.n_steps += fields.size
        return charge_moved_nm(self.model, state, before_nm)

    def _run(self, state: IonState, fields: Float32[ndarray, " steps"]) -> None:
        n, n_chunks = state.x_nm.size, state.words.shape[0]
        ground, law, table = ground_of(self.model, n, skin_nm=self.skin_nm), law_of(self.model), table_of(self.model)
        cuts = np.linspace(0, n, n_chunks + 1).astype(np.int64)
        ions, desk = ions_of(self.model, state.species), desk_of(state.words, n, ground)
        near = empty_listing(n, n_chunks, self._room)
        run = sweep if self.n_threads == 1 or n_chunks == 1 else sweep_in_threads
        before = get_num_threads()
        set_num_threads(min(self.n_threads, before))
        limit_nm, done = np.float32(ground.limit_nm), 0
        try:
            while done < fields.size:
                n_pairs = prepare(state.x_nm, state.y_nm, ions, ground, cuts, near, desk)
                if n_pairs > self._room:
                    self._room = int(1.3 * n_pairs)
                    near = empty_listing(n, n_chunks, self._room)
                    continue
                n_done = run(cuts, near, fields[done:], law, table, desk, limit_nm)
                finish(state.x_nm, state.y_nm, desk, n_done % 2)
                self.n_listings += 1
                done += n_done
        finally:
            set_num_threads(before)


def charge_moved_nm(model: IonModel, state: IonState, before_nm: Float64[ndarray, " ions"]) -> float:
    """Return the sum of z dx since ``before_nm``; raises IonicError where positions are no longer numbers."""
    if not (np.all(np.isfinite(state.x_nm)) and np.all(np.isfinite(state.y_nm))):
        raise IonicError(
            f"Positions stopped being finite near step {state.n_steps}: the time step of "
            f"{model.step_s:g} s is unstable here. Use a shorter one."
        )
    return float(model.valences()[state.species] @ (state.x_nm - before_nm))


def ground_of(model: IonModel, n: int, *, skin_nm: float) -> Ground:
    """Return the cells of a plane for ``n`` ions whose pairs are listed ``skin_nm`` beyond the cut."""
    plane, cut_nm = model.plane, model.interaction.cut_m / NM
    room_nm = 2 * _WALL_ROOM_NM + cut_nm if plane.has_walls else 0.0
    box_x, box_y = plane.length_m / NM, plane.width_m / NM + room_nm
    range_nm = cut_nm + skin_nm
    cell_nm = max(range_nm, math.sqrt(box_x * box_y / n))
    return Ground(
        box_x=box_x,
        box_y=box_y,
        n_x=max(1, int(box_x / cell_nm)),
        n_y=max(1, int(box_y / cell_nm)),
        range_nm=range_nm,
        limit_nm=0.499 * skin_nm,
        width_nm=plane.width_m / NM if plane.has_walls else 0.0,
    )


def ions_of(model: IonModel, species: Int8[ndarray, " ions"]) -> Float32[ndarray, "three ions"]:
    """Return mobility times step, noise a step and valence of each ion."""
    spread_nm2 = np.array([ion.diffusion_m2_s for ion in model.salt.ions]) / NM**2 * model.step_s
    columns = np.stack([spread_nm2, np.sqrt(2 * spread_nm2), model.valences()])
    return np.ascontiguousarray(columns[:, species], dtype=np.float32)


def law_of(model: IonModel) -> Law:
    """Return what a step needs to know of physics."""
    form = model.interaction
    is_fitted = isinstance(form, LogRatio)
    strength, core_m, reach_m = (form.strength, form.core_m, form.reach_m) if is_fitted else (0.0, 0.1 * NM, 1.0 * NM)
    wall = _WALL_PER_NM if model.plane.has_walls else 0.0
    step_nm = 0.0 if is_fitted else form.cut_m / NM / _N_TABLE
    values = (strength, core_m / NM, reach_m / NM, form.cut_m / NM, wall, step_nm)
    return Law(*(np.float32(v) for v in values))


def table_of(model: IonModel) -> Float32[ndarray, " entries"]:
    """Return force times distance at even steps of distance; empty for the fitted form."""
    form = model.interaction
    if isinstance(form, LogRatio):
        return np.zeros(1, dtype=np.float32)
    r_m = np.arange(_N_TABLE + 2) * (form.cut_m / _N_TABLE)
    return (form.force_per_m(r_m) * r_m).astype(np.float32)


def desk_of(words: UInt32[ndarray, "chunks words"], n: int, ground: Ground) -> Desk:
    """Return room for ``n`` ions; ``words`` are the noise's streams, which go on."""
    n_chunks = words.shape[0]
    return Desk(
        words=words,
        bits=noise_desk(n_chunks),
        noise=np.zeros((n_chunks, BLOCK), dtype=np.float32),
        force=np.zeros((2, n), dtype=np.float32),
        farthest=np.zeros(n_chunks, dtype=np.float32),
        place=np.zeros((2, 2, n), dtype=np.float32),
        ions=np.zeros((3, n), dtype=np.float32),
        wall=np.zeros((2, n), dtype=np.float32),
        position=np.zeros((2, n)),
        cell=np.zeros(n, dtype=np.int64),
        order=np.zeros(n, dtype=np.int64),
        begin=np.zeros(ground.n_x * ground.n_y + 1, dtype=np.int64),
    )
