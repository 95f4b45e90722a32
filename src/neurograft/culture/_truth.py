"""The truth that scores a copy: the synapses that were grown, as a ``SynapseMap``."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from neurograft.culture._cells import Cells, Wires
from neurograft.culture._options import CultureOptions
from neurograft.culture._strengths import Strengths, spikelet_v
from neurograft.culture._wiring import Graph
from neurograft.maps import Kind, SynapseMap, synapse_map
from neurograft.provenance import Provenance

_STRONG_SHARE = 0.2  # of the way from rest to threshold: from here on a potential is "eventful"


def truth_map(
    options: CultureOptions,
    *,
    seed: int,
    graph: Graph,
    strengths: Strengths,
    cells: Cells,
    wires: Wires,
    where: Float64[ndarray, "neurons 3"],
) -> SynapseMap:
    """Return all synapses; recorded neurons come first and are called n0, n1, ..., hidden ones h0, h1, ...

    Delays are what the simulation uses: whole steps from the spike to the start of the potential; gap junctions
    see the potential of the step before.
    """
    recorded = options.n_recorded
    gap_pre = np.repeat(np.arange(options.n_neurons), np.diff(wires.gap_start))
    gap_v = spikelet_v(gap_pre, wires.gap_other, wires.gap_siemens, family=options.family, cells=cells, wires=wires)
    n_gap, n_chemical = gap_pre.size, graph.pre.size
    room_v = (cells.threshold_v - cells.rest_v)[graph.post]
    kind = np.where(strengths.weight_v >= _STRONG_SHARE * room_v, Kind.EXCITATORY_STRONG, Kind.EXCITATORY_WEAK)
    kind = np.where(strengths.weight_v < 0, Kind.INHIBITORY, kind)
    nothing = np.full(n_gap, np.nan)
    return synapse_map(
        n_neurons=options.n_neurons,
        pre=np.concatenate([graph.pre, gap_pre]),
        post=np.concatenate([graph.post, wires.gap_other]),
        weight_v=np.concatenate([strengths.weight_v, gap_v]),
        delay_s=np.concatenate([wires.delay_steps * options.step_s, np.full(n_gap, options.step_s)]),
        kind=np.concatenate([kind, np.full(n_gap, Kind.ELECTRICAL)]).astype(np.uint8),
        labels=[f"n{i}" for i in range(recorded)] + [f"h{i}" for i in range(options.n_neurons - recorded)],
        position_um=where,
        sign=np.where(cells.is_excitatory, 1, -1).astype(np.int8),
        model=options.family.name,
        extra={
            "release_probability": np.concatenate([strengths.release, nothing]),
            "release_sites": np.concatenate([strengths.n_sites.astype(np.float64), nothing]),
            "quantum_siemens": np.concatenate([strengths.quantum_siemens, nothing]),
            "gap_siemens": np.concatenate([np.full(n_chemical, np.nan), wires.gap_siemens]),
        },
        provenance=Provenance(command="culture.grow", parameters={"family": options.family.name}, seed=seed),
    )
