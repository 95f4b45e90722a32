"""Single neurons of the culture against NEST and Brian2: rates by current, spike shapes, synaptic potentials.

    python benchmarks/culture_cells.py            compare with the peers that can be imported, and print
    python benchmarks/culture_cells.py --write    also write tests/data/culture/peers.csv and potentials.csv

The peers (pip install brian2 nest-simulator) get our parameters, without spread and noise, and their own
integrators; our kernels run at 0.1 ms as in a culture.  The default tests compare with the written numbers.
"""

import argparse
import csv
import importlib.metadata
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from neurograft.culture import AdaptiveExponential, HodgkinHuxley, Izhikevich
from neurograft.culture._engine import at_rest, no_drive, no_wires, run_steps
from neurograft.culture._synapses import AMPA_S, GABA_S, NMDA_S, peak_norm

SECONDS, STEP_S, FINE_MS = 1.0, 1e-4, 0.01
FAMILIES = {
    "adex": AdaptiveExponential(log_spread=0, spread_v=0),
    "izhikevich": Izhikevich(log_spread=0, spread_v=0),
    "hh": HodgkinHuxley(log_spread=0, spread_v=0, channel_siemens=0),
}
CURRENTS_A = {
    "adex": [50e-12, 200e-12, 250e-12, 300e-12, 400e-12, 600e-12],
    "izhikevich": [20e-12, 60e-12, 80e-12, 150e-12, 300e-12, 500e-12],
    "hh": [50e-12, 150e-12, 250e-12, 400e-12, 600e-12, 1000e-12],
}
POTENTIALS = {"ampa": (2e-9, 0.0), "ampa+nmda": (2e-9, 0.5), "gaba": (2e-9, 0.0)}
COLUMNS = ["n_spikes", "first_s", "last_s", "height_v", "width_s", "after_v", "end_v"]
PSP_COLUMNS = ["peak_v", "peak_at_s", "late_v"]
DATA = Path(__file__).resolve().parents[1] / "tests" / "data" / "culture"
CELLS = {"excitatory": True, "inhibitory": False}

# Written from the papers that the families name, in Brian2's language; "held" is the refractory time.
ADEX = """
dv/dt = (g_L*(E_L - v) + g_L*D*exp(clip((v - V_T)/D, -100, 16)) - w + g_syn + I)/C : volt (unless refractory)
dw/dt = (a*(v - E_L) - w)/tau_w : amp
"""
SYNAPSES = """
g_syn = (ga_d - ga_r)*(0*volt - v) + (gn_d - gn_r)*(0*volt - v)/(1 + exp(-62*v/volt)/3.57) + inhibiting : amp
inhibiting = (gi_d - gi_r)*(E_i - v) : amp
dga_d/dt = -ga_d/ta_d : siemens
dga_r/dt = -ga_r/ta_r : siemens
dgn_d/dt = -gn_d/tn_d : siemens
dgn_r/dt = -gn_r/tn_r : siemens
dgi_d/dt = -gi_d/ti_d : siemens
dgi_r/dt = -gi_r/ti_r : siemens
I : amp
"""
IZHIKEVICH = """
dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C : volt (unless refractory)
du/dt = a*(b*(v - v_r) - u) : amp
I : amp
"""
TRAUB_MILES = """
dv/dt = (g_L*(E_L - v) + g_Na*m**3*h*(E_Na - v) + (g_K*n**4 + g_M*p)*(E_K - v) + I)/C : volt
x = (v - V_T)/mV : 1
y = v/mV + 35 : 1
dm/dt = (0.32*4/exprel((13 - x)/4)*(1 - m) - 0.28*5/exprel((x - 40)/5)*m)/ms : 1
dh/dt = (0.128*exp((17 - x)/18)*(1 - h) - 4/(1 + exp((40 - x)/5))*h)/ms : 1
dn/dt = (0.032*5/exprel((15 - x)/5)*(1 - n) - 0.5*exp((10 - x)/40)*n)/ms : 1
dp/dt = (1/(1 + exp(-y/10)) - p)/(608*ms/(3.3*exp(y/20) + exp(-y/20))) : 1
I : amp
"""


def cell(family, excites: bool, copies: int = 1):
    return family.cells(np.full(copies, excites), np.random.default_rng(0))


def ours(name: str, excites: bool) -> list[dict[str, float]]:
    """Return what our kernel does at each current."""
    family, current_a = FAMILIES[name], np.array(CURRENTS_A[name])
    cells = cell(family, excites, current_a.size)
    wires = no_wires(cells, step_s=STEP_S, nmda_ratio=0.0)
    drive = no_drive(cells)._replace(current_a=current_a[None, :].copy())
    seen = run_steps(family, cells, wires, at_rest(cells, wires), drive, n_steps=round(SECONDS / STEP_S))
    trains = [seen.spike_step[seen.spike_neuron == i] * STEP_S for i in range(current_a.size)]
    return [measured(train, v.astype(float), STEP_S, name) for train, v in zip(trains, seen.trace_v, strict=True)]


def measured(spike_s: np.ndarray, v: np.ndarray, step_s: float, name: str) -> dict[str, float]:
    """Return counts and times, and of a Hodgkin-Huxley neuron its first spike's shape (elsewhere it is drawn)."""
    made = dict.fromkeys(COLUMNS, np.nan) | {"n_spikes": float(spike_s.size)}
    if spike_s.size == 0:
        return made | {"end_v": float(v[-1])}
    made |= {"first_s": float(spike_s[0]), "last_s": float(spike_s[-1])}
    if name == "hh":
        at = round(spike_s[0] / step_s)
        part = v[max(at - round(1e-3 / step_s), 0) : at + round(10e-3 / step_s)]
        made |= {"height_v": part.max(), "after_v": part.min(), "width_s": float(np.sum(part > -0.02) * step_s)}
    return made


def brian(name: str, excites: bool) -> list[dict[str, float]]:
    """Return what Brian2 makes of our parameters, fourth-order Runge-Kutta."""
    import brian2 as b

    b.prefs.codegen.target = "numpy"
    b.defaultclock.dt = FINE_MS * b.ms
    own, n = cell(FAMILIES[name], excites).own[:, 0], len(CURRENTS_A[name])
    space = brian_names(name, own, b)
    group = brian_group(name, n, own, b, space)
    group.I = np.array(CURRENTS_A[name]) * b.amp
    spikes, trace = b.SpikeMonitor(group), b.StateMonitor(group, "v", record=True)
    b.Network(group, spikes, trace).run(SECONDS * b.second, namespace=space)
    trains = spikes.spike_trains()
    return [measured(np.asarray(trains[i]), np.asarray(trace.v[i]), FINE_MS * 1e-3, name) for i in range(n)]


def brian_names(name: str, own: np.ndarray, b) -> dict[str, object]:
    F, S, V, A, s = b.farad, b.siemens, b.volt, b.amp, b.second
    units = {
        "adex": {"C": F, "g_L": S, "E_L": V, "V_T": V, "D": V, "V_r": V, "V_s": V, "a": S}
        | {"tau_w": s, "bump": A, "held": s},
        "izhikevich": {"C": F, "k": A / V**2, "v_r": V, "v_t": V, "v_peak": V, "a": 1 / s, "b": S, "c": V, "d": A},
        "hh": {"C": F, "g_L": S, "g_Na": S, "g_K": S, "g_M": S, "E_L": V, "V_T": V},
    }[name]
    fixed = {"adex": {}, "izhikevich": {"held": 1 * b.ms}, "hh": {"E_Na": 50 * b.mV, "E_K": -90 * b.mV}}[name]
    return {key: value * unit for (key, unit), value in zip(units.items(), own, strict=False)} | fixed


def brian_group(name: str, n: int, own: np.ndarray, b, space: dict[str, object]):
    if name == "adex":
        equations = ADEX.replace("g_syn + ", "") + "I : amp"
        told = {"threshold": "v > V_s", "reset": "v = V_r; w += bump", "refractory": space["held"]}
        group = b.NeuronGroup(n, equations, method="rk4", namespace=space, **told)
        group.v = own[2] * b.volt
    elif name == "izhikevich":
        told = {"threshold": "v >= v_peak", "reset": "v = c; u += d", "refractory": space["held"]}
        group = b.NeuronGroup(n, IZHIKEVICH, method="rk4", namespace=space, **told)
        group.v = own[2] * b.volt
    else:
        told = {"threshold": "v > -10*mV", "refractory": "v > -10*mV"}
        group = b.NeuronGroup(n, TRAUB_MILES, method="rk4", namespace=space, **told)
        rest = cell(FAMILIES["hh"], own[4] > 0)
        group.v = rest.rest_v[0] * b.volt
        group.m, group.h, group.n, group.p = rest.aux_at_rest[:4, 0]
    return group


def nest_cells(name: str, excites: bool) -> list[dict[str, float]]:
    """Return what NEST's own models make of our parameters; GSL's adaptive Runge-Kutta-Fehlberg."""
    import nest

    own, rest = cell(FAMILIES[name], excites).own[:, 0], cell(FAMILIES[name], excites)
    nest.ResetKernel()
    nest.resolution = 0.01
    if name == "adex":
        keys = ["C_m", "g_L", "E_L", "V_th", "Delta_T", "V_reset", "V_peak", "a", "tau_w", "b", "t_ref"]
        scale = [1e12, 1e9, 1e3, 1e3, 1e3, 1e3, 1e3, 1e9, 1e3, 1e12, 1e3]
        told = {key: value * unit for key, value, unit in zip(keys, own[:11], scale, strict=True)}
        made = nest.Create("aeif_cond_alpha", len(CURRENTS_A[name]), told | {"V_m": told["E_L"], "gsl_error_tol": 1e-8})
    else:
        keys, scale = ["C_m", "g_L", "g_Na", "g_K"], [1e12, 1e9, 1e9, 1e9]
        told = {key: value * unit for key, value, unit in zip(keys, own[:4], scale, strict=True)}
        told |= {"E_L": own[5] * 1e3, "V_T": own[6] * 1e3, "E_Na": 50.0, "E_K": -90.0, "V_m": rest.rest_v[0] * 1e3}
        told |= dict(zip(("Act_m", "Inact_h", "Act_n"), rest.aux_at_rest[:3, 0], strict=True))
        made = nest.Create("hh_cond_exp_traub", len(CURRENTS_A[name]), told)
    made.I_e = list(1e12 * np.array(CURRENTS_A[name]))
    recorder, meter = (
        nest.Create("spike_recorder"),
        nest.Create("multimeter", {"record_from": ["V_m"], "interval": 0.01}),
    )
    nest.Connect(made, recorder)
    nest.Connect(meter, made)
    nest.Simulate(1e3 * SECONDS)
    spikes, seen = recorder.events, meter.events
    rows = []
    for i in made.tolist():
        train = np.sort(spikes["times"][spikes["senders"] == i]) * 1e-3
        mine = seen["senders"] == i
        v = seen["V_m"][mine][np.argsort(seen["times"][mine])] * 1e-3
        rows.append(measured(train, v, 1e-5, name))
    return rows


def our_potential(receptor: str) -> dict[str, float]:
    """Return a potential at rest of the excitatory adaptive exponential neuron."""
    siemens, ratio = POTENTIALS[receptor]
    cells = cell(FAMILIES["adex"], True)
    wires = no_wires(cells, step_s=STEP_S, nmda_ratio=ratio)
    state = at_rest(cells, wires)
    (state.inhibit if receptor == "gaba" else state.excite)[0] = siemens
    seen = run_steps(FAMILIES["adex"], cells, wires, state, no_drive(cells), n_steps=800)
    return potential(seen.trace_v[0].astype(float) - cells.rest_v[0], STEP_S)


def potential(change_v: np.ndarray, step_s: float) -> dict[str, float]:
    at = int(np.abs(change_v).argmax())
    late = float(change_v[round(0.05 / step_s)])
    return {"peak_v": float(change_v[at]), "peak_at_s": at * step_s, "late_v": late}


def brian_potential(receptor: str) -> dict[str, float]:
    import brian2 as b

    b.prefs.codegen.target = "numpy"
    b.defaultclock.dt = FINE_MS * b.ms
    siemens, ratio = POTENTIALS[receptor]
    cells = cell(FAMILIES["adex"], True)
    space = brian_names("adex", cells.own[:, 0], b) | {"E_i": cells.inhibition_v[0] * b.volt}
    for name, (rise_s, decay_s) in {"a": AMPA_S, "n": NMDA_S, "i": GABA_S}.items():
        space |= {f"t{name}_r": rise_s * b.second, f"t{name}_d": decay_s * b.second}
    group = b.NeuronGroup(1, ADEX + SYNAPSES, method="rk4", namespace=space)
    group.v = cells.rest_v[0] * b.volt
    sizes = (
        {"i": siemens * peak_norm(GABA_S)}
        if receptor == "gaba"
        else {
            "a": siemens * peak_norm(AMPA_S),
            "n": siemens * ratio * peak_norm(NMDA_S),
        }
    )
    for name, size in sizes.items():
        setattr(group, f"g{name}_r", size * b.siemens)
        setattr(group, f"g{name}_d", size * b.siemens)
    quiet = b.NeuronGroup(1, ADEX + SYNAPSES, method="rk4", namespace=space)
    quiet.v = cells.rest_v[0] * b.volt
    traces = [b.StateMonitor(g, "v", record=True) for g in (group, quiet)]
    b.Network(group, quiet, *traces).run(80 * b.ms, namespace=space)
    return potential(np.asarray(traces[0].v[0]) - cells.rest_v[0], FINE_MS * 1e-3)


def peers() -> dict[str, object]:
    """Return the peers that can be imported, with the families that they have."""
    known = {"nest": (nest_cells, "nest-simulator"), "brian2": (brian, "Brian2")}
    return {name: told for name, told in known.items() if find_spec(name) is not None}


def can(peer: str, family: str, excites: bool) -> bool:
    """NEST has no Izhikevich neuron in units, and its Traub-Miles neuron no slow potassium."""
    return peer == "brian2" or family == "adex" or (family == "hh" and not excites)


def compare() -> tuple[list[list[object]], list[list[object]], list[str]]:
    rows: list[list[object]] = []
    notes = [f"integrator: NEST adaptive Runge-Kutta-Fehlberg; Brian2 fourth-order Runge-Kutta, {FINE_MS} ms"]
    for peer, (run, package) in peers().items():
        notes.append(f"{peer} {importlib.metadata.version(package)}")
        for family in FAMILIES:
            for kind, excites in CELLS.items():
                if not can(peer, family, excites):
                    continue
                theirs, mine = run(family, excites), ours(family, excites)
                tell(peer, family, kind, mine, theirs)
                for current, row in zip(CURRENTS_A[family], theirs, strict=True):
                    rows.append([peer, family, kind, current, *(row[name] for name in COLUMNS)])
    for family, made in FAMILIES.items():
        for kind, excites in CELLS.items():
            notes.append(f"parameters {family} {kind}: {json.dumps(cell(made, excites).own[:, 0].tolist())}")
    if "brian2" not in peers():
        return rows, [], notes
    potentials: list[list[object]] = []
    for receptor, told in POTENTIALS.items():
        theirs, mine = brian_potential(receptor), our_potential(receptor)
        print(
            f"brian2 {receptor:10s} peak {1e3 * mine['peak_v']:+.3f} mV, theirs {1e3 * theirs['peak_v']:+.3f} mV, "
            f"at {1e3 * mine['peak_at_s']:.1f} and {1e3 * theirs['peak_at_s']:.1f} ms"
        )
        potentials.append(["brian2", receptor, *told, *(theirs[name] for name in PSP_COLUMNS)])
    return rows, potentials, notes


def tell(peer: str, family: str, kind: str, mine: list, theirs: list) -> None:
    counts = [(round(a["n_spikes"]), round(b["n_spikes"])) for a, b in zip(mine, theirs, strict=True)]
    worst = max(abs(a - b) / max(b, 1) for a, b in counts)
    first = max(
        (
            abs(a["first_s"] - b["first_s"])
            for a, b in zip(mine, theirs, strict=True)
            if a["n_spikes"] and b["n_spikes"]
        ),
        default=0.0,
    )
    print(
        f"{peer:7s}{family:11s}{kind:11s} Hz ours/theirs "
        + " ".join(f"{a}/{b}" for a, b in counts)
        + f"  largest difference {100 * worst:.1f} %, first spikes within {1e3 * first:.2f} ms"
    )
    if family == "hh":
        a, b = mine[-1], theirs[-1]
        print(
            f"       spike: height {1e3 * a['height_v']:.1f}/{1e3 * b['height_v']:.1f} mV, "
            f"width {1e3 * a['width_s']:.2f}/{1e3 * b['width_s']:.2f} ms, "
            f"after it {1e3 * a['after_v']:.1f}/{1e3 * b['after_v']:.1f} mV"
        )


def write(path: Path, header: list[str], columns: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in header)
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows([f"{x:.6g}" if isinstance(x, float) else x for x in row] for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if not peers():
        raise SystemExit("Neither brian2 nor nest-simulator can be imported. Install one of them.")
    rows, potentials, notes = compare()
    if args.write:
        made = "made by benchmarks/culture_cells.py --write: other simulators with our parameters, one second a current"
        DATA.mkdir(parents=True, exist_ok=True)
        write(DATA / "peers.csv", [made, *notes], ["tool", "family", "cell", "current_a", *COLUMNS], rows)
        made = "made by benchmarks/culture_cells.py --write: one potential at rest, excitatory adex neuron, 2 nS peak"
        head = ["tool", "receptor", "siemens", "nmda_ratio", *PSP_COLUMNS]
        write(DATA / "potentials.csv", [made, *notes[:3]], head, potentials)


if __name__ == "__main__":
    main()
