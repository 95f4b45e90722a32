"""The strongest of several windows, with a p-value that counts the looking.

A synapse's delay is not known, so every pair is tested in several windows and the largest |z| is kept.
Under the null the windows' z are normal with known correlations; the table made here turns the largest
of them into one signed z that is N(0, 1) again.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_N_DRAWS = 20_000
_SEED = 20_201_122  # of the table only: the same windows give the same table everywhere
_LARGEST_Z = 38.0  # beyond it the tail's probability leaves the range of numbers


class Selection(NamedTuple):
    """Largest |z| of the windows, and the single z that is as improbable."""

    largest: Float64[ndarray, " table"]
    single: Float64[ndarray, " table"]


def selection_table(correlation: Float64[ndarray, "windows windows"]) -> Selection:
    """Return the table for windows whose z have this correlation under the null.

    The body (p > .01) is simulated, the tail is the Hunter-Worsley bound over the chain of neighbours
    (Hunter 1976, J. Appl. Probab. 13, 597), which is never below the true p and exact far out.
    """
    from scipy.special import log_ndtr, ndtri_exp

    x = np.linspace(0.0, _LARGEST_Z, 1521)
    coarse = x[::10]
    looks = np.full(coarse.size, float(correlation.shape[0]))
    for r in np.diag(correlation, 1):
        looks -= _both(coarse, float(r))
    looks = np.interp(x, coarse, looks)
    tail = log_ndtr(-x) + np.log(looks)
    rng = np.random.default_rng(_SEED)
    root = _square_root(correlation)
    drawn = np.sort(np.abs(rng.standard_normal((_N_DRAWS, root.shape[0])) @ root.T).max(axis=1))
    share = 1.0 - np.searchsorted(drawn, x) / _N_DRAWS
    body = np.log(np.maximum(share, 1e-300) / 2)
    log_p = np.where(share > 0.01, np.minimum(body, tail), tail)
    single = np.maximum(-ndtri_exp(np.minimum(log_p, np.log(0.5))), 0.0)
    return Selection(x, np.maximum.accumulate(single))


def strongest(z: Float64[ndarray, "pairs windows"], table: Selection) -> tuple[Float64[ndarray, " pairs"], ndarray]:
    """Return one signed z a pair, N(0, 1) under the null, and the window that it comes from; NaN windows lose."""
    size = np.where(np.isnan(z), -1.0, np.abs(z))
    window = np.argmax(size, axis=-1)
    chosen = np.take_along_axis(z, window[..., None], axis=-1)[..., 0]
    single = np.interp(np.abs(chosen), table.largest, table.single)
    beyond = np.abs(chosen) - table.largest[-1]
    single = np.where(beyond > 0, table.single[-1] + beyond, single)
    return np.copysign(single, chosen), window


def _both(x: Float64[ndarray, " table"], r: float) -> Float64[ndarray, " table"]:
    """Return P(z2 > x | z1 > x) of two normals with correlation r, by quadrature over z1."""
    from scipy.special import ndtr

    if r >= 1.0:
        return np.ones_like(x)
    step = np.linspace(0.0, 9.0, 301)[None, :] / np.sqrt(1.0 + x[:, None] ** 2)
    weight = np.exp(-x[:, None] * step - step**2 / 2)
    inner = ndtr((r * (x[:, None] + step) - x[:, None]) / np.sqrt(1.0 - r**2))
    return np.sum(weight * inner, axis=1) / np.sum(weight, axis=1)


def _square_root(correlation: Float64[ndarray, "windows windows"]) -> Float64[ndarray, "windows windows"]:
    value, vector = np.linalg.eigh(correlation)
    return vector * np.sqrt(np.maximum(value, 0.0))
