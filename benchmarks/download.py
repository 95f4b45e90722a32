"""Where direct download breaks, and how far each measure pushes that out: accuracy by network size and channel noise.

    python benchmarks/download.py [--sizes 8,16,32,64,128] [--seeds 101,102] [--seconds 60] [--keep results.json]

Grown Hodgkin-Huxley cultures whose ion channels are counted one by one; every ordered pair of neurons is connected
with the same probability, so that larger networks have more inputs, as in a dish.  ``channel`` is the conductance
of one open channel: 0 switches the noise of channels off, 20 pS is usual, 100 pS means few and large ones.  Each row
adds a measure to the one before; the last is what ``neurograft copy`` makes of the same recording.

MCC is Matthews' correlation of calls and truth over all ordered pairs at the best threshold (so that no row depends
on how its threshold is chosen), "called" is that at the nominal false-discovery rate of 5 %, with its realised
rate.  Seeds below 100 were used while the method was made.  Results are kept after each culture (``--keep``), so that a
killed run goes on where it was.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurograft.cells import card
from neurograft.copying import IntracellularOptions, copy_intracellular
from neurograft.culture import (
    ActivityOptions,
    CultureOptions,
    CultureRecording,
    HodgkinHuxley,
    WiringOptions,
    grow,
    record_membrane,
)
from neurograft.errors import NeurograftError
from neurograft.maps import SynapseMap
from neurograft.pasting import DownloadOptions, FrontEndOptions, SecondOrder, download
from neurograft.units import MS, MV

PROBABILITY = 0.15
BREAK_AT = 0.5  # the size at which MCC falls below this is the break-point

PLAIN = FrontEndOptions(order=0, holds_bursts=False, limit_sds=100.0)
FIRST = DownloadOptions(
    front=PLAIN,
    state=SecondOrder(decay_s=0.0, adds_up=False, before=0.0),
    compensates_rates=False,
    cells_per_pair=1,
)
SECOND = replace(FIRST, state=SecondOrder(decay_s=10 * MS, before=0.0))
DECORRELATED = replace(
    FIRST,
    front=FrontEndOptions(holds_bursts=False, limit_sds=5.0),
    state=SecondOrder(before=0.0),
)
COMPENSATED = replace(DECORRELATED, compensates_rates=True)
HELD = replace(COMPENSATED, front=FrontEndOptions(), state=SecondOrder())
AVERAGED = DownloadOptions()
VARIANTS = {
    "first-order cell": FIRST,
    "second-order cell": SECOND,
    "+ decorrelation": DECORRELATED,
    "+ rate compensation": COMPENSATED,
    "+ burst handling": HELD,
    "+ four cells a pair": AVERAGED,
}


def culture(n: int, channel_siemens: float, seed: int, seconds: float, *, burst_rate_hz: float) -> CultureRecording:
    options = CultureOptions(
        n_neurons=n,
        family=HodgkinHuxley(channel_siemens=channel_siemens),
        wiring=WiringOptions(inputs_per_neuron=PROBABILITY * (n - 1)),
        activity=ActivityOptions(
            rate_hz=5.0,
            burst_rate_hz=burst_rate_hz,
            noise_v=0.1 * MV,
            modulation_v=0.3 * MV,
            settle_s=1.0,
            settle_rounds=6,
        ),
    )
    return record_membrane(grow(options, seed=seed), seconds=seconds, seed=seed)


def figures(rank: np.ndarray, called: np.ndarray, truth: SynapseMap) -> dict[str, float]:
    off = ~np.eye(truth.n_neurons, dtype=bool)
    is_true, size, is_called = (truth.weight_matrix_v() != 0)[off], np.abs(np.nan_to_num(rank))[off], called[off]
    order = np.argsort(-size)
    hits, k = np.cumsum(is_true[order]), np.arange(1, size.size + 1)
    best = float(np.max(matthews(hits, k - hits, is_true.sum(), size.size)))
    n_hits, n_calls = float(np.sum(is_true & is_called)), float(is_called.sum())
    return {
        "MCC": best,
        "called MCC": float(matthews(n_hits, n_calls - n_hits, is_true.sum(), size.size)),
        "FDR": (n_calls - n_hits) / max(n_calls, 1.0),
        "recall": n_hits / max(float(is_true.sum()), 1.0),
    }


def matthews(hits: np.ndarray | float, false: np.ndarray | float, n_true: float, n: int) -> np.ndarray:
    """Return Matthews' correlation, 0 where nothing or everything is called."""
    missed, right = n_true - hits, n - n_true - false
    size = np.sqrt(np.float64(hits + false) * n_true * (n - n_true) * (missed + right))
    return np.where(size > 0, (hits * right - false * missed) / np.where(size > 0, size, 1.0), 0.0)


def rows_of(seen: CultureRecording, memory: str, seed: int, *, with_copy: bool) -> dict[str, dict[str, float]]:
    n = seen.truth.n_neurons
    rows: dict[str, dict[str, float]] = {}
    for name, options in VARIANTS.items():
        begin = time.process_time()
        found = download(seen.recording, memory=card(memory), options=options, seed=seed)
        called = found.reading.q <= options.fdr
        rows[name] = figures(found.reading.z, called, seen.truth) | {"cpu s": time.process_time() - begin}
    if not with_copy:
        return rows
    begin = time.process_time()
    try:
        copied = copy_intracellular(seen.recording, options=IntracellularOptions(fdr=0.05)).map
    except NeurograftError as error:
        print("copy:", error)
        return rows
    at = np.array([seen.truth.labels.index(label) for label in copied.labels])
    rank, called = np.zeros((n, n)), np.zeros((n, n), dtype=bool)
    assert copied.evidence is not None
    rank[np.ix_(at, at)] = np.nan_to_num(copied.evidence.z)
    called[at[copied.pre], at[copied.post]] = True
    rows["analysed (copy)"] = figures(rank, called, seen.truth) | {"cpu s": time.process_time() - begin}
    return rows


def break_point(sizes: list[int], mcc: list[float]) -> str:
    """Return the size at which MCC falls below ``BREAK_AT``, interpolated in log size."""
    if mcc[0] < BREAK_AT:
        return f"< {sizes[0]}"
    for (a, x), (b, y) in zip(zip(sizes, mcc, strict=True), zip(sizes[1:], mcc[1:], strict=True), strict=False):
        if y < BREAK_AT <= x:
            return f"{np.exp(np.interp(-BREAK_AT, [-x, -y], np.log([a, b]))):.0f}"
    return f"> {sizes[-1]}"


def table(kept: dict[str, dict[str, dict[str, float]]], channel: float, memory: str, kind: str) -> None:
    mine = {k: v for k, v in kept.items() if k.startswith(f"{kind}/{channel * 1e12:g}/") and k.endswith(f"/{memory}")}
    sizes = sorted({int(key.split("/")[2]) for key in mine})
    if not sizes:
        return
    print(f"\n{kind}, {channel * 1e12:g} pS, {memory}: MCC at the best threshold (called MCC, FDR)")
    print("| | " + " | ".join(str(n) for n in sizes) + " | breaks at |\n|---|" + "---|" * (len(sizes) + 1))
    for name in [*VARIANTS, "analysed (copy)"]:
        cells, means = [], []
        for n in sizes:
            found = [v[name] for k, v in mine.items() if int(k.split("/")[2]) == n and name in v]
            if not found:
                cells.append("-")
                means.append(0.0)
                continue
            mean = {key: float(np.mean([f[key] for f in found])) for key in found[0]}
            means.append(mean["MCC"])
            cells.append(f"{mean['MCC']:.2f} ({mean['called MCC']:.2f}, {mean['FDR']:.2f})")
        print(f"| {name} | " + " | ".join(cells) + f" | {break_point(sizes, means)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="8,16,32,64,128")
    parser.add_argument("--seeds", default="101,102")
    parser.add_argument("--channels-ps", default="20,0,100")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--memory", default="rram")
    parser.add_argument("--kind", choices=("calm", "bursting"), default="calm")
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--no-copy", action="store_true", help="leave the analysed map out: half of the time")
    asked = parser.parse_args()
    kept: dict[str, dict[str, dict[str, float]]] = {}
    if asked.keep is not None and asked.keep.exists():
        kept = json.loads(asked.keep.read_text())
    channels = [float(word) * 1e-12 for word in asked.channels_ps.split(",")]
    for channel in channels:
        for n in (int(word) for word in asked.sizes.split(",")):
            for seed in (int(word) for word in asked.seeds.split(",")):
                key = f"{asked.kind}/{channel * 1e12:g}/{n}/{seed}/{asked.seconds:g}/{asked.memory}"
                if key in kept:
                    continue
                burst = 0.2 if asked.kind == "bursting" else 0.0
                seen = culture(n, channel, seed, asked.seconds, burst_rate_hz=burst)
                kept[key] = rows_of(seen, asked.memory, seed, with_copy=not asked.no_copy)
                print(key, {name: round(row["MCC"], 2) for name, row in kept[key].items()}, flush=True)
                if asked.keep is not None:
                    asked.keep.write_text(json.dumps(kept))
    for channel in channels:
        table(kept, channel, asked.memory, asked.kind)


if __name__ == "__main__":
    main()
