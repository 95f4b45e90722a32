"""How often a bound pair breaks and a free ion is caught, measured on many pairs that do not see each other.

In the relative coordinate two ions are one walker of twice the diffusion: dr = 2 D (F(r) + z f) dt + noise.
A pair is broken at ``far_m``; a walker that roams an area of 1 / density is caught at ``near_m``.  The step is part
of what is measured: with the authors' 5 ps their own model's rates come out, with short steps the converged ones.
"""
# ruff: noqa: PLR0917 - compiled functions take their arguments by place

import math
from typing import Final, NamedTuple, no_type_check

import numpy as np
from numba import njit
from numpy.random import Generator

from neurograft.errors import IonicError
from neurograft.ionic._brownian import require_field
from neurograft.ionic._interaction import LogRatio
from neurograft.ionic._noise import BLOCK, N_LANES, fill_normals, noise_desk, noise_state
from neurograft.ionic._salt import PAPER_DIFFUSION_M2_S, thermal_energy_j
from neurograft.ionic._slit import TEMPERATURE_K
from neurograft.units import ELEMENTARY_CHARGE_C, NM, PS

_NEAR_NM: Final = 0.3
_F32 = np.float32
_RELAX_STEPS: Final = 2000  # pairs start at contact; the first steps are not counted


class Rate(NamedTuple):
    """A rate and how many events it was counted from; its relative error is their root's inverse."""

    value: float
    n_events: int


class _Walk(NamedTuple):
    strength: np.float32  # Gamma
    core_nm: np.float32
    reach_nm: np.float32
    cut_nm: np.float32
    drift: np.float32  # force of the field per nm
    mobility: np.float32
    sigma: np.float32


def breaking_rate_hz(
    form: LogRatio, *, field_v_m: float, n_steps: int, rng: Generator, valence: int = 2, step_s: float = 5 * PS
) -> Rate:
    """Return how often a pair of two ions +-``valence`` breaks, from ``N_LANES`` pairs followed for ``n_steps``."""
    walk = _walk(form, field_v_m, valence, step_s)
    x = np.full(N_LANES, _NEAR_NM, dtype=np.float32)
    y = np.zeros(N_LANES, dtype=np.float32)
    words, bits = noise_state(1, rng)[0], noise_desk(1)[0]
    far_nm = form.cut_m / NM
    _follow(x, y, words, bits, _RELAX_STEPS, walk, _F32(far_nm), _F32(0), _F32(0))
    n = _follow(x, y, words, bits, n_steps, walk, _F32(far_nm), _F32(0), _F32(0))
    return Rate(n / (N_LANES * n_steps * step_s), n)


def catching_rate_m2_s(
    form: LogRatio,
    *,
    field_v_m: float,
    per_m2: float,
    n_steps: int,
    rng: Generator,
    valence: int = 2,
    step_s: float = 5 * PS,
) -> Rate:
    """Return k_a: how often a free ion meets a partner at density ``per_m2``, over that density."""
    walk = _walk(form, field_v_m, valence, step_s)
    side_nm = math.sqrt(1 / per_m2) / NM
    if side_nm < 2 * _NEAR_NM:
        raise IonicError(f"per_m2 is {per_m2:g}: ions lie closer than {2 * _NEAR_NM} nm. Give a lower density.")
    x, y = ((rng.random((2, N_LANES)) - 0.5) * side_nm).astype(np.float32)
    words, bits = noise_state(1, rng)[0], noise_desk(1)[0]
    n = _follow(x, y, words, bits, n_steps, walk, _F32(0), _F32(_NEAR_NM), _F32(side_nm))
    return Rate(n / (N_LANES * n_steps * step_s) / per_m2, n)


def _walk(form: LogRatio, field_v_m: float, valence: int, step_s: float) -> _Walk:
    require_field(field_v_m)
    per_nm = valence * field_v_m * ELEMENTARY_CHARGE_C * NM / thermal_energy_j(TEMPERATURE_K)
    spread_nm2 = 2 * PAPER_DIFFUSION_M2_S / NM**2 * step_s
    lengths = (form.core_m / NM, form.reach_m / NM, form.cut_m / NM)
    return _Walk(
        *(_F32(v) for v in (form.strength * valence**2, *lengths, per_nm, spread_nm2, (2 * spread_nm2) ** 0.5))
    )


@njit(cache=True, error_model="numpy")
@no_type_check
def _pull(x, y, walk, fx, fy):
    for i in range(x.size):
        r = np.sqrt(max(x[i] * x[i] + y[i] * y[i], _F32(1e-12)))
        f = walk.strength * (walk.reach_nm - walk.core_nm) / ((r + walk.core_nm) * (r + walk.reach_nm) * r)
        f = f if r < walk.cut_nm else _F32(0.0)
        fx[i] = walk.drift - f * x[i]
        fy[i] = -f * y[i]


@njit(cache=True, error_model="numpy")
@no_type_check
def _shift(x, f, mobility, sigma, noise):
    for i in range(x.size):
        x[i] += mobility * f[i] + sigma * noise[i]


@njit(cache=True, error_model="numpy")
@no_type_check
def _follow(x, y, words, bits, n_steps, walk, far, near, side):
    """Advance walkers; return how many broke (``far`` above 0: they start at contact again) or were caught.

    Roaming walkers live on a torus of ``side``; one that crosses the edge along the field comes back at any y, as
    it meets another partner there.  One that is caught starts anywhere.
    """
    n_events, half = 0, N_LANES
    whole, real = bits.view(np.int32), bits.view(np.float32)
    noise, more = np.empty(BLOCK, dtype=np.float32), np.empty(BLOCK, dtype=np.float32)
    fx, fy = np.empty(half, dtype=np.float32), np.empty(half, dtype=np.float32)
    fill_normals(words, bits, whole, real, more)
    used = 0
    for _ in range(n_steps):
        _pull(x, y, walk, fx, fy)
        fill_normals(words, bits, whole, real, noise)
        _shift(x, fx, walk.mobility, walk.sigma, noise[:half])
        _shift(y, fy, walk.mobility, walk.sigma, noise[half:])
        for i in range(half):
            r2 = x[i] * x[i] + y[i] * y[i]
            if far > _F32(0.0):
                if r2 > far * far:
                    x[i], y[i] = _F32(_NEAR_NM), _F32(0.0)
                    n_events += 1
                continue
            is_caught = r2 < near * near
            is_over = abs(x[i]) > _F32(0.5) * side
            y[i] -= side * np.rint(y[i] / side)
            if is_caught or is_over:
                n_events += is_caught
                if used + 2 > BLOCK:
                    fill_normals(words, bits, whole, real, more)
                    used = 0
                # A normal number's cumulated probability is even between 0 and 1.
                y[i] = side * _F32(0.5 * math.erf(more[used] / math.sqrt(2.0)))
                x[i] -= side * np.rint(x[i] / side)
                if is_caught:
                    x[i] = side * _F32(0.5 * math.erf(more[used + 1] / math.sqrt(2.0)))
                used += 2
    return n_events
