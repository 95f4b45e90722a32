"""Run the network of NETWORK.npz through PyNN: python THIS.py BACKEND [--seconds S] [--seed N] [--out spikes.npz].

Written by neurograft.  BACKEND is a PyNN simulator, e.g. nest or brian2.  It needs PyNN, that simulator and numpy.
Leaky integrate-and-fire neurons only: PyNN has no neuron with kicks beside IF_curr_delta.
"""

import argparse
import importlib
import json
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("backend")
parser.add_argument("network", nargs="?", default=str(Path(__file__).with_suffix(".npz")))
parser.add_argument("--seconds", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--out", default="spikes.npz")
options = parser.parse_args()
sim = importlib.import_module(f"pyNN.{options.backend}")
net = dict(np.load(options.network, allow_pickle=False))
step_ms = float(net["step_ms"])
duration_ms = float(net["duration_ms"]) if options.seconds is None else 1e3 * options.seconds
seed = int(net["seed"]) if options.seed is None else options.seed
longest_ms = float(net["delay_ms"].max(initial=1.0))
extra = {"spike_precision": "on_grid"} if options.backend == "nest" else {}
sim.setup(timestep=step_ms, min_delay=step_ms, max_delay=longest_ms, rng_seed=seed % (2**31 - 2) + 1, **extra)

KIND = {"delta": "IF_curr_delta", "exponential": "IF_curr_exp", "alpha": "IF_curr_alpha"}
models = json.loads(str(net["models"]))
n = net["model"].size
place, populations = np.zeros(n, dtype=np.int64), []
for index, p in enumerate(models):
    if p["family"] != "lif":
        raise SystemExit(f"PyNN has no standard cell for {p['name']} with kicks. Use the NEST or Brian2 export.")
    mine = np.flatnonzero(net["model"] == index)
    place[mine] = np.arange(mine.size)
    given = {
        "v_rest": 0.0,
        "tau_m": p["tau_m_ms"],
        "cm": p["tau_m_ms"],  # one megaohm: a nanoampere is a millivolt
        "v_thresh": p["threshold_mv"],
        "v_reset": p["reset_mv"],
        "tau_refrac": p["refractory_ms"],
        "i_offset": net["drive_mv"][mine],
    }
    if p["synapse"] != "delta":
        given |= {"tau_syn_E": p["tau_excitatory_ms"], "tau_syn_I": p["tau_inhibitory_ms"]}
    cells = sim.Population(mine.size, getattr(sim, KIND[p["synapse"]])(**given), label=p["name"])
    if options.backend == "nest":  # PyNN 0.13 does not hand the start potential of IF_curr_delta to NEST
        import nest

        nest.NodeCollection([int(i) for i in cells.all_cells]).V_m = net["start_mv"][mine].tolist()
    else:
        cells.initialize(v=net["start_mv"][mine])
    cells.record("spikes")
    gain = -np.expm1(-step_ms / p["tau_m_ms"])
    for k, i in enumerate(mine):
        if net["noise_mv"][i]:
            level = net["noise_mv"][i] * p["noise_kick"] / gain
            cells[k : k + 1].inject(
                sim.NoisyCurrentSource(mean=0.0, stdev=level, start=0.0, stop=duration_ms, dt=step_ms)
            )
        if net["course"].size and net["gain_mv"][i]:
            edges = np.arange(int(np.ceil(duration_ms / float(net["course_bin_ms"]))))
            level = net["gain_mv"][i] * net["course"][edges % net["course"].size]
            cells[k : k + 1].inject(sim.StepCurrentSource(times=edges * float(net["course_bin_ms"]), amplitudes=level))
    populations.append((cells, mine))

for a, (source, _) in enumerate(populations):
    for b, (target, _) in enumerate(populations):
        for sign, receptor in ((1, "excitatory"), (-1, "inhibitory")):
            between = (net["model"][net["pre"]] == a) & (net["model"][net["post"]] == b)
            rows = np.flatnonzero(between & (np.where(net["weight_mv"] < 0, -1, 1) == sign))
            if rows.size:
                columns = (place[net["pre"][rows]], place[net["post"][rows]])
                listed = [
                    (int(i), int(j), float(w), float(d))
                    for i, j, w, d in zip(*columns, net["weight_mv"][rows], net["delay_ms"][rows], strict=True)
                ]
                sim.Projection(
                    source,
                    target,
                    sim.FromListConnector(listed, column_names=["weight", "delay"]),
                    sim.StaticSynapse(),
                    receptor_type=receptor,
                )

sim.run(duration_ms)
step, neuron = [], []
for cells, mine in populations:
    for k, train in enumerate(cells.get_data("spikes").segments[0].spiketrains):
        at = np.rint(np.asarray(train.rescale("ms")) / step_ms).astype(np.int64) - 1
        step.append(at)
        neuron.append(np.full(at.size, mine[k], dtype=np.int32))
step, neuron = np.concatenate(step), np.concatenate(neuron)
order = np.lexsort((neuron, step))
np.savez(
    options.out, step=step[order], neuron=neuron[order], step_ms=step_ms, duration_ms=duration_ms, label=net["label"]
)
sim.end()
print(f"{step.size} spikes of {n} neurons in {duration_ms / 1e3:g} s; written: {options.out}")
