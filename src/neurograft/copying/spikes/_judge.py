"""The trained judge's verdict on all pairs: which sign, how sure, and the share of wrong ones among those called.

The judge was trained on many families of simulated networks (``benchmarks/train_spikes.py``).  Its
probabilities are checked on this recording: the same judge sees the same trains with every spike drawn anew
within its fixed window of 20 ms (Platkiewicz 2021: interval jitter), where no synapse can be left.  Jitter keeps
nothing of what unseen neurons do within 20 ms; for that the odds are calibrated by the recording's own signs of it.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int8
from numpy import ndarray
from numpy.random import Generator

from neurograft.copying.spikes._dale import by_sign_of_neuron
from neurograft.copying.spikes._features import Described
from neurograft.copying.spikes._model import Calibration, Judge, load_judge, log_odds
from neurograft.copying.spikes._usual import Seen, by_usual_course
from neurograft.errors import CopyError
from neurograft.spikes import SpikeTrains, spike_trains
from neurograft.units import MS

JITTER_S = 20 * MS
FASTEST_JUDGED_HZ = 100.0  # on average; the families that taught it stay under 62, but for one network
_ROWS_AT_ONCE = 200_000
_CLEAR_Z = 5.0
N_SIGNS = 3
_TAIL_DECOYS = 10  # 20 and 40 withhold as much of jittered recordings, and more of true ones
_LEAST_TAIL = 1e-3  # of log odds: decoys all alike
_LEAST_CHANCE = 1e-12
_MOST_SYNCHRONY_Z = 7.5  # that the calibration has seen; its line says nothing of recordings beyond


class Verdict(NamedTuple):
    """Axes pre, post; NaN where a pair was not judged."""

    chance: Float64[ndarray, "pre post"]  # that there is a synapse of this direction
    direction: Int8[ndarray, "pre post"]  # +1 excitatory, -1 inhibitory
    z: Float64[ndarray, "pre post"]  # the normal deviate whose likelihood ratio is the pair's odds, signed


@cache
def trained_judge() -> Judge:
    """Return the judge that the package brings."""
    return load_judge(Path(__file__).with_name("_judge.npz"))


def verdict(described: Described, is_judged: ndarray, judge: Judge) -> Verdict:
    """Return what the judge says of every pair of the mask."""
    if described.names != judge.trees.names:
        raise CopyError("The trained judge was made for other features than this version computes. Train it again.")
    odds = [np.full(is_judged.shape, -np.inf) for _ in range(2)]
    flat = is_judged.size
    seen = Seen(described.even.reshape(flat, -1), described.scores.z.reshape(flat, -1))
    place = np.flatnonzero(is_judged)
    for store, rows, sign in zip(odds, (described.excitatory, described.inhibitory), (1.0, -1.0), strict=True):
        store[is_judged] = by_usual_course(_odds(rows[is_judged], judge), seen, place, described.grid, sign=sign)
    signs = recording_signs(described.names, described.excitatory[is_judged])
    regular = regularity(described.names, described.excitatory[is_judged])
    both = by_sign_of_neuron(odds[0], odds[1], is_judged, judge.prior)
    odds = calibrated((both[0][is_judged], both[1][is_judged]), signs, regular, judge.calibration)
    is_excitatory = odds[0] >= odds[1]
    best = np.where(is_excitatory, odds[0], odds[1])
    chance, z = np.full(is_judged.shape, np.nan), np.full(is_judged.shape, np.nan)
    direction = np.zeros(is_judged.shape, dtype=np.int8)
    direction[is_judged] = np.where(is_excitatory, 1, -1)
    chance[is_judged] = 1 / (1 + np.exp(-best))
    # A Bayes factor B is worth sqrt(2 ln B); softened near and below 1 so that order is kept.
    factor = best - np.log(judge.prior / (1 - judge.prior))
    z[is_judged] = direction[is_judged] * np.sqrt(2 * np.logaddexp(0.0, factor))
    return Verdict(chance, direction, z)


def recording_signs(names: tuple[str, ...], rows: Float32[ndarray, "pairs features"]) -> Float64[ndarray, " signs"]:
    """Return what the recording itself shows of coincidences that no synapse makes.

    The z of the most synchronous hundredth of pairs, at lags too short for a synapse; and of the clear peaks the
    odds (logarithm) that they are rather a bump, as unseen neurons make them, than a synapse's course, and that they
    are rather a course read backwards.  Synchrony counts as far as it is known what it means: strong synapses of
    neurons that are seen make much more of it, for one neuron's targets fire together.
    """
    column = {name: rows[:, k] for k, name in enumerate(names)}
    if not len(rows):
        return np.zeros(N_SIGNS)
    clear = column["course z"] > _CLEAR_Z
    odd = [np.count_nonzero(clear & (column[f"course over {rival}"] < 0)) for rival in ("bump", "backward")]
    odds = [np.log(n + 0.5) - np.log(np.count_nonzero(clear) - n + 0.5) for n in odd]
    return np.array([min(float(column["clean zero lag, top"][0]), _MOST_SYNCHRONY_Z), *odds])


def regularity(names: tuple[str, ...], rows: Float32[ndarray, "pairs features"]) -> Float64[ndarray, " pairs"]:
    """Return what share of an expected spike is missing within 10 ms of one of the target's own; 0 to 1.

    A target that fires regularly, or in step with others by gap junctions, has troughs that nobody makes.
    """
    return np.clip(-rows[:, names.index("post bursts")].astype(np.float64), 0.0, 1.0)


def calibrated(
    odds: tuple[Float64[ndarray, " pairs"], Float64[ndarray, " pairs"]],
    signs: Float64[ndarray, " signs"],
    regular: Float64[ndarray, " pairs"],
    calibration: Calibration,
) -> tuple[Float64[ndarray, " pairs"], Float64[ndarray, " pairs"]]:
    """Return what log odds, excitatory and inhibitory, proved to be worth in recordings like this."""
    base = calibration.base + float(signs @ calibration.signs)
    up, down = (base + calibration.slope * each for each in odds)
    return up, down + calibration.inhibition + calibration.regular * regular


def q_values(found: Verdict, decoys: list[Verdict]) -> Float64[ndarray, "pre post"]:
    """Return the expected share of wrong ones among the pairs of one sign that are at least as sure.

    The mean chance of being wrong, or what the decoys say where that is more: pairs of a jittered
    recording at least as sure, over those of the true one, for the mean of all decoys.
    """
    q = np.full(found.chance.shape, np.nan)
    for direction in (1, -1):
        mine = found.direction == direction
        chance = found.chance[mine]
        order = np.argsort(-chance, kind="stable")
        rank = np.arange(1, chance.size + 1)
        share = np.cumsum(1 - chance[order]) / rank
        others = [decoy.chance[decoy.direction == direction] for decoy in decoys]
        false = as_sure(np.concatenate(others), chance[order]) / len(decoys) if decoys else np.zeros(chance.size)
        seen = np.minimum.accumulate((false / rank)[::-1])[::-1]
        answer = np.empty(chance.size)
        answer[order] = np.minimum(np.maximum(share, seen), 1.0)
        q[mine] = answer
    return q


def as_sure(decoys: Float64[ndarray, " decoys"], chance: Float64[ndarray, " pairs"]) -> Float64[ndarray, " pairs"]:
    """Return how many decoys are to be expected at least as sure: those that are, or what the tail of them leads to.

    That no decoy is as sure as two calls says little where others come near.  In log odds the surest are taken for
    an exponential tail over the next one (Hill 1975, Ann. Stat. 3, 1163), which is read on beyond them.
    """
    sorted_decoys = np.sort(decoys)
    counted = (decoys.size - np.searchsorted(sorted_decoys, chance, side="left")).astype(np.float64)
    if decoys.size < 2 * _TAIL_DECOYS:
        return counted
    tail = _log_odds(sorted_decoys[-_TAIL_DECOYS - 1 :])
    over = _log_odds(chance) - tail[0]
    mean = max(float(np.mean(tail[1:] - tail[0])), _LEAST_TAIL)
    return np.where(over > 0, np.maximum(counted, _TAIL_DECOYS * np.exp(-np.maximum(over, 0.0) / mean)), counted)


def _log_odds(chance: Float64[ndarray, " pairs"]) -> Float64[ndarray, " pairs"]:
    inside = np.clip(chance, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    return np.log(inside) - np.log1p(-inside)


def jittered(trains: SpikeTrains, bin_s: float | None, rng: Generator) -> SpikeTrains:
    """Return the trains with every spike drawn anew within its fixed window; on the grid of ``bin_s`` if given."""
    start_s, stop_s = trains.epochs_s.T
    epoch = np.searchsorted(start_s, trains.time_s, side="right") - 1
    low_s = np.maximum(np.floor(trains.time_s / JITTER_S) * JITTER_S, start_s[epoch])
    high_s = np.minimum(low_s + JITTER_S, stop_s[epoch])
    time_s = low_s + rng.random(trains.n_spikes) * (high_s - low_s)
    if bin_s is not None:
        time_s = np.round(time_s / bin_s) * bin_s
    time_s = np.clip(time_s, start_s[epoch], np.nextafter(stop_s[epoch], -np.inf))
    return spike_trains(
        time_s=time_s,
        neuron=trains.neuron,
        n_neurons=trains.n_neurons,
        epochs_s=np.array(trains.epochs_s),
        labels=trains.labels,
    )


def _odds(rows: ndarray, judge: Judge) -> Float64[ndarray, " rows"]:
    parts = [log_odds(judge, rows[first : first + _ROWS_AT_ONCE]) for first in range(0, len(rows), _ROWS_AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(0)
