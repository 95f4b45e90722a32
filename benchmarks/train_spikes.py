"""Train the judge of ``copy_spikes`` on simulated families, scored on families left out, and write its file.

About an hour of one core, most of it growing networks, which are kept in the cache folder.  Nothing but
simulated networks is used; seeds from 100 on are for reporting.
Run with: python benchmarks/train_spikes.py --cache FOLDER [--seeds 6] [--write] [--scores FILE]
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from spikes_families import FAMILIES, network
from spikes_nets import Net

import neurograft.copying
from neurograft.copying._correlogram import events, exposure
from neurograft.copying._spikes_coupling import BoxOptions
from neurograft.copying._spikes_features import describe
from neurograft.copying._spikes_input import grid_of
from neurograft.copying._spikes_joint import all_correlograms
from neurograft.copying._spikes_judge import jittered
from neurograft.copying._spikes_latent import DriveOptions
from neurograft.copying._spikes_model import Judge, Trees, pack
from neurograft.progress import silent
from neurograft.spikes import spike_trains

RISING = {"joint z", "local z", "clean flat z", "clean sharp z", "clean white z"}
SIMULATORS = {  # left out together: they share cells and wiring
    "driven LIF": ("lif drive", "lif slow drive", "lif unseen sources"),
    "partly seen LIF": ("lif partly seen", "lif few seen"),
    "dense LIF": ("lif dense",),
    "near Izhikevich": ("izhikevich near",),
    "far Izhikevich": ("izhikevich far", "izhikevich hubs"),
    "adaptive cultures": tuple(
        f"culture {k}" for k in ("calm", "bursting", "late", "sorted", "hidden", "mostly hidden")
    ),
    "other cultures": tuple(f"culture {k}" for k in ("driven", "fast", "noisy", "electrical")),
}
SLOW_TO_GROW = {"culture noisy", "culture electrical"}


class Sample(NamedTuple):
    family: str
    seed: int
    kind: str  # full, few (6 to 14 of the neurons), null (jittered: no synapse)
    names: tuple
    excitatory: np.ndarray  # [pairs, features]
    inhibitory: np.ndarray
    weight: np.ndarray


def trains_of(net: Net):
    end_s = max(net.seconds, float(net.time_s.max(initial=0.0)) + 1e-9) + 1e-9
    return spike_trains(
        time_s=net.time_s, neuron=net.neuron, n_neurons=len(net.weight), epochs_s=np.array([[0.0, end_s]])
    )


def described(net: Net):
    trains = trains_of(net)
    grid = grid_of(trains)
    counts = all_correlograms(events(trains, grid), grid, threads=1, progress=silent)
    return trains.counts(), describe(
        counts,
        trains.counts(),
        grid,
        exposed=exposure(trains, grid),
        n_bins_seen=trains.duration_s / grid.bin_s,
        drives=DriveOptions(),
        boxes=BoxOptions(),
        progress=silent,
    )


def subset(net: Net, n: int, rng) -> Net:
    keep = np.sort(rng.permutation(len(net.weight))[:n])
    place = np.full(len(net.weight), -1)
    place[keep] = np.arange(n)
    mine = place[net.neuron] >= 0
    both = np.ix_(keep, keep)
    return Net(net.time_s[mine], place[net.neuron[mine]], net.seconds, net.weight[both], net.delay_s[both])


def without_synapses(net: Net, rng) -> Net:
    trains = trains_of(net)
    bin_s = grid_of(trains).bin_s
    moved = jittered(trains, bin_s if bin_s > 0.6e-3 else None, rng)
    return Net(moved.time_s, moved.neuron.astype(np.int64), net.seconds, 0 * net.weight, net.delay_s)


def sample(family: str, seed: int, kind: str, cache: Path) -> Sample:
    path = cache / "described" / f"{family.replace(' ', '_')}-{seed}-{kind}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        net, rng = network(family, seed, cache / "nets"), np.random.default_rng([seed, 5])
        if kind == "few":
            net = subset(net, min(int(rng.integers(6, 15)), len(net.weight)), rng)
        if kind == "null":
            net = without_synapses(net, rng)
        n_spikes, found = described(net)
        ok = (n_spikes > 0)[:, None] & (n_spikes > 0)[None, :] & ~np.eye(n_spikes.size, dtype=bool)
        part = path.with_suffix(".part.npz")
        np.savez(part, n=np.array(found.names), e=found.excitatory[ok], i=found.inhibitory[ok], w=net.weight[ok])
        part.rename(path)
    with np.load(path) as file:
        return Sample(family, seed, kind, tuple(map(str, file["n"])), file["e"], file["i"], file["w"])


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


def fitted(samples: list[Sample], *, seed: int = 0):
    x, y, weight = rows_of(samples, np.random.default_rng(seed))
    model = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.1,
        max_leaf_nodes=12,
        min_samples_leaf=60,
        l2_regularization=5.0,
        max_features=0.4,
        monotonic_cst=[int(name in RISING) for name in samples[0].names],
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(x, y, sample_weight=weight), float(np.average(y, weights=weight))


def judge_of(model, prior: float, names: tuple) -> Judge:
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
    return Judge(Trees(names, base, np.array(root, dtype=np.int32), *columns), prior)


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
        calls[mine] = q_of(chance[mine]) <= fdr
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


def answers_of(model, samples):
    return [(model.predict_proba(s.excitatory)[:, 1], model.predict_proba(s.inhibitory)[:, 1]) for s in samples]


def plan(n_seeds: int):
    for seed in range(1, n_seeds + 1):
        for family in FAMILIES:
            if family.startswith("culture") and seed > (2 if family in SLOW_TO_GROW else 3):
                continue
            for kind in ("full", "few", "null") if seed in (1, 3) else ("full", "few"):
                yield family, seed, kind


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True, help="folder for networks and their features")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--write", action="store_true", help="write the judge's file into the package")
    parser.add_argument("--scores", type=Path, help="also write the tables here")
    args = parser.parse_args()
    samples = []
    for family, seed, kind in plan(args.seeds):
        samples.append(sample(family, seed, kind, args.cache))
        print(family, seed, kind, len(samples[-1].weight), flush=True)
    lines = []
    for title, families in SIMULATORS.items():
        held = [s for s in samples if s.family in families]
        model, _ = fitted([s for s in samples if s.family not in families])
        lines += table(f"left out: {title}", held, answers_of(model, held))
        print(title, flush=True)
    model, prior = fitted(samples)
    fresh = [sample(family, 101, "full", args.cache) for family in FAMILIES if family not in SLOW_TO_GROW]
    lines += table("other seeds of the families trained on", fresh, answers_of(model, fresh))
    print("\n".join(lines))
    if args.scores:
        args.scores.write_text("\n".join(lines) + "\n")
    if args.write:
        path = Path(neurograft.copying.__file__).with_name("_spikes_judge.npz")
        np.savez_compressed(path, **pack(judge_of(model, prior, samples[0].names)))
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
