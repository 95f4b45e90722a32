"""Vesicles: how often a synapse fails, how many sites release, what one vesicle makes, where noise lets them be seen.

Single potentials are sums of 0 to ``sites`` vesicles (binomial; del Castillo and Katz 1954, J. Physiol. 124, 560)
in the noise of the membrane, which is known: the likelihood deconvolves it.  After recent spikes fewer vesicles are
ready, as plasticity told.  A pair whose vesicle drowns in the noise, or whose failures stay uncertain, is not
decidable and gets NaN.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._bells import decay
from neurograft.copying.intracellular.properties._events import Events
from neurograft.copying.intracellular.properties._plasticity import Plastic
from neurograft.copying.intracellular.reading._threads import in_order

_SITES = np.array([1, 2, 3, 4, 5, 6, 8, 10])
_RELEASE = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
_WIDENED = np.array(
    [1.0, 1.2, 1.45]
)  # noise of single potentials over the innovations' alone: other inputs come in bursts
_RELEASE_SD = 0.1  # what plasticity's model may be wrong by
_SIZE_CV = 0.3  # of one vesicle, from release to release (0.2 to 0.4 at central synapses, from memory)
_MOST_EVENTS, _LEAST_EVENTS = 300, 40
_SEEN = 0.7  # of a single potential's rows
_LEAST_RATIO = 1.0  # of a vesicle over the noise of a single potential
_LEAST_MEAN = 0.3  # of the mean potential over that noise: nothing to look for below
_SURE_SD = 0.12  # of the failure rate
_MODEL_SD = 0.08  # what the model makes the failure rate wrong by; chosen on development cultures
_RESTED_SD = 0.3  # of what plasticity leaves open: beyond, nothing is known of release after rest
_BINS = 40


class Vesicles(NamedTuple):
    """Posterior means of each pair; NaN where they are not decidable."""

    failure: Float64[ndarray, " pairs"]  # share of spikes after long rest that release nothing
    failure_sd: Float64[ndarray, " pairs"]
    quantum_v: Float64[ndarray, " pairs"]  # mean potential of one vesicle, as in the recording
    sites: Float64[ndarray, " pairs"]
    release: Float64[ndarray, " pairs"]  # probability that a ready vesicle goes
    to_noise: Float64[ndarray, " pairs"]  # |quantum| over the noise of a single potential, decidable or not


class AmplitudeHistogram(NamedTuple):
    """Single potentials of one pair as measured, and what their noise alone would be."""

    amplitude_v: Float64[ndarray, " spikes"]
    noise_v: float
    edge_v: Float64[ndarray, " edges"]
    n_each: Int64[ndarray, " bins"]


def vesicles(seen: list[Events], about: Plastic, *, n_threads: int = 1) -> Vesicles:
    """Return what each pair's single potentials tell of its vesicles."""
    rows = list(in_order(n_threads, lambda k: _judged(seen[k], about, k), range(len(seen))))
    return Vesicles(*np.array(rows, dtype=np.float64).reshape(-1, len(Vesicles._fields)).T)


def joined_vesicles(parts: list[Vesicles]) -> Vesicles:
    """Return one after the other."""
    return Vesicles(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def histogram(pair: Events) -> AmplitudeHistogram:
    """Return the single potentials of a pair whose spikes were alone and well seen."""
    single = _singles(pair)
    amplitude_v = pair.s[single] / pair.q[single, 0]
    noise_v = pair.noise_v / np.sqrt(pair.whole)
    spread = np.quantile(amplitude_v, [0.005, 0.995]) if amplitude_v.size else np.array([-1.0, 1.0]) * noise_v
    edge_v = np.linspace(min(spread[0], -3 * noise_v), max(spread[1], 3 * noise_v), _BINS + 1)
    return AmplitudeHistogram(amplitude_v, float(noise_v), edge_v, np.histogram(amplitude_v, edge_v)[0])


def _singles(pair: Events) -> Int64[ndarray, " some"]:
    """Return the spikes whose potential overlaps no other's and was nearly all seen."""
    later = np.any(pair.q[:, 1:] != 0, axis=1)
    before = np.concatenate([[False], later[:-1]])
    return np.flatnonzero((pair.q[:, 0] > _SEEN * pair.whole) & ~later & ~before)


def _judged(pair: Events, about: Plastic, k: int) -> tuple[float, ...]:
    single = _singles(pair)[:_MOST_EVENTS]
    nothing = (np.nan,) * (len(Vesicles._fields) - 1)
    if len(single) < _LEAST_EVENTS or about.log_rested_sd[k] > _RESTED_SD:
        return (*nothing, np.nan)
    q = pair.q[single, 0]
    amplitude_v, noise_v = pair.s[single] / q, pair.noise_v / np.sqrt(q)
    factor = about.efficacy[k][single]
    weight = factor * q
    rested_v = float(weight @ amplitude_v / (weight @ factor))
    if abs(rested_v) < _LEAST_MEAN * float(np.median(noise_v)):
        return (*nothing, np.nan)
    sites, release, widened = (column.ravel() for column in np.meshgrid(_SITES, _RELEASE, _WIDENED, indexing="ij"))
    log_likely = np.empty(sites.size)
    _log_likelihoods(amplitude_v, noise_v, factor, rested_v, sites, release, widened, log_likely)
    log_likely -= 0.5 * (release - about.use[k]) ** 2 / (about.use_sd[k] ** 2 + _RELEASE_SD**2)
    chance = np.exp(log_likely - log_likely.max())
    chance /= chance.sum()
    quantum = rested_v / (sites * release)
    failure = (1 - release) ** sites
    mean = [float(chance @ values) for values in (failure, quantum, sites, release)]
    sd = float(np.sqrt(max(chance @ failure**2 - mean[0] ** 2, 0.0)))
    to_noise = abs(mean[1]) / float(np.median(noise_v))
    if to_noise < _LEAST_RATIO or sd > _SURE_SD:
        return (*nothing, to_noise)
    return mean[0], float(np.hypot(sd, _MODEL_SD)), mean[1], mean[2], mean[3], to_noise


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _log_likelihoods(amplitude_v, noise_v, factor, rested_v, sites, release, widened, out):
    """Fill ``out`` with how likely the single potentials are under each synapse (sites, release) and widened noise."""
    n_events = len(amplitude_v)
    chance, odds, likely = np.empty(n_events), np.empty(n_events), np.empty(n_events)
    for g in range(len(sites)):
        n_sites, quantum_v = sites[g], rested_v / (sites[g] * release[g])
        for k in range(n_events):
            p = min(release[g] * factor[k], 0.999)
            odds[k] = p / (1.0 - p)
            likely[k], chance[k] = 0.0, 1.0 - p
        for k in range(n_events):
            none = chance[k]
            for _ in range(n_sites - 1):
                chance[k] *= none
        for n in range(n_sites + 1):
            more = (n_sites - n) / (n + 1.0)
            for k in range(n_events):
                variance = (widened[g] * noise_v[k]) ** 2 + n * (_SIZE_CV * quantum_v) ** 2
                flat = 1.0 / variance
                likely[k] += chance[k] * decay(-0.5 * (amplitude_v[k] - n * quantum_v) ** 2 * flat) * math.sqrt(flat)
                chance[k] *= more * odds[k]
        total = 0.0
        for k in range(n_events):
            total += math.log(likely[k] + 1e-300)
        out[g] = total
