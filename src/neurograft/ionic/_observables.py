"""What is measured on ions: clusters, free fraction, conduction fraction, diffusion, memory time."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.ionic._brownian import IonModel, IonState
from neurograft.units import ELEMENTARY_CHARGE_C, NM

LINK_M: Final = 6 * NM  # the authors call an ion free when no other is within 6 nm


class Clusters(NamedTuple):
    """Sets of ions linked by distances below the link length."""

    of_ion: Int64[ndarray, " ions"]  # number of each ion's cluster, counted from 0 in the order of first ions
    sizes: Int64[ndarray, " clusters"]
    charge: Int64[ndarray, " clusters"]

    @property
    def free_fraction(self) -> float:
        """Share of ions that are alone."""
        return float((self.sizes == 1).sum() / self.of_ion.size)

    @property
    def pair_fraction(self) -> float:
        """Share of ions in neutral clusters of two."""
        return float(2 * ((self.sizes == 2) & (self.charge == 0)).sum() / self.of_ion.size)

    @property
    def mean_size(self) -> float:
        """Size of the cluster that an ion is in, on average over ions."""
        return float(self.sizes[self.of_ion].mean())


def clusters(model: IonModel, state: IonState, *, link_m: float = LINK_M) -> Clusters:
    """Return the clusters of a state, in the plane's periodic box."""
    from scipy.spatial import KDTree

    places, box = places_in_box_nm(model, state)
    pairs = KDTree(places, boxsize=box).query_pairs(link_m / NM, output_type="ndarray").astype(np.int64)
    root = np.arange(state.x_nm.size, dtype=np.int64)
    unite(pairs, root)
    _, of_ion = np.unique(root, return_inverse=True)
    valence = np.array([ion.valence for ion in model.salt.ions])[state.species]
    charge = np.rint(np.bincount(of_ion, weights=valence)).astype(np.int64)
    return Clusters(of_ion.astype(np.int64), np.bincount(of_ion).astype(np.int64), charge)


def places_in_box_nm(model: IonModel, state: IonState) -> tuple[Float64[ndarray, "ions two"], Float64[ndarray, " two"]]:
    """Return places within a periodic box, and the box; nothing is near beyond walls, so they lie far apart."""
    width_nm = model.plane.width_m / NM
    # Walls may be overstepped by a fraction of a nanometre.
    box = np.array([model.plane.length_m / NM, 2 * width_nm + 1e3 if model.plane.has_walls else width_nm])
    places = np.mod(np.stack([state.x_nm, state.y_nm], axis=1), box)
    return np.where(places >= box, 0.0, places), box  # a tiny negative number comes out of mod as the box itself


@njit(cache=True, inline="always")
@no_type_check
def root_of(root, i):
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@njit(cache=True, nogil=True)
@no_type_check
def unite(pairs, root):
    """Merge the sets of each pair (union-find with halved paths); afterwards root is each set's lowest member."""
    for p in range(pairs.shape[0]):
        a, b = root_of(root, pairs[p, 0]), root_of(root, pairs[p, 1])
        if a < b:
            root[b] = a
        elif b < a:
            root[a] = b
    for i in range(root.size):
        root[i] = root_of(root, i)


def free_current_per_field(model: IonModel) -> float:
    """Return the sum of z dx (nm) a second for 1 V/m if every ion moved freely: sum of z^2 e D / kT."""
    from neurograft.ionic._salt import thermal_energy_j

    total = sum(
        n * ion.valence**2 * ion.diffusion_m2_s for ion, n in zip(model.salt.ions, model.salt.counts, strict=True)
    )
    return total * ELEMENTARY_CHARGE_C / thermal_energy_j(model.temperature_k) / NM


def conduction_fraction(model: IonModel, moved_nm: float, *, field_v_m: float, duration_s: float) -> float:
    """Return the measured current over that of free ions; ``moved_nm`` is what ``Stepper.advance`` returned."""
    return moved_nm / (free_current_per_field(model) * field_v_m * duration_s)


def diffusion_m2_s(before: IonState, after: IonState, *, step_s: float) -> float:
    """Return the mean squared displacement over four times the time."""
    square_nm2 = (after.x_nm - before.x_nm) ** 2 + (after.y_nm - before.y_nm) ** 2
    return float(square_nm2.mean()) * NM**2 / (4 * (after.n_steps - before.n_steps) * step_s)


def block_error(values: Sequence[float] | Float64[ndarray, " blocks"]) -> float:
    """Return the standard error of a mean of correlated values: the largest of three ways to pool neighbours."""
    x = np.asarray(values, dtype=np.float64)
    errors = [0.0]
    for width in (1, 2, 4):
        n = x.size // width
        if n >= 2:
            pooled = x[: n * width].reshape(n, width).mean(axis=1)
            errors.append(float(pooled.std(ddof=1)) / math.sqrt(n))
    return max(errors)


def memory_time_s(fraction: Float64[ndarray, " times"], *, step_s: float) -> float:
    """Return the time after which a relaxing conduction fraction has gone 1 - 1/e of its way; infinite if it has not.

    The series starts at the moment of the change of field and ends at rest (mean of its last tenth).
    """
    end = float(fraction[-max(1, fraction.size // 10) :].mean())
    left = (fraction - end) / (fraction[0] - end)
    below = np.flatnonzero(left < math.exp(-1))
    return float(below[0]) * step_s if below.size else math.inf
