"""Train the judge of ``copy_spikes`` on simulated families, scored on families left out, and write its file.

Two rounds: judges fitted to features with drives as they are found at first, left out by simulator, say which synapses
are clear; beside those the drives are estimated anew, and judges are fitted to what comes of that.  The judge is the
mean of both rounds.  About two and a half hours of one core, most of it growing networks, which are kept in the cache
folder.  Nothing but simulated networks is used; seeds from 100 on are for reporting.
Run with: python benchmarks/train_spikes.py --cache FOLDER [--seeds 10] [--write] [--scores FILE]
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from spikes_families import FAMILIES, network
from spikes_nets import Net

import neurograft.copying
from neurograft.copying.spikes._correlogram import LagGrid, events, exposure
from neurograft.copying.spikes._coupling import BoxOptions
from neurograft.copying.spikes._dale import by_sign_of_neuron
from neurograft.copying.spikes._features import describe
from neurograft.copying.spikes._input import grid_of
from neurograft.copying.spikes._joint import all_correlograms
from neurograft.copying.spikes._judge import N_SIGNS, calibrated, jittered, recording_signs, regularity
from neurograft.copying.spikes._latent import DriveOptions, are_drives_told
from neurograft.copying.spikes._model import (
    LARGEST,
    Calibration,
    Judge,
    Line,
    Trees,
    load_judge,
    log_odds,
    pack,
    squash,
)
from neurograft.copying.spikes._network import CLEAR_CHANCE, FEWEST_CLEAR
from neurograft.copying.spikes._usual import Seen, by_usual_course
from neurograft.progress import silent
from neurograft.spikes import spike_trains

RISING = {"joint z", "local z", "clean flat z", "clean sharp z", "clean white z", "course z"}
RISING |= {f"{name}, relative" for name in RISING}
SIMULATORS = {  # left out together: they share cells and wiring
    "driven LIF": ("lif drive", "lif slow drive", "lif unseen sources"),
    "partly seen LIF": ("lif partly seen", "lif few seen"),
    "LIF seen whole": ("lif dense", "lif strong"),
    "far LIF": ("lif far", "lif hubs"),
    "near Izhikevich": ("izhikevich near",),
    "far Izhikevich": ("izhikevich far", "izhikevich hubs", "izhikevich long"),
    "adaptive cultures": tuple(
        f"culture {k}" for k in ("calm", "bursting", "late", "sorted", "hidden", "mostly hidden")
    ),
    "other cultures": tuple(f"culture {k}" for k in ("driven", "fast", "noisy", "electrical")),
}
# The others teach trees and line worse habits for these (average precision of families left out falls), so they serve
# calibration, caution and scores only: no judge has seen them.
UNTRAINED = ("lif strong", "lif far", "lif hubs")
REPORTED = ("lif late drive",)  # made later, neither trained on nor calibrated on
USED = tuple(f for f in FAMILIES if f not in REPORTED)
TRAINED = tuple(f for f in USED if not f.startswith("culture") and f not in UNTRAINED)
N_FORESTS = 3
PLAIN = Calibration(0.0, 1.0, np.zeros(N_SIGNS), 0.0, 0.0)
LEAST_ODDS = -2.0  # pairs below never come near a call
MOST_SEEDS = {"izhikevich": 6, "izhikevich long": 2, "culture": 3, "culture noisy": 2, "culture electrical": 2}
NOT_FRESH = ("culture noisy", "culture electrical", "izhikevich long")  # slow to grow


class Sample(NamedTuple):
    family: str
    seed: int
    kind: str  # full, or null (jittered: no synapse)
    names: tuple
    excitatory: np.ndarray  # [pairs, features]
    inhibitory: np.ndarray
    weight: np.ndarray
    is_judged: np.ndarray  # [pre, post]: which pairs the rows belong to
    seen: Seen  # of the pairs
    bin_s: float


def trains_of(net: Net):
    end_s = max(net.seconds, float(net.time_s.max(initial=0.0)) + 1e-9) + 1e-9
    return spike_trains(
        time_s=net.time_s, neuron=net.neuron, n_neurons=len(net.weight), epochs_s=np.array([[0.0, end_s]])
    )


def described(net: Net, clear: np.ndarray | None = None):
    trains = trains_of(net)
    grid = grid_of(trains)
    counts = all_correlograms(events(trains, grid), grid, threads=1, progress=silent)
    return describe(
        counts,
        trains.counts(),
        grid,
        exposed=exposure(trains, grid),
        n_bins_seen=trains.duration_s / grid.bin_s,
        drives=DriveOptions(),
        boxes=BoxOptions(),
        progress=silent,
        clear=clear,
    )


def without_synapses(net: Net, rng) -> Net:
    trains = trains_of(net)
    bin_s = grid_of(trains).bin_s
    moved = jittered(trains, bin_s if bin_s > 0.6e-3 else None, rng)
    return Net(moved.time_s, moved.neuron.astype(np.int64), net.seconds, 0 * net.weight, net.delay_s)


def sample(family: str, seed: int, kind: str, cache: Path, clear: np.ndarray | None = None) -> Sample:
    """Return one network's features, of the second judging where the first one's clear synapses are given."""
    net = network(family, seed, cache / "nets")
    fires = np.bincount(net.neuron, minlength=len(net.weight)) > 0
    ok = fires[:, None] & fires[None, :] & ~np.eye(fires.size, dtype=bool)
    path = cache / ("described" if clear is None else "beside") / f"{family.replace(' ', '_')}-{seed}-{kind}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "null":
            net = without_synapses(net, np.random.default_rng([seed, 5]))
        found = described(net, clear)
        part = path.with_suffix(".part.npz")
        np.savez(
            part,
            n=np.array(found.names),
            e=found.excitatory[ok],
            i=found.inhibitory[ok],
            w=net.weight[ok],
            even=found.even[ok].astype(np.float16),
            windows=found.scores.z[ok].astype(np.float16),
            bin_s=found.grid.bin_s,
        )
        part.rename(path)
    with np.load(path) as file:
        names = tuple(map(str, file["n"]))
        seen = Seen(file["even"], file["windows"])
        return Sample(family, seed, kind, names, file["e"], file["i"], file["w"], ok, seen, float(file["bin_s"]))


def balanced_rows(samples: list[Sample], rng):
    """Return features, answers and weights, all networks of LIF neurons weighing as much as all of Izhikevich's."""
    parts = []
    for cells in sorted({s.family.split()[0] for s in samples}):
        x, y, weight = rows_of([s for s in samples if s.family.split()[0] == cells], rng)
        parts.append((x, y, weight / weight.sum()))
    x, y, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return x, y, weight * len(weight) / weight.sum()


def rows_of(samples: list[Sample], rng, *, kept: float = 0.3):
    """Return features, answers and weights; clear non-synapses are thinned, recordings weigh like the root of pairs."""
    names = samples[0].names
    joint, clean = names.index("joint z"), names.index("clean flat z")
    x, y, weight = [], [], []
    for s in samples:
        for rows, answer in ((s.excitatory, s.weight > 0), (s.inhibitory, s.weight < 0)):
            near = (rows[:, joint] > 2.5) | (rows[:, clean] > 3.5) | answer
            take = near | (rng.random(len(rows)) < kept)
            x.append(rows[take])
            y.append(answer[take])
            weight.append(np.where(near[take], 1.0, 1 / kept) * np.sqrt(3000 / len(rows)))
    return np.concatenate(x), np.concatenate(y), np.concatenate(weight)


def fitted(samples: list[Sample]) -> Judge:
    """Return a judge whose trees are the mean of several forests, each drawn anew: one alone is worth less."""
    samples = [s for s in samples if s.family in TRAINED]
    names, forests = samples[0].names, []
    for seed in range(N_FORESTS):
        x, y, weight = balanced_rows(samples, np.random.default_rng(seed))
        model = HistGradientBoostingClassifier(
            max_iter=150,
            learning_rate=0.1,
            max_leaf_nodes=12,
            min_samples_leaf=60,
            l2_regularization=5.0,
            max_features=0.4,
            monotonic_cst=[int(name in RISING) for name in names],
            early_stopping=False,
            random_state=seed,
        )
        forests.append(trees_of(model.fit(x, y, sample_weight=weight), names))
    part = np.random.default_rng(N_FORESTS).random(len(x)) < 0.35
    line = fitted_line(x[part], y[part], weight[part], names)
    return Judge(mean_of(forests), line, PLAIN, float(np.average(y, weights=weight)))


def mean_of(forests: list[Trees]) -> Trees:
    """Return the trees of all forests as one, whose answer is their mean."""
    first = np.cumsum([0, *(f.feature.size for f in forests)])[:-1].astype(np.int32)
    inner = [f.feature >= 0 for f in forests]
    return Trees(
        names=forests[0].names,
        base=float(np.mean([f.base for f in forests])),
        root=np.concatenate([f.root + n for f, n in zip(forests, first, strict=True)]),
        feature=np.concatenate([f.feature for f in forests]),
        threshold=np.concatenate([f.threshold for f in forests]),
        left=np.concatenate([f.left + n * i for f, n, i in zip(forests, first, inner, strict=True)]).astype(np.int32),
        right=np.concatenate([f.right + n * i for f, n, i in zip(forests, first, inner, strict=True)]).astype(np.int32),
        value=np.concatenate([f.value / len(forests) for f in forests]),
    )


def judge_without(families: tuple, samples: list[Sample], folder: Path) -> Judge:
    """Return a judge that never saw these families, from the cache where it was fitted before.

    Delete the folder when features or training change: a kept judge is known by its families alone.
    """
    families = tuple(f for f in families if f in TRAINED)
    path = folder / f"without {', '.join(families) or 'none'}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **pack(fitted([s for s in samples if s.family not in families])))
    return load_judge(path)


def together(first: Judge, second: Judge) -> Judge:
    """Return the judge whose log odds are the mean of those of both, not calibrated."""
    lines = zip(first.line, second.line, strict=True)
    line = Line(*((a + b) / 2 for a, b in lines))
    return Judge(mean_of([first.trees, second.trees]), line, PLAIN, (first.prior + second.prior) / 2)


def fitted_line(x, y, weight, names: tuple) -> Line:
    """Return the logistic regression, its standardisation folded into the weights."""
    rising = np.array([name in RISING for name in names])
    columns = np.hstack([squash(x), np.clip(x[:, rising], 0.0, LARGEST)])
    scaler = StandardScaler().fit(columns)
    model = LogisticRegression(C=0.05, max_iter=200)
    model.fit(scaler.transform(columns), y, sample_weight=weight)
    slope = model.coef_[0] / scaler.scale_
    capped = np.zeros(len(names))
    capped[rising] = slope[len(names) :]
    return Line(float(model.intercept_[0] - slope @ scaler.mean_), slope[: len(names)], capped)


def trees_of(model, names: tuple) -> Trees:
    """Return scikit-learn's trees as plain arrays."""
    parts, root, size = [], [], 0
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        root.append(size)
        leaf = nodes["is_leaf"].astype(bool)
        parts.append(
            (
                np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
                np.where(leaf, 0, nodes["num_threshold"]).astype(np.float32),
                np.where(leaf, 0, nodes["left"] + size).astype(np.int32),
                np.where(leaf, 0, nodes["right"] + size).astype(np.int32),
                np.where(leaf, nodes["value"], 0).astype(np.float32),
            )
        )
        size += len(nodes)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    base = float(np.ravel(model._baseline_prediction)[0])
    return Trees(names, base, np.array(root, dtype=np.int32), *columns)


def q_of(chance):
    order = np.argsort(-chance)
    q = np.empty_like(chance)
    q[order] = np.cumsum(1 - chance[order]) / np.arange(1, chance.size + 1)
    return q


def score(s: Sample, up, down, *, fdr: float = 0.05):
    """Return AUC, average precision, calls, wrong calls, calls on the wrong sign, synapses."""
    truth = s.weight != 0
    best = np.maximum(up, down)
    sign = np.where(up >= down, 1, -1)
    calls = np.zeros(truth.size, dtype=bool)
    for chance, direction in ((up, 1), (down, -1)):
        mine = sign == direction
        calls[mine] = (q_of(chance[mine]) <= fdr) & (1 - chance[mine] <= 4 * fdr)
    wrong_sign = calls & truth & (np.sign(s.weight) != sign)
    both = 0 < truth.sum() < truth.size
    auc = roc_auc_score(truth, best) if both else np.nan
    ap = average_precision_score(truth, best) if both else np.nan
    return auc, ap, calls.sum(), (calls & ~truth).sum() + wrong_sign.sum(), wrong_sign.sum(), truth.sum()


def table(title: str, samples: list[Sample], answers: list) -> list[str]:
    lines = [f"{title}: AUC, AP, calls, false share, wrong signs, recall"]
    groups: dict = {}
    for s, (up, down) in zip(samples, answers, strict=True):
        groups.setdefault((s.kind, s.family), []).append(score(s, up, down))
    for (kind, family), rows in sorted(groups.items()):
        a = np.array(rows, dtype=float)
        calls, wrong, signs, truth = a[:, 2:].sum(axis=0)
        auc, ap = (np.nan, np.nan) if np.isnan(a[:, :2]).all() else np.nanmean(a[:, :2], axis=0)
        lines.append(
            f"{kind:5} {family:22} {len(rows)}  {auc:.3f} {ap:.3f} {calls:5.0f} "
            f"{wrong / max(calls, 1):.3f} {signs:3.0f} {(calls - wrong) / max(truth, 1):.3f}"
        )
    return lines


def more_cautious(calibration: Calibration, by: float) -> Calibration:
    """Return the calibration with so much taken from all log odds."""
    return calibration._replace(base=calibration.base - by)


def odds_of(judge: Judge, samples: list[Sample]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the log odds of both readings of each sample's pairs, all of a recording and of a neuron together."""
    answers = []
    for s in samples:
        both = [np.full(s.is_judged.shape, -np.inf) for _ in range(2)]
        seen, grid = Seen(*(x.astype(np.float32) for x in s.seen)), LagGrid(bin_s=s.bin_s)
        for store, rows, sign in zip(both, (s.excitatory, s.inhibitory), (1.0, -1.0), strict=True):
            store[s.is_judged] = by_usual_course(log_odds(judge, rows), seen, np.arange(len(rows)), grid, sign=sign)
        pooled = by_sign_of_neuron(both[0], both[1], s.is_judged, judge.prior)
        answers.append(tuple(x[s.is_judged] for x in pooled))
    return answers


def chances_of(samples, odds, calibration: Calibration):
    """Return the calibrated chances of both readings of each sample's pairs."""
    answers = []
    for s, pair in zip(samples, odds, strict=True):
        signs, regular = recording_signs(s.names, s.excitatory), regularity(s.names, s.excitatory)
        answers.append(tuple(1 / (1 + np.exp(-x)) for x in calibrated(pair, signs, regular, calibration)))
    return answers


def fitted_calibration(samples: list[Sample], odds) -> Calibration:
    """Return the logistic regression of being right on log odds, recording's signs, inhibition and regular targets.

    Recordings weigh like the root of their pairs.  The odds have to come from judges that did not see the family.
    """
    x, y, weight = [], [], []
    for s, (up, down) in zip(samples, odds, strict=True):
        if s.kind != "full":
            continue
        best = np.maximum(up, down)
        keep = best > LEAST_ODDS
        right = np.where(up >= down, s.weight > 0, s.weight < 0)[keep]
        signs = np.tile(recording_signs(s.names, s.excitatory), (right.size, 1))
        inhibits = (up < down)[keep].astype(np.float64)
        x.append(np.column_stack([best[keep], signs, inhibits, inhibits * regularity(s.names, s.excitatory)[keep]]))
        y.append(right)
        weight.append(np.full(right.size, 1 / np.sqrt(right.size + 5)))
    x, y, weight = np.concatenate(x), np.concatenate(y), np.concatenate(weight)
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=0.1).fit(scaler.transform(x), y, sample_weight=weight)
    slope = model.coef_[0] / scaler.scale_
    return Calibration(
        float(model.intercept_[0] - slope @ scaler.mean_),
        float(slope[0]),
        slope[1:-2],
        float(slope[-2]),
        float(slope[-1]),
    )


def needed_caution(samples, chances_at) -> float:
    """Return how much to take from the log odds so that left-out families have few false calls.

    The mean of the families (those with 20 calls) at 5 % at most, and the worst of them at 10 %: families that hold
    better than stated do not excuse the others.
    """
    for caution in np.arange(0.0, 3.1, 0.25):
        rows: dict = {}
        for s, pair in zip(samples, chances_at(caution), strict=True):
            if s.kind == "full":
                rows.setdefault(s.family, []).append(score(s, *pair)[2:4])
        sums = np.array([np.sum(r, axis=0) for r in rows.values()], dtype=float)
        many = sums[:, 0] >= 20
        share = sums[many, 1] / sums[many, 0]
        print(
            f"caution {caution:.2f}: {share.mean():.3f} false, mean of {many.sum()} families, worst {share.max():.3f}; "
            f"{sums[:, 0].sum():.0f} calls",
            flush=True,
        )
        if share.mean() <= 0.05 and share.max() <= 0.10:
            return float(caution)
    return 3.0


def beside_clear(s: Sample, chances, cache: Path) -> Sample:
    """Return the sample as the second judging sees it, drives estimated beside the synapses with these chances."""
    clear = np.zeros(s.is_judged.shape, dtype=bool)
    clear[s.is_judged] = np.maximum(*chances) > CLEAR_CHANCE
    n_drives = s.excitatory[0, s.names.index("drives")]
    if n_drives == 0 or np.count_nonzero(clear) < FEWEST_CLEAR * len(clear):
        return s
    return sample(s.family, s.seed, s.kind, cache, clear)


def joined(parts):
    """Return all samples, and what belongs to each, of several lists."""
    return [s for some, _ in parts for s in some], [x for _, some in parts for x in some]


def plan(n_seeds: int):
    for seed in range(1, n_seeds + 1):
        for family in USED:
            if seed > MOST_SEEDS.get(family, MOST_SEEDS.get(family.split()[0], n_seeds)):
                continue
            for kind in ("full", "null") if seed in (1, 3) else ("full",):
                yield family, seed, kind


class Validated(NamedTuple):
    """Samples judged and calibrated by what never saw their simulator."""

    by_simulator: list[tuple[list[Sample], list]]
    calibrations: list[Calibration]
    caution: float

    @classmethod
    def of(cls, samples: list[Sample], judge_of: Callable[[tuple], Judge]) -> "Validated":
        """Return the samples judged by judges that never saw the families left out, which ``judge_of`` is asked for."""
        by_simulator = []
        for title, families in SIMULATORS.items():
            held = [s for s in samples if s.family in families]
            by_simulator.append((held, odds_of(judge_of(families), held)))
            print(title, flush=True)
        # A family's calibration, too, has to know nothing of its simulator.
        calibrations = [
            fitted_calibration(*joined([pair for k, pair in enumerate(by_simulator) if k != out]))
            for out in range(len(by_simulator))
        ]
        found = cls(by_simulator, calibrations, 0.0)
        return found._replace(caution=needed_caution(found.held, found.chances_at))

    @property
    def held(self) -> list[Sample]:
        return joined(self.by_simulator)[0]

    @property
    def odds(self) -> list:
        return joined(self.by_simulator)[1]

    def chances(self) -> list:
        return self.chances_at(self.caution)

    def chances_at(self, caution: float) -> list:
        return [
            pair
            for (some, of_these), c in zip(self.by_simulator, self.calibrations, strict=True)
            for pair in chances_of(some, of_these, more_cautious(c, caution))
        ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True, help="folder for networks and their features")
    parser.add_argument("--seeds", type=int, default=10, help="networks of each LIF family")
    parser.add_argument("--write", action="store_true", help="write the judge's file into the package")
    parser.add_argument("--scores", type=Path, help="also write the tables here")
    args = parser.parse_args()
    plain = []
    for family, seed, kind in plan(args.seeds):
        one = sample(family, seed, kind, args.cache)
        if are_drives_told(len(one.is_judged), DriveOptions()):  # with fewer neurons the judge is not asked
            plain.append(one)
        print(family, seed, kind, len(one.weight), flush=True)

    def first(families: tuple) -> Judge:
        return judge_without(families, plain, args.cache / "judges")

    def both(families: tuple) -> Judge:
        return together(first(families), judge_without(families, beside, args.cache / "judges beside"))

    found = Validated.of(plain, first)
    beside = [beside_clear(s, pair, args.cache) for s, pair in zip(found.held, found.chances(), strict=True)]
    found = Validated.of(beside, both)
    held, odds, caution = found.held, found.odds, found.caution
    lines = table("families left out, not calibrated", held, chances_of(held, odds, PLAIN))
    lines += table("families left out, calibrated on the others", held, found.chances_at(0.0))
    lines += table(f"families left out, calibrated, caution {caution}", held, found.chances())
    judge = both(())._replace(calibration=more_cautious(fitted_calibration(held, odds), caution))
    if args.write:
        path = Path(neurograft.copying.__file__).parent / "spikes" / "_judge.npz"
        np.savez_compressed(path, **pack(judge))
        print(f"wrote {path}", flush=True)
    print("\n".join(lines), flush=True)
    fresh = [sample(family, 101, "full", args.cache) for family in USED if family not in NOT_FRESH]
    chances = chances_of(fresh, odds_of(judge, fresh), judge.calibration)
    fresh = [beside_clear(s, pair, args.cache) for s, pair in zip(fresh, chances, strict=True)]
    answers = chances_of(fresh, odds_of(judge, fresh), judge.calibration)
    lines += table("other seeds of the families trained on", fresh, answers)
    print("\n".join(lines[-len(fresh) - 1 :]))
    if args.scores:
        args.scores.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
