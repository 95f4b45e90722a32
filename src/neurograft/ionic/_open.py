"""A slit with a reservoir at each end: two control volumes (Heffelfinger, van Swol, J. Chem. Phys. 100, 7548, 1994).

Beyond each end of the slit lies a zone of the same plane.  Before every block both zones are emptied and filled anew
with single ions, as many of each species as a Poisson draw at the reservoir's density says, anywhere in the zone.  So
ions come and go one by one, their number in the slit is what comes of it, and a partner that left is gone.  Where
exactly a reservoir begins is known to about the way that an ion diffuses in a block: short blocks, sharp ends.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._brownian import IonModel, IonState, Stepper
from neurograft.ionic._noise import noise_state
from neurograft.ionic._salt import thermal_energy_j
from neurograft.ionic._waveform import Waveform
from neurograft.progress import Progress, silent
from neurograft.units import ELEMENTARY_CHARGE_C, NM

_SIGMAS: Final = 4.0  # of a block's diffusion that a zone must be deep
_SHARPEST: Final = 0.05  # share of the slit's length that a block's diffusion may be


class OpenRecord(NamedTuple):
    """What happened in the slit, a row a block; the current is what charges between its ends induce (Ramo 1939)."""

    time_s: Float64[ndarray, " blocks"]
    field_v_m: Float64[ndarray, " blocks"]
    current_a: Float64[ndarray, " blocks"]
    n_ions: Int64[ndarray, "blocks species"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSlit:
    """A model whose plane is the slit alone, and what its reservoirs hold of each species on an area."""

    model: IonModel
    left_per_m2: tuple[float, ...]
    right_per_m2: tuple[float, ...]
    zone_m: float = 40 * NM

    def __post_init__(self) -> None:
        """Refuse reservoirs that do not fit the salt or that ions could see through."""
        n, densities = len(self.model.salt.ions), (*self.left_per_m2, *self.right_per_m2)
        if not (len(self.left_per_m2) == len(self.right_per_m2) == n and min(densities) >= 0):
            raise IonicError(f"A salt of {n} species needs {n} densities of 0 or more in each reservoir.")
        if 2 * self.zone_m < 1.5 * self.model.interaction.cut_m:
            raise IonicError(
                f"zone_m is {self.zone_m:g} m, but forces reach {self.model.interaction.cut_m:g} m: the ends would "
                "feel each other. Make the zones as long as the cut."
            )

    @property
    def whole(self) -> IonModel:
        """The plane that is simulated: zone, slit, zone."""
        plane = self.model.plane
        return replace(self.model, plane=replace(plane, length_m=plane.length_m + 2 * self.zone_m))

    @property
    def longest_block_s(self) -> float:
        """Longest block: no ion crosses a whole zone in it, and the ends are sharp to a twentieth of the slit."""
        way_m = min(self.zone_m / _SIGMAS, _SHARPEST * self.model.plane.length_m)
        return way_m**2 / (2 * max(ion.diffusion_m2_s for ion in self.model.salt.ions))

    def is_inside(self, state: IonState) -> ndarray:
        """Tell which ions are in the slit; the simulated plane begins with a zone."""
        length_nm = self.whole.plane.length_m / NM
        x = np.mod(state.x_nm, length_nm) * NM
        return (x >= self.zone_m) & (x < self.zone_m + self.model.plane.length_m)


def even_densities(model: IonModel) -> tuple[float, ...]:
    """Return the densities of a model's own salt, as reservoirs that hold what the slit starts with."""
    area_m2 = model.plane.length_m * model.plane.width_m
    return tuple(n / area_m2 for n in model.salt.counts)


def open_start(slit: OpenSlit, rng: Generator, *, is_empty: bool = False, n_chunks: int = 1) -> IonState:
    """Return the slit's salt spread evenly, or an empty slit, with filled zones."""
    plane, counts = slit.model.plane, slit.model.salt.counts
    n = 0 if is_empty else slit.model.salt.n_ions
    species = np.repeat(np.arange(len(counts)), counts).astype(np.int8)[:n]
    x = (slit.zone_m + rng.random(n) * plane.length_m) / NM
    y = rng.random(n) * plane.width_m / NM
    words = noise_state(n_chunks, rng)
    return refilled(slit, IonState(x_nm=x, y_nm=y, species=species, words=words), rng)


def refilled(slit: OpenSlit, state: IonState, rng: Generator) -> IonState:
    """Return the ions in the slit with both zones filled anew."""
    plane, keep = slit.whole.plane, slit.is_inside(state)
    length_nm, zone_nm, width_nm = plane.length_m / NM, slit.zone_m / NM, plane.width_m / NM
    x, y, species = [np.mod(state.x_nm[keep], length_nm)], [state.y_nm[keep]], [state.species[keep]]
    for first_nm, densities in ((0.0, slit.left_per_m2), (length_nm - zone_nm, slit.right_per_m2)):
        for kind, per_m2 in enumerate(densities):
            n = int(rng.poisson(per_m2 * slit.zone_m * plane.width_m))
            x.append(first_nm + rng.random(n) * zone_nm)
            y.append(rng.random(n) * width_nm)
            species.append(np.full(n, kind, dtype=np.int8))
    return IonState(
        x_nm=np.concatenate(x), y_nm=np.concatenate(y), species=np.concatenate(species), words=state.words,
        n_steps=state.n_steps,
    )  # fmt: skip


def run_open(
    slit: OpenSlit,
    state: IonState,
    waveform: Waveform,
    rng: Generator,
    *,
    n_blocks: int,
    block_steps: int = 200,
    n_threads: int = 1,
    on_block: Callable[[IonState], None] | None = None,
    progress: Progress = silent,
) -> tuple[OpenRecord, IonState]:
    """Advance through the waveform; return a record and the last state, zones included."""
    model, step_s = slit.model, slit.model.step_s
    if block_steps * step_s > slit.longest_block_s:
        raise IonicError(
            f"In a block of {block_steps * step_s:.3g} s ions diffuse too far for zones of {slit.zone_m:g} m at the "
            f"ends of {model.plane.length_m:g} m. Use blocks of at most {int(slit.longest_block_s / step_s)} steps."
        )
    stepper, valences = Stepper(model=slit.whole, n_threads=n_threads), model.valences()
    rows, counts = np.zeros((n_blocks, 3)), np.zeros((n_blocks, valences.size), dtype=np.int64)
    low_nm, high_nm = slit.zone_m / NM, (slit.zone_m + model.plane.length_m) / NM
    for block in range(n_blocks):
        times_s = (state.n_steps + np.arange(block_steps)) * step_s
        fields = waveform.at(times_s)
        state = refilled(slit, state, rng)
        before = np.clip(state.x_nm, low_nm, high_nm)
        stepper.advance(state, fields)
        moved = np.clip(state.x_nm, low_nm, high_nm) - before  # what lies between the ends
        charge_c = ELEMENTARY_CHARGE_C * float(valences[state.species] @ moved) * NM / model.plane.length_m
        rows[block] = times_s.mean(), fields.mean(), charge_c / (block_steps * step_s)
        counts[block] = np.bincount(state.species[slit.is_inside(state)], minlength=valences.size)
        if on_block is not None:
            on_block(state)
        progress("ions between reservoirs", block + 1, n_blocks)
    time_s, field_v_m, current_a = rows.T.copy()
    return OpenRecord(time_s, field_v_m, current_a, counts), state


def free_current_a(slit: OpenSlit, field_v_m: float) -> float:
    """Return the current if all ions of the slit's own salt moved freely."""
    salt = slit.model.salt
    total = sum(n * i.valence**2 * i.diffusion_m2_s for i, n in zip(salt.ions, salt.counts, strict=True))
    drift = ELEMENTARY_CHARGE_C**2 * field_v_m / thermal_energy_j(slit.model.temperature_k)
    return total * drift / slit.model.plane.length_m


def filling_time_s(slit: OpenSlit) -> float:
    """Return L^2 / (pi^2 D): the time in which an open slit's ions are exchanged by diffusion."""
    slowest = min(ion.diffusion_m2_s for ion in slit.model.salt.ions)
    return slit.model.plane.length_m**2 / (math.pi**2 * slowest)
