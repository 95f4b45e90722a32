"""Short-term plasticity: how a synapse's answer depends on the spikes before, and what it is after long rest.

Tsodyks and Markram (1997, PNAS 94, 719; with facilitation 1998, Neural Comput. 10, 821): a share ``u`` of the
vesicles that are ready is released at each spike; what is ready comes back with ``recovery_s``, and ``u``, which
grows from ``use`` at each spike, falls back with ``facilitation_s``.  A grid of such synapses is tried on each
pair's single potentials; how common each is, is learnt from all synapses of one sign in the recording.
"""

# ruff: noqa: PLR0917  (kernels take their arrays by position)
from itertools import product
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from numpy import ndarray

from neurograft.copying.intracellular.judging._bells import decay
from neurograft.copying.intracellular.properties._events import Events
from neurograft.copying.intracellular.properties._pooled import pooled
from neurograft.copying.intracellular.reading._threads import in_order
from neurograft.units import MS, MV

_USE = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
_RECOVERY_S = (0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 2.0)
_FACILITATION_S = (0.0, 0.15, 0.5, 1.2)
PAIRED_S = (20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS)
_SIZE_V = 1 * MV
_LEAST_SEEN = 0.05  # of a potential's rows by weight, to count for the noise of single potentials
_CONSTANT = 0.3  # of synapses that do not change, before any is seen
_SMOOTHING = 4.0  # synapses that the prior counts for


class PlasticityGrid(NamedTuple):
    """Synapses that are tried; the first does not change."""

    use: Float64[ndarray, " grid"]
    recovery_s: Float64[ndarray, " grid"]
    facilitation_s: Float64[ndarray, " grid"]
    paired: Float64[ndarray, "grid intervals"]  # second answer over the first, at ``PAIRED_S``


class Plastic(NamedTuple):
    """Posterior of each pair."""

    rested: Float64[ndarray, " pairs"]  # answer after long rest over the mean answer in the recording
    log_rested_sd: Float64[ndarray, " pairs"]
    use: Float64[ndarray, " pairs"]
    use_sd: Float64[ndarray, " pairs"]
    recovery_s: Float64[ndarray, " pairs"]  # geometric mean
    facilitation_s: Float64[ndarray, " pairs"]
    paired: Float64[ndarray, "pairs intervals"]
    paired_sd: Float64[ndarray, "pairs intervals"]
    excess: Float64[ndarray, " pairs"]  # variance of single potentials over the membrane's noise alone; 1 = none
    efficacy: tuple[Float64[ndarray, " spikes"], ...]  # each spike's expected answer over the rested one


def plasticity_grid() -> PlasticityGrid:
    """Return the grid, with what each synapse does to a second spike."""
    rows = [(1e-6, 1e-3, 0.0), *product(_USE, _RECOVERY_S, _FACILITATION_S)]
    use, recovery_s, facilitation_s = (np.array(column) for column in zip(*rows, strict=True))
    paired = np.array(
        [[efficacy(np.array([interval_s]), *row)[1] for interval_s in PAIRED_S] for row in rows], dtype=np.float64
    )
    return PlasticityGrid(use, recovery_s, facilitation_s, paired)


def efficacy(
    interval_s: Float64[ndarray, " intervals"], use: float, recovery_s: float, facilitation_s: float
) -> Float64[ndarray, " spikes"]:
    """Return each spike's mean answer over that after long rest, from the intervals between spikes."""
    out = np.empty(len(interval_s) + 1)
    _efficacy(interval_s, use, recovery_s, facilitation_s, out)
    return out


def efficacies(interval_s: Float64[ndarray, " intervals"], grid: PlasticityGrid) -> Float64[ndarray, "spikes grid"]:
    """Return the efficacies of all synapses of the grid."""
    out = np.empty((len(interval_s) + 1, len(grid.use)))
    slow = np.maximum(grid.facilitation_s, 1e-9)  # none is over before the next spike
    _efficacies(interval_s, grid.use, 1 / grid.recovery_s, 1 / slow, out)
    return out


def plastic(
    seen: list[Events],
    pre: Int64[ndarray, " pairs"],
    sign: Float64[ndarray, " pairs"],
    row_rate_hz: float,
    *,
    n_threads: int = 1,
) -> Plastic:
    """Return every pair's posterior; ``pre``, sorted, says which pairs share their spikes."""
    grid = plasticity_grid()
    n_grid = len(grid.use)
    log_likely, log_mean = np.zeros((len(seen), n_grid)), np.zeros((len(seen), n_grid))
    excess = np.ones(len(seen))

    def fill(mine: Int64[ndarray, " some"]) -> None:
        factor = efficacies(np.diff(seen[mine[0]].row) / row_rate_hz, grid)
        for k in mine:
            log_likely[k], log_mean[k], excess[k] = _likelihoods(seen[k], factor)

    same = np.split(np.arange(len(seen)), np.flatnonzero(np.diff(pre)) + 1) if seen else []
    for _ in in_order(n_threads, fill, same):
        pass
    prior = np.full(n_grid, (1 - _CONSTANT) / (n_grid - 1))
    prior[0] = _CONSTANT
    posterior = pooled(log_likely, sign, group=np.arange(n_grid), prior=prior, weight=_SMOOTHING)
    log_rested = -np.einsum("pg,pg->p", posterior, log_mean)
    spread = np.einsum("pg,pg->p", posterior, (log_mean + log_rested[:, None]) ** 2)
    use = posterior @ grid.use
    paired = posterior @ grid.paired
    return Plastic(
        rested=np.exp(log_rested),
        log_rested_sd=np.sqrt(spread),
        use=use,
        use_sd=np.sqrt(np.maximum(posterior @ grid.use**2 - use**2, 0.0)),
        recovery_s=np.exp(posterior @ np.log(grid.recovery_s)),
        facilitation_s=posterior @ grid.facilitation_s,
        paired=paired,
        paired_sd=np.sqrt(np.maximum(posterior @ grid.paired**2 - paired**2, 0.0)),
        excess=excess,
        efficacy=_mean_efficacies(seen, posterior, grid, row_rate_hz),
    )


def joined_plastic(parts: list[Plastic]) -> Plastic:
    """Return one after the other."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in Plastic._fields if name != "efficacy"
    }
    return Plastic(**columns, efficacy=tuple(row for part in parts for row in part.efficacy))


def _likelihoods(pair: Events, factor: Float64[ndarray, "spikes grid"]) -> tuple[ndarray, ndarray, float]:
    """Return log likelihood and log of the mean efficacy for each synapse of the grid, and the excess variance."""
    score, own, overlap = np.zeros((3, factor.shape[1]))
    of_one = pair.all_overlaps(np.ones(len(pair.s)))
    _project(factor, pair.s, pair.q, of_one, score, own, overlap)
    own = np.maximum(own, 1e-300)
    mean = np.maximum(overlap / max(float(of_one.sum()), 1e-300), 1e-3)
    best = int(np.argmax(score**2 / own))
    usable = pair.q[:, 0] > _LEAST_SEEN * pair.whole
    noise2 = max(pair.noise_v**2, 1e-300)
    excess = 1.0
    if usable.any():
        left = (pair.s - score[best] / own[best] * pair.all_overlaps(factor[:, best]))[usable]
        excess = max(float(np.mean(left**2 / pair.q[usable, 0])) / noise2, 1.0)
    information = own / (noise2 * excess)
    precise = information + (mean / _SIZE_V) ** 2
    return 0.5 * ((score / (noise2 * excess)) ** 2 / precise - np.log(precise)), np.log(mean), excess


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _project(factor, s, q, of_one, score, own, overlap):
    """Add f's, f'Qf and 1'Qf for each column f of ``factor``; Q is symmetric, ``q`` its diagonals from the main one."""
    n, n_grid = factor.shape
    for k in range(n):
        f, value, all_of_one = factor[k], s[k], of_one[k]
        for g in range(n_grid):
            score[g] += f[g] * value
            overlap[g] += f[g] * all_of_one
            own[g] += q[k, 0] * f[g] * f[g]
        for m in range(1, q.shape[1]):
            if k + m < n and q[k, m] != 0.0:
                other, twice = factor[k + m], 2.0 * q[k, m]
                for g in range(n_grid):
                    own[g] += twice * f[g] * other[g]


def _mean_efficacies(
    seen: list[Events], posterior: ndarray, grid: PlasticityGrid, row_rate_hz: float
) -> tuple[ndarray, ...]:
    """Return each pair's expected efficacies under the likeliest synapses of its posterior."""
    out: list[ndarray] = []
    for pair, chance in zip(seen, posterior, strict=True):
        best = np.argsort(-chance)[:5]
        interval_s = np.diff(pair.row) / row_rate_hz
        each = [efficacy(interval_s, *(float(column[g]) for column in grid[:3])) for g in best]
        out.append(np.average(each, axis=0, weights=chance[best]))
    return tuple(out)


@njit(cache=True, nogil=True)
@no_type_check
def _efficacy(interval_s, use, recovery_s, facilitation_s, out):
    """Walk from spike to spike: what is ready, and the share of it that is released."""
    ready, u = 1.0, use
    out[0] = 1.0
    for k in range(len(interval_s)):
        ready -= ready * u
        ready = 1.0 - (1.0 - ready) * np.exp(-interval_s[k] / recovery_s)
        left = u * np.exp(-interval_s[k] / facilitation_s) if facilitation_s > 0.0 else 0.0
        u = left + use * (1.0 - left)
        out[k + 1] = ready * u / use


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _efficacies(interval_s, use, recovering, forgetting, out):
    """Walk as ``_efficacy`` does, for all synapses of a grid side by side; rates are one over time constants."""
    ready, u = np.ones(len(use)), use.copy()
    out[0] = 1.0
    for k in range(len(interval_s)):
        row, wait = out[k + 1], -interval_s[k]
        for g in range(len(use)):
            left = 1.0 - ready[g] * (1.0 - u[g])
            now = 1.0 - left * decay(wait * recovering[g])
            kept = u[g] * decay(wait * forgetting[g])
            u[g] = kept + use[g] * (1.0 - kept)
            ready[g] = now
            row[g] = now * u[g] / use[g]
