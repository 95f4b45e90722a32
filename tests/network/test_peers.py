"""Exports: what the files say, read back; and, where a simulator is there, the same spikes in it.

Set NEUROGRAFT_PEER_PYTHON to the python of an environment with nest, brian2, pyNN, neuron or nir; without, those
tests skip.  NEST 3.10.0, Brian2 2.9.0, PyNN 0.13.0 (on NEST) and CoreNEURON 9.0.2 (alone, and as two ranks of
OpenMPI 4.1.4) gave these spikes in November 2026.
"""

import ast
import importlib.resources
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from numba import config

from network.brunel import DELTA, DRIVE, EXPONENTIAL, brunel_map, spike_hash
from neurograft.errors import RunError
from neurograft.maps import Kind, synapse_map
from neurograft.network import Modulation, RunOptions, run, steady_drive
from neurograft.network._drive import Drive
from neurograft.network.peers import Peer, export_nir, export_script, read_spikes, run_in_peer
from neurograft.neurons import AdEx, AlphaSynapse, ExponentialSynapse, HodgkinHuxley, Izhikevich, Lif
from neurograft.units import MS, MV

PEER_PYTHON = Path(os.environ.get("NEUROGRAFT_PEER_PYTHON", sys.executable))
IS_JIT = not config.DISABLE_JIT


def needs(module):
    look = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    there = subprocess.run([PEER_PYTHON, "-c", look], check=False).returncode == 0
    return pytest.mark.skipif(not there, reason=f"needs {module} (NEUROGRAFT_PEER_PYTHON names its python)")


needs_mpi = pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun (Debian: openmpi-bin)")


@pytest.fixture
def may_be_root(monkeypatch):
    """Let OpenMPI run in a container, where everybody is root, and on fewer cores than ranks."""
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"):
        monkeypatch.setenv(name, "1")


def small_map(**changes):
    given = {
        "n_neurons": 3,
        "pre": np.array([0, 0, 1, 2]),
        "post": np.array([1, 2, 2, 0]),
        "weight_v": np.array([1.0, 2.0, -3.0, 0.5]) * MV,
        "delay_s": np.array([1.0, 2.0, 1.0, 1.04]) * MS,
        "labels": ["a", "b", "c"],
    }
    return synapse_map(**(given | changes))


# What the files say.


@pytest.mark.parametrize("peer", list(Peer))
def test_a_script_and_its_arrays_hold_the_network_in_other_units(peer, tmp_path):
    drive = Drive(
        mean_v=np.array([1.0, 2.0, 3.0]) * MV,
        noise_sd_v=np.array([0.0, 4.0, 4.0]) * MV,
        modulation=Modulation(course=np.array([0.5, -0.5]), bin_s=50 * MS, gain_v=np.array([1.0, 0.0, 2.0]) * MV),
    )
    arrays = export_script(small_map(), tmp_path / "net.py", peer=peer, drive=drive, duration_s=1.0, seed=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.npz", "net.py"]
    ast.parse((tmp_path / "net.py").read_text())
    with np.load(arrays, allow_pickle=False) as file:
        net = dict(file)
    assert net["pre"].tolist() == [0, 0, 1, 2]
    assert net["weight_mv"] == pytest.approx([1.0, 2.0, -3.0, 0.5], rel=1e-7)  # rounded to 32 bits
    assert net["delay_ms"].tolist() == [1.0, 2.0, 1.0, 1.0]  # to the nearest step
    assert net["drive_mv"].tolist() == [1.0, 2.0, 3.0]
    assert net["noise_mv"].tolist() == [0.0, 4.0, 4.0]
    assert net["gain_mv"].tolist() == [1.0, 0.0, 2.0]
    assert float(net["course_bin_ms"]) == 50.0
    assert json.loads(str(net["models"]))[0]["tau_m_ms"] == 20.0
    assert net["label"].tolist() == ["a", "b", "c"]


def test_neurons_start_as_in_the_engine(tmp_path):
    m = small_map()
    arrays = export_script(m, tmp_path / "n.py", peer=Peer.NEST, drive=steady_drive(3), duration_s=1.0, seed=4)
    first = run(
        m, duration_s=0.1 * MS, seed=4, drive=steady_drive(3), options=RunOptions(record_voltage_of=(0, 1, 2))
    ).voltage_v[0]  # fmt: skip
    with np.load(arrays) as net:
        assert net["start_mv"] * MV * np.exp(-0.1 / 20) == pytest.approx(first, rel=1e-9)


def test_currents_and_mixed_models_keep_their_scale(tmp_path):
    m = small_map(model=["lif", "adex", "izhikevich"])
    neuron = Lif(synapse=ExponentialSynapse())
    arrays = export_script(
        m, tmp_path / "n.py", peer=Peer.NEST, drive=steady_drive(3), neuron=neuron, duration_s=1.0, seed=0
    )  # fmt: skip
    with np.load(arrays) as net:
        models, weight, receptor = json.loads(str(net["models"])), net["weight_mv"], net["receptor"]
        assert [models[k]["family"] for k in net["model"]] == ["lif", "adex", "izhikevich"]
    assert receptor.tolist() == [0, 0, 0, 1]  # only the synapse onto the leaky neuron is a current
    assert weight[:3] == pytest.approx([1.0, 2.0, -3.0], rel=1e-7)
    assert weight[3] == pytest.approx(0.5 / 0.0774, rel=2e-3)  # the factor of the docstring of exponential_peak


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"neuron": HodgkinHuxley()}, "no script knows"),
        ({"drive": steady_drive(2)}, "the map has 3"),
    ],
)
def test_what_cannot_be_exported_is_refused(changes, words, tmp_path):
    given = {"peer": Peer.NEST, "drive": steady_drive(3), "duration_s": 1.0, "seed": 0} | changes
    with pytest.raises(RunError, match=words):
        export_script(small_map(), tmp_path / "n.py", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_script_needs_a_name_that_python_runs(tmp_path):
    with pytest.raises(RunError, match=r"end in \.py"):
        export_script(small_map(), tmp_path / "n", peer=Peer.NEST, drive=steady_drive(3), duration_s=1.0, seed=0)


def test_electrical_kicks_onto_current_neurons_are_refused(tmp_path):
    m = small_map(kind=np.array([0, Kind.ELECTRICAL, 0, 0], dtype=np.uint8))
    given = {"peer": Peer.NEST, "drive": steady_drive(3), "duration_s": 1.0, "seed": 0}
    export_script(m, tmp_path / "fine.py", **given)
    with pytest.raises(RunError, match="a -> c"):
        export_script(m, tmp_path / "n.py", neuron=Lif(synapse=AlphaSynapse()), **given)


def test_an_interpreter_without_the_simulator_is_named():
    with pytest.raises(RunError, match="cannot be started"):
        run_in_peer(
            small_map(), peer=Peer.NEST, duration_s=1.0, seed=0, drive=steady_drive(3), python=Path("/no/python")
        )  # fmt: skip


@pytest.mark.parametrize("peer", [Peer.BRIAN2, Peer.PYNN])
def test_ranks_of_a_simulator_that_runs_in_one_process_are_refused(peer, monkeypatch):
    monkeypatch.setattr("neurograft.network.peers._scripts._require_module", lambda *_: None)
    with pytest.raises(RunError, match="in one process, not in 2 ranks"):
        run_in_peer(small_map(), peer=peer, duration_s=1.0, seed=0, drive=steady_drive(3), n_ranks=2)


def test_spikes_of_several_ranks_are_put_together(tmp_path):
    for rank, neurons in enumerate(([0, 2], [1])):
        np.savez(tmp_path / f"spikes-{rank}.npz", step=np.arange(len(neurons)), neuron=neurons, duration_ms=20.0)
    step, neuron, duration_s = read_spikes(tmp_path, "spikes")
    assert (step.tolist(), neuron.tolist(), duration_s) == ([0, 1, 0], [0, 2, 1], 0.02)
    with pytest.raises(RunError, match="without writing spikes"):
        read_spikes(tmp_path, "other")


def test_every_peer_has_a_script_that_needs_nothing_of_ours():
    for peer in Peer:
        text = (importlib.resources.files("neurograft.network.peers") / "scripts" / f"{peer}_script.py").read_text()
        imported = [
            name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module])
        ]
        assert not any(name.startswith("neurograft") for name in imported)


# NIR: read by the nir package where it is there, and its graph integrated by NIR's own equations.


def nir_spikes(nodes, edges, start_v, n_steps, step_s):
    """Integrate an NIR graph of LIF, Delay and Linear nodes, dense and plainly; return (step, neuron) pairs."""
    cell = nodes["neurons"]
    decay, v = np.exp(-step_s / cell["tau"]), start_v.copy()
    into = [a for a, b in edges if b == "neurons" and a != "input"]
    before = {b: a for a, b in edges if b != "neurons"}
    fired = np.zeros((n_steps, v.size))
    for k in range(n_steps):
        v = cell["v_leak"] + (v - cell["v_leak"]) * decay
        for weights in into:
            d = round(float(nodes[before[weights]]["delay"][0]) / step_s)
            if k >= d:
                v += cell["r"] / cell["tau"] * (nodes[weights]["weight"] @ fired[k - d])
        fired[k] = v >= cell["v_threshold"]
        v = np.where(fired[k] > 0, cell["v_reset"], v)
    return np.argwhere(fired).tolist()


def test_an_nir_graph_spikes_as_the_engine_does(tmp_path):
    rng = np.random.default_rng(3)
    n = 20
    pair = rng.choice(n * n, 120, replace=False)
    m = synapse_map(
        n_neurons=n, pre=pair // n, post=pair % n, weight_v=rng.integers(-3, 9, 120) * 2.0**-10,
        delay_s=rng.integers(1, 5, 120) * 0.5 * MS,
    )  # fmt: skip
    neuron = Lif(refractory_s=0.0)
    drive = steady_drive(n, mean_v=rng.uniform(14, 25, n) * MV)
    start_v = rng.uniform(0, 15, n) * MV
    assert export_nir(m, tmp_path / "net.nir", drive=drive, neuron=neuron) == ()
    with h5py.File(tmp_path / "net.nir") as file:
        assert file["node/type"][()] == b"NIRGraph"
        nodes = {name: {key: x[()] for key, x in group.items()} for name, group in file["node/nodes"].items()}
        edges = [(a.decode(), b.decode()) for a, b in file["node/edges"][()]]
    ours = run(m, duration_s=0.2, seed=0, drive=drive, neuron=neuron, options=RunOptions(start_v=start_v)).spikes
    got = np.column_stack([np.rint(ours.time_s / (0.1 * MS)).astype(int), ours.neuron]).tolist()
    assert len(got) > 100
    assert nir_spikes(nodes, edges, start_v, 2000, 0.1 * MS) == got


def test_nir_says_what_it_could_not_hold(tmp_path):
    lost = export_nir(small_map(), tmp_path / "net.nir", drive=steady_drive(3, noise_sd_v=1 * MV))
    assert "refractory times (up to 0.002 s)" in lost
    assert "background noise" in lost
    with h5py.File(tmp_path / "net.nir") as file:
        assert "background noise" in file["node/metadata/not_in_this_file"][()].decode()


@pytest.mark.parametrize("neuron", [AdEx(), Lif(synapse=ExponentialSynapse())])
def test_what_nir_has_no_node_for_is_refused(neuron, tmp_path):
    with pytest.raises(RunError, match="no counterpart in NIR"):
        export_nir(small_map(), tmp_path / "net.nir", drive=steady_drive(3), neuron=neuron)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot ask for room")
def test_nir_asks_the_disk_for_what_the_file_takes(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "posix_fallocate", lambda handle, start, n_bytes: asked.append(n_bytes))
    export_nir(small_map(), tmp_path / "net.nir", drive=steady_drive(3))
    ring, delay_s = np.arange(300), np.where(np.arange(300) % 2, 1 * MS, 2 * MS)
    m = synapse_map(n_neurons=300, pre=ring, post=np.roll(ring, 1), weight_v=np.full(300, 1e-3), delay_s=delay_s)
    export_nir(m, tmp_path / "ring.nir", drive=steady_drive(300))
    held = [(tmp_path / name).stat().st_size for name in ("net.nir", "ring.nir")]
    assert all(size <= room < 1.5 * size + (1 << 17) for size, room in zip(held, asked, strict=True))


def test_a_map_too_large_for_dense_weights_is_refused(tmp_path):
    m = synapse_map(n_neurons=4000, pre=np.array([0]), post=np.array([1]), weight_v=np.array([1e-3]), delay_s=MS)
    with pytest.raises(RunError, match="64 MB"):
        export_nir(m, tmp_path / "net.nir", drive=steady_drive(4000))


@needs("nir")
def test_the_nir_package_reads_the_file(tmp_path):
    export_nir(small_map(), tmp_path / "net.nir", drive=steady_drive(3, mean_v=2 * MV))
    code = (
        "import nir, sys; g = nir.read(sys.argv[1]); c = g.nodes['neurons'];"
        "print(sorted(type(x).__name__ for x in g.nodes.values()), c.v_leak.tolist(), len(g.edges),"
        "g.nodes['weights_10'].weight.shape)"
    )
    said = subprocess.run(
        [PEER_PYTHON, "-c", code, tmp_path / "net.nir"], check=True, capture_output=True, text=True
    ).stdout  # fmt: skip
    assert said.strip() == (
        "['Delay', 'Delay', 'Input', 'LIF', 'Linear', 'Linear', 'Output'] [0.002, 0.002, 0.002] 8 (3, 3)"
    )


# In the simulators themselves.


@pytest.mark.slow
@pytest.mark.skipif(not IS_JIT, reason="ten million events need compiled code")
@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(Peer.NEST, marks=needs("nest")),
        pytest.param(Peer.BRIAN2, marks=needs("brian2")),
        pytest.param(Peer.PYNN, marks=[needs("pyNN"), needs("nest")]),
        pytest.param(Peer.CORENEURON, marks=needs("neuron")),
    ],
)
@pytest.mark.parametrize("name", ["delta", "mixed-delays", "exponential"])
def test_the_export_spikes_as_the_engine_spike_for_spike(peer, name):
    require_same_spikes(peer, name)


@pytest.mark.slow
@pytest.mark.skipif(not IS_JIT, reason="ten million events need compiled code")
@needs("neuron")
@needs_mpi
@pytest.mark.usefixtures("may_be_root")
@pytest.mark.parametrize("name", ["delta", "mixed-delays"])
def test_two_ranks_of_coreneuron_spike_as_the_engine_spike_for_spike(name):
    require_same_spikes(Peer.CORENEURON, name, n_ranks=2)


def require_same_spikes(peer, name, **ranks):
    m, start = brunel_map(10, has_mixed_delays=name == "mixed-delays", is_current=name == "exponential")
    given = {
        "duration_s": 0.3,
        "seed": 0,
        "neuron": EXPONENTIAL if name == "exponential" else DELTA,
        "drive": steady_drive(m.n_neurons, mean_v=DRIVE),
        "options": RunOptions(start_v=start),
    }
    ours, theirs = run(m, **given).spikes, run_in_peer(m, peer=peer, python=PEER_PYTHON, **given, **ranks).spikes
    assert ours.n_spikes > 10_000
    assert spike_hash(theirs) == spike_hash(ours)


def irregular_net(rng, n=200, k=20):
    pre = np.concatenate([rng.choice(n, k, replace=False) for _ in range(n)])
    post = np.repeat(np.arange(n), k)
    weight_v = np.where(pre < 160, 0.3, -1.2) * MV * rng.uniform(0.5, 1.5, n * k)
    delay_s = rng.integers(8, 30, n * k) * 0.1 * MS
    return synapse_map(n_neurons=n, pre=pre, post=post, weight_v=weight_v, delay_s=delay_s)


def interval_cv(spikes):
    gaps = [np.diff(t) for t in spikes.by_neuron() if t.size > 10]
    return float(np.mean([g.std() / g.mean() for g in gaps]))


ALPHA = Lif(synapse=AlphaSynapse())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "neuron"),
    [
        *(pytest.param(Peer.NEST, x, marks=needs("nest")) for x in (Lif(), ALPHA, AdEx(), Izhikevich())),
        *(pytest.param(Peer.CORENEURON, x, marks=needs("neuron")) for x in (Lif(), ALPHA)),
    ],
    ids=str,
)
def test_noisy_networks_have_the_same_statistics_elsewhere(peer, neuron):
    """Both draw their own noise: rate and irregularity agree within the spread of seeds (4 of ours)."""
    m = irregular_net(np.random.default_rng(1))
    mean_v = {"adex": 17 * MV, "izhikevich": 4 * MV}.get(neuron.name, 12 * MV)
    drive = Drive(
        mean_v=np.full(200, mean_v),
        noise_sd_v=np.full(200, 4 * MV if neuron.name != "izhikevich" else 2 * MV),
        modulation=Modulation(course=np.array([1.0, -1.0]), bin_s=0.5, gain_v=np.full(200, 2 * MV)),
    )
    given = {"duration_s": 6.0, "drive": drive, "neuron": neuron}
    ours = [run(m, seed=s, **given).spikes for s in range(4)]
    theirs = run_in_peer(m, peer=peer, python=PEER_PYTHON, seed=7, **given).spikes
    for measure, floor in ((lambda x: x.rates_hz().mean(), 0.02), (interval_cv, 0.03), (beat, 0.05)):
        values = np.array([measure(x) for x in ours])
        room = max(4 * values.std(ddof=1), floor * abs(values.mean()))
        assert measure(theirs) == pytest.approx(values.mean(), abs=room)


def beat(spikes):
    """Return how much more is fired in the course's high halves of a second than in all."""
    return float(np.mean(np.floor(spikes.time_s / 0.5) % 2 == 0))
