"""Exporting a network as a script for another simulator, and running that script from here."""

import importlib.resources
import os
import shutil
import subprocess
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path

import numpy as np

from neurograft.errors import RunError
from neurograft.files import written_whole
from neurograft.maps import SynapseMap
from neurograft.network._drive import Drive
from neurograft.network._options import RunOptions
from neurograft.network._rows import used_synapses
from neurograft.network._run import Activity
from neurograft.network.peers._network_file import network_arrays, write_network
from neurograft.neurons import Lif, NeuronModel
from neurograft.progress import Progress, silent
from neurograft.provenance import Provenance
from neurograft.spikes import spike_trains


class Peer(StrEnum):
    """A simulator for which there is a script."""

    NEST = "nest"
    BRIAN2 = "brian2"
    PYNN = "pynn"
    CORENEURON = "coreneuron"


_INSTALL = {
    Peer.NEST: "nest-simulator",
    Peer.BRIAN2: "brian2 'numpy<2.4'",
    Peer.PYNN: "pynn",
    Peer.CORENEURON: "'neuron>=9'",
}
_MODULE = {Peer.NEST: "nest", Peer.BRIAN2: "brian2", Peer.PYNN: "pyNN", Peer.CORENEURON: "neuron"}
_WITH_RANKS = (Peer.NEST, Peer.CORENEURON)
_LAST_CHARACTERS = 2_000


def export_script(
    m: SynapseMap,
    path: Path,
    *,
    peer: Peer,
    drive: Drive,
    neuron: NeuronModel | None = None,
    options: RunOptions | None = None,
    duration_s: float,
    seed: int,
) -> Path:
    """Write a script that runs the network in a peer, and its arrays beside it; return the arrays' path.

    The script is plain and meant to be read and changed; the arrays lie in an NPZ of the same stem.
    """
    options = options if options is not None else RunOptions()
    neuron = neuron if neuron is not None else Lif()
    if drive.n_neurons != m.n_neurons:
        raise RunError(f"The drive is for {drive.n_neurons} neurons, the map has {m.n_neurons}. Make one for this map.")
    if path.suffix != ".py":
        raise RunError(f"{path} does not end in .py. A {peer} export is a script and an NPZ of the same name.")
    arrays = network_arrays(m, neuron=neuron, drive=drive, options=options, duration_s=duration_s, seed=seed)
    data = path.with_suffix(".npz")
    write_network(arrays, data)
    source = importlib.resources.files("neurograft.network.peers") / "scripts" / f"{peer}_script.py"
    with written_whole(path) as part:
        part.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return data


def run_in_peer(
    m: SynapseMap,
    *,
    peer: Peer,
    duration_s: float,
    seed: int,
    drive: Drive,
    neuron: NeuronModel | None = None,
    options: RunOptions | None = None,
    python: Path | None = None,
    n_ranks: int = 1,
    progress: Progress = silent,
) -> Activity:
    """Return what another simulator makes of a network: the same map, models, delays and background.

    ``python`` is the interpreter in which the simulator is installed (this one unless given), ``n_ranks`` the
    number of MPI processes, for CoreNEURON, and for NEST where it was built with MPI.  Without noise the spikes of
    integrate-and-fire neurons are the engine's; with noise only the statistics agree, for each draws its own.
    """
    options = options if options is not None else RunOptions()
    interpreter = str(python) if python is not None else sys.executable
    _require_module(peer, interpreter)
    if n_ranks > 1 and peer not in _WITH_RANKS:
        raise RunError(f"{peer} runs in one process, not in {n_ranks} ranks. Use {' or '.join(_WITH_RANKS)}.")
    with tempfile.TemporaryDirectory(prefix="neurograft-") as folder:
        script = Path(folder) / "network.py"
        export_script(
            m, script, peer=peer, drive=drive, neuron=neuron, options=options, duration_s=duration_s, seed=seed
        )
        out = Path(folder) / "spikes.npz"
        words = [interpreter, str(script), "--out", str(out)]
        if peer is Peer.PYNN:
            words.insert(2, "nest")
        if peer is Peer.NEST:
            words += ["--threads", str(options.n_threads)]
        if peer is Peer.CORENEURON:
            progress("compiling the neuron", 0, 1)
            _call([interpreter, str(script), "--build"], peer)
        if n_ranks > 1:
            words = [_mpirun(), "-n", str(n_ranks), *words]
        began_s = time.perf_counter()
        progress(f"running in {peer}", 0, 1)
        _call(words, peer)
        progress(f"running in {peer}", 1, 1)
        return _activity(m, Path(folder), options, time.perf_counter() - began_s, peer=peer, seed=seed)


def _require_module(peer: Peer, interpreter: str) -> None:
    look = f"import importlib.util as u, sys; sys.exit(u.find_spec({_MODULE[peer]!r}) is None)"
    try:
        done = subprocess.run([interpreter, "-c", look], check=False, capture_output=True)  # noqa: S603
    except OSError as error:
        raise RunError(f"{interpreter} cannot be started: {error}. Give the path of a Python interpreter.") from error
    if done.returncode != 0:
        raise RunError(
            f"{interpreter} has no {_MODULE[peer]}. Install it there (pip install {_INSTALL[peer]}), best in an "
            "environment of its own, and name that environment's python."
        )


def _mpirun() -> str:
    found = shutil.which("mpirun")
    if found is None:
        raise RunError("There is no mpirun. Install an MPI, e.g. OpenMPI, or use one rank.")
    return found


def _call(words: list[str], peer: Peer) -> None:
    environment = {**os.environ, "PYTHONNOUSERSITE": "1"}
    environment.pop("PYTHONPATH", None)  # another interpreter must not find this one's libraries
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode != 0:
        said = (done.stderr or done.stdout)[-_LAST_CHARACTERS:]
        raise RunError(f"{peer} left with exit code {done.returncode}. Its last words:\n{said}")


def _activity(m: SynapseMap, folder: Path, options: RunOptions, wall_s: float, *, peer: Peer, seed: int) -> Activity:
    step, neuron, duration_s = read_spikes(folder, "spikes")
    used = used_synapses(m)
    spikes = spike_trains(
        time_s=step * options.step_s,
        neuron=neuron,
        n_neurons=m.n_neurons,
        epochs_s=np.array([[0.0, duration_s]]),
        labels=m.labels,
        provenance=Provenance(
            command="run",
            parameters={"duration_s": duration_s, "step_s": options.step_s, "engine": str(peer)},
            seed=seed,
        ),
    )
    out_degree = np.bincount(m.pre[used], minlength=m.n_neurons)
    return Activity(
        spikes=spikes,
        voltage_v=np.empty((0, 0)),
        voltage_of=(),
        step_s=options.step_s,
        wall_s=wall_s,
        n_events=int(out_degree[neuron].sum()),
        n_synapses_left_out=int(np.sum(~used)),
        is_complete=True,
    )


def read_spikes(folder: Path, stem: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return steps, neurons and duration of a script's output: one file, or one of each MPI rank."""
    files = sorted(folder.glob(f"{stem}.npz")) or sorted(folder.glob(f"{stem}-*.npz"))
    if not files:
        raise RunError("The simulator ended without writing spikes. Run the exported script to see what it says.")
    steps, neurons, duration_s = [], [], 0.0
    for path in files:
        with np.load(path, allow_pickle=False) as file:
            steps.append(file["step"])
            neurons.append(file["neuron"])
            duration_s = float(file["duration_ms"]) / 1e3
    return np.concatenate(steps), np.concatenate(neurons), duration_s
