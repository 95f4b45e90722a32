"""Run the network of NETWORK.npz in Brian2: python THIS.py [--seconds S] [--seed N] [--cpp FOLDER] [--out spikes.npz].

Written by neurograft.  It needs brian2 and numpy only.  Potentials are plain numbers of millivolts.  The order of
a step is neurons, synapses, thresholds, resets, as in NEST and neurograft; a spike reaches its targets in the
synapses' turn, so delays are one step shorter than written, and refractory times one step longer.
"""

import argparse
import json
from pathlib import Path

import brian2 as b2
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("network", nargs="?", default=str(Path(__file__).with_suffix(".npz")))
parser.add_argument("--seconds", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--cpp", help="build a C++ program in this new folder instead of running in Python")
parser.add_argument("--codegen", choices=("numpy", "cython", "auto"), default="auto")
parser.add_argument("--out", default="spikes.npz")
options = parser.parse_args()
net = dict(np.load(options.network, allow_pickle=False))
step_ms = float(net["step_ms"])
duration_ms = float(net["duration_ms"]) if options.seconds is None else 1e3 * options.seconds
seed = int(net["seed"]) if options.seed is None else options.seed
if options.cpp:
    if Path(options.cpp).exists():
        raise SystemExit(f"{options.cpp} exists. Name a new folder: old objects there could be taken for new ones.")
    b2.set_device("cpp_standalone", directory=options.cpp)
b2.prefs.codegen.target = options.codegen
b2.seed(seed % 2**32)
b2.defaultclock.dt = step_ms * b2.ms
b2.magic_network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]

LIF = {
    "delta": ("dv/dt = (drive + shared - v) / tau : 1 (unless refractory)", ["v_post += w"]),
    "exponential": (
        """dv/dt = (drive + shared - v + i_e + i_i) / tau : 1 (unless refractory)
        di_e/dt = -i_e / tau_e : 1
        di_i/dt = -i_i / tau_i : 1""",
        ["v_post += w", "i_e_post += w", "i_i_post += w"],
    ),
    "alpha": (
        """dv/dt = (drive + shared - v + i_e + i_i) / tau : 1 (unless refractory)
        di_e/dt = (e * s_e - i_e) / tau_e : 1
        ds_e/dt = -s_e / tau_e : 1
        di_i/dt = (e * s_i - i_i) / tau_i : 1
        ds_i/dt = -s_i / tau_i : 1""",
        ["v_post += w", "s_e_post += w", "s_i_post += w"],
    ),
}
COURSE = """
drive : 1 (constant)
gain : 1 (constant)
noise : 1 (constant)
shared = gain * course(t) : 1 (constant over dt)
"""


def lif(p):
    """Linear equations, integrated exactly; the course is constant over a step."""
    equations, arrives = LIF[p["synapse"]]
    names = {"tau": p["tau_m_ms"] * b2.ms, "high": p["threshold_mv"], "low": p["reset_mv"], "e": float(np.e)}
    if p["synapse"] != "delta":
        names |= {"tau_e": p["tau_excitatory_ms"] * b2.ms, "tau_i": p["tau_inhibitory_ms"] * b2.ms}
    hold_ms = p["refractory_ms"] + step_ms
    return equations, "v >= high", "v = low", hold_ms, names, "exact", arrives, 0.0


def adex(p):
    """Heun steps of a quarter of 0.1 ms here and there; Brian2 takes whole steps: statistics agree."""
    equations = """dv/dt = (-v + slope * exp((v - soft) / slope) - u + drive + shared) / tau : 1 (unless refractory)
    du/dt = (a * v - u) / tau_u : 1"""
    names = {
        "tau": p["tau_m_ms"] * b2.ms,
        "slope": p["slope_mv"],
        "soft": p["threshold_mv"],
        "high": p["cut_mv"],
        "low": p["reset_mv"],
        "tau_u": p["tau_w_ms"] * b2.ms,
        "a": p["adaptation_gain"],
        "jump": p["adaptation_jump_mv"],
    }
    hold_ms = p["refractory_ms"] + (step_ms if p["refractory_ms"] > 0 else 0.0)
    return equations, "v >= high", "v = low; u += jump", hold_ms, names, "euler", ["v_post += w"], 0.0


def izhikevich(p):
    """Potentials above rest, as in neurograft."""
    equations = """dv/dt = (0.04 * (v + rest)**2 + 5 * (v + rest) + 140 - u + slope * (drive + shared)) / ms : 1
    du/dt = a * (b * (v + rest) - u) / ms : 1"""
    names = {name: p[name] for name in "abcd"}
    names |= {"rest": p["rest_mv"], "slope": p["slope_per_ms"], "high": 30.0 - p["rest_mv"]}
    start_u = p["b"] * p["rest_mv"]
    return equations, "v >= high", "v = c - rest; u += d", 0.0, names, "euler", ["v_post += w"], start_u


KNOWN = {"lif": lif, "adex": adex, "izhikevich": izhikevich}
models = json.loads(str(net["models"]))
n, bin_ms = net["model"].size, float(net["course_bin_ms"])
if net["course"].size:
    # A bin is looked up by the time of the step's middle, so that rounding cannot take the bin before.
    edges = np.arange(round(duration_ms / step_ms) + 1)
    bins = np.floor((edges + 0.5) * step_ms / bin_ms).astype(int) % net["course"].size
    course = b2.TimedArray(net["course"][bins], dt=step_ms * b2.ms)
else:
    course = b2.TimedArray([0.0], dt=duration_ms * b2.ms)
place = np.zeros(n, dtype=np.int64)
groups, arrivals, monitors, objects = [], [], [], []
for index, p in enumerate(models):
    mine = np.flatnonzero(net["model"] == index)
    place[mine] = np.arange(mine.size)
    equations, threshold, reset, hold_ms, names, method, arrives, start_u = KNOWN[p["family"]](p)
    group = b2.NeuronGroup(
        mine.size,
        equations + COURSE,
        threshold=threshold,
        reset=reset,
        refractory=hold_ms * b2.ms if hold_ms else False,
        method=method,
        namespace=names | {"course": course, "kick": p["noise_kick"]},
    )
    group.v, group.drive = net["start_mv"][mine], net["drive_mv"][mine]
    group.gain, group.noise = net["gain_mv"][mine], net["noise_mv"][mine]
    if "du/dt" in equations:
        group.u = start_u
    if net["noise_mv"][mine].any():
        objects.append(
            group.run_regularly("v += noise * kick * randn()", dt=step_ms * b2.ms, when="synapses", order=-1)
        )
    monitors.append((b2.SpikeMonitor(group), mine))
    groups.append(group)
    arrivals.append(arrives)

for a, source in enumerate(groups):
    for b, target in enumerate(groups):
        for receptor, code in enumerate(arrivals[b]):
            rows = np.flatnonzero(
                (net["model"][net["pre"]] == a) & (net["model"][net["post"]] == b) & (net["receptor"] == receptor)
            )
            if rows.size:
                synapses = b2.Synapses(source, target, "w : 1", on_pre=code)
                synapses.connect(i=place[net["pre"][rows]], j=place[net["post"][rows]])
                synapses.w = net["weight_mv"][rows]
                synapses.delay = (net["delay_ms"][rows] - step_ms) * b2.ms
                objects.append(synapses)

network = b2.Network(*groups, *objects, *(monitor for monitor, _ in monitors))
network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
network.run(duration_ms * b2.ms)
step = np.concatenate([np.rint(np.asarray(m.t / b2.ms) / step_ms).astype(np.int64) for m, _ in monitors])
neuron = np.concatenate([mine[np.asarray(m.i)] for m, mine in monitors]).astype(np.int32)
order = np.lexsort((neuron, step))
np.savez(
    options.out, step=step[order], neuron=neuron[order], step_ms=step_ms, duration_ms=duration_ms, label=net["label"]
)
print(f"{step.size} spikes of {n} neurons in {duration_ms / 1e3:g} s; written: {options.out}")
