"""What unseen common drive does to all correlograms at once, found as their low-rank part and taken away.

A drive that reaches neurons i and j with strengths u_i and u_j adds u_i u_j f(lag) to their correlogram:
few numbers for all pairs.  Synapses are sparse and differ from pair to pair.  Several drives with their
own relative delays add up to U M(lag) U', with U the same at all lags.  (The separation of a low-rank and
a sparse part follows Chandrasekaran, Parrilo & Willsky 2012, Ann. Stat. 40, 1935; here on correlograms.)
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float32, Float64, UInt32
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.errors import CopyError
from neurograft.units import MS

_EVERY_S = 2 * MS
_N_ROUNDS = 3
_CLIP_SDS = 3.0
_SD_OF_MAD = 1.4826
LEAST_EXPECTED = 0.3  # of the mean: a drive's fit leaves no lag without counts


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DriveOptions:
    """How many drives may be taken away, and from which strength on."""

    least_neurons: int = 16  # with fewer a drive is not told from a synapse by other neurons
    most_drives: int = 8
    neurons_per_drive: int = 5  # a drive that reaches neurons at different moments needs several
    least_shared: float = 4.0  # neurons that a drive reaches, by participation; a pair or a hub's star is no drive
    strength: float = 5.0  # smallest eigenvalue of a drive over the median one; chosen on own simulations

    def __post_init__(self) -> None:
        """Refuse what would take noise for a drive."""
        if (
            self.least_neurons < 2
            or self.most_drives < 0
            or self.neurons_per_drive < 2
            or self.strength <= 1
            or self.least_shared < 1
        ):
            raise CopyError(
                f"{self} is out of range. Give least_neurons >= 2, most_drives >= 0, neurons_per_drive >= 2, "
                "strength > 1, least_shared >= 1."
            )


class Excess(NamedTuple):
    """Correlograms minus their mean, over its square root: noise of unit variance in every bin."""

    values: Float32[ndarray, "neurons neurons bins"]
    mean: Float64[ndarray, "neurons neurons"]  # counts of a bin


def excess(counts: UInt32[ndarray, "neurons neurons bins"], exposure: Float64[ndarray, " bins"]) -> Excess:
    """Return the excess of every ordered pair over the mean of all its lags, each lag by its exposure."""
    mean = np.maximum(counts.mean(axis=2, dtype=np.float64), 1e-3)
    root = np.sqrt(mean).astype(np.float32)
    values = np.empty(counts.shape, dtype=np.float32)
    for i, row in enumerate(counts):  # each neuron's while they are in the cache
        values[i] = row
        values[i] -= np.outer(mean[i], exposure).astype(np.float32)
        values[i] /= root[i, :, None]
    return Excess(values, mean)


class Undriven(NamedTuple):
    """The excess without the part that few drives explain, and how many drives there were."""

    values: Float32[ndarray, "neurons neurons bins"]
    n_drives: int
    fit: Float32[ndarray, "neurons neurons bins"] | None  # that part; None where there was no drive

    def even(self, mean: Float64[ndarray, "neurons neurons"]) -> Float32[ndarray, "neurons neurons bins"]:
        """Return the values with unit variance in every bin.

        Counts scatter by the root of what is expected at their own lag, and neurons that a drive makes fire together
        have up to four times their mean at short lags.
        """
        if self.fit is None:
            return self.values
        noise = self.fit / np.sqrt(mean)[:, :, None].astype(np.float32)
        noise += 1.0
        np.sqrt(np.maximum(noise, LEAST_EXPECTED, out=noise), out=noise)
        return np.divide(self.values, noise, out=noise)


def remove_drives(values: Float32[ndarray, "neurons neurons bins"], grid: LagGrid, options: DriveOptions) -> Undriven:
    """Return the excess without what few drives explain.

    Autocorrelograms lose their share too, so that a neuron's history is judged like the rest.
    """
    if not are_drives_told(values.shape[0], options):
        return Undriven(values, 0, None)
    thin = _smoothed(values, grid)
    eigenvalues, vectors = _shared(thin, options)
    usual = np.median(np.linalg.eigvalsh(_gram(thin)))
    most = min(options.most_drives, values.shape[0] // options.neurons_per_drive)
    n_drives = min(most, int(np.count_nonzero(eigenvalues > options.strength * usual)))
    if n_drives == 0:
        return Undriven(centred(values), 0, None)
    fit = low_rank(values, _settled(thin, vectors[:, -n_drives:], options))
    return Undriven(centred(values - fit), n_drives, fit)


class Drives(NamedTuple):
    """What drives put into all correlograms: the excess U M(lag) U'."""

    loading: Float64[ndarray, "neurons drives"]  # U, orthonormal
    middle: Float32[ndarray, "drives drives bins"]  # M


def fitted_drives(
    values: Float32[ndarray, "neurons neurons bins"], grid: LagGrid, options: DriveOptions, n_drives: int
) -> Drives:
    """Return so many drives, one or more, that explain most of the excess."""
    thin = _smoothed(values, grid)
    loading = _settled(thin, _shared(thin, options)[1][:, -n_drives:], options)
    return Drives(loading, _middle(values, loading))


def _settled(
    thin: ndarray, loading: Float64[ndarray, "neurons drives"], options: DriveOptions
) -> Float64[ndarray, "neurons drives"]:
    """Return the loadings after rounds in which what stands out was clipped."""
    n_drives = loading.shape[1]
    for _ in range(_N_ROUNDS):
        fit = low_rank(thin, loading)
        rest = thin - fit
        limit = _CLIP_SDS * _SD_OF_MAD * float(np.median(np.abs(rest)))
        fit += np.clip(rest, -limit, limit)  # synapses stand out: they may not turn the drives
        diagonal = np.arange(len(fit))
        fit[diagonal, diagonal] = low_rank(fit, loading)[diagonal, diagonal]
        loading = _shared(fit, options)[1][:, -n_drives:]
    return loading


def _shared(values: ndarray, options: DriveOptions) -> tuple[ndarray, Float64[ndarray, "neurons vectors"]]:
    """Return the eigenvalues and vectors, rising, those on few neurons set to 0: a strong synapse is one such."""
    eigenvalues, vectors = np.linalg.eigh(_gram(values))
    reached = 1.0 / np.sum(vectors**4, axis=0)
    eigenvalues = np.where(reached >= options.least_shared, eigenvalues, 0.0)
    order = np.argsort(eigenvalues, kind="stable")
    return eigenvalues[order], vectors[:, order]


def centred(values: Float32[ndarray, "neurons neurons bins"]) -> Float32[ndarray, "neurons neurons bins"]:
    """Return the excess around its mean without outlying bins: a strong synapse had lifted the mean."""
    centred = np.empty_like(values)
    for i, row in enumerate(values):
        once = row - np.clip(row, -_CLIP_SDS, _CLIP_SDS).mean(axis=1, keepdims=True)
        centred[i] = once - np.clip(once, -_CLIP_SDS, _CLIP_SDS).mean(axis=1, keepdims=True)
    return centred


def are_drives_told(n_neurons: int, options: DriveOptions) -> bool:
    """Return whether there are enough neurons to tell a drive from a synapse, and drives are to be taken away."""
    return n_neurons >= options.least_neurons and options.most_drives > 0


def high_passed(
    values: Float32[ndarray, "neurons neurons bins"], grid: LagGrid, sd_s: float
) -> Float32[ndarray, "neurons neurons bins"]:
    """Return the excess over its own Gaussian mean of that width."""
    return values @ (np.eye(grid.n_bins, dtype=np.float32) - smoother(grid, sd_s))


def smoother(grid: LagGrid, sd_s: float) -> Float32[ndarray, "bins bins"]:
    """Return the matrix by which rows of bins are to be multiplied for their Gaussian mean, reflected at the ends.

    The product takes a tenth of the time of the filter.
    """
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.eye(grid.n_bins), sd_s / grid.bin_s, axis=1, mode="reflect").astype(np.float32)


def low_rank(
    values: Float32[ndarray, "neurons neurons bins"], loading: Float64[ndarray, "neurons drives"]
) -> Float32[ndarray, "neurons neurons bins"]:
    """Return the least-squares fit of U M(lag) U' to all pairs of different neurons, diagonal filled in."""
    u = loading.astype(np.float32)
    return np.einsum("ia,abl,jb->ijl", u, _middle(values, loading), u, optimize=True)


def _middle(
    values: Float32[ndarray, "neurons neurons bins"], loading: Float64[ndarray, "neurons drives"]
) -> Float32[ndarray, "drives drives bins"]:
    """Return the M(lag) of that fit."""
    n, k = loading.shape
    off = values.copy()
    off[np.arange(n), np.arange(n)] = 0.0
    u = loading.astype(np.float32)
    right = np.einsum("ia,ijl,jb->abl", u, off, u, optimize=True).reshape(k * k, -1)
    pairs = (loading[:, :, None] * loading[:, None, :]).reshape(n, k * k)
    # The missing diagonal: what M itself says there has to be left out of U'U = 1.
    inner = np.linalg.solve(np.eye(k * k) - pairs.T @ pairs + 1e-9 * np.eye(k * k), right.astype(np.float64))
    return inner.reshape(k, k, -1).astype(np.float32)


def _smoothed(values: Float32[ndarray, "neurons neurons bins"], grid: LagGrid) -> ndarray:
    """Return the excess smoothed over 2 ms, at every 2 ms, without the autocorrelograms."""
    step = max(1, round(_EVERY_S / grid.bin_s))
    thin = values @ np.ascontiguousarray(smoother(grid, _EVERY_S)[:, ::step])
    thin[np.arange(len(thin)), np.arange(len(thin))] = 0.0
    return thin


def _gram(values: ndarray) -> Float64[ndarray, "neurons neurons"]:
    flat = values.reshape(values.shape[0], -1)
    return (flat @ flat.T).astype(np.float64)
