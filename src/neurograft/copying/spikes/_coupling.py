"""All neurons together: each one's spikes regressed on the past of all, from correlograms alone.

Least squares for spikes in lag boxes: x_ib(t) counts the spikes of i in box b before t, and the normal
equations need only correlograms: x_ib x_kc is the correlogram of i and k summed over box b minus box c.
The target's own past is among the regressors (refractoriness and bursts), so are all indirect paths
through neurons that are seen.  Wald z of single, double and triple neighbouring boxes, both signs.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float, Float32, Float64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._latent import LEAST_EXPECTED
from neurograft.copying.spikes._windows import Selection, selection_table, strongest
from neurograft.errors import CopyError
from neurograft.units import MS

RIDGE = 1e-2
_MOST_BOXES_TOGETHER = 3
_TILE = 512
_MOST_DOUBLE = 3000  # regressors; with more, single precision: z to 1 in 1,000, half the time and memory


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BoxOptions:
    """Edges of the lag boxes; a bin belongs to the box that holds its centre."""

    edges_s: tuple[float, ...] = (
        0.75 * MS,
        1.75 * MS,
        2.75 * MS,
        3.75 * MS,
        5.25 * MS,
        7.25 * MS,
        10.25 * MS,
        15.25 * MS,
        22.25 * MS,
        29.75 * MS,
    )

    def __post_init__(self) -> None:
        """Refuse boxes that are not in order."""
        if len(self.edges_s) < 2 or np.any(np.diff(self.edges_s) <= 0) or self.edges_s[0] <= 0:
            raise CopyError(f"edges_s is {self.edges_s}. Give at least two rising lags above 0.")


class BoxScores(NamedTuple):
    """z of every window of boxes for each ordered pair, and what the windows are."""

    z: Float64[ndarray, "pre post windows"]
    windows: ndarray  # [windows, bins] masks
    correlation: Float64[ndarray, "windows windows"]  # of the windows' z where nothing is coupled


class Coupling(NamedTuple):
    """The regression's verdict on each ordered pair; the diagonal is the neuron's own history."""

    z: Float64[ndarray, "neurons neurons"]
    window: ndarray  # of ``windows``
    windows: ndarray  # [windows, bins] masks
    table: Selection


def boxes(grid: LagGrid, options: BoxOptions) -> list[ndarray]:
    """Return the bins, counted from the centre, of every box that holds one."""
    if options.edges_s[-1] > grid.half_window_s / 2:
        raise CopyError(f"Boxes to {options.edges_s[-1]} s need lags to twice that. Raise half_window_s.")
    lag = np.arange(1, grid.n_half + 1)
    found = [
        lag[(grid.bin_s * lag >= low) & (grid.bin_s * lag < high)]
        for low, high in zip(options.edges_s[:-1], options.edges_s[1:], strict=True)
    ]
    return [box for box in found if box.size]


def coupling(
    values: Float32[ndarray, "neurons neurons bins"],
    mean: Float64[ndarray, "neurons neurons"],
    grid: LagGrid,
    options: BoxOptions,
    *,
    n_bins_seen: float,
) -> Coupling:
    """Return z of every ordered pair from excess counts (see ``Excess``) that the drives have left."""
    return best_windows(box_scores(values, mean, grid, options, n_bins_seen=n_bins_seen))


def best_windows(scores: BoxScores) -> Coupling:
    """Return for each pair the window of boxes that says most, the looking counted in its z."""
    n = scores.z.shape[0]
    table = selection_table(scores.correlation)
    single, window = strongest(scores.z.reshape(n * n, -1), table)
    return Coupling(single.reshape(n, n), window.reshape(n, n), scores.windows, table)


def box_scores(
    values: Float32[ndarray, "neurons neurons bins"],
    mean: Float64[ndarray, "neurons neurons"],
    grid: LagGrid,
    options: BoxOptions,
    *,
    n_bins_seen: float,
    lift: Float[ndarray, "neurons neurons boxes"] | None = None,
) -> BoxScores:
    """Return the regression's z of one, two and three neighbouring boxes of every ordered pair.

    ``lift`` is the variance of a pair's counts in each box over that at other lags: a shared drive raises both.
    """
    n = values.shape[0]
    lags = boxes(grid, options)
    gram, right = normal_equations(values, lags, grid, n_bins_seen)
    inverse = _inverse(gram)
    beta = (inverse @ right).reshape(len(lags), n, n) * np.sqrt(n_bins_seen)
    own = inverse.reshape(len(lags), n, len(lags), n)[:, np.arange(n), :, np.arange(n)]  # [neuron, box, box]
    sums = _neighbours(len(lags))
    covariance = np.einsum("wb,nbc,vc->nwv", sums, own, sums, optimize=True)
    z = np.empty((n, n, len(sums)))
    size = np.array([box.size for box in lags], dtype=np.float64)
    for w, row in enumerate(sums):
        plain = np.tensordot(row, beta, axes=(0, 0)) / np.sqrt(covariance[:, w, w])[:, None]
        expected = mean * (row @ size)
        if lift is not None:
            lifted = lift @ (row * size / (row @ size))
            plain /= np.sqrt(lifted)
            expected *= lifted
        z[:, :, w] = counted_z(plain, expected)
    average = covariance.mean(axis=0)
    scale = np.sqrt(np.diag(average))
    masks = np.zeros((len(sums), grid.n_bins), dtype=bool)
    for w, row in enumerate(sums):
        masks[w, grid.n_half + np.concatenate([lags[b] for b in np.flatnonzero(row)])] = True
    return BoxScores(z, masks, average / scale / scale[:, None])


def lift_of(
    raw: Float32[ndarray, "neurons neurons bins"],
    rest: Float32[ndarray, "neurons neurons bins"],
    mean: Float64[ndarray, "neurons neurons"],
    grid: LagGrid,
    options: BoxOptions,
) -> Float32[ndarray, "neurons neurons boxes"]:
    """Return the expected counts in each box over their mean, from the excess and what is left of it without drives."""
    lags = boxes(grid, options)
    table = np.zeros((grid.n_bins, len(lags)), dtype=np.float32)
    for b, box in enumerate(lags):
        table[grid.n_half + box, b] = 1.0 / box.size
    lift = raw @ table
    lift -= rest @ table
    lift /= np.sqrt(mean)[:, :, None].astype(np.float32)
    lift += 1.0
    return np.maximum(lift, LEAST_EXPECTED, out=lift)


def normal_equations(
    values: Float32[ndarray, "neurons neurons bins"], lags: list[ndarray], grid: LagGrid, n_bins_seen: float
) -> tuple[Float[ndarray, "regressors regressors"], Float[ndarray, "regressors neurons"]]:
    """Return X'X and X'Y of unit-variance spike trains; regressors are ordered (box, neuron)."""
    n, k = values.shape[0], len(lags)
    scale = 1.0 / np.sqrt(n_bins_seen)
    kind = np.float64 if k * n <= _MOST_DOUBLE else np.float32
    right = np.empty((k, n, n), dtype=kind)
    for b, box in enumerate(lags):
        right[b] = values[:, :, grid.n_half + box].sum(axis=2) * (scale / np.sqrt(box.size))
    pairs = [(b, c) for b in range(k) for c in range(b + 1)]
    table = np.zeros((values.shape[2], len(pairs)), dtype=np.float32)
    for p, (b, c) in enumerate(pairs):
        lag = lags[b][:, None] - lags[c][None, :]
        np.add.at(table[:, p], grid.n_half + lag.ravel(), scale / np.sqrt(lags[b].size * lags[c].size))
    # The correlogram of (j, i) is that of (i, j) backwards, so box c against b is the transpose of b against c.
    gram = np.zeros((k, n, k, n), dtype=kind)
    for i in range(n):
        products = values[i] @ table
        for p, (b, c) in enumerate(pairs):
            gram[b, i, c] = products[:, p]
    for p, (b, c) in enumerate(pairs):
        own = gram[b, np.arange(n), c, np.arange(n)]
        gram[b, np.arange(n), c, np.arange(n)] = own + table[grid.n_half, p] / scale  # a spike with itself
        if b != c:
            gram[c, :, b, :] = gram[b, :, c, :].T
    square = gram.reshape(k * n, k * n)
    for b in range(k):
        block = gram[b, :, b, :]
        gram[b, :, b, :] = (block + block.T) / 2
    return square, right.reshape(k * n, n)


def counted_z(z: Float64[ndarray, "pre post"], expected: Float64[ndarray, "pre post"]) -> ndarray:
    """Return z as the signed root of the likelihood ratio of a Poisson count with that many expected.

    A z of 4 with a tenth of a coincidence expected is one coincidence.  Counts are moved half towards the
    expectation, so with few counts the answer errs towards 0; with many it is z.
    """
    from scipy.special import xlogy

    count = np.maximum(z * np.sqrt(expected) + expected, 0.0)
    count -= np.copysign(np.minimum(0.5, np.abs(count - expected)), count - expected)
    root = xlogy(count, count / expected) - (count - expected)
    return np.copysign(np.sqrt(2 * np.maximum(root, 0.0)), z)


def _neighbours(n_boxes: int) -> Float64[ndarray, "windows boxes"]:
    """Return one row of zeros and ones a window: boxes alone, then two and three neighbours together."""
    rows = [
        (np.arange(n_boxes) >= first) & (np.arange(n_boxes) < first + size)
        for size in range(1, min(_MOST_BOXES_TOGETHER, n_boxes) + 1)
        for first in range(n_boxes - size + 1)
    ]
    return np.array(rows, dtype=np.float64)


def _inverse(gram: Float[ndarray, "regressors regressors"]) -> Float[ndarray, "regressors regressors"]:
    """Return the inverse with the smallest ridge, from 1 %, that makes it positive definite."""
    from scipy.linalg.lapack import dpotrf, dpotri, spotrf, spotri

    factorise, invert = (dpotrf, dpotri) if gram.dtype == np.float64 else (spotrf, spotri)
    ridge = RIDGE
    diagonal = np.arange(gram.shape[0])
    while True:
        lifted = gram.copy(order="F")
        lifted[diagonal, diagonal] += ridge
        factor, failed = factorise(lifted, lower=1, overwrite_a=1)
        if failed:
            ridge *= 3
            continue
        inverse, _ = invert(factor, lower=1, overwrite_c=1)  # a third of the work of solving for the identity
        for first in range(0, len(inverse), _TILE):
            here, after = slice(first, first + _TILE), slice(first + _TILE, None)
            inverse[here, after] = inverse[after, here].T
            tile = np.tril(inverse[here, here])
            inverse[here, here] = tile + np.tril(tile, -1).T
        return inverse.T  # the same, rows in a row
