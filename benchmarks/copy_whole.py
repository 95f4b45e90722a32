"""A whole copy of potentials at full length, from the first sample to the map: time of every step, memory, calls.

    python benchmarks/copy_whole.py [--firing 2000] [--channels 4096] [--minutes 19] [--threads 2] [--memory 16]
        [--work FOLDER [--only-read]]

The recording is made while it is read, because a file of 19 minutes would take 93 GB: Poisson spikes, 12 synapses of
each neuron that fires, membrane noise out of a table in another place for every channel and ten seconds, 16-bit
samples.  What the making takes is measured, and told beside the rest.  ``--work`` keeps the pieces that were read, and
the regression's sums and solutions, so that a run that was cut off goes on from there.
"""

import argparse
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, no_type_check

import numpy as np
from numba import njit
from numpy import ndarray

if TYPE_CHECKING:
    from neurograft.copying import Work
    from neurograft.recordings._lazy import LazyRecording

sys.path.insert(0, str(Path(__file__).resolve().parent))

RATE_HZ, GAIN_V = 10_000, 5e-6
_SYNAPSES, _PSP_V, _REST_V = 12, 0.5e-3, -65e-3
_LANES, _NOISE_FRAMES, _TURN_FRAMES = 512, 4096, 100_000
_WARM_FRAMES = 1500  # after which a potential has faded
_MOST_AT_ONCE = 1024  # potentials that may start in one frame


class Made:
    """A recording of potentials that is made where it is read; the same frames are the same numbers, to a unit."""

    def __init__(self, *, firing: int, channels: int, seconds: int, spikes_hz: float = 2.0, seed: int = 0) -> None:
        """Draw spikes, synapses and noise."""
        rng = np.random.default_rng(seed)
        self.n, self.frames = channels, seconds * RATE_HZ
        trains = [np.sort(rng.integers(0, self.frames, rng.poisson(seconds * spikes_hz))) for _ in range(firing)]
        trains = [t[np.diff(t, prepend=-1000) > 30] for t in trains]
        who = np.repeat(np.arange(firing), [len(t) for t in trains])
        when = np.concatenate(trains)
        order = np.argsort(when, kind="stable")
        self.when, self.who = when[order], who[order].astype(np.int32)
        self.pre = np.repeat(np.arange(firing), _SYNAPSES)
        self.post = rng.integers(0, channels, len(self.pre))
        sign = np.where(self.pre % 5 == 0, -1.0, 1.0)
        self.weight_v = _PSP_V * rng.lognormal(0.0, 0.6, len(self.pre)) * sign
        self.weight_v[self.post == self.pre] = 0.0
        self.delay = rng.integers(10, 40, len(self.pre))
        self.noise = _membrane_noise(rng.standard_normal((_NOISE_FRAMES, _LANES)))
        self.seconds = 0.0  # of threads, that the making took
        self._lock = threading.Lock()

    def until(self, frames: int) -> "LazyRecording":
        """Return the recording of its first frames."""
        from neurograft.recordings import Signal
        from neurograft.recordings._lazy import lazy_recording

        return lazy_recording(
            path=Path("made"), fetch=self.fetch, rate_hz=RATE_HZ, signal=Signal.MEMBRANE_V, segment_frames=[frames],
            channel_labels=[f"c{c}" for c in range(self.n)], gain=GAIN_V,
        )  # fmt: skip

    def fetch(self, segment: int, start: int, stop: int) -> ndarray:
        """Return samples as a converter would have written them."""
        del segment
        begin = time.thread_time()
        out = np.empty((stop - start, self.n), dtype=np.int16)
        first = max(start - _WARM_FRAMES, 0)
        low, high = np.searchsorted(self.when, [first - 64, stop])
        spikes, weight_v = (self.when[low:high], self.who[low:high]), self.weight_v.astype(np.float32)
        _make(*spikes, self.post, weight_v, self.delay, self.noise, first, start, out)
        with self._lock:
            self.seconds += time.thread_time() - begin
        return out

    def score(self, pre: ndarray, post: ndarray) -> dict[str, float]:
        """Return how many pairs were called, how many of them are no synapses, and the share of strong ones found."""
        weight = {(int(i), int(j)): abs(w) for i, j, w in zip(self.pre, self.post, self.weight_v, strict=True)}
        called = set(zip(pre.tolist(), post.tolist(), strict=True))
        strong = {pair for pair, w in weight.items() if w > _PSP_V}
        recall = len(called & strong) / max(len(strong), 1)
        return {
            "calls": len(called), "false": len(called - set(weight)), "recall_over_half_a_mv": round(recall, 3),
        }  # fmt: skip


def _membrane_noise(white: ndarray) -> ndarray:
    """Return noise of a membrane of 12.5 ms and a little of an amplifier, in units of the converter, without an end."""
    state, out = np.zeros(white.shape[1]), np.empty(white.shape, dtype=np.int16)
    for t in range(2 * len(white)):  # the second time round it goes on where the first ended
        state += -0.008 * state + 6.3e-5 * white[t % len(white)]
        out[t % len(white)] = np.round((state + 1.7e-5 * white[t % len(white)]) / GAIN_V)
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
@no_type_check
def _make(when, who, post, weight_v, delay, noise, first, start, out):
    """Fill in the frames from ``start`` on; what came before is made from ``first`` on and not kept.

    Channels take noise side by side, every ``_LANES`` of them from another time, and each turn from the next lanes.
    """
    n, n_noise, n_lanes = out.shape[1], noise.shape[0], noise.shape[1]
    stop, unit, rest = start + len(out), np.float32(1.43 / 5e-6), np.float32(-65e-3 / 5e-6)
    count, target = np.zeros(64, dtype=np.int64), np.empty((64, _MOST_AT_ONCE), dtype=np.int64)
    size = np.empty((64, _MOST_AT_ONCE), dtype=np.float32)
    slow, fast = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    k = 0
    for now in range(first, stop):
        while k < len(when) and when[k] <= now:
            if when[k] == now:
                for s in range(who[k] * _SYNAPSES, (who[k] + 1) * _SYNAPSES):
                    slot = (now + delay[s]) % 64
                    if count[slot] < _MOST_AT_ONCE:
                        target[slot, count[slot]], size[slot, count[slot]] = post[s], weight_v[s] * unit
                        count[slot] += 1
            k += 1
        for c in range(n):
            slow[c] *= np.float32(0.9934)
            fast[c] *= np.float32(0.95)
        slot = now % 64
        for e in range(count[slot]):
            slow[target[slot, e]] += size[slot, e]
            fast[target[slot, e]] += size[slot, e]
        count[slot] = 0
        if now < start:
            continue
        turn = now // _TURN_FRAMES
        for left in range(0, n, n_lanes):
            hum, lane = noise[(now + left * 7) % n_noise], (turn * 61 + left // n_lanes * 17) % n_lanes
            for low, high, at in ((0, n_lanes - lane, lane), (n_lanes - lane, n_lanes, 0)):
                width = min(left + high, n) - left - low
                if width > 0:
                    line, noisy = out[now - start, left + low : left + low + width], hum[at : at + width]
                    up, down = slow[left + low : left + low + width], fast[left + low : left + low + width]
                    for c in range(width):
                        line[c] = np.int16(rest + np.float32(noisy[c]) + up[c] - down[c])
    for s in range(len(when)):  # action potentials of 2 ms over all that
        for age in range(1, 21):
            t = when[s] + age - start
            if 0 <= t < len(out):
                v = -0.05 + 0.085 * age / 5.0 if age <= 5 else 0.035 - 0.1 * (age - 5) / 15.0
                out[t, who[s]] = np.int16(v / 5e-6)


class Steps:
    """Wall and processor time of each step that reports its progress, and the most memory that was in use."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        """Start now; print each step when it ends, unless quiet."""
        self._is_quiet = is_quiet
        self.begin = time.perf_counter()
        self._last = "before", self.begin, time.process_time()
        self.took: dict[str, list[float]] = {}

    def __call__(self, what: str, done: float, total: float) -> None:
        """Note that a step goes on."""
        now = time.perf_counter(), time.process_time()
        before, wall_s, cpu_s = self._last
        so_far = self.took.setdefault(before, [0.0, 0.0, 0.0])
        so_far[0] += now[0] - wall_s
        so_far[1] += now[1] - cpu_s
        so_far[2] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        if what != before and not self._is_quiet:
            print(f"{now[0] - self.begin:8.1f} s  {before} took {so_far[0]:.1f} s, {so_far[2]:.1f} GB", flush=True)
        self._last = what, *now

    def table(self) -> None:
        """Print all steps."""
        print(f"\n{'step':45s} {'wall, s':>9s} {'CPU, s':>9s} {'most GB':>8s}")
        for what, (wall_s, cpu_s, gb) in self.took.items():
            print(f"{what:45s} {wall_s:9.1f} {cpu_s:9.1f} {gb:8.2f}")

    def after(self, name: str) -> float:
        """Return the wall time of all that came after a step, of all where it was not needed."""
        names = list(self.took)  # without that one where all pieces were kept
        first = names.index(name) + 1 if name in names else 0
        return sum(self.took[step][0] for step in names[first:])


def gflops() -> float:
    """Return what the machine's 32-bit matrix products reach, billions of operations a second."""
    n = 4000
    a = np.ones((n, n), dtype=np.float32)
    _ = a @ a
    begin = time.perf_counter()
    _ = a @ a
    return 2e-9 * n**3 / (time.perf_counter() - begin)


def sized(description: str | None) -> argparse.ArgumentParser:
    """Return the options on what is copied, with what."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firing", type=int, default=2000)
    parser.add_argument("--channels", type=int, default=4096)
    parser.add_argument("--minutes", type=float, default=19.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", type=float, default=16.0, help="GB")
    parser.add_argument("--work", type=Path, help="folder that keeps the pieces (a temporary one without it)")
    return parser


def main() -> None:
    """Make, copy, print."""
    parser = sized(__doc__)
    parser.add_argument("--only-read", action="store_true", help="stop after the reading, whose pieces --work keeps")
    told = parser.parse_args()
    in_folder(told, run)


def in_folder(told: argparse.Namespace, run: Callable[[argparse.Namespace, Path], None]) -> None:
    """Run with so many threads, pieces in the folder that was named or in a temporary one."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(told.threads), tempfile.TemporaryDirectory() as folder:
        run(told, told.work or Path(folder))


def work_in(folder: Path, told: argparse.Namespace) -> "Work":
    """Return the work, by so many threads in so much memory."""
    from neurograft.copying import Budget, Threads, Work, WorkFolder

    memory = Budget(round(told.memory * 1e9))
    return Work(
        memory=memory, n_threads=told.threads, store=WorkFolder(folder),
        workers=Threads(told.threads, memory.samples_at_once(told.threads), memory.samples_held(told.threads)),
    )  # fmt: skip


def run(told: argparse.Namespace, folder: Path) -> None:
    """Copy a recording that is made as it is read."""
    from neurograft.copying import copy_intracellular, read_shard

    made = Made(firing=told.firing, channels=told.channels, seconds=round(60 * told.minutes))
    made.fetch(0, 0, 100)  # compiled
    made.seconds = 0.0
    recording = made.until(made.frames)
    work, limit = work_in(folder, told), gflops()
    steps = Steps()
    if told.only_read:
        read_shard(recording, work, progress=steps)
        steps("end", 1, 1)
        return
    copied = copy_intracellular(recording, work=work, progress=steps)
    steps("end", 1, 1)
    steps.table()
    print(json.dumps({
        "firing": told.firing, "channels": told.channels, "minutes": told.minutes,
        "all_s": round(sum(row[0] for row in steps.took.values()), 1),
        "after_the_reading_s": round(steps.after("finding action potentials"), 1),
        "making_cpu_s": round(made.seconds, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "gflops_32_bit": round(limit), **made.score(copied.map.pre, copied.map.post),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
