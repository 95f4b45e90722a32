"""The whole fly brain as Shiu et al. (2024) run it: their two tables become a map.

The data (FlyWire, CC BY-NC 4.0) are not part of this package: bring your own files.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neurograft.errors import MapError
from neurograft.maps._import import SHIU_DELAY_S, SHIU_VOLTS_PER_COUNT
from neurograft.maps._map import SynapseMap, synapse_map
from neurograft.maps._table import read_table
from neurograft.provenance import Provenance, fingerprint

_PRE, _POST, _COUNT = "Presynaptic_Index", "Postsynaptic_Index", "Excitatory x Connectivity"


def load_fly_brain(
    connections: Path, neurons: Path, *, peak_per_jump: float, stimulated: Sequence[str] = ()
) -> SynapseMap:
    """Return the map of a connectivity table (Parquet or CSV) and a completeness table (CSV) of Shiu et al.

    The row of a neuron in ``neurons`` is its index; its first column is the FlyWire id, which becomes the label.
    ``peak_per_jump`` is the peak potential of a unit jump of the model's synaptic variable, since a map's weights
    are peaks: ``FlyLif().peak_per_jump``.  The signed synapse count is kept as the column ``count``.  Neurons named
    in ``stimulated`` have no refractory time, as those that the model's authors stimulate.
    """
    listed = read_table(neurons, has_header=True, delimiter=None)
    first = next(iter(listed.columns))
    labels = [text.strip() for text in listed.texts(first)]
    table = read_table(connections, has_header=True, delimiter=None)
    missing = [name for name in (_PRE, _POST, _COUNT) if name not in table.columns]
    if missing:
        raise MapError(
            f"{connections.name} has no column {missing[0]!r}. Give the connectivity table of the fly brain model; its "
            f"columns here are {', '.join(table.columns)}."
        )
    pre, post = (table.numbers(name).astype(np.int64) for name in (_PRE, _POST))
    count = table.numbers(_COUNT)
    largest = int(max(pre.max(initial=-1), post.max(initial=-1)))
    if largest >= len(labels):
        raise MapError(
            f"{connections.name} has the neuron index {largest}, but {neurons.name} lists {len(labels)} neurons. "
            "The two files are of different releases: take both from one."
        )
    unknown = sorted(set(stimulated) - set(labels))
    if unknown:
        raise MapError(
            f"{neurons.name} has no neuron {unknown[0]} ({len(unknown)} of {len(stimulated)} to be stimulated are "
            "missing). Give ids of this release."
        )
    touched = set(stimulated)
    keep = count != 0
    sign = np.zeros(len(labels), dtype=np.int8)
    sign[pre[keep]] = np.sign(count[keep]).astype(np.int8)
    return synapse_map(
        n_neurons=len(labels),
        pre=pre[keep],
        post=post[keep],
        weight_v=count[keep] * SHIU_VOLTS_PER_COUNT * peak_per_jump,
        delay_s=SHIU_DELAY_S,
        labels=labels,
        sign=sign,
        model=["lif-fly-stimulated" if label in touched else "lif-fly" for label in labels],
        extra={"count": count[keep]},
        provenance=Provenance(
            command="load_fly_brain",
            parameters={
                "volts_per_count": SHIU_VOLTS_PER_COUNT,
                "peak_per_jump": peak_per_jump,
                "stimulated": [*stimulated],
            },
            inputs={path.name: fingerprint(path) for path in (connections, neurons)},
        ),
    )
