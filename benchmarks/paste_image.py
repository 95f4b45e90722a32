"""Seconds to write and read an image of 15 million cells.

Budget: 10 s and 4 s (anchors: safetensors 8.7 and 3.8 s, npz 10.9 and 11.8 s for 23 bytes a cell, measured
elsewhere; ours has 39 bytes a cell and checks all of them).  Run alone: ``python benchmarks/paste_image.py``.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from neurograft.cells import Code, MemoryImage, Nodes, TileTable, card, load_image, save_image
from neurograft.provenance import Provenance

N_NEURONS = 138_639  # a fly


def fly_sized(n):
    rng = np.random.default_rng(0)
    n_tiles = max(n // 1500, 1)
    tile = np.sort(rng.integers(0, n_tiles, n))
    count = np.bincount(tile, minlength=n_tiles).astype(np.int64)
    zeros = np.zeros(n, dtype=np.uint8)
    return MemoryImage(
        cell=card("rram"),
        code=Code(full_scale_v=1e-3, exponent=1.0, zero_siemens=1e-6, top_siemens=4e-5),
        part_gain=(1.0,),
        tiles=TileTable(
            rows=256,
            columns=256,
            spare_rows=8,
            layer=np.zeros(n_tiles, dtype=np.uint8),
            first_cell=np.cumsum(count) - count,
            n_cells=count,
            n_rows=np.full(n_tiles, 248, dtype=np.int32),
            n_columns=np.full(n_tiles, 256, dtype=np.int32),
        ),
        nodes=Nodes(
            labels=tuple(str(i) for i in range(N_NEURONS)),
            position_um=rng.uniform(0, 500, (N_NEURONS, 3)),
            sign=np.ones(N_NEURONS, dtype=np.int8),
            model=("lif",) * N_NEURONS,
        ),
        tile=tile.astype(np.uint32),
        row=rng.integers(0, 256, n).astype(np.uint16),
        column=rng.integers(0, 256, n).astype(np.uint16),
        layer=zeros,
        target_siemens=rng.uniform(1e-6, 4e-5, n).astype(np.float32),
        programmed_siemens=rng.uniform(1e-6, 4e-5, n).astype(np.float32),
        pulses=rng.integers(1, 30, n).astype(np.uint16),
        flags=zeros,
        pre=rng.integers(0, N_NEURONS, n).astype(np.int32),
        post=rng.integers(0, N_NEURONS, n).astype(np.int32),
        delay_ns=np.full(n, 1_000_000, dtype=np.uint32),
        sign=np.ones(n, dtype=np.int8),
        kind=zeros,
        part=zeros,
        synapse=np.arange(n, dtype=np.int32),
        n_left_out=0,
        log=(),
        provenance=Provenance(command="benchmark", seed=0),
    )


def main(n):
    image = fly_sized(n)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.h5"
        start = time.perf_counter()
        cpu = time.process_time()
        save_image(image, path)
        saved = time.perf_counter()
        cpu_saved = time.process_time()
        again = load_image(path)
        loaded = time.perf_counter()
        cpu_loaded = time.process_time()
        part = load_image(path, tiles=[3])
        one = time.perf_counter()
        assert np.array_equal(again.programmed_siemens, image.programmed_siemens)
        assert part.n_cells == image.tiles.n_cells[3]
        print(
            f"{n} cells, {path.stat().st_size / 1e6:.0f} MB: write {saved - start:.2f} s, "
            f"read {loaded - saved:.2f} s, one tile {one - loaded:.2f} s; "
            f"CPU time {cpu_saved - cpu:.2f} and {cpu_loaded - cpu_saved:.2f} s, load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 15_000_000)
