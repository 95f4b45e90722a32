"""Cells programmed a second of CPU time: one-shot with noise, and the full closed loop, one and three passes.

Budget on two cores: 50 M cells/s one-shot, 5 M cells/s closed loop (anchors: aihwkit 0.4-0.95 M, CrossSim
4-13 M one-shot, measured elsewhere; ``paste_peers.py`` times CrossSim beside it).  CPU time of all threads is
counted, so a figure is that of one core.  ``python benchmarks/paste_cells.py``
"""

import os
import time

import numpy as np

from neurograft.cells import ProgramAndVerify, card

N = 2_000_000


def rate(work):
    work(1000)  # compile
    best = np.inf
    for _ in range(3):
        begin = time.process_time()
        work(N)
        best = min(best, time.process_time() - begin)
    return N / best / 1e6


def main():
    rng = np.random.default_rng(0)
    for name in ("rram", "rram_cmo", "pram", "flash", "sonos", "mram"):
        cell = card(name)
        target = rng.uniform(cell.g_min_siemens, cell.g_max_siemens, N)
        address, defect = np.arange(N, dtype=np.uint64), np.zeros(N, dtype=np.uint8)

        def once(n, cell=cell, target=target):
            assert cell.program(target[:n], rng).min() >= 0

        said = f"{name:9} one-shot {rate(once):6.1f} M cells/s and core"
        for passes in (1, 3):
            pulses = []

            def closed(n, cell=cell, target=target, passes=passes, pulses=pulses, address=address, defect=defect):
                verify = ProgramAndVerify(max_passes=passes)
                done = cell.write(target[:n], address=address[:n], defect=defect[:n], verify=verify, key=1)
                assert np.mean(done.flags > 0) < 0.02
                pulses.append(done.pulses.mean())

            said += f"; closed loop, passes {passes}: {rate(closed):5.2f} M ({pulses[-1]:.1f} pulses)"
        print(said)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
