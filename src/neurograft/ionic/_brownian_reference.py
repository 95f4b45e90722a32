"""The slow twin of the Brownian step: all pairs, no cells, no lists, 64-bit numbers, noise handed in."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.ionic._brownian import IonModel
from neurograft.units import ELEMENTARY_CHARGE_C, NM


def force_kt_per_nm(
    model: IonModel, place_nm: Float64[ndarray, "ions 2"], valence: Float64[ndarray, " ions"], field_v_m: float
) -> Float64[ndarray, "ions 2"]:
    """Return the force on each ion: all others by their nearest image within the cut, and the field along x."""
    box = np.array([model.plane.length_m, model.plane.width_m]) / NM
    apart = place_nm[:, None, :] - place_nm[None, :, :]
    apart -= box * np.rint(apart / box)
    distance = np.sqrt((apart**2).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    is_near = distance < model.interaction.cut_m / NM
    strength = np.zeros_like(distance)
    strength[is_near] = model.interaction.force_per_m(distance[is_near] * NM) * NM
    strength *= valence[:, None] * valence[None, :]
    total = (np.where(is_near, strength / distance, 0.0)[:, :, None] * apart).sum(axis=1)
    thermal_v = model.temperature_k * 1.380649e-23 / ELEMENTARY_CHARGE_C
    total[:, 0] += valence * field_v_m * NM / thermal_v
    return total


def step_reference(
    model: IonModel,
    place_nm: Float64[ndarray, "ions 2"],
    species: ndarray,
    *,
    field_v_m: float,
    noise: Float64[ndarray, "ions 2"],
) -> Float64[ndarray, "ions 2"]:
    """Return the places one step later."""
    diffusion_nm2_s = np.array([ion.diffusion_m2_s for ion in model.salt.ions])[species] / NM**2
    valence = np.array([float(ion.valence) for ion in model.salt.ions])[species]
    spread = (diffusion_nm2_s * model.step_s)[:, None]
    return place_nm + spread * force_kt_per_nm(model, place_nm, valence, field_v_m) + np.sqrt(2 * spread) * noise
