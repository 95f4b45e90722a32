"""CrossSim and aihwkit beside neurograft in one run: programming with noise, products through a larval fly's map.

Budget: products 20 times CrossSim's through the same map, by working on occupied cells only (its bare 1024 x 1024
is printed too, and the larva's own 3,013 x 3,013 on nine of its cores); programming 50 M cells/s on two cores.
Give the edge list: ``python benchmarks/paste_peers.py edges.csv``.  CPU times of one thread (OMP_NUM_THREADS=1), the
best of several.

The peers are timed where they can be imported, from PYTHONPATH: CrossSim (BSD-3-Clause, github
sandialabs/cross-sim), aihwkit (MIT; the wheel of 1.1.0 works with torch 2.10, not with 2.9 and 2.13).  CrossSim draws
the errors of all cells, used or not, once; for PRAM it draws read noise for every cell at every product.  aihwkit's
products pass its default converters and output noise.  Ours draws, at every product, read noise and the spread of
unused cells as one number a sum.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
from paste_larva import larva

from neurograft.cells import AbsentUnused, ZeroUnused, card, crossbars, product
from neurograft.pasting import Overflow, PasteOptions, Tiles, paste

SIDE = 1024


def cpu_s(work, repeats):
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def of_crosssim(name, model, m):
    from simulator import AnalogCore, CrossSimParameters

    params = CrossSimParameters()
    device = params.xbar.device
    device.programming_error.enable = True
    device.programming_error.model = model
    device.Rmin, device.Rmax = 1 / (25e-6 if name == "pram" else 39e-6), 1e9
    if name == "pram":
        device.read_noise.enable = True
        device.read_noise.model = "NormalProportionalDevice"
        device.read_noise.magnitude = 0.02
    params.core.rows_max = params.core.cols_max = SIDE
    rng = np.random.default_rng(0)
    core = AnalogCore(np.ones((SIDE, SIDE)), params=params)
    weights = rng.uniform(-1, 1, (SIDE, SIDE))
    set_s = cpu_s(lambda: core.set_matrix(weights), 3)
    x = (rng.random(SIDE) < 0.01).astype(float)
    product_s = cpu_s(lambda: [core.matvec(x) for _ in range(5)], 3) / 5
    whole = AnalogCore(m.weight_matrix_v().T, params=params)  # nine cores of 1024 x 1024
    x = (rng.random(m.n_neurons) < 0.01).astype(float)
    larva_s = cpu_s(lambda: whole.matvec(x), 3)
    return 2 * SIDE * SIDE / set_s / 1e6, 1 / product_s, 1 / larva_s


def of_aihwkit(name, m):
    import torch
    from aihwkit.inference.noise.pcm import PCMLikeNoiseModel
    from aihwkit.inference.noise.reram import ReRamWan2022NoiseModel
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import InferenceRPUConfig

    torch.set_num_threads(1)
    noise = PCMLikeNoiseModel() if name == "pram" else ReRamWan2022NoiseModel()
    found = []
    for n, weights in ((SIDE, torch.rand(SIDE, SIDE) * 2 - 1), (m.n_neurons, torch.tensor(m.weight_matrix_v().T))):
        layer = AnalogLinear(n, n, bias=False, rpu_config=InferenceRPUConfig(noise_model=noise)).eval()
        layer.set_weights((weights / weights.abs().max()).float())
        program_s = cpu_s(layer.program_analog_weights, 3)
        x = (torch.rand(1, n) < 0.01).float()
        with torch.no_grad():
            product_s = cpu_s(lambda layer=layer, x=x: [layer(x) for _ in range(5)], 3) / 5
        found.append((2 * n * n / program_s / 1e6, 1 / product_s))
    return found


def of_neurograft(name, m):
    cell, rng = card(name), np.random.default_rng(0)
    target = rng.uniform(cell.g_min_siemens, cell.g_max_siemens, 2 * SIDE * SIDE)
    cell.program(target[:1000], rng)
    rate = target.size / cpu_s(lambda: cell.program(target, rng), 5) / 1e6
    options = PasteOptions(tiles=Tiles(rows=64, columns=64, spare_rows=2), scaling=Overflow(large_share=0.25))
    image = paste(m, memory=cell, options=options, seed=1)
    found = {}
    for unused in (AbsentUnused(), ZeroUnused()):
        bars = crossbars(image, unused=unused, rng=rng)
        for share in (0.01, 1.0):
            x = (rng.random(m.n_neurons) < share).astype(float)
            product(bars, x, rng)
            found[type(unused).__name__, share] = 1 / (
                cpu_s(lambda bars=bars, x=x: [product(bars, x, rng) for _ in range(50)], 5) / 50
            )
    return rate, found


def main(path):
    m = larva(path)
    for name, model in (("pram", "PCMJoshi"), ("rram", "RRAMWan")):
        rate, found = of_neurograft(name, m)
        print(f"{name} neurograft: one-shot {rate:.0f} M cells/s")
        peer = larva_peer = np.nan
        try:
            peer_rate, peer, larva_peer = of_crosssim(name, model, m)
            print(
                f"{name} CrossSim:   one-shot {peer_rate:.1f} M cells/s, "
                f"{peer:.0f} products/s at {SIDE} x {SIDE}, {larva_peer:.1f} through the larva"
            )
        except ImportError:
            print("CrossSim is not installed: not timed")
        try:
            (other_rate, other), (_, larva_other) = of_aihwkit(name, m)
            print(
                f"{name} aihwkit:    one-shot {other_rate:.2f} M cells/s, "
                f"{other:.0f} products/s at {SIDE} x {SIDE}, {larva_other:.1f} through the larva"
            )
        except ImportError:
            print("aihwkit is not installed: not timed")
        for (unused, share), per_s in found.items():
            print(
                f"  {unused}, {share:.0%} of inputs active: {per_s:.0f} products/s, {per_s / peer:.1f} x CrossSim "
                f"at {SIDE} x {SIDE}, {per_s / larva_peer:.0f} x through the same map"
            )
    print(f"one thread, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
