"""Run the network of NETWORK.npz in CoreNEURON: python THIS.py [--seconds S] [--seed N] [--out spikes.npz].

Written by neurograft.  It needs neuron (9 or later), numpy and a C++ compiler, with which the neuron below is
compiled once, into a folder beside this file.  Under MPI compile first, then start the ranks, each of which writes
its own neurons' spikes to spikes-RANK.npz:

    python THIS.py --build
    mpirun -n 4 python THIS.py

A step is done as in neurograft: move, add what arrived, compare with the threshold.  A spike of step k leaves at the
beginning of step k + 1, so delays are one step shorter here, and a quarter of a step longer, which no rounding of
times can undo.  Two runs without noise give the spikes that neurograft gives; noise is drawn otherwise.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

NEURON = """
NEURON {
    POINT_PROCESS GridLif
    RANGE y, source_e, current_e, source_i, current_i
    RANGE start, drive, shared, noise_kick, decay, gain, high, low, hold
    RANGE e1, e2, e3, e4, i1, i2, i3, i4
    RANDOM noise
}

PARAMETER {
    start = 0
    drive = 0
    shared = 0
    noise_kick = 0
    decay = 1
    gain = 0
    high = 1
    low = 0
    hold = 0
    e1 = 0  e2 = 0  e3 = 0  e4 = 0
    i1 = 0  i2 = 0  i3 = 0  i4 = 0
}

ASSIGNED {
    y source_e current_e source_i current_i
    kick jump_e jump_i
    left fired
}

INITIAL {
    y = start
    source_e = 0  current_e = 0  source_i = 0  current_i = 0
    kick = 0  jump_e = 0  jump_i = 0
    left = 0
    fired = 0
    net_send(0, 1)
}

BREAKPOINT {
    SOLVE advance
}

: e1 decay of a current, e2 its rise from its source, e3 potential from the source, e4 potential from the current
PROCEDURE advance() {
    y = gain * (drive + shared) + decay * y + (e3 * source_e + e4 * current_e + i3 * source_i + i4 * current_i) + kick
    if (noise_kick > 0) {
        y = y + noise_kick * random_normal(noise)
    }
    if (e2 > 0) {
        current_e = e2 * source_e + e1 * current_e
        source_e = e1 * source_e + jump_e
        current_i = i2 * source_i + i1 * current_i
        source_i = i1 * source_i + jump_i
    } else {
        current_e = e1 * current_e + jump_e
        current_i = i1 * current_i + jump_i
    }
    kick = 0  jump_e = 0  jump_i = 0
    if (left > 0) {
        y = low
        left = left - 1
    }
    if (y >= high) {
        y = low
        left = hold
        fired = 1
    }
}

NET_RECEIVE (w, receptor) {
    INITIAL {
        receptor = receptor : else NEURON sets all arguments but the first to 0
    }
    if (flag == 0) {
        if (receptor == 0) { kick = kick + w }
        if (receptor == 1) { jump_e = jump_e + w }
        if (receptor == 2) { jump_i = jump_i + w }
    }
    if (flag == 1) {
        WATCH (fired > 0.5) 2
    }
    if (flag == 2) {
        net_event(t)
        fired = 0
        WATCH (fired > 0.5) 2
    }
}
"""

HERE = Path(__file__).resolve()
BUILT = HERE.with_suffix(".mechanism")

parser = argparse.ArgumentParser()
parser.add_argument("network", nargs="?", default=str(HERE.with_suffix(".npz")))
parser.add_argument("--seconds", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--out", default="spikes.npz")
parser.add_argument("--build", action="store_true", help="compile the neuron and leave")
parser.add_argument("--neuron", action="store_true", help="run in NEURON itself, without CoreNEURON")
options = parser.parse_args()


def compiled():
    """Return the folder of the compiled neuron; it is compiled where it is not there, but not by several ranks."""
    library = BUILT / platform.machine() / "libcorenrnmech.so"
    if not library.exists():
        if int(os.environ.get("OMPI_COMM_WORLD_SIZE", os.environ.get("PMI_SIZE", "1"))) > 1:
            raise SystemExit(f"Compile the neuron before the ranks start: python {HERE.name} --build")
        BUILT.mkdir(exist_ok=True)
        (BUILT / "gridlif.mod").write_text(NEURON)
        beside = Path(sys.executable).with_name("nrnivmodl")
        command = str(beside) if beside.exists() else shutil.which("nrnivmodl") or "nrnivmodl"
        done = subprocess.run([command, "-coreneuron", "."], cwd=BUILT, capture_output=True, text=True, check=False)
        if done.returncode or not library.exists():
            raise SystemExit(f"nrnivmodl -coreneuron failed; it needs a C++ compiler and make.\n{done.stderr[-1500:]}")
    return library.parent


mechanism = compiled()
if options.build:
    sys.exit(0)
os.environ["CORENEURONLIB"] = str(mechanism / "libcorenrnmech.so")
os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
from neuron import coreneuron, h  # noqa: E402

h.nrnmpi_init()
pc = h.ParallelContext()
rank, n_ranks = int(pc.id()), int(pc.nhost())
h.nrn_load_dll(str(mechanism / "libnrnmech.so"))

net = dict(np.load(options.network, allow_pickle=False))
step_ms = float(net["step_ms"])
duration_ms = float(net["duration_ms"]) if options.seconds is None else 1e3 * options.seconds
n_steps = round(duration_ms / step_ms)
seed = int(net["seed"]) if options.seed is None else options.seed


def shape(p, sign):
    """Return a current's decay, rise from its source, and what source and current add to the potential in a step."""
    m, s = p["tau_m_ms"], p[f"tau_{sign}_ms"]
    b = 1 / s - 1 / m
    from_current = np.exp(-step_ms / m) * (-np.expm1(-b * step_ms) / b if b else step_ms) / m
    if p["synapse"] == "exponential":
        return np.exp(-step_ms / s), 0.0, 0.0, from_current
    x = b * step_ms
    ramp = step_ms**2 * (0.5 - x / 3) if abs(x) < 1e-6 else (1 - (1 + x) * np.exp(-x)) / b**2
    return (
        np.exp(-step_ms / s),
        np.e / s * step_ms * np.exp(-step_ms / s),
        (np.e / (m * s) * np.exp(-step_ms / m) * ramp),
        from_current,
    )


def neuron_of(i, p):
    """Return neuron i as a point process of the one section that a rank has."""
    cell = h.GridLif(section(0.5))
    cell.decay, cell.gain = np.exp(-step_ms / p["tau_m_ms"]), -np.expm1(-step_ms / p["tau_m_ms"])
    cell.high, cell.low, cell.hold = p["threshold_mv"], p["reset_mv"], round(p["refractory_ms"] / step_ms)
    cell.start, cell.drive = net["start_mv"][i], net["drive_mv"][i]
    cell.noise_kick = net["noise_mv"][i] * p["noise_kick"]
    cell.noise.set_ids(seed % 2**32, int(i), 1)
    if p["synapse"] != "delta":
        cell.e1, cell.e2, cell.e3, cell.e4 = shape(p, "excitatory")
        cell.i1, cell.i2, cell.i3, cell.i4 = shape(p, "inhibitory")
    return cell


models = json.loads(str(net["models"]))
for p in models:
    if p["family"] != "lif":
        raise SystemExit(f"There is no {p['name']} neuron for CoreNEURON here. Use the NEST or Brian2 export.")
n = net["model"].size
section = h.Section(name="ground")
cells, sources = {}, []
for i in range(rank, n, n_ranks):
    cells[i] = neuron_of(i, models[net["model"][i]])
    pc.set_gid2node(i, rank)
    pc.cell(i, h.NetCon(cells[i], None))

delay_ms = net["delay_ms"] - 0.75 * step_ms
if n_ranks > 1 and delay_ms.min(initial=step_ms) < step_ms:
    raise SystemExit("A delay of one step cannot cross ranks. Use one rank, or a step of half the shortest delay.")
mine = np.flatnonzero(net["post"] % n_ranks == rank)
for pre, post, weight, delay, receptor in zip(
    net["pre"][mine].tolist(),
    net["post"][mine].tolist(),
    net["weight_mv"][mine].tolist(),
    delay_ms[mine].tolist(),
    net["receptor"][mine].tolist(),
    strict=True,
):
    connection = pc.gid_connect(pre, cells[post])
    connection.delay, connection.weight[0], connection.weight[1] = delay, weight, receptor
    sources.append(connection)

played = []
if net["course"].size:
    edges = np.arange(int(np.ceil(duration_ms / float(net["course_bin_ms"]))) + 1) * float(net["course_bin_ms"])
    level = net["course"][np.arange(edges.size - 1) % net["course"].size]
    # Steps: each level from its bin's first step to its last; the value between is never read.
    times = h.Vector(np.column_stack([edges[:-1] + 0.25 * step_ms, edges[1:] + 0.2 * step_ms]).ravel())
    for i, cell in cells.items():
        levels = h.Vector(np.repeat(level, 2) * net["gain_mv"][i])
        levels.play(cell._ref_shared, times, True)
        played.append(levels)

times_ms, gids = h.Vector(), h.Vector()
pc.spike_record(-1, times_ms, gids)
h.dt = step_ms
h.CVode().active(0)
pc.set_maxstep(10)
h.finitialize(0)
coreneuron.enable = not options.neuron
coreneuron.verbose = 0
pc.psolve((n_steps + 1) * step_ms)  # a spike of the last step is found at the beginning of the next

step = np.rint(np.asarray(times_ms) / step_ms).astype(np.int64) - 1
neuron = np.asarray(gids).astype(np.int32)
order = np.lexsort((neuron, step))
order = order[step[order] < n_steps]
out = Path(options.out)
if n_ranks > 1:
    out = out.with_name(f"{out.stem}-{rank}{out.suffix}")
np.savez(out, step=step[order], neuron=neuron[order], step_ms=step_ms, duration_ms=duration_ms, label=net["label"])
print(f"{order.size} spikes of {len(cells)} neurons in {duration_ms / 1e3:g} s; written: {out}")
pc.barrier()
h.quit()
