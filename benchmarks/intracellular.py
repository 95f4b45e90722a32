"""Score intracellular copying on grown networks whose synapses are known, family by family.

    python benchmarks/intracellular.py [--families base,hidden] [--seeds 1000,1001]

AUC and APS are over all ordered pairs, ranked by |z|; FDR, recall and sign are those of the map at a nominal
false-discovery rate of 5 %, FDR with its Wilson 95 % interval.  Seeds below 1000 were used while the method was
made, so the defaults start there.  Each asserts its floor.  The bench lies in tests/copying/_synthetic_traces.py.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "copying"))
from _synthetic_traces import Bench, Truth, grow

from neurograft.copying import copy_intracellular
from neurograft.maps import Kind, SynapseMap

FAMILIES = {
    "base": {"n": 150, "seconds": 200.0},
    "hidden": {"n": 75, "n_hidden": 75, "seconds": 200.0},
    "bursty": {
        "n": 100,
        "seconds": 120.0,
        "burst_v": 8e-3,
        "burst_interval_s": 2.0,
        "shared_sd_v": 2e-3,
        "drive_v": (9e-3, 13e-3),
    },
    "conductance": {"n": 100, "seconds": 120.0, "is_conductance": True},
    "failing": {"n": 100, "seconds": 120.0, "failure": 0.5},
    "pads": {"n": 60, "seconds": 120.0, "rate_hz": 5000.0, "is_drifting": True},
    "gaps": {"n": 60, "seconds": 120.0, "rate_hz": 5000.0, "n_gap": 15},
    "sparse": {"n": 100, "seconds": 120.0, "connection_probability": 0.02},
    "hidden most": {"n": 60, "n_hidden": 180, "seconds": 120.0},
}

FLOOR = dict.fromkeys(FAMILIES, 0.95) | {"failing": 0.93, "hidden most": 0.85}  # AUC; seeds scatter by 0.01


def score(chart: SynapseMap, truth: Truth) -> dict[str, float]:
    """Return the figures of the table; neurons of the map are channels of the truth by label."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    n = len(truth.weight_v)
    at = np.array([int(label) for label in chart.labels])
    assert chart.evidence is not None
    rank, signed = np.zeros((n, n)), np.zeros((n, n))
    rank[np.ix_(at, at)] = np.nan_to_num(np.abs(chart.evidence.z))
    chemical = np.isin(chart.kind, (Kind.CHEMICAL, Kind.EXCITATORY_WEAK, Kind.EXCITATORY_STRONG, Kind.INHIBITORY))
    signed[at[chart.pre[chemical]], at[chart.post[chemical]]] = chart.weight_v[chemical]
    delay_s = np.full((n, n), np.nan)
    delay_s[at[chart.pre[chemical]], at[chart.post[chemical]]] = chart.delay_s[chemical]
    off = ~np.eye(n, dtype=bool)
    y, w = (truth.weight_v != 0)[off], truth.weight_v[off]
    called = (signed != 0)[off]
    hit, n_called = called & y, max(int(called.sum()), 1)
    false = int((called & ~y).sum())
    low, high = wilson(false, n_called)
    ratio = signed[off][hit] / w[hit]
    electrical = np.zeros((n, n), dtype=bool)
    mine = chart.kind == Kind.ELECTRICAL
    electrical[at[chart.pre[mine]], at[chart.post[mine]]] = True
    return {
        "AUC": float(roc_auc_score(y, rank[off])),
        "APS": float(average_precision_score(y, rank[off])),
        "FDR": false / n_called,
        "FDR low": low,
        "FDR high": high,
        "recall": hit.sum() / max(y.sum(), 1),
        "recall > 0.5 mV": (hit & (np.abs(w) > 0.5e-3)).sum() / max((y & (np.abs(w) > 0.5e-3)).sum(), 1),
        "sign": float(np.mean(ratio > 0)) if hit.any() else np.nan,
        "size": float(np.median(ratio)) if hit.any() else np.nan,
        "delay ms": float(np.nanmedian(np.abs((delay_s - truth.delay_s)[off][hit]))) * 1e3 if hit.any() else np.nan,
        "gap found": (electrical & truth.gap).sum() / max(truth.gap.sum(), 1),
        "gap false": int((electrical & ~truth.gap).sum()),
    }


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the Wilson 95 % interval of k of n."""
    z2, p = 1.96**2, k / n
    middle, half = p + z2 / (2 * n), 1.96 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)


def main() -> None:
    """Print one line a family and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default="base,hidden,bursty,conductance,failing,pads,gaps,sparse,hidden most")
    parser.add_argument("--seeds", default="1000")
    args = parser.parse_args()
    shown = ("AUC", "APS", "FDR", "FDR low", "FDR high", "recall", "recall > 0.5 mV", "sign", "size", "delay ms")
    print(f"{'family':12s} seed  Hz   " + " ".join(f"{name[:8]:>8s}" for name in shown) + "   gaps  decoy  copy s")
    for family in args.families.split(","):
        for seed in map(int, args.seeds.split(",")):
            truth = grow(Bench(**FAMILIES[family], seed=seed))
            start_s = time.perf_counter()
            copy = copy_intracellular(truth.recording)
            took_s = time.perf_counter() - start_s
            figures = score(copy.map, truth)
            rate_hz = np.mean([len(s) for s in truth.spike_s]) / FAMILIES[family]["seconds"]
            print(
                f"{family:12s} {seed:4d} {rate_hz:4.1f}  "
                + " ".join(f"{figures[name]:8.4f}" for name in shown)
                + f"  {figures['gap found']:.2f}/{figures['gap false']:.0f} {copy.null.decoy_share:6.3f} {took_s:7.1f}",
                flush=True,
            )
            assert figures["AUC"] > FLOOR[family], "far below what was measured when this was written"


if __name__ == "__main__":
    main()
