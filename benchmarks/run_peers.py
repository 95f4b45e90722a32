"""One network of run.py in NEST or Brian2, by an interpreter that has them; prints JSON.

    python benchmarks/run_peers.py nest|brian2 NETWORK.npz SECONDS

Neither is a dependency of neurograft: make an environment of its own (pip install nest-simulator; pip install
"brian2<2.10" "numpy<2.4") and hand its interpreter to run.py with --peers.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def in_nest(net: dict[str, np.ndarray], seconds: float) -> tuple[float, np.ndarray]:
    import nest

    nest.ResetKernel()
    nest.set(resolution=0.1, print_time=False, local_num_threads=1)
    n, is_current = int(net["n"]), bool(net["is_current"])
    known = {"tau_m": 20.0, "C_m": 20.0, "E_L": 0.0, "V_th": 20.0, "V_reset": 10.0, "t_ref": 2.0}
    known |= {"I_e": float(net["drive"])} | ({"tau_syn_ex": 0.5, "tau_syn_in": 0.5} if is_current else {})
    population = nest.Create("iaf_psc_exp" if is_current else "iaf_psc_delta", n, params=known)
    population.V_m = net["start"].tolist()
    columns = {"weight": net["weight"], "delay": np.round(net["delay_s"] * 1e3, 1), "synapse_model": "static_synapse"}
    nest.Connect(net["pre"] + 1, net["post"] + 1, "one_to_one", columns)
    if net["poisson_hz"] > 0:
        source = nest.Create("poisson_generator", params={"rate": float(net["poisson_hz"])})
        nest.Connect(source, population, syn_spec={"weight": float(net["poisson_weight"]), "delay": 0.1})
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    nest.Prepare()
    began = time.process_time()
    nest.Run(seconds * 1e3)
    spent = time.process_time() - began
    steps = np.rint(np.asarray(recorder.events["times"]) * 10).astype(int) - 1
    return spent, np.sort(steps * n + np.asarray(recorder.events["senders"]) - 1)


def in_brian2(net: dict[str, np.ndarray], seconds: float) -> tuple[float, np.ndarray]:
    import brian2 as b

    folder = tempfile.mkdtemp()  # a used folder can give silently wrong rates (facts of November 2026)
    b.set_device("cpp_standalone", directory=folder)
    b.prefs.devices.cpp_standalone.openmp_threads = 0
    b.defaultclock.dt = 0.1 * b.ms
    n, is_current = int(net["n"]), bool(net["is_current"])
    current = "\ndc/dt = -c / (0.5 * ms) : 1" if is_current else ""
    equations = f"dv/dt = (drive{' + c' if is_current else ''} - v) / tau : 1 (unless refractory){current}"
    names = {"drive": float(net["drive"]), "tau": 20 * b.ms}
    group = b.NeuronGroup(
        n, equations, threshold="v >= 20", reset="v = 10", refractory=2.1 * b.ms, method="exact", namespace=names
    )
    group.v = net["start"]
    synapses = b.Synapses(group, group, "w : 1", on_pre="c_post += w" if is_current else "v_post += w")
    synapses.connect(i=net["pre"], j=net["post"])
    synapses.w = net["weight"]
    synapses.delay = (net["delay_s"] - 0.1e-3) * b.second
    parts = [group, synapses]
    if net["poisson_hz"] > 0:
        # drawn as a binomial of 1,000 slow trains, which is how Brian2's users write it
        parts.append(
            b.PoissonInput(group, "v", 1000, float(net["poisson_hz"]) / 1000 * b.Hz, float(net["poisson_weight"]))
        )
    monitor = b.SpikeMonitor(group)
    network = b.Network(*parts, monitor)
    network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
    network.run(seconds * b.second)
    steps = np.rint(np.asarray(monitor.t / b.ms) * 10).astype(int)
    return float(b.device._last_run_time), np.sort(steps * n + np.asarray(monitor.i))


def main() -> None:
    peer, path, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    began = time.perf_counter()
    with np.load(path) as file:
        net = {name: file[name] for name in file.files}
    spent, spikes = (in_nest if peer == "nest" else in_brian2)(net, seconds)
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    np.save(path.with_suffix(f".{peer}.npy"), spikes)
    print(json.dumps({"s": spent, "whole_s": time.perf_counter() - began, "n": spikes.size, "gb": memory_gb}))


if __name__ == "__main__":
    main()
