"""From statistics to calls: cross-talk and electrical pairs apart, false-discovery rate, signs, limits."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64, UInt8
from numpy import ndarray

from neurograft.copying._amplitude import Potentials
from neurograft.copying._crosstalk import MIN_RATE_HZ, CrossTalk, cross_talk
from neurograft.copying._design import CHEMICAL, ZERO
from neurograft.copying._fdr import Null, benjamini_hochberg, empirical_null, local_fdr, signed_q_values, two_sided_p
from neurograft.copying._kinds import presynaptic_sign
from neurograft.copying._neurons import Neurons
from neurograft.copying._null import MaxNull
from neurograft.copying._regression import MIN_SHARE, Fit
from neurograft.copying._triggered import averages
from neurograft.maps import Undecidable
from neurograft.progress import Progress
from neurograft.recordings import Recording
from neurograft.units import MS, MV

POWER_Z = 0.8416212335729143  # a synapse at the detection limit is found four times in five
_SUSPECT_Z = 3.5
_MIN_ELECTRICAL_SHARE = 0.5  # of the largest chemical coefficient: the zero-lag one of an electrical synapse


class Statistics(NamedTuple):
    """All that the regression says about the pairs."""

    fit: Fit
    best: Potentials
    null: MaxNull


class RejectedPair(NamedTuple):
    """A pair that answers, and not as a synapse does."""

    pre: str
    post: str
    why: str


class Screened(NamedTuple):
    """Statistics of the pairs that may be synapses; NaN elsewhere."""

    z: Float64[ndarray, "pre post"]  # chemical, as a standard normal deviate
    z_zero: Float64[ndarray, "pre post"]  # of the spike's own row
    is_electrical: Bool[ndarray, "pre post"]
    undecidable: UInt8[ndarray, "pre post"]
    rejected: tuple[RejectedPair, ...]


class Called(NamedTuple):
    """Chemical synapses at a false-discovery rate, with what that rests on."""

    is_called: Bool[ndarray, "pre post"]
    q: Float64[ndarray, "pre post"]
    local_fdr: Float64[ndarray, "pre post"]
    sign: Int8[ndarray, " pre"]  # pooled over outputs; 0 where they do not make it sure
    limit_v: Float64[ndarray, "pre post"]
    null: Null


def box_z(fit: Fit, box: int) -> Float64[ndarray, "pre post"]:
    """Return the z of one box's coefficient; NaN where it was not seen, and on the diagonal."""
    share = np.where(fit.share[:, box] >= MIN_SHARE, fit.share[:, box], np.nan)
    noise = np.where(fit.noise > 0, fit.noise, np.nan)
    variance = np.where(fit.n_spikes > 0, fit.inverse_block[:, box, box], np.nan)[:, None]
    z = fit.beta[:, box] / (noise * np.sqrt(variance / share))
    np.fill_diagonal(z, np.nan)
    return z


def screen(
    recording: Recording,
    cells: Neurons,
    statistics: Statistics,
    undecidable: UInt8[ndarray, "pre post"],
    *,
    fdr: float,
    progress: Progress,
) -> Screened:
    """Return the testable pairs' statistics, cross-talk taken out by name and electrical pairs told apart."""
    undecidable = undecidable.copy()
    is_open = undecidable == Undecidable.DECIDED
    np.fill_diagonal(is_open, False)
    z = np.where(is_open, statistics.null.as_normal(statistics.best.z), np.nan)
    z_zero = np.where(is_open, box_z(statistics.fit, ZERO), np.nan)
    suspects = np.argwhere(np.fmax(np.abs(z), np.abs(z_zero)) > _SUSPECT_Z).astype(np.int64)
    rejected: list[RejectedPair] = []
    if len(suspects) and recording.rate_hz >= MIN_RATE_HZ:
        talk = _cross_talk(recording, cells, suspects, progress)
        for k in np.flatnonzero(talk.is_cross_talk):
            i, j = suspects[k]
            undecidable[i, j] = Undecidable.CROSS_TALK
            z[i, j] = z_zero[i, j] = np.nan
            pre, post = (recording.channel_labels[cells.channel[m]] for m in (i, j))
            rejected.append(RejectedPair(pre, post, _why(talk, int(k))))
    is_electrical = _electrical(statistics.fit, z_zero, fdr)
    z[is_electrical] = np.nan
    return Screened(z, z_zero, is_electrical, undecidable, tuple(rejected))


def call(found: Screened, best: Potentials, *, fdr: float, is_dale: bool) -> Called:
    """Return which pairs are synapses.

    With ``is_dale`` each presynaptic neuron whose outputs make its sign sure is tested for that sign alone:
    half the false calls go, and an output against a sure sign is never called.
    """
    tested = ~np.isnan(found.z)
    z = found.z[tested]
    null = empirical_null(z)
    q, chance = np.full(found.z.shape, np.nan), np.full(found.z.shape, np.nan)
    q[tested] = signed_q_values(z, null=null)
    standard = (found.z - null.centre) / null.sd
    sign = presynaptic_sign(standard, q <= fdr)
    if is_dale:
        p = two_sided_p(standard)
        known = np.broadcast_to(sign[:, None], p.shape)
        p = np.where(known == 0, p, np.where(np.sign(standard) == known, p / 2, 1.0))
        for side in (-1, 1):
            mine = tested & ((known == side) | ((known == 0) & (np.sign(standard) == side)))
            q[mine] = benjamini_hochberg(p[mine])
    if z.size:
        chance[tested] = local_fdr(z, null=null)
    is_called = tested & (q <= fdr)
    worst_p = float(np.max(two_sided_p(standard[is_called]))) if is_called.any() else fdr / max(z.size, 1)
    limit_v = (_needed_z(worst_p) * null.sd + POWER_Z) * best.se_v
    return Called(is_called, q, chance, sign, limit_v, null)


def _needed_z(p: float) -> float:
    from scipy.special import ndtri

    return float(-ndtri(p / 2))


def _electrical(fit: Fit, z_zero: Float64[ndarray, "pre post"], fdr: float) -> Bool[ndarray, "pre post"]:
    """Tell which pairs depolarise each other at once, both ways, more than they do later."""
    tested = ~np.isnan(z_zero)
    q = np.full(z_zero.shape, np.nan)
    q[tested] = benjamini_hochberg(two_sided_p(z_zero[tested]))
    later = np.max(np.abs(fit.beta[:, CHEMICAL:]), axis=1)
    one_way = (q <= fdr) & (z_zero > 0) & (fit.beta[:, ZERO] > _MIN_ELECTRICAL_SHARE * later)
    return one_way & one_way.T


def _cross_talk(
    recording: Recording, cells: Neurons, suspects: Int64[ndarray, "pairs 2"], progress: Progress
) -> CrossTalk:
    """Average the full-rate traces of the suspects and of their presynaptic neurons, and judge them."""
    pre, own = np.unique(suspects[:, 0], return_inverse=True)
    frames = {int(i): cells.frames(int(i)) for i in np.unique(suspects)}
    both = np.concatenate([suspects, np.column_stack([pre, pre])])
    found = averages(recording, frames, cells.channel, both, before_s=3 * MS, after_s=8 * MS, progress=progress)
    n = len(suspects)
    return cross_talk(found.select(np.arange(n)), found.select(n + own.ravel()))


def _why(talk: CrossTalk, k: int) -> str:
    return (
        f"cross-talk: {talk.peak_v[k] / MV:+.2f} mV at {talk.peak_s[k] / MS:.1f} ms, starting before 0.6 ms, "
        "following the presynaptic action potential's own course and gone in 2.5 ms"
    )
