"""How many synapses an oracle could call at 5 % false that knows all but the one synapse: the information limit.

    python benchmarks/suite_limit.py [--kinds silent,fast] [--modes array,membrane] [--seeds 3]

The oracle knows the spikes of every neuron, the course and delay of potentials, every other synapse, every presynaptic
sign, each membrane's noise after each neuron's spikes, and how strong true synapses are.  It sees what the copier sees
(rows, blanks, pads' noise): a mean potential A has the standard error s / sqrt(spikes x sum of the whitened course
squared) (Cramer and Rao), so z = A / error + a normal number.  It ranks pairs by their likelihood ratio and calls as
many as hold 5 % false.  A second oracle does not know the other synapses: it fits all of
them at once and slow changes beside, as the copier does.  A is the truth's strength at rest times the mean answer of
its vesicles to the true train, times one factor a sign for what pads' millivolts and driving forces are worth: the
slope of all true pairs' measured potentials on it (that of found ones alone is too large: who is found by chance of a
large measurement is counted).  Pairs are those of neurons that the recording shows from inside.  Training seeds only.
"""

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import neurograft.copying.intracellular._intracellular as room
from neurograft.copying import copy_intracellular
from neurograft.copying.intracellular.judging._amplitude import alone
from neurograft.copying.intracellular.judging._templates import Family
from neurograft.culture import Culture, culture_named, grow, record, record_membrane
from neurograft.maps import Kind, SynapseMap, Undecidable

N_NEURONS, INPUTS, FDR, N_DRAWS, MOST_Z = 50, 6.0, 0.05, 20, 8.0
SECONDS = {"silent": 240.0, "fast": 60.0}
KINDS = ("silent", "fast", "noisy", "driven", "calm", "bursting", "hidden")
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
    fitting: float  # the oracle that has to fit all other synapses
    ours: float
    decided: float  # share of the true pairs that the copier takes for decidable
    fitting_decided: float
    ours_decided: float
    n_calls: int
    n_false: int

    def line(self) -> str:
        return (
            f"| {self.kind} | {self.mode} | {self.seed} | {self.n_true} | {self.middle_z:.1f} | {self.oracle:.2f} | "
            f"{self.fitting:.2f} | {self.ours:.2f} | {self.decided:.2f} | {self.fitting_decided:.2f} | "
            f"{self.ours_decided:.2f} | {self.n_calls}, {self.n_false} |"
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


def errors_v(found: Any, delay_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each pair's standard error when all else is known, and when all synapses are fitted at once, [pre, post].

    The third is z of the latter fit.

    Of the course at its own delay (the middle rise); untrue pairs, whose ``delay_s`` is NaN, take the usual delay.
    """
    fit, kinds = found.fit, found.kinds.of(Family.DIRECT)
    n, latency_s = fit.beta.shape[2], kinds.latency_s
    delay_s = np.where(np.isnan(delay_s), np.nanmedian(delay_s), delay_s)
    distance = np.abs(latency_s - delay_s[:, :, None])
    near = distance <= distance.min(axis=2, keepdims=True) + 1e-9
    which = np.array([[each.nonzero()[0][each.sum() // 2] for each in row] for row in near])
    pre, post = np.indices((n, n))
    all_at_once = alone(fit, kinds.image, np.arange(n))
    fitted, z = all_at_once.information[which, pre, post], all_at_once.z[which, pre, post]
    image = kinds.image[which, :, post]  # [pre, post, boxes]
    seen = fit.n_kept * (image**2 @ fit.boxes.width) / np.maximum(fit.noise, 1e-30) ** 2
    with np.errstate(divide="ignore"):
        return 1 / np.sqrt(np.maximum(seen, 0.0)), 1 / np.sqrt(np.maximum(fitted, 0.0)), z


def oracle_recall(
    z: np.ndarray, is_true: np.ndarray, size: np.ndarray, error: np.ndarray, rng: np.random.Generator
) -> float:
    """Return the share of true pairs that an oracle calls; ``size`` are all true strengths, ``error`` its own, in V."""
    total, sizes = 0.0, np.quantile(size, np.linspace(0.01, 0.99, 50))
    for _ in range(N_DRAWS):
        seen = z + rng.standard_normal(z.size)
        shift = sizes / error[:, None]
        order = np.argsort(-np.logaddexp.reduce(seen[:, None] * shift - 0.5 * shift**2, axis=1))
        false = np.cumsum(~is_true[order])
        good = np.flatnonzero(false <= FDR * np.arange(1, z.size + 1))
        total += is_true[order[: good[-1] + 1]].sum() if good.size else 0.0
    return total / N_DRAWS / max(is_true.sum(), 1)


def row_of(kind: str, mode: str, seed: int) -> Row:
    options = culture_named(kind, n_neurons=2 * N_NEURONS if kind == "hidden" else N_NEURONS, inputs_per_neuron=INPUTS)
    culture = grow(options, seed=seed)
    seen = (record if mode == "array" else record_membrane)(culture, seconds=SECONDS.get(kind, 120.0), seed=seed)
    held: list[Any] = []
    fitted = room.explained
    room.explained = lambda *all_: held.append(fitted(*all_)) or held[-1]
    try:
        copied = copy_intracellular(seen.recording)
    finally:
        room.explained = fitted
    return judged(kind, mode, seed, culture, seen, copied.map, held[0])


def judged(kind: str, mode: str, seed: int, culture: Culture, seen: Any, m: SynapseMap, found: Any) -> Row:
    truth, synapses = seen.truth, culture.options.synapses
    place = {label: k for k, label in enumerate(truth.labels)}
    inside = {m.labels[i]: i for i in range(m.n_neurons) if m.labels[i] in place and shows(seen, m.labels[i])}
    at = np.array(list(inside.values()))
    of = np.array([place[label] for label in inside])
    strength, delay_s = np.zeros((truth.n_neurons,) * 2), np.full((truth.n_neurons,) * 2, np.nan)
    true_trains, chemical = seen.spikes.by_neuron(), truth.kind != Kind.ELECTRICAL
    for i, j, w, late_s, use in zip(
        truth.pre[chemical], truth.post[chemical], truth.weight_v[chemical], truth.delay_s[chemical],
        truth.extra["release_probability"][chemical], strict=True,
    ):  # fmt: skip
        strength[i, j] = w * mean_answer(true_trains[i], use, synapses.recovery_s, synapses.facilitation_s)
        delay_s[i, j] = late_s
    strength = strength[np.ix_(of, of)]
    late_s = np.full((m.n_neurons,) * 2, np.nan)
    late_s[np.ix_(at, at)] = delay_s[np.ix_(of, of)]
    *errors, z = (each[np.ix_(at, at)] for each in errors_v(found, late_s))
    called = np.zeros((m.n_neurons,) * 2)
    ours = (m.weight_v != 0) & np.isin(m.kind, CALLED)
    called[m.pre[ours], m.post[ours]] = m.extra["mean_v"][ours]
    called = called[np.ix_(at, at)]
    off = ~np.eye(len(at), dtype=bool)
    for sign in (-1, 1):
        mine = np.sign(strength) == sign
        expected = np.where(mine & np.isfinite(errors[1]), strength / errors[1], 0.0)
        expected[np.abs(expected) > MOST_Z] = 0.0  # a handful would decide alone
        if np.count_nonzero(expected) >= 5:
            strength[mine] *= np.sum(z * expected) / np.sum(expected**2)
    is_true = (strength != 0) & off
    sizes, hit = np.abs(strength[is_true]), (called != 0) & is_true
    is_open = (m.evidence.undecidable == Undecidable.DECIDED)[np.ix_(at, at)]

    def recall(error: np.ndarray, which: np.ndarray) -> float:
        z = np.where(is_true & np.isfinite(error), np.abs(strength) / error, 0.0)
        return oracle_recall(z[which], is_true[which], sizes, error[which], np.random.default_rng(seed))

    return Row(
        kind=kind,
        mode=mode,
        seed=seed,
        n_true=int(is_true.sum()),
        middle_z=float(np.median((np.abs(strength) / errors[0])[is_true])),
        oracle=recall(errors[0], off),
        fitting=recall(errors[1], off),
        ours=float(hit.sum() / max(is_true.sum(), 1)),
        decided=float(np.mean(is_open[is_true])),
        fitting_decided=recall(errors[1], off & is_open),
        ours_decided=float((hit & is_open).sum() / max((is_true & is_open).sum(), 1)),
        n_calls=int(np.count_nonzero(called[off])),
        n_false=int(np.count_nonzero((called != 0) & off & ~is_true)),
    )


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
    head = ["kind", "signal", "seed", "true pairs", "median z", "oracle", "one that fits", "ours", "decided"]
    print(f"| {' | '.join([*head, 'the fitting one of these', 'ours of these', 'our calls, false'])} |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for kind in args.kinds.split(","):
        for seed in map(int, args.seeds.split(",")):
            assert seed < 100, "seeds from 100 on are held out"
            for mode in args.modes.split(","):
                print(row_of(kind, mode, seed).line(), flush=True)


if __name__ == "__main__":
    main()
