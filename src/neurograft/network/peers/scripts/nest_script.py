"""Run the network of NETWORK.npz in NEST 3: python THIS.py [--seconds S] [--seed N] [--threads T] [--out spikes.npz].

Written by neurograft.  It needs nest and numpy only.  Under MPI each rank writes its own neurons' spikes, to
spikes-RANK.npz.  Times are steps: a spike of step k was found at the end of the step that began at k * step_ms.
Two runs without noise give the spikes that neurograft gives; noise is drawn otherwise, so its runs agree in
statistics only.
"""

import argparse
import json
from pathlib import Path

import nest
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("network", nargs="?", default=str(Path(__file__).with_suffix(".npz")))
parser.add_argument("--seconds", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--out", default="spikes.npz")
options = parser.parse_args()
net = dict(np.load(options.network, allow_pickle=False))
step_ms = float(net["step_ms"])
duration_ms = float(net["duration_ms"]) if options.seconds is None else 1e3 * options.seconds
seed = int(net["seed"]) if options.seed is None else options.seed

nest.ResetKernel()
nest.set(resolution=step_ms, local_num_threads=options.threads, rng_seed=seed % (2**31 - 2) + 1, print_time=False)


def lif(p):
    """One gigaohm, so that a picoampere is a millivolt; capacitance in pF is then tau in ms."""
    names = {"delta": "iaf_psc_delta", "exponential": "iaf_psc_exp", "alpha": "iaf_psc_alpha"}
    given = {
        "E_L": 0.0,
        "tau_m": p["tau_m_ms"],
        "C_m": p["tau_m_ms"],
        "V_th": p["threshold_mv"],
        "V_reset": p["reset_mv"],
        "t_ref": p["refractory_ms"],
    }
    if p["synapse"] != "delta":
        given |= {"tau_syn_ex": p["tau_excitatory_ms"], "tau_syn_in": p["tau_inhibitory_ms"]}
    return names[p["synapse"]], given, 1.0, 0.0


def adex(p):
    """One nanosiemens of leak: currents in pA are millivolts, capacitance in pF is tau in ms."""
    given = {
        "E_L": 0.0,
        "C_m": p["tau_m_ms"],
        "g_L": 1.0,
        "V_th": p["threshold_mv"],
        "Delta_T": p["slope_mv"],
        "V_peak": p["cut_mv"],
        "V_reset": p["reset_mv"],
        "t_ref": p["refractory_ms"],
        "a": p["adaptation_gain"],
        "b": p["adaptation_jump_mv"],
        "tau_w": p["tau_w_ms"],
    }
    return "aeif_psc_delta", given, 1.0, 0.0


def izhikevich(p):
    """NEST takes one Euler step where neurograft takes Heun's: spikes agree in statistics."""
    given = {name: p[name] for name in "abcd"} | {"consistent_integration": True, "V_th": 30.0}
    return "izhikevich", given, p["slope_per_ms"], p["rest_mv"]


KNOWN = {"lif": lif, "adex": adex, "izhikevich": izhikevich}
models = json.loads(str(net["models"]))
n = net["model"].size
ids = np.zeros(n, dtype=np.int64)
current_per_mv, kick_per_noise = np.zeros(n), np.zeros(n)
for index, parameters in enumerate(models):
    mine = np.flatnonzero(net["model"] == index)
    name, given, per_mv, rest_mv = KNOWN[parameters["family"]](parameters)
    cells = nest.Create(name, mine.size, params=given)
    cells.V_m = (net["start_mv"][mine] + rest_mv).tolist()
    cells.I_e = (net["drive_mv"][mine] * per_mv).tolist()
    ids[mine] = cells.tolist()
    current_per_mv[mine] = per_mv
    if parameters["family"] == "izhikevich":
        cells.U_m = [parameters["b"] * rest_mv] * mine.size
        gain = per_mv * step_ms  # mV that a current of 1 adds in a step
    else:
        gain = -np.expm1(-step_ms / parameters["tau_m_ms"])
    kick_per_noise[mine] = parameters["noise_kick"] / gain * per_mv

if net["pre"].size:
    nest.Connect(
        ids[net["pre"]],
        ids[net["post"]],
        conn_spec="one_to_one",
        syn_spec={
            "synapse_model": "static_synapse",
            "weight": net["weight_mv"],
            "delay": net["delay_ms"],
        },
    )


def inject(device, level):
    """Connect a device that makes one unit of current to every neuron, so strong that it means ``level``."""
    there = np.flatnonzero(level)
    if there.size:
        source = np.full(there.size, device.tolist()[0])
        delay = np.full(there.size, step_ms)
        nest.Connect(
            source,
            ids[there],
            conn_spec="one_to_one",
            syn_spec={"synapse_model": "static_synapse", "weight": level[there], "delay": delay},
        )


inject(
    nest.Create("noise_generator", params={"mean": 0.0, "std": 1.0, "dt": step_ms}), net["noise_mv"] * kick_per_noise
)
if net["course"].size:
    bin_ms, course = float(net["course_bin_ms"]), net["course"]
    edges = np.arange(int(np.ceil(duration_ms / bin_ms)))
    when = np.maximum(np.round(edges * bin_ms / step_ms), 1) * step_ms
    shared = nest.Create("step_current_generator")
    shared.set(amplitude_times=when.tolist(), amplitude_values=course[edges % course.size].tolist())
    inject(shared, net["gain_mv"] * current_per_mv)

recorder = nest.Create("spike_recorder")
nest.Connect(nest.NodeCollection(sorted(ids.tolist())), recorder)
nest.Simulate(np.round(duration_ms / step_ms) * step_ms)

place = np.zeros(int(ids.max()) + 1, dtype=np.int64)
place[ids] = np.arange(n)
events = recorder.get("events")
step = np.rint(np.asarray(events["times"]) / step_ms).astype(np.int64) - 1
neuron = place[np.asarray(events["senders"], dtype=np.int64)].astype(np.int32)
order = np.lexsort((neuron, step))
out = Path(options.out)
if nest.num_processes > 1:
    out = out.with_name(f"{out.stem}-{nest.Rank()}{out.suffix}")
np.savez(out, step=step[order], neuron=neuron[order], step_ms=step_ms, duration_ms=duration_ms, label=net["label"])
print(f"{step.size} spikes of {n} neurons in {duration_ms / 1e3:g} s; written: {out}")
