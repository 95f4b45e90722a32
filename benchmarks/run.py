"""Speed of the engine against what issue 6 asks, NEST and Brian2 in the same run, and the machine's own limit.

    python benchmarks/run.py [--peers PYTHON] [--threads 2] [--repeats 3] [--only WORD]

The balanced network is that of tests/network/brunel.py: 10,000 neurons, 9.5 million synapses, about 2.2e8 events
a second.  Every figure is the least of ``--repeats`` stretches; CPU seconds are of this process in one thread, wall
seconds mean something on free cores only.  PYTHON is an interpreter that has nest and brian2, see run_peers.py.
The whole table takes about five minutes on free cores.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from run_nets import fly_like, full_microcircuit

from network.brunel import DELTA, DRIVE, EXPONENTIAL, brunel_map
from neurograft.cells import card, pulse_writer
from neurograft.maps import SynapseMap, synapse_map
from neurograft.network import (
    CellWeights,
    Drive,
    ExactWeights,
    FitOptions,
    Plasticity,
    Poisson,
    Populations,
    RunOptions,
    fit_drive_to_rates,
    pair_rule,
    run,
    steady_drive,
)
from neurograft.network._build import build_engine
from neurograft.network._microcircuit import LATER_RATES_HZ
from neurograft.neurons import Lif, known_models
from neurograft.neurons._synapses import exponential_peak
from neurograft.pasting import paste
from neurograft.units import MS, MV

POISSON_HZ, POISSON_MEAN = 12_000.0, 0.125
STRETCH_STEPS = 2500


@dataclass(frozen=True, kw_only=True)
class Work:
    """One line of the table: a network, its budget in seconds a model second, and the peers that run it too."""

    name: str
    net: Callable[[], tuple[SynapseMap | Populations, np.ndarray]]
    neuron: Lif
    drive: Callable[[int], Drive]
    budget_s: float
    peers: tuple[str, ...] = ()
    skip_quiet: bool = False


def balanced(**changes: bool) -> Callable[[], tuple[SynapseMap, np.ndarray]]:
    return lambda: brunel_map(**changes)


def scattered(*, per_unit: int | None) -> Callable[[], tuple[SynapseMap, np.ndarray]]:
    """Return the network with a weight of its own for each synapse: normal, a fifth of the weight wide.

    With ``per_unit`` they are multiples of 1 / per_unit, else no numbers have a unit.
    """

    def net() -> tuple[SynapseMap, np.ndarray]:
        m, start_v = brunel_map()
        wide = np.clip(np.random.default_rng(1).normal(1.0, 0.2, m.n_synapses), 0.1, 1.9)
        weight_v = m.weight_v * wide if per_unit is None else np.rint(m.weight_v * wide * per_unit) / per_unit
        return replace(m, weight_v=weight_v), start_v

    return net


def with_poisson(n: int) -> Drive:
    """Return 12 kHz of kicks of 0.125 for each neuron: the mean of the steady drive, and its shot noise."""
    poisson = Poisson(rate_hz=np.full(n, POISSON_HZ), weight_v=np.full(n, POISSON_MEAN))
    return Drive(mean_v=np.zeros(n), noise_sd_v=np.zeros(n), poisson=poisson)


BALANCED = [
    Work(name="delta", net=balanced(), neuron=DELTA, drive=lambda n: steady_drive(n, mean_v=DRIVE), budget_s=0.45,
         peers=("nest", "brian2")),
    Work(name="levels", net=scattered(per_unit=4096), neuron=DELTA, drive=lambda n: steady_drive(n, mean_v=DRIVE),
         budget_s=0.45, peers=("nest",)),
    Work(name="any weights", net=scattered(per_unit=None), neuron=DELTA,
         drive=lambda n: steady_drive(n, mean_v=DRIVE), budget_s=0.45),
    Work(name="exponential", net=balanced(is_current=True), neuron=EXPONENTIAL,
         drive=lambda n: steady_drive(n, mean_v=DRIVE), budget_s=0.60, peers=("brian2",)),
    Work(name="mixed delays", net=balanced(has_mixed_delays=True), neuron=DELTA,
         drive=lambda n: steady_drive(n, mean_v=DRIVE), budget_s=0.60, peers=("nest",)),
    Work(name="Poisson", net=balanced(), neuron=DELTA, drive=with_poisson, budget_s=0.90, peers=("nest", "brian2")),
    Work(name="white noise", net=balanced(), neuron=DELTA,
         drive=lambda n: steady_drive(n, mean_v=DRIVE, noise_sd_v=0.5), budget_s=0.90),
]  # fmt: skip


@njit
def scatter(order, start, target, weight, sums):
    for r in order:
        for j in range(np.uint64(start[r]), np.uint64(start[r + 1])):
            sums[target[j]] += weight[j]


@njit
def scatter_words(order, start, word, sums):
    for r in order:
        for j in range(np.uint64(start[r]), np.uint64(start[r + 1])):
            sums[word[j] & np.int32(0xFFFF)] += word[j] >> np.int32(16)


def scatter_limit_ns(m: SynapseMap) -> tuple[float, float]:
    """Return nanoseconds an event of the bare addition: one row again and again, and rows at random.

    The first fetches nothing from far away; the second is the memory limit of any engine with this layout that does
    not ask for rows in advance.
    """
    engine = build_engine(m, seed=0, neuron=DELTA, drive=steady_drive(m.n_neurons), options=RunOptions())
    rows, sums = engine.groups[0].rows, np.zeros(m.n_neurons, dtype=np.int32)
    add, columns = scatter, (rows.target, rows.weight, sums.astype(np.float32))
    if rows.word.size:
        add, columns = scatter_words, (rows.word, sums)
    found: list[float] = []
    for order in (np.full(20_000, 5), np.random.default_rng(0).integers(0, m.n_neurons, 20_000)):
        n_events = int((rows.start[order + 1] - rows.start[order]).sum())
        best = np.inf
        for _ in range(6):
            began = time.process_time()
            add(order, rows.start, *columns)
            best = min(best, time.process_time() - began)
        found.append(best / n_events * 1e9)
    return found[0], found[1]


@dataclass(frozen=True, kw_only=True)
class Timed:
    cpu_s: float  # a model second, as are all
    wall_s: float
    events: float
    spikes: np.ndarray  # (step, neuron), of all stretches
    seconds: float
    bytes_per_synapse: float
    build_s: float


def timed(
    net: SynapseMap | Populations, start_v: np.ndarray, neuron: Lif, drive: Drive, *, repeats: int, n_threads: int = 1,
    skip_quiet: bool = False, warm_steps: int = 500, round_weights: bool = False,
) -> Timed:  # fmt: skip
    """Return the least times of some stretches of the stepping alone."""
    options = RunOptions(start_v=start_v, n_threads=n_threads, skip_quiet=skip_quiet, round_weights=round_weights)
    began = time.process_time()
    engine = build_engine(net, seed=1, neuron=neuron, drive=drive, options=options)
    build_s = time.process_time() - began
    engine.advance(warm_steps)
    share = STRETCH_STEPS * options.step_s
    cpus, walls, spikes = [], [], []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        piece = engine.advance(STRETCH_STEPS)
        cpus.append((time.process_time() - cpu) / share)
        walls.append((time.perf_counter() - wall) / share)
        spikes.append(np.column_stack([piece.step, piece.neuron]))
    rows = [group.rows for group in engine.groups]
    n_delays = max(1, engine.clock.delays.size)
    out_degree = sum(np.diff(r.start[::n_delays]) for r in rows)
    every = np.concatenate(spikes)
    return Timed(
        cpu_s=min(cpus), wall_s=min(walls), spikes=every, seconds=repeats * share, build_s=build_s,
        events=float(out_degree[every[:, 1]].sum()) / (repeats * share),
        bytes_per_synapse=sum(r.n_bytes for r in rows) / net.n_synapses,
    )  # fmt: skip


def verdict(value: float, budget: float) -> str:
    return f"budget {budget:.2f}: {'met' if value <= budget else 'NOT MET'}"


def peer(work: Work, m: SynapseMap, start_v: np.ndarray, python: str, name: str, seconds: float) -> dict | None:
    """Return what run_peers.py says of one network, None where the peer is not installed."""
    is_current = work.neuron is EXPONENTIAL
    scale = exponential_peak(tau_m_s=20 * MS, tau_syn_s=0.5 * MS) if is_current else 1.0
    drive = work.drive(m.n_neurons)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.npz"
        poisson = 0.0 if drive.poisson is None else POISSON_HZ
        np.savez(
            path, n=m.n_neurons, pre=m.pre.astype(np.int64), post=m.post.astype(np.int64), weight=m.weight_v / scale,
            delay_s=m.delay_s, start=start_v, is_current=is_current, drive=drive.mean_v[0], poisson_hz=poisson,
            poisson_weight=POISSON_MEAN,
        )  # fmt: skip
        command = [python, str(Path(__file__).with_name("run_peers.py")), name, str(path), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"    {name}: not run ({done.stderr.strip().splitlines()[-1:]})")
            return None
        return json.loads(done.stdout.strip().splitlines()[-1]) | {"spikes": np.load(path.with_suffix(f".{name}.npy"))}


def balanced_lines(given: argparse.Namespace) -> None:
    m, start_v = brunel_map()
    same_row, random_rows = scatter_limit_ns(m)
    print(f"scatter limit: {same_row:.2f} ns an event from near, {random_rows:.2f} with rows from memory at random")
    for work in BALANCED:
        if given.only and given.only not in work.name:
            continue
        net, start_v = work.net()
        found = timed(net, start_v, work.neuron, work.drive(net.n_neurons), repeats=given.repeats)
        ns = found.cpu_s / found.events * 1e9
        print(
            f"{work.name:13} {found.cpu_s:6.3f} CPU s, {found.wall_s:6.3f} wall s a model second "
            f"({verdict(found.cpu_s, work.budget_s)}); {found.events / found.cpu_s / 1e6:4.0f} M events/s, {ns:.2f} ns "
            f"an event = {ns / random_rows:.2f} x the limit; {found.bytes_per_synapse:.1f} bytes a synapse",
            flush=True,
        )
        if given.threads > 1 and work.name in ("delta", "exponential"):
            more = timed(net, start_v, work.neuron, work.drive(net.n_neurons), repeats=given.repeats,
                         n_threads=given.threads)  # fmt: skip
            print(
                f"    {given.threads} threads: {more.wall_s:.3f} wall s, {found.wall_s / more.wall_s:.2f} x one thread "
                f"(budget 1.50; arithmetic alone {arithmetic_gain(given.threads):.2f} x); "
                f"same spikes: {np.array_equal(found.spikes, more.spikes)}",
                flush=True,
            )
        for name in work.peers if given.peers else ():
            compare_with_peer(work, net, start_v, found, name, given)


def compare_with_peer(
    work: Work, net: SynapseMap, start_v: np.ndarray, found: Timed, name: str, given: argparse.Namespace
) -> None:
    other = peer(work, net, start_v, given.peers, name, given.seconds)
    if other is None:
        return
    spent = other["s"] / given.seconds
    line = (
        f"    {name}: {spent:.2f} s a model second ({other['whole_s']:.0f} s in all), {spent / found.cpu_s:.1f} x ours"
    )
    if work.drive(1).poisson is None:
        options = RunOptions(start_v=start_v)
        drive = work.drive(net.n_neurons)
        own = run(net, duration_s=given.seconds, seed=1, neuron=work.neuron, drive=drive, options=options).spikes
        key = np.sort(np.rint(own.time_s * 1e4).astype(np.int64) * net.n_neurons + own.neuron)
        line += f"; {key.size} spikes, all the same: {np.array_equal(key, other['spikes'])}"
    else:
        ours, theirs = found.spikes.shape[0] / found.seconds, other["n"] / given.seconds
        line += f"; {ours / net.n_neurons:.2f} Hz here, {theirs / net.n_neurons:.2f} Hz there"
    print(line, flush=True)


@njit(nogil=True)
def arithmetic(n):
    total = 1.0
    for _ in range(n):
        total = total * 1.0000001 + 1e-9
    return total


def arithmetic_gain(n_threads: int) -> float:
    """Return how many times more pure arithmetic the threads do than one: less than their number on busy cores."""
    walls: list[float] = []
    arithmetic(1)
    with ThreadPoolExecutor(n_threads) as pool:
        for n in (1, n_threads):
            best = np.inf
            for _ in range(3):
                began = time.perf_counter()
                list(pool.map(arithmetic, [30_000_000] * n))
                best = min(best, time.perf_counter() - began)
            walls.append(best)
    return n_threads * walls[0] / walls[1]


def model_lines(given: argparse.Namespace) -> None:
    """Print what a step of 0.1 ms costs a neuron of each model, driven to fire, without synapses."""
    n, none = 2000, np.zeros(0, dtype=np.int64)
    m = synapse_map(n_neurons=n, pre=none, post=none, weight_v=np.zeros(0), delay_s=1 * MS)
    costs: list[str] = []
    for name, model in known_models().items():
        drive = steady_drive(n, mean_v=25 * MV)
        engine = build_engine(m, seed=1, neuron=model, drive=drive, options=RunOptions())
        engine.advance(20)
        best, n_steps = np.inf, 50
        for _ in range(2 * given.repeats):
            began = time.process_time()
            engine.advance(n_steps)
            best = min(best, time.process_time() - began)
        costs.append(f"{name} {best / n_steps / n * 1e9:.1f}")
    print(f"models, ns a neuron and step of 0.1 ms: {', '.join(costs)}", flush=True)


def learning_lines(given: argparse.Namespace) -> None:
    """Print what 200 neurons with 2,000 synapses cost that learn by pairs: as exact numbers, and in memory cells."""
    n, rng = 200, np.random.default_rng(0)
    pre = np.concatenate([rng.choice(n, 10, replace=False) for _ in range(n)])
    weight_v = np.where(pre < 160, 1.0, -2.0) * MV * rng.uniform(0.5, 1.5, pre.size)
    delay_s = rng.integers(10, 40, pre.size) * 0.1 * MS
    m = synapse_map(n_neurons=n, pre=pre, post=np.repeat(np.arange(n), 10), weight_v=weight_v, delay_s=delay_s)
    drive = fit_drive_to_rates(m, 5.0, seed=1, options=FitOptions(n_rounds=2, trial_s=3.0))
    image = paste(m, memory=card("rram"), seed=1)
    stores = {
        "plain": lambda: None,
        "learning, exact": lambda: ExactWeights(m.weight_v, 5 * MV),
        "in cells": lambda: CellWeights(image, m.weight_v, pulse_writer(image.cell), np.random.default_rng(2)),
    }
    costs: list[str] = []
    for name, make in stores.items():
        best = np.inf
        for _ in range(given.repeats):
            store = make()
            plasticity = None if store is None else Plasticity(store=store, timing=pair_rule())
            began = time.process_time()
            spikes = run(m, duration_s=2.0, seed=3, drive=drive, plasticity=plasticity).spikes
            best = min(best, (time.process_time() - began) / 2.0)
        costs.append(f"{name} {best:.4f} ({spikes.n_spikes / 2.0 / n:.1f} Hz)")
    print(f"200 neurons, 2,000 synapses, CPU s a model second: {', '.join(costs)}", flush=True)


def fly_line(given: argparse.Namespace) -> None:
    c = fly_like()
    skipped = timed(c.net, c.start_v, c.neuron, c.drive, repeats=given.repeats, skip_quiet=True)
    print(
        f"fly-like      {skipped.cpu_s:6.3f} CPU s a model second ({verdict(skipped.cpu_s, 0.15)}); "
        f"{c.net.n_neurons} neurons, {c.net.n_synapses} synapses, {np.unique(skipped.spikes[:, 1]).size} active, "
        f"{skipped.spikes.shape[0] / skipped.seconds:.0f} spikes/s",
        flush=True,
    )
    stepped = timed(c.net, c.start_v, c.neuron, c.drive, repeats=1)
    print(f"    without skipping: {stepped.cpu_s:.3f} CPU s, {stepped.cpu_s / skipped.cpu_s:.1f} x", flush=True)


def microcircuit_lines(given: argparse.Namespace) -> None:
    for is_poisson in (False, True):
        if given.drive not in ("poisson" if is_poisson else "steady"):
            continue
        c = full_microcircuit(is_poisson=is_poisson)
        found = timed(c.net, c.start_v, c.neuron, c.drive, repeats=given.repeats, warm_steps=2000,
                      round_weights=given.round)  # fmt: skip
        counts = np.bincount(found.spikes[:, 1], minlength=c.net.n_neurons) / found.seconds
        rates = [f"{counts[c.net.members(k)].mean():.2f}" for k in range(8)]
        memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        kind = "Poisson" if is_poisson else "steady"
        print(
            f"microcircuit, {kind} input: real-time factor {found.cpu_s:.2f} CPU ({verdict(found.cpu_s, 4.0)}), "
            f"{found.wall_s:.2f} wall; "
            f"{found.events / found.cpu_s / 1e6:.0f} M events/s; {memory_gb:.2f} GB at most (budget 3); "
            f"{found.bytes_per_synapse:.2f} bytes a synapse; made in {found.build_s:.0f} s",
            flush=True,
        )
        print(f"    Hz: {' '.join(rates)}; published: {' '.join(str(r) for r in LATER_RATES_HZ)}", flush=True)
        if given.threads > 1:
            more = timed(c.net, c.start_v, c.neuron, c.drive, repeats=given.repeats, n_threads=given.threads,
                         warm_steps=2000, round_weights=given.round)  # fmt: skip
            print(
                f"    {given.threads} threads: {more.wall_s:.2f} wall ({verdict(more.wall_s, 2.2)}), "
                f"{found.wall_s / more.wall_s:.2f} x one (arithmetic alone {arithmetic_gain(given.threads):.2f} x); "
                f"same spikes: {np.array_equal(found.spikes, more.spikes)}",
                flush=True,
            )


START = """
import numpy as np
from neurograft.maps import synapse_map
from neurograft.network import RunOptions, run, steady_drive
m = synapse_map(n_neurons=2, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=1e-3)
run(m, duration_s=1e-3, seed=0, drive=steady_drive(2, mean_v=0.03), options=RunOptions(chunk_s=1e-4))
"""


def start_line() -> None:
    cpus: list[float] = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", START], check=True, env=os.environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"start, import to first steps, warm cache: {min(cpus):.2f} CPU s ({verdict(min(cpus), 2.0)})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="model time for the peers")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default="", help="an interpreter that has nest and brian2")
    parser.add_argument("--only", default="", help="part of a name: delta, fly, microcircuit, start …")
    parser.add_argument("--drive", default="", help="of the microcircuit: steady or poisson, without: both")
    parser.add_argument("--round", action="store_true", help="keep the microcircuit's weights in 4 bytes a synapse")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if not given.only or any(given.only in work.name for work in BALANCED):
        balanced_lines(given)
    for name, line in (
        ("models", model_lines),
        ("learning", learning_lines),
        ("fly", fly_line),
        ("microcircuit", microcircuit_lines),
    ):
        if given.only in name:
            line(given)
    if given.only in "start":
        start_line()


if __name__ == "__main__":
    main()
