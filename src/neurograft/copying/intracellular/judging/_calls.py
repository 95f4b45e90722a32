"""From posteriors to calls: synapses at a false-discovery rate, rivals by name, limits of what can be found."""

# ruff: noqa: PLR0917  (a call is told by its parts)
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64, UInt8
from numpy import ndarray

from neurograft.copying.intracellular.judging._crosstalk import MIN_RATE_HZ, CrossTalk, cross_talk
from neurograft.copying.intracellular.judging._electrical import may_be_junction, passes_on
from neurograft.copying.intracellular.judging._mixture import Judged, expected_fdr
from neurograft.copying.intracellular.judging._templates import Family
from neurograft.copying.intracellular.judging._triggered import Averages, RunningAverages, averages
from neurograft.copying.intracellular.neurons._neurons import Neurons
from neurograft.copying.intracellular.regression._boxes import box_z
from neurograft.copying.intracellular.regression._design import ZERO
from neurograft.copying.intracellular.regression._regression import Fit
from neurograft.maps import Undecidable
from neurograft.progress import Progress
from neurograft.recordings import Recording
from neurograft.units import MS, MV

POWER_Z = 0.8416212335729143  # a synapse at the detection limit is found four times in five
SURE = 0.95  # posterior from which a sign or a rival is stated
BEFORE_S, AFTER_S = 3 * MS, 8 * MS  # of the spike, that full-rate averages tell
_SUSPECT, _SUSPECT_Z = 0.5, 3.5
_LATE_S = 60.0  # of a recording, that tell of suspects that were none when it was followed
_ONE_WAY = 0.2  # posterior that the weaker direction of an electrical synapse needs


class RejectedPair(NamedTuple):
    """A pair that answers, and not as a synapse does."""

    pre: str
    post: str
    why: str


class Called(NamedTuple):
    """What each ordered pair is."""

    is_synapse: Bool[ndarray, "pre post"]
    is_kind_open: Bool[ndarray, "pre post"]  # synapses that may be gap junctions
    is_electrical: Bool[ndarray, "pre post"]
    is_path: Bool[ndarray, "pre post"]  # polysynaptic
    undecidable: UInt8[ndarray, "pre post"]
    q: Float64[ndarray, "pre post"]
    limit_v: Float64[ndarray, "pre post"]
    sign: Int8[ndarray, " pre"]
    rejected: tuple[RejectedPair, ...]


def call(
    recording: Recording,
    cells: Neurons,
    fit: Fit,
    judged: Judged,
    undecidable: UInt8[ndarray, "pre post"],
    *,
    fdr: float,
    plausible_v: float,
    averaged: RunningAverages | None = None,
    n_threads: int = 1,
    progress: Progress,
) -> Called:
    """Return which pairs are synapses at this false-discovery rate, and why the others are not.

    Full-rate averages that were kept up while the recording grew need no other look at its samples; of suspects
    that are not among them a minute is read.
    """
    undecidable = undecidable.copy()

    def average(pairs: Int64[ndarray, "pairs 2"]) -> Averages:
        return _full_rate(recording, cells, pairs, averaged, n_threads, progress)

    talk, rejected = _cross_talk(recording, cells, fit, judged, ~np.isnan(judged.direct), average)
    is_open = ~np.isnan(judged.direct) & (undecidable == Undecidable.DECIDED) & ~talk
    undecidable[talk] = Undecidable.CROSS_TALK
    is_electrical = _electrical(recording, fit, judged, is_open)
    is_open = is_open & ~is_electrical
    q = np.full(is_open.shape, np.nan)
    q[is_open] = np.clip(expected_fdr(1 - judged.direct[is_open]), 0.0, 1.0)
    is_synapse = is_open & (q <= fdr)
    is_kind_open = is_synapse & may_be_junction(fit, judged.sign, judged.family[Family.ELECTRICAL], talk)
    common = judged.family[Family.COMMON] + judged.family[Family.ELECTRICAL]
    undecidable[is_open & ~is_synapse & (common > SURE)] = Undecidable.COMMON_DRIVE
    limit_v = _limits(judged, is_synapse, n_tests=int(np.count_nonzero(is_open)), fdr=fdr)
    unseen = ~is_synapse & ~is_electrical & ~(limit_v <= plausible_v)
    np.fill_diagonal(unseen, False)
    undecidable[unseen & (undecidable == Undecidable.DECIDED)] = Undecidable.TOO_FEW_SPIKES
    sure = np.where(np.any(is_synapse, axis=1), judged.excitatory, 0.5)
    sign = np.where(sure > SURE, 1, np.where(sure < 1 - SURE, -1, 0)).astype(np.int8)
    is_path = is_open & ~is_synapse & (judged.family[Family.INDIRECT] > SURE)
    return Called(is_synapse, is_kind_open, is_electrical, is_path, undecidable, q, limit_v, sign, rejected)


def _electrical(recording: Recording, fit: Fit, judged: Judged, is_open: ndarray) -> Bool[ndarray, "pre post"]:
    """Return the pairs that pass on spikes both ways, by their likeliest explanation or by what only junctions do."""
    # few pairs are likely enough: what the other direction says is asked of them alone
    out, electric = np.zeros(is_open.shape, dtype=np.bool_), judged.family[Family.ELECTRICAL]
    i, j = np.nonzero(is_open & (electric > _ONE_WAY))
    both_ways = is_open[j, i] & (electric[j, i] > _ONE_WAY) & (electric[i, j] + electric[j, i] > 2 * _SUSPECT)
    out[i, j] = both_ways & (fit.beta[i, ZERO, j] > 0) & (fit.beta[j, ZERO, i] > 0)
    if recording.rate_hz < MIN_RATE_HZ:  # an amplifier's copy may do the same
        return out
    comes_through = passes_on(fit)
    i, j = np.nonzero(comes_through)
    one, other = (np.where(is_open[k, m], judged.family[Family.CROSS_TALK, k, m], 1.0) for k, m in ((i, j), (j, i)))
    out[i, j] |= comes_through[j, i] & (one + other < 2 * _SUSPECT)
    return out


def _limits(judged: Judged, called: ndarray, *, n_tests: int, fdr: float) -> Float64[ndarray, "pre post"]:
    """Return the size that is called four times in five: what the weakest calls needed, plus the power's share."""
    from scipy.special import ndtri

    size = np.abs(judged.amplitude_v[called] / judged.se_v[called])
    needed = float(np.quantile(size, 0.05)) if size.size >= 20 else float(-ndtri(fdr / max(n_tests, 1) / 2))
    return (needed + POWER_Z) * judged.se_v


def suspects(fit: Fit, judged: Judged, is_open: Bool[ndarray, "pre post"]) -> Int64[ndarray, "pairs 2"]:
    """Return the pairs that answer in the spike's own row, or are likelier something than nothing."""
    at_once = np.abs(box_z(fit, ZERO)) > _SUSPECT_Z
    other = judged.family.sum(axis=0) > _SUSPECT
    return np.argwhere(is_open & (at_once | other)).astype(np.int64)


def with_own(pairs: Int64[ndarray, "pairs 2"]) -> Int64[ndarray, "more 2"]:
    """Return the pairs, and after them each of their presynaptic neurons with itself: its action potential."""
    pre = np.unique(pairs[:, 0])
    return np.concatenate([pairs, np.column_stack([pre, pre])])


def _cross_talk(
    recording: Recording,
    cells: Neurons,
    fit: Fit,
    judged: Judged,
    is_open: ndarray,
    average: Callable[[Int64[ndarray, "pairs 2"]], Averages],
) -> tuple[Bool[ndarray, "pre post"], tuple[RejectedPair, ...]]:
    """Return the pairs that are an amplifier's, by the rows alone or by the full-rate traces, and say why."""
    is_talk = is_open & (judged.family[Family.CROSS_TALK] > SURE)
    why = {(int(i), int(j)): "cross-talk: up and at once back down after the spike" for i, j in np.argwhere(is_talk)}
    asked = suspects(fit, judged, is_open)
    if len(asked) and recording.rate_hz >= MIN_RATE_HZ:
        found, n = average(with_own(asked)), len(asked)
        own = np.unique(asked[:, 0], return_inverse=True)[1]
        seen = cross_talk(found.select(np.arange(n)), found.select(n + own.ravel()))
        for k in np.flatnonzero(seen.is_cross_talk):
            i, j = (int(m) for m in asked[k])
            is_talk[i, j] = True
            why[i, j] = _why(seen, int(k))
    labels = [recording.channel_labels[c] for c in cells.channel]
    return is_talk, tuple(RejectedPair(labels[i], labels[j], text) for (i, j), text in sorted(why.items()))


def _full_rate(
    recording: Recording,
    cells: Neurons,
    pairs: Int64[ndarray, "pairs 2"],
    averaged: RunningAverages | None,
    n_threads: int,
    progress: Progress,
) -> Averages:
    """Return averages of full-rate traces, from what was kept up with the recording where that knows of a pair."""

    def read(some: Int64[ndarray, "some 2"], most_s: float) -> Averages:
        frames = {int(i): cells.frames(int(i)) for i in np.unique(some)}
        return averages(
            recording, frames, cells.channel, some, before_s=BEFORE_S, after_s=AFTER_S, most_s=most_s,
            n_threads=n_threads, progress=progress,
        )  # fmt: skip

    if averaged is None:
        return read(pairs, np.inf)
    place = averaged.places(pairs)
    late = np.flatnonzero(place < 0)
    if len(late) == len(pairs):
        return read(pairs, _LATE_S)
    found = averaged.averages().select(place)
    if late.size:
        more = read(pairs[late], _LATE_S)
        found.mean_v[late], found.se_v[late], found.n_spikes[late] = more.mean_v, more.se_v, more.n_spikes
    return found


def _why(talk: CrossTalk, k: int) -> str:
    return (
        f"cross-talk: {talk.peak_v[k] / MV:+.2f} mV at {talk.peak_s[k] / MS:.1f} ms, starting before 0.6 ms, "
        "following the presynaptic action potential's own course and gone in 2.5 ms"
    )
