"""What unseen neurons cost: scale-free networks copied from a few of their neurons, and again with all of them seen.

The second run is the oracle with the true common input: every neuron that drives two of the few is among the
regressors.  Only pairs of the few are scored, by the same judge, so the difference is what no method can tell
from spikes of the few alone, as long as it does not know the others.

Run with: python benchmarks/spikes_hidden.py [--seeds 1 2 3]
"""

import argparse

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from spikes_nets import IzhikevichNet, Net, izhikevich
from train_spikes import described, trains_of

from neurograft.copying.spikes._judge import trained_judge, verdict

N, FEW, SECONDS = 400, 60, 1800.0


def part_of(net: Net, few: np.ndarray) -> Net:
    place = np.full(len(net.weight), -1)
    place[few] = np.arange(few.size)
    keep = place[net.neuron] >= 0
    block = np.ix_(few, few)
    return Net(net.time_s[keep], place[net.neuron[keep]], net.seconds, net.weight[block], net.delay_s[block])


def judged_z(net: Net) -> np.ndarray:
    fires = trains_of(net).counts() > 0
    mask = fires[:, None] & fires[None, :] & ~np.eye(fires.size, dtype=bool)
    return np.abs(np.nan_to_num(verdict(described(net), mask, trained_judge()).z))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    args = parser.parse_args()
    print(f"{FEW} of {N} neurons scored; AUC, AP where only they are seen; AUC, AP where all are seen")
    for seed in args.seeds:
        rng = np.random.default_rng([seed, 17])
        spec = IzhikevichNet(
            n=N, n_seen=N, outputs=16, scale_free=True, inh_delay_ms=(1, 1), rate_hz=2.5, seconds=SECONDS
        )
        net = izhikevich(spec, seed=9000 + seed)
        few = np.sort(rng.choice(N, size=FEW, replace=False))
        off = ~np.eye(FEW, dtype=bool)
        truth = net.weight[np.ix_(few, few)][off] != 0
        seen_alone = judged_z(part_of(net, few))[off]
        all_seen = judged_z(net)[np.ix_(few, few)][off]
        row = [f(truth, z) for z in (seen_alone, all_seen) for f in (roc_auc_score, average_precision_score)]
        print(f"seed {seed}: {truth.sum()} synapses  " + "  ".join(f"{x:.3f}" for x in row), flush=True)


if __name__ == "__main__":
    main()
