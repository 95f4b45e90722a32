"""All-pairs correlograms: ours against SpikeInterface's in the same run, in pairs and in counts a second.

Budget (two cores): 150 k ordered pairs/s at 1,000 units of 5 Hz over 600 s, 1 ms bins to 50 ms, and at most 4 GB at
4,096 units.  The machine's limit, measured in the same run: increments at known random places of a cached buffer.
Run with: python benchmarks/correlograms.py [--quick] [--copy] [--most N]
"""

import argparse
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from neurograft.copying import SpikesOptions, copy_spikes
from neurograft.copying.spikes._correlogram import LagGrid, block_stops, count_block, events
from neurograft.spikes import spike_trains

GRID = LagGrid(bin_s=1e-3, half_window_s=50e-3)
RATE_HZ, SECONDS, FS = 5.0, 600.0, 20_000.0


def poisson(n, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.poisson(RATE_HZ * SECONDS * n)
    frame = np.sort(rng.integers(0, int(SECONDS * FS), size))
    return frame, rng.integers(0, n, size)


def ours(frame, unit, n, threads=2):
    trains = spike_trains(time_s=frame / FS, neuron=unit, n_neurons=n, epochs_s=np.array([[0.0, SECONDS]]))
    start = time.perf_counter()
    spikes = events(trains, GRID)

    def count(block):
        return int(count_block(spikes, GRID, *block).sum(dtype=np.int64))

    with ThreadPoolExecutor(threads) as pool:
        counts = sum(pool.map(count, block_stops(n, GRID.n_bins)))
    return time.perf_counter() - start, counts, trains


@njit(cache=True)
def increments(place, buffer):
    for k in place:
        buffer[k] += 1


def increments_per_s():
    place = np.random.default_rng(0).integers(0, 10_000, 1 << 22).astype(np.int32)
    increments(place[:5], np.zeros(10_000, np.uint32))
    start = time.perf_counter()
    increments(place, np.zeros(10_000, np.uint32))
    return place.size / (time.perf_counter() - start)


def theirs(frame, unit, n):
    from spikeinterface.core import NumpySorting
    from spikeinterface.postprocessing import compute_correlograms

    sorting = NumpySorting.from_samples_and_labels([frame], [unit], FS, unit_ids=np.arange(n))
    start = time.perf_counter()
    counts, _ = compute_correlograms(sorting, window_ms=100.0, bin_ms=1.0, method="numba")
    return time.perf_counter() - start, int(counts.sum())


def line(name, n, seconds, counts):
    pairs = n * (n - 1) / seconds
    print(f"{name:<16} {n:>6} units {seconds:9.2f} s {pairs:12,.0f} ordered pairs/s {counts / seconds:14,.0f} counts/s")
    return pairs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--copy", action="store_true", help="also time copying")
    parser.add_argument("--most", type=int, default=1000, help="units of the largest set, up to 4,096")
    given = parser.parse_args()
    small, large = (20, 60) if given.quick else (200, given.most)
    for call in (ours, theirs):
        call(*poisson(5), 5)  # compile
    print(f"{'machine':<16} {increments_per_s():,.0f} increments/s in a cached buffer, one thread")
    frame, unit = poisson(small)
    seconds, counts, trains = ours(frame, unit, small)
    our_pairs = line("neurograft", small, seconds, counts)
    their_seconds, their_counts = theirs(frame, unit, small)
    their_pairs = line("SpikeInterface", small, their_seconds, their_counts)
    # Each of our coincidences stands for both directions; theirs are written twice.
    assert abs(2 * counts / their_counts - 1) < 0.2
    print(f"{'ratio':<16} {our_pairs / their_pairs:.1f} times the ordered pairs/s")
    frame, unit = poisson(large)
    for threads in (1, 2):
        seconds, counts, _ = ours(frame, unit, large, threads)
        line(f"neurograft, {threads}", large, seconds, counts)
    print(f"{'peak memory':<16} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    if given.copy:
        start = time.perf_counter()
        copy_spikes(trains)
        print(f"{'copy_spikes':<16} {small:>6} units {time.perf_counter() - start:9.2f} s with the judge and one decoy")
        start = time.perf_counter()
        copy_spikes(trains, options=SpikesOptions(most_joint_neurons=1))
        print(f"{'hollow test alone':<16} {small:>5} units {time.perf_counter() - start:9.2f} s")


if __name__ == "__main__":
    main()
