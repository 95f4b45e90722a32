"""Speed of the engine: synaptic events a second, the distance to the scatter limit, and the ratio to peers.

    python benchmarks/run.py [--seconds 1.0] [--threads 2] [--peers]

The network is that of tests/network/brunel.py: 10,000 neurons, 9.5 million synapses, about 2.2e8 events a
second.  CPU seconds are of this process; wall seconds mean something on a quiet machine only.  With --peers NEST
and Brian2 run the same network where they can be imported (neither is a dependency); their spikes are compared too.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from network.brunel import DELTA, DRIVE, EXPONENTIAL, brunel_map
from neurograft.maps import SynapseMap
from neurograft.network import Drive, RunOptions, run, steady_drive
from neurograft.network._build import build_engine
from neurograft.neurons import Lif

BUDGET_CPU_S = {"delta": 0.45, "mixed delays": 0.60, "exponential": 0.60, "noise": 0.90}  # one thread, quiet machine


@njit
def scatter(rows, start, target, weight, sums):
    for r in rows:
        for j in range(start[r], start[r + 1]):
            sums[target[j]] += weight[j]


def scatter_limit_ns(m: SynapseMap) -> float:
    """Return nanoseconds an event of the bare addition, one row again and again: no fetching from far away."""
    engine = build_engine(m, seed=0, neuron=DELTA, drive=steady_drive(m.n_neurons), options=RunOptions())
    rows, sums = engine.groups[0].rows, np.zeros(m.n_neurons)
    again = np.full(20_000, 5)
    n_events = int(rows.start[6] - rows.start[5]) * again.size
    best = np.inf
    for _ in range(6):
        began = time.process_time()
        scatter(again, rows.start, rows.target, rows.weight, sums)
        best = min(best, time.process_time() - began)
    return best / n_events * 1e9


def timed(m: SynapseMap, start: np.ndarray, neuron: Lif, drive: Drive, seconds: float, n_threads: int):
    """Return (CPU s, wall s) per model second of the stepping alone, and the spikes of a whole run."""
    options = RunOptions(start_v=start, n_threads=n_threads)
    engine = build_engine(m, seed=1, neuron=neuron, drive=drive, options=options)
    engine.advance(100)
    n_steps = round(seconds / options.step_s) - 100
    cpu, wall = time.process_time(), time.perf_counter()
    n_spikes = 0
    while n_steps:
        part = min(2500, n_steps)
        n_spikes += engine.advance(part).step.size
        n_steps -= part
    share = seconds - 100 * options.step_s
    return (time.process_time() - cpu) / share, (time.perf_counter() - wall) / share, n_spikes / share


def peer_nest(m: SynapseMap, start: np.ndarray, seconds: float) -> tuple[float, np.ndarray]:
    import nest

    nest.ResetKernel()
    nest.resolution = 0.1
    known = {"tau_m": 20.0, "C_m": 20.0, "E_L": 0.0, "V_th": 20.0, "V_reset": 10.0, "t_ref": 2.0, "I_e": DRIVE}
    population = nest.Create("iaf_psc_delta", m.n_neurons, params=known)
    population.V_m = start.tolist()
    columns = {"weight": m.weight_v, "delay": np.round(m.delay_s * 1e3, 1), "synapse_model": "static_synapse"}
    nest.Connect(m.pre.astype(np.int64) + 1, m.post.astype(np.int64) + 1, "one_to_one", columns)
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    began = time.process_time()
    nest.Simulate(seconds * 1e3)
    spent = time.process_time() - began
    steps = np.rint(np.asarray(recorder.events["times"]) * 10).astype(int) - 1
    return spent / seconds, np.sort(steps * m.n_neurons + np.asarray(recorder.events["senders"]) - 1)


def peer_brian2(m: SynapseMap, start: np.ndarray, seconds: float) -> tuple[float, np.ndarray]:
    import brian2 as b

    folder = tempfile.mkdtemp()  # a used folder can give silently wrong rates (facts of November 2026)
    b.set_device("cpp_standalone", directory=folder)
    b.defaultclock.dt = 0.1 * b.ms
    equations = "dv/dt = (drive - v) / tau : 1 (unless refractory)"
    names = {"drive": DRIVE, "tau": 20 * b.ms}
    group = b.NeuronGroup(
        m.n_neurons, equations, threshold="v >= 20", reset="v = 10", refractory=2.1 * b.ms, method="exact",
        namespace=names,
    )  # fmt: skip
    group.v = start
    synapses = b.Synapses(group, group, "w : 1", on_pre="v_post += w")
    synapses.connect(i=m.pre, j=m.post)
    synapses.w = m.weight_v
    synapses.delay = (m.delay_s - 0.1e-3) * b.second
    monitor = b.SpikeMonitor(group)
    network = b.Network(group, synapses, monitor)
    network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
    network.run(seconds * b.second)
    steps = np.rint(np.asarray(monitor.t / b.ms) * 10).astype(int)
    return float(b.device._last_run_time) / seconds, np.sort(steps * m.n_neurons + np.asarray(monitor.i))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    m, start = brunel_map()
    limit_ns = scatter_limit_ns(m)
    out_degree = m.n_synapses / m.n_neurons
    steady, noisy = (steady_drive(m.n_neurons, mean_v=DRIVE, noise_sd_v=sd) for sd in (0.0, 0.5))
    mixed, _ = brunel_map(has_mixed_delays=True)
    current, _ = brunel_map(is_current=True)
    cases = [("delta", m, DELTA, steady), ("mixed delays", mixed, DELTA, steady)]
    cases += [("exponential", current, EXPONENTIAL, steady), ("noise", m, DELTA, noisy)]
    print(f"scatter limit {limit_ns:.2f} ns an event; {given.threads} thread(s)")
    ours = 0.0
    for name, used, neuron, drive in cases:
        cpu, wall, rate = timed(used, start, neuron, drive, given.seconds, given.threads)
        events = rate * out_degree
        ours = cpu if name == "delta" else ours
        print(
            f"{name:13} {cpu:5.2f} CPU s, {wall:5.2f} wall s a model second (budget {BUDGET_CPU_S[name]:.2f}); "
            f"{events / wall / 1e6:4.0f} M events/s; {cpu / events * 1e9 / limit_ns:.2f} x the scatter limit"
        )
    if given.peers:
        spikes = run(
            m, duration_s=given.seconds, seed=1, neuron=DELTA, drive=steady, options=RunOptions(start_v=start)
        ).spikes
        own = np.sort(np.rint(spikes.time_s * 1e4).astype(int) * m.n_neurons + spikes.neuron)
        for name, peer in (("NEST", peer_nest), ("Brian2 C++", peer_brian2)):
            try:
                spent, other = peer(m, start, given.seconds)
            except ImportError:
                print(f"{name}: not installed")
                continue
            print(f"{name}: {spent:.2f} s, {spent / ours:.1f} x ours; same spikes: {np.array_equal(own, other)}")


if __name__ == "__main__":
    main()
