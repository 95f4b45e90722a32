"""Common drives estimated beside the network that is already clear: synapses among the neurons look like drives too.

What strong synapses put into correlograms, direct and over third neurons, is shared by many pairs, and part of it
would be taken for a drive; the regression then misses what its own paths should explain.  So once a first judging has
found the clear synapses, every neuron is filtered by them and by its own history, e = (I - H)' y.  What is left has
the correlograms conj(A) S A', A = I - H', frequency by frequency (Hawkes 1971, Biometrika 58, 83, read backwards):
there the drives are estimated anew, and sent forwards through the network again before they are taken away.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Complex64, Float32, Int64
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._coupling import RIDGE, BoxOptions, boxes, normal_equations
from neurograft.copying.spikes._latent import DriveOptions, Drives, Undriven, centred, fitted_drives

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CLEAR_CHANCE = 0.5  # that a pair is a synapse, from which on it belongs to the network; .3 and .8 do as well
FEWEST_CLEAR = 0.1  # clear synapses a neuron: fewer change no drive
_MOST_GAIN = 4.0  # of a network for its drives; simulated families have up to 1.9


class Network(NamedTuple):
    """The filter A = I - H' of the clear synapses and histories; entries that are not 0, at every frequency."""

    post: Int64[ndarray, " entries"]  # rows of A, rising
    pre: Int64[ndarray, " entries"]
    entries: Complex64[ndarray, "frequencies entries"]
    n: int
    size: int  # bins over which no lag comes round again
    unit: float  # of a spike's coincidence with itself, in excess of unit variance

    def at(self, frequency: int) -> "csr_array":
        """Return A at a frequency."""
        from scipy.sparse import csr_array

        return csr_array((self.entries[frequency], (self.post, self.pre)), shape=(self.n, self.n))


def drives_beside(
    raw: Float32[ndarray, "pre post bins"],
    before: Undriven,
    clear: Bool[ndarray, "pre post"],
    grid: LagGrid,
    *,
    drives: DriveOptions,
    lags: BoxOptions,
    n_bins_seen: float,
) -> Undriven:
    """Return the excess without drives, as many as ``before`` took away, estimated beside the clear synapses.

    Where the linear network would fire by itself, or nearly, it is no picture of the recording, and ``before`` stays.
    """
    network = network_of(effects_of(before.values, clear, grid, lags, n_bins_seen), grid, n_bins_seen)
    found = fitted_drives(unexplained(raw, network), grid, drives, before.n_drives)
    through = sent_through(found, network)
    if not np.linalg.norm(through) <= _MOST_GAIN * np.linalg.norm(found.middle):
        return before
    return Undriven(centred(raw - through), before.n_drives, through)


def effects_of(
    values: Float32[ndarray, "pre post bins"],
    clear: Bool[ndarray, "pre post"],
    grid: LagGrid,
    options: BoxOptions,
    n_bins_seen: float,
) -> Float32[ndarray, "pre post lags"]:
    """Return by how much a spike changes its targets, and its own neuron, so many bins later; from one fit a target."""
    n, lags = len(clear), boxes(grid, options)
    gram, right = normal_equations(values, lags, grid, n_bins_seen)
    effects = np.zeros((n, n, int(lags[-1][-1]) + 1), dtype=np.float32)
    for j in range(n):
        known = np.flatnonzero(clear[:, j] | (np.arange(n) == j))
        used = (np.arange(len(lags))[:, None] * n + known).ravel()
        weights = np.linalg.solve(gram[np.ix_(used, used)] + RIDGE * np.eye(used.size), right[used, j])
        for box, weight in zip(lags, weights.reshape(len(lags), -1), strict=True):
            effects[known[:, None], j, box] = (weight / np.sqrt(box.size))[:, None]
    return effects


def network_of(effects: Float32[ndarray, "pre post lags"], grid: LagGrid, n_bins_seen: float) -> Network:
    """Return the filters of these effects."""
    from scipy.fft import next_fast_len, rfft

    n = len(effects)
    size = next_fast_len(grid.n_bins + 2 * (effects.shape[2] - 1), real=True)
    is_known = effects.any(axis=2) | np.eye(n, dtype=bool)
    post, pre = np.nonzero(is_known.T)
    entries = -rfft(effects[pre, post], n=size, axis=1).T
    entries[:, post == pre] += 1.0
    return Network(post, pre, np.ascontiguousarray(entries, dtype=np.complex64), n, size, float(np.sqrt(n_bins_seen)))


def unexplained(raw: Float32[ndarray, "pre post bins"], network: Network) -> Float32[ndarray, "pre post bins"]:
    """Return the correlograms of what the network does not explain of the trains."""
    diagonal = np.arange(len(raw))
    spectra = _spectra(raw, network.size)
    for frequency, spectrum in enumerate(spectra):
        a = network.at(frequency)
        spectrum[diagonal, diagonal] += network.unit
        spectra[frequency] = (a @ (a.conj() @ spectrum).T).T
    left = _correlograms(spectra, network.size, raw.shape[2])
    left[diagonal, diagonal, raw.shape[2] // 2] -= network.unit
    return left


def sent_through(drives: Drives, network: Network) -> Float32[ndarray, "pre post bins"]:
    """Return the correlograms that drives make once the network has passed them on."""
    middle = _spectra(drives.middle, network.size)
    spectra = np.empty((len(middle), network.n, network.n), dtype=np.complex64)
    loading = drives.loading.astype(np.complex64)
    for frequency, inner in enumerate(middle):
        answers = np.linalg.solve(network.at(frequency).toarray(), loading)
        spectra[frequency] = answers.conj() @ inner @ answers.T
    return _correlograms(spectra, network.size, drives.middle.shape[2])


def _spectra(values: Float32[ndarray, "pre post bins"], size: int) -> Complex64[ndarray, "frequencies pre post"]:
    """Return the spectra of correlograms, whose lag 0 is in the middle."""
    from scipy.fft import rfft

    half = values.shape[2] // 2
    around = np.zeros((size, *values.shape[:2]), dtype=np.float32)
    around[: half + 1] = np.moveaxis(values[:, :, half:], 2, 0)
    around[-half:] = np.moveaxis(values[:, :, :half], 2, 0)
    return rfft(around, axis=0)


def _correlograms(
    spectra: Complex64[ndarray, "frequencies pre post"], size: int, n_bins: int
) -> Float32[ndarray, "pre post bins"]:
    """Return correlograms of so many bins from their spectra."""
    from scipy.fft import irfft

    half = n_bins // 2
    around = irfft(spectra, n=size, axis=0)
    return np.ascontiguousarray(np.moveaxis(np.concatenate([around[-half:], around[: half + 1]]), 0, 2))
