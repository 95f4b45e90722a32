"""How well any method could find the synapses of the LIF families: the detection limit of perfect knowledge.

The judge of this limit knows the rate of every neuron without the synapse at every moment (so all drives), the
delay, and the shape of the synapse's effect, and asks only whether it is there.  Its statistic is normal with unit
variance and mean z, z^2 = N sum_l g(l)^2 / (rate dt): N presynaptic spikes, g the extra spikes in a bin after each
(the Fisher information about the strength; Kobayashi et al. 2019 have the same for one exponential).  g is measured,
not assumed: in long runs of the same neurons under the same drives, kicked by undriven neurons, whose correlogram
is flat without them.  That the effect grows with the momentary rate is assumed: then only the mean rate counts.

"Search" is the same judge who must find the delay and the sign: the largest of all lags' statistics.  "Range" knows
the sign and between which delays the synapses of this network lie, but not where each of them does.

Run with: python benchmarks/spikes_limit.py --cache FOLDER [--seconds 500]
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from spikes_families import drawn, network
from spikes_nets import LifNet, kicked

from neurograft.copying.spikes._correlogram import LagGrid, events
from neurograft.copying.spikes._joint import all_correlograms
from neurograft.progress import silent
from neurograft.spikes import spike_trains

KICKS_PER_PSP = np.array([0.3, 0.6, 1.0, 1.7, 3.0, 5.0])
N_DRAWS = 40
LOOK_MS = 2.0  # lags that far apart are independent
LOOKS = 2 * 12  # to 24 ms, both signs


def information(net: LifNet, wanted_hz: np.ndarray, psp_mv: np.ndarray, *, seconds: float, seed: int) -> np.ndarray:
    """Return z^2 for each presynaptic spike; axes target rate, potential."""
    run, n_targets = kicked(net, wanted_hz, psp_mv, seconds=seconds, seed=seed)
    end_s = seconds + 1e-6
    trains = spike_trains(
        time_s=run.time_s, neuron=run.neuron, n_neurons=len(run.weight), epochs_s=np.array([[0, end_s]])
    )
    grid = LagGrid(bin_s=1e-3)
    counts = all_correlograms(events(trains, grid), grid, threads=1, progress=silent).astype(np.float64)
    n_spikes = trains.counts()
    window = slice(grid.n_half + 1, grid.n_half + 16)
    before = slice(0, grid.n_half - 15)
    answer = np.zeros((wanted_hz.size, psp_mv.size))
    for r in range(wanted_hz.size):
        for w in range(psp_mv.size):
            pairs = np.argwhere((run.weight == psp_mv[w]) & (np.arange(len(run.weight)) % wanted_hz.size == r)[None, :])
            pairs = pairs[pairs[:, 1] < n_targets]
            c = counts[pairs[:, 0], pairs[:, 1]].sum(axis=0)
            flat = c[before].mean()
            spikes = n_spikes[pairs[:, 0]].sum()
            answer[r, w] = max(np.sum((c[window] - flat) ** 2 - c[window]) / flat / spikes, 1e-9)
    return answer


def expected_z(net: LifNet, weight: np.ndarray, n_spikes: np.ndarray, *, seconds: float, seed: int) -> np.ndarray:
    """Return the z that perfect knowledge would give every synapse of the network on average, 0 where there is none."""
    rates = n_spikes / net.seconds
    wanted = np.maximum(np.quantile(rates, [0.1, 0.35, 0.65, 0.9]), 0.3)
    answer = np.zeros_like(weight)
    for sign, strength in ((1, 1.0), (-1, net.inhibition)):
        psp = np.minimum(net.psp_mv * strength * KICKS_PER_PSP, 12.0)
        table = np.log(information(net, wanted, sign * psp, seconds=seconds, seed=seed))
        for i, j in np.argwhere(np.sign(weight) == sign):
            at_rate = [np.interp(np.log(abs(weight[i, j])), np.log(psp), row) for row in table]
            at_rate = np.interp(np.log(max(rates[j], 1e-3)), np.log(wanted), at_rate)
            small = 2 * min(0.0, np.log(abs(weight[i, j]) / psp[0]))  # below the table z grows like the weight
            answer[i, j] = np.sqrt(np.exp(at_rate + small) * n_spikes[i])
    return answer


def limits(z: np.ndarray, n_null: int, rng: np.random.Generator, *, in_range: int) -> tuple[float, ...]:
    """Return AUC and average precision of perfect knowledge, then of range (so many looks), then of search."""
    scores: list[tuple[float, ...]] = []
    truth = np.concatenate([np.ones(z.size), np.zeros(n_null)])
    for _ in range(N_DRAWS):
        hit = rng.standard_normal(z.size) + z
        miss = rng.standard_normal(n_null)
        known = np.concatenate([hit, miss])
        ranked = [known]
        for looks in (in_range, LOOKS):
            other = rng.standard_normal((z.size, looks)).max(axis=1, initial=-np.inf, where=np.arange(looks) > 0)
            nothing = rng.standard_normal((n_null, looks)).max(axis=1)
            ranked.append(np.concatenate([np.maximum(hit, other), nothing]))
        scores.append(tuple(f(truth, s) for s in ranked for f in (roc_auc_score, average_precision_score)))
    return tuple(np.mean(scores, axis=0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=500.0)
    parser.add_argument("--families", nargs="*", default=["lif drive", "lif slow drive", "lif dense"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3, 4, 5, 6, 101])
    args = parser.parse_args()
    print(
        "family, seed: synapses, median z, share over 4; AUC, AP with delay known; with its range; with delay searched"
    )
    for family in args.families:
        rows = []
        for seed in args.seeds:
            net, run = drawn(family, seed), network(family, seed, args.cache / "nets")
            n_spikes = np.bincount(run.neuron, minlength=len(run.weight))
            z = expected_z(net, run.weight, n_spikes, seconds=args.seconds, seed=seed)
            seen = (n_spikes > 0)[:, None] & (n_spikes > 0)[None, :] & ~np.eye(len(z), dtype=bool)
            true = z[seen & (run.weight != 0)]
            n_null = int(np.count_nonzero(seen & (run.weight == 0)))
            looks = max(1, round((net.delay_ms[1] - net.delay_ms[0]) / LOOK_MS))
            rows.append(limits(true, n_null, np.random.default_rng(seed), in_range=looks))
            np.savez(args.cache / f"limit-{family.replace(' ', '_')}-{seed}.npz", z=z)
            shown = " ".join(f"{x:.3f}" for x in rows[-1])
            print(
                f"{family:16} {seed:3}: {true.size:4} {np.median(true):5.1f} {np.mean(true > 4):.2f}  {shown}",
                flush=True,
            )
        print(f"{family:16} mean of {len(rows)}: " + " ".join(f"{x:.3f}" for x in np.mean(rows, axis=0)), flush=True)


if __name__ == "__main__":
    main()
