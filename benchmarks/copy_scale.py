"""Copying of thousands of neurons: a recording is written to disk, copied, and each step's time and memory printed.

The recording is made up (`write`): Poisson spikes, sparse synapses, membrane noise, action potentials, int16.  It
is there for its size; accuracy is measured on grown cultures (``suite.py``).

    python benchmarks/copy_scale.py OUT.bin --firing 500 --channels 1000 --seconds 60
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

RATE_HZ = 10_000
GAIN_V = 5e-6
_SYNAPSES = 12  # outgoing, of each firing neuron
_PSP_V = 1.0e-3


def write(path: Path, *, firing: int, channels: int, seconds: int, rate_hz: float, seed: int = 0) -> ndarray:
    """Write samples and their sidecar, a second at a time; return the synapses' pre, post, weight in volts."""
    rng = np.random.default_rng(seed)
    pre = np.repeat(np.arange(firing), _SYNAPSES)
    post = rng.integers(0, channels, len(pre))
    weight_v = _PSP_V * rng.lognormal(0.0, 0.6, len(pre)) * np.where(pre % 5 == 0, -1.0, 1.0)
    weight_v[post == pre] = 0.0
    delay = rng.integers(10, 40, len(pre))
    state, psp = np.zeros(channels, dtype=np.float32), np.zeros((2, channels), dtype=np.float32)
    left = np.zeros(channels, dtype=np.int64)
    coming = np.zeros((64, channels), dtype=np.float32)
    start = np.searchsorted(pre, np.arange(channels + 1))
    out = np.empty((RATE_HZ, channels), dtype=np.int16)
    with path.open("wb") as stream:
        for second in range(seconds):
            fires = [np.sort(rng.choice(RATE_HZ, rng.poisson(rate_hz), replace=False)) for _ in range(firing)]
            who = np.repeat(np.arange(firing), [len(f) for f in fires])
            when = np.concatenate(fires)
            order = np.argsort(when, kind="stable")
            _second(
                when[order], who[order], start, post, weight_v.astype(np.float32), delay, coming, state, psp, left,
                second * RATE_HZ, int(rng.integers(1, 2**62)), out,
            )  # fmt: skip
            stream.write(out)
    path.with_suffix(".toml").write_text(
        f'format_version = 1\n[samples]\nfiles = ["{path.name}"]\ndtype = "int16"\nbyte_order = "little"\n'
        f'order = "frames"\nn_channels = {channels}\n[time]\nrate_hz = {RATE_HZ}\n'
        f'[signal]\nkind = "membrane_v"\ngain_v = {GAIN_V}\n'
    )
    return np.column_stack([pre, post, weight_v])


@njit(cache=True)
@no_type_check
def _second(when, who, start, post, weight, delay, coming, state, psp, left, first, seed, out):
    """Fill one second of samples: noise of a membrane, potentials of two exponentials, action potentials of 2 ms."""
    x = np.uint64(seed)
    n, k = out.shape[1], 0
    for t in range(len(out)):
        slot = (first + t) % 64
        while k < len(when) and when[k] == t:
            i = who[k]
            if left[i] == 0:
                left[i] = 20
                for s in range(start[i], start[i + 1]):
                    coming[(slot + delay[s]) % 64, post[s]] += weight[s]
            k += 1
        for c in range(n):
            x ^= x << np.uint64(13)
            x ^= x >> np.uint64(7)
            x ^= x << np.uint64(17)
            # the sum of four uniform numbers: near enough to normal
            noise = np.float32((x & np.uint64(0xFFFF)) + ((x >> np.uint64(16)) & np.uint64(0xFFFF)))
            noise += np.float32(((x >> np.uint64(32)) & np.uint64(0xFFFF)) + (x >> np.uint64(48)))
            noise = noise * np.float32(1 / 65536.0) - np.float32(2.0)
            state[c] += np.float32(-0.008) * state[c] + np.float32(1.1e-4) * noise
            a = coming[slot, c] * np.float32(1.43)
            coming[slot, c] = np.float32(0.0)
            psp[0, c] = psp[0, c] * np.float32(0.9934) + a
            psp[1, c] = psp[1, c] * np.float32(0.95) + a
            v = np.float32(-0.065) + state[c] + psp[0, c] - psp[1, c] + np.float32(3e-5) * noise
            if left[c] > 0:
                left[c] -= 1
                age = 20 - left[c]
                v = np.float32(-0.05 + 0.085 * age / 5.0) if age <= 5 else np.float32(0.035 - 0.1 * (age - 5) / 15.0)
                if left[c] == 0:
                    state[c] = np.float32(0.0)
            out[t, c] = np.int16(v / np.float32(5e-6))


def main() -> None:
    """Write, copy, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--firing", type=int, default=500)
    parser.add_argument("--channels", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate-hz", type=float, default=2.0)
    parser.add_argument("--keep", action="store_true", help="use the file if it is there")
    told = parser.parse_args()
    if not (told.keep and told.path.exists()):
        begin = time.perf_counter()
        truth = write(told.path, firing=told.firing, channels=told.channels, seconds=told.seconds, rate_hz=told.rate_hz)
        np.save(told.path.with_suffix(".npy"), truth)
        print(f"written in {time.perf_counter() - begin:.1f} s")
    copy(told.path)


def copy(path: Path) -> None:
    """Copy the recording, and print wall and CPU time of each step that reports its progress."""
    from neurograft.copying import copy_intracellular
    from neurograft.recordings import open_recording

    steps: dict[str, list[float]] = {}
    last = ["start", time.perf_counter(), time.process_time()]

    def note(what: str, done: float, total: float) -> None:
        del done, total
        now = time.perf_counter(), time.process_time()
        so_far = steps.setdefault(str(last[0]), [0.0, 0.0])
        so_far[0] += now[0] - float(last[1])
        so_far[1] += now[1] - float(last[2])
        last[:] = [what, *now]

    made = copy_intracellular(open_recording(path), progress=note)
    note("end", 0, 0)
    for what, (wall_s, cpu_s) in steps.items():
        print(f"{what:45s} {wall_s:8.2f} s wall {cpu_s:8.2f} s CPU")
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    truth = np.load(path.with_suffix(".npy"))
    true = {(int(i), int(j)) for i, j, w in truth if abs(w) > 0.5e-3}
    called = set(zip(made.map.pre.tolist(), made.map.post.tolist(), strict=True))
    every = {(int(i), int(j)) for i, j, w in truth if w}
    print(json.dumps({
        "peak_gb": round(peak_gb, 2), "calls": len(called), "false": len(called - every),
        "recall over .5 mV": round(len(called & true) / max(len(true), 1), 3),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
