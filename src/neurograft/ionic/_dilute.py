"""The Brownian step for dilute ions, which mostly are alone or in twos: the same law, several times as fast.

``Stepper`` moves all ions step by step until one has gone far; here a sweep has a fixed number of steps, and those
who could meet within it are moved together (see ``_dilute_kernels``).  Two ions of different groups meet only if
their separation changes by ``skin_nm``, five standard deviations beyond drift: once in 10^5 of those that start at
the very edge, and then they miss a force of less than kT over 5 nm for part of one sweep.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from neurograft.ionic._brownian import (
    IonModel,
    IonState,
    Stepper,
    charge_moved_nm,
    desk_of,
    ground_of,
    ions_of,
    law_of,
    require_field,
    table_of,
)
from neurograft.ionic._crowd import Crowd, empty_crowd, gone_nm, list_near
from neurograft.ionic._dilute_kernels import empty_lanes, sweep_crowd
from neurograft.ionic._interaction import LogRatio
from neurograft.ionic._kernels import finish, prepare, sweep
from neurograft.ionic._listing import Ground, empty_listing
from neurograft.units import NM

_DEVIATIONS: Final = 5.0
_STEPS: Final = 125
_SLACK_NM: Final = 30.0
_MOST_NEIGHBOURS: Final = 1.0  # within range of an ion, pairs counted once; beyond, groups grow together
_EVER_NM: Final = np.float32(1e9)


@final
@dataclass(slots=True, kw_only=True, eq=False)
class DiluteStepper:
    """Runs blocks of steps of one model, as ``Stepper`` does, on one thread."""

    model: IonModel
    sweep_steps: int = _STEPS
    slack_nm: float = _SLACK_NM  # how much farther near ions are listed than a sweep needs
    n_in_groups: int = field(init=False, default=0)  # ions times sweeps that were in groups of three and more
    n_listings: int = field(init=False, default=0)
    _room: int = field(init=False, default=1024)
    _near_room: int = field(init=False, default=1024)

    def advance(self, state: IonState, field_v_m: Float64[ndarray, " steps"]) -> float:
        """Advance ``state`` by one block, a field a step; return the charge displacement (sum of z dx, nm)."""
        strongest_v_m = float(np.max(np.abs(field_v_m), initial=0.0))
        require_field(strongest_v_m)
        fields = self.model.field_per_nm(field_v_m)
        before_nm = state.x_nm.copy()
        law, ions = law_of(self.model), ions_of(self.model, state.species)
        n_sweeps = max(1, math.ceil(fields.size / self.sweep_steps))
        cuts = np.linspace(0, fields.size, n_sweeps + 1).astype(np.int64)
        skin_nm = self.skin_nm(int(np.diff(cuts).max()), float(np.abs(fields).max(initial=0.0)))
        ground = ground_of(self.model, state.x_nm.size, skin_nm=skin_nm + self.slack_nm)
        range_nm, words, lanes = ground.range_nm - self.slack_nm, state.words[0], empty_lanes()
        crowd, n_near = self._listed(state, ground)
        for first, last in pairwise(cuts):
            if gone_nm(state.x_nm, state.y_nm, crowd) > 0.499 * self.slack_nm:
                crowd, n_near = self._listed(state, ground)
            now = fields[first:last]
            n_moved = sweep_crowd(
                state.x_nm, state.y_nm, ions, n_near, range_nm, ground, now, law, words, crowd, lanes
            )  # fmt: skip
            self.n_in_groups += state.x_nm.size - int(crowd.n_groups[1] + 2 * crowd.n_groups[2])
            self._move_rest(state, crowd.places[n_moved:], ions, now, skin_nm=skin_nm)
        state.n_steps += fields.size
        return charge_moved_nm(self.model, state, before_nm)

    def _listed(self, state: IonState, ground: Ground) -> tuple[Crowd, int]:
        """Return who is near whom now, and how many pairs are."""
        self.n_listings += 1
        while True:
            crowd = empty_crowd(state.x_nm.size, ground.n_x * ground.n_y, self._near_room)
            n_near = list_near(state.x_nm, state.y_nm, ground, crowd)
            if n_near <= self._near_room:
                return crowd, n_near
            self._near_room = int(1.3 * n_near)

    def skin_nm(self, n_steps: int, strongest_per_nm: float) -> float:
        """Return by how much two separations differ at most after so many steps."""
        d_nm2 = max(ion.diffusion_m2_s for ion in self.model.salt.ions) * self.model.step_s / NM**2
        drift_nm = 2 * d_nm2 * n_steps * strongest_per_nm * float(np.abs(self.model.valences()).max())
        return drift_nm + _DEVIATIONS * math.sqrt(4 * d_nm2 * n_steps)

    def _move_rest(
        self, state: IonState, rest: ndarray, ions: Float32[ndarray, "three ions"], fields: Float32[ndarray, " steps"],
        *, skin_nm: float,
    ) -> None:  # fmt: skip
        if rest.size == 0:
            return
        ground = ground_of(self.model, rest.size, skin_nm=skin_nm)
        x_nm, y_nm, of = state.x_nm[rest], state.y_nm[rest], np.ascontiguousarray(ions[:, rest])
        cuts = np.array([0, rest.size])
        while True:
            desk, near = desk_of(state.words, rest.size, ground), empty_listing(rest.size, 1, self._room)
            n_pairs = prepare(x_nm, y_nm, of, ground, cuts, near, desk)
            if n_pairs <= self._room:
                break
            self._room = int(1.3 * n_pairs)
        sweep(cuts, near, fields, law_of(self.model), table_of(self.model), desk, _EVER_NM)
        finish(x_nm, y_nm, desk, fields.size % 2)
        state.x_nm[rest], state.y_nm[rest] = x_nm, y_nm


def is_dilute(model: IonModel) -> bool:
    """Whether ``DiluteStepper`` serves: few neighbours in range, and the fitted form of interaction."""
    plane = model.plane
    per_nm2 = model.salt.n_ions / (plane.length_m * plane.width_m / NM**2)
    range_nm = model.interaction.cut_m / NM + DiluteStepper(model=model).skin_nm(_STEPS, 0.0)
    fits = 2 * range_nm < min(plane.length_m, plane.width_m) / NM
    return isinstance(model.interaction, LogRatio) and fits and math.pi * range_nm**2 * per_nm2 < _MOST_NEIGHBOURS


def stepper_for(model: IonModel) -> Stepper | DiluteStepper:
    """Return the faster stepper of a model on one thread."""
    return DiluteStepper(model=model) if is_dilute(model) else Stepper(model=model)
