"""Copying from spikes as users do, on networks of seeds that nothing was chosen on, strong synapses and public sets.

Run with: python benchmarks/spikes_fresh.py --cache FOLDER [--families "lif drive" --seeds 31 32] [--strong 11 12]
[--public FOLDER], the folder with spycon/, tspe/ and extended-glm/ in it, those that are there.  Each row: AUC and
average precision of all ordered pairs, calls, false ones, recall.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from sklearn.metrics import average_precision_score, roc_auc_score
from spikes_families import FAMILIES, network
from train_spikes import trains_of

from neurograft.copying import copy_spikes
from neurograft.maps import synapse_map
from neurograft.network import run, steady_drive
from neurograft.spikes import SpikeOptions, SpikeTrains, open_spikes, spike_trains
from neurograft.units import MS, MV

STRONG_MV = (1.0, 2.0, 3.0, 4.0, 5.0)


def scored(trains: SpikeTrains, weight: np.ndarray) -> np.ndarray:
    """Return AUC, average precision, calls, false calls (a wrong sign is one) and synapses."""
    found = copy_spikes(trains)
    fires = trains.counts() > 0
    pairs = fires[:, None] & fires[None, :] & ~np.eye(fires.size, dtype=bool)
    truth, z = (weight != 0)[pairs], np.nan_to_num(np.abs(found.evidence.z))[pairs]
    false = np.count_nonzero(np.sign(weight[found.pre, found.post]) != np.sign(found.weight_v))
    both = 0 < truth.sum() < truth.size
    ranked = [float(f(truth, z)) if both else np.nan for f in (roc_auc_score, average_precision_score)]
    return np.array([*ranked, found.n_synapses, false, truth.sum()])


def row(name: str, rows: list[np.ndarray]) -> str:
    table = np.array(rows)
    calls, false, truth = table[:, 2:].sum(axis=0)
    return (
        f"{name:26} {len(rows)}  {np.nanmean(table[:, 0]):.3f} {np.nanmean(table[:, 1]):.3f}  {calls:4.0f} calls "
        f"{false:3.0f} false ({false / max(calls, 1):.3f})  recall {(calls - false) / max(truth, 1):.3f}"
    )


def strong(psp_mv: float, seed: int, *, n: int = 14, seconds: float = 300.0) -> tuple[SpikeTrains, np.ndarray]:
    """Return spikes and weights of a small network, all seen, with synapses of this median."""
    rng = np.random.default_rng(seed)
    wired = rng.random((n, n)) < 3.5 / n
    np.fill_diagonal(wired, val=False)
    pre, post = np.nonzero(wired)
    sign = np.where(rng.random(n) < 0.2, -1.0, 1.0)
    weight_v = psp_mv * MV * sign[pre] * rng.lognormal(0, 0.5, pre.size)
    delay_s = rng.uniform(1 * MS, 4 * MS, pre.size)
    truth = synapse_map(n_neurons=n, pre=pre, post=post, weight_v=weight_v, delay_s=delay_s)
    spikes = run(truth, duration_s=seconds, seed=seed, drive=steady_drive(n, mean_v=12 * MV, noise_sd_v=4 * MV)).spikes
    weight = np.zeros((n, n))
    weight[pre, post] = weight_v
    return spikes, weight


def public(folder: Path):
    """Yield name, spikes and weights of the public sets."""
    for path in sorted((folder / "extended-glm").glob("simulated data_*.mat")):  # Ren 2020, from its own repository
        data = loadmat(path, simplify_cells=True)["data"]
        trains = open_spikes(path, options=SpikeOptions(part="data.spk", tick_s=1 * MS, duration_s=3600.0))
        yield path.stem, trains, np.asarray(data["syn"]["w_syn"])
    for path in sorted((folder / "spycon").glob("*.npz")):
        file = np.load(path)
        nodes = np.unique(file["marked_edges"][:, :2].astype(np.int64))
        weight = np.zeros((nodes.size, nodes.size))
        for pre, post, w in file["marked_edges"]:
            weight[np.searchsorted(nodes, int(pre)), np.searchsorted(nodes, int(post))] = max(np.nan_to_num(w), 0.0)
        neuron = np.searchsorted(nodes, file["ids"].astype(np.int64))
        trains = spike_trains(time_s=file["times"], neuron=neuron, n_neurons=nodes.size)
        yield f"spycon {path.stem[:12]}", trains, weight
    path = folder / "tspe" / "BA_new_sim7_100.mat"
    if not path.exists():
        return
    data = loadmat(path, squeeze_me=True, struct_as_record=False)["data"]
    times = [np.atleast_1d(t).astype(np.float64) * 1e-3 for t in data.TS_ms]
    neuron = np.concatenate([np.full(len(t), i) for i, t in enumerate(times)])
    trains = spike_trains(time_s=np.concatenate(times), neuron=neuron, epochs_s=np.array([[0.0, 3601.0]]))
    yield "TSPE BA7", trains, np.nan_to_num(data.SWM)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True, help="folder for networks")
    parser.add_argument("--families", nargs="*", default=[f for f in FAMILIES if not f.startswith("culture")])
    parser.add_argument("--seeds", nargs="*", type=int, default=[31, 32, 33, 34, 35, 36])
    parser.add_argument("--strong", nargs="*", type=int, default=[], help="seeds of small networks of strong synapses")
    parser.add_argument("--public", type=Path, help="folder of the public sets")
    args = parser.parse_args()
    if args.public:
        for name, trains, weight in public(args.public):
            print(row(name, [scored(trains, weight)]), flush=True)
    for psp_mv in STRONG_MV if args.strong else ():
        print(row(f"strong {psp_mv:g} mV", [scored(*strong(psp_mv, seed)) for seed in args.strong]), flush=True)
    for family in args.families if args.seeds else ():
        nets = (network(family, seed, args.cache / "nets") for seed in args.seeds)
        print(row(family, [scored(trains_of(net), net.weight) for net in nets]), flush=True)


if __name__ == "__main__":
    main()
