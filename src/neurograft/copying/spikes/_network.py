"""Common drives estimated beside the network that is already clear: synapses among the neurons look like drives too.

What strong synapses put into correlograms, direct and over third neurons, is shared by many pairs, and part of it
would be taken for a drive; the regression then misses what its own paths should explain.  So once a first judging has
found the clear synapses, every neuron is filtered by them and by its own history, e = (I - H)' y.  What is left has
the correlograms conj(A) S A', A = I - H', frequency by frequency (Hawkes 1971, Biometrika 58, 83, read backwards):
there the drives are estimated anew, and sent forwards through the network again before they are taken away.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Complex64, Float32
from numpy import ndarray

from neurograft.copying.spikes._correlogram import LagGrid
from neurograft.copying.spikes._coupling import RIDGE, BoxOptions, boxes, normal_equations
from neurograft.copying.spikes._latent import DriveOptions, Undriven, centred, drives_fit

CLEAR_CHANCE = 0.5  # that a pair is a synapse, from which on it belongs to the network; .3 and .8 do as well
_FREQUENCIES_AT_ONCE = 16


class Network(NamedTuple):
    """The filter A = I - H' of the clear synapses and histories at every frequency of ``size`` bins."""

    filters: Complex64[ndarray, "frequencies post pre"]
    size: int
    unit: float  # of a spike's coincidence with itself, in excess of unit variance


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
    """Return the excess without drives, as many as ``before`` took away, estimated beside the clear synapses."""
    network = network_of(before.values, clear, grid, lags, n_bins_seen)
    left = unexplained(raw, network)
    through = sent_through(drives_fit(left, grid, drives, before.n_drives), network)
    return Undriven(centred(raw - through), before.n_drives, through)


def network_of(
    values: Float32[ndarray, "pre post bins"],
    clear: Bool[ndarray, "pre post"],
    grid: LagGrid,
    options: BoxOptions,
    n_bins_seen: float,
) -> Network:
    """Return the filters by which the clear synapses and every neuron's own history act, fitted together."""
    from scipy.fft import next_fast_len, rfft

    n, lags = len(clear), boxes(grid, options)
    gram, right = normal_equations(values, lags, grid, n_bins_seen)
    effect = np.zeros((n, n, grid.n_half + 1), dtype=np.float32)
    for j in range(n):
        known = np.flatnonzero(clear[:, j] | (np.arange(n) == j))
        used = (np.arange(len(lags))[:, None] * n + known).ravel()
        weights = np.linalg.solve(gram[np.ix_(used, used)] + RIDGE * np.eye(used.size), right[used, j])
        for box, weight in zip(lags, weights.reshape(len(lags), -1), strict=True):
            effect[known[:, None], j, box] = (weight / np.sqrt(box.size))[:, None]
    size = next_fast_len(grid.n_bins + 2 * int(lags[-1][-1]), real=True)
    filters = -np.moveaxis(rfft(effect, n=size, axis=2), 2, 0).transpose(0, 2, 1)
    filters[:, np.arange(n), np.arange(n)] += 1.0
    return Network(np.ascontiguousarray(filters, dtype=np.complex64), size, float(np.sqrt(n_bins_seen)))


def unexplained(raw: Float32[ndarray, "pre post bins"], network: Network) -> Float32[ndarray, "pre post bins"]:
    """Return the correlograms of what the network does not explain of the trains."""
    diagonal = np.arange(len(raw))

    def filtered(spectrum: ndarray, a: ndarray) -> ndarray:
        spectrum[:, diagonal, diagonal] += network.unit
        return a.conj() @ spectrum @ a.transpose(0, 2, 1)

    left = _by_frequency(raw, network, filtered)
    left[diagonal, diagonal, raw.shape[2] // 2] -= network.unit
    return left


def sent_through(fit: Float32[ndarray, "pre post bins"], network: Network) -> Float32[ndarray, "pre post bins"]:
    """Return the correlograms that such common inputs make once the network has passed them on."""

    def passed_on(spectrum: ndarray, a: ndarray) -> ndarray:
        once = np.linalg.solve(a.conj(), spectrum)
        return np.linalg.solve(a, once.transpose(0, 2, 1)).transpose(0, 2, 1)

    return _by_frequency(fit, network, passed_on)


def _by_frequency(
    values: ndarray, network: Network, change: Callable[[ndarray, ndarray], ndarray]
) -> Float32[ndarray, "pre post bins"]:
    """Return correlograms whose spectra were changed, lag 0 in the middle before and after."""
    from scipy.fft import irfft, rfft

    half = values.shape[2] // 2
    around = np.zeros((network.size, *values.shape[:2]), dtype=np.float32)
    around[: half + 1] = np.moveaxis(values[:, :, half:], 2, 0)
    around[-half:] = np.moveaxis(values[:, :, :half], 2, 0)
    spectra = rfft(around, axis=0)
    for first in range(0, len(spectra), _FREQUENCIES_AT_ONCE):
        part = slice(first, first + _FREQUENCIES_AT_ONCE)
        spectra[part] = change(spectra[part], network.filters[part])
    back = irfft(spectra, n=network.size, axis=0)
    return np.ascontiguousarray(np.moveaxis(np.concatenate([back[-half:], back[: half + 1]]), 0, 2), dtype=np.float32)
