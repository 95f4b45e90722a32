"""A larval fly's connectome in every memory: cells, pulses, error of postsynaptic sums, sums a second.

Budget: errors 10 % (PRAM), 15 % (RRAM), 10 % (TLC); 20 times CrossSim's 43-56 products/s at 1024 x 1024.
Give the edge list (pre, post, count a line, no header): ``python benchmarks/paste_larva.py edges.csv``.
Signs are a placeholder (30 % of neurons inhibit), as nobody has published them for all neurons.
"""

import sys
import time
from pathlib import Path

import numpy as np

from neurograft.cells import AbsentUnused, ZeroUnused, card, crossbars, product
from neurograft.maps import synapse_map
from neurograft.pasting import OneShot, PasteOptions, ProgramAndVerify, Scaling, paste, summarise
from neurograft.units import DAY

N_INPUTS = 64


def larva(path):
    raw = np.loadtxt(path, delimiter=",")
    ids, index = np.unique(raw[:, :2].astype(np.int64), return_inverse=True)
    index = index.reshape(-1, 2)
    inhibits = np.random.default_rng(0).random(ids.size) < 0.3
    weight_v = raw[:, 2] * 1e-4 * np.where(inhibits[index[:, 0]], -1, 1)
    return synapse_map(n_neurons=ids.size, pre=index[:, 0], post=index[:, 1], weight_v=weight_v, delay_s=1e-3)


def error(image, inputs, right, *, age_s, unused):
    rng = np.random.default_rng(1)
    bars = crossbars(image, age_s=age_s, unused=unused, rng=rng)
    start = time.perf_counter()
    sums = np.array([product(bars, x, rng) for x in inputs])
    per_s = len(inputs) / (time.perf_counter() - start)
    gain = np.sum(sums * right) / np.sum(sums * sums)
    return np.linalg.norm(gain * sums - right) / np.linalg.norm(right), per_s


def main(path):
    m = larva(path)
    inputs = (np.random.default_rng(2).random((N_INPUTS, m.n_neurons)) < 0.01).astype(float)
    right = inputs @ m.weight_matrix_v()
    naive = PasteOptions(scaling=Scaling(clip_share=0.0), verify=OneShot())
    print("error of sums after one fitted gain; unused cells absent / programmed to zero; at once and after a day")
    for name, options in (
        ("pram", naive),
        ("rram", naive),
        ("flash", naive),
        ("pram", PasteOptions(verify=ProgramAndVerify(tolerance=0.02, max_passes=3))),
        ("rram", PasteOptions()),
        ("rram", PasteOptions(verify=ProgramAndVerify(max_passes=20))),
        ("flash", PasteOptions()),
        ("sonos", PasteOptions()),
        ("mram", PasteOptions()),
    ):
        image = paste(m, memory=card(name), options=options, seed=1)
        cost = summarise(image, m)
        found = [
            error(image, inputs, right, age_s=age, unused=unused)
            for age in (0.0, DAY)
            for unused in (AbsentUnused(), ZeroUnused())
        ]
        errors = " ".join(f"{e:6.1%}" for e, _ in found)
        kind = "naive " if options is naive else "pasted"
        print(
            f"{kind} {name:6} {cost.n_cells:7} cells {cost.n_tiles:4} tiles {cost.utilisation:5.2%} used "
            f"{cost.pulses_mean:5.1f} pulses a cell  {errors}  {found[0][1]:6.0f} sums/s"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
