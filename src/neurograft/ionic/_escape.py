"""How long a pair holds, exactly: the mean time to escape, from the Fokker-Planck equation with no step in time.

In the relative coordinate two ions are one walker with twice the diffusion in u = -Gamma ln((r + xi)/(r + C)) - f x.
The chance h of meeting the partner before getting as far as the forces go solves div(exp(-u) grad h) = 0 with h = 1
at contact and 0 there; with what flows between the two, the capacity, the mean time is
T = int h exp(-u) / (D_rel capacity) (Bovier et al., J. Eur. Math. Soc. 6, 399, 2004).  Finite volumes in polar
coordinates over half the plane, rings fine at the core, weights between cells as of an exponential profile.
"""

import math
from typing import Final

import numpy as np
from numpy import ndarray

from neurograft.errors import IonicError
from neurograft.ionic._interaction import LogRatio
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S, thermal_energy_j
from neurograft.ionic._slit import TEMPERATURE_K
from neurograft.units import ELEMENTARY_CHARGE_C

_N_RINGS: Final = 240
_N_SECTORS: Final = 64


def escape_rate_hz(
    form: LogRatio,
    *,
    field_v_m: float,
    valence: int = 2,
    diffusion_m2_s: float = PAPER_DIFFUSION_M2_S,
    temperature_k: float = TEMPERATURE_K,
    n_rings: int = _N_RINGS,
    n_sectors: int = _N_SECTORS,
) -> float:
    """Return 1 / T from contact to the interaction's cut: what steps in time come to when they are short."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    far_m = form.cut_m
    f = valence * ELEMENTARY_CHARGE_C * abs(field_v_m) / thermal_energy_j(temperature_k)
    if f * far_m > 600:
        raise IonicError(f"At {field_v_m:.3g} V/m nothing binds a pair; ask for a weaker field.")
    edges = form.core_m * np.expm1(np.linspace(0.0, math.log1p(far_m / form.core_m), n_rings + 1))
    turns = np.linspace(0.0, math.pi, n_sectors + 1)
    r, theta = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (turns[1:] + turns[:-1])
    u = _energy(form, valence, f, r[:, None], np.cos(theta)[None, :])
    area = 0.5 * (edges[1:] ** 2 - edges[:-1] ** 2)[:, None] * np.diff(turns)[None, :]
    number = np.arange(u.size).reshape(u.shape)
    turn = math.pi / n_sectors
    # share of a walker's time in which it goes over each side: length over distance, times the weight at the side
    out = _weight(u[:-1], u[1:]) * (edges[1:-1] * turn / np.diff(r))[:, None]
    back = _weight(u[1:], u[:-1]) * (edges[1:-1] * turn / np.diff(r))[:, None]
    round_on = _weight(u[:, :-1], u[:, 1:]) * (np.diff(edges) / (r * turn))[:, None]
    round_back = _weight(u[:, 1:], u[:, :-1]) * (np.diff(edges) / (r * turn))[:, None]
    edge_u = _energy(form, valence, f, np.full((1, 1), far_m), np.cos(theta)[None, :])
    lost = np.zeros_like(u)
    lost[-1:] = _weight(u[-1:], edge_u) * far_m * turn / (far_m - r[-1])
    pairs = [
        (number[:-1], number[1:], out / area[:-1]),
        (number[1:], number[:-1], back / area[1:]),
        (number[:, :-1], number[:, 1:], round_on / area[:, :-1]),
        (number[:, 1:], number[:, :-1], round_back / area[:, 1:]),
    ]
    rows, columns, rates = (np.concatenate([p[k].ravel() for p in pairs]) for k in range(3))
    leaving = np.bincount(rows, rates, u.size) + (lost / area).ravel()
    moves = coo_array((np.append(-rates, leaving), (np.append(rows, number), np.append(columns, number)))).tocsc()
    inside = np.arange(n_sectors, u.size)  # the first ring is contact
    chance = np.ones(u.size)
    chance[inside] = spsolve(moves[inside][:, inside], -moves[inside][:, :n_sectors].sum(axis=1))
    occupied = np.exp(u.min() - u)
    flow = float((lost[-1] * chance.reshape(u.shape)[-1] * occupied[-1]).sum())
    return 2 * diffusion_m2_s * flow / float((chance.reshape(u.shape) * occupied * area).sum())


def _energy(form: LogRatio, valence: int, f: float, r: ndarray, cosine: ndarray) -> ndarray:
    return -form.strength * valence**2 * np.log((r + form.reach_m) / (r + form.core_m)) - f * r * cosine


def _weight(here: ndarray, there: ndarray) -> ndarray:
    """Return exp(-u) at the side between two cells over that of the first: d / (exp(d) - 1), d the step up."""
    step = there - here
    small = np.abs(step) < 1e-8
    return np.where(small, 1 - 0.5 * step, step / np.where(small, 1.0, np.expm1(np.where(small, 1.0, step))))
