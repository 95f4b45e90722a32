"""Which pairs are synapses: each pair's coefficients explained by a synapse, by a rival, or by nothing.

Empirical Bayes (Efron 2008, Stat. Sci. 23, 1; scale mixtures: Stephens 2017, Biostatistics 18, 275): each
template has normal amplitudes of several sizes; how common each template and size is, is learnt from all
pairs of this very recording, and so is each presynaptic neuron's sign (Dale's law).  A pair's posterior
probability of being no direct synapse is its local false-discovery rate; a list's false-discovery rate is the
mean of its local ones.  Nothing here has seen a ground truth.
"""

# ruff: noqa: PLR0917  (the parts of one likelihood)
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from neurograft.copying.intracellular.judging._amplitude import Scores
from neurograft.copying.intracellular.judging._evidence import BULK, EARLY, LATE, ratios
from neurograft.copying.intracellular.judging._templates import Family, Templates
from neurograft.units import MV

DIRECT_SD_V = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 3.2]) * MV
RIVAL_SD_V = np.array([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56]) * MV
_PRIOR = 0.03, 0.03  # of direct, of all rivals: what few pairs fall back on
_PRIOR_PAIRS = 50.0  # as many pairs the prior counts for
_ODD_SIGN = 0.01  # of a neuron's synapses may have the other sign; without Dale's law one half
_STEPS = 80
_FAIR_MODE = 0.3  # of the densest latency's density: a mode of direct synapses
_MODE_SHARE, _VALLEY = 0.03, 0.25  # of that mode's density: synapses are rare; a valley before paths


class Mixture(NamedTuple):
    """How common each explanation is, over all pairs; and each neuron's probability of being excitatory."""

    nothing: float
    direct: Float64[ndarray, "direct sizes"]
    rival: Float64[ndarray, "rivals sizes"]
    is_bulk: Bool[ndarray, " direct"]  # latencies of the direct synapses' bulk; later ones are paths


class Judged(NamedTuple):
    """Posterior of each pair; probabilities of the families add up to 1 with that of nothing."""

    direct: Float64[ndarray, "pre post"]
    log_odds: Float64[ndarray, "pre post"]  # Bayes factor of a direct synapse against all else, natural log
    family: Float64[ndarray, "families pre post"]
    sign: Float64[ndarray, "pre post"]  # of the direct synapse
    amplitude_v: Float64[ndarray, "pre post"]
    se_v: Float64[ndarray, "pre post"]
    latency_s: Float64[ndarray, "pre post"]
    latency_sd_s: Float64[ndarray, "pre post"]
    excitatory_alone: Float64[ndarray, "pre post"]  # probability that it excites, without Dale's law
    excitatory: Float64[ndarray, " pre"]  # pooled over a neuron's outputs


def learn(found: Scores, kinds: Templates, is_open: Bool[ndarray, "pre post"], *, sd: float, is_dale: bool) -> Mixture:
    """Return the mixture that makes these pairs likeliest; ``sd`` is that of z where there is no synapse."""
    direct, pre = kinds.family == Family.DIRECT, np.nonzero(is_open)[0]
    shapes = (int(direct.sum()), len(DIRECT_SD_V)), (int((~direct).sum()), len(RIVAL_SD_V))
    start = Mixture(
        1 - sum(_PRIOR),
        np.full(shapes[0], _PRIOR[0] / np.prod(shapes[0])),
        np.full(shapes[1], _PRIOR[1] / np.prod(shapes[1])),
        np.ones(shapes[0][0], dtype=np.bool_),
    )
    f = np.float32
    seen = ratios(
        np.ascontiguousarray(found.z[:, is_open].T / sd, f),
        np.ascontiguousarray(found.information[:, is_open].T / sd**2, f),
        direct=np.flatnonzero(direct),
        is_under=kinds.is_under_talk[direct],
        rival=np.flatnonzero(~direct),
        is_talk=kinds.family[~direct] == Family.CROSS_TALK,
        direct_v2=(DIRECT_SD_V**2).astype(f),
        rival_v2=(RIVAL_SD_V**2).astype(f),
    )
    plus, minus, rival = (part.reshape(len(part), part.shape[1] * part.shape[2]) for part in seen[:3])
    nothing, now = seen.nothing.astype(np.float64), start
    excitatory, n_pairs = np.full(is_open.shape[0], 0.5), len(nothing) + _PRIOR_PAIRS

    def come_to(m: Mixture) -> tuple[ndarray, ndarray, ndarray]:
        direct, rest = (share.T.ravel().astype(f) for share in (m.direct, m.rival))
        up, down, rivals = (part.astype(np.float64) for part in (plus @ direct, minus @ direct, rival @ rest))
        return up, down, rivals + nothing * m.nothing

    def shared(weight: ndarray, part: ndarray, shape: tuple[int, int]) -> ndarray:
        return (weight.astype(f) @ part).astype(np.float64).reshape(shape[::-1]).T

    up, down, rest = come_to(now)
    for _ in range(_STEPS):
        chance = chance_of(excitatory, is_dale)[pre]
        total = up * chance + down * (1 - chance) + rest
        direct = shared(chance / total, plus, shapes[0]) + shared((1 - chance) / total, minus, shapes[0])
        now = Mixture(
            (float(np.sum(nothing / total)) * now.nothing + _PRIOR_PAIRS * start.nothing) / n_pairs,
            (direct * now.direct + _PRIOR_PAIRS * start.direct) / n_pairs,
            (shared(1 / total, rival, shapes[1]) * now.rival + _PRIOR_PAIRS * start.rival) / n_pairs,
            now.is_bulk,
        )
        up, down, rest = come_to(now)
        excitatory = _excitatory(up, down, rest, pre, len(excitatory), is_dale)
    latency_s, place = np.unique(kinds.latency_s[kinds.family == Family.DIRECT], return_inverse=True)
    return now._replace(is_bulk=_bulk(np.bincount(place, now.direct.sum(axis=1)), latency_s)[place])


def stages(kinds: Templates, mixture: Mixture) -> Int64[ndarray, " direct"]:
    """Return which direct templates are synapses, which come after all of those, and which before."""
    latency_s = kinds.latency_s[kinds.family == Family.DIRECT]
    late = ~mixture.is_bulk & (latency_s > latency_s[mixture.is_bulk].max(initial=0.0))
    return np.where(mixture.is_bulk, BULK, np.where(late, LATE, EARLY))


def expected_fdr(chance: Float64[ndarray, " pairs"]) -> Float64[ndarray, " pairs"]:
    """Return q-values from local false-discovery rates: the mean of all that are as small or smaller."""
    order = np.argsort(chance, kind="stable")
    q = np.empty(len(chance))
    q[order] = np.cumsum(chance[order]) / np.arange(1, len(chance) + 1)
    return q


def chance_of(excitatory: Float64[ndarray, " pre"], is_dale: bool) -> Float64[ndarray, " pre"]:
    """Return how likely a synapse of each neuron is to be positive."""
    odd = _ODD_SIGN if is_dale else 0.5
    return (1 - odd) * excitatory + odd * (1 - excitatory)


def _excitatory(
    up: Float64[ndarray, " pairs"],
    down: Float64[ndarray, " pairs"],
    rest: Float64[ndarray, " pairs"],
    pre: Int64[ndarray, " pairs"],
    n: int,
    is_dale: bool,
) -> Float64[ndarray, " pre"]:
    """Return each neuron's probability of being excitatory, half a priori, from all its pairs' three explanations."""
    from scipy.special import expit

    odd = _ODD_SIGN if is_dale else 0.5
    gain = np.log((1 - odd) * up + odd * down + rest) - np.log(odd * up + (1 - odd) * down + rest)
    return expit(np.bincount(pre, gain, minlength=n))


def _bulk(weight: Float64[ndarray, " direct"], latency_s: Float64[ndarray, " direct"]) -> Bool[ndarray, " direct"]:
    """Return the unbroken run of latencies of direct synapses, which come before the paths made of them.

    It surrounds the earliest mode of a fair height and ends where synapses become rare, or at a valley from
    which their density rises again to twice the valley's.
    """
    density = weight / np.gradient(latency_s)
    smooth = np.convolve(np.pad(density, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    padded = np.pad(smooth, 1, constant_values=-1.0)
    is_mode = (smooth >= padded[:-2]) & (smooth >= padded[2:]) & (smooth >= _FAIR_MODE * smooth.max())
    peak = int(np.flatnonzero(is_mode)[0])
    later = np.maximum.accumulate(smooth[::-1])[::-1]
    ends = smooth <= _MODE_SHARE * smooth[peak]
    ends |= (smooth < _VALLEY * smooth[peak]) & (later > 2 * smooth) & (np.arange(len(smooth)) > peak)
    before, after = np.flatnonzero(ends[:peak]), np.flatnonzero(ends[peak:])
    low = int(before[-1]) + 1 if before.size else 0
    high = peak + int(after[0]) if after.size else len(smooth)
    return (np.arange(len(weight)) >= low) & (np.arange(len(weight)) < high)
