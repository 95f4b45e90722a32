"""Cells programmed a second: one-shot with noise, and the full closed loop of RRAM.

Budget on two cores: 50 M cells/s one-shot, 5 M cells/s closed loop (anchors: aihwkit 0.4-0.95 M, CrossSim
4-13 M one-shot, measured elsewhere).  Run alone: ``python benchmarks/paste_cells.py``.
"""

import os
import time

import numpy as np

from neurograft.cells import ProgramAndVerify, card

N = 4_000_000


def rate(work, n):
    work(1000)  # compile
    start = time.perf_counter()
    work(n)
    return n / (time.perf_counter() - start) / 1e6


def main():
    rng = np.random.default_rng(0)
    for name in ("rram", "pram"):
        cell = card(name)
        target = rng.uniform(cell.g_min_siemens, cell.g_max_siemens, N)
        address, defect = np.arange(N, dtype=np.uint64), np.zeros(N, dtype=np.uint8)

        def once(n, cell=cell, target=target):
            g = cell.program(target[:n], rng)
            assert g.min() >= 0

        def closed(n, cell=cell, target=target, address=address, defect=defect):
            verify = ProgramAndVerify()
            done = cell.write(target[:n], address=address[:n], defect=defect[:n], verify=verify, key=1)
            assert np.mean(done.flags) < 0.02

        print(f"{name}: one-shot {rate(once, N):.1f} M cells/s, closed loop {rate(closed, N):.2f} M cells/s")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
