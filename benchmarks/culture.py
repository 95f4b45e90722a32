"""Seconds of wall time for a second of a recorded culture: 64 x 64 pads at 10 kHz by default, written to disk.

    python benchmarks/culture.py --seconds 60 --workers 2

The folder is checked (sizes, rates, noise) and removed.  Budget: real time on two free cores, 1.8 s of CPU time per
recorded second in all.  The machine's limits are measured in the same run: what copying memory and writing the file
would take if nothing were computed.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from neurograft.culture import (
    ActivityOptions,
    CultureOptions,
    PadGrid,
    RawBinary,
    WiringOptions,
    family_named,
    grow,
    require_writable,
    write_culture,
)
from neurograft.culture._pads import ArrayOptions
from neurograft.culture._play import play
from neurograft.recordings import open_recording
from neurograft.spikes import open_spikes


def options_of(args: argparse.Namespace) -> CultureOptions:
    return CultureOptions(
        n_neurons=args.neurons,
        family=family_named(args.family),
        pads=PadGrid(n_rows=args.side, n_columns=args.side),
        wiring=WiringOptions(inputs_per_neuron=args.inputs),
        activity=ActivityOptions(settle_s=args.settle, settle_rounds=6),
    )


def timed(work) -> tuple[object, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--neurons", type=int, default=4096)
    parser.add_argument("--inputs", type=float, default=30.0)
    parser.add_argument("--family", default="adex")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; the default is a temporary folder")
    args = parser.parse_args()
    options = options_of(args)
    parent = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        require_writable(options, ArrayOptions(), parent / "grown", seconds=args.seconds, form=RawBinary())
        culture, wall, cpu = timed(lambda: grow(options, seed=1))
        print(f"grow: {culture.map.n_synapses} synapses, {wall:.1f} s wall, {cpu:.1f} s CPU (compilation included)")
        write_culture(culture, parent / "warm", seconds=0.1, n_workers=args.workers)
        life = min(args.seconds, 2.0)
        _, wall, cpu = timed(lambda: sum(1 for _ in play(culture, seconds=life, seed=0)))
        print(f"load average {os.getloadavg()[0]:.1f}")
        print(f"network alone, one thread: {wall / (life + 0.3):.2f} s wall, {cpu / (life + 0.3):.2f} s CPU per second")
        folder = parent / "grown"
        _, wall, cpu = timed(lambda: write_culture(culture, folder, seconds=args.seconds, n_workers=args.workers))
        size = (folder / "recording.raw").stat().st_size
        print(
            f"recorded: {wall / args.seconds:.2f} s wall, {cpu / args.seconds:.2f} s CPU per recorded second, "
            f"{args.workers} workers, {size / 1e9:.2f} GB, {size / wall / 1e6:.0f} MB/s, "
            f"{1e9 * cpu / (size / 2):.1f} ns CPU per sample"
        )
        print_limits(parent, samples_per_s=args.side**2 / options.step_s)
        check(folder, args)
    finally:
        shutil.rmtree(parent)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


# What a sample moves between kernels: potential, what pads hear and what neighbours add, written and read as 4 bytes
# each; the sample, written as 2 bytes and copied to the file.
_BYTES_PER_SAMPLE = 3 * (4 + 4) + 2 * 2


def print_limits(parent: Path, *, samples_per_s: float) -> None:
    """Print how long memory and disk alone would take for a recorded second."""
    source, target = np.ones(1 << 27, dtype=np.uint8), np.zeros(1 << 27, dtype=np.uint8)
    copy_s = min(timed(lambda: np.copyto(target, source))[1] for _ in range(5))
    with (parent / "limit").open("wb") as file:
        write_s = min(timed(lambda: source.tofile(file))[1] for _ in range(5))
    (parent / "limit").unlink()
    moved = 2 * source.size / copy_s
    print(
        f"limits: {moved / 1e9:.1f} GB/s of memory traffic in one thread, {source.size / write_s / 1e9:.2f} GB/s into "
        f"a file; a recorded second is {_BYTES_PER_SAMPLE * samples_per_s / moved:.2f} s of the first and "
        f"{2 * samples_per_s * write_s / source.size:.2f} s of the second"
    )


def check(folder: Path, args: argparse.Namespace) -> None:
    """Fail when the recording is not what was asked for."""
    recording, spikes = open_recording(folder / "recording.raw"), open_spikes(folder / "spikes.h5")
    assert recording.segment_frames == (round(args.seconds * recording.rate_hz),)
    assert len(recording.channel_labels) == args.side**2
    last = recording.read(0, recording.segment_frames[0] - 5000, recording.segment_frames[0])
    noise_v = np.median(np.abs(last - np.median(last, axis=0))) * 1.48
    rate_hz = spikes.rates_hz().mean()
    print(f"check: {rate_hz:.2f} Hz mean rate, {1e6 * noise_v:.0f} uV typical fluctuation of a channel")
    assert 0.1 < rate_hz < 30
    assert 5e-6 < noise_v < 500e-6


if __name__ == "__main__":
    main()
