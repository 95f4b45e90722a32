"""How many synapses an oracle could call at 5 % false that knows all but the one synapse: the information limit.

    python benchmarks/suite_limit.py [--kinds silent,fast] [--modes array,membrane] [--seeds 3]

The oracle knows the spikes of every neuron, the course of potentials, every other synapse, every presynaptic sign,
each membrane's noise after each neuron's spikes, and how strong true synapses are.  It sees what the copier sees (rows,
blanks, pads' noise): a mean potential A has the standard error s / sqrt(spikes x sum of the whitened course squared)
(Cramer and Rao), so z = A / error + a normal number.  It ranks pairs by their likelihood ratio and calls as many as
hold 5 % false: no copier can pass its recall.  A is the truth's strength at rest times the mean answer of its
vesicles to the true train, times one factor a sign for what pads' millivolts and driving forces are worth, the median
of found synapses.  Pairs are those of neurons that the recording shows from inside.  Training seeds; the suite's
held-out seeds are not looked at.
"""

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import neurograft.copying._intracellular as room
from neurograft.copying import copy_intracellular
from neurograft.culture import Culture, culture_named, grow, record, record_membrane
from neurograft.maps import Kind, SynapseMap, Undecidable
from neurograft.spikes import SpikeTrains

N_NEURONS, INPUTS, FDR, N_DRAWS = 50, 6.0, 0.05, 20
SECONDS = {"silent": 240.0, "fast": 60.0}
KINDS = ("silent", "fast", "noisy", "driven", "calm", "bursting", "hidden")
LAST_ROW = 34
CALLED = (Kind.CHEMICAL, Kind.EXCITATORY_WEAK, Kind.EXCITATORY_STRONG, Kind.INHIBITORY, Kind.UNDECIDED)


@dataclass(frozen=True)
class Row:
    """Of pairs between neurons seen from inside."""

    kind: str
    mode: str
    seed: int
    n_true: int
    middle_z: float  # median of A / error over true synapses
    oracle: float
    ours: float
    decided: float  # share of the true pairs that the copier takes for decidable
    oracle_decided: float
    ours_decided: float
    n_calls: int
    n_false: int

    def line(self) -> str:
        return (
            f"| {self.kind} | {self.mode} | {self.seed} | {self.n_true} | {self.middle_z:.1f} | {self.oracle:.2f} | "
            f"{self.ours:.2f} | {self.decided:.2f} | {self.oracle_decided:.2f} | {self.ours_decided:.2f} | "
            f"{self.n_calls}, {self.n_false} |"
        )


def mean_answer(time_s: np.ndarray, use: float, recovery_s: float, facilitation_s: float) -> float:
    """Return the mean answer to a train over the first, by Tsodyks and Markram's recursion."""
    ready, now, total = 1.0, use, 0.0
    for k, t in enumerate(time_s):
        if k > 0:
            gap = t - time_s[k - 1]
            ready = 1.0 + (ready * (1.0 - now) - 1.0) * math.exp(-gap / recovery_s)
            kept = math.exp(-gap / facilitation_s) if facilitation_s > 0 else 0.0
            now = use + now * (1.0 - use) * kept
        total += now * ready / use
    return total / max(len(time_s), 1)


def errors_v(found: Any) -> np.ndarray:
    """Return the standard error of each pair's mean potential when all else is known, [pre, post], inf where unseen."""
    fit, shape = found.fit, found.shape
    t = (np.arange(LAST_ROW) + 0.5) * 1e-3
    course = np.exp(-t / shape.decay_s) - np.exp(-t / shape.rise_s)
    course = np.concatenate([np.zeros(found.whitener.coefficient.shape[0]), course / course.max()])
    order = found.whitener.coefficient.shape[0]
    white = course[order:, None] - sum(
        found.whitener.coefficient[lag - 1] * course[order - lag : len(course) - lag, None]
        for lag in range(1, order + 1)
    )
    information = fit.n_kept * np.sum(white**2, axis=0) / np.maximum(fit.noise, 1e-30) ** 2
    return np.where(information > 0, 1 / np.sqrt(np.maximum(information, 1e-300)), np.inf)


def oracle_recall(z: np.ndarray, size: np.ndarray, error: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share of true pairs (z > 0) that the oracle calls; ``size`` are all true strengths, in V."""
    is_true, total = z > 0, 0.0
    sizes = np.quantile(size, np.linspace(0.01, 0.99, 50))
    for _ in range(N_DRAWS):
        seen = z + rng.standard_normal(z.size)
        shift = sizes / error[:, None]
        ratio = np.logaddexp.reduce(seen[:, None] * shift - 0.5 * shift**2, axis=1)
        order = np.argsort(-ratio)
        false = np.cumsum(~is_true[order])
        good = np.flatnonzero(false <= FDR * np.arange(1, z.size + 1))
        total += is_true[order[: good[-1] + 1]].sum() if good.size else 0.0
    return total / N_DRAWS / max(is_true.sum(), 1)


def row_of(kind: str, mode: str, seed: int) -> Row:
    options = culture_named(kind, n_neurons=2 * N_NEURONS if kind == "hidden" else N_NEURONS, inputs_per_neuron=INPUTS)
    culture = grow(options, seed=seed)
    seen = (record if mode == "array" else record_membrane)(culture, seconds=SECONDS.get(kind, 120.0), seed=seed)
    held: list[Any] = []
    fitted = room._fitted
    room._fitted = lambda *all_: held.append(fitted(*all_)) or held[-1]
    try:
        copied = copy_intracellular(seen.recording)
    finally:
        room._fitted = fitted
    return judged(kind, mode, seed, culture, seen, copied.map, copied.spikes, errors_v(held[0]))


def judged(
    kind: str, mode: str, seed: int, culture: Culture, seen: Any, m: SynapseMap, spikes: SpikeTrains, error: np.ndarray
) -> Row:
    truth, synapses = seen.truth, culture.options.synapses
    place = {label: k for k, label in enumerate(truth.labels)}
    inside = {m.labels[i]: i for i in range(m.n_neurons) if m.labels[i] in place and shows(seen, m.labels[i])}
    at = np.array(list(inside.values()))
    of = np.array([place[label] for label in inside])
    strength, true_trains = np.zeros((truth.n_neurons,) * 2), seen.spikes.by_neuron()
    chemical = truth.kind != Kind.ELECTRICAL
    for i, j, w, use in zip(
        truth.pre[chemical], truth.post[chemical], truth.weight_v[chemical],
        truth.extra["release_probability"][chemical], strict=True,
    ):  # fmt: skip
        strength[i, j] = w * mean_answer(true_trains[i], use, synapses.recovery_s, synapses.facilitation_s)
    strength, error = strength[np.ix_(of, of)], error[np.ix_(at, at)]
    called = np.zeros((m.n_neurons,) * 2)
    ours = (m.weight_v != 0) & np.isin(m.kind, CALLED)
    called[m.pre[ours], m.post[ours]] = m.extra["mean_v"][ours]
    called = called[np.ix_(at, at)]
    off = ~np.eye(len(at), dtype=bool)
    for sign in (-1, 1):
        both = (np.sign(called) == sign) & (np.sign(strength) == sign)
        if both.sum() >= 5:
            strength[np.sign(strength) == sign] *= np.median(called[both] / strength[both])
    is_true = (strength != 0) & off
    known = np.isfinite(error)
    z = np.where(is_true & known, np.abs(strength) / error, 0.0)[off]
    sizes, hit = np.abs(strength[is_true]), (called != 0) & is_true
    is_open = (m.evidence.undecidable == Undecidable.DECIDED)[np.ix_(at, at)]
    some = is_open[off]
    oracle, of_decided = (
        oracle_recall(z[which], sizes, error[off][which], np.random.default_rng(seed))
        for which in (np.full(z.size, True), some)
    )
    return Row(
        kind, mode, seed, int(is_true.sum()), float(np.median(z[is_true[off]])), oracle,
        float(hit.sum() / max(is_true.sum(), 1)), float(np.mean(is_open[is_true])), of_decided,
        float((hit & is_open).sum() / max((is_true & is_open).sum(), 1)), int(np.count_nonzero(called[off])),
        int(np.count_nonzero((called != 0) & off & ~is_true)),
    )  # fmt: skip


def shows(seen: Any, label: str) -> bool:
    """Tell whether the channel of that name is inside of one neuron, the one that it is named for."""
    channel = seen.recording.channel_labels.index(label)
    first, second = seen.channel_neuron[channel]
    return first >= 0 and second < 0 and seen.truth.labels[first] == label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--modes", default="array,membrane")
    parser.add_argument("--seeds", default="3")
    args = parser.parse_args()
    head = ["kind", "signal", "seed", "true pairs", "median z", "oracle", "ours", "decided"]
    print(f"| {' | '.join([*head, 'oracle of these', 'ours of these', 'our calls, false'])} |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for kind in args.kinds.split(","):
        for seed in map(int, args.seeds.split(",")):
            assert seed < 100, "seeds from 100 on are held out"
            for mode in args.modes.split(","):
                print(row_of(kind, mode, seed).line(), flush=True)


if __name__ == "__main__":
    main()
