"""A network as an NIR graph (Pedersen et al. 2024, neuromorphs.org), for neuromorphic hardware and its simulators.

NIR knows leaky integrate-and-fire neurons, dense weights and delays of neurons; so a network becomes

    input -> neurons -> delay of d -> weights of the synapses of delay d -> neurons, for every distinct d
    neurons -> output

``LIF`` of NIR obeys tau dv/dt = v_leak - v + r I.  A spike is a delta pulse, so r = tau makes a weight of w
volts a jump by w; steady drive is v_leak.  What NIR has no word for is refused (currents, other models) or
written to the metadata and left out (refractory time, noise, modulation): a reader gets neurons without them.
"""

from pathlib import Path
from typing import Final

import h5py
import numpy as np

from neurograft.errors import RunError
from neurograft.files import written_whole
from neurograft.maps import SynapseMap
from neurograft.network._build import models_of
from neurograft.network._drive import Drive
from neurograft.network._rows import delay_steps, used_synapses
from neurograft.neurons import DeltaSynapse, Lif, NeuronModel

NIR_VERSION: Final = "1.0.8"  # of the format: the nir package whose files these are like
MOST_NEURONS: Final = 3_000  # NIR's weights are dense: this many squared in single precision are 36 MB a delay
_MOST_BYTES: Final = 1 << 30
_OVERHEAD: Final = 1 << 13  # bytes of a node's groups and headers


def export_nir(
    m: SynapseMap, path: Path, *, drive: Drive, neuron: NeuronModel | None = None, step_s: float = 1e-4
) -> tuple[str, ...]:
    """Write an NIR file; return in words what the format could not hold.

    Delays are rounded to ``step_s``, as a run does.  Maps above 3,000 neurons, or whose distinct delays would
    need over 1 GB of dense weights, are refused.
    """
    neurons = _neurons(m, neuron if neuron is not None else Lif())
    used = used_synapses(m)
    steps = delay_steps(m, used, step_s)
    delays = np.unique(steps)
    n_bytes = _require_size(m, delays.size)
    lost = _lost(neurons, drive, used)
    n = m.n_neurons
    with written_whole(path, n_bytes=n_bytes) as part, h5py.File(part, "w") as file:
        _text(file, "version", NIR_VERSION)
        graph = file.create_group("node")
        _text(graph, "type", "NIRGraph")
        nodes = graph.create_group("nodes")
        _node(nodes, "input", "Input", shape=np.array([n]))
        _node(nodes, "output", "Output", shape=np.array([n]))
        _node(nodes, "neurons", "LIF", **_lif(neurons, drive))
        edges = [("input", "neurons"), ("neurons", "output")]
        pre, post, weight_v = m.pre[used], m.post[used], m.weight_v[used]
        for d in delays.tolist():
            row = steps == d
            weight = np.zeros((n, n), dtype=np.float32)
            np.add.at(weight, (post[row], pre[row]), weight_v[row].astype(np.float32))
            _node(nodes, f"delay_{d}", "Delay", delay=np.full(n, d * step_s))
            _node(nodes, f"weights_{d}", "Linear", weight=weight)
            edges += [("neurons", f"delay_{d}"), (f"delay_{d}", f"weights_{d}"), (f"weights_{d}", "neurons")]
        graph.create_dataset("edges", data=np.array(edges, dtype=object), dtype=h5py.string_dtype())
        _metadata(graph.create_group("metadata"), m, neurons, drive, lost)
    return lost


def _neurons(m: SynapseMap, neuron: NeuronModel) -> list[Lif]:
    models, kind = models_of(m, neuron)
    for model in models:
        if not isinstance(model, Lif) or not isinstance(model.synapse, DeltaSynapse):
            raise RunError(
                f"The model {model.name!r} with its synapses has no counterpart in NIR. Use Lif() with DeltaSynapse()."
            )
    return [models[k] for k in kind.tolist()]  # pyright: ignore[reportReturnType] - checked above


def _require_size(m: SynapseMap, n_delays: int) -> int:
    """Return about how many bytes the file takes."""
    needed = 4 * m.n_neurons**2 * max(1, n_delays)
    if m.n_neurons > MOST_NEURONS or needed > _MOST_BYTES:
        raise RunError(
            f"The map has {m.n_neurons} neurons and {n_delays} distinct delays; NIR's dense weights would take "
            f"{needed / 1e6:.0f} MB. Export at most {MOST_NEURONS} neurons, with fewer distinct delays (a longer step)."
        )
    labels = sum(len(label.encode()) for label in m.labels)
    return needed + n_delays * (8 * m.n_neurons + _OVERHEAD) + 64 * m.n_neurons + labels + 8 * _OVERHEAD


def _lif(neurons: list[Lif], drive: Drive) -> dict[str, np.ndarray]:
    tau = np.array([x.tau_m_s for x in neurons])
    return {
        "tau": tau,
        "r": tau,
        "v_leak": drive.mean_v.copy(),
        "v_threshold": np.array([x.threshold_v for x in neurons]),
        "v_reset": np.array([x.reset_v for x in neurons]),
    }


def _lost(neurons: list[Lif], drive: Drive, used: np.ndarray) -> tuple[str, ...]:
    longest = max((x.refractory_s for x in neurons), default=0.0)
    said = (
        (longest > 0, f"refractory times (up to {longest:g} s)"),
        (bool(drive.noise_sd_v.any()), "background noise"),
        (drive.modulation is not None, "the shared modulation"),
        (not used.all(), f"{np.count_nonzero(~used)} polysynaptic paths"),
    )
    return tuple(text for is_lost, text in said if is_lost)


def _metadata(group: h5py.Group, m: SynapseMap, neurons: list[Lif], drive: Drive, lost: tuple[str, ...]) -> None:
    group.create_dataset("labels", data=np.array(m.labels, dtype=object), dtype=h5py.string_dtype())
    group.create_dataset("refractory_s", data=np.array([x.refractory_s for x in neurons]))
    group.create_dataset("noise_sd_v", data=drive.noise_sd_v)
    _text(group, "not_in_this_file", "; ".join(lost))


def _node(nodes: h5py.Group, name: str, kind: str, **columns: np.ndarray) -> None:
    group = nodes.create_group(name)
    _text(group, "type", kind)
    for column, values in columns.items():
        group.create_dataset(column, data=values)


def _text(group: h5py.Group | h5py.File, name: str, text: str) -> None:
    group.create_dataset(name, data=text, dtype=h5py.string_dtype())
